//! Where a node keeps its vertices, blobs and settings: three small tables of bytes.
//!
//! One trait, three stores: [`memory`] (nothing survives the process), `indexed_db` (a page or a
//! worker) and `sqlite` (an object lent by the Node host). They are interchangeable, which
//! [`conformance`] proves by running one suite over all of them.
//!
//! The durability contract, on which "persist before send" rests:
//! - [`Store::apply`] returns `Ok` only when the whole batch will be found again after the process
//!   or the tab is killed; a memory store promises it for as long as it lives. SQLite's WAL with
//!   `synchronous=FULL` and IndexedDB's `durability: "strict"` extend it to a power cut.
//! - A batch is atomic: after an error, or a kill in the middle, all of it is there or nothing.
//! - What was applied is read by every later call.
//!
//! The stores know nothing of what the bytes mean. Keys are at most
//! [`limits::STORE_KEY_BYTES_MAX`] long, values [`limits::STORE_VALUE_BYTES_MAX`], and a batch
//! carries at most [`limits::STORE_BATCH_OPERATIONS_MAX`] operations: [`Batch`] refuses more before
//! a store sees it.

pub mod batch;
pub mod conformance;
pub mod error;
pub mod memory;

#[cfg(target_arch = "wasm32")]
pub mod any;
#[cfg(target_arch = "wasm32")]
pub mod indexed_db;
#[cfg(target_arch = "wasm32")]
pub mod sqlite;

#[cfg(target_arch = "wasm32")]
pub use self::any::Any;
pub use self::batch::{Batch, Operation};
pub use self::error::Error;

#[cfg(doc)]
use crate::limits;

/// The tables. Their names are part of every store's layout on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Signed vertices by id.
    Vertices,
    /// Blobs by id.
    Blobs,
    /// Settings and bookkeeping by name.
    Meta,
}

impl Table {
    /// All tables, in the order of their declaration.
    pub const ALL: [Self; 3] = [Self::Vertices, Self::Blobs, Self::Meta];

    /// The name on disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vertices => "vertices",
            Self::Blobs => "blobs",
            Self::Meta => "meta",
        }
    }
}

/// A record: key and value.
pub type Record = (Vec<u8>, Vec<u8>);

/// An ordered map of bytes per table, with atomic and durable batches.
///
/// Every call may wait for the host. A store serves one owner: calls are made one after the other.
#[expect(async_fn_in_trait, reason = "stores are used on one thread and never behind a Send bound")]
pub trait Store {
    /// What `status` calls this store: `memory`, `indexeddb` or `sqlite`.
    fn kind(&self) -> &'static str;

    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Every record of `table` in ascending order of keys (as unsigned bytes, shorter first).
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn scan(&self, table: Table) -> Result<Vec<Record>, Error>;

    /// Every key of `table` in ascending order, with the length of its value in bytes. For tables
    /// whose values are too large to read at once.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn keys(&self, table: Table) -> Result<Vec<(Vec<u8>, u64)>, Error>;

    /// Applies all operations of `batch` in order, or none. Returns when they are durable.
    ///
    /// # Errors
    /// When anything was refused; then nothing was applied.
    async fn apply(&mut self, batch: Batch) -> Result<(), Error>;

    /// Bytes this store takes, as the host counts them (on disk), or else the sum of keys and
    /// values.
    ///
    /// # Errors
    /// When the store cannot be asked.
    async fn bytes(&self) -> Result<u64, Error>;

    /// Gives the store back. Later calls fail with [`Error::Closed`]. Closing twice does nothing.
    async fn close(&mut self);
}
