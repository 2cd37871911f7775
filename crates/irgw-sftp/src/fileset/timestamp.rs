//! The timestamp in a file's name: New Zealand time to the millisecond or a tenth of it (FILE-1).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use irgw_core::UnixTime;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::field::Digits;
use super::name::NameFault;

/// A timestamp as it is written in a name: `yyyyMMddHHmmss` and 3 or 4 digits of the second's fraction.
///
/// It is a time that exists, and prints with exactly the digits that it was read with. It is ordered by the time, and where two
/// times are equal, the shorter one comes first. The samples state no zone; they agree with local time in New Zealand.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp(Digits);

impl Timestamp {
    /// The timestamp, of 18 digits, that a file made at this time since the Unix epoch has. `None` beyond the year 9999.
    pub fn of(since_epoch: Duration) -> Option<Timestamp> {
        let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        let local = time.checked_to_offset(offset_at(time)?)?;
        let text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}{:04}",
            local.year(),
            u8::from(local.month()),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            since_epoch.subsec_micros() / 100
        );
        text.parse().ok()
    }

    /// The time, to the second. In the hour that the end of daylight saving repeats, the first of the two; in the hour that its
    /// start leaves out, an hour later than any clock showed. 0 for a time before 1970.
    ///
    /// Daylight saving is by the rule that has been in force since 2007.
    pub fn to_unix(self) -> UnixTime {
        let summer = self.local().assume_offset(SUMMER);
        let is_summer = offset_at(summer) == Some(SUMMER);
        let time = if is_summer { summer } else { self.local().assume_offset(STANDARD) };
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.unix_timestamp()).unwrap_or(0)))
    }

    fn local(self) -> PrimitiveDateTime {
        civil(self.ten_thousandths() / 10_000).unwrap_or(PrimitiveDateTime::MIN)
    }

    /// The digits as if all timestamps had 18 of them.
    fn ten_thousandths(self) -> u64 {
        if self.0.width() == SHORT { self.0.value() * 10 } else { self.0.value() }
    }
}

/// `yyyyMMddHHmmss` as a time that exists.
fn civil(digits: u64) -> Option<PrimitiveDateTime> {
    let pair = |scale: u64| u8::try_from(digits / scale % 100).ok();
    let year = i32::try_from(digits / 10_000_000_000).ok()?;
    let month = Month::try_from(pair(100_000_000)?).ok()?;
    let date = Date::from_calendar_date(year, month, pair(1_000_000)?).ok()?;
    Some(date.with_time(Time::from_hms(pair(10_000)?, pair(100)?, pair(1)?).ok()?))
}

/// New Zealand's offset: standard time from the first Sunday of April to the last of September, at 2:00 standard time both.
fn offset_at(time: OffsetDateTime) -> Option<UtcOffset> {
    let standard = time.checked_to_offset(STANDARD)?;
    let local = PrimitiveDateTime::new(standard.date(), standard.time());
    let sunday = |month, latest_day| {
        let latest = Date::from_calendar_date(local.year(), month, latest_day).ok()?;
        let back = time::Duration::days(latest.weekday().number_days_from_sunday().into());
        Some(latest.checked_sub(back)?.with_time(TWO_O_CLOCK))
    };
    let winter = sunday(Month::April, 7)?..sunday(Month::September, 30)?;
    Some(if winter.contains(&local) { STANDARD } else { SUMMER })
}

const STANDARD: UtcOffset = time::macros::offset!(+12);
const SUMMER: UtcOffset = time::macros::offset!(+13);
const TWO_O_CLOCK: Time = time::macros::time!(2:00);
const SHORT: u32 = 17;

impl Ord for Timestamp {
    fn cmp(&self, other: &Timestamp) -> Ordering {
        (self.ten_thousandths(), self.0.width()).cmp(&(other.ten_thousandths(), other.0.width()))
    }
}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Timestamp) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = NameFault;

    fn from_str(text: &str) -> Result<Timestamp, NameFault> {
        let digits = Digits::parse(text, 17..=18).ok_or(NameFault::Timestamp)?;
        let timestamp = Timestamp(digits);
        civil(timestamp.ten_thousandths() / 10_000).map(|_| timestamp).ok_or(NameFault::Timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn unix(text: &str) -> u64 {
        timestamp(text).to_unix().as_secs()
    }

    #[test]
    fn digits_are_kept_and_must_be_a_time() {
        for good in ["201908220930305850", "20190822093030585", "202402292359599999", "999912312359590000"] {
            assert_eq!(timestamp(good).to_string(), good);
        }
        for bad in [
            "",
            "20190822093030",
            "2019082209303058",
            "2019082209303058500",
            "201900220930305850",
            "201913220930305850",
            "201902290930305850",
            "201908320930305850",
            "201908222430305850",
            "201908220960305850",
            "201908220930605850",
            "2019082209303058 0",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(NameFault::Timestamp), "{bad}");
        }
    }

    #[test]
    fn order_is_of_time_whatever_the_width() {
        let sorted = ["20190822093030584", "201908220930305849", "20190822093030585", "201908220930305850"];
        assert!(sorted.map(timestamp).is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn daylight_saving_changes_on_its_two_sundays() {
        // 2019: standard time began on 7 April and ended on 29 September.
        assert_eq!(unix("201908220930300000"), 1_566_423_030);
        assert_eq!(unix("201901010000000000"), 1_546_254_000);
        assert_eq!(unix("201904070159590000"), 1_554_555_599);
        assert_eq!(unix("201904070300000000"), 1_554_562_800);
        assert_eq!(unix("201909290159590000"), 1_569_679_199);
        assert_eq!(unix("201909290300000000"), 1_569_679_200);
    }

    #[test]
    fn time_comes_back_except_in_the_repeated_hour() {
        for since_epoch in [0, 1_554_555_599, 1_554_562_800, 1_566_423_030, 1_569_679_199, 1_569_679_200] {
            let made = Timestamp::of(Duration::new(since_epoch, 123_456_789)).unwrap();
            assert!(made.to_string().ends_with("1234"));
            assert_eq!(made.to_unix().as_secs(), since_epoch, "{made}");
        }
        assert_eq!(Timestamp::of(Duration::MAX), None);
    }
}
