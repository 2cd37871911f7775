//! Whether the identities of a `dev.json` are still in date: with others no case says anything.

use std::path::Path;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::Error;
use crate::certificate::read_chain;
use crate::dev::Dev;

/// Fails for the first certificate that is not valid now; `now` is in seconds since the Unix epoch.
pub(crate) fn check(dev: &Dev, now: u64) -> Result<(), Error> {
    let providers = dev.providers.iter().flat_map(|provider| {
        [&provider.certificate].into_iter().chain(provider.signing.iter().map(|signing| &signing.certificate))
    });
    for path in [&dev.client_ca.certificate].into_iter().chain(providers) {
        in_date(path, i64::try_from(now).unwrap_or(i64::MAX))?;
    }
    Ok(())
}

fn in_date(path: &Path, now: i64) -> Result<(), Error> {
    for der in read_chain(path)? {
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|error| Error::content(path, error))?;
        let validity = certificate.validity();
        if now > validity.not_after.timestamp() {
            let when = validity.not_after;
            return Err(Error::content(
                path,
                format_args!("expired on {when}; start `irgw dev` with another --dir"),
            ));
        }
        if now < validity.not_before.timestamp() {
            let when = validity.not_before;
            return Err(Error::content(path, format_args!("not valid before {when}; is the clock right?")));
        }
    }
    Ok(())
}
