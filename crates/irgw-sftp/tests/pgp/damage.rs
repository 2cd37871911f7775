//! Messages that were damaged or changed on the way (F05, F07).

use std::sync::LazyLock;

use irgw_sftp::pgp::{Compression, Container, DecryptFault, OwnKey, PartnerCert, Terms};
use proptest::prelude::*;

use crate::support::{enrolled, key, noise, now, open, seal};

struct Sent {
    keys: [OwnKey; 1],
    signers: [PartnerCert; 1],
    message: Vec<u8>,
}

fn sent(compression: Compression, length: usize) -> Sent {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let message = seal(&enrolled(&theirs), &ours, compression, &noise(length));
    Sent { keys: [theirs], signers: [enrolled(&ours)], message }
}

impl Sent {
    fn open(&self, message: &[u8]) -> Result<Vec<u8>, DecryptFault> {
        open(&self.keys, &self.signers, message)
    }
}

#[test]
fn message_that_is_cut_off_is_refused_wherever_it_ends() {
    for compression in [Compression::None, Compression::Zlib] {
        let sent = sent(compression, 100_000);
        let length = sent.message.len();
        let ends = (0..length).step_by(1024).chain(0..300).chain(length - 700..length);
        for end in ends {
            let fault = sent.open(&sent.message[..end]).err();
            // Where the end is missing, the library takes the last octets there are for the missing ones.
            let cut = matches!(
                fault,
                Some(
                    DecryptFault::Truncated
                        | DecryptFault::Malformed
                        | DecryptFault::Modified
                        | DecryptFault::SessionKey
                        | DecryptFault::Unsupported(_)
                )
            );
            assert!(cut, "{compression:?}, {end} of {length} bytes: {fault:?}");
        }
    }
}

#[test]
fn seipd2_message_that_is_cut_off_or_changed_is_refused_wherever_it_is() {
    let (ours, theirs) = (key("IR"), key("DSP"));
    let terms = Terms { container: Container::Seipd2, ..Terms::default() };
    let partner = PartnerCert::enrol(&theirs.certificate(), now(), terms).unwrap();
    let message = seal(&partner, &ours, Compression::None, b"wages");
    let (keys, signers) = ([theirs], [enrolled(&ours)]);
    assert_eq!(open(&keys, &signers, &message).as_deref(), Ok(&b"wages"[..]));
    for at in 0..message.len() {
        assert!(open(&keys, &signers, &message[..at]).is_err(), "{at}");
        let mut changed = message.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(open(&keys, &signers, &changed).is_err(), "{at}");
    }
}

#[test]
fn large_message_that_is_cut_off_releases_nothing() {
    // More than the library holds back: plaintext has been handed out before the end is missed.
    let sent = sent(Compression::None, 6 << 20);
    for end in [3 << 20, (5 << 20) + 7, sent.message.len() - 1] {
        let fault = sent.open(&sent.message[..end]).err();
        assert!(matches!(fault, Some(DecryptFault::Truncated | DecryptFault::Modified)), "{end}: {fault:?}");
    }
}

#[test]
fn message_with_one_bit_changed_is_refused_wherever_it_is() {
    let sent = sent(Compression::None, 3000);
    for at in 0..sent.message.len() {
        let mut changed = sent.message.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(sent.open(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn changed_ciphertext_is_told() {
    let sent = sent(Compression::None, 6 << 20);
    let mut changed = sent.message.clone();
    changed[1 << 20] ^= 0x40;
    assert_eq!(sent.open(&changed), Err(DecryptFault::Modified));
}

#[test]
fn bytes_behind_the_message_are_refused() {
    let sent = sent(Compression::None, 100);
    for tail in [&sent.message[..], &[0xff; 8], &[0; 3], b"\n", &[0xcb, 0x02, b'b', 0]] {
        let longer = [&sent.message, tail].concat();
        assert!(sent.open(&longer).is_err(), "{tail:x?}");
    }
    assert!(sent.open(&[&[0xff; 8], &sent.message[..]].concat()).is_err());
}

static RECIPIENT: LazyLock<Sent> = LazyLock::new(|| sent(Compression::None, 0));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(RECIPIENT.open(&bytes).is_err());
    }

    #[test]
    fn any_packets_are_refused(
        packets in proptest::collection::vec((0_u8..64, proptest::collection::vec(any::<u8>(), 0..190)), 0..20),
    ) {
        let message: Vec<u8> = packets
            .into_iter()
            .flat_map(|(tag, body)| [vec![0xc0 | tag, u8::try_from(body.len()).unwrap()], body].concat())
            .collect();
        prop_assert!(RECIPIENT.open(&message).is_err());
    }
}
