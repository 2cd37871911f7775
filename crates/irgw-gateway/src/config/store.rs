//! `[store]`: a SQLite file, or a PostgreSQL server.

use std::path::{Path, PathBuf};

use irgw_store::Database;

use super::source::Source;
use super::{Located, Problem, file};

/// What `store.url` names.
pub(super) fn database(source: &Source<'_>, store: &file::Store) -> Result<Located<Database>, Problem> {
    let url = source.locate(&store.url, "store.url");
    let folder = source.path.parent().unwrap_or(Path::new(""));
    match url.value.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(url.with(Database::File(folder.join(path)))),
        #[cfg(feature = "postgres")]
        Some(("postgres" | "postgresql", _)) => {
            let clock = std::sync::Arc::new(crate::SystemClock);
            let server = irgw_store::Server::parse(&url.value, folder, clock);
            let server = server.map_err(|error| url.problem(error))?;
            Ok(url.with(Database::Server(server)))
        }
        // Not all of it: a password may stand in what follows.
        Some((scheme, _)) => Err(url.problem(format_args!("\"{scheme}:…\" is not allowed; {ALLOWED}"))),
        None => Err(url.problem(format_args!("{:?} is not allowed; {ALLOWED}", url.value))),
    }
}

/// The file of the server's password.
pub(super) fn store_password(
    source: &Source<'_>,
    store: &file::Store,
) -> Result<Option<Located<PathBuf>>, Problem> {
    let Some(file) = &store.password_file else { return Ok(None) };
    let file = source.path(file, "store.password_file");
    if store.url.get_ref().starts_with("sqlite:") {
        return Err(
            file.problem("a SQLite file has no password; leave it out, or name a server in store.url")
        );
    }
    Ok(Some(file))
}

#[cfg(feature = "postgres")]
const ALLOWED: &str = "\"sqlite:PATH\" and \"postgres://USER@HOST/DATABASE\" are";
#[cfg(not(feature = "postgres"))]
const ALLOWED: &str = "\"sqlite:PATH\" is; this irgw was built without the feature postgres";
