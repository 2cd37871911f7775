//! `irgw client …`: OAuth clients and their secrets (OA-2, OA-4, GW-2, ENV-2).

use std::io::Write;

use clap::{Args, Subcommand};
use irgw_core::{ClientId, ClientKind, Environment, ProviderId, UnixTime};
use irgw_oauth::opaque::{self, Digest, SECRET_CHARS};
use irgw_oauth::signing::Algorithm;
use irgw_store::{ClientFilter, NewClient, OldSecret, Store};
use serde_json::json;

use super::credential::expect_own;
use super::listing::{List, rfc3339};
use super::{CommandError, ListArgs, PlaceArgs};

/// OAuth clients and their secrets: register, list, change secrets, disable
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClientArgs {
    /// Which gateway's state.
    #[command(flatten)]
    pub place: PlaceArgs,
    #[command(subcommand)]
    command: ClientCommand,
}

const EXAMPLES: &str = "\
Examples:
  A client on a provider's server:
    irgw client add kowhai-web --provider kowhai --kind cloud --redirect-uri https://kowhai.example/answer --dir DIR
  Desktop software, with any port on its loopback address (RFC 8252):
    irgw client add kowhai-desk --provider kowhai --kind native --redirect-uri http://127.0.0.1/answer --dir DIR
  Change a secret: both are good until the client has changed over.
    irgw client rotate-secret kowhai-web --dir DIR
    irgw client end-old-secret kowhai-web --dir DIR

A secret is printed once and kept as a digest: whoever loses it is given another.
A change is in force on running gateways within a second.";

#[derive(Debug, Clone, Subcommand)]
enum ClientCommand {
    /// Register a client, and print its first secret
    Add(Add),
    /// List clients, disabled ones too
    List {
        /// Only those of this provider
        #[arg(long)]
        provider: Option<ProviderId>,
        /// Those of every environment, not only of the gateway's own
        #[arg(long)]
        all_environments: bool,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Replace a client's redirect URIs
    RedirectUris {
        /// The client
        id: ClientId,
        /// Where answers may be sent from now on, byte for byte (OA-4)
        #[arg(value_name = "URI", required = true)]
        uris: Vec<String>,
    },
    /// Give a client a new secret, and print it; the old one stays good until end-old-secret
    RotateSecret {
        /// The client
        id: ClientId,
        /// End the old secret at once: somebody else may know it
        #[arg(long)]
        end_old: bool,
    },
    /// End the secret that has a successor: the client has changed over
    EndOldSecret {
        /// The client
        id: ClientId,
    },
    /// Disable a client for ever, and revoke all its tokens
    Disable {
        /// The client
        id: ClientId,
    },
}

#[derive(Debug, Clone, Args)]
struct Add {
    /// Its id, 1 to 128 bytes; stays the same for ever
    id: ClientId,
    /// Whose it is
    #[arg(long)]
    provider: ProviderId,
    /// What customers read when they are asked for consent; the id when left out
    #[arg(long)]
    name: Option<String>,
    /// Where it runs: cloud (on a server, which keeps a secret) or native (on the customer's machine)
    #[arg(long)]
    kind: ClientKind,
    /// Where answers may be sent, byte for byte (OA-4); may be repeated
    #[arg(long, value_name = "URI", required = true)]
    redirect_uri: Vec<String>,
    /// What its access tokens are signed with: ES256, RS256 or RS512 (OA-10)
    #[arg(long, default_value_t = Algorithm::Es256)]
    algorithm: Algorithm,
}

/// Does what the command says, wholly or not at all, and writes what the operator is to know.
///
/// `environment` is the gateway's: what is registered here is registered there, and nothing of another is changed (ENV-2).
///
/// # Errors
/// What the profile or the store refuses.
pub(crate) fn run(
    args: &ClientArgs,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    match &args.command {
        ClientCommand::Add(add) => self::add(add, store, environment, now, out),
        ClientCommand::List { provider, all_environments, list } => {
            let environment = (!all_environments).then_some(environment);
            let filter = ClientFilter { provider: provider.clone(), environment };
            self::list(store, &filter, list, out)
        }
        ClientCommand::RedirectUris { id, uris } => {
            expect_own_client(store, id, environment)?;
            store.set_redirect_uris(id, uris)?;
            writeln!(out, "answers to client {id} may be sent to {} alone", uris.join(" and "))?;
            Ok(())
        }
        ClientCommand::RotateSecret { id, end_old } => {
            expect_own_client(store, id, environment)?;
            let secret = opaque::draw(SECRET_CHARS).map_err(CommandError::caused)?;
            let old = if *end_old { OldSecret::Ended } else { OldSecret::Kept };
            store.rotate_secret(id, &Digest::of(secret.expose()), old, now)?;
            writeln!(out, "client {id} has a new secret, which is not shown again:")?;
            writeln!(out, "{}", secret.expose())?;
            match old {
                OldSecret::Ended => writeln!(out, "no other is good any more")?,
                OldSecret::Kept => {
                    writeln!(out, "the old one is good until: irgw client end-old-secret {id}")?;
                }
            }
            Ok(())
        }
        ClientCommand::EndOldSecret { id } => {
            expect_own_client(store, id, environment)?;
            match store.end_old_secrets(id, now)? {
                0 => writeln!(out, "client {id} has one secret: nothing to end")?,
                _ => writeln!(out, "client {id} has its newest secret alone")?,
            }
            Ok(())
        }
        ClientCommand::Disable { id } => {
            expect_own_client(store, id, environment)?;
            let since = store.disable_client(id, now)?;
            writeln!(out, "client {id} is disabled since {}, and its tokens are revoked", rfc3339(since))?;
            Ok(())
        }
    }
}

fn add(
    add: &Add,
    store: &Store,
    environment: Environment,
    now: UnixTime,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let secret = opaque::draw(SECRET_CHARS).map_err(CommandError::caused)?;
    let new = NewClient {
        id: add.id.clone(),
        provider: add.provider.clone(),
        environment,
        name: add.name.clone().unwrap_or_else(|| add.id.to_string()),
        kind: add.kind,
        algorithm: add.algorithm,
        redirect_uris: add.redirect_uri.clone(),
        secret: Digest::of(secret.expose()),
    };
    store.add_client(&new, now)?;
    writeln!(out, "{} client {} of provider {} added in {environment}", new.kind, new.id, new.provider)?;
    writeln!(out, "its secret, which is not shown again:")?;
    writeln!(out, "{}", secret.expose())?;
    if new.kind == ClientKind::Native {
        writeln!(out, "a native client needs PKCE (S256), and may leave the secret out")?;
    }
    Ok(())
}

fn list(
    store: &Store,
    filter: &ClientFilter,
    list: &ListArgs,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let listed = store.list_clients(filter, &list.page()?)?;
    let rows = listed.items.iter().map(|client| {
        vec![
            json!(client.id),
            json!(client.provider),
            json!(client.environment),
            json!(client.name),
            json!(client.kind),
            json!(client.algorithm.name()),
            client.redirect_uris.iter().map(|uri| uri.as_str()).collect(),
            client.secrets.iter().map(|since| rfc3339(*since)).collect(),
            json!(rfc3339(client.since)),
            json!(client.disabled.map(rfc3339)),
        ]
    });
    let columns = &[
        "id",
        "provider",
        "environment",
        "name",
        "kind",
        "algorithm",
        "redirect uris",
        "secrets since",
        "since",
        "disabled",
    ];
    list.write(&[List { name: "clients", columns, rows: rows.collect(), next: listed.next }], out)
}

fn expect_own_client(store: &Store, id: &ClientId, ours: Environment) -> Result<(), CommandError> {
    expect_own(format_args!("client {id}"), store.client(id)?.environment, ours)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use irgw_oauth::registration::Clients;
    use irgw_store::Registry;

    use super::*;

    #[derive(Parser)]
    struct Irgw {
        #[command(flatten)]
        client: ClientArgs,
    }

    /// Runs `irgw client …` of the test environment's gateway: what it printed, or its exit code and message.
    fn run(store: &Store, line: &str) -> Result<String, (u8, String)> {
        let args = Irgw::try_parse_from(std::iter::once("client").chain(line.split_whitespace()))
            .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
        let (mut out, now) = (Vec::new(), std::time::Duration::from_secs(1_800_000_000));
        let now = UnixTime::since_unix_epoch(now);
        super::run(&args.client, store, Environment::Test, now, &mut out)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn store() -> Store {
        let store = Store::in_memory().unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        store.add_provider(&"kowhai".parse().unwrap(), "Kowhai", now).unwrap();
        store
    }

    /// OA-2: each secret is shown once, and is the client's.
    #[test]
    fn secret_is_printed_once() {
        let store = store();
        let add = "add web --provider kowhai --kind cloud --redirect-uri https://kowhai.example/answer";
        let printed = run(&store, add).unwrap();
        let first = printed.lines().nth(2).unwrap().to_owned();
        assert_eq!(first.len(), SECRET_CHARS);
        let printed = run(&store, "rotate-secret web").unwrap();
        let second = printed.lines().nth(1).unwrap().to_owned();
        let knows = |secret: &str| {
            let registry = Registry::load(&store, Environment::Test).unwrap();
            registry.client("web").unwrap().knows(secret)
        };
        assert!(knows(&first) && knows(&second));
        let refused = run(&store, "rotate-secret web").unwrap_err();
        assert_eq!((refused.0, refused.1.starts_with("refused by OA-2: ")), (1, true), "{refused:?}");
        run(&store, "end-old-secret web").unwrap();
        assert!(!knows(&first) && knows(&second));
        for listed in ["list", "list --json"] {
            let listed = run(&store, listed).unwrap();
            assert!(listed.contains("web") && !listed.contains(&second));
        }
    }

    #[test]
    fn clients_are_listed_in_json() {
        let store = store();
        run(&store, "add desk --provider kowhai --kind native --redirect-uri http://127.0.0.1/answer")
            .unwrap();
        run(&store, "disable desk").unwrap();
        let json: serde_json::Value = serde_json::from_str(&run(&store, "list --json").unwrap()).unwrap();
        let client = &json["clients"][0];
        assert_eq!(client["kind"], "native");
        assert_eq!(client["redirect_uris"][0], "http://127.0.0.1/answer");
        assert_eq!(client["disabled"], "2027-01-15T08:00:00Z");
    }

    /// C03, ENV-2.
    #[test]
    fn what_cannot_be_registered_is_refused_by_its_rule() {
        let store = store();
        let add = |id: &str, uri: &str| {
            run(&store, &format!("add {id} --provider kowhai --kind cloud --redirect-uri {uri}"))
        };
        for uri in ["javascript:alert(1)", "http://127.0.0.1/", "https://a.example/#x", "com.example.app:/x"]
        {
            let (code, message) = add("web", uri).unwrap_err();
            assert!(code == 1 && message.starts_with("refused by OA-4: "), "{message}");
        }
        add("web", "https://a.example/").unwrap();
        let refused = run(&store, "redirect-uris web https://b.example/ http://b.example/").unwrap_err();
        assert!(refused.1.starts_with("refused by OA-4: "), "{refused:?}");
        let elsewhere = NewClient {
            id: "prod".parse().unwrap(),
            provider: "kowhai".parse().unwrap(),
            environment: Environment::Prod,
            name: "x".into(),
            kind: ClientKind::Cloud,
            algorithm: Algorithm::Es256,
            redirect_uris: vec!["https://a.example/".into()],
            secret: Digest::of("x"),
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        store.add_client(&elsewhere, now).unwrap();
        for line in [
            "disable prod",
            "rotate-secret prod",
            "end-old-secret prod",
            "redirect-uris prod https://b.example/",
        ] {
            let refused = run(&store, line).unwrap_err().1;
            assert_eq!(refused, "refused by ENV-2: client prod belongs to prod, this gateway is test");
        }
    }
}
