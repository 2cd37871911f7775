//! How the operator's commands list things: an aligned table for people, JSON for programs.

use std::io::Write;

use irgw_core::{UnixTime, is_hidden, printable};
use irgw_store::Page;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::CommandError;

/// How much is listed, and in which form.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    form: FormArgs,
    /// List at most this many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// List what comes after this key; a cut-off list says which
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
}

impl ListArgs {
    /// The page that is wanted.
    pub(crate) fn page(&self) -> Result<Page, CommandError> {
        Ok(Page::after(self.after.clone().unwrap_or_default(), usize::from(self.limit))?)
    }

    /// Whether the list begins elsewhere than at its beginning.
    pub(crate) fn continues(&self) -> bool {
        self.after.is_some()
    }

    /// As [`FormArgs::write`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn write(&self, lists: &[List<'_>], out: &mut impl Write) -> Result<(), CommandError> {
        self.form.write(lists, out)
    }
}

/// In which form something is listed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FormArgs {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl FormArgs {
    /// Writes lists in the form that is wanted. JSON is one object: each list under its name, and under `next`, by the same
    /// names, where those that were cut off go on.
    ///
    /// # Errors
    /// When the output is closed.
    pub(crate) fn write(&self, lists: &[List<'_>], out: &mut impl Write) -> Result<(), CommandError> {
        if self.json {
            let mut object = serde_json::Map::new();
            let mut next = serde_json::Map::new();
            for list in lists {
                object.insert(list.name.to_owned(), list.rows.iter().map(|row| list.object(row)).collect());
                next.extend(list.next.clone().map(|key| (list.name.to_owned(), Value::String(key))));
            }
            object.insert("next".to_owned(), Value::Object(next));
            writeln!(out, "{:#}", Value::Object(object))?;
            return Ok(());
        }
        for (number, list) in lists.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            list.write_table(out)?;
        }
        Ok(())
    }
}

/// Rows under named columns. The columns' names are the JSON members, with spaces as `_`.
#[derive(Debug)]
pub(crate) struct List<'a> {
    /// What is listed: `providers`.
    pub(crate) name: &'a str,
    /// The columns.
    pub(crate) columns: &'a [&'a str],
    /// One value a column.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Where the next page begins.
    pub(crate) next: Option<String>,
}

impl List<'_> {
    fn object(&self, row: &[Value]) -> Value {
        let names = self.columns.iter().map(|column| column.replace(' ', "_"));
        Value::Object(names.zip(row.iter().cloned()).collect())
    }

    fn write_table(&self, out: &mut impl Write) -> Result<(), CommandError> {
        if self.rows.is_empty() {
            writeln!(out, "no {}", self.name.replace('_', " "))?;
            return Ok(());
        }
        let header = self.columns.iter().map(|column| column.to_uppercase()).collect();
        let cells = self.rows.iter().map(|row| row.iter().map(cell).collect());
        let lines: Vec<Vec<String>> = std::iter::once(header).chain(cells).collect();
        let mut widths = vec![0; self.columns.len()];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        for line in &lines {
            let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        if let Some(next) = &self.next {
            writeln!(out, "more: --after {}", shell_word(next))?;
        }
        Ok(())
    }
}

/// A value as a cell. What hides text or turns it round reaches no terminal.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    printable(&text)
}

/// A text as one word for a shell, to be pasted: itself where no shell reads anything into it, else in quotes; in those of
/// bash and zsh, with escapes, where some of it could not be seen.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,".contains(&byte);
    if text.bytes().all(plain) && !text.is_empty() {
        return text.to_owned();
    }
    if !text.contains(is_hidden) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let escaped = text.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if is_hidden(c) => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

/// A time as people and programs read it: `2026-11-24T04:05:06Z`.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("second {}", time.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_suggested_can_be_pasted() {
        for (text, word) in [
            ("kowhai", "kowhai"),
            ("https://tui.example/m2m", "https://tui.example/m2m"),
            ("", "''"),
            ("Kōwhai Payroll", "'Kōwhai Payroll'"),
            ("a'; rm -rf ~; '", r"'a'\''; rm -rf ~; '\'''"),
            ("$(id)`id`", "'$(id)`id`'"),
            ("~root", "'~root'"),
            ("a'\u{202e}\\b", r"$'a\'\u202e\\b'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn cell_turns_no_text_round() {
        assert_eq!(
            cell(&Value::String("a\u{202e}b\u{200b}\u{1b}[2J".into())),
            "a\u{fffd}b\u{fffd}\u{fffd}[2J"
        );
    }
}
