//! Which gateway's state a command is about.

use std::path::{Path, PathBuf};

use irgw_core::Environment;
use irgw_oauth::vault::Vault;
use irgw_store::{Database, Store};

use super::CommandError;
use crate::config::FilesConfig;
use crate::{Config, material};

/// Which gateway's state a command is about: a development directory's or a configured server's.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The directory that `irgw dev` made
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "config")]
    dir: Option<PathBuf>,
    /// The configuration file that `irgw serve` reads
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl PlaceArgs {
    /// A development directory's.
    pub(crate) fn of_dir(dir: &Path) -> PlaceArgs {
        PlaceArgs { dir: Some(dir.to_owned()), config: None }
    }

    /// Whether a gateway was named.
    pub(crate) fn is_named(&self) -> bool {
        self.dir.is_some() || self.config.is_some()
    }

    /// The configuration of the gateway that was named.
    ///
    /// # Errors
    /// When none was, or its configuration cannot be used.
    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        let file = match (&self.dir, &self.config) {
            (Some(dir), _) => dir.join("irgw.toml"),
            (None, Some(file)) => file.clone(),
            (None, None) => {
                return Err(CommandError::unusable(
                    "say which gateway: --dir DIR (of irgw dev) or --config FILE",
                ));
            }
        };
        Config::load(&file).map_err(CommandError::unusable)
    }

    /// The store of the gateway that was named, and the environment whose credentials are meant.
    ///
    /// It is not made, and not changed to a newer version: a list of nobody would be an answer about another gateway, and
    /// an older gateway may be running.
    ///
    /// # Errors
    /// As [`PlaceArgs::config`], and when the store is not there or cannot be opened.
    pub(crate) fn store(&self) -> Result<(Store, Environment), CommandError> {
        let config = self.config()?;
        let database = material::database(&config).map_err(CommandError::unusable)?;
        let store = database.open_existing().map_err(|error| match error {
            absent @ irgw_store::Error::Absent(_) => CommandError::unusable(format_args!(
                "{absent}: irgw {} makes it when it starts",
                if self.dir.is_some() { "dev" } else { "serve" }
            )),
            other => other.into(),
        })?;
        Ok((store, config.environment))
    }

    /// Where the keys of file transfer are, and what protects them.
    ///
    /// # Errors
    /// As [`PlaceArgs::config`], and without `[files]` in it.
    pub(crate) fn files(&self) -> Result<FilesConfig, CommandError> {
        self.config()?.files.ok_or_else(|| {
            CommandError::unusable(
                "the configuration has no [files] table, whose `keys` names the key folder: docs/configuration.md shows one",
            )
        })
    }

    /// What seals secrets in the store; its key is made where nothing is sealed yet.
    ///
    /// # Errors
    /// As [`PlaceArgs::config`], without an authorization server, and when the key cannot be read.
    pub(crate) fn vault(&self, store: &Store) -> Result<Vault, CommandError> {
        let Some(oauth) = self.config()?.oauth else {
            return Err(CommandError::unusable(
                "the configuration has no [oauth] table, whose `vault` names the key that seals secrets",
            ));
        };
        material::vault_or_new(&oauth.vault, store).map_err(CommandError::unusable)
    }

    /// [`PlaceArgs::store`] for whoever adds parties: a configured server's store is made when it is not there yet, since parties are
    /// enrolled before the first start.
    ///
    /// # Errors
    /// As [`PlaceArgs::store`].
    pub(crate) fn store_to_begin(&self) -> Result<Store, CommandError> {
        if self.dir.is_none() {
            let database = material::database(&self.config()?).map_err(CommandError::unusable)?;
            let is_there = match &database {
                Database::File(path) => path.exists(),
                other => !matches!(other.open_existing(), Err(irgw_store::Error::Absent(_))),
            };
            if !is_there {
                return Ok(database.open()?);
            }
        }
        Ok(self.store()?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"environment = "test"
        store.url = "sqlite:irgw.sqlite"
        audit.file = "audit.jsonl"
        identity = { key = "identity.key", issuer = "https://gateway.example/" }
        upstream.main.url = "http://127.0.0.1:9000"
        services = { table = "published", upstream = "main" }
        [[listener]]
        channel = "desktop"
        listen = "127.0.0.1:0"
        certificate = "server.crt"
        key = "server.key""#;

    /// `irgw provider list` printed "no providers" of a database that it had just made, after the right one was lost.
    #[test]
    fn store_is_made_for_the_first_parties_of_a_configured_server_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, config) = (folder.path().to_owned(), folder.path().join("irgw.toml"));
        std::fs::write(&config, CONFIGURATION).unwrap();
        let database = dir.join("irgw.sqlite");
        let developed = PlaceArgs { dir: Some(dir), config: None };
        let configured = PlaceArgs { dir: None, config: Some(config) };

        let message = |refused: CommandError| refused.to_string();
        let said = message(developed.store().unwrap_err());
        assert!(said.contains("irgw.sqlite") && said.ends_with("irgw dev makes it when it starts"), "{said}");
        assert!(message(configured.store().unwrap_err()).ends_with("irgw serve makes it when it starts"));
        assert!(developed.store_to_begin().is_err());
        assert!(!database.exists());

        drop(configured.store_to_begin().unwrap());
        assert!(database.exists());
        assert!(developed.store().is_ok() && configured.store_to_begin().is_ok());
    }
}
