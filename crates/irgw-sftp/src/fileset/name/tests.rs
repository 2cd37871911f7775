//! What is a name of the feeds, and what is none.

use proptest::prelude::*;

use super::*;

#[test]
fn names_of_every_kind_print_as_they_were_read() {
    for text in [
        "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip",
        "WEEKLY_PROVIDER_1500131086_12_20190822093030585_PRD.zip",
        "HISTORY_PROVIDER_0000000001_4294967295_201908220930305850_NZT.zip",
        "MANUAL_PROVIDER_1500131086_1_201908220930308507_NZT_CONTROL.xml",
        "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT_INTERMEDIATION.xml",
        "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT_SOFTWARE_INTERMEDIATION.xml",
        "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT_PERMISSION.xml",
        "DAILY_AGENT_IRD_012345678_0_201908220930307257_NZT.xml",
        "DAILY_CUSTOMER_0_201908220930307257_NZT.xml",
        "DAILY_CUSTOMER_000000000_0_201908220930307257_NZT.xml",
        "PSN_DAILY_PROVIDER_1500216000_2155445580_2155445927_201909091028315313_NZX.zip",
        "PSN_DAILY_PROVIDER_1500216000_002_2155445927_201909091028316719_NZX_CONTROL.xml",
        "PSN_DAILY_AGENT_IRD_132349932_2155445580_2155445927_201909091028315782_NZX.xml",
        "PSN_DAILY_CUSTOMER_2155445580_2155445927_201909091028315782_NZX.xml",
        "PSN_DAILY_CUSTOMER_000000000_2155445927_201909091028315782_NZX.xml",
    ] {
        assert_eq!(text.parse::<FileName>().map(|name| name.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn what_is_no_name_is_refused_with_the_reason_e06() {
    let good = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip";
    for (from, to, fault) in [
        ("DAILY_", "../DAILY_", NameFault::Frequency),
        ("DAILY_", "/DAILY_", NameFault::Frequency),
        ("DAILY_", "-DAILY_", NameFault::Frequency),
        ("DAILY_", "daily_", NameFault::Frequency),
        ("DAILY_", "DAILY__", NameFault::Shape),
        ("DAILY_", "PSN_PSN_DAILY_", NameFault::Frequency),
        ("DAILY_", "PSN_WEEKLY_", NameFault::Shape),
        ("DAILY_", "PSN_DAILY_", NameFault::Shape),
        ("PROVIDER", "CUSTOMER", NameFault::Shape),
        ("1500131086", "150013108\0", NameFault::Platform),
        ("1500131086", "150013108٦", NameFault::Platform),
        ("_0_", "_00_", NameFault::Sequence),
        ("_0_", "_+1_", NameFault::Sequence),
        ("_0_", "__", NameFault::Sequence),
        ("_0_", "_4294967296_", NameFault::Sequence),
        ("201908220930305850", "201913220930305850", NameFault::Timestamp),
        ("NZT", "NZ/", NameFault::Environment),
        ("NZT", "NZT\r", NameFault::Environment),
        ("NZT", "NZT\u{202e}", NameFault::Environment),
        ("NZT", "NZT_CONTROL", NameFault::Shape),
        (".zip", ".ZIP", NameFault::Extension),
        (".zip", ".zip.part", NameFault::Extension),
        (".zip", ".zip ", NameFault::Extension),
        (".zip", ".xml", NameFault::Shape),
        (".zip", "", NameFault::Extension),
    ] {
        let bad = good.replace(from, to);
        assert_eq!(bad.parse::<FileName>().err(), Some(fault), "{bad:?}");
    }
    assert_eq!("A".repeat(NAME_LIMIT_BYTES + 1).parse::<FileName>(), Err(NameFault::TooLong));
    assert_eq!("".parse::<FileName>(), Err(NameFault::Extension));
    assert_eq!("CON.xml".parse::<FileName>(), Err(NameFault::Frequency));
}

#[test]
fn words_of_one_feed_alone_are_refused_in_the_other() {
    for bad in [
        "PSN_DAILY_PROVIDER_1500216000_1_2_201909091028315313_NZX_INTERMEDIATION.xml",
        "PSN_DAILY_CUSTOMER_000000000_1_2_201909091028315782_NZX.xml",
        "PSN_WEEKLY_PROVIDER_1500216000_1_2_201909091028315313_NZX.zip",
    ] {
        assert!(bad.parse::<FileName>().is_err(), "{bad}");
    }
}

#[test]
fn each_kind_reads_its_own_names_alone() {
    let zip = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip";
    assert!(zip.parse::<ZipName>().is_ok());
    assert_eq!(zip.parse::<ControlName>(), Err(NameFault::OtherKind));
    assert_eq!(zip.parse::<MemberName>(), Err(NameFault::OtherKind));
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let time = (1990_u16..2100, 1_u8..13, 1_u8..29, 0_u8..24, 0_u8..60, 0_u8..60, "[0-9]{3,4}");
    time.prop_map(|(year, month, day, hour, minute, second, fraction)| {
        format!("{year}{month:02}{day:02}{hour:02}{minute:02}{second:02}{fraction}").parse().unwrap()
    })
}

fn run() -> impl Strategy<Value = Run> {
    let frequency = prop::sample::select(vec![
        Frequency::Daily,
        Frequency::Weekly,
        Frequency::Manual,
        Frequency::History,
    ]);
    prop_oneof![
        (frequency, any::<u32>())
            .prop_map(|(frequency, sequence)| Run::TransactionData { frequency, sequence }),
        ("[0-9]{1,18}", "[0-9]{1,18}").prop_map(|(extract, batch)| Run::ReturnStatus {
            extract: extract.parse().unwrap(),
            batch: batch.parse().unwrap()
        }),
    ]
}

/// Every name that the types can hold.
fn file_name() -> impl Strategy<Value = FileName> {
    let numbers = ("[0-9]{10}", "[0-9]{9}", "[A-Z]{3}");
    (0_u8..8, numbers, run(), timestamp()).prop_filter_map(
        "the feed has such names",
        |(kind, (platform, ird, environment), run, timestamp)| {
            let platform = platform.parse().unwrap();
            let environment = environment.parse().unwrap();
            let stem = Stem { platform, run, timestamp, environment };
            let subject = match kind {
                0 => return Some(FileName::Zip(ZipName(stem))),
                1 => return Some(FileName::Control(ControlName(stem))),
                2 => Subject::Agent(ird.parse().unwrap()),
                3 => Subject::Customer,
                4 => Subject::ZeroCustomer,
                5 => Subject::Summary(platform, Summary::Intermediation),
                6 => Subject::Summary(platform, Summary::SoftwareIntermediation),
                _ => Subject::Summary(platform, Summary::Permission),
            };
            MemberName::new(subject, run, timestamp, environment).ok().map(FileName::Member)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_reads_back(name in file_name()) {
        let text = name.to_string();
        prop_assert!(text.len() <= 102);
        prop_assert_eq!(text.parse(), Ok(name));
    }

    #[test]
    fn a_changed_name_is_refused_or_prints_as_it_was_read(
        name in file_name(), at in any::<prop::sample::Index>(), with in any::<char>(),
    ) {
        let mut letters: Vec<char> = name.to_string().chars().collect();
        let at = at.index(letters.len());
        letters[at] = with;
        let text: String = letters.into_iter().collect();
        if let Ok(name) = text.parse::<FileName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,140}") {
        if let Ok(name) = text.parse::<FileName>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }
}
