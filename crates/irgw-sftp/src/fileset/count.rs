//! Counts what a member holds, while it streams by (FILE-4).

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Counts, Feed};

/// Counts the records and periods of a member's XML, reading it to its end.
///
/// A record is an element `Tx` in the transaction-data feed, and an element `submissionKey` in the return-status feed; a period is
/// an element `Period`. So it is in every member of IR's samples, and a summary of links has none. Names are compared as they are
/// written, prefix included. The XML must be well-formed, in UTF-8, and without a document type declaration.
///
/// Memory is bounded, whatever is read: by [`EVENT_LIMIT_BYTES`] and [`DEPTH_LIMIT`].
pub(super) fn count(content: impl BufRead, feed: Feed) -> Result<Counts, CountError> {
    let record = match feed {
        Feed::TransactionData => "Tx",
        Feed::ReturnStatus => "submissionKey",
    };
    let mut xml = Reader::from_reader(Budget { input: content, left: EVENT_LIMIT_BYTES });
    let mut buffer = Vec::new();
    let mut seen = Seen { record, counts: Counts::default(), depth: 0, roots: 0 };
    loop {
        buffer.clear();
        xml.get_mut().left = EVENT_LIMIT_BYTES;
        let event = xml.read_event_into(&mut buffer)?;
        if matches!(event, Event::Eof) {
            let is_whole = seen.depth == 0 && seen.roots == 1;
            return if is_whole { Ok(seen.counts) } else { Err(ContentFault::Malformed.into()) };
        }
        seen.take(&event)?;
    }
}

/// What of a member has been seen.
struct Seen {
    record: &'static str,
    counts: Counts,
    depth: usize,
    roots: usize,
}

impl Seen {
    fn take(&mut self, event: &Event<'_>) -> Result<(), ContentFault> {
        match event {
            Event::Start(element) => {
                self.element(element)?;
                self.depth += 1;
                if self.depth > DEPTH_LIMIT {
                    return Err(ContentFault::TooDeep);
                }
            }
            Event::Empty(element) => self.element(element)?,
            // The reader has seen to it that an end has a start.
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::DocType(_) => return Err(ContentFault::Doctype),
            Event::Text(text) if self.depth == 0 && !text.trim_ascii().is_empty() => {
                return Err(ContentFault::Malformed);
            }
            Event::CData(_) | Event::GeneralRef(_) if self.depth == 0 => return Err(ContentFault::Malformed),
            _ => {}
        }
        Ok(())
    }

    fn element(&mut self, element: &BytesStart<'_>) -> Result<(), ContentFault> {
        if element.attributes().any(|attribute| attribute.is_err()) {
            return Err(ContentFault::Malformed);
        }
        let name = element.name().0;
        self.counts.records += u64::from(name == self.record);
        self.counts.periods += u64::from(name == "Period");
        self.roots += usize::from(self.depth == 0);
        Ok(())
    }
}

/// The most bytes of one tag, text or comment of a member. The longest tag of the samples has 363.
const EVENT_LIMIT_BYTES: usize = 1024 * 1024;

/// The most elements of a member inside one another. The samples have 7.
const DEPTH_LIMIT: usize = 64;

/// Why a member's content could not be counted.
#[derive(Debug)]
pub(super) enum CountError {
    /// Reading it failed.
    Read(io::Error),
    /// It is not what it must be.
    Content(ContentFault),
}

/// What is wrong with a member's content (FILE-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentFault {
    /// Not well-formed XML in UTF-8.
    #[error("is not well-formed XML in UTF-8")]
    Malformed,
    /// A document type declaration.
    #[error("has a document type declaration")]
    Doctype,
    /// Elements are nested too deeply.
    #[error("has more than {DEPTH_LIMIT} elements inside one another")]
    TooDeep,
    /// A tag, a text or a comment is too long.
    #[error("has a tag or a text of more than {EVENT_LIMIT_BYTES} bytes")]
    TooLong,
}

impl From<ContentFault> for CountError {
    fn from(fault: ContentFault) -> CountError {
        CountError::Content(fault)
    }
}

impl From<quick_xml::Error> for CountError {
    fn from(error: quick_xml::Error) -> CountError {
        match error {
            quick_xml::Error::Io(error)
                if error.get_ref().is_some_and(|inner| inner.is::<ContentFault>()) =>
            {
                CountError::Content(ContentFault::TooLong)
            }
            quick_xml::Error::Io(error) => CountError::Read(error.kind().into()),
            _ => CountError::Content(ContentFault::Malformed),
        }
    }
}

/// Fails when more than `left` bytes are taken before it is set again, so that a token cannot fill the memory.
struct Budget<R> {
    input: R,
    left: usize,
}

impl<R: BufRead> BufRead for Budget<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.input.fill_buf()?;
        if self.left == 0 && !bytes.is_empty() {
            return Err(io::Error::other(ContentFault::TooLong));
        }
        Ok(bytes.get(..self.left).unwrap_or(bytes))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.input.consume(amount);
    }
}

impl<R: BufRead> Read for Budget<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(xml: &[u8], feed: Feed) -> Result<(u64, u64), ContentFault> {
        // Pieces of 7 bytes, so that tokens cross the edges of the buffer.
        match count(io::BufReader::with_capacity(7, xml), feed) {
            Ok(counts) => Ok((counts.records, counts.periods)),
            Err(CountError::Content(fault)) => Err(fault),
            Err(CountError::Read(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn elements_are_counted_and_what_looks_like_them_is_not() {
        let xml = br#"<?xml version="1.0"?>
            <Customers note="&lt;Tx>"><!-- <Tx/> <Period> --><Period a='<Tx' ><Tx/><Tx a=">"></Tx><TxX/><x:Tx/>
            <![CDATA[<Tx/>]]>&lt;Tx/&gt;<submissionKey>1</submissionKey></Period><Period/></Customers>
            "#;
        assert_eq!(counted(xml, Feed::TransactionData), Ok((2, 2)));
        assert_eq!(counted(xml, Feed::ReturnStatus), Ok((1, 2)));
        assert_eq!(counted("\u{feff}<Links/>".as_bytes(), Feed::ReturnStatus), Ok((0, 0)));
    }

    #[test]
    fn what_is_not_one_well_formed_document_is_refused() {
        for bad in [
            "",
            " ",
            "text",
            "<a>",
            "<a></b>",
            "<a/><a/>",
            "</a>",
            "<a/>b",
            "b<a/>",
            "<a",
            "<a b/>",
            "<a b='1' b='2'/>",
            "<a/>&amp;",
            "<a/><![CDATA[]]>",
            "<a><!--",
        ] {
            assert_eq!(counted(bad.as_bytes(), Feed::TransactionData), Err(ContentFault::Malformed), "{bad}");
        }
        assert_eq!(counted(b"<a>\xff</a>", Feed::TransactionData), Err(ContentFault::Malformed));
        assert_eq!(counted(b"<!DOCTYPE a><a/>", Feed::TransactionData), Err(ContentFault::Doctype));
    }

    #[test]
    fn depth_and_length_are_bounded_at_their_limits() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert_eq!(counted(nested(DEPTH_LIMIT).as_bytes(), Feed::ReturnStatus), Ok((0, 0)));
        assert_eq!(
            counted(nested(DEPTH_LIMIT + 1).as_bytes(), Feed::ReturnStatus),
            Err(ContentFault::TooDeep)
        );
        let text = |length: usize| format!("<a>{}</a>", "x".repeat(length));
        assert_eq!(counted(text(EVENT_LIMIT_BYTES - 8).as_bytes(), Feed::ReturnStatus), Ok((0, 0)));
        assert_eq!(
            counted(text(EVENT_LIMIT_BYTES + 1).as_bytes(), Feed::ReturnStatus),
            Err(ContentFault::TooLong)
        );
        let name = format!("<{}/>", "x".repeat(EVENT_LIMIT_BYTES));
        assert_eq!(counted(name.as_bytes(), Feed::ReturnStatus), Err(ContentFault::TooLong));
    }
}
