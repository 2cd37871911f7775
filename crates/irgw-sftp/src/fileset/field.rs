//! The fields that the feeds' file names are made of (FILE-1, FILE-2).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::name::NameFault;

/// One of the two bulk feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// Transaction data (FILE-1).
    TransactionData,
    /// The processing status of returns (FILE-2); its files begin with `PSN_`.
    ReturnStatus,
}

impl Feed {
    /// The short name in configuration and records: `tds` or `psn`.
    pub const fn name(self) -> &'static str {
        match self {
            Feed::TransactionData => "tds",
            Feed::ReturnStatus => "psn",
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Feed {
    type Err = irgw_core::UnknownName;

    fn from_str(text: &str) -> Result<Feed, Self::Err> {
        let feeds = [Feed::TransactionData, Feed::ReturnStatus];
        feeds.into_iter().find(|feed| feed.name() == text).ok_or(irgw_core::UnknownName { kind: "feed" })
    }
}

/// How often a transaction-data set is made. The return-status feed is always daily.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Frequency {
    /// `DAILY`
    Daily,
    /// `WEEKLY`
    Weekly,
    /// `MANUAL`: asked for by hand.
    Manual,
    /// `HISTORY`: not in the published text, but in published samples.
    History,
}

impl Frequency {
    const ALL: [Frequency; 4] = [Frequency::Daily, Frequency::Weekly, Frequency::Manual, Frequency::History];

    /// The word in a file's name.
    pub const fn word(self) -> &'static str {
        match self {
            Frequency::Daily => "DAILY",
            Frequency::Weekly => "WEEKLY",
            Frequency::Manual => "MANUAL",
            Frequency::History => "HISTORY",
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Frequency {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Frequency, NameFault> {
        Frequency::ALL.into_iter().find(|frequency| frequency.word() == text).ok_or(NameFault::Frequency)
    }
}

/// The code of the environment that made a file: three upper-case letters, such as `PRD` or `NZT`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentCode([u8; 3]);

impl fmt::Display for EnvironmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for EnvironmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EnvironmentCode {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<EnvironmentCode, NameFault> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(EnvironmentCode(letters)),
            _ => Err(NameFault::Environment),
        }
    }
}

/// A number with the zeros that it was written with: up to 18 ASCII digits, and a 1 in front of them that keeps the zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Digits(u64);

impl Digits {
    /// Reads a text that is as wide as `widths` allows, at most 18, and digits alone.
    pub(super) fn parse(text: &str, widths: RangeInclusive<usize>) -> Option<Digits> {
        if !widths.contains(&text.len()) || text.len() > 18 {
            return None;
        }
        let mut digits = text.bytes().map(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
        digits.try_fold(1, |number, digit| Some(number * 10 + digit?)).map(Digits)
    }

    pub(super) fn value(self) -> u64 {
        self.0 - 10_u64.pow(self.width())
    }

    pub(super) fn width(self) -> u32 {
        self.0.ilog10()
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = usize::try_from(self.width()).map_err(|_| fmt::Error)?;
        write!(f, "{:0width$}", self.value())
    }
}

macro_rules! digit_fields {
    ($($(#[$doc:meta])* $name:ident $widths:expr, $fault:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// It keeps the zeros that it was written with, and two spellings are two values.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Digits);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NameFault;

            fn from_str(text: &str) -> Result<$name, NameFault> {
                Digits::parse(text, $widths).map($name).ok_or(NameFault::$fault)
            }
        }
    )*};
}

digit_fields! {
    /// The number under which a provider is known to the feeds: 10 digits.
    PlatformId 10..=10, Platform;
    /// The IRD number, or list number, of a tax agent: 9 digits.
    ///
    /// Its check digit (IRD-1) is not looked at: it names a file, and test environments make numbers up.
    AgentIrd 9..=9, Agent;
    /// The key of an extract or of a batch of the return-status feed: 1 to 18 digits.
    Key 1..=18, Key;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_keep_their_zeros() {
        assert_eq!("0012".parse::<Key>().map(|key| key.to_string()), Ok("0012".into()));
        assert_ne!("0012".parse::<Key>(), "12".parse());
        let most = "9".repeat(18);
        assert_eq!(most.parse::<Key>().map(|key| key.to_string()), Ok(most));
        for bad in ["", "+1", "-1", " 1", "1 ", "1_0", "٣", "0000000000000000000"] {
            assert_eq!(bad.parse::<Key>(), Err(NameFault::Key), "{bad}");
        }
    }

    #[test]
    fn widths_are_exact() {
        assert_eq!("150013108".parse::<PlatformId>(), Err(NameFault::Platform));
        assert_eq!("01500131086".parse::<PlatformId>(), Err(NameFault::Platform));
        assert_eq!("0500131086".parse::<PlatformId>().map(|id| id.to_string()), Ok("0500131086".into()));
        assert_eq!("13227178".parse::<AgentIrd>(), Err(NameFault::Agent));
    }

    #[test]
    fn environment_is_three_upper_case_letters() {
        for bad in ["", "NZ", "NZTT", "nzt", "NZ1", "NÉ", "N T"] {
            assert_eq!(bad.parse::<EnvironmentCode>(), Err(NameFault::Environment), "{bad}");
        }
        assert_eq!("PRD".parse::<EnvironmentCode>().map(|code| code.to_string()), Ok("PRD".into()));
    }

    #[test]
    fn words_parse_back() {
        for feed in [Feed::TransactionData, Feed::ReturnStatus] {
            assert_eq!(feed.name().parse(), Ok(feed));
        }
        for frequency in Frequency::ALL {
            assert_eq!(frequency.word().parse(), Ok(frequency));
        }
        assert_eq!("daily".parse::<Frequency>(), Err(NameFault::Frequency));
    }
}
