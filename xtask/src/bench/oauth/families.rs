//! What a request costs among many live families and many revocations, and what the gateway's memory is then.

use std::time::Duration;

use super::super::client::{Offer, Target as Load, identities, request};
use super::super::irgw::Irgw;
use super::super::load::{self, CONNECTIONS, Counted};
use super::super::report::{Figure, Report, Target};
use super::super::say;
use super::super::statistics::Spread;
use super::ask::{self, Bodies, Refresh};
use super::seed::Seed;
use super::{Bench, TOKENS};
use crate::Error;

/// How long a gateway may take to learn of revocations: it asks every 200 ms.
const LEARN: Duration = Duration::from_secs(2);

/// What was measured with one amount of state.
#[derive(Default)]
struct Measured {
    requests: Vec<Counted>,
    introspections: Vec<Counted>,
    refreshes: Vec<Counted>,
    resident_bytes: u64,
    store_bytes: u64,
}

impl Bench<'_> {
    /// First with few, then with many.
    pub(super) fn families(
        &self,
        gateway: &Irgw,
        seed: &Seed,
        mut setting: Vec<(&'static str, String)>,
    ) -> Result<Report, Error> {
        let count = usize::try_from(self.args.families).unwrap_or(usize::MAX);
        let few = self.measure(gateway, seed)?;
        say(&format!("making {count} families"));
        let started = std::time::Instant::now();
        drop(seed.families(count)?);
        let making = started.elapsed();
        // The first customers' families, some of which the parts before made.
        seed.withdraw(count / 10, Seed::each(count))?;
        std::thread::sleep(LEARN);
        let many = self.measure(gateway, seed)?;
        setting.push((
            "families",
            format!(
                "{count} live, then {} of them revoked; made in {:.0} s by 32 threads, two transactions each",
                count / 10,
                making.as_secs_f64()
            ),
        ));
        let figure = |what, of: fn(&Measured) -> &Vec<Counted>, target| {
            let spread = |measured| Spread::of(of(measured).iter().map(|one: &Counted| one.cpu_us).collect());
            Figure { what, unit: "µs", gateway: spread(&many), other: spread(&few), target }
        };
        #[expect(clippy::cast_precision_loss, reason = "memory of one machine")]
        let megabytes = |what, of: fn(&Measured) -> u64| {
            let one = |measured| Spread::of(vec![of(measured) as f64 / 1e6]);
            Figure { what, unit: "MB", gateway: one(&many), other: one(&few), target: None }
        };
        let figures = vec![
            figure("CPU per request with an access token", |one| &one.requests, None),
            figure("CPU per introspection", |one| &one.introspections, None),
            figure("CPU per refresh", |one| &one.refreshes, Some(Target::AtMostTimesOther(1.0))),
            megabytes("resident memory", |one| one.resident_bytes),
            megabytes("database on disk", |one| one.store_bytes),
        ];
        Ok(Report { columns: ["many", "few"], setting, figures })
    }

    fn measure(&self, gateway: &Irgw, seed: &Seed) -> Result<Measured, Error> {
        let at = ask::Place::of_gateway(gateway.desktop);
        let server = self.target(gateway.desktop)?;
        let mut refresh = Refresh::all(&at, seed.last_families(TOKENS)?);
        ask::once(&server, &mut refresh)?;
        let fields = refresh.iter().map(|one| request(Some(&format!("Bearer {}", one.access_token()))));
        let identities = identities(&self.pki, &self.pki.p256, Offer::Nothing)?;
        let requests = Load::new(gateway.address, identities, fields.collect());
        let asked = refresh.iter().map(|one| at.introspect(one.access_token())).collect();
        let mut asked = Bodies::all(asked, CONNECTIONS, "\"active\":true");
        let some = refresh.get_mut(..CONNECTIONS).expect("there are more tokens than connections");
        let (span, process) = (self.args.span(), &gateway.process);
        let mut measured = Measured::default();
        for round in 1..=self.args.rounds {
            say(&format!("the cost of a request, round {round}"));
            measured.requests.push(load::saturate(&requests, process, span)?);
            measured.introspections.push(load::converse(&server, process, span, &mut asked)?);
            measured.refreshes.push(load::converse(&server, process, span, some)?);
        }
        measured.resident_bytes = process.resident_bytes()?;
        let files = ["irgw.sqlite", "irgw.sqlite-wal"].map(|name| self.folder.join(name));
        measured.store_bytes = files.iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        Ok(measured)
    }
}
