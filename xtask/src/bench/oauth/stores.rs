//! The gateway on a PostgreSQL server beside the gateway on a SQLite file: one machine, one disk, in turn.

#[allow(clippy::unwrap_used, reason = "the store's tests share it: what fails there is to panic")]
#[path = "../../../../crates/irgw-store/tests/support/postgres.rs"]
mod server;

use std::sync::Arc;

use irgw_store::Database;

use super::super::clock::Wall;
use super::super::irgw::{self, Irgw};
use super::super::load::CONNECTIONS;
use super::super::report::{Report, rates};
use super::super::say;
use super::ask::{self, Codes, Refresh};
use super::seed::Seed;
use super::{Bench, CODES_PER_SECOND, Sides};
use crate::Error;

impl Bench<'_> {
    /// Redemption and refresh on both; `None` without a server.
    pub(super) fn stores(
        &self,
        sqlite: &Irgw,
        seed: &Seed,
        mut setting: Vec<(&'static str, String)>,
    ) -> Result<Option<Report>, Error> {
        let server = match server::Server::start(None) {
            Ok(server) => server,
            Err(reason) => {
                println!("SKIPPED: postgres: {reason}");
                return Ok(None);
            }
        };
        // The tests' server need not survive a loss of power. This one does what an operator's does.
        server.query("ALTER SYSTEM SET fsync = on");
        server.query("SELECT pg_reload_conf()");
        setting.push(("PostgreSQL", server.query("SHOW server_version")));
        let note = "the gateway's; the server's processes come on top";
        setting.push(("CPU on PostgreSQL", note.into()));
        let place = irgw_store::Server::parse(&server.url, self.folder, Arc::new(Wall));
        let database = Database::Server(place.map_err(Error::step("read the server's URL"))?);
        irgw::enrol(&database, &self.pki, 0)?;
        let own = Seed::open(&database)?;
        let upstream = self.nginx.address;
        let mut postgres = Irgw::start(&self.program, self.folder, "irgw-postgres", &database, upstream)?;
        postgres.wait()?;

        say("making codes");
        let supply = self.args.supply(CODES_PER_SECOND);
        let side = |gateway: &Irgw, seed: &Seed| {
            let at = ask::Place::of_gateway(gateway.desktop);
            let codes = Codes::new(&at, seed.codes(supply)?);
            let codes: Vec<_> = (0..CONNECTIONS).map(|_| codes.clone()).collect();
            Ok::<_, Error>((codes, Refresh::all(&at, seed.families(CONNECTIONS)?)))
        };
        let (mut own_codes, mut own_refresh) = side(&postgres, &own)?;
        let (mut other_codes, mut other_refresh) = side(sqlite, seed)?;
        let sides = Sides {
            own: (self.target(postgres.desktop)?, &postgres.process),
            other: (self.target(sqlite.desktop)?, &sqlite.process),
            span: self.args.span(),
        };
        let (mut codes, mut refreshes) = (Vec::new(), Vec::new());
        for round in 1..=self.args.rounds {
            say(&format!("PostgreSQL beside SQLite, round {round}"));
            codes.push(sides.converse(&mut own_codes, &mut other_codes)?);
            refreshes.push(sides.converse(&mut own_refresh, &mut other_refresh)?);
        }
        let mut figures = Vec::new();
        for (what, counted) in [
            (["codes redeemed", "CPU per code"], codes),
            (["refresh tokens exchanged", "CPU per refresh"], refreshes),
        ] {
            let (own, other): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
            figures.extend(rates(what, &own, &other, None));
        }
        Ok(Some(Report { columns: ["PostgreSQL", "SQLite"], setting, figures }))
    }
}
