//! Reading a file of vectors: JSON, plain or gzip, of bounded size.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use irgw_core::printable;
use serde::de::DeserializeOwned;

use crate::Error;

/// The most that a file may hold, in bytes, after it was inflated: several times x509-limbo's full set.
pub(super) const LIMIT_BYTES: u64 = 256 << 20;

/// Reads a JSON file into its schema.
///
/// # Errors
/// [`Error::Input`], in one line: it cannot be read, is larger than `limit_bytes`, or is not in the schema.
pub(super) fn read<T: DeserializeOwned>(path: &Path, limit_bytes: u64) -> Result<T, Error> {
    let unusable =
        |why: &dyn std::fmt::Display| Error::Input(format!("cannot use {}: {why}", path.display()));
    let text = inflated(path, limit_bytes).map_err(|error| unusable(&error))?;
    // The parser repeats what it did not expect, whatever that is.
    serde_json::from_slice(&text).map_err(|error| unusable(&printable(&error.to_string())))
}

fn inflated(path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path)?);
    let is_gzip = io::BufRead::fill_buf(&mut file)?.starts_with(&GZIP);
    let source: Box<dyn Read> = if is_gzip { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut text = Vec::new();
    source.take(limit_bytes.saturating_add(1)).read_to_end(&mut text)?;
    if text.len() as u64 > limit_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {limit_bytes} bytes"),
        ));
    }
    Ok(text)
}

/// RFC 1952 §2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vectors.json");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn plain_and_gzip_are_read_up_to_the_limit() {
        let json = b"[1, 2, 3]";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(json).unwrap();
        for bytes in [json.to_vec(), gzip.finish().unwrap()] {
            let (_folder, path) = written(&bytes);
            assert_eq!(read::<Vec<u8>>(&path, 9).unwrap(), [1, 2, 3]);
            let error = read::<Vec<u8>>(&path, 8).unwrap_err().to_string();
            assert!(error.ends_with("it has more than 8 bytes"), "{error}");
        }
    }

    #[test]
    fn what_is_no_json_is_one_line() {
        let nested = "[".repeat(100_000);
        let cut = [GZIP[0], GZIP[1], 8, 0];
        for bytes in [&b""[..], b"\xff\xfe", b"{\"a\":\n", nested.as_bytes(), &cut] {
            let (_folder, path) = written(bytes);
            let error = read::<Vec<Vec<u8>>>(&path, LIMIT_BYTES).unwrap_err();
            assert!(matches!(error, Error::Input(_)));
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        let (folder, _) = written(b"");
        assert!(
            read::<Vec<u8>>(&folder.path().join("absent"), 9)
                .unwrap_err()
                .to_string()
                .contains("cannot use ")
        );
    }
}
