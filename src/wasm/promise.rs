//! Promises that are kept even when the instance dies.
//!
//! wasm-bindgen's own async functions run on a task queue inside the instance: after a trap it
//! stands still, and every promise with it. Here each promise registers with [`life`], which lives
//! on the panic path and outside of the queue, and is rejected from there.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;

use crate::event::Problem;
use crate::platform::{js, life, spawn};
use crate::wasm::object;

/// A promise of what `work` gives. On a dead instance it is rejected at once.
pub(crate) fn promise(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    if let Some(cause) = life::dead() {
        return Promise::reject(&died(&cause));
    }
    let mut work = Some(work);
    Promise::new(&mut |resolve, reject| {
        let Some(work) = work.take() else { return };
        let settle = Rc::new(RefCell::new(Some((resolve, reject))));
        let at_death = settle.clone();
        let on_death = life::on_death(move |cause| {
            if let Some((_, reject)) = taken(&at_death) {
                tell(&reject, &died(cause));
            }
        });
        spawn(async move {
            let result = work.await;
            drop(on_death);
            if let Some((resolve, reject)) = taken(&settle) {
                match result {
                    Ok(value) => tell(&resolve, &value),
                    Err(error) => tell(&reject, &error),
                }
            }
        });
    })
}

/// Fails on a dead instance; for calls that do not return a promise.
pub(crate) fn alive() -> Result<(), JsValue> {
    match life::dead() {
        Some(cause) => Err(died(&cause)),
        None => Ok(()),
    }
}

/// What every call on a dead instance gets.
fn died(cause: &str) -> JsValue {
    let problem = Problem {
        code: "node-dead",
        message: "the node has died of a defect and can do nothing any more".to_owned(),
        hint: "load the module again and create a new node; the store is intact. Please report \
               the cause"
            .to_owned(),
    };
    object::error(&problem, Some(cause))
}

type Settle = RefCell<Option<(Function, Function)>>;

fn taken(settle: &Settle) -> Option<(Function, Function)> {
    // Tried, because this also runs inside a panic.
    settle.try_borrow_mut().ok().and_then(|mut settle| settle.take())
}

fn tell(function: &Function, value: &JsValue) {
    // Settling a promise never throws.
    drop(js::call(function, &JsValue::UNDEFINED, std::slice::from_ref(value)));
}
