//! Which client the command is, and at which authorization server: explicit, or out of a development directory.

use std::path::{Path, PathBuf};

use irgw_core::{ClientId, ClientKind, Secret};
use irgw_oauth::client::{ClientConfig, Endpoints};
use irgw_tls::client::ServerRoots;

use super::words::unusable;
use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::commands::dev_file::DevFile;

/// Which client the command is, and at which authorization server.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PartyArgs {
    /// The directory that `irgw dev` made: its server, its certificate, and one of its clients
    #[arg(long, global = true, value_name = "DIR", visible_alias = "dir", help_heading = "Whose tokens",
        conflicts_with_all = ["server", "authorize", "token_url", "introspect", "revoke", "client_secret_file", "ca", "kind_of_client"])]
    dev: Option<PathBuf>,
    /// The authorization server, e.g. https://HOST/gateway3/oauth: the four addresses below it
    #[arg(long, global = true, value_name = "URL", help_heading = "Whose tokens")]
    server: Option<String>,
    /// Its authorization endpoint
    #[arg(
        long = "authorize",
        id = "authorize",
        global = true,
        value_name = "URL",
        help_heading = "Whose tokens"
    )]
    authorize: Option<String>,
    /// Its token endpoint
    #[arg(
        long = "token",
        id = "token_url",
        global = true,
        value_name = "URL",
        help_heading = "Whose tokens"
    )]
    token: Option<String>,
    /// Its introspection endpoint
    #[arg(
        long = "introspect",
        id = "introspect",
        global = true,
        value_name = "URL",
        help_heading = "Whose tokens"
    )]
    introspect: Option<String>,
    /// Its revocation endpoint
    #[arg(long = "revoke", id = "revoke", global = true, value_name = "URL", help_heading = "Whose tokens")]
    revoke: Option<String>,
    /// The client; with --dev, one of its clients rather than the first
    #[arg(long, global = true, value_name = "ID", help_heading = "Whose tokens")]
    client_id: Option<ClientId>,
    /// A file with the client's secret, readable by its owner alone
    #[arg(long, global = true, value_name = "FILE", help_heading = "Whose tokens")]
    client_secret_file: Option<PathBuf>,
    /// A registered redirect URI, letter for letter; may be repeated, the usual one first
    #[arg(long, global = true, value_name = "URI", help_heading = "Whose tokens")]
    redirect_uri: Vec<String>,
    /// cloud or native; without it, cloud where every redirect URI is https and there is a secret
    #[arg(long = "client-kind", id = "kind_of_client", global = true, value_name = "KIND", value_parser = kind,
        help_heading = "Whose tokens")]
    kind: Option<ClientKind>,
    /// The root of the server's certificate, PEM; without it, the public ones
    #[arg(long, global = true, value_name = "FILE", help_heading = "Whose tokens")]
    ca: Option<PathBuf>,
    /// The file of tokens; with --dev, DIR/oauth-CLIENT.json unless named
    #[arg(long, global = true, value_name = "FILE", help_heading = "Whose tokens")]
    tokens: Option<PathBuf>,
}

fn kind(text: &str) -> Result<ClientKind, String> {
    text.parse().map_err(|_| "cloud and native are allowed".to_owned())
}

/// A client with what it needs to speak to its server.
pub(super) struct Party {
    pub(super) config: ClientConfig,
    pub(super) roots: ServerRoots,
    pub(super) tokens: Option<PathBuf>,
}

impl PartyArgs {
    /// Puts the arguments together.
    ///
    /// # Errors
    /// When something is missing, or a file cannot be used.
    pub(super) fn party(&self) -> Result<Party, CommandError> {
        match &self.dev {
            Some(dir) => self.developed(dir),
            None => self.explicit(),
        }
    }

    fn explicit(&self) -> Result<Party, CommandError> {
        let needed =
            |what: &str| CommandError::unusable(format_args!("say {what}, or --dev DIR (of irgw dev)"));
        let below = self.server.as_deref().map(Endpoints::below);
        let at = |explicit: &Option<String>, of: fn(&Endpoints) -> &String, option: &str| {
            let url = explicit.clone().or_else(|| below.as_ref().map(|below| of(below).clone()));
            url.ok_or_else(|| needed(&format!("which server: --server URL or {option} URL")))
        };
        let endpoints = Endpoints {
            authorize: at(&self.authorize, |below| &below.authorize, "--authorize")?,
            token: at(&self.token, |below| &below.token, "--token")?,
            introspect: at(&self.introspect, |below| &below.introspect, "--introspect")?,
            revoke: at(&self.revoke, |below| &below.revoke, "--revoke")?,
        };
        let id = self.client_id.clone().ok_or_else(|| needed("which client: --client-id ID"))?;
        if self.redirect_uri.is_empty() {
            return Err(needed("where the browser comes back to: --redirect-uri URI"));
        }
        let secret = self.client_secret_file.as_deref().map(secret).transpose()?;
        let is_web = secret.is_some() && self.redirect_uri.iter().all(|uri| uri.starts_with("https://"));
        let kind = self.kind.unwrap_or(if is_web { ClientKind::Cloud } else { ClientKind::Native });
        let roots = self.ca.as_deref().map(roots).transpose()?.unwrap_or_else(ServerRoots::mozilla);
        let uris: Vec<&str> = self.redirect_uri.iter().map(String::as_str).collect();
        let config =
            ClientConfig::new(&endpoints, id, secret, &uris, kind).map_err(|fault| unusable(&fault))?;
        Ok(Party { config, roots, tokens: self.tokens.clone() })
    }

    fn developed(&self, dir: &Path) -> Result<Party, CommandError> {
        let dev = DevFile::read(dir)?;
        let mut clients = dev.providers.into_iter().flat_map(|provider| provider.clients);
        let found = match &self.client_id {
            Some(id) => clients.find(|client| client.client_id == *id),
            None => clients.next(),
        };
        let client = found
            .ok_or_else(|| CommandError::unusable("it has no such client").about(&dir.join("dev.json")))?;
        let uris = if self.redirect_uri.is_empty() { &client.redirect_uris } else { &self.redirect_uri };
        let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
        let secret = client.client_secret.map(Secret::new);
        let endpoints = Endpoints {
            authorize: dev.oauth.authorize,
            token: dev.oauth.token,
            introspect: dev.oauth.introspect,
            revoke: dev.oauth.revoke,
        };
        let usual = || dir.join(format!("oauth-{}.json", client.client_id.as_str().replace('/', "_")));
        let tokens = self.tokens.clone().unwrap_or_else(usual);
        let config = ClientConfig::new(&endpoints, client.client_id, secret, &uris, client.kind)
            .map_err(|fault| unusable(&fault))?;
        Ok(Party { config, roots: roots(&dev.listeners.desktop.ca_file)?, tokens: Some(tokens) })
    }
}

/// The secret in a file, without the newline at its end.
fn secret(path: &Path) -> Result<Secret<String>, CommandError> {
    let bytes = bounded::read(path, 4096, Readers::Nobody)
        .map_err(|error| CommandError::unusable(error).about(path))?;
    let text = String::from_utf8(bytes).map_err(|_| CommandError::unusable("it is not text").about(path))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn roots(path: &Path) -> Result<ServerRoots, CommandError> {
    let pem = bounded::read(path, 4 << 20, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(path))?;
    ServerRoots::from_pem(&pem).map_err(|error| unusable(&error).about(path))
}
