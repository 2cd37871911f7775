//! The service table: which path is which service, and which mechanism opens it (SPEC section 5). Data, not code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use http::Method;
use irgw_core::{Channel, ServiceName};
use serde::Deserialize;

use crate::NormalPath;
use crate::dialect::Dialect;

/// IR's published table, as it ships.
pub const PUBLISHED: &str = include_str!("services.toml");

/// One row of the service table, as it is written in TOML.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The service's name in records, grants and the identity token's audience.
    pub name: ServiceName,
    /// Path prefixes on the cloud channel, e.g. `/gateway/account/`; whole segments.
    #[serde(default)]
    pub cloud: Vec<String>,
    /// Path prefixes on the desktop channel, e.g. `/gateway2/gws/returns/`.
    #[serde(default)]
    pub desktop: Vec<String>,
    /// Opens to access tokens.
    #[serde(default)]
    pub oauth: bool,
    /// Opens to client-signed JWTs; on the cloud channel alone (M2M-1).
    #[serde(default)]
    pub m2m: bool,
    /// Opens to the client certificate alone.
    pub certificate: Option<CertificateGrant>,
    /// The words in which refusals are told.
    pub dialect: Dialect,
    /// Methods that the service takes; *default* `DELETE GET HEAD PATCH POST PUT`.
    #[serde(default = "usual_methods")]
    pub methods: BTreeSet<String>,
    /// Who answers `GET <path>status` (GW-5).
    #[serde(default)]
    pub status: StatusAnswer,
    /// The backing service, by its name in the configuration; *default* the table's.
    pub upstream: Option<String>,
}

/// Which certificate opens a row that takes no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateGrant {
    /// One whose enrolment names the service.
    Granted,
    /// One that is enrolled for such services and nothing else (TLS-12).
    Own,
}

/// Who answers `GET <path>status` (GW-5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatusAnswer {
    /// The backing service.
    #[default]
    Service,
    /// The gateway, after authentication.
    Gateway,
}

/// What opens a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admits {
    /// One token of a kind that the row takes.
    Tokens(Tokens),
    /// The client certificate alone.
    Certificate(CertificateGrant),
}

/// The kinds of token that a row takes; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// Access tokens.
    Bearer,
    /// Client-signed JWTs.
    M2m,
    /// Either.
    Either,
}

impl Tokens {
    /// Whether access tokens are taken.
    pub fn bearer(self) -> bool {
        matches!(self, Tokens::Bearer | Tokens::Either)
    }

    /// Whether client-signed JWTs are taken.
    pub fn m2m(self) -> bool {
        matches!(self, Tokens::M2m | Tokens::Either)
    }
}

/// A checked row.
#[derive(Debug, Clone)]
pub struct Service {
    /// The service's name.
    pub name: ServiceName,
    /// What opens it.
    pub admits: Admits,
    /// The words in which refusals are told.
    pub dialect: Dialect,
    /// Who answers the status request.
    pub status: StatusAnswer,
    /// The methods that it takes, in order.
    pub methods: Vec<Method>,
    /// The backing service's name in the configuration.
    pub upstream: String,
    /// Its path prefixes, with their channels: for lists.
    pub paths: Vec<(Channel, String)>,
}

impl Service {
    /// Whether the service takes requests of this method.
    pub fn takes(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }
}

/// The checked service table.
#[derive(Debug, Clone)]
pub struct ServiceTable {
    services: Vec<Arc<Service>>,
    prefixes: BTreeMap<Channel, Vec<Prefix>>,
}

#[derive(Debug, Clone)]
struct Prefix {
    /// With a leading and no trailing slash.
    path: String,
    service: Arc<Service>,
}

/// A request's place in the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// The service.
    pub service: Arc<Service>,
    /// The path to forward: the row's own spelling of its prefix, then what the request has after it.
    pub path: String,
    /// Whether it asks for the row's status (GW-5).
    pub asks_status: AsksStatus,
}

/// Whether a request's path is the row's status path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsksStatus {
    /// It is `<path>status`.
    Yes,
    /// It is another.
    No,
}

impl ServiceTable {
    /// Checks rows and makes the table of them. `upstream` serves the rows that name none.
    ///
    /// # Errors
    /// [`InvalidRow`], naming the row and what is wrong with it.
    pub fn new(rows: Vec<Row>, upstream: &str) -> Result<ServiceTable, InvalidRow> {
        let mut table = ServiceTable { services: Vec::new(), prefixes: BTreeMap::new() };
        for (index, row) in rows.into_iter().enumerate() {
            let wrong = |problem: RowProblem| InvalidRow {
                row: index,
                key: problem.key(&row),
                service: row.name.clone(),
                problem,
            };
            let service = Arc::new(check(&row, upstream).map_err(wrong)?);
            if table.services.iter().any(|other| other.name == service.name) {
                return Err(wrong(RowProblem::DuplicateName));
            }
            for (channel, path) in &service.paths {
                let whole = path;
                let path = path.trim_end_matches('/').to_owned();
                let prefixes = table.prefixes.entry(*channel).or_default();
                if prefixes.iter().any(|other| other.path.eq_ignore_ascii_case(&path)) {
                    return Err(wrong(RowProblem::DuplicatePath(*channel, whole.clone())));
                }
                prefixes.push(Prefix { path, service: service.clone() });
            }
            table.services.push(service);
        }
        // Longest first, so that the first match is the longest.
        for prefixes in table.prefixes.values_mut() {
            prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.path.len()));
        }
        Ok(table)
    }

    /// The row for a path on a channel; the longest prefix wins (GW-1).
    pub fn find(&self, channel: Channel, path: &NormalPath) -> Option<Route> {
        self.prefixes.get(&channel)?.iter().find_map(|prefix| {
            let rest = path.under(&prefix.path)?;
            Some(Route {
                service: prefix.service.clone(),
                path: format!("{}{rest}", prefix.path),
                asks_status: if rest.eq_ignore_ascii_case("/status") {
                    AsksStatus::Yes
                } else {
                    AsksStatus::No
                },
            })
        })
    }

    /// All services, in the table's order.
    pub fn services(&self) -> &[Arc<Service>] {
        &self.services
    }
}

fn check(row: &Row, upstream: &str) -> Result<Service, RowProblem> {
    let admits = match (row.oauth, row.m2m, row.certificate) {
        (true, true, None) => Admits::Tokens(Tokens::Either),
        (true, false, None) => Admits::Tokens(Tokens::Bearer),
        (false, true, None) => Admits::Tokens(Tokens::M2m),
        (false, false, Some(grant)) => Admits::Certificate(grant),
        (false, false, None) => return Err(RowProblem::OpensToNothing),
        (_, _, Some(_)) => return Err(RowProblem::TokensAndCertificate),
    };
    let cloud = row.cloud.iter().map(|path| (Channel::Cloud, path.clone()));
    let desktop = row.desktop.iter().map(|path| (Channel::Desktop, path.clone()));
    let paths: Vec<_> = cloud.chain(desktop).collect();
    if paths.is_empty() {
        return Err(RowProblem::NoPath);
    }
    for (channel, path) in &paths {
        let well_formed = NormalPath::parse(path).is_ok_and(|normal| normal.as_str() == path);
        let roots: &[&str] = match channel {
            Channel::Cloud => &["/gateway/", "/secure/gateway/"],
            Channel::Desktop => &["/gateway2/"],
            Channel::Files => &[],
        };
        if !well_formed || !roots.iter().any(|root| path.starts_with(root) && path.len() > root.len()) {
            return Err(RowProblem::Path {
                channel: *channel,
                path: path.clone(),
                roots: roots.join(" or "),
            });
        }
    }
    if !row.desktop.is_empty() && !row.oauth {
        return Err(RowProblem::DesktopWithoutOauth);
    }
    let methods = row.methods.iter().map(|method| match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => Err(RowProblem::Method(method.clone())),
        Ok(method) => Ok(method),
    });
    Ok(Service {
        name: row.name.clone(),
        admits,
        dialect: row.dialect,
        status: row.status,
        methods: methods.collect::<Result<_, _>>()?,
        upstream: row.upstream.clone().unwrap_or_else(|| upstream.to_owned()),
        paths,
    })
}

fn usual_methods() -> BTreeSet<String> {
    ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"].map(str::to_owned).into()
}

/// A row that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// Which of the rows, from 0.
    pub row: usize,
    /// The key of the row that is wrong, e.g. `cloud[1]`; empty for the row as a whole.
    pub key: String,
    /// The row's name.
    pub service: ServiceName,
    /// What is wrong with it.
    pub problem: RowProblem,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowProblem {
    /// Another row has the name.
    DuplicateName,
    /// Another row has the path.
    DuplicatePath(Channel, String),
    /// Neither `oauth`, `m2m` nor `certificate`.
    OpensToNothing,
    /// A token kind and `certificate`.
    TokensAndCertificate,
    /// Neither `cloud` nor `desktop`.
    NoPath,
    /// Not a normal path under one of the channel's roots (ENV-3).
    Path {
        /// The channel that it is for.
        channel: Channel,
        /// The path.
        path: String,
        /// What it may start with.
        roots: String,
    },
    /// The desktop channel admits access tokens alone.
    DesktopWithoutOauth,
    /// Not a method that can be served.
    Method(String),
}

impl RowProblem {
    /// Which key of the row is wrong.
    fn key(&self, row: &Row) -> String {
        match self {
            RowProblem::DuplicateName => "name".into(),
            RowProblem::DuplicatePath(channel, path) | RowProblem::Path { channel, path, .. } => {
                let paths: &[String] = match channel {
                    Channel::Cloud => &row.cloud,
                    Channel::Desktop => &row.desktop,
                    Channel::Files => &[],
                };
                let index = paths.iter().position(|own| own == path).unwrap_or_default();
                format!("{}[{index}]", channel.name())
            }
            RowProblem::TokensAndCertificate => "certificate".into(),
            RowProblem::DesktopWithoutOauth => "desktop".into(),
            RowProblem::Method(_) => "methods".into(),
            RowProblem::OpensToNothing | RowProblem::NoPath => String::new(),
        }
    }
}

impl fmt::Display for InvalidRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}: ", self.service)?;
        match &self.problem {
            RowProblem::DuplicateName => f.write_str("another service has this name; give each its own"),
            RowProblem::DuplicatePath(_, path) => {
                write!(f, "another service has the path {path}; give each its own")
            }
            RowProblem::OpensToNothing => f.write_str(
                "nothing opens it; set `oauth`, `m2m` or both, or `certificate = \"granted\"` or \"own\"",
            ),
            RowProblem::TokensAndCertificate => {
                f.write_str("`certificate` excludes `oauth` and `m2m`; choose one")
            }
            RowProblem::NoPath => f.write_str("it has no path; set `cloud` or `desktop`"),
            RowProblem::Path { path, roots, .. } => {
                write!(f, "the path {path:?} is not allowed; a normal path that starts with {roots} is")
            }
            RowProblem::DesktopWithoutOauth => {
                f.write_str("`desktop` needs `oauth = true`: that channel takes nothing else")
            }
            RowProblem::Method(method) => {
                write!(f, "the method {method:?} cannot be served; CONNECT and TRACE never are")
            }
        }
    }
}

impl std::error::Error for InvalidRow {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct File {
        service: Vec<Row>,
    }

    fn table(text: &str) -> Result<ServiceTable, InvalidRow> {
        ServiceTable::new(toml::from_str::<File>(text).unwrap().service, "default")
    }

    fn found(table: &ServiceTable, channel: Channel, path: &str) -> Option<(String, String)> {
        let route = table.find(channel, &NormalPath::parse(path).unwrap())?;
        Some((route.service.name.to_string(), route.path))
    }

    #[test]
    fn published_table_has_every_service() {
        let table = table(PUBLISHED).unwrap();
        assert_eq!(table.services().len(), 23);
        let certificate_alone =
            table.services().iter().filter(|s| matches!(s.admits, Admits::Certificate(_)));
        assert_eq!(certificate_alone.count(), 3);
    }

    #[test]
    fn longest_prefix_of_whole_segments_wins() {
        let table = table(PUBLISHED).unwrap();
        let find = |path| found(&table, Channel::Cloud, path).map(|(name, _)| name);
        assert_eq!(find("/gateway/gws/employment/v2/x").as_deref(), Some("employment-v2"));
        assert_eq!(find("/gateway/gws/employment/v22/x").as_deref(), Some("employment"));
        assert_eq!(find("/gateway/accounts/"), None);
        assert_eq!(find("/gateway/tds/transactions/"), None);
        assert_eq!(find("/gateway/"), None);
    }

    #[test]
    fn prefix_is_forwarded_in_the_tables_spelling() {
        let table = table(PUBLISHED).unwrap();
        let find = |channel, path| found(&table, channel, path);
        let expect = |name: &str, path: &str| Some((name.to_owned(), path.to_owned()));
        assert_eq!(
            find(Channel::Cloud, "/Gateway/GWS/Returns/GET"),
            expect("returns", "/gateway/gws/returns/GET")
        );
        assert_eq!(find(Channel::Cloud, "/secure/gateway/BANK/1"), expect("bank", "/secure/gateway/bank/1"));
        assert_eq!(
            find(Channel::Desktop, "/gateway2/gws/returns/"),
            expect("returns", "/gateway2/gws/returns/")
        );
    }

    #[test]
    fn row_is_served_on_its_own_channels_alone() {
        let table = table(PUBLISHED).unwrap();
        assert_eq!(found(&table, Channel::Desktop, "/gateway/account/"), None);
        assert_eq!(found(&table, Channel::Cloud, "/gateway2/gws/returns/"), None);
    }

    #[test]
    fn invalid_rows_are_refused_with_the_reason() {
        let row = |rest: &str| {
            table(&format!("[[service]]\nname = \"x\"\ndialect = \"suite\"\n{rest}")).unwrap_err().problem
        };
        assert_eq!(row("cloud = [\"/gateway/x/\"]"), RowProblem::OpensToNothing);
        assert_eq!(row("oauth = true"), RowProblem::NoPath);
        assert!(matches!(row("m2m = true\ncloud = [\"/x/\"]"), RowProblem::Path { .. }));
        assert!(matches!(row("m2m = true\ncloud = [\"/gateway/../x/\"]"), RowProblem::Path { .. }));
        assert_eq!(row("m2m = true\ndesktop = [\"/gateway2/x/\"]"), RowProblem::DesktopWithoutOauth);
        assert_eq!(
            row("oauth = true\ncertificate = \"own\"\ncloud = [\"/gateway/x/\"]"),
            RowProblem::TokensAndCertificate
        );
        let trace = "m2m = true\ncloud = [\"/gateway/x/\"]\nmethods = [\"TRACE\"]";
        assert_eq!(row(trace), RowProblem::Method("TRACE".into()));
    }
}
