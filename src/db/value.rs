//! Values bound to a statement, and their hand-over to each driver.

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use crate::clock::Timestamp;
use crate::error::{Error, Result};

/// One bound value. NULL keeps its type, which PostgreSQL wants to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bool(Option<bool>),
    Float(Option<f64>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! from_type {
    ($($from:ty => $variant:ident |$v:ident| $convert:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Self { Self::$variant(Some($convert)) }
        }
        impl From<Option<$from>> for Value {
            fn from(v: Option<$from>) -> Self { Self::$variant(v.map(|$v| $convert)) }
        }
    )*};
}

from_type! {
    i64 => Int |v| v,
    i32 => Int |v| i64::from(v),
    u32 => Int |v| i64::from(v),
    u16 => Int |v| i64::from(v),
    u8 => Int |v| i64::from(v),
    Timestamp => Int |v| v.as_micros(),
    String => Text |v| v,
    &String => Text |v| v.clone(),
    &str => Text |v| v.to_owned(),
    bool => Bool |v| v,
    f64 => Float |v| v,
    Vec<u8> => Bytes |v| v,
    &[u8] => Bytes |v| v.to_vec(),
}

impl From<&Option<String>> for Value {
    fn from(v: &Option<String>) -> Self {
        Self::Text(v.clone())
    }
}

macro_rules! arguments {
    ($name:ident, $arguments:ty) => {
        pub(super) fn $name(values: Vec<Value>) -> Result<$arguments> {
            let mut list = <$arguments>::default();
            for value in values {
                match value {
                    Value::Int(v) => list.add(v),
                    // PostgreSQL's text cannot hold NUL, and no text of ours needs it.
                    Value::Text(v) => {
                        list.add(v.map(|t| if t.contains('\0') { t.replace('\0', "\u{fffd}") } else { t }))
                    }
                    Value::Bool(v) => list.add(v),
                    Value::Float(v) => list.add(v),
                    Value::Bytes(v) => list.add(v),
                }
                .map_err(|e| Error::Internal(format!("binding a value: {e}")))?;
            }
            Ok(list)
        }
    };
}

arguments!(sqlite_arguments, SqliteArguments);
arguments!(postgres_arguments, PgArguments);
