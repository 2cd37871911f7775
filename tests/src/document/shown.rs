//! Whether what commands printed is what a document shows, where `…` stands for anything.

/// What stands for anything within a line, and alone in a line for any number of lines.
const ANYTHING: char = '…';

/// Whether `printed` is what is `shown`; spaces at the ends of lines do not count.
pub(super) fn fits(shown: &str, printed: &str) -> bool {
    let lines =
        |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    lines_fit(&lines(shown), &lines(printed))
}

fn lines_fit(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return printed.is_empty() };
    if first.trim().chars().eq([ANYTHING]) {
        return (0..=printed.len())
            .any(|skipped| lines_fit(rest, printed.get(skipped..).unwrap_or_default()));
    }
    match printed.split_first() {
        Some((line, more)) => line_fits(first, line) && lines_fit(rest, more),
        None => false,
    }
}

fn line_fits(shown: &str, line: &str) -> bool {
    let Some((start, rest)) = shown.split_once(ANYTHING) else { return shown == line };
    let Some(mut line) = line.strip_prefix(start) else { return false };
    let mut pieces: Vec<&str> = rest.split(ANYTHING).collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match line.split_once(piece) {
            Some((_, after)) => line = after,
            None => return false,
        }
    }
    line.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_compared_to_the_letter() {
        assert!(fits("ready\n", "ready  \n"));
        assert!(!fits("ready\n", "ready\nand more\n"));
        assert!(!fits("ready\nand more\n", "ready\n"));
    }

    #[test]
    fn placeholder_stands_for_a_part_of_a_line() {
        assert!(fits("x-request-id: …\n", "x-request-id: 01ab\n"));
        assert!(fits("from … to …, … left", "from 1 to 2, 3 left"));
        assert!(!fits("from … to 2", "from 1 to 3"));
        assert!(!fits("a…a", "a"));
    }

    #[test]
    fn placeholder_of_its_own_line_stands_for_lines() {
        for printed in ["HTTP/2 200\n{}\n", "HTTP/2 200\ndate: now\n\n{}\n"] {
            assert!(fits("HTTP/2 200\n…\n{}\n", printed));
        }
        assert!(fits("a\n….b\nc\n…\n", "a\n12.b\nc\nd: e\n"));
        assert!(!fits("HTTP/2 200\n…\n{}\n", "HTTP/2 400\n{}\n"));
    }
}
