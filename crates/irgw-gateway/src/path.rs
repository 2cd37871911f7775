//! The one reading of a request target's path: what is routed, judged and forwarded is the same text (GW-1).

use std::fmt;

/// A path that has one reading: absolute, percent-encoded where needed, no empty, `.` or `..` segments.
///
/// Percent-encoded unreserved characters are decoded and hex digits are upper case (RFC 3986 §6.2.2); everything that
/// two parsers could read differently is refused rather than repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath(String);

impl NormalPath {
    /// Normalises the path of a request target (without the query).
    ///
    /// ```
    /// # use irgw_gateway::NormalPath;
    /// assert_eq!(NormalPath::parse("/gateway/%61ccount/a%c4%81").unwrap().as_str(), "/gateway/account/a%C4%81");
    /// assert!(NormalPath::parse("/gateway/%2e%2e/account").is_err());
    /// ```
    ///
    /// # Errors
    /// [`Ambiguous`], with the first thing that has more than one reading.
    pub fn parse(path: &str) -> Result<NormalPath, Ambiguous> {
        if path.len() > LIMIT_BYTES {
            return Err(Ambiguous::TooLong);
        }
        let Some(rest) = path.strip_prefix('/') else { return Err(Ambiguous::NotAbsolute) };
        let mut normal = String::with_capacity(path.len());
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            if segment.is_empty() && segments.peek().is_some() {
                return Err(Ambiguous::EmptySegment);
            }
            normal.push('/');
            append_segment(&mut normal, segment)?;
        }
        // What has to be percent-encoded grows threefold.
        if normal.len() > LIMIT_BYTES {
            return Err(Ambiguous::TooLong);
        }
        Ok(NormalPath(normal))
    }

    /// The path's text, with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `prefix`, when the path lies under it: whole segments, ASCII case ignored (ENV-3).
    ///
    /// `prefix` is a service's path with a leading and no trailing slash. The rest is empty or starts with a slash.
    pub fn under(&self, prefix: &str) -> Option<&str> {
        let (head, rest) = self.0.split_at_checked(prefix.len())?;
        let whole = rest.is_empty() || rest.starts_with('/');
        (whole && head.eq_ignore_ascii_case(prefix)).then_some(rest)
    }
}

/// Why a path has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ambiguous {
    /// Longer than 4,096 bytes, as it came or as it is forwarded.
    TooLong,
    /// No leading slash: absolute-form, authority-form and asterisk-form targets are not served.
    NotAbsolute,
    /// Two slashes in a row.
    EmptySegment,
    /// A segment `.` or `..`, spelled in any way, or one that ends in a dot or a space.
    DotSegment,
    /// A character that some servers treat specially, plain or percent-encoded: `/ \ ; ? # %`.
    Delimiter(char),
    /// A control character, or a byte outside ASCII that is not percent-encoded.
    Unprintable(u8),
    /// A percent sign without two hex digits, or bytes that are not UTF-8.
    Encoding,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ambiguous::TooLong => write!(f, "the path is longer than {LIMIT_BYTES} bytes"),
            Ambiguous::NotAbsolute => f.write_str("the request target is not an absolute path"),
            Ambiguous::EmptySegment => f.write_str("the path has an empty segment"),
            Ambiguous::DotSegment => {
                f.write_str("the path has a dot segment, or one that ends in a dot or a space")
            }
            Ambiguous::Delimiter(c) => write!(f, "the path has a {c:?} inside a segment"),
            Ambiguous::Unprintable(byte) => write!(f, "the path has the byte {byte:#04x}"),
            Ambiguous::Encoding => f.write_str("the path is not percent-encoded UTF-8"),
        }
    }
}

impl std::error::Error for Ambiguous {}

const LIMIT_BYTES: usize = 4096;

fn append_segment(normal: &mut String, segment: &str) -> Result<(), Ambiguous> {
    let (mut decoded, mut encoded) = (Vec::with_capacity(segment.len()), Vec::with_capacity(segment.len()));
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'%' => {
                let pair =
                    [bytes.next().ok_or(Ambiguous::Encoding)?, bytes.next().ok_or(Ambiguous::Encoding)?];
                hex_pair(pair).ok_or(Ambiguous::Encoding)?
            }
            0x80.. => return Err(Ambiguous::Unprintable(byte)),
            _ => byte,
        };
        match plain {
            0..=0x1f | 0x7f => return Err(Ambiguous::Unprintable(plain)),
            b'/' | b'\\' | b';' | b'?' | b'#' | b'%' => return Err(Ambiguous::Delimiter(char::from(plain))),
            _ => decoded.push(plain),
        }
        encoded.push(byte == b'%');
    }
    if matches!(decoded.last(), Some(b'.' | b' ')) {
        return Err(Ambiguous::DotSegment);
    }
    let text = std::str::from_utf8(&decoded).map_err(|_| Ambiguous::Encoding)?;
    for (at, c) in text.char_indices() {
        let was_encoded = encoded.get(at).copied().unwrap_or_default();
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' => normal.push(c),
            // RFC 3986 §2.2, §3.3: sub-delims without ";", ":" and "@" mean something else when they are encoded.
            '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | '=' | ':' | '@' if !was_encoded => {
                normal.push(c);
            }
            '\u{80}'..='\u{9f}' => return Err(Ambiguous::Encoding),
            _ => {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    normal.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    Ok(())
}

fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str) -> Result<String, Ambiguous> {
        NormalPath::parse(path).map(|path| path.as_str().to_owned())
    }

    #[test]
    fn plain_path_is_kept_and_its_case_too() {
        assert_eq!(normal("/Gateway/gws/Returns/"), Ok("/Gateway/gws/Returns/".into()));
        assert_eq!(normal("/"), Ok("/".into()));
        assert_eq!(normal("/a/b:c@d,e=f"), Ok("/a/b:c@d,e=f".into()));
    }

    #[test]
    fn equivalent_spellings_become_one() {
        assert_eq!(normal("/%67ateway/%7e"), Ok("/gateway/~".into()));
        assert_eq!(normal("/m%c4%81ori%20x"), Ok("/m%C4%81ori%20x".into()));
        assert_eq!(normal("/a|b"), Ok("/a%7Cb".into()));
        // Reserved characters stay as they were sent: `+` and `%2B` are two names.
        assert_eq!(normal("/a+b/c%2bd%3d%40"), Ok("/a+b/c%2Bd%3D%40".into()));
    }

    /// D03: nothing that a backing service could read differently passes.
    #[test]
    fn ambiguous_paths_are_refused() {
        use Ambiguous::*;
        for (path, why) in [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("https://host/gateway", NotAbsolute),
            ("//gateway", EmptySegment),
            ("/gateway//account", EmptySegment),
            ("/gateway/account//", EmptySegment),
            ("/gateway/./account", DotSegment),
            ("/gateway/../account", DotSegment),
            ("/gateway/%2e%2E/account", DotSegment),
            ("/gateway/.%2e", DotSegment),
            ("/gateway/account.", DotSegment),
            ("/gateway/account%20", DotSegment),
            ("/gateway/account;x=1", Delimiter(';')),
            ("/gateway/account%3bx", Delimiter(';')),
            ("/gateway%2faccount", Delimiter('/')),
            ("/gateway%5caccount", Delimiter('\\')),
            ("/gateway\\account", Delimiter('\\')),
            ("/gateway/%252e%252e", Delimiter('%')),
            ("/gateway/a%3Fb", Delimiter('?')),
            ("/gateway/a%23b", Delimiter('#')),
            ("/gateway/a#b", Delimiter('#')),
            ("/gateway/a%00", Unprintable(0)),
            ("/gateway/a%0d%0a", Unprintable(13)),
            ("/gateway/a\u{7f}", Unprintable(0x7f)),
            ("/gateway/ā", Unprintable(0xc4)),
            ("/gateway/%c0%af", Encoding),
            ("/gateway/%c0%ae%c0%ae", Encoding),
            ("/gateway/%ff", Encoding),
            ("/gateway/%c2%85", Encoding),
            ("/gateway/%", Encoding),
            ("/gateway/%2", Encoding),
            ("/gateway/%u002e", Encoding),
            ("/gateway/%+1", Encoding),
        ] {
            assert_eq!(normal(path), Err(why), "{path}");
        }
        assert_eq!(normal(&format!("/{}", "a".repeat(4096))), Err(TooLong));
        assert_eq!(normal(&format!("/{}", "[".repeat(1366))), Err(TooLong));
        assert!(normal(&format!("/{}", "[".repeat(1365))).is_ok_and(|path| path.len() == 4096));
    }

    #[test]
    fn normal_path_normalises_to_itself() {
        for path in ["/gateway/account/", "/m%C4%81ori%20x", "/a%7Cb"] {
            assert_eq!(normal(path), Ok(path.to_owned()));
        }
    }

    #[test]
    fn prefix_matches_whole_segments_and_ignores_case() {
        let path = NormalPath::parse("/GATEWAY/Account/x").unwrap();
        assert_eq!(path.under("/gateway/account"), Some("/x"));
        assert_eq!(path.under("/gateway/acc"), None);
        assert_eq!(path.under("/gateway/account/x/y"), None);
        assert_eq!(NormalPath::parse("/gateway/account").unwrap().under("/gateway/account"), Some(""));
    }
}
