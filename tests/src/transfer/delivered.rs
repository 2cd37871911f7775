//! Opens a message that the gateway has made, and says what it is made of (PGP-1).

use std::io::Read;

use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey;
use openpgp::packet::Packet;
use openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};

use super::message::POLICY;
use crate::Error;

/// What a message is made of, such as `AES-256, SEIPD 1, compressed by None, signed over SHA256 by FINGERPRINT`, and what it
/// holds.
pub(super) fn read(message: &[u8], reader: &Cert, signer: &Cert) -> Result<(String, Vec<u8>), Error> {
    let helper = Reader { reader, signer, seen: String::new() };
    let decryptor =
        DecryptorBuilder::from_bytes(message).and_then(|builder| builder.with_policy(POLICY, None, helper));
    let mut decryptor = decryptor.map_err(Error::recipe)?;
    let mut data = Vec::new();
    decryptor.read_to_end(&mut data).map_err(Error::recipe)?;
    let container = container(message).map_err(Error::recipe)?;
    Ok((format!("{container}{}", decryptor.into_helper().seen), data))
}

/// The version of the integrity-protected container.
fn container(message: &[u8]) -> openpgp::Result<String> {
    let mut parser = PacketParser::from_bytes(message)?;
    while let PacketParserResult::Some(packets) = parser {
        if let Packet::SEIP(container) = &packets.packet {
            return Ok(format!("SEIPD {}", container.version()));
        }
        parser = packets.next()?.1;
    }
    Ok("no integrity protection".into())
}

struct Reader<'a> {
    reader: &'a Cert,
    signer: &'a Cert,
    seen: String,
}

impl VerificationHelper for Reader<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.signer.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            match layer {
                MessageLayer::Compression { algo } => {
                    self.seen.push_str(&format!(", compressed with {algo:?}"))
                }
                MessageLayer::Encryption { sym_algo, .. } => {
                    self.seen.push_str(&format!(", encrypted with {sym_algo:?}"))
                }
                MessageLayer::SignatureGroup { results } => {
                    for result in results {
                        let good = result.map_err(|error| openpgp::Error::BadSignature(error.to_string()))?;
                        let recipients = good.sig.intended_recipients().count();
                        self.seen.push_str(&format!(
                            ", signed over {:?} by {} for {recipients}",
                            good.sig.hash_algo(),
                            good.ka.cert().fingerprint()
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

impl DecryptionHelper for Reader<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[openpgp::packet::PKESK],
        _: &[openpgp::packet::SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for key in self.reader.keys().secret() {
            let Ok(mut pair) = key.key().clone().into_keypair() else { continue };
            for pkesk in pkesks {
                let opened = pkesk.decrypt(&mut pair, algorithm);
                if opened.is_some_and(|(algorithm, session_key)| decrypt(algorithm, &session_key)) {
                    return Ok(None);
                }
            }
        }
        Err(openpgp::Error::InvalidOperation("the message is encrypted to somebody else".into()).into())
    }
}
