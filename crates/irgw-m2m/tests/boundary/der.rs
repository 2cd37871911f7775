//! Certificates put together byte by byte, so that a test can make any that nobody would issue.

/// A certificate of which everything that enrolment looks at can be changed.
///
/// Its signature is not one: enrolment trusts a certificate because an operator enrols it, whoever issued it.
#[derive(Clone)]
pub(crate) struct Template {
    /// The version field's value: 2 is v3. `None` leaves it out, which makes it v1.
    pub(crate) version: Option<u8>,
    /// As UTCTime or, with four digits of year, as GeneralizedTime.
    pub(crate) not_before: &'static str,
    pub(crate) not_after: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) spki: Vec<u8>,
    /// Whole Extension values.
    pub(crate) extensions: Vec<Vec<u8>>,
}

impl Template {
    /// A certificate that may be enrolled: from ten days ago, for a year.
    pub(crate) fn new(spki: &[u8]) -> Template {
        Template {
            version: Some(2),
            not_before: "251222000000Z",
            not_after: "261222000000Z",
            subject: "Kōwhai Payroll signing",
            spki: spki.to_vec(),
            extensions: vec![key_usage(0x80)],
        }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let algorithm = sequence(&[tlv(0x06, ECDSA_WITH_SHA256)]);
        let version = self.version.map(|version| tlv(0xa0, &tlv(0x02, &[version]))).unwrap_or_default();
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            extensions => tlv(0xa3, &sequence(extensions)),
        };
        let tbs = sequence(&[
            version,
            tlv(0x02, &[0x01, 0x23, 0x45]),
            algorithm.clone(),
            name("issuer"),
            sequence(&[time(self.not_before), time(self.not_after)]),
            name(self.subject),
            self.spki.clone(),
            extensions,
        ]);
        sequence(&[tbs, algorithm, bit_string(&[0; 8])])
    }
}

/// A keyUsage extension, critical, with these bits from the left.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    let unused = bits.trailing_zeros().min(7) as u8;
    extension(&[0x55, 0x1d, 0x0f], Critical::Yes, &tlv(0x03, &[unused, bits]))
}

pub(crate) enum Critical {
    Yes,
    No,
}

pub(crate) fn extension(oid: &[u8], critical: Critical, value: &[u8]) -> Vec<u8> {
    let critical = if matches!(critical, Critical::Yes) { tlv(0x01, &[0xff]) } else { Vec::new() };
    sequence(&[tlv(0x06, oid), critical, tlv(0x04, value)])
}

/// A public key of a curve, given by the parameters' encoding.
pub(crate) fn curve_key(parameters: &[u8], point: &[u8]) -> Vec<u8> {
    sequence(&[sequence(&[tlv(0x06, EC_PUBLIC_KEY), parameters.to_vec()]), bit_string(point)])
}

pub(crate) fn named_curve(oid: &[u8], point: &[u8]) -> Vec<u8> {
    curve_key(&tlv(0x06, oid), point)
}

/// An RSA public key of these numbers. A made-up modulus is as good as a product of primes here.
pub(crate) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    rsa_key_of(&sequence(&[unsigned(modulus), unsigned(exponent)]))
}

/// An RSA public key of this RSAPublicKey.
pub(crate) fn rsa_key_of(numbers: &[u8]) -> Vec<u8> {
    sequence(&[sequence(&[tlv(0x06, RSA_ENCRYPTION), tlv(0x05, &[])]), bit_string(numbers)])
}

/// A modulus of so many bits.
pub(crate) fn modulus(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] = 0xff >> ((8 - bits % 8) % 8);
    bytes
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..=127 => vec![tag, length as u8],
        128..=255 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header.as_slice(), content].concat()
}

fn unsigned(bytes: &[u8]) -> Vec<u8> {
    if bytes[0] & 0x80 == 0 { tlv(0x02, bytes) } else { tlv(0x02, &[&[0], bytes].concat()) }
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

fn time(text: &str) -> Vec<u8> {
    tlv(if text.len() == 13 { 0x17 } else { 0x18 }, text.as_bytes())
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = sequence(&[tlv(0x06, &[0x55, 0x04, 0x03]), tlv(0x0c, common_name.as_bytes())]);
    sequence(&[tlv(0x31, &attribute)])
}

pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
pub(crate) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
pub(crate) const SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
