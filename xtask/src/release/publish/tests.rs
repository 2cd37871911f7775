//! Publishing with cargo itself, to a registry on loopback: in order, and on from where it stopped.

mod registry;

use std::fs;
use std::path::Path;

use self::registry::Local;
use super::super::outcome::Verdict;
use super::*;

/// A workspace of `base`, and of `top` that depends on it, and of `between` that is between.
fn workspace(folder: &Path, server: &Local) -> Workspace {
    let config = format!("[registries.local]\nindex = \"{}\"\n", server.index());
    fs::create_dir(folder.join(".cargo")).unwrap();
    fs::write(folder.join(".cargo/config.toml"), config).unwrap();
    let member = |name: &str, dependencies: &str| {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"MIT\"\n\
             description = \"one\"\n[dependencies]\n{dependencies}"
        );
        fs::create_dir_all(folder.join(name).join("src")).unwrap();
        fs::write(folder.join(name).join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.join(name).join("src/lib.rs"), "").unwrap();
    };
    let on = |name: &str| {
        format!("{name} = {{ path = \"../{name}\", version = \"0.1.0\", registry = \"local\" }}\n")
    };
    fs::write(
        folder.join("Cargo.toml"),
        "[workspace]\nresolver = \"3\"\nmembers = [\"base\", \"between\", \"top\"]\n",
    )
    .unwrap();
    member("top", &on("between"));
    member("between", &on("base"));
    member("base", "");
    run::read(run::cargo().current_dir(folder).args(["generate-lockfile", "--offline"])).unwrap();
    Workspace::read(folder).unwrap()
}

impl Registry {
    /// The registry on loopback, with a folder of cargo's of its own.
    fn local(server: &Local, home: &Path) -> Registry {
        let variables = [
            ("CARGO_HOME", home.display().to_string()),
            ("CARGO_TARGET_DIR", home.join("target").display().to_string()),
            ("CARGO_REGISTRIES_LOCAL_INDEX", server.index()),
            ("CARGO_REGISTRIES_LOCAL_TOKEN", "secret".into()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Registry { name: "local".into(), variables: variables.into() }
    }
}

/// A workspace, and a registry that has nothing of it.
struct World {
    folder: tempfile::TempDir,
    workspace: Workspace,
    server: Local,
    registry: Registry,
}

fn unpublished() -> World {
    let folder = tempfile::tempdir().unwrap();
    let (source, home) = (folder.path().join("source"), folder.path().join("home"));
    for new in [&source, &home] {
        fs::create_dir(new).unwrap();
    }
    let server = Local::start();
    let workspace = workspace(&source, &server);
    let registry = Registry::local(&server, &home);
    World { folder, workspace, server, registry }
}

#[test]
fn a_second_run_goes_on_where_the_first_one_stopped() {
    let World { folder: _folder, workspace, server, registry } = unpublished();
    server.refuse("between");
    let outcome = publish(&workspace, &registry).unwrap();
    assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:?}");
    assert!(outcome.said.starts_with("between 0.1.0 could not be published; 1 of 3 are."), "{outcome:?}");
    assert_eq!(server.published(), ["base"]);

    server.refuse("");
    let outcome = publish(&workspace, &registry).unwrap();
    assert_eq!(outcome.verdict, Verdict::Passed, "{outcome:?}");
    assert_eq!(
        outcome.details,
        ["base 0.1.0: was there already", "between 0.1.0: published", "top 0.1.0: published"]
    );
    assert_eq!(server.published(), ["base", "between", "top"]);
}

#[test]
fn a_registry_that_does_not_answer_has_not_said_no() {
    let World { folder: _folder, workspace, mut registry, .. } = unpublished();
    // A port that was just let go.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    registry.variables.push(("CARGO_REGISTRIES_LOCAL_INDEX".into(), format!("sparse+http://{gone}/index/")));
    registry.variables.push(("CARGO_NET_RETRY".into(), "0".into()));
    assert!(registry.has(&workspace.packages[0]).is_err());
    assert!(publish(&workspace, &registry).is_err());
}
