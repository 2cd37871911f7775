//! Archives that must not pass (E13), and what a changed byte can do.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use irgw_sftp::fileset::{
    Caps, ChildFile, ContentFault, Counts, FileTransfer, MemberFlaw, MemberName, ZipFault, check_zip,
};
use proptest::prelude::*;
use zip::ZipArchive;

use crate::archive::{Member, Tail, archive, archive_with, member, stored};
use crate::made::{TDS, TRANSACTION, check, set};

const FIRST: &str = "DAILY_AGENT_IRD_132000001_0_201908220930300000_NZT.xml";
const SECOND: &str = "DAILY_CUSTOMER_0_201908220930300000_NZT.xml";

fn content(number: usize) -> String {
    crate::made::content(TRANSACTION, number)
}

/// Two members as the tests' starting point.
fn pair() -> [Member; 2] {
    [member(FIRST, content(0).as_bytes()), member(SECOND, content(1).as_bytes())]
}

fn listed() -> FileTransfer {
    let child = |name: &str, count| ChildFile {
        name: name.parse().unwrap(),
        counts: Counts { records: count, periods: count },
    };
    let counts = Counts { records: 3, periods: 3 };
    FileTransfer { name: TDS.parse().unwrap(), counts, children: vec![child(FIRST, 1), child(SECOND, 2)] }
}

fn name(name: &str) -> MemberName {
    name.parse().unwrap()
}

fn fault(archive: &[u8]) -> Option<ZipFault> {
    check(archive, &listed()).err()
}

/// What is found when the second member is changed.
fn with(change: impl FnOnce(&mut Member)) -> Option<ZipFault> {
    let mut members = pair();
    change(&mut members[1]);
    fault(&archive(&members))
}

fn with_tail(change: impl FnOnce(&mut Tail)) -> Option<ZipFault> {
    fault(&archive_with(&pair(), change))
}

fn flaw(flaw: MemberFlaw) -> Option<ZipFault> {
    Some(ZipFault::Member { name: name(SECOND), flaw })
}

fn unlisted(name: &str) -> Option<ZipFault> {
    Some(ZipFault::Unlisted { name: name.into() })
}

#[test]
fn what_is_listed_passes_in_every_form_that_writers_have() {
    assert_eq!(fault(&archive(&pair())), None);
    let [first, second] = pair();
    assert_eq!(fault(&archive(&[second, first])), None);
    assert_eq!(fault(&archive(&[stored(FIRST, content(0).as_bytes()), pair()[1].clone()])), None);
    // Made by a system without Unix modes.
    assert_eq!(with(|member| member.attributes = 0x20), None);
    // Times and owners.
    assert_eq!(with(|member| member.extra = b"UT\x05\x00\x01abcd".to_vec()), None);
    // A name that is said to be UTF-8, and the compressor's options.
    assert_eq!(with(|member| member.flags = 0x0806), None);
    // A descriptor behind the content, with and without its signature, and zeros or the values in front.
    for signature in [&b"PK\x07\x08"[..], b""] {
        for zeros in [Some([0; 3]), None] {
            let described = with(|member| {
                member.flags = 8;
                member.local_sizes = zeros;
                member.behind = signature.to_vec();
                for size in [member.crc, member.deflated, member.inflated] {
                    member.behind.extend(size.to_le_bytes());
                }
            });
            assert_eq!(described, None);
        }
    }
}

#[test]
fn names_that_are_not_listed_are_refused_e13() {
    for bad in [
        "../DAILY_CUSTOMER_0_201908220930300000_NZT.xml",
        "/DAILY_CUSTOMER_0_201908220930300000_NZT.xml",
        "a\\DAILY_CUSTOMER_0_201908220930300000_NZT.xml",
        "C:DAILY_CUSTOMER_0_201908220930300000_NZT.xml",
        "daily_customer_0_201908220930300000_nzt.xml",
        "DAILY_CUSTOMER_0_201908220930300000_NZT.XML",
        "DAILY_CUSTOMER_0_201908220930300000_NZT.xml/",
        "DAILY_CUSTOMER_0_201908220930300000_NZT.xml ",
        "DAILY_CUSTOMER_0_201908220930300001_NZT.xml",
        "",
    ] {
        assert_eq!(with(|member| member.name = bad.into()), unlisted(bad), "{bad}");
    }
    assert_eq!(
        with(|member| member.name = b"a\0\x1b[2J\xff".into()),
        unlisted("a\u{fffd}\u{fffd}[2J\u{fffd}")
    );
    assert_eq!(with(|member| member.name = vec![b'x'; 65_535]), unlisted(&"x".repeat(128)));
}

#[test]
fn members_are_exactly_those_listed_e13() {
    let [first, second] = pair();
    assert_eq!(fault(&archive(&[first.clone(), first.clone()])), {
        Some(ZipFault::Member { name: name(FIRST), flaw: MemberFlaw::Twice })
    });
    let counted = |found| Some(ZipFault::MemberCount { listed: 2, found });
    assert_eq!(fault(&archive(std::slice::from_ref(&first))), counted(1));
    assert_eq!(fault(&archive(&[])), counted(0));
    assert_eq!(fault(&archive(&[first.clone(), second.clone(), second.clone()])), counted(3));
    // The end record counts two, and the directory has three or one.
    let hidden = archive_with(&[first.clone(), second.clone(), second], |tail| {
        (tail.count, tail.count_here) = (2, 2);
    });
    assert_eq!(fault(&hidden), Some(ZipFault::Directory));
    let short = archive_with(&[first], |tail| (tail.count, tail.count_here) = (2, 2));
    assert_eq!(fault(&short), Some(ZipFault::Directory));
}

#[test]
fn only_plain_files_are_taken_e13() {
    for kind in [0o120_000_u32, 0o040_000, 0o020_000, 0o060_000, 0o010_000, 0o140_000, 0o160_000] {
        assert_eq!(
            with(|member| member.attributes = (kind | 0o777) << 16),
            flaw(MemberFlaw::NotAFile),
            "{kind:o}"
        );
    }
    for attribute in [0x10, 0x08, 0x400] {
        assert_eq!(with(|member| member.attributes |= attribute), flaw(MemberFlaw::NotAFile));
    }
}

#[test]
fn encryption_and_other_methods_are_refused_e13() {
    for flags in [0x0001, 0x0041, 0x2000, 0x0040] {
        assert_eq!(with(|member| member.flags = flags), flaw(MemberFlaw::Encrypted));
    }
    assert_eq!(with(|member| member.flags = 0x0020), flaw(MemberFlaw::Flags(0x20)));
    assert_eq!(with(|member| member.extra = b"\x01\x99\x07\0\x02\0AE\x03\x08\0".to_vec()), {
        flaw(MemberFlaw::Extra(0x9901))
    });
    for method in [1, 6, 9, 12, 14, 93, 95, 98, 99] {
        assert_eq!(with(|member| member.method = method), flaw(MemberFlaw::Method(method)));
    }
    // A method that the sizes contradict.
    assert_eq!(with(|member| member.method = 0), flaw(MemberFlaw::Length));
}

#[test]
fn zip64_and_other_second_accounts_are_refused_e13() {
    let zip64 = Some(ZipFault::Zip64);
    assert_eq!(with(|member| member.inflated = u32::MAX), zip64);
    assert_eq!(with(|member| member.deflated = u32::MAX), zip64);
    assert_eq!(with(|member| member.offset = Some(u32::MAX)), zip64);
    assert_eq!(with(|member| member.disk = 1), zip64);
    assert_eq!(with_tail(|tail| tail.count = u16::MAX), zip64);
    assert_eq!(with_tail(|tail| tail.start = u32::MAX), zip64);
    assert_eq!(with_tail(|tail| tail.bytes = u32::MAX), zip64);
    // A Zip64 extra field, and a second name.
    for id in [0x0001_u16, 0x7075] {
        let field = [&id.to_le_bytes()[..], &[8, 0], &[0; 8]].concat();
        assert_eq!(with(|member| member.extra = field.clone()), flaw(MemberFlaw::Extra(id)));
        assert_eq!(with(|member| member.local_extra = field.clone()), flaw(MemberFlaw::Extra(id)));
    }
    assert_eq!(with(|member| member.extra = b"UT\xff\xff".to_vec()), flaw(MemberFlaw::Extra(0x5455)));
    assert_eq!(with(|member| member.extra = b"UT\0".to_vec()), flaw(MemberFlaw::Extra(0)));
    assert_eq!(with(|member| member.comment = b"hello".to_vec()), flaw(MemberFlaw::Comment));
    // A Zip64 locator between the directory and the end record.
    assert_eq!(with_tail(|tail| tail.before_end = b"PK\x06\x07".repeat(5)), Some(ZipFault::Directory));
}

#[test]
fn every_byte_belongs_to_one_member_e13() {
    let [first, second] = pair();
    let second_at = archive(std::slice::from_ref(&first)).len() as u64 - 22 - 46 - FIRST.len() as u64;
    let directory_at = archive(&pair()).len() as u64 - 22 - 2 * 46 - (FIRST.len() + SECOND.len()) as u64;

    // A gap behind a member, behind the last one, and in front of the first.
    let mut gap = first.clone();
    gap.behind = vec![0; 3];
    assert_eq!(fault(&archive(&[gap, second.clone()])), Some(ZipFault::Layout { at: second_at }));
    assert_eq!(with(|member| member.behind = vec![0; 12]), Some(ZipFault::Layout { at: directory_at }));
    let prefixed = [b"MZ".to_vec(), archive(&pair())].concat();
    assert_eq!(fault(&prefixed), Some(ZipFault::Directory));
    let moved = archive_with(&pair(), |tail| {
        tail.before_directory = vec![0; 4];
        tail.start += 4;
    });
    assert_eq!(fault(&moved), Some(ZipFault::Layout { at: directory_at }));
    assert_eq!(with_tail(|tail| tail.before_directory = vec![0; 4]), Some(ZipFault::Directory));
    assert_eq!(with_tail(|tail| tail.before_end = vec![0; 4]), Some(ZipFault::Directory));
    assert_eq!(with_tail(|tail| tail.after = vec![0; 4]), Some(ZipFault::End));
    assert_eq!(with_tail(|tail| tail.comment = b"comment".to_vec()), Some(ZipFault::End));
    assert_eq!(with_tail(|tail| tail.disk = 1), Some(ZipFault::End));
    assert_eq!(with_tail(|tail| tail.count_here = 1), Some(ZipFault::End));

    // Two directory entries for one stretch of the archive: the overlapping bomb.
    let mut shared = second.clone();
    shared.is_directory_only = true;
    shared.offset = Some(0);
    assert!(matches!(fault(&archive(&[first.clone(), shared])), Some(ZipFault::Layout { .. })));
    // A member that says it reaches over the next one's header.
    let mut reaching = first;
    reaching.deflated += 100;
    assert_eq!(fault(&archive(&[reaching, second])), Some(ZipFault::Layout { at: second_at }));
}

#[test]
fn a_zip_without_members_is_an_end_record_alone() {
    let empty = FileTransfer { counts: Counts::default(), children: Vec::new(), ..listed() };
    assert!(check(&archive(&[]), &empty).is_ok());
    let junk = archive_with(&[], |tail| {
        tail.before_directory = vec![0; 4];
        tail.start = 4;
    });
    assert_eq!(check(&junk, &empty), Err(ZipFault::Layout { at: 0 }));
}

#[test]
fn both_headers_of_a_member_agree_e13() {
    assert_eq!(with(|member| member.local_name = Some(FIRST.into())), flaw(MemberFlaw::Header));
    assert_eq!(with(|member| member.local_flags = Some(2)), flaw(MemberFlaw::Header));
    assert_eq!(with(|member| member.local_method = Some(0)), flaw(MemberFlaw::Header));
    assert_eq!(with(|member| member.local_sizes = Some([0; 3])), flaw(MemberFlaw::Header));
    let described = with(|member| {
        member.flags = 8;
        member.behind = [b"PK\x07\x08".to_vec(), vec![0; 12]].concat();
    });
    assert_eq!(described, flaw(MemberFlaw::Header));
}

#[test]
fn content_is_whole_and_as_long_as_stated_e13() {
    assert_eq!(with(|member| member.crc ^= 1), flaw(MemberFlaw::Crc));
    assert_eq!(with(|member| member.inflated -= 1), flaw(MemberFlaw::Length));
    assert_eq!(with(|member| member.inflated += 1), flaw(MemberFlaw::Length));
    assert_eq!(with(|member| member.data[0] = 7), flaw(MemberFlaw::Deflate));
    // Bytes behind the end of the DEFLATE stream, and a stream without an end.
    let hidden = with(|member| {
        member.data.extend(b"hidden");
        member.deflated += 6;
    });
    assert_eq!(hidden, flaw(MemberFlaw::Deflate));
    let endless = with(|member| {
        member.data.pop();
        member.deflated -= 1;
    });
    assert_eq!(endless, flaw(MemberFlaw::Deflate));
}

#[test]
fn content_has_the_listed_counts() {
    let changed = |content: &str| fault(&archive(&[pair()[0].clone(), member(SECOND, content.as_bytes())]));
    assert_eq!(changed("<Customers"), flaw(MemberFlaw::Content(ContentFault::Malformed)));
    assert_eq!(changed(""), flaw(MemberFlaw::Content(ContentFault::Malformed)));
    let doctype = "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>";
    assert_eq!(changed(doctype), flaw(MemberFlaw::Content(ContentFault::Doctype)));
    let (listed, found) = (Counts { records: 2, periods: 2 }, Counts { records: 3, periods: 3 });
    assert_eq!(changed(&content(2)), flaw(MemberFlaw::Counts { listed, found }));
}

#[test]
fn bombs_are_refused_before_they_are_inflated_e13() {
    let zeros = vec![b' '; 4 << 20];
    let bomb = archive(&[pair()[0].clone(), member(SECOND, &zeros)]);
    assert_eq!(fault(&bomb), flaw(MemberFlaw::Ratio { limit: 200 }));
    // It is refused for what it states, so the content need not even be there.
    let stated = with(|member| member.inflated = 1 << 30);
    assert_eq!(stated, flaw(MemberFlaw::Ratio { limit: 200 }));
    let caps = Caps { inflated_bytes: 150, ..Caps::default() };
    let small = check_zip(Cursor::new(archive(&pair())), &listed(), &caps);
    assert_eq!(small, Err(ZipFault::TooLarge { limit_bytes: 150 }));
    // What states little and holds much is stopped where it exceeds what it states.
    let mut liar = member(SECOND, &zeros);
    liar.inflated = 100;
    assert_eq!(fault(&archive(&[pair()[0].clone(), liar])), flaw(MemberFlaw::Length));
}

#[test]
fn a_million_entries_cost_nothing() {
    // As many as can be counted without Zip64; the list is asked before the directory is read.
    let members = vec![pair()[0].clone(); 65_534];
    assert_eq!(fault(&archive(&members)), Some(ZipFault::MemberCount { listed: 2, found: 65_534 }));
}

#[test]
fn what_is_cut_off_is_refused_everywhere() {
    let whole = archive(&pair());
    for length in 0..whole.len() {
        assert!(fault(&whole[..length]).is_some(), "{length}");
    }
}

/// Whatever one byte is changed to: refused, or the members are still the same, also for another reader.
#[test]
fn a_changed_byte_is_refused_or_changes_nothing() {
    let set = set(TDS, 1);
    let (name, whole) = &set.zips[0];
    let transfer = set.control.transfer(name).unwrap();
    for at in 0..whole.len() {
        for change in [0x01, 0x02, 0x08, 0x20, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= change;
            if check(&changed, transfer).is_err() {
                continue;
            }
            let mut archive = ZipArchive::new(Cursor::new(&changed)).unwrap();
            assert_eq!(archive.len(), 3, "byte {at} ^ {change:#x}");
            for number in 0..2 {
                let mut text = String::new();
                archive.by_index(number).unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, content(number), "byte {at} ^ {change:#x}");
            }
        }
    }
}

/// Something done to an archive's bytes, at a place that is taken modulo their number.
#[derive(Debug, Clone)]
enum Edit {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Copy { from: usize, to: usize, length: usize },
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), any::<usize>(), 1_usize..100).prop_map(|(from, to, length)| Edit::Copy {
            from,
            to,
            length
        }),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: Edit) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match edit {
        Edit::Set(at, byte) => bytes[at % length] = byte,
        Edit::Insert(at, byte) => bytes.insert(at % length, byte),
        Edit::Remove(at) => drop(bytes.remove(at % length)),
        Edit::Copy { from, to, length: copied } => {
            let (from, to) = (from % length, to % length);
            let end = length.min(from + copied).min(from + length - to);
            bytes.copy_within(from..end, to);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_archive_is_checked_without_a_panic(edits in prop::collection::vec(edit(), 1..6)) {
        let mut bytes = archive(&pair());
        for edit in edits {
            apply(&mut bytes, edit);
        }
        if fault(&bytes).is_none() {
            let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
            for number in 0..2 {
                let mut text = String::new();
                archive.by_index(number).unwrap().read_to_string(&mut text).unwrap();
                prop_assert_eq!(text, content(number));
            }
        }
    }
}

/// Fails at its `steps`th step.
struct Failing<R> {
    inner: R,
    steps: usize,
}

impl<R> Failing<R> {
    fn step(&mut self) -> io::Result<&mut R> {
        self.steps = self.steps.checked_sub(1).ok_or(io::ErrorKind::ConnectionReset)?;
        Ok(&mut self.inner)
    }
}

impl<R: Read> Read for Failing<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Small pieces, so that there are steps everywhere.
        let length = into.len().min(16);
        self.step()?.read(&mut into[..length])
    }
}

impl<R: Seek> Seek for Failing<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.step()?.seek(to)
    }
}

#[test]
fn a_reader_that_fails_is_not_blamed_on_the_zip() {
    let mut described = pair();
    for member in &mut described {
        member.flags = 8;
        member.behind = [member.crc, member.deflated, member.inflated].map(u32::to_le_bytes).concat();
    }
    for archive in [archive(&pair()), archive(&described)] {
        for steps in 0.. {
            let reader = Failing { inner: Cursor::new(&archive), steps };
            match check_zip(reader, &listed(), &Caps::default()) {
                Ok(_) => break,
                Err(fault) => assert_eq!(fault, ZipFault::Io(io::ErrorKind::ConnectionReset), "{steps}"),
            }
        }
    }
}
