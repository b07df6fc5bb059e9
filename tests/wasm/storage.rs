//! The one storage suite over the three stores, and what only one of them can do wrong.

use synaptic_mesh::storage::conformance::{self, CASES};
use synaptic_mesh::storage::indexed_db::IndexedDb;
use synaptic_mesh::storage::memory::Memory;
use synaptic_mesh::storage::sqlite::Sqlite;
use synaptic_mesh::storage::{Batch, Error, Store, Table};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::host;

#[wasm_bindgen_test]
async fn the_memory_store_conforms() {
    for case in CASES {
        conformance::run(case, &mut Memory::new()).await.unwrap();
    }
}

#[wasm_bindgen_test]
async fn the_lent_store_conforms() {
    for case in CASES {
        let mut store = Sqlite::new(host::store()).unwrap();
        let done = conformance::run(case, &mut store).await;
        assert_eq!(done, Ok(()), "{case:?}");
    }
    let lent = host::store();
    conformance::write_before_reopening(&mut Sqlite::new(lent.clone()).unwrap()).await.unwrap();
    assert_eq!(host::get(&lent, "closed"), JsValue::TRUE);
    conformance::read_after_reopening(&Sqlite::new(lent).unwrap()).await.unwrap();
}

#[wasm_bindgen_test]
async fn indexed_db_conforms() {
    if !host::has_indexed_db() {
        return;
    }
    for case in CASES {
        let mut store =
            IndexedDb::open(&format!("case {case:?} {}", js_sys::Date::now())).await.unwrap();
        let done = conformance::run(case, &mut store).await;
        assert_eq!(done, Ok(()), "{case:?}");
        store.close().await;
    }
    let name = format!("reopened {}", js_sys::Date::now());
    conformance::write_before_reopening(&mut IndexedDb::open(&name).await.unwrap()).await.unwrap();
    let store = IndexedDb::open(&name).await.unwrap();
    conformance::read_after_reopening(&store).await.unwrap();
    // The sizes are read back as well.
    assert_eq!(store.bytes().await, Ok(4 + 1_000));
}

/// IndexedDB reads tables in pages of 64; nothing may be lost or doubled between two of them.
#[wasm_bindgen_test]
async fn indexed_db_reads_every_page() {
    if !host::has_indexed_db() {
        return;
    }
    let mut store = IndexedDb::open(&format!("pages {}", js_sys::Date::now())).await.unwrap();
    for count in [63_u32, 64, 65, 128, 129] {
        let mut batch = Batch::new();
        for index in 0..count {
            batch.put(Table::Vertices, index.to_be_bytes().to_vec(), vec![1]).unwrap();
        }
        store.apply(batch).await.unwrap();
        let found = store.scan(Table::Vertices).await.unwrap();
        assert_eq!(found.len(), usize::try_from(count).unwrap());
        assert!(found.is_sorted());
    }
}

#[wasm_bindgen_test]
async fn without_indexed_db_the_error_says_so() {
    if host::has_indexed_db() {
        return;
    }
    let error = IndexedDb::open("any").await.unwrap_err();
    assert_eq!(error.code(), "storage-unavailable");
}

#[wasm_bindgen_test]
async fn what_a_lent_store_throws_gets_its_code() {
    let table = [
        ("ENOSPC", "storage-full"),
        ("storage-full", "storage-full"),
        ("EROFS", "storage-permission"),
        ("SQLITE_CORRUPT", "storage-corrupt"),
        ("SQLITE_BUSY", "storage-locked"),
        ("EIO", "storage-failed"),
    ];
    for (thrown, code) in table {
        let lent = host::store();
        let fails = format!("Object.assign(new Error('told so'), {{ code: '{thrown}' }})");
        host::set(&lent, "fails", &host::value(&fails));
        let mut store = Sqlite::new(lent).unwrap();
        let error = store.apply(Batch::new()).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains("told so"), "{error}");
        assert!(!error.hint().is_empty());
    }
}

#[wasm_bindgen_test]
async fn a_lent_store_that_returns_nonsense_is_called_damaged() {
    let lent = host::store();
    for (method, nonsense) in [("get", "() => 'text'"), ("scan", "() => 7"), ("bytes", "() => -1")]
    {
        host::set(&lent, method, &host::value(nonsense));
    }
    let store = Sqlite::new(lent).unwrap();
    let code = |error: Error| error.code();
    assert_eq!(store.get(Table::Meta, b"a").await.map_err(code), Err("storage-corrupt"));
    assert_eq!(store.scan(Table::Meta).await.map_err(code), Err("storage-corrupt"));
    assert_eq!(store.bytes().await.map_err(code), Err("storage-corrupt"));
}

#[wasm_bindgen_test]
fn a_lent_store_without_a_method_is_refused_by_its_name() {
    let lent = host::store();
    host::set(&lent, "apply", &JsValue::UNDEFINED);
    let error = Sqlite::new(lent).unwrap_err();
    assert_eq!(error.code(), "storage-unavailable");
    assert!(error.to_string().contains("store.apply"), "{error}");
}

/// Hosts written before `keys` existed are served by `scan`.
#[wasm_bindgen_test]
async fn a_lent_store_without_keys_still_lists_them() {
    let lent = host::store();
    host::set(&lent, "keys", &JsValue::UNDEFINED);
    let mut store = Sqlite::new(lent).unwrap();
    let mut batch = Batch::new();
    batch.put(Table::Blobs, vec![2], vec![0; 5]).unwrap();
    store.apply(batch).await.unwrap();
    assert_eq!(store.keys(Table::Blobs).await, Ok(vec![(vec![2], 5)]));
}
