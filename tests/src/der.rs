//! Writes DER, so that certificates can be made that no library would make.

/// The contents octets under a tag (X.690 §8.1), the length in its shortest form.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    let length = contents.len();
    match u8::try_from(length) {
        Ok(short @ ..=0x7f) => der.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            der.push(0x80 | u8::try_from(bytes.len()).expect("a length has at most eight octets"));
            der.extend(bytes);
        }
    }
    der.extend_from_slice(contents);
    der
}

/// A SEQUENCE of these.
pub(crate) fn sequence(items: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &items.concat())
}

/// A SET of these, in the order given.
pub(crate) fn set(items: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &items.concat())
}

/// A constructed context-specific element.
pub(crate) fn explicit(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, contents)
}

/// A primitive context-specific element.
pub(crate) fn implicit(number: u8, contents: &[u8]) -> Vec<u8> {
    tlv(0x80 | number, contents)
}

/// A non-negative INTEGER of big-endian bytes.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut contents: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if contents.first().is_none_or(|first| *first >= 0x80) {
        contents.insert(0, 0);
    }
    tlv(0x02, &contents)
}

/// A BOOLEAN that is true.
pub(crate) fn truth() -> Vec<u8> {
    tlv(0x01, &[0xff])
}

/// An OBJECT IDENTIFIER in dotted notation.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let mut arcs = dotted.split('.').map(|arc| arc.parse::<u32>().expect("object identifiers are constants"));
    let first = arcs.next().unwrap_or_default() * 40 + arcs.next().unwrap_or_default();
    let mut contents = Vec::new();
    for arc in std::iter::once(first).chain(arcs) {
        let septets = (1..5).take_while(|n| arc >> (7 * n) > 0).count();
        for n in (0..=septets).rev() {
            let more = if n > 0 { 0x80 } else { 0 };
            contents.push(u8::try_from(arc >> (7 * n) & 0x7f).expect("seven bits") | more);
        }
    }
    tlv(0x06, &contents)
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes].concat())
}

/// A BIT STRING of named bits (X.690 §11.2.2: no trailing zero bits).
pub(crate) fn named_bits(bits: &[u8]) -> Vec<u8> {
    let highest = bits.iter().copied().max().unwrap_or_default();
    let mut octets = vec![0_u8; usize::from(highest / 8) + 1];
    for bit in bits {
        if let Some(octet) = octets.get_mut(usize::from(bit / 8)) {
            *octet |= 0x80 >> (bit % 8);
        }
    }
    let unused = 7 - highest % 8;
    tlv(0x03, &[vec![unused], octets].concat())
}

/// An OCTET STRING.
pub(crate) fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

/// A time: UTCTime until 2049, GeneralizedTime after (RFC 5280 §4.1.2.5). Seconds since the Unix epoch.
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let clock = format!("{month:02}{day:02}{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60);
    match year {
        1950..=2049 => tlv(0x17, format!("{:02}{clock}", year % 100).as_bytes()),
        _ => tlv(0x18, format!("{year:04}{clock}").as_bytes()),
    }
}

/// The proleptic Gregorian date of a day since 1970-01-01.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        assert_eq!(tlv(4, &[7; 127]).get(..2), Some([4, 127].as_slice()));
        assert_eq!(tlv(4, &[7; 128]).get(..3), Some([4, 0x81, 128].as_slice()));
        assert_eq!(tlv(4, &[7; 300]).get(..4), Some([4, 0x82, 1, 44].as_slice()));
    }

    #[test]
    fn object_identifiers_encode_as_in_x690() {
        assert_eq!(oid("1.2.840.113549"), [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
        assert_eq!(oid("2.5.4.3"), [6, 3, 0x55, 4, 3]);
    }

    #[test]
    fn times_are_utc_until_2049() {
        assert_eq!(time(0), tlv(0x17, b"700101000000Z"));
        assert_eq!(time(1_582_979_696), tlv(0x17, b"200229123456Z"));
        assert_eq!(time(2_524_608_000), tlv(0x18, b"20500101000000Z"));
    }

    #[test]
    fn integers_stay_positive() {
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
    }

    #[test]
    fn named_bits_have_no_trailing_zeros() {
        assert_eq!(named_bits(&[0]), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(&[5, 6]), [3, 2, 1, 0x06]);
    }
}
