//! Opens what arrived, as the provider does (PGP-2).

use std::fs;
use std::path::{Path, PathBuf};

use irgw_core::UnixTime;
use irgw_sftp::pgp::{Limits, OwnKey, PartnerCert, Protection, Quarantine, Terms, decrypt};
use irgw_tests::Local;

use crate::Result;
use crate::sending::demo_provider;

/// The provider's key, and who must have signed.
pub(crate) struct Opener {
    keys: Vec<OwnKey>,
    signers: [PartnerCert; 1],
    folder: PathBuf,
}

impl Opener {
    pub(crate) fn new(local: &Local) -> Result<Opener> {
        let (_, _, pgp) = demo_provider(local)?;
        let signer = local.dev().gateway_pgp.as_ref().ok_or("the environment has no OpenPGP key")?;
        let signer = PartnerCert::enrol(&fs::read(&signer.certificate)?, UnixTime::now(), Terms::default())?;
        let folder = local.folder().join("opened");
        fs::create_dir_all(&folder)?;
        let key = OwnKey::from_bytes(&fs::read(&pgp.key)?, Protection::Unprotected)?;
        Ok(Opener { keys: vec![key], signers: [signer], folder })
    }

    pub(crate) fn open(&self, path: &Path) -> Result<Vec<u8>> {
        let quarantine = Quarantine::create_in(&self.folder)?;
        let message = fs::File::open(path)?;
        let limits = Limits::default();
        let verified = decrypt(&self.keys, &self.signers, UnixTime::now(), &limits, message, quarantine)?;
        let opened = self.folder.join("opened");
        verified.publish(&opened)?;
        let bytes = fs::read(&opened)?;
        fs::remove_file(&opened)?;
        Ok(bytes)
    }
}
