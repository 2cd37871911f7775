//! Reads HTTP/1.1 answers off a stream, believing nothing (RFC 9112).

use std::io::{ErrorKind, Read};

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status; 0 when the connection ended before there was one.
    pub(crate) status: u16,
    /// The header fields in their order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, decoded from its transfer coding.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first field of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, what is no text replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How reading from a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing came for a while; the connection is open.
    Idle,
    /// The far end closed it.
    Closed,
    /// The far end broke it off, with these words.
    Broken(String),
}

/// A stream, and what was read of it ahead.
pub(crate) struct Reader<S> {
    stream: S,
    ahead: Vec<u8>,
    end: Option<End>,
}

impl<S: Read> Reader<S> {
    pub(crate) fn new(stream: S) -> Reader<S> {
        Reader { stream, ahead: Vec::new(), end: None }
    }

    /// The stream itself, to write to.
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The next answer to a request of this method; `Err` when there is none any more.
    pub(crate) fn answer(&mut self, method: &str) -> Result<Answer, End> {
        loop {
            let head = self.until(b"\r\n\r\n")?;
            let answer = parse_head(&head);
            // An interim answer (RFC 9110 §15.2) is followed by the final one.
            if !(100..200).contains(&answer.status) || answer.status == 101 {
                return self.body(answer, method);
            }
        }
    }

    fn body(&mut self, mut answer: Answer, method: &str) -> Result<Answer, End> {
        if method == "HEAD" || matches!(answer.status, 204 | 304) {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let line = self.until(b"\r\n")?;
                let line = String::from_utf8_lossy(&line);
                let size =
                    usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
                let chunk = self.exactly(size + 2)?;
                if size == 0 {
                    return Ok(answer);
                }
                answer.body.extend_from_slice(chunk.get(..size).unwrap_or_default());
            }
        }
        match answer.header("content-length").map(str::parse) {
            Some(Ok(length)) => answer.body = self.exactly(length)?,
            _ => {
                while self.more().is_ok() {}
                answer.body = std::mem::take(&mut self.ahead);
            }
        }
        Ok(answer)
    }

    /// How the connection is, after a last look.
    pub(crate) fn end(&mut self) -> End {
        match self.more() {
            Ok(()) => End::Idle,
            Err(end) => end,
        }
    }

    /// Everything up to and without `mark`, which is consumed.
    fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, End> {
        loop {
            if let Some(at) = self.ahead.windows(mark.len()).position(|window| window == mark) {
                let mut taken: Vec<u8> = self.ahead.drain(..at + mark.len()).collect();
                taken.truncate(at);
                return Ok(taken);
            }
            self.more()?;
        }
    }

    pub(crate) fn exactly(&mut self, count: usize) -> Result<Vec<u8>, End> {
        while self.ahead.len() < count {
            self.more()?;
        }
        Ok(self.ahead.drain(..count).collect())
    }

    fn more(&mut self) -> Result<(), End> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        let mut buffer = [0; 16 * 1024];
        let end = match self.stream.read(&mut buffer) {
            Ok(0) => End::Closed,
            Ok(count) => {
                self.ahead.extend_from_slice(buffer.get(..count).unwrap_or_default());
                return Ok(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(End::Idle);
            }
            // An end without close_notify is an end all the same.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => End::Closed,
            Err(error) => End::Broken(error.to_string()),
        };
        self.end = Some(end.clone());
        Err(end)
    }
}

fn parse_head(head: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Answer { status: status.unwrap_or(0), headers: lines.filter_map(field).collect(), body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Result<Answer, End>, End) {
        let mut reader = Reader::new(bytes);
        (reader.answer("GET"), reader.end())
    }

    #[test]
    fn answer_with_a_length_ends_there() {
        let (answer, _) = read(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-A: b\r\n\r\nokHTTP");
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.text().as_str(), answer.header("x-a")), (403, "ok", Some("b")));
    }

    #[test]
    fn chunked_answer_is_put_together() {
        let (answer, end) =
            read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
        assert_eq!((answer.unwrap().text().as_str(), end), ("abcd", End::Closed));
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let (answer, _) = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(answer.unwrap().status, 204);
    }

    #[test]
    fn no_answer_is_the_end() {
        assert_eq!(read(b"").0, Err(End::Closed));
    }
}
