//! The store of a page or a worker: one IndexedDB database per identity profile.
//!
//! Layout, version 1: an object store per table with binary keys and `Uint8Array` values, and
//! `sizes`, which holds the length of every value under `<table index> <key>`. The lengths are
//! written in the same transaction as the values and read once at opening, so that
//! [`Store::keys`] and [`Store::bytes`] never load a blob.
//!
//! IndexedDB orders binary keys as unsigned bytes, shorter first, which is the order that
//! [`Store::scan`] promises. Tables are read in pages: one `getAll` over a large table would hold
//! all of it twice.
//!
//! Writes ask for `durability: "strict"` (flushed to the medium before `complete` fires); browsers
//! that do not know the option ignore it. That no second tab writes is not seen to here: the page
//! holds a Web Lock per profile.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use futures::channel::oneshot;
use idb::{Database, DatabaseEvent, Factory, KeyRange, Query, Transaction, TransactionMode};
use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::limits;
use crate::platform::js::{self, Thrown};
use crate::storage::{Batch, Error, Operation, Record, Store, Table};

/// The layout described above.
const VERSION: u32 = 1;

/// The object store of value lengths.
const SIZES: &str = "sizes";

/// Records read by one request (count): 64 blobs of the usual 100 KB are a few megabytes.
const PAGE_RECORDS: u32 = 64;

type Sizes = BTreeMap<(Table, Vec<u8>), u64>;

/// A store in the browser.
#[derive(Debug)]
pub struct IndexedDb {
    database: Option<Database>,
    /// The same database as JavaScript sees it.
    object: JsValue,
    sizes: Sizes,
    bytes: u64,
}

impl IndexedDb {
    /// Opens the database `name`, or creates it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there is no IndexedDB, [`Error::Permission`] where it may not
    /// be used (private windows of some browsers), and what reading its layout gives.
    pub async fn open(name: &str) -> Result<Self, Error> {
        let factory = Factory::new().map_err(|error| Error::Unavailable(error.to_string()))?;
        let mut request = factory.open(name, Some(VERSION)).map_err(failure)?;
        request.on_upgrade_needed(|event| {
            // What fails here makes the request fail, and its error is the one reported.
            let Ok(database) = event.database() else { return };
            for name in Table::ALL.map(Table::name).into_iter().chain([SIZES]) {
                drop(database.create_object_store(name, idb::ObjectStoreParams::new()));
            }
        });
        let object: JsValue = request.await.map_err(failure)?.into();
        let database = Some(Database::try_from(object.clone()).map_err(failure)?);
        let mut store = Self { database, object, sizes: Sizes::new(), bytes: 0 };
        store.load_sizes().await?;
        Ok(store)
    }

    async fn load_sizes(&mut self) -> Result<(), Error> {
        let mut page = Page::start();
        while let Some((keys, values)) = self.page(SIZES, &mut page, PAGE_RECORDS * 64).await? {
            for (key, value) in keys.iter().zip(values) {
                let size = value.as_f64().and_then(whole);
                let (size, key) = size.zip(unsized_key(key)).ok_or_else(|| {
                    Error::Corrupt("the index of sizes cannot be read".to_owned())
                })?;
                self.bytes += size + length(&key.1);
                self.sizes.insert(key, size);
            }
        }
        Ok(())
    }

    fn database(&self) -> Result<&Database, Error> {
        self.database.as_ref().ok_or(Error::Closed)
    }

    /// One page of keys and values of an object store, read in one transaction; `None` at the end.
    async fn page(
        &self,
        name: &str,
        page: &mut Page,
        most: u32,
    ) -> Result<Option<(Vec<Vec<u8>>, Vec<JsValue>)>, Error> {
        if page.done {
            return Ok(None);
        }
        let database = self.database()?;
        let transaction =
            database.transaction(&[name], TransactionMode::ReadOnly).map_err(failure)?;
        let store = transaction.object_store(name).map_err(failure)?;
        let range = page.range().map_err(failure)?;
        let keys = store.get_all_keys(range.clone(), Some(most)).map_err(failure)?;
        let values = store.get_all(range, Some(most)).map_err(failure)?;
        let keys = keys.await.map_err(failure)?;
        let values = values.await.map_err(failure)?;
        let keys = keys.into_iter().map(|key| binary(&key)).collect::<Result<Vec<_>, _>>()?;
        if keys.len() != values.len() {
            return Err(Error::Corrupt(format!("{} keys, {} values", keys.len(), values.len())));
        }
        page.done = keys.len() < usize::try_from(most).unwrap_or(usize::MAX);
        page.after = keys.last().cloned().or(page.after.take());
        Ok(Some((keys, values)))
    }

    /// Opens a read-write transaction over everything, asking for strict durability, which the
    /// `idb` crate has no word for.
    fn transaction(&self) -> Result<JsValue, Error> {
        let names: Array =
            Table::ALL.map(Table::name).into_iter().chain([SIZES]).map(JsValue::from_str).collect();
        let options: JsValue = Object::new().into();
        js::set(&options, "durability", &"strict".into());
        js::invoke(&self.object, "transaction", &[names.into(), "readwrite".into(), options])
            .map_err(refusal)
    }
}

impl Store for IndexedDb {
    fn kind(&self) -> &'static str {
        "indexeddb"
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let name = table.name();
        let transaction =
            self.database()?.transaction(&[name], TransactionMode::ReadOnly).map_err(failure)?;
        let store = transaction.object_store(name).map_err(failure)?;
        let request = store.get(Query::Key(Uint8Array::from(key).into())).map_err(failure)?;
        request.await.map_err(failure)?.as_ref().map(binary).transpose()
    }

    async fn scan(&self, table: Table) -> Result<Vec<Record>, Error> {
        let mut records = Vec::new();
        let mut page = Page::start();
        while let Some((keys, values)) = self.page(table.name(), &mut page, PAGE_RECORDS).await? {
            for (key, value) in keys.into_iter().zip(&values) {
                records.push((key, binary(value)?));
            }
        }
        Ok(records)
    }

    async fn keys(&self, table: Table) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        self.database()?;
        let of_table =
            self.sizes.range((table, Vec::new())..).take_while(|((t, _), _)| *t == table);
        Ok(of_table.map(|((_, key), size)| (key.clone(), *size)).collect())
    }

    async fn apply(&mut self, batch: Batch) -> Result<(), Error> {
        self.database()?;
        if batch.operations().is_empty() {
            return Ok(());
        }
        let transaction = self.transaction()?;
        write(&transaction, batch.operations()).await?;
        for operation in batch.into_operations() {
            let key = (operation.table, operation.key);
            let key_bytes = length(&key.1);
            let old = match operation.value {
                Some(value) => {
                    self.bytes += key_bytes + length(&value);
                    self.sizes.insert(key, length(&value))
                }
                None => self.sizes.remove(&key),
            };
            self.bytes -= old.map_or(0, |old| key_bytes + old);
        }
        Ok(())
    }

    async fn bytes(&self) -> Result<u64, Error> {
        self.database()?;
        Ok(self.bytes)
    }

    async fn close(&mut self) {
        if let Some(database) = self.database.take() {
            database.close();
        }
    }
}

/// Puts every operation into the transaction and waits for its end. The requests themselves are not
/// waited for: one that fails aborts the transaction.
async fn write(transaction: &JsValue, operations: &[Operation]) -> Result<(), Error> {
    let mut handle = Transaction::try_from(transaction.clone()).map_err(failure)?;
    let (tell, outcome) = oneshot::channel();
    let tell = Rc::new(Cell::new(Some(tell)));
    let also = tell.clone();
    handle.on_complete(move |_| ended(&tell, true));
    handle.on_abort(move |_| ended(&also, false));
    if let Err(error) = put_all(&handle, operations) {
        // Already aborted when this fails; nothing was applied either way.
        drop(js::invoke(transaction, "abort", &[]));
        return Err(error);
    }
    match outcome.await {
        Ok(true) => Ok(()),
        _ => Err(aborted_because(transaction)),
    }
}

/// Tells, once, whether the transaction was committed.
fn ended(tell: &Cell<Option<oneshot::Sender<bool>>>, committed: bool) {
    if let Some(tell) = tell.take() {
        // Fails when nobody waits any more.
        let _ = tell.send(committed);
    }
}

fn put_all(transaction: &Transaction, operations: &[Operation]) -> Result<(), Error> {
    let sizes = transaction.object_store(SIZES).map_err(failure)?;
    for operation in operations {
        let store = transaction.object_store(operation.table.name()).map_err(failure)?;
        let key: JsValue = Uint8Array::from(operation.key.as_slice()).into();
        let size_key: JsValue =
            Uint8Array::from(sized_key(operation.table, &operation.key).as_slice()).into();
        if let Some(value) = &operation.value {
            let size = u32::try_from(value.len()).unwrap_or(u32::MAX);
            let value: JsValue = Uint8Array::from(value.as_slice()).into();
            store.put(&value, Some(&key)).map_err(failure)?;
            sizes.put(&size.into(), Some(&size_key)).map_err(failure)?;
        } else {
            store.delete(Query::Key(key)).map_err(failure)?;
            sizes.delete(Query::Key(size_key)).map_err(failure)?;
        }
    }
    Ok(())
}

/// Where reading a table in pages stands.
struct Page {
    after: Option<Vec<u8>>,
    done: bool,
}

impl Page {
    const fn start() -> Self {
        Self { after: None, done: false }
    }

    fn range(&self) -> Result<Option<Query>, idb::Error> {
        let Some(after) = &self.after else { return Ok(None) };
        let after: JsValue = Uint8Array::from(after.as_slice()).into();
        Ok(Some(KeyRange::lower_bound(&after, Some(true))?.into()))
    }
}

fn sized_key(table: Table, key: &[u8]) -> Vec<u8> {
    let index = Table::ALL.iter().position(|other| *other == table).unwrap_or_default();
    let mut sized = vec![u8::try_from(index).unwrap_or(u8::MAX)];
    sized.extend_from_slice(key);
    sized
}

fn unsized_key(sized: &[u8]) -> Option<(Table, Vec<u8>)> {
    let (index, key) = sized.split_first()?;
    Some((*Table::ALL.get(usize::from(*index))?, key.to_vec()))
}

/// Keys come back as `ArrayBuffer`, values as they were stored.
fn binary(value: &JsValue) -> Result<Vec<u8>, Error> {
    let is_binary =
        value.is_instance_of::<Uint8Array>() || value.is_instance_of::<js_sys::ArrayBuffer>();
    if !is_binary {
        return Err(Error::Corrupt(format!("a record is no bytes but {value:?}")));
    }
    let bytes = Uint8Array::new(value);
    let given = usize::try_from(bytes.length()).unwrap_or(usize::MAX);
    if given > limits::STORE_VALUE_BYTES_MAX {
        let most = limits::STORE_VALUE_BYTES_MAX;
        return Err(Error::TooLarge { what: "value bytes", given, most });
    }
    Ok(bytes.to_vec())
}

fn aborted_because(transaction: &JsValue) -> Error {
    match js::property(transaction, "error") {
        Ok(error) if error.is_object() => refusal(error.into()),
        _ => Error::Host("the transaction was aborted without a reason".to_owned()),
    }
}

/// Sorts errors of the `idb` crate. It keeps the DOM exception inside differing variants, but all
/// of them print it with its name first.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failure(error: idb::Error) -> Error {
    let message = error.to_string();
    let name = NAMES.into_iter().find(|name| message.contains(name)).map(str::to_owned);
    refusal(Thrown { code: None, name, message })
}

/// The names of DOM exceptions that mean something to us.
const NAMES: [&str; 6] = [
    "QuotaExceededError",
    "NotAllowedError",
    "SecurityError",
    "VersionError",
    "NotFoundError",
    "InvalidStateError",
];

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn refusal(thrown: Thrown) -> Error {
    let message = thrown.message.clone();
    match thrown.name.as_deref() {
        Some("QuotaExceededError") => Error::Full(message),
        Some("NotAllowedError" | "SecurityError") => Error::Permission(message),
        // A newer layout, or one that misses a table.
        Some("VersionError" | "NotFoundError") => Error::Corrupt(message),
        // The browser closed the connection: site data was cleared.
        Some("InvalidStateError") => Error::Closed,
        _ => Error::Host(thrown.to_string()),
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number within 32 bits"
)]
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0)
        .then_some(number as u64)
}
