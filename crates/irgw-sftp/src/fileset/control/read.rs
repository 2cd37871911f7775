//! Reads a control file's XML into what it says, before it is asked whether it agrees with itself (FILE-3).

use std::borrow::Cow;
use std::str::FromStr;

use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{ChildFile, ControlFault, ControlFile, Counts, FileTransfer, records_word};
use crate::fileset::{Feed, NameFault};

/// Reads the totals and the zips.
pub(super) fn read(bytes: &[u8]) -> Result<(Totals, Vec<FileTransfer>), ControlFault> {
    if bytes.len() > ControlFile::LIMIT_BYTES {
        return Err(ControlFault::TooLong);
    }
    let text = str::from_utf8(bytes).map_err(|_| ControlFault::Encoding)?;
    let mut xml = Reader::from_str(text);
    xml.config_mut().expand_empty_elements = true;
    xml.config_mut().check_comments = true;
    let mut document = Document { place: Place::Start, totals: None, transfers: Vec::new() };
    loop {
        let event = xml.read_event().map_err(|_| ControlFault::Malformed { at: xml.error_position() })?;
        let at = xml.buffer_position();
        if matches!(event, Event::Eof) {
            let totals = document.totals.filter(|_| document.place == Place::End);
            return Ok((totals.ok_or(ControlFault::Malformed { at })?, document.transfers));
        }
        document.take(event, at)?;
    }
}

/// The root's attributes.
pub(super) struct Totals {
    pub(super) feed: Feed,
    pub(super) counts: Counts,
}

struct Document {
    place: Place,
    totals: Option<Totals>,
    transfers: Vec<FileTransfer>,
}

/// Where in the document the reader is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Before anything.
    Start,
    /// Before the root, behind the declaration or a comment.
    Prolog,
    Root,
    Transfer,
    Child,
    /// Behind the root.
    End,
}

impl Document {
    fn take(&mut self, event: Event<'_>, at: u64) -> Result<(), ControlFault> {
        self.place = match (self.place, event) {
            (Place::Start, Event::Decl(declaration)) => {
                check_declaration(&declaration, at)?;
                Place::Prolog
            }
            (Place::Start | Place::Prolog, Event::Start(root)) if root.name().0 == "FileTransfers" => {
                self.totals = Some(totals(&root, at)?);
                Place::Root
            }
            (Place::Root, Event::Start(zip)) if zip.name().0 == "FileTransfer" => {
                let feed = self.totals.as_ref().ok_or(ControlFault::Unexpected { at })?.feed;
                let Entry { name, counts } = Entry::read(&zip, feed, at)?;
                self.transfers.push(FileTransfer { name, counts, children: Vec::new() });
                Place::Transfer
            }
            (Place::Transfer, Event::Start(member)) if member.name().0 == "ChildFile" => {
                let feed = self.totals.as_ref().ok_or(ControlFault::Unexpected { at })?.feed;
                let Entry { name, counts } = Entry::read(&member, feed, at)?;
                let zip = self.transfers.last_mut().ok_or(ControlFault::Unexpected { at })?;
                zip.children.push(ChildFile { name, counts });
                Place::Child
            }
            // The reader has seen to it that an end is that of the element which is open.
            (Place::Child, Event::End(_)) => Place::Transfer,
            (Place::Transfer, Event::End(_)) => Place::Root,
            (Place::Root, Event::End(_)) => Place::End,
            (place, Event::Text(text)) if text.bytes().all(is_space) => place.or_prolog(),
            (place, Event::Comment(_)) => place.or_prolog(),
            (_, Event::DocType(_)) => return Err(ControlFault::Doctype { at }),
            _ => return Err(ControlFault::Unexpected { at }),
        };
        Ok(())
    }
}

impl Place {
    fn or_prolog(self) -> Place {
        if self == Place::Start { Place::Prolog } else { self }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn check_declaration(declaration: &BytesDecl<'_>, at: u64) -> Result<(), ControlFault> {
    if !matches!(declaration.xml_version(), Ok(XmlVersion::Explicit1_0)) {
        return Err(ControlFault::Malformed { at });
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(ControlFault::Encoding),
    }
}

fn totals(root: &BytesStart<'_>, at: u64) -> Result<Totals, ControlFault> {
    let names = ["TotalTransactionCount", "TotalReturnCount", "TotalPeriodCount"];
    let [transactions, returns, periods] = attributes(root, names, at)?;
    let (feed, records) = match (transactions, returns) {
        (Some(records), None) => (Feed::TransactionData, records),
        (None, Some(records)) => (Feed::ReturnStatus, records),
        (None, None) => return Err(ControlFault::MissingAttribute { at }),
        (Some(_), Some(_)) => return Err(ControlFault::UnknownAttribute { at }),
    };
    let periods = periods.ok_or(ControlFault::MissingAttribute { at })?;
    Ok(Totals { feed, counts: Counts { records: count(&records, at)?, periods: count(&periods, at)? } })
}

/// The attributes of a zip or of a member.
struct Entry<N> {
    name: N,
    counts: Counts,
}

impl<N: FromStr<Err = NameFault>> Entry<N> {
    fn read(element: &BytesStart<'_>, feed: Feed, at: u64) -> Result<Entry<N>, ControlFault> {
        match attributes(element, ["FileName", records_word(feed), "PeriodCount"], at)? {
            [Some(name), Some(records), Some(periods)] => Ok(Entry {
                name: name.parse().map_err(|fault| ControlFault::Name { at, fault })?,
                counts: Counts { records: count(&records, at)?, periods: count(&periods, at)? },
            }),
            _ => Err(ControlFault::MissingAttribute { at }),
        }
    }
}

/// The values of these attributes as they are written, and of no others but declarations of namespace prefixes.
fn attributes<'a, const N: usize>(
    element: &'a BytesStart<'_>,
    names: [&str; N],
    at: u64,
) -> Result<[Option<Cow<'a, str>>; N], ControlFault> {
    let mut values = [const { None }; N];
    for attribute in element.attributes() {
        // An attribute that is there twice is an error of the iterator's.
        let attribute = attribute.map_err(|_| ControlFault::Malformed { at })?;
        let slot = names.iter().zip(&mut values).find(|(name, _)| **name == attribute.key.0);
        match slot {
            Some((_, value)) => *value = Some(attribute.value),
            None if attribute.key.0.starts_with("xmlns:") => {}
            None => return Err(ControlFault::UnknownAttribute { at }),
        }
    }
    Ok(values)
}

fn count(text: &str, at: u64) -> Result<u64, ControlFault> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse().ok().filter(|_| is_plain);
    number.ok_or(ControlFault::Number { at })
}
