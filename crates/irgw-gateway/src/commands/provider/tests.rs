//! What `irgw provider` enrols, links, lists and refuses.

use clap::Parser;
use irgw_core::{Environment, Links, UnixTime};
use irgw_store::{Registry, Store};

use super::*;

#[derive(Parser)]
struct Irgw {
    #[command(flatten)]
    provider: ProviderArgs,
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// Runs `irgw provider …`: what it printed, or its exit code and message.
fn run(store: &Store, line: &str) -> Result<String, (u8, String)> {
    let args = Irgw::try_parse_from(std::iter::once("provider").chain(line.split_whitespace()))
        .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
    let mut out = Vec::new();
    super::run(&args.provider, store, at(1_800_000_000), &mut out)
        .map_err(|error| (error.exit_code(), error.to_string()))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn parties_are_added_linked_and_listed() {
    let store = Store::in_memory().unwrap();
    run(&store, "add kowhai --name Kowhai --acts-for-itself").unwrap();
    run(&store, "add-owner tui --logon tui.baker --logon tui.clerk").unwrap();
    run(&store, "link kowhai --acts-for tui").unwrap();

    let registry = Registry::load(&store, Environment::Test).unwrap();
    let (kowhai, tui) = ("kowhai".parse().unwrap(), "tui".parse().unwrap());
    assert!(registry.acts_for(&kowhai, &tui));
    assert!(registry.acts_for(&kowhai, &"kowhai".parse().unwrap()));
    assert!(registry.has_logon(&tui, &"tui.clerk".parse().unwrap()));

    assert_eq!(
        run(&store, "list").unwrap(),
        "ID      NAME    CLIENT CERTS  OWNERS  SINCE\n\
         kowhai  Kowhai  0             2       2027-01-15T08:00:00Z\n"
    );
    let owners: serde_json::Value =
        serde_json::from_str(&run(&store, "list-owners --of kowhai --json").unwrap()).unwrap();
    assert_eq!(owners["owners"][1]["id"], "tui");
    assert_eq!(owners["owners"][1]["logons"], 2);
    assert_eq!(run(&store, "list-logons tui").unwrap(), "LOGON\ntui.baker\ntui.clerk\n");
}

/// M2M-9: who acts for an owner is asked before a link is ended.
#[test]
fn providers_that_act_for_an_owner_are_listed() {
    let store = Store::in_memory().unwrap();
    run(&store, "add-owner tui").unwrap();
    run(&store, "add kowhai --acts-for tui").unwrap();
    run(&store, "add rata --acts-for-itself --acts-for tui").unwrap();
    let listed = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(&run(&store, line).unwrap()).unwrap();
        let ids = json["providers"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed("list --acts-for tui --json"), ["kowhai", "rata"]);
    assert_eq!(listed("list --acts-for rata --json"), ["rata"]);
    run(&store, "unlink rata --acts-for tui").unwrap();
    assert_eq!(listed("list --acts-for tui --json"), ["kowhai"]);
    assert_eq!(listed("list --json"), ["kowhai", "rata"]);
    let refused = run(&store, "list --acts-for nobody").unwrap_err();
    assert_eq!(refused, (1, "refused by ENV-1: there is no resource owner nobody".to_owned()));
}

#[test]
fn links_end() {
    let store = Store::in_memory().unwrap();
    run(&store, "add-owner tui --logon tui.baker").unwrap();
    run(&store, "add kowhai --acts-for tui").unwrap();
    run(&store, "unlink kowhai --acts-for tui").unwrap();
    run(&store, "unlink-logon tui --logon tui.baker").unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    assert!(!registry.acts_for(&"kowhai".parse().unwrap(), &"tui".parse().unwrap()));
    assert!(!registry.has_logon(&"tui".parse().unwrap(), &"tui.baker".parse().unwrap()));
}

#[test]
fn command_that_is_refused_changes_nothing_and_exits_1() {
    let store = Store::in_memory().unwrap();
    let refused = run(&store, "add kowhai --acts-for-itself --acts-for nobody").unwrap_err();
    assert_eq!(refused, (1, "refused by ENV-1: there is no resource owner nobody".to_owned()));
    assert_eq!(run(&store, "list").unwrap(), "no providers\n");
    run(&store, "add kowhai").unwrap();
    let refused = run(&store, "add kowhai").unwrap_err();
    assert_eq!(refused, (1, "refused by ENV-1: provider kowhai exists".to_owned()));
}

/// G13: a page of no size, a negative or a huge one.
#[test]
fn page_size_out_of_bounds_exits_2() {
    let store = Store::in_memory().unwrap();
    for line in
        ["list --limit 0", "list --limit -1", "list --limit 1001", "list --limit 99999999999999999999"]
    {
        assert_eq!(run(&store, line).unwrap_err().0, 2, "{line}");
    }
}

#[test]
fn long_list_says_where_it_goes_on() {
    let store = Store::in_memory().unwrap();
    for id in ["a", "b", "c"] {
        run(&store, &format!("add {id}")).unwrap();
    }
    let first = run(&store, "list --limit 2").unwrap();
    assert!(first.ends_with("more: --after b\n"), "{first}");
    assert!(run(&store, "list --limit 2 --after b").unwrap().contains("\nc "));
    let json: serde_json::Value =
        serde_json::from_str(&run(&store, "list --limit 2 --json").unwrap()).unwrap();
    assert_eq!(json["next"]["providers"], "b");
}
