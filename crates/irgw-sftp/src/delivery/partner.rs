//! A provider's file server, and whose key its files are encrypted to: as enrolment took it (SFTP-1, SFTP-2, PGP-1).

use std::num::NonZeroU8;

use irgw_core::ProviderId;

use crate::fileset::{EnvironmentCode, PlatformId};
use crate::pgp::{Compression, PartnerCert};
use crate::ssh::HostPins;
use crate::ssh::sftp::Folder;

/// What is known of a provider's file server in one file environment.
#[derive(Debug, Clone)]
pub struct Partner {
    /// Whose it is.
    pub provider: ProviderId,
    /// The environment code in the names of its files.
    pub environment: EnvironmentCode,
    /// The platform id in the names of its files.
    pub platform: PlatformId,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user that the provider made for us.
    pub login: String,
    /// The host keys that it may have.
    pub pins: HostPins,
    /// Where files are put.
    pub inbox: Folder,
    /// Where the provider's files are fetched from, if it has any for us.
    pub outbox: Option<Folder>,
    /// Where a fetched file is put aside; `None`: it is removed.
    pub archive: Option<Folder>,
    /// Whom files are encrypted to, and whose signature fetched ones must have.
    pub certificate: PartnerCert,
    /// Whether files are compressed before they are encrypted, as agreed.
    pub compression: Compression,
    /// How many connections there may be at once.
    pub connections: NonZeroU8,
}
