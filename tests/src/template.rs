//! Texts with `${…}` in them: what a case cannot know before it runs, such as the time or a thumbprint.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

/// The values that the texts of one case can name.
///
/// `${now}` is a value; `${now+60}` adds to a number; `${thumbprint|lower}` passes it through a filter: `lower`, `upper`,
/// `title` (first letter upper), `colons`, `spaces` (between byte pairs), `form` (percent-encoded), `base64`, `first10`,
/// `skip10` (by characters). `${a*100}`
/// with a single quoted character, `${'a'*100}`, repeats it, and `${bytes:ff00}` is those bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    /// Gives a name a value.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), value.to_string());
    }

    /// The text with every `${…}` replaced.
    pub(crate) fn text(&self, template: &str) -> Result<String, Error> {
        String::from_utf8(self.bytes(template)?)
            .map_err(|_| Error::recipe(format_args!("{template:?} does not become text")))
    }

    /// The same as bytes, which need not be text.
    pub(crate) fn bytes(&self, template: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            bytes.extend_from_slice(before.as_bytes());
            let (expression, after) = after
                .split_once('}')
                .ok_or_else(|| Error::recipe(format_args!("{template:?} has a ${{ without a }}")))?;
            bytes.extend(self.evaluate(expression)?);
            rest = after;
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(bytes)
    }

    fn evaluate(&self, expression: &str) -> Result<Vec<u8>, Error> {
        let wrong = || Error::recipe(format_args!("${{{expression}}} cannot be evaluated"));
        if let Some(hex) = expression.strip_prefix("bytes:") {
            return from_hex(hex).ok_or_else(wrong);
        }
        if let Some((character, count)) = expression.split_once("'*") {
            let character = character.strip_prefix('\'').ok_or_else(wrong)?;
            return Ok(character.repeat(count.parse().map_err(|_| wrong())?).into_bytes());
        }
        let (term, filters) = expression.split_once('|').unwrap_or((expression, ""));
        let mut value = match term.find(['+', '-']) {
            Some(at) => {
                let (name, offset) = term.split_at(at);
                let number: i64 = self.named(name).and_then(|value| value.parse().ok()).ok_or_else(wrong)?;
                (number + offset.parse::<i64>().map_err(|_| wrong())?).to_string()
            }
            None => self.named(term).ok_or_else(wrong)?.to_owned(),
        };
        for filter in filters.split('|').filter(|filter| !filter.is_empty()) {
            value = apply(filter, &value).ok_or_else(wrong)?;
        }
        Ok(value.into_bytes())
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

fn apply(filter: &str, value: &str) -> Option<String> {
    let pairs = |separator| {
        let pairs: Vec<_> = value.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        pairs.join(separator)
    };
    Some(match filter {
        "lower" => value.to_ascii_lowercase(),
        "upper" => value.to_ascii_uppercase(),
        "title" => {
            let (first, rest) = value.split_at_checked(1)?;
            format!("{}{rest}", first.to_ascii_uppercase())
        }
        "colons" => pairs(":"),
        "spaces" => pairs(" "),
        "form" => encoded(value),
        "base64" => STANDARD.encode(value),
        _ => match (filter.strip_prefix("first"), filter.strip_prefix("skip")) {
            (Some(count), _) => value.chars().take(count.parse().ok()?).collect(),
            (_, Some(count)) => value.chars().skip(count.parse().ok()?).collect(),
            _ => return None,
        },
    })
}

/// A text as it stands in a query or a form, everything but letters and digits escaped.
pub(crate) fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The text that a query or a form stands for.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = after.get(..2).filter(|_| *first == b'%');
        let escaped = escape.and_then(|hex| from_hex(std::str::from_utf8(hex).ok()?));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
        bytes.extend(escaped.unwrap_or_else(|| vec![if *first == b'+' { b' ' } else { *first }]));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The bytes that hex digits stand for.
pub(crate) fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// Upper-case hex digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let mut values = Values::default();
        values.set("now", 1000);
        values.set("thumbprint", "ABCDEF");
        values
    }

    #[test]
    fn values_offsets_and_filters_are_replaced() {
        let text = |template| values().text(template).unwrap();
        assert_eq!(text("{\"iat\":${now-1},\"exp\":${now+60}}"), "{\"iat\":999,\"exp\":1060}");
        assert_eq!(text("${thumbprint|lower|colons}"), "ab:cd:ef");
        assert_eq!(text("${thumbprint|first3}${thumbprint|skip5}"), "ABCF");
        assert_eq!(text("${'x'*3}"), "xxx");
        let mut values = values();
        values.set("uri", "a b/\u{101}+");
        assert_eq!(values.text("${uri|form}").unwrap(), "a%20b%2F%C4%81%2B");
        assert_eq!(decoded("a%20b%2F%C4%81%2B+%zz"), "a b/\u{101}+ %zz");
        assert_eq!(values.bytes("a${bytes:ff00}").unwrap(), [b'a', 0xff, 0]);
    }

    #[test]
    fn unknown_names_are_errors() {
        for template in ["${unknown}", "${now", "${now+x}", "${thumbprint|frob}", "${thumbprint+1}"] {
            assert!(values().text(template).is_err(), "{template}");
        }
    }
}
