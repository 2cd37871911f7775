//! Text of others, fit for a terminal or a log.

/// The text with a replacement character for each [hidden](is_hidden) one.
///
/// ```
/// assert_eq!(irgw_core::printable("Tui\u{202e}fdp.exe"), "Tui\u{fffd}fdp.exe");
/// ```
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether a character shows nothing by itself and changes what is shown: control characters, and the format characters that
/// hide, join or turn round the text about them (UAX #9 and its kind), with which one name passes for another.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_turns_text_round_is_replaced() {
        for c in [
            '\0', '\u{1b}', '\u{9b}', '\u{200b}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}',
            '\u{feff}',
        ] {
            assert_eq!(printable(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(printable("Tūī Bakery ‘寿司’ אבג"), "Tūī Bakery ‘寿司’ אבג");
    }
}
