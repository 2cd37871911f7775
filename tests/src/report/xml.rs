//! Text as it may stand in XML 1.0 and in HTML, whatever a target sent.

use std::fmt::Write;

/// The text with markup escaped, for elements and attributes in double quotes; what XML 1.0 §2.2 has no place for is spelt out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            _ if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "{}", character.escape_unicode());
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_target_becomes_markup_or_a_forbidden_character() {
        assert_eq!(
            escaped("<a b=\"c\">&\u{0}\u{1b}[31m\r\n"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\\u{0}\\u{1b}[31m\\u{d}\n"
        );
        assert_eq!(escaped("K\u{14d}whai \u{ffff}\u{9f}"), "K\u{14d}whai \\u{ffff}\\u{9f}");
    }
}
