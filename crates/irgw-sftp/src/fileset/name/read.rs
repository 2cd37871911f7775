//! Reads the names of the feeds' files: the grammar that [`FileName`] shows (FILE-1, FILE-2).

use std::str::FromStr;

use super::{
    ControlName, EnvironmentCode, Feed, FileName, Frequency, MemberName, NAME_LIMIT_BYTES, NameFault, Run,
    Stem, Subject, Summary, Timestamp, ZEROS, ZipName,
};

impl FromStr for FileName {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<FileName, NameFault> {
        if text.len() > NAME_LIMIT_BYTES {
            return Err(NameFault::TooLong);
        }
        let (stem, extension) = text.rsplit_once('.').ok_or(NameFault::Extension)?;
        let words: Vec<&str> = stem.split('_').collect();
        let (feed, words) = match words.as_slice() {
            ["PSN", words @ ..] => (Feed::ReturnStatus, words),
            words => (Feed::TransactionData, words),
        };
        let [frequency, words @ ..] = words else { return Err(NameFault::Shape) };
        let frequency: Frequency = frequency.parse()?;
        match (extension, words) {
            ("zip" | "xml", ["PROVIDER", platform, words @ ..]) => {
                let platform = platform.parse()?;
                let (run, timestamp, environment, ending) = rest(feed, frequency, words)?;
                let stem = Stem { platform, run, timestamp, environment };
                let summary = match (extension, ending) {
                    ("zip", []) => return Ok(FileName::Zip(ZipName(stem))),
                    ("xml", ["CONTROL"]) => return Ok(FileName::Control(ControlName(stem))),
                    ("xml", ["INTERMEDIATION"]) => Summary::Intermediation,
                    ("xml", ["SOFTWARE", "INTERMEDIATION"]) => Summary::SoftwareIntermediation,
                    ("xml", ["PERMISSION"]) => Summary::Permission,
                    _ => return Err(NameFault::Shape),
                };
                let subject = Subject::Summary(platform, summary);
                MemberName::new(subject, run, timestamp, environment).map(FileName::Member)
            }
            ("xml", ["AGENT", "IRD", ird, words @ ..]) => {
                member(Subject::Agent(ird.parse()?), rest(feed, frequency, words)?)
            }
            ("xml", ["CUSTOMER", ZEROS, words @ ..]) if feed == Feed::TransactionData => {
                member(Subject::ZeroCustomer, rest(feed, frequency, words)?)
            }
            ("xml", ["CUSTOMER", words @ ..]) => member(Subject::Customer, rest(feed, frequency, words)?),
            ("zip" | "xml", _) => Err(NameFault::Shape),
            _ => Err(NameFault::Extension),
        }
    }
}

/// What stands in every name behind its subject, and the words behind that.
type Rest<'a> = (Run, Timestamp, EnvironmentCode, &'a [&'a str]);

fn rest<'a>(feed: Feed, frequency: Frequency, words: &'a [&'a str]) -> Result<Rest<'a>, NameFault> {
    let (run, words) = match (feed, words) {
        (Feed::TransactionData, [number, words @ ..]) => {
            (Run::TransactionData { frequency, sequence: sequence(number)? }, words)
        }
        (Feed::ReturnStatus, [extract, batch, words @ ..]) if frequency == Frequency::Daily => {
            (Run::ReturnStatus { extract: extract.parse()?, batch: batch.parse()? }, words)
        }
        _ => return Err(NameFault::Shape),
    };
    let [timestamp, environment, ending @ ..] = words else { return Err(NameFault::Shape) };
    Ok((run, timestamp.parse()?, environment.parse()?, ending))
}

fn member(subject: Subject, rest: Rest<'_>) -> Result<FileName, NameFault> {
    match rest {
        (run, timestamp, environment, []) => {
            MemberName::new(subject, run, timestamp, environment).map(FileName::Member)
        }
        _ => Err(NameFault::Shape),
    }
}

/// A sequence has one spelling: no sign, and no zero in front.
fn sequence(text: &str) -> Result<u32, NameFault> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !is_plain {
        return Err(NameFault::Sequence);
    }
    text.parse().map_err(|_| NameFault::Sequence)
}

macro_rules! one_kind {
    ($($name:ident $variant:ident)*) => {$(
        impl FromStr for $name {
            type Err = NameFault;

            fn from_str(text: &str) -> Result<$name, NameFault> {
                match text.parse()? {
                    FileName::$variant(name) => Ok(name),
                    _ => Err(NameFault::OtherKind),
                }
            }
        }
    )*};
}

one_kind! {
    ZipName Zip
    ControlName Control
    MemberName Member
}
