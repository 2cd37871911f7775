//! The statement behind a list: the rows after one, of those that fit a filter, no more than a page asks for.

use crate::sql::Bind;

/// A statement as it grows, and the values of its parameters.
pub(crate) struct Selection<'a> {
    statement: String,
    values: Vec<&'a dyn Bind>,
}

impl<'a> Selection<'a> {
    /// Begins with `SELECT … WHERE key > ?1`: the rows after `after`.
    pub(crate) fn after(statement: impl Into<String>, after: &'a dyn Bind) -> Selection<'a> {
        Selection { statement: statement.into(), values: vec![after] }
    }

    /// Only the rows that have this value in `column`, if there is one.
    pub(crate) fn only<T: Bind>(mut self, column: &str, value: &'a Option<T>) -> Selection<'a> {
        if let Some(value) = value {
            self.values.push(value);
            self.statement.push_str(&format!(" AND {column} = ?{}", self.values.len()));
        }
        self
    }

    /// In the order of `key`, `limit` of them at most: the statement, and its values.
    pub(crate) fn page(mut self, key: &str, limit: &'a i64) -> (String, Vec<&'a dyn Bind>) {
        self.values.push(limit);
        self.statement.push_str(&format!(" ORDER BY {key} LIMIT ?{}", self.values.len()));
        (self.statement, self.values)
    }
}
