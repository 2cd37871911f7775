//! How long a key is valid, as it is written on the command line: `2y`.

use std::str::FromStr;
use std::time::Duration;

/// 1 day to 20 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    days: u32,
}

impl Lifetime {
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.days) * 86_400)
    }
}

impl FromStr for Lifetime {
    type Err = InvalidLifetime;

    /// A number of days, weeks, months of 30 days or years of 365, as `gpg` reads them.
    fn from_str(text: &str) -> Result<Lifetime, InvalidLifetime> {
        let units = [('d', 1), ('w', 7), ('m', 30), ('y', 365)];
        let (number, unit) = units
            .iter()
            .find_map(|(letter, days)| Some((text.strip_suffix(*letter)?, *days)))
            .ok_or(InvalidLifetime)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidLifetime);
        }
        let days = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
        days.filter(|days| (1..=LONGEST_DAYS).contains(days))
            .map(|days| Lifetime { days })
            .ok_or(InvalidLifetime)
    }
}

const LONGEST_DAYS: u32 = 20 * 365;

/// The text is not a [`Lifetime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number and d, w, m or y is allowed, from 1d to 20y: 18m, 2y")]
pub(super) struct InvalidLifetime;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetime_is_a_number_and_a_unit() {
        for (text, days) in
            [("1d", 1), ("3w", 21), ("18m", 540), ("2y", 730), ("20y", 7_300), ("7300d", 7_300)]
        {
            assert_eq!(text.parse(), Ok(Lifetime { days }), "{text}");
        }
        for bad in
            ["", "y", "0d", "2", "-1y", "+1y", "2 y", "21y", "7301d", "99999999999y", "2Y", "1y6m", "٢y"]
        {
            assert_eq!(bad.parse::<Lifetime>(), Err(InvalidLifetime), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_lifetime_within_bounds_or_none(text in r"[0-9]{0,12}[dwmy]|.{0,20}") {
            if let Ok(Lifetime { days }) = text.parse() {
                proptest::prop_assert!((1..=LONGEST_DAYS).contains(&days));
            }
        }
    }
}
