//! Whether a log is as it was sealed.

use std::fmt;
use std::io::{self, BufRead, Read};

use ring::digest::Context;
use serde::Serialize;

use super::seal::{Note, Seal, SealKey, SealLine};

/// A line of the gateway's is far shorter; what is longer is not held in memory.
const LINE_BYTES: u64 = 1 << 20;

/// Verifies a log that may have been rotated into several files.
#[derive(Debug)]
pub struct Verifier {
    key: Option<SealKey>,
    wanted: Option<Seal>,
    verified: Verified,
}

/// What a log that verified holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Whether a key vouched for every seal; otherwise only the chain of hashes was checked.
    pub keyed: bool,
    /// Sealed records.
    pub records: u64,
    /// Seals.
    pub batches: u64,
    /// Lines that were found unsealed, kept, and marked so: nobody vouches for them.
    pub recovered: u64,
    /// Lines behind the last seal: written, and not yet sealed.
    pub unsealed: u64,
    /// What the first file continues; zeros: nothing.
    pub continues: Seal,
    /// The last seal: what to keep elsewhere.
    pub last_seal: Seal,
    /// Whether the log reached the seal that was asked for.
    #[serde(skip)]
    pub reached: bool,
}

/// Where a log does not verify.
#[derive(Debug)]
#[non_exhaustive]
pub enum Broken {
    /// The log cannot be read.
    Io(io::Error),
    /// A seal does not fit the bytes before it.
    Seal {
        /// The seal's line, from 1.
        line: u64,
        /// The first line that it seals.
        first: u64,
    },
    /// A seal fits the bytes before it, and the key did not make it.
    Key {
        /// The seal's line, from 1.
        line: u64,
    },
    /// A seal's count differs from the records that it seals.
    Count {
        /// The seal's line, from 1.
        line: u64,
    },
    /// A line is no record.
    Record {
        /// The line, from 1.
        line: u64,
    },
    /// The last line is cut short.
    CutShort {
        /// The line, from 1.
        line: u64,
        /// Whole lines before it that no seal covers.
        unsealed: u64,
    },
    /// The log goes on behind a seal that is not the one before.
    Gap {
        /// The line that says so, from 1.
        line: u64,
    },
    /// The file before ends in lines that no seal covers.
    Unsealed,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Io(_) => f.write_str("the log cannot be read"),
            Broken::Seal { line, first } => write!(f, "lines {first} to {line} are not as they were sealed"),
            Broken::Key { line } => write!(f, "the seal in line {line} was not made with this key"),
            Broken::Count { line } => {
                write!(f, "the seal in line {line} counts other records than stand before it")
            }
            Broken::Record { line } => write!(f, "line {line} is no audit record"),
            Broken::CutShort { line, unsealed } => {
                write!(f, "line {line}, the last one, is cut short and unsealed")?;
                match unsealed {
                    0 => Ok(()),
                    1 => f.write_str(", as is 1 whole line before it"),
                    _ => write!(f, ", as are {unsealed} whole lines before it"),
                }
            }
            Broken::Gap { line } => {
                write!(
                    f,
                    "line {line} continues another seal than the last one before it; something is missing"
                )
            }
            Broken::Unsealed => f.write_str("the file before it ends in lines that no seal covers"),
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Broken::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl Verifier {
    /// With the key, everything is checked; without, only the chain, which anybody can make who can write the file.
    /// `wanted` is a seal that the log must reach.
    pub fn new(key: Option<SealKey>, wanted: Option<Seal>) -> Verifier {
        let verified = Verified {
            keyed: key.is_some(),
            records: 0,
            batches: 0,
            recovered: 0,
            unsealed: 0,
            continues: Seal::START,
            last_seal: Seal::START,
            reached: wanted.is_none_or(|seal| seal == Seal::START),
        };
        Verifier { key, wanted, verified }
    }

    /// What was verified so far.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Verifies one file, which continues the one before it.
    ///
    /// # Errors
    /// [`Broken`], at the first place that does not fit.
    pub fn file(&mut self, mut log: impl BufRead) -> Result<(), Broken> {
        if self.verified.unsealed > 0 {
            return Err(Broken::Unsealed);
        }
        let is_first = self.verified.batches == 0;
        let mut batch = Batch::behind(self.verified.last_seal, 1);
        let (mut number, mut piece, mut is_inside) = (0, Vec::new(), false);
        loop {
            piece.clear();
            let read = Read::by_ref(&mut log).take(LINE_BYTES).read_until(b'\n', &mut piece);
            if read.map_err(Broken::Io)? == 0 {
                break;
            }
            number += u64::from(!is_inside);
            let line = if is_inside { Line::Other } else { Line::read(&piece) };
            match line {
                Line::Seal(found) => {
                    self.settle(batch, &found, number)?;
                    batch = Batch::behind(found.seal, number + 1);
                    continue;
                }
                Line::Note(Note::Continues(seal)) if is_first && number == 1 => {
                    self.verified.continues = seal;
                    self.reach(seal);
                    batch = Batch::behind(seal, 1);
                }
                _ => {}
            }
            batch.context.update(&piece);
            batch.lines += u64::from(!is_inside);
            match line {
                Line::Record => {}
                Line::Note(Note::Continues(seal)) if seal == self.verified.last_seal && batch.lines == 1 => {
                    batch.others = 1;
                }
                Line::Note(Note::Continues(_)) => batch.find(Broken::Gap { line: number }),
                // Whatever stands before it, this says that it was found so.
                Line::Note(Note::Recovered(lines)) if lines == batch.lines - 1 => {
                    (batch.recovered, batch.others, batch.flaw) = (lines, batch.lines, None);
                }
                Line::CutShort => batch.find(Broken::CutShort { line: number, unsealed: batch.lines - 1 }),
                _ => batch.find(Broken::Record { line: number }),
            }
            is_inside = !piece.ends_with(b"\n");
        }
        self.verified.unsealed = batch.lines;
        batch.flaw.map_or(Ok(()), Err)
    }

    fn settle(&mut self, batch: Batch, found: &SealLine, line: u64) -> Result<(), Broken> {
        if let Some(flaw) = batch.flaw {
            return Err(flaw);
        }
        if found.seal != Seal::from(batch.context) {
            return Err(Broken::Seal { line, first: batch.first });
        }
        if self.key.as_ref().is_some_and(|key| !key.vouches_for(found)) {
            return Err(Broken::Key { line });
        }
        if found.records != batch.lines - batch.others {
            return Err(Broken::Count { line });
        }
        self.verified.records += found.records;
        self.verified.recovered += batch.recovered;
        self.verified.batches += 1;
        self.reach(found.seal);
        Ok(())
    }

    fn reach(&mut self, seal: Seal) {
        self.verified.last_seal = seal;
        self.verified.reached |= self.wanted == Some(seal);
    }
}

/// The lines since a seal.
struct Batch {
    context: Context,
    /// Its first line, from 1.
    first: u64,
    lines: u64,
    /// Lines that are no records.
    others: u64,
    recovered: u64,
    /// What is wrong with a line, first; it may turn out to have been found so.
    flaw: Option<Broken>,
}

impl Batch {
    fn behind(seal: Seal, first: u64) -> Batch {
        Batch { context: seal.context(), first, lines: 0, others: 0, recovered: 0, flaw: None }
    }

    fn find(&mut self, flaw: Broken) {
        self.flaw.get_or_insert(flaw);
    }
}

enum Line {
    Seal(SealLine),
    Note(Note),
    Record,
    CutShort,
    Other,
}

impl Line {
    fn read(piece: &[u8]) -> Line {
        /// What every record has.
        #[derive(serde::Deserialize)]
        struct Record {
            #[serde(rename = "time")]
            _time: String,
            #[serde(rename = "decision")]
            _decision: String,
        }
        if let Some(seal) = SealLine::read(piece) {
            return Line::Seal(seal);
        }
        if !piece.ends_with(b"\n") {
            let is_long = u64::try_from(piece.len()).is_ok_and(|length| length == LINE_BYTES);
            return if is_long { Line::Other } else { Line::CutShort };
        }
        match Note::read(piece) {
            Some(note) => Line::Note(note),
            None if serde_json::from_slice::<Record>(piece).is_ok() => Line::Record,
            None => Line::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealKey {
        SealKey::new(&[7; 32])
    }

    fn record(name: &str) -> String {
        format!("{{\"time\":\"2026-03-01T09:00:00.000Z\",\"id\":\"{name}\",\"decision\":\"refused\"}}\n")
    }

    /// A log of batches of records, behind a seal.
    fn log(mut previous: Seal, batches: &[&[&str]], key: &SealKey) -> Vec<u8> {
        let mut log = Vec::new();
        for batch in batches {
            let bytes: String = batch.iter().map(|name| record(name)).collect();
            previous = sealed(&mut log, previous, bytes.as_bytes(), batch.len() as u64, key);
        }
        log
    }

    fn sealed(log: &mut Vec<u8>, previous: Seal, bytes: &[u8], records: u64, key: &SealKey) -> Seal {
        let mut context = previous.context();
        context.update(bytes);
        let seal = Seal::from(context);
        log.extend(bytes);
        log.extend(key.line(seal, records));
        seal
    }

    fn verify(log: &[u8]) -> Result<Verified, Broken> {
        let mut verifier = Verifier::new(Some(key()), None);
        verifier.file(log)?;
        Ok(verifier.verified().clone())
    }

    #[test]
    fn whole_log_verifies() {
        let verified = verify(&log(Seal::START, &[&["a", "b"], &["c"]], &key())).unwrap();
        assert_eq!((verified.records, verified.batches, verified.unsealed), (3, 2, 0));
    }

    /// G10: any flipped bit is found, in seals too.
    #[test]
    fn any_flipped_bit_is_found() {
        let whole = log(Seal::START, &[&["a", "b"], &["c"]], &key());
        for at in 0..whole.len() {
            for bit in [1, 0x20] {
                let mut changed = whole.clone();
                changed[at] ^= bit;
                let same = verify(&changed).is_ok_and(|verified| verified.records == 3);
                assert!(!same, "byte {at}");
            }
        }
    }

    /// G10: the chain can be recomputed by anybody; the key's word cannot.
    #[test]
    fn log_of_somebody_elses_making_is_found_with_the_key_alone() {
        let forged = log(Seal::START, &[&["a"]], &SealKey::new(&[8; 32]));
        assert!(matches!(verify(&forged), Err(Broken::Key { line: 2 })));
        let mut without = Verifier::new(None, None);
        without.file(forged.as_slice()).unwrap();
        assert!(!without.verified().keyed);
    }

    #[test]
    fn removed_batch_is_found() {
        let text = String::from_utf8(log(Seal::START, &[&["a"], &["b"], &["c"]], &key())).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let cut = [&lines[..2], &lines[4..]].concat().join("\n") + "\n";
        assert!(matches!(verify(cut.as_bytes()), Err(Broken::Seal { line: 4, first: 3 })));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert!(matches!(verify(b"hello\n"), Err(Broken::Record { line: 1 })));
        assert!(matches!(verify(b"{\"a\":1}\n"), Err(Broken::Record { line: 1 })));
        assert!(matches!(verify(&Note::Recovered(u64::MAX).line()), Err(Broken::Record { line: 1 })));
        let mut whole = log(Seal::START, &[&["a"]], &key());
        whole.extend(record("b").into_bytes());
        assert_eq!(verify(&whole).unwrap().unsealed, 1);
        whole.extend(b"{\"time\":\"20");
        let broken = verify(&whole).unwrap_err();
        assert!(matches!(broken, Broken::CutShort { line: 4, unsealed: 1 }), "{broken:?}");
        let text = "line 4, the last one, is cut short and unsealed, as is 1 whole line before it";
        assert_eq!(broken.to_string(), text);
        let mut sealed_text = Vec::new();
        sealed(&mut sealed_text, Seal::START, b"hello\n", 1, &key());
        assert!(matches!(verify(&sealed_text), Err(Broken::Record { line: 1 })));
    }

    /// A line without an end is no reason to take its size in memory.
    #[test]
    fn line_without_an_end_is_read_in_pieces() {
        let mut log = vec![0; 3 << 20];
        assert!(matches!(verify(&log), Err(Broken::Record { line: 1 })));
        log.push(b'\n');
        log.extend(Note::Recovered(1).line());
        let mut whole = Vec::new();
        sealed(&mut whole, Seal::START, &log, 0, &key());
        let verified = verify(&whole).unwrap();
        assert_eq!((verified.records, verified.recovered), (0, 1));
    }

    #[test]
    fn rotated_files_verify_in_their_order_alone() {
        let first = log(Seal::START, &[&["a"]], &key());
        let seal = verify(&first).unwrap().last_seal;
        let mut second = Vec::new();
        sealed(&mut second, seal, &Note::Continues(seal).line(), 0, &key());
        let mut both = Verifier::new(Some(key()), Some(seal));
        both.file(first.as_slice()).unwrap();
        both.file(second.as_slice()).unwrap();
        assert!(both.verified().reached);
        assert!(matches!(both.file(second.as_slice()), Err(Broken::Gap { line: 1 })));
        assert_eq!(verify(&second).unwrap().continues, seal);
        // The front of a log cannot be cut off and passed for a rotation.
        let whole = log(Seal::START, &[&["a"], &["b"]], &key());
        let cut = [Note::Continues(seal).line(), whole[first.len()..].to_vec()].concat();
        assert!(matches!(verify(&cut), Err(Broken::Seal { .. })));
    }

    #[test]
    fn log_has_always_reached_its_beginning() {
        let mut verifier = Verifier::new(None, Some(Seal::START));
        verifier.file(log(Seal::START, &[&["a"]], &key()).as_slice()).unwrap();
        assert!(verifier.verified().reached);
    }

    #[test]
    fn lines_before_a_file_are_sealed() {
        let mut first = log(Seal::START, &[&["a"]], &key());
        first.extend(record("forged").into_bytes());
        let mut both = Verifier::new(Some(key()), None);
        both.file(first.as_slice()).unwrap();
        assert!(matches!(both.file(first.as_slice()), Err(Broken::Unsealed)));
    }
}
