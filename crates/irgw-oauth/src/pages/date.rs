//! Days as customers in New Zealand count them.

use irgw_core::UnixTime;
use maud::{Markup, html};
use time::{Date, Month, OffsetDateTime, UtcOffset, Weekday};

use super::layout::filled;
use super::text::Text;

/// The day in New Zealand at that time, in words; nothing for a time past the year 9999.
pub(super) fn day(text: &Text, at: UnixTime) -> Markup {
    let Some(date) = local_date(at) else { return html! {} };
    let number = u8::from(date.month());
    let month = text.months.split(' ').nth(usize::from(number) - 1).unwrap_or_default();
    let iso = format!("{:04}-{number:02}-{:02}", date.year(), date.day());
    let words = filled(
        text.date,
        &[("day", html! { (date.day()) }), ("month", html! { (month) }), ("year", html! { (date.year()) })],
    );
    html! { time datetime=(iso) { (words) } }
}

fn local_date(at: UnixTime) -> Option<Date> {
    let utc = OffsetDateTime::from_unix_timestamp(i64::try_from(at.as_secs()).ok()?).ok()?;
    let hours = if is_summer(utc)? { 13 } else { 12 };
    Some(utc.checked_to_offset(UtcOffset::from_hms(hours, 0, 0).ok()?)?.date())
}

/// Daylight time runs from 2 a.m. standard time of the last Sunday in September to 3 a.m. daylight time of the first
/// Sunday in April (New Zealand Daylight Time Order 2007): both are 14:00 UTC of the Saturday.
fn is_summer(utc: OffsetDateTime) -> Option<bool> {
    let sunday = |month, day| {
        let on_or_after = Date::from_calendar_date(utc.year(), month, day).ok()?;
        let after = (7 - on_or_after.weekday().number_days_from_sunday()) % 7;
        let sunday = on_or_after.checked_add(time::Duration::days(after.into()))?;
        debug_assert_eq!(sunday.weekday(), Weekday::Sunday);
        Some(sunday.midnight().assume_utc() - time::Duration::hours(10))
    };
    Some(utc < sunday(Month::April, 1)? || utc >= sunday(Month::September, 24)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::text::EN;
    use super::*;

    fn shown(secs: u64) -> String {
        day(&EN, UnixTime::since_unix_epoch(Duration::from_secs(secs))).into_string()
    }

    #[test]
    fn a_day_begins_at_midnight_in_new_zealand() {
        // 2026-11-24 10:59:59 UTC and the next second: daylight time.
        assert_eq!(shown(1_795_517_999), r#"<time datetime="2026-11-24">24 November 2026</time>"#);
        assert_eq!(shown(1_795_518_000), r#"<time datetime="2026-11-25">25 November 2026</time>"#);
        // 2026-07-01 11:59:59 UTC and the next second: standard time.
        assert_eq!(shown(1_782_907_199), r#"<time datetime="2026-07-01">1 July 2026</time>"#);
        assert_eq!(shown(1_782_907_200), r#"<time datetime="2026-07-02">2 July 2026</time>"#);
    }

    #[test]
    fn daylight_time_begins_and_ends_in_its_second() {
        let summer = |secs| is_summer(OffsetDateTime::from_unix_timestamp(secs).unwrap()).unwrap();
        // 2026-09-26 and 2026-04-04, 14:00 UTC.
        assert!(!summer(1_790_431_199) && summer(1_790_431_200));
        assert!(summer(1_775_311_199) && !summer(1_775_311_200));
    }

    #[test]
    fn a_time_without_a_date_shows_nothing() {
        assert_eq!(shown(u64::MAX), "");
    }
}
