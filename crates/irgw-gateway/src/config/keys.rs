//! Where the keys of a TOML text stand, for problems that the reader itself does not place.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The keys of a text, with their places.
pub(super) struct Keys<'a>(DeValue<'a>);

impl<'a> Keys<'a> {
    /// What can be read of the text, also where its syntax is wrong.
    pub(super) fn of(text: &'a str) -> Keys<'a> {
        Keys(DeValue::Table(DeTable::parse_recoverable(text).0.into_inner()))
    }

    /// The key at `offset`, with its tables: `listener[0].channel`; empty where there is none.
    pub(super) fn at(&self, offset: usize) -> String {
        below(&self.0, offset).unwrap_or_default()
    }

    /// Where `key` of an entry of an array of tables stands; `key` may be an element of an array, as in `cloud[1]`.
    pub(super) fn span(&self, tables: &str, entry: usize, key: &str) -> Option<Range<usize>> {
        let (name, element) = match key.split_once('[') {
            Some((name, element)) => (name, element.trim_end_matches(']').parse::<usize>().ok()),
            None => (key, None),
        };
        let value = self.0.get(tables)?.get_ref().get(entry)?.get_ref().get(name)?;
        let element = element.and_then(|element| value.get_ref().get(element));
        Some(element.unwrap_or(value).span())
    }
}

/// The innermost key that `offset` is in. A table's own span is its header alone, so every table is looked into.
fn below(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            let name = key.get_ref();
            match below(value.get_ref(), offset) {
                Some(inner) if inner.starts_with('[') => Some(format!("{name}{inner}")),
                Some(inner) => Some(format!("{name}.{inner}")),
                None => (key.span().contains(&offset) || value.span().contains(&offset))
                    .then(|| name.clone().into_owned()),
            }
        }),
        DeValue::Array(array) => {
            array.iter().enumerate().find_map(|(index, value)| match below(value.get_ref(), offset) {
                Some(inner) if inner.starts_with('[') => Some(format!("[{index}]{inner}")),
                Some(inner) => Some(format!("[{index}].{inner}")),
                None => value.span().contains(&offset).then(|| format!("[{index}]")),
            })
        }
        _ => None,
    }
}
