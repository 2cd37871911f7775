//! The gateway's key folder and its passphrase, as `irgw check` judges them (PGP-3).

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde::Deserialize;
use toml::Table;

use super::Upshot;
use super::command::{argument, irgw};
use super::demo::Demo;
use crate::Error;
use crate::template::Values;

/// A copy of the key folder, in which something is different.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyFolderRecipe {
    /// Who may read the keys: `0644`.
    pub keys_mode: Option<String>,
    /// Who may read the passphrase's file.
    pub passphrase_mode: Option<String>,
    /// What the passphrase's file holds, instead of the passphrase.
    pub passphrase: Option<String>,
    /// The passphrase stands in the configuration too.
    pub in_the_configuration: bool,
}

impl KeyFolderRecipe {
    /// Checks a configuration that names the copy.
    pub(super) fn check(&self, demo: &Demo, number: u32, values: &Values) -> Result<Upshot, Error> {
        let (local, folder) = (demo.local()?, demo.folder(number)?);
        let (keys, passphrase) = (folder.join("keys"), folder.join("passphrase"));
        fs::create_dir_all(&keys).map_err(Error::file(&keys))?;
        fs::set_permissions(&keys, Permissions::from_mode(0o700)).map_err(Error::file(&keys))?;
        let original = local.files("keys")?;
        let keys_mode = mode(self.keys_mode.as_ref(), values)?;
        for entry in fs::read_dir(&original).map_err(Error::file(&original))?.flatten() {
            let to = keys.join(entry.file_name());
            fs::copy(entry.path(), &to).map_err(Error::file(&to))?;
            let is_key = to.extension().is_some_and(|ending| ending == "key");
            let mode = if is_key { keys_mode } else { 0o600 };
            fs::set_permissions(&to, Permissions::from_mode(mode)).map_err(Error::file(&to))?;
        }
        let good = local.files("passphrase_file")?;
        let text = fs::read_to_string(&good).map_err(Error::file(&good))?;
        let text = match &self.passphrase {
            Some(other) => format!("{}\n", values.text(other)?),
            None => text,
        };
        fs::write(&passphrase, text).map_err(Error::file(&passphrase))?;
        let passphrase_mode = mode(self.passphrase_mode.as_ref(), values)?;
        fs::set_permissions(&passphrase, Permissions::from_mode(passphrase_mode))
            .map_err(Error::file(&passphrase))?;

        let mut table = Table::new();
        table.insert("keys".into(), argument(&keys)?.into());
        table.insert("passphrase_file".into(), argument(&passphrase)?.into());
        if self.in_the_configuration {
            table.insert("passphrase".into(), "correct horse battery staple".into());
        }
        let overlay = Table::from_iter([("files".to_owned(), toml::Value::Table(table))]);
        let config = local.configure(&format!("transfer-{number}"), overlay)?;
        Ok(irgw(local, &["check", "--config", argument(&config)?])?.upshot())
    }
}

/// `0600` unless said otherwise.
fn mode(text: Option<&String>, values: &Values) -> Result<u32, Error> {
    let text = text.map_or(Ok("0600".to_owned()), |text| values.text(text))?;
    u32::from_str_radix(&text, 8).map_err(Error::recipe)
}
