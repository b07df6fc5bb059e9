//! For tests of hosts only (feature `conformance`, never in a published artifact): the storage
//! suite over a store that a host lends, and the two ways to kill an instance.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::event::Problem;
use crate::platform::spawn;
use crate::storage::conformance::{self, CASES, Case};
use crate::storage::sqlite::Sqlite;
use crate::wasm::promise::promise;
use crate::wasm::{object, options};

/// The names of all cases.
#[wasm_bindgen(js_name = storageConformanceCases)]
pub fn storage_conformance_cases() -> Vec<String> {
    CASES.into_iter().map(|case| format!("{case:?}")).collect()
}

/// Runs one case over an empty store; rejects with what is broken.
#[wasm_bindgen(js_name = storageConformance, unchecked_return_type = "Promise<void>")]
pub fn storage_conformance(
    case: &str,
    #[wasm_bindgen(unchecked_param_type = "HostStore")] store: JsValue,
) -> Promise {
    let case = Case::named(case);
    promise(async move {
        let case = case.ok_or_else(|| broken("there is no such case"))?;
        let mut store = open(store)?;
        conformance::run(case, &mut store).await.map_err(|what| broken(&what.to_string()))?;
        Ok(JsValue::UNDEFINED)
    })
}

/// Writes to a store and closes it. Open it again and call `storageReadAfterReopening`.
#[wasm_bindgen(js_name = storageWriteBeforeReopening, unchecked_return_type = "Promise<void>")]
pub fn storage_write_before_reopening(
    #[wasm_bindgen(unchecked_param_type = "HostStore")] store: JsValue,
) -> Promise {
    promise(async move {
        let done = conformance::write_before_reopening(&mut open(store)?).await;
        done.map(|()| JsValue::UNDEFINED).map_err(|what| broken(&what.to_string()))
    })
}

/// The second half of `storageWriteBeforeReopening`.
#[wasm_bindgen(js_name = storageReadAfterReopening, unchecked_return_type = "Promise<void>")]
pub fn storage_read_after_reopening(
    #[wasm_bindgen(unchecked_param_type = "HostStore")] store: JsValue,
) -> Promise {
    promise(async move {
        let done = conformance::read_after_reopening(&open(store)?).await;
        done.map(|()| JsValue::UNDEFINED).map_err(|what| broken(&what.to_string()))
    })
}

/// Panics inside a task, as a defect of the node would.
#[wasm_bindgen(js_name = testPanic)]
pub fn test_panic() {
    spawn(async { panic!("a test panics") });
}

/// Traps inside a task without a panic, as an exhausted stack would.
#[wasm_bindgen(js_name = testTrap)]
pub fn test_trap() {
    spawn(async { core::arch::wasm32::unreachable() });
}

fn open(store: JsValue) -> Result<Sqlite, JsValue> {
    Sqlite::new(store).map_err(|error| object::error(&options::stored(&error), None))
}

fn broken(what: &str) -> JsValue {
    let problem = Problem {
        code: "store-broken",
        message: what.to_owned(),
        hint: "see src/storage/conformance.rs".to_owned(),
    };
    object::error(&problem, None)
}
