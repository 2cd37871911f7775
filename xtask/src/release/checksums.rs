//! `SHA256SUMS`: the digests of all that is handed out, in the form that `sha256sum --check` reads.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use ring::digest::{SHA256, digest};

use super::outcome::Outcome;
use crate::{Error, run};

const NAME: &str = "SHA256SUMS";

/// The step: writes the sums of the files in the folder, and has sha256sum read them.
pub(super) fn write(folder: &Path) -> Result<Outcome, Error> {
    let sums = sums(folder).map_err(Error::at("read", folder))?;
    if sums.is_empty() {
        return Ok(Outcome::failed(format!(
            "there is nothing in {}; run the steps `binaries` and `sbom`",
            folder.display()
        )));
    }
    let path = folder.join(NAME);
    fs::write(&path, sums.concat()).map_err(Error::at("write", &path))?;
    let details = sums.iter().map(|line| line.trim_end().to_owned()).collect();
    if run::find("sha256sum").is_none() {
        return Ok(Outcome::skipped(format!("{NAME} is written, but there is no sha256sum to check it"))
            .with(details));
    }
    run::read(Command::new("sha256sum").args(["--check", "--strict", "--quiet", NAME]).current_dir(folder))?;
    Ok(Outcome::passed(format!("{NAME} of {} files, checked by sha256sum", sums.len())).with(details))
}

/// A line for each file of the folder, by name.
fn sums(folder: &Path) -> io::Result<Vec<String>> {
    let mut sums = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name != NAME {
            sums.push((name, sha256(&fs::read(entry.path())?)));
        }
    }
    sums.sort();
    Ok(sums.into_iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect())
}

/// The digest in 64 lower-case hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Verdict;
    use super::*;

    #[test]
    fn sums_are_of_the_files_alone_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path()).unwrap().verdict, Verdict::Failed);
        fs::write(folder.path().join("b"), "").unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        // The second run finds the file of the first.
        for _ in 0..2 {
            write(folder.path()).unwrap();
        }
        let written = fs::read_to_string(folder.path().join(NAME)).unwrap();
        // FIPS 180-4's example for "abc", and the empty text's.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n\
                        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n";
        assert_eq!(written, expected);
    }
}
