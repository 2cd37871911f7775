//! oidc-provider as the yardstick: the npm package behind node's https, with what it issues in memory.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::super::process::{Process, free_address};
use super::super::setting::first_line;
use super::ask::Place;
use crate::{Error, run};

/// A running oidc-provider.
pub(super) struct Peer {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
    pub(super) at: Place,
    /// Codes that it issued, and refresh tokens of as many grants.
    pub(super) codes: Vec<String>,
    pub(super) refresh: Vec<String>,
    node: PathBuf,
    version: String,
}

#[derive(Deserialize)]
struct Made {
    codes: Vec<String>,
    refresh: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

/// Node's supported release is installed beside the package, where the system's is older.
const PACKAGES: [&str; 2] = ["oidc-provider@9", "node@22"];

impl Peer {
    /// Installs it below target/tools if it is not there, and starts it; `None`, and said why: it cannot be had.
    pub(super) fn start(folder: &Path, codes: usize, families: usize) -> Result<Option<Peer>, Error> {
        let Some(tools) = install()? else { return Ok(None) };
        let modules = tools.join("node_modules");
        let node = modules.join(".bin/node");
        let script = tools.join("oidc-provider.mjs");
        fs::write(&script, include_str!("oidc-provider.mjs")).map_err(Error::at("write", &script))?;
        let manifest = modules.join("oidc-provider/package.json");
        let manifest = fs::read(&manifest).map_err(Error::at("read", &manifest))?;
        let read = |source| Error::Output { what: "npm", source };
        let Package { version } = serde_json::from_slice(&manifest).map_err(read)?;

        let address = free_address()?;
        let log = folder.join("oidc-provider.log");
        let numbers = [address.port().into(), codes, families].map(|number: usize| number.to_string());
        let mut command = Command::new(&node);
        command.arg(&script).arg(folder).args(numbers).env("NODE_ENV", "production");
        let mut process = Process::start("oidc-provider", &mut command, &log)?;
        process.wait_for(address, &log)?;
        let made = folder.join("oidc-provider.json");
        let made = fs::read(&made).map_err(Error::at("read", &made))?;
        let Made { codes, refresh } = serde_json::from_slice(&made)
            .map_err(|source| Error::Output { what: "oidc-provider", source })?;
        let at = Place::new(address, ["/token", "/token/introspection"]);
        Ok(Some(Peer { process, address, at, codes, refresh, node, version }))
    }

    /// Of the package and of node.
    pub(super) fn versions(&self) -> [(&'static str, String); 2] {
        let node = first_line(Command::new(&self.node).arg("--version"));
        [
            ("oidc-provider", format!("{}, opaque access tokens, in memory, one process", self.version)),
            ("node", node),
        ]
    }
}

/// The folder with the packages.
fn install() -> Result<Option<PathBuf>, Error> {
    let skip = |why: &str| {
        println!("SKIPPED: oidc-provider: {why}");
        Ok(None)
    };
    let tools = run::root().join("target/tools/oidc-provider");
    let is_there = || {
        PACKAGES.iter().all(|package| {
            let name = package.split('@').next().unwrap_or_default();
            tools.join("node_modules").join(name).is_dir()
        })
    };
    if is_there() {
        return Ok(Some(tools));
    }
    let (Some(npm), Some(_)) = (run::find("npm"), run::find("node")) else {
        return skip("node or npm is not installed: apt-get install nodejs npm");
    };
    fs::create_dir_all(&tools).map_err(Error::at("make", &tools))?;
    let manifest = tools.join("package.json");
    fs::write(&manifest, "{\"private\":true}\n").map_err(Error::at("write", &manifest))?;
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&tools).args(PACKAGES);
    match run::read(&mut install) {
        Ok(_) if is_there() => Ok(Some(tools)),
        Ok(_) => skip("npm installed something else"),
        Err(error) => skip(&format!("npm does not install it: {error}")),
    }
}
