//! The demo provider of a development directory, to which the gateway delivers (SFTP-1, PGP-1).

use std::num::NonZeroU8;
use std::path::Path;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::delivery::Partner;
use irgw_sftp::fileset::Feed;
use irgw_sftp::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Protection, Terms};
use irgw_sftp::ssh::{Curve, HostPin, HostPins, PrivateKey};
use irgw_store::Store;

use super::configuration::RECEIVED;
use super::manifest::{GatewayPgp, GatewaySsh, PgpKey, SftpServer};
use super::provider::{DemoProvider, INBOX, OUTBOX};
use super::{DevError, Layout, files, own_keys};
use crate::transfer::folder_name;

/// The demo provider's user for the gateway.
const USER: &str = "inland-revenue";
/// As in IR's published sets of the transaction data feed.
const PLATFORM: &str = "1500131086";
const ENVIRONMENT: &str = "NZT";

/// What was made for file transfer.
pub(super) struct Transfer {
    pub(super) provider: DemoProvider,
    pub(super) sftp: SftpServer,
    pub(super) pgp: PgpKey,
    pub(super) gateway_ssh: GatewaySsh,
    pub(super) gateway_pgp: GatewayPgp,
    id: irgw_core::ProviderId,
    pin: HostPin,
    certificate: PartnerCert,
}

/// Makes what is missing: an interrupted attempt is gone on with. `port` is the demo provider's.
///
/// # Errors
/// [`DevError`].
pub(super) fn make_or_keep(
    layout: &Layout,
    provider: &str,
    port: u16,
    now: UnixTime,
) -> Result<Transfer, DevError> {
    let folder = layout.dir.join("provider");
    files::make_directory(&folder).map_err(|error| DevError::file(&folder, error))?;
    let own = own_keys::make_or_keep(layout, now)?;
    let client_key = folder.join("gateway-ssh.key");
    write(&client_key, own.keys.live_ssh().to_openssh(None).map_err(failed)?.expose().as_bytes())?;
    for part in [INBOX, OUTBOX] {
        let path = folder.join("files").join(part);
        files::make_directory(&path).map_err(|error| DevError::file(&path, error))?;
    }
    let host_key_path = folder.join("host.key");
    let host_key = match std::fs::read(&host_key_path) {
        Ok(pem) => PrivateKey::parse(&pem, None).map_err(failed)?,
        Err(_) => {
            let key = PrivateKey::generate(Curve::P256).map_err(failed)?;
            write(&host_key_path, key.to_openssh(None).map_err(failed)?.expose().as_bytes())?;
            key
        }
    };
    let host_key_public = folder.join("host.pub");
    let line = host_key.authorized_key("demo provider");
    write(&host_key_public, line.as_bytes())?;
    let key_path = folder.join("pgp.key");
    let key = match std::fs::read(&key_path) {
        Ok(bytes) => OwnKey::from_bytes(&bytes, Protection::Unprotected).map_err(failed)?,
        Err(_) => {
            let key = OwnKey::generate(
                "Demo provider <sftp@kowhai.example.nz>",
                Algorithm::Curve25519,
                now,
                TEN_YEARS,
            )
            .map_err(failed)?;
            write(&key_path, key.to_armored(Protection::Unprotected).map_err(failed)?.expose())?;
            key
        }
    };
    let certificate_path = folder.join("pgp.crt");
    write(&certificate_path, &key.certificate())?;

    let enrol = |key: &OwnKey| PartnerCert::enrol(&key.certificate(), now, Terms::default()).map_err(failed);
    let (certificate, signer) = (enrol(&key)?, enrol(own.keys.signing_pgp())?);
    let demo = DemoProvider {
        folder,
        platform: PLATFORM.parse().map_err(failed)?,
        environment: ENVIRONMENT.parse().map_err(failed)?,
        host_key,
        user: USER,
        admitted: own.keys.live_ssh().fingerprint(),
        key,
        signer,
    };
    let id = provider.parse().map_err(failed)?;
    Ok(Transfer {
        sftp: SftpServer {
            host: "127.0.0.1".to_owned(),
            port,
            user: USER.to_owned(),
            host_key: host_key_public,
            client_key,
            inbox: demo.inbox(),
            outbox: demo.files().join(OUTBOX),
            received: layout.dir.join(RECEIVED).join(folder_name(&id, demo.environment)),
            released: demo.released(Feed::TransactionData),
            platform: PLATFORM.to_owned(),
            environment: ENVIRONMENT.to_owned(),
        },
        pgp: PgpKey { certificate: certificate_path, key: key_path },
        gateway_ssh: GatewaySsh { public_key: own.public.ssh },
        gateway_pgp: GatewayPgp { certificate: own.public.pgp },
        provider: demo,
        id,
        pin: line.parse().map_err(failed)?,
        certificate,
    })
}

impl Transfer {
    /// Enrols the demo provider's server where it listens now.
    ///
    /// # Errors
    /// Faults of the store.
    pub(super) fn enrol(&self, store: &Store, now: UnixTime) -> Result<(), DevError> {
        let partner = Partner {
            provider: self.id.clone(),
            environment: self.provider.environment,
            platform: self.provider.platform,
            host: self.sftp.host.clone(),
            port: self.sftp.port,
            login: self.sftp.user.clone(),
            pins: HostPins::only(self.pin.clone()),
            inbox: INBOX.parse().map_err(failed)?,
            outbox: Some(OUTBOX.parse().map_err(failed)?),
            archive: None,
            certificate: self.certificate.clone(),
            compression: Compression::None,
            connections: NonZeroU8::new(2).unwrap_or(NonZeroU8::MIN),
        };
        Ok(store.set_partner(&partner, now)?)
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), DevError> {
    files::write(path, content).map_err(|error| DevError::file(path, error))
}

fn failed(error: impl std::fmt::Display) -> DevError {
    DevError::Provider(error.to_string())
}

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
