//! One suite for every store: what a store must do, as cases that run anywhere.
//!
//! A case is an async function of an empty store and returns what is broken, in words. It uses no
//! test framework, because the same suite runs in four places: `cargo test` (memory), Node and
//! headless Chromium (wasm tests: memory, the host-lent store, IndexedDB) and the package's own
//! tests, which run it over the real SQLite store through `storageConformance`.
//!
//! What it cannot show is durability across a power cut; [`write_before_reopening`] and
//! [`read_after_reopening`] show it across closing, and the command line's kill test across
//! `SIGKILL`.

use std::fmt::Debug;

use crate::rng::Rng;
use crate::storage::{Batch, Error, Store, Table, memory::Memory};

/// What a store did wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The store returned an error where none was due.
    #[error("unexpected error: {0}")]
    Failed(#[from] Error),
    /// The store returned something else than it must.
    #[error("{what}: expected {expected}, got {found}")]
    Differs {
        /// What was looked at.
        what: String,
        /// What it must be.
        expected: String,
        /// What it was.
        found: String,
    },
}

/// One rule of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// A new store has no records.
    StartsEmpty,
    /// What was applied is read back, empty values too, and tables do not mix.
    ReadsBack,
    /// A later write replaces an earlier one; removing removes; removing nothing is no error.
    ReplacesAndRemoves,
    /// Within one batch the order of operations counts.
    KeepsOrderInBatch,
    /// Keys come back in ascending order of unsigned bytes, shorter first.
    ScansInOrder,
    /// A value of 4 MiB survives, byte for byte.
    HoldsLargeValues,
    /// A thousand records in one batch.
    HoldsManyRecords,
    /// Random batches leave it equal to the memory store.
    EqualsMemory,
    /// The bytes it reports cover what was written.
    CountsBytes,
    /// Closed means closed.
    Closes,
}

/// Every case, in the order of the list above.
pub const CASES: [Case; 10] = [
    Case::StartsEmpty,
    Case::ReadsBack,
    Case::ReplacesAndRemoves,
    Case::KeepsOrderInBatch,
    Case::ScansInOrder,
    Case::HoldsLargeValues,
    Case::HoldsManyRecords,
    Case::EqualsMemory,
    Case::CountsBytes,
    Case::Closes,
];

impl Case {
    /// The case by the name of its variant.
    pub fn named(name: &str) -> Option<Self> {
        CASES.into_iter().find(|case| format!("{case:?}") == name)
    }
}

/// Runs one case on an empty store.
///
/// # Errors
/// What the store did wrong.
pub async fn run(case: Case, store: &mut impl Store) -> Result<(), Broken> {
    match case {
        Case::StartsEmpty => starts_empty(store).await,
        Case::ReadsBack => reads_back(store).await,
        Case::ReplacesAndRemoves => replaces_and_removes(store).await,
        Case::KeepsOrderInBatch => keeps_order_in_batch(store).await,
        Case::ScansInOrder => scans_in_order(store).await,
        Case::HoldsLargeValues => holds_large_values(store).await,
        Case::HoldsManyRecords => holds_many_records(store).await,
        Case::EqualsMemory => equals_memory(store).await,
        Case::CountsBytes => counts_bytes(store).await,
        Case::Closes => closes(store).await,
    }
}

/// The first half of the reopening rule: writes, then closes.
///
/// # Errors
/// What the store did wrong.
pub async fn write_before_reopening(store: &mut impl Store) -> Result<(), Broken> {
    let mut batch = Batch::new();
    batch.put(Table::Vertices, b"kept".to_vec(), vec![7; 1_000])?;
    for table in Table::ALL {
        batch.put(table, b"dropped".to_vec(), vec![1; 3_000])?;
    }
    store.apply(batch).await?;
    let mut batch = Batch::new();
    for table in Table::ALL {
        batch.remove(table, b"dropped".to_vec())?;
    }
    store.apply(batch).await?;
    store.close().await;
    Ok(())
}

/// The second half: what was applied before closing is there in the store opened again.
///
/// # Errors
/// What the store did wrong.
pub async fn read_after_reopening(store: &impl Store) -> Result<(), Broken> {
    same(
        "a record after reopening",
        Some(vec![7; 1_000]),
        get(store, Table::Vertices, b"kept").await?,
    )?;
    for table in Table::ALL {
        let found = get(store, table, b"dropped").await?;
        same("a removed record after reopening", None, found)?;
    }
    let kept = vec![(b"kept".to_vec(), 1_000)];
    same("the vertices after reopening", kept, store.keys(Table::Vertices).await?)
}

async fn starts_empty(store: &impl Store) -> Result<(), Broken> {
    for table in Table::ALL {
        same("get in an empty table", None, get(store, table, b"any").await?)?;
        same("scan of an empty table", Vec::new(), store.scan(table).await?)?;
        same("keys of an empty table", Vec::new(), store.keys(table).await?)?;
    }
    Ok(())
}

async fn reads_back(store: &mut impl Store) -> Result<(), Broken> {
    let mut batch = Batch::new();
    for table in Table::ALL {
        batch.put(table, b"name".to_vec(), table.name().as_bytes().to_vec())?;
        batch.put(table, b"void".to_vec(), Vec::new())?;
    }
    store.apply(batch).await?;
    for table in Table::ALL {
        let name = table.name().as_bytes().to_vec();
        same("a value", Some(name.clone()), get(store, table, b"name").await?)?;
        same("an empty value", Some(Vec::new()), get(store, table, b"void").await?)?;
        same("a missing value", None, get(store, table, b"nam").await?)?;
        let keys = vec![(b"name".to_vec(), count(&name)), (b"void".to_vec(), 0)];
        same("keys with lengths", keys, store.keys(table).await?)?;
    }
    Ok(())
}

async fn replaces_and_removes(store: &mut impl Store) -> Result<(), Broken> {
    put(store, b"a", b"first").await?;
    put(store, b"a", b"second").await?;
    same("a replaced value", Some(b"second".to_vec()), get(store, Table::Meta, b"a").await?)?;
    for _ in 0..2 {
        let mut batch = Batch::new();
        batch.remove(Table::Meta, b"a".to_vec())?;
        store.apply(batch).await?;
        same("a removed value", None, get(store, Table::Meta, b"a").await?)?;
    }
    drops_vertices(store).await
}

/// As when a node drops old vertices: the record of it first, then hundreds of removals at once.
async fn drops_vertices(store: &mut impl Store) -> Result<(), Broken> {
    let name = |number: u16| [&[9; 30][..], &number.to_be_bytes()].concat();
    let mut batch = Batch::new();
    for number in 0..600 {
        batch.put(Table::Vertices, name(number), vec![1; 500])?;
    }
    store.apply(batch).await?;
    put(store, b"pruned/0", b"record").await?;
    let mut batch = Batch::new();
    for number in (0..600).filter(|number| number % 3 > 0) {
        batch.remove(Table::Vertices, name(number))?;
    }
    store.apply(batch).await?;
    let left = (0..600).filter(|number| number % 3 == 0).map(|number| (name(number), 500));
    same("vertices that were not dropped", left.collect(), store.keys(Table::Vertices).await?)?;
    same("a dropped vertex", None, get(store, Table::Vertices, &name(1)).await?)?;
    let record = get(store, Table::Meta, b"pruned/0").await?;
    same("the record", Some(b"record".to_vec()), record)
}

async fn keeps_order_in_batch(store: &mut impl Store) -> Result<(), Broken> {
    let mut batch = Batch::new();
    batch.put(Table::Meta, b"x".to_vec(), b"1".to_vec())?;
    batch.remove(Table::Meta, b"x".to_vec())?;
    batch.put(Table::Meta, b"x".to_vec(), b"2".to_vec())?;
    batch.put(Table::Meta, b"y".to_vec(), b"3".to_vec())?;
    batch.remove(Table::Meta, b"y".to_vec())?;
    store.apply(batch).await?;
    let left = vec![(b"x".to_vec(), b"2".to_vec())];
    same("what a batch leaves", left, store.scan(Table::Meta).await?)
}

async fn scans_in_order(store: &mut impl Store) -> Result<(), Broken> {
    let ordered: [&[u8]; 8] =
        [b"\x00", b"\x00\x00", b"\x00\xff", b"\x01", b"\x7f\xff", b"\x80", b"\xff", b"\xff\x00"];
    let mut batch = Batch::new();
    for index in [5, 0, 7, 2, 6, 1, 4, 3] {
        let key: &[u8] = ordered.get(index).copied().unwrap_or_default();
        batch.put(Table::Vertices, key.to_vec(), vec![1])?;
    }
    store.apply(batch).await?;
    let expected: Vec<Vec<u8>> = ordered.iter().map(|key| key.to_vec()).collect();
    let scanned: Vec<_> = store.scan(Table::Vertices).await?.into_iter().map(|(k, _)| k).collect();
    same("the order of a scan", expected.clone(), scanned)?;
    let keys: Vec<_> = store.keys(Table::Vertices).await?.into_iter().map(|(k, _)| k).collect();
    same("the order of keys", expected, keys)
}

async fn holds_large_values(store: &mut impl Store) -> Result<(), Broken> {
    let mut value = vec![0; 4 << 20];
    Rng::from_u64(4).fill(&mut value);
    let mut batch = Batch::new();
    batch.put(Table::Blobs, b"large".to_vec(), value.clone())?;
    store.apply(batch).await?;
    let found = get(store, Table::Blobs, b"large").await?.unwrap_or_default();
    same("the length of a large value", value.len(), found.len())?;
    same("a large value is unchanged", true, value == found)
}

async fn holds_many_records(store: &mut impl Store) -> Result<(), Broken> {
    let mut batch = Batch::new();
    for index in 0..1_000_u32 {
        batch.put(Table::Blobs, index.to_be_bytes().to_vec(), index.to_le_bytes().to_vec())?;
    }
    store.apply(batch).await?;
    same("many records", 1_000, store.scan(Table::Blobs).await?.len())?;
    let found = get(store, Table::Blobs, &777_u32.to_be_bytes()).await?;
    same("one of many records", Some(777_u32.to_le_bytes().to_vec()), found)
}

async fn equals_memory(store: &mut impl Store) -> Result<(), Broken> {
    let mut oracle = Memory::new();
    let mut rng = Rng::from_u64(2_026);
    for _ in 0..40 {
        let batch = random_batch(&mut rng)?;
        oracle.apply(batch.clone()).await?;
        store.apply(batch).await?;
    }
    for table in Table::ALL {
        same("a table after random batches", oracle.scan(table).await?, store.scan(table).await?)?;
        same("keys after random batches", oracle.keys(table).await?, store.keys(table).await?)?;
    }
    Ok(())
}

fn random_batch(rng: &mut Rng) -> Result<Batch, Error> {
    let mut batch = Batch::new();
    for _ in 0..rng.below(12) {
        let table = Table::ALL.into_iter().nth(index(rng.below(3))).unwrap_or(Table::Meta);
        let mut key = vec![0; 1 + index(rng.below(3))];
        key.fill_with(|| u8::try_from(rng.below(4) * 85).unwrap_or(u8::MAX));
        if rng.below(4) == 0 {
            batch.remove(table, key)?;
        } else {
            let mut value = vec![0; index(rng.below(200))];
            rng.fill(&mut value);
            batch.put(table, key, value)?;
        }
    }
    Ok(batch)
}

async fn counts_bytes(store: &mut impl Store) -> Result<(), Broken> {
    let mut batch = Batch::new();
    let mut value = vec![0; 1 << 20];
    // Random bytes: a store that compresses must not get away with less.
    Rng::from_u64(9).fill(&mut value);
    batch.put(Table::Blobs, b"mebibyte".to_vec(), value)?;
    store.apply(batch).await?;
    same("bytes cover a mebibyte", true, store.bytes().await? >= 1 << 20)
}

async fn closes(store: &mut impl Store) -> Result<(), Broken> {
    put(store, b"a", b"b").await?;
    store.close().await;
    store.close().await;
    same("get after close", Err(Error::Closed), store.get(Table::Meta, b"a").await)?;
    same("scan after close", Err(Error::Closed), store.scan(Table::Meta).await)?;
    same("keys after close", Err(Error::Closed), store.keys(Table::Meta).await)?;
    same("apply after close", Err(Error::Closed), store.apply(Batch::new()).await)?;
    same("bytes after close", Err(Error::Closed), store.bytes().await)
}

async fn get(store: &impl Store, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    store.get(table, key).await
}

async fn put(store: &mut impl Store, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let mut batch = Batch::new();
    batch.put(Table::Meta, key.to_vec(), value.to_vec())?;
    store.apply(batch).await
}

fn same<T: PartialEq + Debug>(what: &str, expected: T, found: T) -> Result<(), Broken> {
    if expected == found {
        return Ok(());
    }
    let [expected, found] = [expected, found].map(|value| {
        let mut text = format!("{value:?}");
        // A screenful is enough to see what went wrong.
        if let Some((end, _)) = text.char_indices().nth(400) {
            text.truncate(end);
        }
        text
    });
    Err(Broken::Differs { what: what.to_owned(), expected, found })
}

fn index(small: u32) -> usize {
    usize::try_from(small).unwrap_or(usize::MAX)
}

fn count(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
