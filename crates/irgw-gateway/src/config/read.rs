//! From TOML to a checked configuration: every check that needs no other file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderName, Uri};
use irgw_core::Environment;
use irgw_m2m::{Checks, LegacySha1};
use irgw_tls::{ClientEku, CrlPolicy};
use serde::Deserialize;
use toml::Spanned;

use super::file::{self, File, Number};
use super::files::files;
use super::keys::Keys;
use super::listeners::listeners;
use super::oauth::oauth;
use super::source::Source;
use super::store::{database, store_password};
use super::{
    ClientCertificates, Config, IdentityConfig, Limits, Located, M2mConfig, OperatorConfig, Problem,
    ReasonHeader, RootConfig, RootSource, TokenReuse, UpstreamConfig,
};
use crate::services::{PUBLISHED, Row, ServiceTable, StatusAnswer};

pub(super) fn config(path: &Path, text: &str) -> Result<Config, Problem> {
    let source = Source { path: path.into(), text };
    let file: File = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let mut message = error.message().replace('\n', "; ");
        if message == "duplicate key" {
            message = format!("duplicate key {}", text.get(span.clone()).unwrap_or_default());
        }
        let key = Keys::of(text).at(span.start);
        Problem { place: Some(source.place(span, key)), message }
    })?;
    let environment = file.environment.ok_or_else(|| Problem {
        place: Some(source.place(0..0, "environment")),
        message: "is missing; \"mock\", \"test\" or \"prod\" is allowed".into(),
    })?;
    let upstreams = upstreams(&source, &file.upstream)?;
    let services = services(&source, &file, &upstreams)?;
    let config = Config {
        environment,
        store: database(&source, &file.store)?,
        store_password: store_password(&source, &file.store)?,
        audit: source.path(&file.audit.file, "audit.file"),
        audit_key: audit_key(&source, &file.audit),
        identity: identity(&source, &file.identity)?,
        operator: file.operator.as_ref().map(|operator| operator_listener(&source, operator)).transpose()?,
        listeners: listeners(&source, &file, environment)?,
        roots: roots(&source, &file.root)?,
        services,
        upstreams,
        m2m: m2m(&source, &file.m2m, environment)?,
        oauth: file.oauth.as_ref().map(|table| oauth(&source, table, environment)).transpose()?,
        files: file.files.as_ref().map(|table| files(&source, table)).transpose()?,
        limits: limits(&source, &file.limits)?,
        forward_headers: forward_headers(&source, &file.forward)?,
        reason_header: reason_header(&source, &file.errors, environment)?,
    };
    let asks =
        config.listeners.iter().position(|own| own.client_certificates == ClientCertificates::Required);
    if let Some(index) = asks.filter(|_| config.roots.is_empty()) {
        let span = file.listener.get(index).map_or(0..0, Spanned::span);
        return Err(Problem {
            place: Some(source.place(span, format_args!("listener[{index}]"))),
            message: format!(
                "a cloud listener in {environment} needs client certificates, and no root approves any; \
                 add a [[root]] with `file` or `mozilla`"
            ),
        });
    }
    Ok(config)
}

fn audit_key(source: &Source<'_>, audit: &file::Audit) -> Located<PathBuf> {
    if let Some(key) = &audit.key {
        return source.path(key, "audit.key");
    }
    let file = source.path(&audit.file, "audit.file");
    let mut beside = file.value.clone().into_os_string();
    beside.push(".key");
    file.with(beside.into())
}

fn identity(source: &Source<'_>, identity: &file::Identity) -> Result<IdentityConfig, Problem> {
    let lifetime = source.number(&identity.lifetime_seconds, "identity.lifetime_seconds", 10..=3600, 300)?;
    let issuer = source.locate(&identity.issuer, "identity.issuer");
    if issuer.value.is_empty() {
        return Err(issuer.problem("must not be empty; the gateway's own URL is a good choice"));
    }
    let header = match &identity.header {
        Some(name) => {
            let header = source.header(name, "identity.header")?;
            if !header.as_str().starts_with("x-") || crate::handle::OWN_FIELDS.contains(&header) {
                let located = source.locate(name, "identity.header");
                return Err(located.problem(format_args!(
                    "{header} is not allowed; a name that starts with X- and that the gateway sets to nothing else is"
                )));
            }
            header
        }
        None => HeaderName::from_static("x-gateway-identity"),
    };
    Ok(IdentityConfig {
        key: source.path(&identity.key, "identity.key"),
        issuer: issuer.value,
        lifetime: Duration::from_secs(lifetime),
        header,
    })
}

fn operator_listener(source: &Source<'_>, operator: &file::Operator) -> Result<OperatorConfig, Problem> {
    let listen = source.address(&operator.listen, "operator.listen")?;
    if !listen.value.ip().is_loopback() {
        return Err(listen.problem(format_args!(
            "{} is not allowed; a loopback address is: the operator's listener is never on the network",
            listen.value
        )));
    }
    Ok(OperatorConfig { listen, token_file: source.path(&operator.token_file, "operator.token_file") })
}

fn roots(source: &Source<'_>, entries: &[Spanned<file::Root>]) -> Result<Vec<RootConfig>, Problem> {
    let mut roots = Vec::new();
    for (index, spanned) in entries.iter().enumerate() {
        let root = spanned.get_ref();
        let key = |name: &str| format!("root[{index}].{name}");
        let origin = match (&root.file, &root.mozilla) {
            (Some(file), None) => RootSource::File(source.path(file, key("file"))),
            (None, Some(owner)) => RootSource::Mozilla(source.locate(owner, key("mozilla"))),
            (file, _) => {
                let also = if file.is_some() { ", not both" } else { "" };
                return Err(Problem {
                    place: Some(source.place(spanned.span(), format_args!("root[{index}]"))),
                    message: format!("needs either `file` or `mozilla`{also}"),
                });
            }
        };
        let client_eku = match &root.client_eku {
            Some(word) => {
                let all = [ClientEku::ClientAuth, ClientEku::ServerAuthAccepted, ClientEku::AbsentAccepted];
                source.word(word, key("client_eku"), &all.map(|eku| (eku.name(), eku)))?
            }
            None => ClientEku::default(),
        };
        let crl_policy = match &root.crl_policy {
            Some(word) => {
                let all = [CrlPolicy::WhereLoaded, CrlPolicy::Required, CrlPolicy::StaleAccepted];
                source.word(word, key("crl_policy"), &all.map(|policy| (policy.name(), policy)))?
            }
            None => CrlPolicy::default(),
        };
        let crls =
            root.crl.iter().enumerate().map(|(n, crl)| source.path(crl, key(&format!("crl[{n}]")))).collect();
        roots.push(RootConfig { source: origin, client_eku, crls, crl_policy });
    }
    Ok(roots)
}

fn upstreams(
    source: &Source<'_>,
    entries: &BTreeMap<String, file::Upstream>,
) -> Result<BTreeMap<String, UpstreamConfig>, Problem> {
    let mut upstreams = BTreeMap::new();
    for (name, upstream) in entries {
        let url = source.locate(&upstream.url, format_args!("upstream.{name}.url"));
        let wrong = || {
            url.problem(format_args!(
                "{:?} is not allowed; \"http://HOST:PORT\" or https is, with no path",
                url.value
            ))
        };
        let uri: Uri = url.value.parse().map_err(|_| wrong())?;
        let origin = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.path_and_query().is_none_or(|path| path.as_str() == "/")
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        if !origin {
            return Err(wrong());
        }
        let ca_file =
            upstream.ca_file.as_ref().map(|path| source.path(path, format_args!("upstream.{name}.ca_file")));
        if uri.scheme_str() == Some("https") && ca_file.is_none() {
            return Err(url.problem(format_args!(
                "an https upstream needs `ca_file`, the authorities that its certificate is checked by"
            )));
        }
        if let Some(unused) = ca_file.as_ref().filter(|_| uri.scheme_str() == Some("http")) {
            return Err(
                unused.problem("is not allowed with an http:// URL, where nothing is checked; https:// is")
            );
        }
        upstreams.insert(name.clone(), UpstreamConfig { url: uri, ca_file });
    }
    Ok(upstreams)
}

fn services(
    source: &Source<'_>,
    file: &File,
    upstreams: &BTreeMap<String, UpstreamConfig>,
) -> Result<ServiceTable, Problem> {
    let services = file.services.get_ref();
    let known = |spanned: &Spanned<String>, key: String| {
        let located = source.locate(spanned, key);
        if upstreams.contains_key(&located.value) {
            return Ok(located.value);
        }
        let message = format!("{:?} is no [upstream.NAME]; those are: {}", located.value, names(upstreams));
        Err(located.problem(message))
    };
    let fallback = known(&services.upstream, "services.upstream".into())?;
    let published =
        source.word(&services.table, "services.table", &[("published", true), ("none", false)])?;
    let status = match &services.status {
        Some(word) => source.word(
            word,
            "services.status",
            &[("service", StatusAnswer::Service), ("gateway", StatusAnswer::Gateway)],
        )?,
        None => StatusAnswer::Service,
    };
    let mut rows = Vec::new();
    if published {
        #[derive(Deserialize)]
        struct Table {
            service: Vec<Row>,
        }
        let table: Table = toml::from_str(PUBLISHED).expect("the published table is tested");
        // A row of the configuration takes the place of a published one with its name.
        let replaced = |row: &Row| file.service.iter().any(|own| own.get_ref().name == row.name);
        rows.extend(table.service.into_iter().filter(|row| !replaced(row)).map(|row| Row { status, ..row }));
    }
    rows.extend(file.service.iter().map(|row| row.get_ref().clone()));
    for (name, upstream) in &services.upstreams {
        let upstream_name = known(upstream, format!("services.upstreams.{name}"))?;
        let row = rows.iter_mut().find(|row| row.name.as_str() == name).ok_or_else(|| {
            source
                .locate(upstream, format_args!("services.upstreams.{name}"))
                .problem("there is no service of this name")
        })?;
        row.upstream = Some(upstream_name);
    }
    if rows.is_empty() {
        let located = source.locate(&services.table, "services.table");
        return Err(
            located.problem("with \"none\", at least one [[service]] is needed; \"published\" has IR's")
        );
    }
    let first_own = rows.len() - file.service.len();
    // A row of the configuration, at one of its keys; of a published row, the table.
    let at = |row: usize, key: &str| match row.checked_sub(first_own) {
        None => source.place(file.services.span(), "services.table"),
        Some(own) => {
            let header = file.service.get(own).map_or(0..0, Spanned::span);
            let dot = if key.is_empty() { "" } else { "." };
            let span = Keys::of(source.text).span("service", own, key).unwrap_or(header);
            source.place(span, format_args!("service[{own}]{dot}{key}"))
        }
    };
    for (row, named) in rows.iter().enumerate() {
        if let Some(upstream) = named.upstream.as_ref().filter(|name| !upstreams.contains_key(*name)) {
            let message = format!("{upstream:?} is no [upstream.NAME]; those are: {}", names(upstreams));
            return Err(Problem { place: Some(at(row, "upstream")), message });
        }
    }
    ServiceTable::new(rows, &fallback)
        .map_err(|error| Problem { place: Some(at(error.row, &error.key)), message: error.to_string() })
}

/// The backing services' names, for a message.
fn names(upstreams: &BTreeMap<String, UpstreamConfig>) -> String {
    let names: Vec<_> = upstreams.keys().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn m2m(source: &Source<'_>, m2m: &file::M2m, environment: Environment) -> Result<M2mConfig, Problem> {
    let checks = match &m2m.checks {
        Some(word) => {
            let words = [("full", Checks::Full), ("structure-and-times", Checks::StructureAndTimes)];
            let checks = source.word(word, "m2m.checks", &words)?;
            if checks != Checks::Full && environment != Environment::Mock {
                let located = source.locate(word, "m2m.checks");
                return Err(located.problem(format_args!(
                    "\"structure-and-times\" is not allowed in {environment}; \"full\" is (ENV-4)"
                )));
            }
            checks
        }
        None if environment == Environment::Mock => Checks::StructureAndTimes,
        None => Checks::Full,
    };
    Ok(M2mConfig {
        skew: Duration::from_secs(source.number(&m2m.skew_seconds, "m2m.skew_seconds", 0..=300, 60)?),
        legacy_sha1_thumbprint: match m2m.legacy_sha1_thumbprint {
            true => LegacySha1::Accepted,
            false => LegacySha1::Refused,
        },
        reuse: if m2m.single_use { TokenReuse::Single } else { TokenReuse::Allowed },
        cache_bytes: size(source.number(&m2m.cache_bytes, "m2m.cache_bytes", 0..=1 << 32, 32 << 20)?),
        checks,
    })
}

fn limits(source: &Source<'_>, limits: &file::Limits) -> Result<Limits, Problem> {
    let default = Limits::default();
    let number = |value: &Option<Number>, name: &str, allowed, default| {
        source.number(value, format_args!("limits.{name}"), allowed, default)
    };
    let seconds = |value: &Option<Number>, name: &str, allowed, default: Duration| {
        number(value, name, allowed, default.as_secs()).map(Duration::from_secs)
    };
    let small = |value: u64| u32::try_from(value).expect("the allowed range fits");
    let streams = number(&limits.streams, "streams", 1..=1000, u64::from(default.streams))?;
    let rate = u64::from(default.requests_per_second);
    let rate = number(&limits.requests_per_second, "requests_per_second", 1..=10_000_000, rate)?;
    let burst = number(&limits.burst, "burst", 1..=10_000_000, rate.saturating_mul(2).min(10_000_000))?;
    let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    let connections = number(&limits.connections, "connections", 1..=1_000_000, wide(default.connections))?;
    let per_address = wide(default.connections_per_address);
    let per_address =
        number(&limits.connections_per_address, "connections_per_address", 1..=1_000_000, per_address)?;
    let under_way = wide(default.requests_under_way);
    let under_way = number(&limits.requests_under_way, "requests_under_way", 1..=1_000_000, under_way)?;
    let upstream_connections = wide(default.upstream_connections);
    let upstream_connections =
        number(&limits.upstream_connections, "upstream_connections", 1..=65_536, upstream_connections)?;
    let header_bytes =
        number(&limits.header_bytes, "header_bytes", 8192..=1 << 20, wide(default.header_bytes))?;
    let idle_connections = wide(default.upstream_idle_connections);
    let idle_connections =
        number(&limits.upstream_idle_connections, "upstream_idle_connections", 0..=65_536, idle_connections)?;
    Ok(Limits {
        connections: size(connections),
        connections_per_address: size(per_address),
        handshake: seconds(&limits.handshake_seconds, "handshake_seconds", 1..=60, default.handshake)?,
        header: seconds(&limits.header_seconds, "header_seconds", 1..=60, default.header)?,
        header_bytes: size(header_bytes),
        body_bytes: number(&limits.body_bytes, "body_bytes", 0..=1 << 40, default.body_bytes)?,
        body_idle: seconds(&limits.body_idle_seconds, "body_idle_seconds", 1..=600, default.body_idle)?,
        idle: seconds(&limits.idle_seconds, "idle_seconds", 1..=3600, default.idle)?,
        connection_age: seconds(
            &limits.connection_age_seconds,
            "connection_age_seconds",
            1..=86_400,
            default.connection_age,
        )?,
        streams: small(streams),
        connect: seconds(&limits.connect_seconds, "connect_seconds", 1..=60, default.connect)?,
        answer: seconds(&limits.answer_seconds, "answer_seconds", 1..=3600, default.answer)?,
        upstream_connections: size(upstream_connections),
        upstream_idle_connections: size(idle_connections),
        drain: seconds(&limits.drain_seconds, "drain_seconds", 0..=3600, default.drain)?,
        requests_per_second: small(rate),
        burst: small(burst),
        requests_under_way: size(under_way),
        max_staleness: seconds(
            &limits.max_staleness_seconds,
            "max_staleness_seconds",
            1..=300,
            default.max_staleness,
        )?,
    })
}

fn forward_headers(source: &Source<'_>, forward: &file::Forward) -> Result<Vec<HeaderName>, Problem> {
    let check = |(index, spanned): (usize, &Spanned<String>)| {
        let key = format!("forward.request_headers[{index}]");
        let name = source.header(spanned, &key)?;
        if crate::headers::claims_identity(&name) || crate::headers::is_hop_by_hop(&name) {
            let located = source.locate(spanned, key);
            return Err(located.problem(format_args!(
                "{name} is not allowed: a caller could claim an identity or change the framing by it (TLS-11, GW-3)"
            )));
        }
        Ok(name)
    };
    forward.request_headers.iter().enumerate().map(check).collect()
}

/// Whether refusals name the rule to the caller; nobody is told in prod (ERR-1).
fn reason_header(
    source: &Source<'_>,
    errors: &file::Errors,
    environment: Environment,
) -> Result<ReasonHeader, Problem> {
    let shown = errors.reason_header.as_ref().map(|shown| source.locate(shown, "errors.reason_header"));
    match shown {
        Some(shown) if shown.value && environment == Environment::Prod => {
            Err(shown.problem("true is not allowed in prod; false is (ERR-1)"))
        }
        Some(Located { value: true, .. }) => Ok(ReasonHeader::Shown),
        None if environment != Environment::Prod => Ok(ReasonHeader::Shown),
        _ => Ok(ReasonHeader::Withheld),
    }
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
