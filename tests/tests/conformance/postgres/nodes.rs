//! Two gateways on one PostgreSQL server, and whoever is enrolled there: by the command line alone.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use irgw_gateway::Config;
use irgw_tests::{Dev, Local, Process};
use toml::Table;

use super::server::Database;
use crate::Result;
use crate::environments::{ensure, irgw, text};
use crate::refresh::{Families, cloud_client};
use crate::tools::provider;

/// Two gateways whose store is one database.
pub(super) struct Nodes {
    /// What the gateways say of themselves, with the secret of the client in their store.
    pub(super) devs: [Dev; 2],
    /// The first one's configuration.
    pub(super) config: PathBuf,
    pub(super) families: Families,
    _processes: [Process; 2],
    /// Last: the gateways hold it open.
    _database: Option<Database>,
}

impl Nodes {
    /// Enrols the environment's first provider and customer in a new database, and starts the gateways there.
    pub(super) fn start(local: &Local, name: &str, database: Database) -> Result<Nodes> {
        let url = database.url.clone();
        Nodes::on(local, name, &url, "", Some(database))
    }

    /// The same in the database of a URL; `limits` are more lines of the gateways' `[limits]`.
    pub(super) fn on(
        local: &Local,
        name: &str,
        url: &str,
        limits: &str,
        database: Option<Database>,
    ) -> Result<Nodes> {
        let overlay: Table = format!("store.url = {url:?}\n{}{limits}", crate::refresh::LIMITS).parse()?;
        let names = [format!("{name}-one"), format!("{name}-two")];
        let config = local.configure(&names[0], overlay.clone())?;
        let enrolled = enrol(local, &config)?;
        let start = |name: &str| -> Result<(Dev, Process)> {
            let (mut dev, process) = local.serve(name, overlay.clone())?;
            dev.providers = enrolled.providers.clone();
            Ok((dev, process))
        };
        let ((one, first), (two, second)) = (start(&names[0])?, start(&names[1])?);
        let store = Config::load(&config)?.store.value.open_existing()?;
        let families = Families::on(&one, store)?;
        let (devs, processes) = ([one, two], [first, second]);
        Ok(Nodes { devs, config, families, _processes: processes, _database: database })
    }

    /// Runs a command on the gateways' store that must succeed; what it prints.
    pub(super) fn irgw(&self, arguments: &[&str]) -> Result<String> {
        command(&self.config, arguments)
    }
}

/// What the environment says of itself, with the first provider's cloud client as it is enrolled here.
fn enrol(local: &Local, config: &Path) -> Result<Dev> {
    let run = |arguments: &[&str]| command(config, arguments);
    let mut dev = local.dev().clone();
    let known = provider(&dev, 0)?.clone();
    let signing = known.signing.first().ok_or("no signing certificate")?;
    let customer = dev.customers.first().ok_or("no customer")?.clone();
    let client = cloud_client(&dev)?.clone();
    // The first command makes the tables.
    run(&["provider", "add", &known.id])?;
    let owner = &signing.resource_owner;
    run(&["provider", "add-owner", owner])?;
    run(&["provider", "link", &known.id, "--acts-for", owner])?;
    let certificate = ["--provider", &known.id, "--common-name", &known.common_name];
    run(&[&["credential", "add", "client-cert"], &certificate[..]].concat())?;
    let pem = text(&signing.certificate);
    let certificate = ["--owner", owner, "--issuer", &signing.issuer, "--certificate", pem];
    run(&[&["credential", "add", "signing-cert"], &certificate[..]].concat())?;
    let uris = client.redirect_uris.iter().flat_map(|uri| ["--redirect-uri", uri]);
    let arguments = ["client", "add", &client.client_id, "--provider", &known.id, "--kind", "cloud"];
    let printed = run(&arguments.into_iter().chain(uris).collect::<Vec<_>>())?;
    let secret = printed.lines().nth(2).ok_or_else(|| format!("no secret: {printed}"))?;
    let mine = dev.providers.iter_mut().flat_map(|provider| &mut provider.clients);
    for mine in mine.filter(|mine| mine.client_id == client.client_id) {
        secret.clone_into(&mut mine.client_secret);
    }
    let password = config.with_extension("password");
    std::fs::write(&password, &customer.password)?;
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600))?;
    run(&["customer", "add", &customer.user_id, "--password-file", text(&password)])?;
    Ok(dev)
}

fn command(config: &Path, arguments: &[&str]) -> Result<String> {
    let ran = irgw(&[arguments, &["--config", text(config)]].concat())?;
    ensure(ran.code == Some(0), || format!("irgw {}: {}", arguments.join(" "), ran.err))?;
    Ok(ran.out)
}
