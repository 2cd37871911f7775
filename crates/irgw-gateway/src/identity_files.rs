//! A listener's certificate and key, as files (TLS-2, A19).

use irgw_core::UnixTime;
use irgw_tls::ServerIdentity;
use irgw_tls::server::Server;

use crate::config::{ListenerConfig, Problem};
use crate::kept::{Alarm, Kept};
use crate::material;
use crate::metrics::Metrics;

/// The pair that a listener presents.
pub(crate) struct IdentityFiles {
    config: ListenerConfig,
    identity: Kept<ServerIdentity>,
    out_of_date: Alarm,
}

impl IdentityFiles {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// A problem with the setting that names a file.
    pub(crate) fn read(config: &ListenerConfig) -> Result<IdentityFiles, Problem> {
        let what = format!("certificate of {}", config.listen.value);
        let files = [&config.certificate, &config.key];
        Ok(IdentityFiles {
            config: config.clone(),
            out_of_date: Alarm::new(format!("{what} out of date")),
            identity: Kept::read(what, &files, || material::server_identity(config))?,
        })
    }

    /// The pair in force.
    pub(crate) fn identity(&self) -> &ServerIdentity {
        self.identity.good()
    }

    /// Reads again what has changed or stands under an alarm, and has `server` present it. A certificate that is not
    /// valid now does not replace one that is.
    pub(crate) fn look(&mut self, server: &Server, metrics: &Metrics, now: UnixTime) {
        let config = &self.config;
        let read = self.identity.look(metrics, |former| {
            let identity = material::server_identity(config)?;
            if former.is_current(now) && !identity.is_current(now) {
                return Err(config.certificate.problem("it is not valid now, and the one in force is"));
            }
            Ok(identity)
        });
        if let Some(identity) = read {
            server.replace_identity(identity.clone());
        }
        let problem = (!self.identity().is_current(now)).then(|| {
            self.config.certificate.problem("it is not valid now; clients will refuse it").to_string()
        });
        self.out_of_date.settle(metrics, problem);
    }
}
