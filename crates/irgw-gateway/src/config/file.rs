//! The configuration as it is written in TOML, before anything is checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use irgw_core::{Channel, Environment};
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use crate::services::Row;

/// A number, read from its text: only who knows its bounds can say what is allowed in its place.
pub(super) type Number = Spanned<IgnoredAny>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) environment: Option<Environment>,
    pub(super) store: Store,
    pub(super) audit: Audit,
    pub(super) identity: Identity,
    pub(super) operator: Option<Operator>,
    #[serde(default)]
    pub(super) listener: Vec<Spanned<Listener>>,
    #[serde(default)]
    pub(super) root: Vec<Spanned<Root>>,
    #[serde(default)]
    pub(super) upstream: BTreeMap<String, Upstream>,
    pub(super) services: Spanned<Services>,
    #[serde(default)]
    pub(super) service: Vec<Spanned<Row>>,
    #[serde(default)]
    pub(super) m2m: M2m,
    pub(super) oauth: Option<OAuth>,
    pub(super) files: Option<Spanned<Files>>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) forward: Forward,
    #[serde(default)]
    pub(super) errors: Errors,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: Spanned<String>,
    pub(super) password_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) file: Spanned<PathBuf>,
    pub(super) key: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) key: Spanned<PathBuf>,
    pub(super) issuer: Spanned<String>,
    pub(super) lifetime_seconds: Option<Number>,
    pub(super) header: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuth {
    pub(super) issuer: Option<Spanned<String>>,
    pub(super) audience: Option<Spanned<String>>,
    pub(super) vault: Spanned<PathBuf>,
    pub(super) grace_seconds: Option<Number>,
    pub(super) rotate_days: Option<Number>,
    pub(super) consent: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    pub(super) keys: Spanned<PathBuf>,
    pub(super) passphrase_file: Option<Spanned<PathBuf>>,
    pub(super) passphrase_env: Option<Spanned<String>>,
    pub(super) passphrase_credential: Option<Spanned<String>>,
    pub(super) spool: Spanned<PathBuf>,
    pub(super) received: Option<Spanned<PathBuf>>,
    pub(super) fetch_seconds: Option<Number>,
    pub(super) deliveries: Option<Number>,
    pub(super) lease_seconds: Option<Number>,
    pub(super) retry_seconds: Option<Number>,
    pub(super) longest_retry_seconds: Option<Number>,
    pub(super) alarm_after: Option<Number>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operator {
    pub(super) listen: Spanned<String>,
    pub(super) token_file: Spanned<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listener {
    pub(super) channel: Channel,
    pub(super) listen: Spanned<String>,
    pub(super) certificate: Spanned<PathBuf>,
    pub(super) key: Spanned<PathBuf>,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) balancers: Vec<Spanned<String>>,
    pub(super) allow: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    pub(super) file: Option<Spanned<PathBuf>>,
    pub(super) mozilla: Option<Spanned<String>>,
    pub(super) client_eku: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) crl: Vec<Spanned<PathBuf>>,
    pub(super) crl_policy: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upstream {
    pub(super) url: Spanned<String>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Services {
    pub(super) table: Spanned<String>,
    pub(super) upstream: Spanned<String>,
    #[serde(default)]
    pub(super) upstreams: BTreeMap<String, Spanned<String>>,
    pub(super) status: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct M2m {
    pub(super) skew_seconds: Option<Number>,
    #[serde(default)]
    pub(super) legacy_sha1_thumbprint: bool,
    #[serde(default)]
    pub(super) single_use: bool,
    pub(super) cache_bytes: Option<Number>,
    pub(super) checks: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forward {
    #[serde(default)]
    pub(super) request_headers: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Errors {
    pub(super) reason_header: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) connections: Option<Number>,
    pub(super) connections_per_address: Option<Number>,
    pub(super) handshake_seconds: Option<Number>,
    pub(super) header_seconds: Option<Number>,
    pub(super) header_bytes: Option<Number>,
    pub(super) body_bytes: Option<Number>,
    pub(super) body_idle_seconds: Option<Number>,
    pub(super) idle_seconds: Option<Number>,
    pub(super) connection_age_seconds: Option<Number>,
    pub(super) streams: Option<Number>,
    pub(super) connect_seconds: Option<Number>,
    pub(super) answer_seconds: Option<Number>,
    pub(super) upstream_connections: Option<Number>,
    pub(super) upstream_idle_connections: Option<Number>,
    pub(super) drain_seconds: Option<Number>,
    pub(super) requests_per_second: Option<Number>,
    pub(super) burst: Option<Number>,
    pub(super) requests_under_way: Option<Number>,
    pub(super) max_staleness_seconds: Option<Number>,
}
