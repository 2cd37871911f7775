//! The Common Name of a new client certificate, and where it comes from (TLS-6, CN-1).

use std::path::PathBuf;

use clap::Args;
use irgw_core::{Rule, UnixTime};
use irgw_tls::{CommonName, CommonNameFault};
use ring::rand::{SecureRandom, SystemRandom};

use crate::commands::CommandError;
use crate::commands::certificate_file::read_certificate;

/// Where the name comes from.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct NameArgs {
    /// The name, as the certificate has it
    #[arg(long, value_name = "CN")]
    common_name: Option<CommonName>,
    /// Take the name from this certificate, PEM or DER, and check the certificate
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// Assign a new name under this domain of the provider's: 32 random hex digits, .irdgws., DOMAIN (CN-1)
    #[arg(long, value_name = "DOMAIN")]
    pub(super) assign: Option<String>,
}

impl NameArgs {
    /// The name: given, read from its certificate, or assigned.
    pub(super) fn common_name(&self, now: UnixTime) -> Result<CommonName, CommandError> {
        if let Some(domain) = &self.assign {
            let mut random = [0; 16];
            SystemRandom::new()
                .fill(&mut random)
                .map_err(|_| CommandError::unusable("the system gives no random numbers"))?;
            return CommonName::assign(random, domain)
                .map_err(|fault| CommandError::refused(Rule::Cn1, fault));
        }
        let name = if let Some(path) = &self.certificate {
            let certificate = read_certificate(path)?;
            CommonName::of_certificate(&certificate, now)
                .map_err(|error| CommandError::from(error).about(path))?
        } else {
            self.common_name.clone().ok_or_else(|| {
                CommandError::unusable(
                    "say which name: --common-name CN, --certificate FILE or --assign DOMAIN",
                )
            })?
        };
        if !is_of_irs_form(&name) {
            tracing::warn!(
                "{name} has not the form of IR's names, 32 hex digits, .irdgws., domain (TLS-6, CN-1)"
            );
        }
        Ok(name)
    }
}

/// Whether a name could have been assigned (CN-1): 32 hex digits, `.irdgws.`, a domain. Upper case passes: names are
/// compared byte for byte, and the one in the certificate counts.
pub(super) fn is_of_irs_form(name: &CommonName) -> bool {
    name.as_str().split_once(".irdgws.").is_some_and(|(digits, domain)| {
        digits.len() == 32
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            && CommonName::assign([0; 16], domain) != Err(CommonNameFault::Domain)
    })
}
