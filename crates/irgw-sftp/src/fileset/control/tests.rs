//! What is a control file, and what is none.

use proptest::prelude::*;

use super::*;

const ZIP_0: &str = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip";
const ZIP_1: &str = "DAILY_PROVIDER_1500131086_1_201908220930306000_NZT.zip";
const CUSTOMER: &str = "DAILY_CUSTOMER_0_201908220930307257_NZT.xml";
const AGENT: &str = "DAILY_AGENT_IRD_132271782_0_201908220930307257_NZT.xml";

fn child(name: &str, records: u64, periods: u64) -> ChildFile {
    ChildFile { name: name.parse().unwrap(), counts: Counts { records, periods } }
}

fn transfer(name: &str, children: &[ChildFile]) -> FileTransfer {
    let counts = Counts::sum(children.iter().map(|child| child.counts));
    FileTransfer { name: name.parse().unwrap(), counts: counts.unwrap(), children: children.to_vec() }
}

/// Two zips with a member each, as the tests' starting point.
fn two_zips() -> ControlFile {
    ControlFile::new(vec![transfer(ZIP_0, &[child(CUSTOMER, 4, 1)]), transfer(ZIP_1, &[child(AGENT, 3, 2)])])
        .unwrap()
}

fn fault(xml: &str) -> Option<ControlFault> {
    ControlFile::parse(xml.as_bytes()).err()
}

#[test]
fn what_is_printed_is_read_back() {
    let control = two_zips();
    assert_eq!(control.totals(), Counts { records: 7, periods: 3 });
    assert_eq!(ControlFile::parse(control.to_xml().as_bytes()), Ok(control.clone()));
    let with_mark = format!("\u{feff}{}\r\n<!-- end -->\n", control.to_xml());
    assert_eq!(ControlFile::parse(with_mark.as_bytes()), Ok(control.clone()));
    let long_form =
        control.to_xml().replace(" />", "></ChildFile>").replace("\"1.0\"", "'1.0' encoding='UTF-8'");
    assert_eq!(ControlFile::parse(long_form.as_bytes()), Ok(control));
}

#[test]
fn a_set_that_contradicts_itself_is_refused_e11() {
    let zip = |name: &str| transfer(name, &[]);
    let name = |name: &str| name.parse::<ZipName>().unwrap();
    let other = ZIP_1.replace("NZT", "PRD");
    for (transfers, fault) in [
        (vec![], ControlFault::Empty),
        (vec![zip(ZIP_1)], ControlFault::Sequence),
        (vec![zip(ZIP_0), zip(&ZIP_1.replace("_1_", "_2_"))], ControlFault::Sequence),
        (vec![zip(ZIP_0), zip(&ZIP_1.replace("_1_", "_0_"))], ControlFault::Sequence),
        (vec![zip(ZIP_0), zip(ZIP_0)], ControlFault::ZipTwice(name(ZIP_0))),
        (vec![zip(ZIP_0), zip(&other)], ControlFault::OtherSet(name(&other))),
        (vec![zip(ZIP_0), zip(&ZIP_1.replace("DAILY", "WEEKLY"))], {
            ControlFault::OtherSet(name(&ZIP_1.replace("DAILY", "WEEKLY")))
        }),
    ] {
        assert_eq!(ControlFile::new(transfers).err(), Some(fault));
    }
    let customer = child(CUSTOMER, 4, 1);
    let twice = vec![transfer(ZIP_0, &[customer]), transfer(ZIP_1, &[customer])];
    assert_eq!(ControlFile::new(twice).err(), Some(ControlFault::MemberTwice(customer.name)));
    let foreign = child(&CUSTOMER.replace("NZT", "PRD"), 4, 1);
    let of_other_set = vec![transfer(ZIP_0, &[foreign])];
    assert_eq!(ControlFile::new(of_other_set).err(), Some(ControlFault::OtherSetMember(foreign.name)));
    let mut short = transfer(ZIP_0, &[customer]);
    short.counts.periods += 1;
    assert_eq!(ControlFile::new(vec![short]).err(), Some(ControlFault::ZipCounts(name(ZIP_0))));
    let most = child(CUSTOMER, u64::MAX, 0);
    let beyond = vec![transfer(ZIP_0, &[most]), transfer(ZIP_1, &[child(AGENT, 1, 0)])];
    assert_eq!(ControlFile::new(beyond).err(), Some(ControlFault::Totals));
}

#[test]
fn counts_and_names_are_of_one_feed() {
    let xml = two_zips().to_xml().replace("TransactionCount", "ReturnCount");
    assert_eq!(fault(&xml), Some(ControlFault::OtherFeed));
}

#[test]
fn number_of_zips_is_bounded() {
    let zips = |count: usize| {
        let zips = (0..count).map(|number| transfer(&ZIP_0.replace("_0_", &format!("_{number}_")), &[]));
        ControlFile::new(zips.collect()).err()
    };
    assert_eq!(zips(ControlFile::ZIP_LIMIT), None);
    assert_eq!(zips(ControlFile::ZIP_LIMIT + 1), Some(ControlFault::TooManyZips));
}

#[test]
fn sequences_may_be_listed_in_any_order() {
    let transfers = vec![transfer(ZIP_1, &[]), transfer(ZIP_0, &[])];
    assert!(ControlFile::new(transfers).is_ok());
}

#[test]
fn name_of_the_control_file_follows_the_last_zip() {
    let name = "DAILY_PROVIDER_1500131086_2_201908220930308507_NZT_CONTROL.xml";
    assert!(two_zips().fits(&name.parse().unwrap()));
    for (from, to) in [("_2_", "_1_"), ("_2_", "_3_"), ("DAILY", "WEEKLY"), ("NZT", "PRD"), ("1086", "1087")]
    {
        assert!(!two_zips().fits(&name.replace(from, to).parse().unwrap()), "{to}");
    }
}

/// What is refused when this part of a good control file reads so instead.
fn changed(from: &str, to: &str) -> Option<ControlFault> {
    let good = two_zips().to_xml();
    assert!(good.contains(from), "{from}");
    fault(&good.replacen(from, to, 1))
}

#[test]
fn counts_must_add_up_e11() {
    let name = ZIP_0.parse().unwrap();
    assert_eq!(
        changed("TotalTransactionCount=\"7\"", "TotalTransactionCount=\"8\""),
        Some(ControlFault::Totals)
    );
    assert_eq!(changed("TotalPeriodCount=\"3\"", "TotalPeriodCount=\"2\""), Some(ControlFault::Totals));
    assert_eq!(
        changed("\"4\" PeriodCount=\"1\">", "\"4\" PeriodCount=\"2\">"),
        Some(ControlFault::ZipCounts(name))
    );
    for bad in ["", "-1", "+7", "07", "7.0", " 7", "0x7", "&#55;", "18446744073709551616", "7e0"] {
        let changed = changed("TotalTransactionCount=\"7\"", &format!("TotalTransactionCount=\"{bad}\""));
        assert!(matches!(changed, Some(ControlFault::Number { .. })), "{bad}: {changed:?}");
    }
}

#[test]
fn only_what_a_control_file_has_is_read_e14() {
    type Is = fn(&ControlFault) -> bool;
    let unexpected: Is = |fault| matches!(fault, ControlFault::Unexpected { .. });
    let unknown: Is = |fault| matches!(fault, ControlFault::UnknownAttribute { .. });
    let missing: Is = |fault| matches!(fault, ControlFault::MissingAttribute { .. });
    let malformed: Is = |fault| matches!(fault, ControlFault::Malformed { .. });
    let doctype: Is = |fault| matches!(fault, ControlFault::Doctype { .. });
    let name: Is = |fault| matches!(fault, ControlFault::Name { .. });
    let encoding: Is = |fault| *fault == ControlFault::Encoding;
    let end = "</FileTransfers>";
    let cases: &[(&str, &str, Is)] = &[
        ("<FileTransfers", "<!DOCTYPE x [<!ENTITY a \"b\">]><FileTransfers", doctype),
        ("<FileTransfers", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><FileTransfers", doctype),
        ("  <FileTransfer ", "<!DOCTYPE x><FileTransfer ", doctype),
        ("  <FileTransfer ", "&amp;<FileTransfer ", unexpected),
        ("  <FileTransfer ", "&xxe;<FileTransfer ", unexpected),
        ("  <FileTransfer ", "text<FileTransfer ", unexpected),
        ("  <FileTransfer ", "\u{a0}<FileTransfer ", unexpected),
        ("  <FileTransfer ", "<![CDATA[ ]]><FileTransfer ", unexpected),
        ("  <FileTransfer ", "<?php ?><FileTransfer ", unexpected),
        ("  <FileTransfer ", "<?xml version=\"1.0\"?><FileTransfer ", unexpected),
        ("  <FileTransfer ", "<Other/><FileTransfer ", unexpected),
        ("  <FileTransfer ", "<ChildFile/><FileTransfer ", unexpected),
        ("    <ChildFile ", "    <FileTransfer/><ChildFile ", unexpected),
        (" />", "><ChildFile/></ChildFile>", unexpected),
        ("<FileTransfer FileName", "<x:FileTransfer FileName", unexpected),
        (end, "</FileTransfers><FileTransfers/>", unexpected),
        (end, "</FileTransfers>junk", unexpected),
        (end, "</FileTransfers>\0", unexpected),
        ("<ChildFile FileName", "<ChildFile Path=\"x\" FileName", unknown),
        ("<ChildFile FileName", "<ChildFile xmlns=\"urn:x\" FileName", unknown),
        ("<ChildFile FileName", "<ChildFile filename", unknown),
        ("TotalPeriodCount", "TotalReturnCount=\"7\" TotalPeriodCount", unknown),
        (" TotalPeriodCount=\"3\"", "", missing),
        ("TotalTransactionCount=\"7\" ", "", missing),
        ("TotalTransactionCount", "TotalReturnCount", unknown),
        ("<ChildFile FileName=\"DAILY_CUSTOMER_0_201908220930307257_NZT.xml\"", "<ChildFile", missing),
        ("<ChildFile FileName", "<ChildFile PeriodCount=\"1\" FileName", malformed),
        ("<ChildFile FileName=\"", "<ChildFile FileName=\"../", name),
        ("<ChildFile FileName=\"", "<ChildFile FileName=\"&#68;", name),
        (ZIP_0, CUSTOMER, name),
        (CUSTOMER, ZIP_1, name),
        ("</FileTransfer>\n", "", unexpected),
        (end, "", malformed),
        (end, "</Other>", malformed),
        (end, "<!-- -- --></FileTransfers>", malformed),
        ("version=\"1.0\"", "version=\"1.1\"", malformed),
        ("version=\"1.0\"", "version=\"1.0\" encoding=\"UTF-16\"", encoding),
        ("version=\"1.0\"", "version=\"1.0\" encoding=\"ISO-8859-1\"", encoding),
    ];
    for (from, to, is) in cases {
        let fault = changed(from, to);
        assert!(fault.as_ref().is_some_and(is), "{from} -> {to}: {fault:?}");
    }
    assert!(matches!(fault(""), Some(ControlFault::Malformed { .. })));
    assert_eq!(ControlFile::parse(b"\xff\xfe<\0"), Err(ControlFault::Encoding));
}

#[test]
fn length_and_depth_are_bounded_e14() {
    let long = vec![b' '; ControlFile::LIMIT_BYTES + 1];
    assert_eq!(ControlFile::parse(&long), Err(ControlFault::TooLong));
    let root = "<FileTransfers TotalTransactionCount=\"0\" TotalPeriodCount=\"0\">";
    let at = 2 * root.len() as u64;
    assert_eq!(fault(&root.repeat(100_000)), Some(ControlFault::Unexpected { at }));
    let wide = format!("<FileTransfers {}>", "a=\"\" ".repeat(100_000));
    assert!(matches!(fault(&wide), Some(ControlFault::UnknownAttribute { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ControlFile::parse(&bytes);
    }

    #[test]
    fn a_changed_control_file_is_refused_or_reads_back(
        at in any::<prop::sample::Index>(), with in any::<u8>(), insert in any::<bool>(),
    ) {
        let mut bytes = two_zips().to_xml().into_bytes();
        let at = at.index(bytes.len());
        if insert { bytes.insert(at, with) } else { bytes[at] = with }
        if let Ok(control) = ControlFile::parse(&bytes) {
            prop_assert_eq!(ControlFile::parse(control.to_xml().as_bytes()), Ok(control));
        }
    }
}
