//! `cargo xtask bench gateway`: the order of the run.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use irgw_store::Database;

use super::client::{Offer, Target as Load, identities, request};
use super::haproxy::{self, Haproxy};
use super::irgw::{self, Irgw};
use super::load::{self, Counted, Idle};
use super::nginx::Nginx;
use super::pki::{Client, Pki};
use super::process::Process;
use super::report::{Figure, Report, Target, rates};
use super::setting::{self, Programs};
use super::statistics::Spread;
use super::{Form, say};
use crate::{Error, run};

/// The gateway beside HAProxy, measured in turns by one load generator.
///
/// Both servers have the same certificates, one cipher suite, no session resumption, two threads and the same nginx
/// behind them. Everything is on the loopback interface of one machine, so the generator and nginx take their share of
/// its cores: requests per second depend on the machine, CPU time per request much less.
///
/// Needs HAProxy and nginx: apt-get install haproxy nginx-light
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long each measurement takes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often each is made; the median and the spread are reported
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Idle connections whose memory is measured
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(100..=8000))]
    connections: u64,
    /// Enrolled credentials that the gateway starts with
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    credentials: u64,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    form: Form,
}

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Requests per second, and CPU time for each
    Requests,
    /// Handshakes per second, and CPU time for each
    Handshakes,
    /// Latency at half of the saturated rate
    Latency,
    /// Resident memory, idle and per idle connection
    Memory,
    /// From start to first answer
    Start,
}

/// Different tokens that the requests are signed with.
const TOKENS: u32 = 1000;

/// What is started and asked: programs, certificates, folders, requests.
struct Bench<'a> {
    args: &'a Args,
    haproxy: PathBuf,
    irgw: PathBuf,
    folder: &'a Path,
    store: Database,
    nginx: Nginx,
    pki: Pki,
    /// A request with each token, and one without.
    signed: Vec<Vec<u8>>,
    plain: Vec<Vec<u8>>,
}

impl Args {
    pub(super) fn run(&self) -> Result<(), Error> {
        let (Some(haproxy), Some(nginx)) = (run::find("haproxy"), run::find("nginx")) else {
            println!("SKIPPED: HAProxy or nginx is not installed: apt-get install haproxy nginx-light");
            return Ok(());
        };
        let own = env::current_exe().map_err(Error::step("find this program"))?;
        let folder = tempfile::tempdir().map_err(Error::step("make a folder"))?;
        let setting = setting::describe(&Programs { haproxy: &haproxy, nginx: &nginx });
        let nginx = Nginx::start(&nginx, folder.path())?;
        let pki = Pki::new()?;
        haproxy::write_certificates(&pki, folder.path())?;
        irgw::write_identity_key(folder.path())?;
        let store = Database::File(folder.path().join("irgw.sqlite"));
        irgw::enrol(&store, &pki, 0)?;
        let signed = pki.signing.tokens(TOKENS)?.iter().map(|token| request(Some(token))).collect();
        let bench = Bench {
            args: self,
            haproxy,
            irgw: own.with_file_name("irgw"),
            folder: folder.path(),
            store,
            nginx,
            pki,
            signed,
            plain: vec![request(None)],
        };
        let report = bench.run(setting)?;
        self.form.print(&report);
        Ok(())
    }

    fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl Bench<'_> {
    fn run(&self, mut setting: Vec<(&'static str, String)>) -> Result<Report, Error> {
        let has = |part| self.args.has(part);
        let mut figures = Vec::new();
        if has(Part::Requests) || has(Part::Handshakes) || has(Part::Latency) {
            let pair = Pair::start(self)?;
            setting.push(("resumption", pair.resumption()?));
            let requests = pair.requests()?;
            if has(Part::Requests) {
                figures.extend(requests.figures());
            }
            if has(Part::Latency) {
                figures.extend(pair.latency(&requests)?);
            }
            if has(Part::Handshakes) {
                figures.extend(pair.handshakes()?);
            }
        }
        if has(Part::Memory) {
            figures.extend(self.memory()?);
        }
        if has(Part::Start) {
            figures.extend(self.start()?);
        }
        let Args { seconds, rounds, .. } = self.args;
        let method = format!(
            "median (least to greatest) of {rounds} rounds of {seconds} s, the servers in turn; 2 server threads, \
             generator and nginx on the same cores, nothing pinned; {TOKENS} tokens, 20 client certificates"
        );
        setting.push(("method", method));
        Ok(Report { columns: ["gateway", "HAProxy"], setting, figures })
    }

    fn target(
        &self,
        address: std::net::SocketAddr,
        clients: &[Client],
        requests: &[Vec<u8>],
    ) -> Result<Load, Error> {
        Ok(Load::new(address, identities(&self.pki, clients, Offer::Nothing)?, requests.to_vec()))
    }

    fn start_irgw(&self, store: &Database) -> Result<Irgw, Error> {
        Irgw::start(&self.irgw, self.folder, "irgw", store, self.nginx.address)
    }

    fn start_haproxy(&self) -> Result<Haproxy, Error> {
        Haproxy::start(&self.haproxy, self.folder, self.nginx.address)
    }

    /// Each server afresh: memory when idle, and what idle connections add.
    fn memory(&self) -> Result<Vec<Figure>, Error> {
        say("memory");
        let mut gateway = self.start_irgw(&self.store)?;
        gateway.wait()?;
        let target = self.target(gateway.address, &self.pki.p256, &self.signed)?;
        let (gateway_idle, gateway_each) = self.idle(&gateway.process, &target)?;
        drop(gateway);
        let haproxy = self.start_haproxy()?;
        let target = self.target(haproxy.mutual, &self.pki.p256, &self.plain)?;
        let (haproxy_idle, haproxy_each) = self.idle(&haproxy.process, &target)?;
        let figure = |what, unit, gateway, haproxy, target| {
            let (gateway, other) = (Spread::of(vec![gateway]), Spread::of(vec![haproxy]));
            Figure { what, unit, gateway, other, target: Some(target) }
        };
        Ok(vec![
            figure(
                "resident memory, idle",
                "MB",
                gateway_idle / 1e6,
                haproxy_idle / 1e6,
                Target::Below(40.0),
            ),
            figure(
                "resident memory per idle connection",
                "kB",
                gateway_each / 1e3,
                haproxy_each / 1e3,
                Target::AtMostTimesOther(1.0),
            ),
        ])
    }

    /// Bytes before any load but one answer, and bytes that each of many connections adds.
    fn idle(&self, process: &Process, target: &Load) -> Result<(f64, f64), Error> {
        #[expect(clippy::cast_precision_loss, reason = "memory of one machine")]
        let resident = || process.resident_bytes().map(|bytes| bytes as f64);
        Idle::open(target, 2)?;
        let before = resident()?;
        let count = usize::try_from(self.args.connections).unwrap_or(100);
        let mut idle = Idle::open(target, count)?;
        let after = resident()?;
        idle.check(target)?;
        #[expect(clippy::cast_precision_loss, reason = "at most some thousands")]
        let each = (after - before) / count as f64;
        Ok((before, each))
    }

    /// Starts the gateway again and again over a large store, until its first answer.
    fn start(&self) -> Result<Vec<Figure>, Error> {
        say("start: enrolling");
        let store = Database::File(self.folder.join("large.sqlite"));
        irgw::enrol(&store, &self.pki, usize::try_from(self.args.credentials).unwrap_or(0))?;
        say("start");
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..self.args.rounds.max(3) {
            let mut gateway = self.start_irgw(&store)?;
            gateway.wait()?;
            let target = self.target(gateway.address, &self.pki.p256, &self.signed)?;
            let first = Idle::open(&target, 1)?;
            times.push(gateway.process.started().elapsed().as_secs_f64() * 1e3);
            drop(first);
            #[expect(clippy::cast_precision_loss, reason = "memory of one machine")]
            memory.push(gateway.process.resident_bytes()? as f64 / 1e6);
        }
        let figure = |what, unit, values, target| Figure {
            what,
            unit,
            gateway: Spread::of(values),
            other: None,
            target,
        };
        Ok(vec![
            figure("start to first answer, all enrolled", "ms", times, Some(Target::Below(200.0))),
            figure("resident memory then", "MB", memory, None),
        ])
    }
}

/// Both servers, running side by side; one is under load at a time.
struct Pair<'a> {
    bench: &'a Bench<'a>,
    gateway: Irgw,
    haproxy: Haproxy,
    /// The gateway, which checks the token of every request.
    signed: Load,
    /// HAProxy with `jwt_verify`, and with mutual TLS alone.
    verified: Load,
    mutual: Load,
}

/// What saturated servers did, a value a round.
struct Requests {
    gateway: Vec<Counted>,
    verified: Vec<Counted>,
    mutual: Vec<Counted>,
}

impl<'a> Pair<'a> {
    fn start(bench: &'a Bench<'a>) -> Result<Pair<'a>, Error> {
        let mut gateway = bench.start_irgw(&bench.store)?;
        gateway.wait()?;
        let haproxy = bench.start_haproxy()?;
        let clients = &bench.pki.p256;
        Ok(Pair {
            signed: bench.target(gateway.address, clients, &bench.signed)?,
            verified: bench.target(haproxy.jwt, clients, &bench.signed)?,
            mutual: bench.target(haproxy.mutual, clients, &bench.plain)?,
            bench,
            gateway,
            haproxy,
        })
    }

    /// What a client that asks for resumption gets from each.
    fn resumption(&self) -> Result<String, Error> {
        const ASKED: u32 = 40;
        let one = self.bench.pki.p256.get(..1).unwrap_or_default();
        let ask = |address, requests: &[Vec<u8>]| {
            let identities = identities(&self.bench.pki, one, Offer::EarlierSession)?;
            load::reuse_per_cent(&Load::new(address, identities, requests.to_vec()), ASKED)
        };
        let gateway = ask(self.gateway.address, &self.bench.signed)?;
        let haproxy = ask(self.haproxy.mutual, &self.bench.plain)?;
        Ok(format!(
            "off on both sides: of {ASKED} connections that offer an earlier session the gateway resumes {gateway:.0} %, \
             HAProxy {haproxy:.0} %; the load offers none"
        ))
    }

    fn requests(&self) -> Result<Requests, Error> {
        let mut requests = Requests { gateway: vec![], verified: vec![], mutual: vec![] };
        let span = self.bench.args.span();
        for round in 1..=self.bench.args.rounds {
            say(&format!("requests, round {round}"));
            requests.gateway.push(load::saturate(&self.signed, &self.gateway.process, span)?);
            requests.mutual.push(load::saturate(&self.mutual, &self.haproxy.process, span)?);
            requests.verified.push(load::saturate(&self.verified, &self.haproxy.process, span)?);
        }
        Ok(requests)
    }

    /// At a rate that is half of what the slower of the two takes, the same for both.
    fn latency(&self, requests: &Requests) -> Result<Vec<Figure>, Error> {
        let median = |counted: &[Counted]| Spread::of(counted.iter().map(|one| one.per_second).collect());
        let half = |other| {
            let rates = [median(&requests.gateway), median(other)];
            rates.iter().flatten().map(|spread| spread.median / 2.0).fold(f64::INFINITY, f64::min)
        };
        let mut figures = Vec::new();
        for (load, rate, whats) in [
            (
                &self.mutual,
                half(&requests.mutual),
                ["p99 latency, JWT / no JWT", "p50 latency, JWT / no JWT"],
            ),
            (
                &self.verified,
                half(&requests.verified),
                ["p99 latency, JWT / jwt_verify", "p50 latency, JWT / jwt_verify"],
            ),
        ] {
            let (mut gateway, mut haproxy) = (Vec::new(), Vec::new());
            for round in 1..=self.bench.args.rounds {
                say(&format!("latency at {rate:.0} requests/s, round {round}"));
                gateway.push(load::pace(&self.signed, rate, self.bench.args.span())?);
                haproxy.push(load::pace(load, rate, self.bench.args.span())?);
            }
            let [p99, p50] = whats;
            for (what, of, target) in [
                (
                    p99,
                    (|latency| latency.p99_us) as fn(&load::Latency) -> f64,
                    Some(Target::AtMostTimesOther(1.0)),
                ),
                (p50, |latency| latency.p50_us, None),
            ] {
                let spread = |latencies: &[load::Latency]| Spread::of(latencies.iter().map(of).collect());
                figures.push(Figure {
                    what,
                    unit: "µs",
                    gateway: spread(&gateway),
                    other: spread(&haproxy),
                    target,
                });
            }
        }
        Ok(figures)
    }

    fn handshakes(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        let pki = &self.bench.pki;
        for (clients, what, cpu, target) in [
            (
                &pki.p256,
                "handshakes, client path P-256",
                "CPU per handshake, P-256",
                Some(Target::TimesOther(1.5)),
            ),
            (
                &pki.p384,
                "handshakes, client path P-384",
                "CPU per handshake, P-384",
                Some(Target::TimesOther(1.5)),
            ),
        ] {
            let to_gateway = self.bench.target(self.gateway.address, clients, &self.bench.signed)?;
            let to_haproxy = self.bench.target(self.haproxy.mutual, clients, &self.bench.plain)?;
            let (mut gateway, mut haproxy) = (Vec::new(), Vec::new());
            for round in 1..=self.bench.args.rounds {
                say(&format!("{what}, round {round}"));
                gateway.push(load::handshakes(&to_gateway, &self.gateway.process, self.bench.args.span())?);
                haproxy.push(load::handshakes(&to_haproxy, &self.haproxy.process, self.bench.args.span())?);
            }
            figures.extend(rates([what, cpu], &gateway, &haproxy, target));
        }
        Ok(figures)
    }
}

impl Requests {
    fn figures(&self) -> Vec<Figure> {
        let verified = rates(
            ["requests, JWT / jwt_verify", "CPU per request, JWT / jwt_verify"],
            &self.gateway,
            &self.verified,
            Some(Target::TimesOther(3.0)),
        );
        let mutual = rates(
            ["requests, JWT / no JWT", "CPU per request, JWT / no JWT"],
            &self.gateway,
            &self.mutual,
            Some(Target::TimesOther(0.9)),
        );
        [verified, mutual].into_iter().flatten().collect()
    }
}
