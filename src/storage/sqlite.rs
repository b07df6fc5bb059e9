//! The store that the Node host lends: SQLite behind a JavaScript object.
//!
//! WebAssembly has no disk. The host opens the database (WAL, `synchronous=FULL`, one process by a
//! lock) and lends an object with the interface `HostStore` of floor 7: `get`, `scan`, `apply`,
//! `bytes`, `close`, and optionally `keys`. Its calls are synchronous; `apply` is one transaction
//! and throws `{code, message}` when it was rolled back.
//!
//! What comes back is checked for type and bound, because a host is somebody else's code; it is
//! not checked for truth.

use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::limits;
use crate::platform::js::{self, Thrown};
use crate::storage::{Batch, Error, Record, Store, Table};

/// A store lent by the host.
#[derive(Debug)]
pub struct Sqlite {
    host: JsValue,
    get: Function,
    scan: Function,
    keys: Option<Function>,
    apply: Function,
    bytes: Function,
    close: Function,
    closed: bool,
}

impl Sqlite {
    /// Takes the lent object.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when a method is missing.
    pub fn new(host: JsValue) -> Result<Self, Error> {
        let method = |name| {
            js::method(&host, "store", name)
                .map_err(|thrown| Error::Unavailable(thrown.to_string()))
        };
        Ok(Self {
            get: method("get")?,
            scan: method("scan")?,
            keys: method("keys").ok(),
            apply: method("apply")?,
            bytes: method("bytes")?,
            close: method("close")?,
            closed: false,
            host,
        })
    }

    fn call(&self, function: &Function, arguments: &[JsValue]) -> Result<JsValue, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        js::call(function, &self.host, arguments).map_err(failure)
    }
}

impl Store for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let arguments = [table.name().into(), Uint8Array::from(key).into()];
        let value = self.call(&self.get, &arguments)?;
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        bytes_of(value).map(Some)
    }

    async fn scan(&self, table: Table) -> Result<Vec<Record>, Error> {
        let rows = self.call(&self.scan, &[table.name().into()])?;
        let mut records = list(rows)?
            .iter()
            .map(|row| {
                let row = list(row)?;
                Ok((bytes_of(row.get(0))?, bytes_of(row.get(1))?))
            })
            .collect::<Result<Vec<Record>, Error>>()?;
        records.sort_unstable();
        Ok(records)
    }

    async fn keys(&self, table: Table) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        let Some(function) = &self.keys else {
            let records = self.scan(table).await?;
            return Ok(records
                .into_iter()
                .map(|(key, value)| (key, u64::try_from(value.len()).unwrap_or(u64::MAX)))
                .collect());
        };
        let rows = self.call(function, &[table.name().into()])?;
        let mut keys = list(rows)?
            .iter()
            .map(|row| {
                let row = list(row)?;
                Ok((bytes_of(row.get(0))?, number(&row.get(1))?))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        keys.sort_unstable();
        Ok(keys)
    }

    async fn apply(&mut self, batch: Batch) -> Result<(), Error> {
        let operations = Array::new();
        for operation in batch.into_operations() {
            let value = match operation.value {
                Some(value) => Uint8Array::from(value.as_slice()).into(),
                None => JsValue::NULL,
            };
            let key = Uint8Array::from(operation.key.as_slice());
            operations.push(&Array::of3(&operation.table.name().into(), &key, &value));
        }
        self.call(&self.apply, &[operations.into()]).map(drop)
    }

    async fn bytes(&self) -> Result<u64, Error> {
        number(&self.call(&self.bytes, &[])?)
    }

    async fn close(&mut self) {
        if !self.closed {
            // Nothing can be done about a store that cannot be closed; all its batches are durable.
            drop(self.call(&self.close, &[]));
            self.closed = true;
        }
    }
}

/// Sorts what the host threw by its code: those of the host's own store, then those of Node and
/// SQLite.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failure(thrown: Thrown) -> Error {
    let message = thrown.to_string();
    match thrown.code.as_deref() {
        Some("storage-full" | "disk-full" | "ENOSPC" | "EDQUOT" | "SQLITE_FULL") => {
            Error::Full(message)
        }
        Some("storage-permission" | "EACCES" | "EPERM" | "EROFS" | "SQLITE_READONLY") => {
            Error::Permission(message)
        }
        Some("storage-corrupt" | "SQLITE_CORRUPT" | "SQLITE_NOTADB") => Error::Corrupt(message),
        Some("storage-locked" | "SQLITE_BUSY" | "SQLITE_LOCKED") => Error::Locked(message),
        Some("storage-closed") => Error::Closed,
        _ => Error::Host(message),
    }
}

fn list(value: JsValue) -> Result<Array, Error> {
    value.dyn_into().map_err(|_| Error::Corrupt("the host returned no array".to_owned()))
}

fn bytes_of(value: JsValue) -> Result<Vec<u8>, Error> {
    let bytes: Uint8Array = value
        .dyn_into()
        .map_err(|_| Error::Corrupt("the host returned no Uint8Array".to_owned()))?;
    let given = usize::try_from(bytes.length()).unwrap_or(usize::MAX);
    if given > limits::STORE_VALUE_BYTES_MAX {
        let most = limits::STORE_VALUE_BYTES_MAX;
        return Err(Error::TooLarge { what: "value bytes", given, most });
    }
    Ok(bytes.to_vec())
}

/// A non-negative number; JavaScript's are exact up to 2^53, more than any disk.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be non-negative; the cast saturates"
)]
fn number(value: &JsValue) -> Result<u64, Error> {
    match value.as_f64() {
        Some(number) if number >= 0.0 => Ok(number as u64),
        _ => Err(Error::Corrupt("the host returned no size".to_owned())),
    }
}
