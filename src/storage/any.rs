//! The three stores behind one type, so that the runtime is compiled once.

use crate::storage::indexed_db::IndexedDb;
use crate::storage::memory::Memory;
use crate::storage::sqlite::Sqlite;
use crate::storage::{Batch, Error, Record, Store, Table};

/// One of the stores.
#[derive(Debug)]
pub enum Any {
    /// In memory.
    Memory(Memory),
    /// In the browser.
    IndexedDb(IndexedDb),
    /// Lent by the Node host.
    Sqlite(Sqlite),
}

macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Memory($store) => $call,
            Self::IndexedDb($store) => $call,
            Self::Sqlite($store) => $call,
        }
    };
}

impl Store for Any {
    fn kind(&self) -> &'static str {
        each!(self, store => store.kind())
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        each!(self, store => store.get(table, key).await)
    }

    async fn scan(&self, table: Table) -> Result<Vec<Record>, Error> {
        each!(self, store => store.scan(table).await)
    }

    async fn keys(&self, table: Table) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        each!(self, store => store.keys(table).await)
    }

    async fn apply(&mut self, batch: Batch) -> Result<(), Error> {
        each!(self, store => store.apply(batch).await)
    }

    async fn bytes(&self) -> Result<u64, Error> {
        each!(self, store => store.bytes().await)
    }

    async fn close(&mut self) {
        each!(self, store => store.close().await);
    }
}
