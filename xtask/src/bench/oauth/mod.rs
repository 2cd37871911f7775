//! `cargo xtask bench oauth`: the authorization server beside oidc-provider, access tokens beside client-signed JWTs, and many
//! families.

mod ask;
mod families;
mod peer;
mod seed;
mod stores;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use irgw_store::Database;

use super::client::{Offer, Target as Load, identities, request};
use super::irgw::{self, Irgw};
use super::load::{self, Counted, Dialogue};
use super::nginx::Nginx;
use super::pki::Pki;
use super::process::Process;
use super::report::{Report, Target, rates};
use super::setting::{first_line, machine};
use super::{Form, haproxy, say};
use crate::{Error, run};

use ask::{Bodies, Codes, Refresh};
use peer::Peer;
use seed::Seed;

/// The authorization server beside the npm package oidc-provider, measured in turns by one load generator.
///
/// Both speak TLS 1.2 with the same certificate and suite over kept-alive connections, on the loopback interface of one machine.
/// oidc-provider keeps what it issues in memory and signs nothing; the gateway signs each access token, writes an audit record,
/// and has each grant on disk before it answers. Then the same on a PostgreSQL server of this machine. Then, on the gateway alone: requests to a backing service with access tokens
/// beside those with client-signed JWTs, and what a request costs among many families and revocations.
///
/// Needs node and npm (oidc-provider is installed below target/tools), nginx and PostgreSQL: apt-get install nodejs npm
/// nginx-light postgresql
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long each measurement takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// How often each is made; the median and the spread are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Families that are live, where the cost of a request among many is measured; a tenth as many are revoked
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1000..=1_000_000))]
    families: u64,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Measures this gateway's program
    #[arg(long)]
    program: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Codes redeemed, refresh tokens exchanged and tokens introspected per second
    Server,
    /// Codes redeemed and refresh tokens exchanged per second on PostgreSQL beside SQLite
    Stores,
    /// Requests with access tokens beside requests with client-signed JWTs
    Bearer,
    /// The cost of a request among many families and revocations
    Families,
}

/// Access tokens in the mix, as many as the M2M benchmark has tokens.
const TOKENS: usize = 1000;

/// Codes that a server is expected to redeem at most, per second.
const CODES_PER_SECOND: u64 = 20_000;
const PEER_CODES_PER_SECOND: u64 = 15_000;

/// What is started and asked.
struct Bench<'a> {
    args: &'a Args,
    program: PathBuf,
    folder: &'a Path,
    store: Database,
    nginx: Nginx,
    pki: Pki,
}

impl Args {
    pub(super) fn run(&self) -> Result<(), Error> {
        let Some(nginx) = run::find("nginx") else {
            println!("SKIPPED: nginx is not installed: apt-get install nginx-light");
            return Ok(());
        };
        let own = env::current_exe().map_err(Error::step("find this program"))?;
        let folder = tempfile::tempdir().map_err(Error::step("make a folder"))?;
        let mut setting = machine();
        setting.push(("nginx", first_line(Command::new(&nginx).arg("-v"))));
        let nginx = Nginx::start(&nginx, folder.path())?;
        let pki = Pki::new()?;
        haproxy::write_certificates(&pki, folder.path())?;
        irgw::write_identity_key(folder.path())?;
        let store = Database::File(folder.path().join("irgw.sqlite"));
        irgw::enrol(&store, &pki, 0)?;
        let program = self.program.clone().unwrap_or_else(|| own.with_file_name("irgw"));
        let bench = Bench { args: self, program, folder: folder.path(), store, nginx, pki };
        let Args { seconds, rounds, .. } = self;
        let method = format!(
            "median (least to greatest) of {rounds} rounds of {seconds} s, in turn; {} connections, generator and servers on \
             the same cores, nothing pinned",
            load::CONNECTIONS
        );
        setting.push(("method", method));
        for report in bench.run(&setting)? {
            self.form.print(&report);
            println!();
        }
        Ok(())
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// So many per second for all rounds and their warm-ups.
    fn supply(&self, per_second: u64) -> usize {
        usize::try_from(per_second * (self.seconds + 1) * self.rounds).unwrap_or(usize::MAX)
    }
}

impl Bench<'_> {
    fn run(&self, setting: &[(&'static str, String)]) -> Result<Vec<Report>, Error> {
        let mut reports = Vec::new();
        let seed = Seed::open(&self.store)?;
        let mut gateway = Irgw::start(&self.program, self.folder, "irgw", &self.store, self.nginx.address)?;
        gateway.wait()?;
        if self.args.has(Part::Server) {
            reports.extend(self.server(&gateway, &seed, setting.to_vec())?);
        }
        if self.args.has(Part::Stores) {
            reports.extend(self.stores(&gateway, &seed, setting.to_vec())?);
        }
        if self.args.has(Part::Bearer) {
            reports.push(self.bearer(&gateway, &seed, setting.to_vec())?);
        }
        if self.args.has(Part::Families) {
            reports.push(self.families(&gateway, &seed, setting.to_vec())?);
        }
        Ok(reports)
    }

    /// Where the authorization server is asked; each connection's dialogue says what.
    fn target(&self, address: std::net::SocketAddr) -> Result<Load, Error> {
        let one = self.pki.p256.get(..1).unwrap_or_default();
        Ok(Load::new(address, identities(&self.pki, one, Offer::Nothing)?, vec![]))
    }

    /// Redemption, refresh and introspection on both.
    fn server(
        &self,
        gateway: &Irgw,
        seed: &Seed,
        mut setting: Vec<(&'static str, String)>,
    ) -> Result<Option<Report>, Error> {
        let codes = self.args.supply(PEER_CODES_PER_SECOND);
        let Some(peer) = Peer::start(self.folder, codes, load::CONNECTIONS)? else { return Ok(None) };
        setting.extend(peer.versions());
        setting.push(("TLS", "1.2, ECDHE-ECDSA-AES128-GCM-SHA256, server certificate P-256".into()));
        say("making codes");
        let at = ask::Place::of_gateway(gateway.desktop);
        let own_codes = Codes::new(&at, seed.codes(self.args.supply(CODES_PER_SECOND))?);
        let mut own_codes: Vec<_> = (0..load::CONNECTIONS).map(|_| own_codes.clone()).collect();
        let mut own_refresh = Refresh::all(&at, seed.families(load::CONNECTIONS)?);
        let peer_codes = Codes::new(&peer.at, peer.codes.clone());
        let mut peer_codes: Vec<_> = (0..load::CONNECTIONS).map(|_| peer_codes.clone()).collect();
        let mut peer_refresh = Refresh::all(&peer.at, peer.refresh.clone());

        let sides = Sides {
            own: (self.target(gateway.desktop)?, &gateway.process),
            other: (self.target(peer.address)?, &peer.process),
            span: self.args.span(),
        };
        let (mut codes, mut refreshes, mut introspections) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.args.rounds {
            say(&format!("codes and refresh tokens, round {round}"));
            codes.push(sides.converse(&mut own_codes, &mut peer_codes)?);
            refreshes.push(sides.converse(&mut own_refresh, &mut peer_refresh)?);
        }
        // The last access tokens of each.
        let tokens = |refresh: &[Refresh], at: &ask::Place| -> Vec<Bodies> {
            let requests: Vec<_> = refresh.iter().map(|one| at.introspect(one.access_token())).collect();
            Bodies::all(requests, load::CONNECTIONS, "\"active\":true")
        };
        let (mut own_tokens, mut peer_tokens) = (tokens(&own_refresh, &at), tokens(&peer_refresh, &peer.at));
        for round in 1..=self.args.rounds {
            say(&format!("introspection, round {round}"));
            introspections.push(sides.converse(&mut own_tokens, &mut peer_tokens)?);
        }
        let mut figures = Vec::new();
        for (what, cpu, counted, target) in [
            ("codes redeemed", "CPU per code", codes, None),
            ("refresh tokens exchanged", "CPU per refresh", refreshes, Some(Target::TimesOther(2.0))),
            (
                "access tokens introspected",
                "CPU per introspection",
                introspections,
                Some(Target::TimesOther(5.0)),
            ),
        ] {
            let (own, other): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
            figures.extend(rates([what, cpu], &own, &other, target));
        }
        Ok(Some(Report { columns: ["irgw", "oidc-provider"], setting, figures }))
    }

    /// The gateway's own two kinds of tokens, in turn.
    fn bearer(
        &self,
        gateway: &Irgw,
        seed: &Seed,
        mut setting: Vec<(&'static str, String)>,
    ) -> Result<Report, Error> {
        say("making access tokens");
        let tokens = self.access_tokens(gateway, seed, TOKENS)?;
        let target = |authorizations: Vec<String>| {
            let requests = authorizations.iter().map(|field| request(Some(field))).collect();
            let identities = identities(&self.pki, &self.pki.p256, Offer::Nothing)?;
            Ok::<_, Error>(Load::new(gateway.address, identities, requests))
        };
        let bearer = target(tokens.iter().map(|token| format!("Bearer {token}")).collect())?;
        let m2m = target(self.pki.signing.tokens(u32::try_from(TOKENS).unwrap_or(0))?)?;
        let (mut of_bearer, mut of_m2m) = (Vec::new(), Vec::new());
        for round in 1..=self.args.rounds {
            say(&format!("requests to a backing service, round {round}"));
            of_bearer.push(load::saturate(&bearer, &gateway.process, self.args.span())?);
            of_m2m.push(load::saturate(&m2m, &gateway.process, self.args.span())?);
        }
        setting
            .push(("tokens", format!("{TOKENS} access tokens, ES256; {TOKENS} client-signed JWTs, ES256")));
        let target = Some(Target::TimesOther(0.95));
        let figures = rates(["requests", "CPU per request"], &of_bearer, &of_m2m, target);
        Ok(Report { columns: ["access token", "client-signed JWT"], setting, figures })
    }

    /// Access tokens, each of a family of its own: whoever refreshes is given one.
    fn access_tokens(&self, gateway: &Irgw, seed: &Seed, count: usize) -> Result<Vec<String>, Error> {
        let at = ask::Place::of_gateway(gateway.desktop);
        let mut refresh = Refresh::all(&at, seed.families(count)?);
        ask::once(&self.target(gateway.desktop)?, &mut refresh)?;
        Ok(refresh.iter().map(|one| one.access_token().to_owned()).collect())
    }
}

/// The gateway and its peer, asked in turn.
struct Sides<'a> {
    own: (Load, &'a Process),
    other: (Load, &'a Process),
    span: Duration,
}

impl Sides<'_> {
    fn converse<D: Dialogue>(&self, own: &mut [D], other: &mut [D]) -> Result<(Counted, Counted), Error> {
        let ((own_load, own_process), (other_load, other_process)) = (&self.own, &self.other);
        Ok((
            load::converse(own_load, own_process, self.span, own)?,
            load::converse(other_load, other_process, self.span, other)?,
        ))
    }
}
