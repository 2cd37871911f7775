//! A registered client as it is read from its rows (OA-2, OA-4).

use std::collections::HashMap;

use irgw_core::{ClientKind, ProviderId};
use irgw_oauth::opaque::Digest;
use irgw_oauth::registration::{Client, RedirectUri};

use crate::Error;
use crate::column::{self, text, word};
use crate::snapshot::Rows;
use crate::sql::{Row, Transaction};

/// The columns of a client.
pub(crate) const CLIENT_COLUMNS: &str = "id, provider, name, kind, algorithm, environment, disabled, since, revision, \
     (SELECT providers.name FROM providers WHERE providers.id = clients.provider)";

/// What clients have several of, by the client's id.
#[derive(Debug, Default)]
pub(crate) struct ClientParts {
    redirect_uris: HashMap<String, Vec<String>>,
    secrets: HashMap<String, Vec<Digest>>,
}

impl ClientParts {
    /// Of the clients that [`Rows`] names.
    pub(crate) fn read(transaction: &Transaction<'_>, rows: Rows) -> Result<ClientParts, Error> {
        let mut parts = ClientParts::default();
        let uris = "SELECT id, uri FROM clients JOIN redirect_uris ON client = id";
        rows.each(transaction, uris, |row| {
            parts.redirect_uris.entry(row.get(0)?).or_default().push(row.get(1)?);
            Ok(())
        })?;
        let secrets = "SELECT id, digest FROM clients JOIN client_secrets ON client = id AND ended IS NULL";
        rows.each(transaction, secrets, |row| {
            parts.secrets.entry(row.get(0)?).or_default().push(Digest(column::bytes(row, 1)?));
            Ok(())
        })?;
        Ok(parts)
    }
}

/// The client of a row with [`CLIENT_COLUMNS`].
pub(crate) fn client(row: &Row<'_>, provider: ProviderId, parts: &mut ClientParts) -> Result<Client, Error> {
    let (id, kind) = (text(row, 0)?, word(row, 3)?);
    let uris = parts.redirect_uris.remove(id).unwrap_or_default();
    Ok(Client {
        id: word(row, 0)?,
        provider,
        provider_name: row.get(9)?,
        name: row.get(2)?,
        kind,
        redirect_uris: uris.iter().map(|uri| redirect_uri(uri, kind)).collect::<Result<_, _>>()?,
        secrets: parts.secrets.remove(id).unwrap_or_default(),
        algorithm: word(row, 4)?,
    })
}

/// A redirect URI that was registered.
pub(crate) fn redirect_uri(uri: &str, kind: ClientKind) -> Result<RedirectUri, Error> {
    RedirectUri::register(uri, kind)
        .map_err(|fault| Error::Corrupt(format!("{uri:?} is no redirect URI: {fault}")))
}
