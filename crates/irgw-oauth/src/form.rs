//! Parameters of a query or a form, read strictly: once each, well encoded, bounded (C02, C16).

use crate::fault::Fault;

/// The parameters of one request, in the order that they came.
#[derive(Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// A parameter that comes twice (RFC 6749 §3.1), an escape that is none, what is no UTF-8, NUL, and too much of it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Form, Fault> {
        if bytes.len() > LIMIT_BYTES {
            return Err(Fault::Malformed("It is too long."));
        }
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
            let is_escape = rest.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            if !is_escape {
                return Err(Fault::Malformed("A percent escape is incomplete."));
            }
            rest = rest.get(at + 3..).unwrap_or_default();
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if [&name, &value].into_iter().any(|text| text.contains(['\u{fffd}', '\0'])) {
                return Err(Fault::Malformed("A parameter is not text."));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Fault::Repeated(name.into_owned()));
            }
            if parameters.len() == LIMIT_COUNT {
                return Err(Fault::Malformed("There are too many parameters."));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Form(parameters))
    }

    /// A parameter; one with an empty value counts as left out (RFC 6749 §3.1).
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// The table's answer that names it.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, Fault> {
        self.find(name).ok_or(Fault::Missing(name))
    }
}

/// More than any request of these endpoints has.
const LIMIT_BYTES: usize = 16 * 1024;
const LIMIT_COUNT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_read_once_and_strictly() {
        let form = Form::parse(b"a=1&b=%C4%81+x&c=").unwrap();
        assert_eq!((form.find("a"), form.find("b"), form.find("c")), (Some("1"), Some("\u{101} x"), None));
        assert_eq!(form.need("d"), Err(Fault::Missing("d")));
        assert_eq!(Form::parse(b"a=1&%61=2").unwrap_err(), Fault::Repeated("a".into()));
        for bad in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%ff", b"a=%00", &[b'x'; LIMIT_BYTES + 1]] {
            assert!(Form::parse(bad).is_err(), "{bad:?}");
        }
        let many: String = (0..=LIMIT_COUNT).map(|n| format!("p{n}=&")).collect();
        assert!(Form::parse(many.as_bytes()).is_err());
    }
}
