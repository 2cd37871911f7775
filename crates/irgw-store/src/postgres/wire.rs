//! The seam's statements and values as PostgreSQL takes them, and its columns as the seam reads them.

use std::error::Error as StdError;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Error;
use crate::sql::{Bind, Value};

/// A statement with its parameters written `$1` instead of `?1`. No text in a statement of ours has a question mark.
pub(super) fn numbered(statement: &str) -> String {
    statement.replace('?', "$")
}

/// The types of the values; the server finds that of a `NULL`.
pub(super) fn types(values: &[&dyn Bind]) -> Vec<Type> {
    let of = |value: &&dyn Bind| match value.bind() {
        Value::Null => Type::UNKNOWN,
        Value::Integer(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    };
    values.iter().map(of).collect()
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match *self {
            Value::Null => Ok(IsNull::Yes),
            Value::Integer(integer) => integer.to_sql(ty, out),
            // PostgreSQL's texts hold no NUL. Nor do names: what is looked up by one is found by no other control either.
            Value::Text(text) if text.contains('\0') => text.replace('\0', "\u{1}").to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Blob(blob) => blob.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::UNKNOWN, Type::INT8, Type::TEXT, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

/// Column `index` of a row.
///
/// # Errors
/// [`Error::Corrupt`] for a type that the schema has nowhere.
pub(crate) fn column(row: &tokio_postgres::Row, index: usize) -> Result<Value<'_>, Error> {
    let Some(column) = row.columns().get(index) else {
        return Err(Error::Corrupt(format!("there is no column {index}")));
    };
    Ok(match *column.type_() {
        Type::INT8 => get::<i64>(row, index)?.map_or(Value::Null, Value::Integer),
        Type::INT4 => get::<i32>(row, index)?.map_or(Value::Null, |value| Value::Integer(value.into())),
        Type::BOOL => get::<bool>(row, index)?.map_or(Value::Null, |value| Value::Integer(value.into())),
        Type::TEXT => get::<&str>(row, index)?.map_or(Value::Null, Value::Text),
        Type::BYTEA => get::<&[u8]>(row, index)?.map_or(Value::Null, Value::Blob),
        ref other => return Err(Error::Corrupt(format!("{other} cannot stand in column {index}"))),
    })
}

fn get<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, index: usize) -> Result<Option<T>, Error> {
    row.try_get(index).map_err(|error| Error::Corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_postgresql_numbers_them() {
        assert_eq!(
            numbered("SELECT a FROM b WHERE c = ?1 OR d = ?12"),
            "SELECT a FROM b WHERE c = $1 OR d = $12"
        );
    }

    #[test]
    fn text_with_a_nul_is_sent_as_what_no_name_is() {
        let mut out = BytesMut::new();
        Value::Text("ana\0").to_sql(&Type::TEXT, &mut out).unwrap();
        assert_eq!(&out[..], b"ana\x01");
    }
}
