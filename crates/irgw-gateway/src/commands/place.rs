//! Which gateway's state a command is about.

use std::path::PathBuf;

use irgw_core::Environment;
use irgw_store::Store;

use super::CommandError;
use crate::Config;

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

    /// The store of the gateway that was named, and the environment whose credentials are meant. A configured server's
    /// store is made when it is not there yet: parties are enrolled before the first start.
    ///
    /// # Errors
    /// As [`PlaceArgs::config`], and when the store cannot be opened.
    pub(crate) fn store(&self) -> Result<(Store, Environment), CommandError> {
        let config = self.config()?;
        Ok((Store::open(&config.store.value)?, config.environment))
    }
}
