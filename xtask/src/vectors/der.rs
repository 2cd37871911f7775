//! The little DER that vectors need: an INTEGER that is not negative, and a SEQUENCE (X.690 §8.3, §8.9).

/// An INTEGER of big-endian bytes, in the shortest form.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let mut content = bytes.get(start..).unwrap_or_default().to_vec();
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    encoded(0x02, &content)
}

/// A SEQUENCE of what is encoded already.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    encoded(0x30, &parts.concat())
}

fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0);
    let mut der = vec![tag];
    match content.len() {
        short @ 0..0x80 => der.push(short as u8),
        _ => {
            der.push(0x80 | significant.clone().count() as u8);
            der.extend(significant);
        }
    }
    der.extend(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_have_their_shortest_form() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(sequence(&[integer(&[1]), integer(&[2])]), [0x30, 6, 2, 1, 1, 2, 1, 2]);
        assert_eq!(sequence(&[vec![5; 0x80]])[..3], [0x30, 0x81, 0x80]);
        assert_eq!(sequence(&[vec![5; 0x100]])[..4], [0x30, 0x82, 1, 0]);
    }
}
