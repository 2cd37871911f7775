//! Sets that are built, read back by what receives them and by the `zip` crate.

use std::io::{self, Cursor, Read};

use irgw_sftp::fileset::{
    BuildFault, BuildLimits, ContentFault, ControlFile, Counts, MemberName, SetBuilder, Summary, ZipName,
};
use zip::ZipArchive;

use crate::made::{PSN, TDS, TRANSACTION, check, content, set};

type Builder = SetBuilder<Cursor<Vec<u8>>, fn(&ZipName) -> io::Result<Cursor<Vec<u8>>>>;

fn builder(first: &str, limits: BuildLimits) -> Builder {
    SetBuilder::new(first.parse::<ZipName>().unwrap().0, limits, |_| Ok(Cursor::new(Vec::new())))
}

fn customer() -> MemberName {
    "DAILY_CUSTOMER_0_201908220930300000_NZT.xml".parse().unwrap()
}

#[test]
fn a_built_set_is_what_a_receiver_asks_for() {
    for (first, zips) in [(TDS, 1), (TDS, 3), (PSN, 1)] {
        let set = set(first, zips);
        assert_eq!(set.zips.len(), zips);
        assert!(set.control.fits(&set.control_name));
        assert_eq!(ControlFile::parse(set.control.to_xml().as_bytes()), Ok(set.control.clone()));
        for (name, bytes) in &set.zips {
            assert!(check(bytes, set.control.transfer(name).unwrap()).is_ok());
        }
        let members = 2 * zips as u64;
        let sum = members * (members + 1) / 2;
        assert_eq!(set.control.totals(), Counts { records: sum, periods: sum });
    }
}

#[test]
fn zips_are_numbered_and_the_summary_is_in_the_last() {
    let set = set(TDS, 2);
    let names: Vec<_> = set.zips.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, [TDS.to_owned(), TDS.replace("_0_", "_1_")]);
    assert_eq!(
        set.control_name.to_string(),
        "DAILY_PROVIDER_1500131086_2_201908220930310000_NZT_CONTROL.xml"
    );
    let last = set.control.transfers().last().unwrap();
    assert_eq!(
        last.children.last().unwrap().name.to_string(),
        "DAILY_PROVIDER_1500131086_1_201908220930300000_NZT_INTERMEDIATION.xml"
    );
}

#[test]
fn the_zip_crate_reads_the_same_members() {
    let set = set(TDS, 2);
    let mut archive = ZipArchive::new(Cursor::new(&set.zips[1].1)).unwrap();
    let mut member = String::new();
    archive.by_index(0).unwrap().read_to_string(&mut member).unwrap();
    assert_eq!(member, content(TRANSACTION, 2));
    assert_eq!(archive.len(), 3);
}

#[test]
fn the_same_members_give_the_same_bytes() {
    assert_eq!(set(TDS, 2).zips, set(TDS, 2).zips);
}

#[test]
fn a_zip_is_full_by_its_bytes_too() {
    let mut builder = builder(TDS, BuildLimits { bytes: 1, ..BuildLimits::default() });
    for ird in ["132000001", "132000002"] {
        let name = format!("DAILY_AGENT_IRD_{ird}_0_201908220930300000_NZT.xml");
        builder.add(name.parse().unwrap(), &b"<a/>"[..]).unwrap();
    }
    assert_eq!(builder.finish("201908220930310000".parse().unwrap()).unwrap().zips.len(), 2);
}

#[test]
fn the_return_status_feed_has_one_zip() {
    let mut builder = builder(PSN, BuildLimits { members: 1, ..BuildLimits::default() });
    let name =
        |ird: &str| format!("PSN_DAILY_AGENT_IRD_{ird}_21_22_201908220930300000_NZT.xml").parse().unwrap();
    assert!(builder.add(name("132000001"), &b"<a/>"[..]).is_ok());
    assert_eq!(builder.add(name("132000002"), &b"<a/>"[..]), Err(BuildFault::Full));
    assert_eq!(builder.finish("201908220930310000".parse().unwrap()).err(), Some(BuildFault::Broken));
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::TimedOut.into())
    }
}

#[test]
fn what_cannot_be_a_set_is_not_built() {
    let fresh = || builder(TDS, BuildLimits::default());
    let name = customer();
    let fault = ContentFault::Malformed;
    assert_eq!(fresh().add(name, &b"<a>"[..]), Err(BuildFault::Content { name, fault }));
    assert_eq!(fresh().add(name, Failing), Err(BuildFault::Read(io::ErrorKind::TimedOut)));
    let other: MemberName = customer().to_string().replace("NZT", "PRD").parse().unwrap();
    assert_eq!(fresh().add(other, &b"<a/>"[..]), Err(BuildFault::OtherSet(other)));
    assert!(matches!(
        builder(PSN, BuildLimits::default()).add_summary(Summary::Permission, &b"<a/>"[..]),
        Err(BuildFault::Name(_))
    ));
    let finished = fresh().finish("201908220930310000".parse().unwrap());
    assert!(matches!(finished.err(), Some(BuildFault::Control(_))));

    let mut twice = fresh();
    assert!(twice.add(name, &b"<a/>"[..]).is_ok());
    assert_eq!(twice.add(name, &b"<a/>"[..]), Err(BuildFault::Twice(name)));
    assert_eq!(twice.add(name, &b"<a/>"[..]), Err(BuildFault::Broken));
}
