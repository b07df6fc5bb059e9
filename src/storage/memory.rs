//! The store that forgets: ordered maps in memory. For tests, for `--storage memory` and for tabs
//! in private windows. It is also the oracle the other stores are compared with.

use std::collections::BTreeMap;

use crate::storage::{Batch, Error, Record, Store, Table};

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    records: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    bytes: u64,
    closed: bool,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn open(&self) -> Result<(), Error> {
        if self.closed { Err(Error::Closed) } else { Ok(()) }
    }

    fn of(&self, table: Table) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.records
            .range((table, Vec::new())..)
            .take_while(move |((of, _), _)| *of == table)
            .map(|((_, key), value)| (key, value))
    }
}

impl Store for Memory {
    fn kind(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.open()?;
        Ok(self.records.get(&(table, key.to_vec())).cloned())
    }

    async fn scan(&self, table: Table) -> Result<Vec<Record>, Error> {
        self.open()?;
        Ok(self.of(table).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn keys(&self, table: Table) -> Result<Vec<(Vec<u8>, u64)>, Error> {
        self.open()?;
        Ok(self.of(table).map(|(key, value)| (key.clone(), len(value))).collect())
    }

    async fn apply(&mut self, batch: Batch) -> Result<(), Error> {
        self.open()?;
        for operation in batch.into_operations() {
            let key = (operation.table, operation.key);
            let key_bytes = len(&key.1);
            let old = match operation.value {
                Some(value) => {
                    self.bytes += key_bytes + len(&value);
                    self.records.insert(key, value)
                }
                None => self.records.remove(&key),
            };
            self.bytes -= old.map_or(0, |old| key_bytes + len(&old));
        }
        Ok(())
    }

    async fn bytes(&self) -> Result<u64, Error> {
        self.open()?;
        Ok(self.bytes)
    }

    async fn close(&mut self) {
        self.closed = true;
        self.records.clear();
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::storage::conformance;

    /// A memory store never waits: one poll must do.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a memory store waited"),
        }
    }

    #[test]
    fn the_memory_store_conforms() {
        for case in conformance::CASES {
            ready(conformance::run(case, &mut Memory::new())).unwrap_or_else(|broken| {
                panic!("{case:?}: {broken}");
            });
        }
    }

    #[test]
    fn bytes_are_the_sum_of_keys_and_values() {
        let mut store = Memory::new();
        let mut batch = Batch::new();
        batch.put(Table::Meta, vec![1; 3], vec![2; 5]).unwrap();
        batch.put(Table::Meta, vec![1; 3], vec![2; 7]).unwrap();
        batch.put(Table::Blobs, vec![9; 1], vec![]).unwrap();
        ready(store.apply(batch)).unwrap();
        assert_eq!(ready(store.bytes()), Ok(11));
    }
}
