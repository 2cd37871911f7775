//! `irgw provider file-server set`, and deliveries to a server that was enrolled so (SFTP-1, SFTP-2, PGP-1).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sequoia_openpgp::Cert;
use serde::Deserialize;

use super::command::{argument, irgw};
use super::demo::Demo;
use super::intake::sealed;
use super::names::values_of_set;
use super::set::SetRecipe;
use super::{Upshot, certificate, delivered, ledger};
use crate::Error;
use crate::expect::Shows;
use crate::key::fill;
use crate::template::Values;

/// The demo provider's server, enrolled as that of `providers[1]` in an environment of the case's own. Files go to a folder of the case's
/// own in its outbox, where no intake takes them away.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileServerRecipe {
    /// `its-own`, `another`, or the text of the option.
    pub host_key: String,
    /// The same.
    pub next_host_key: Option<String>,
    /// The user there.
    pub user: Option<String>,
    /// `provider`, or a kind of certificate.
    pub certificate: String,
    /// More arguments.
    pub options: Vec<String>,
    /// Put there before, under the name of the set's first zip.
    pub taken: bool,
}

impl Default for FileServerRecipe {
    fn default() -> FileServerRecipe {
        FileServerRecipe {
            host_key: "its-own".into(),
            next_host_key: None,
            user: None,
            certificate: "provider".into(),
            options: Vec::new(),
            taken: false,
        }
    }
}

impl FileServerRecipe {
    /// Enrols it; what came of it, and the key that reads what is delivered there.
    pub(super) fn enrol(&self, demo: &Demo, number: u32, values: &Values) -> Result<(Upshot, Cert), Error> {
        let made = certificate::make(demo, &values.text(&self.certificate)?)?;
        let path = demo.folder(number)?.join("certificate.pgp");
        std::fs::write(&path, &made.bytes).map_err(Error::file(&path))?;
        let server = &demo.server;
        let port = server.port.to_string();
        let user = self.user.as_deref().map(|user| values.text(user)).transpose()?;
        let host_key = host_key(server.host_key.as_path(), &values.text(&self.host_key)?)?;
        let options = self.options.iter().map(|option| values.text(option)).collect::<Result<Vec<_>, _>>()?;
        let code = values.text("${code}")?;
        let folder = server.outbox.join(&code);
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let inbox = format!("outbox/{code}");
        let mut arguments =
            vec!["provider", "file-server", "set", &demo.other_provider, "--environment", &code];
        arguments.extend(["--platform", &server.platform, "--host", &server.host, "--port", &port]);
        arguments.extend(["--user", user.as_deref().unwrap_or(&server.user), "--host-key", &host_key]);
        arguments.extend(["--certificate", argument(&path)?, "--inbox", &inbox]);
        arguments.extend(["--dir", argument(demo.local()?.folder())?]);
        let next =
            self.next_host_key.as_deref().map(|next| self::host_key(&server.host_key, next)).transpose()?;
        arguments.extend(next.iter().flat_map(|next| ["--next-host-key", next.as_str()]));
        arguments.extend(options.iter().map(String::as_str));
        Ok((irgw(demo.local()?, &arguments)?.upshot(), made.key))
    }

    /// Submits a set for it, and looks at what lies there in the end.
    pub(super) fn deliver(
        &self,
        demo: &Demo,
        number: u32,
        recipe: &SetRecipe,
        reader: &Cert,
        must_succeed: bool,
        values: &mut Values,
    ) -> Result<Upshot, Error> {
        let set = values_of_set(recipe, values)?;
        let files = recipe.make(&set, values)?;
        let outbox = &demo.server.outbox.join(values.text("${code}")?);
        if let (true, Some((name, _))) = (self.taken, files.first()) {
            let path = outbox.join(sealed(name));
            std::fs::write(&path, "the provider's own").map_err(Error::file(&path))?;
        }
        let there = || Ok::<_, Error>(std::fs::read_dir(outbox).map_err(Error::file(outbox))?.count());
        let delivery = match ledger::submit(demo, number, &demo.other_provider, &recipe.feed, &files)? {
            Ok(delivery) => delivery,
            Err(refused) => return Ok(refused),
        };
        let upshot = ledger::end(demo, &delivery, must_succeed)?;
        if upshot.shows == Shows::Refused {
            return Ok(Upshot { told: format!("{}; {} files there", upshot.told, there()?), ..upshot });
        }
        if there()? != files.len() {
            return Err(Error::Target(format!("there are {} files, not {}", there()?, files.len())));
        }
        let mut told = upshot.told;
        for (name, content) in &files {
            let path = outbox.join(sealed(name));
            let bytes = std::fs::read(&path).map_err(Error::file(&path))?;
            let (made_of, held) = delivered::read(&bytes, reader, &demo.gateway)?;
            if held != *content {
                return Err(Error::Target(format!("{name} was delivered with other content")));
            }
            if files.first().is_some_and(|(first, _)| first == name) {
                told.push_str(&format!(", {made_of}"));
            }
        }
        let names = files.iter().map(|(name, _)| name.as_str());
        if is_last_written(outbox, names)? {
            told.push_str(", the control file last");
        }
        Ok(Upshot::accepted(told))
    }
}

/// Whether the last file was written when the others had their names, which they got by a rename.
fn is_last_written<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Result<bool, Error> {
    let mut times = Vec::new();
    for name in names {
        let path = folder.join(sealed(name));
        let metadata = std::fs::metadata(&path).map_err(Error::file(&path))?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        times.push((changed, (metadata.mtime(), metadata.mtime_nsec())));
    }
    let Some(((_, written), earlier)) = times.split_last() else { return Ok(false) };
    Ok(earlier.iter().all(|(renamed, _)| renamed <= written))
}

fn host_key(its_own: &Path, wanted: &str) -> Result<String, Error> {
    match wanted {
        "its-own" => Ok(std::fs::read_to_string(its_own).map_err(Error::file(its_own))?.trim().to_owned()),
        "another" => {
            let mut digest = [0; 32];
            fill(&mut digest);
            Ok(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest)))
        }
        text => Ok(text.to_owned()),
    }
}
