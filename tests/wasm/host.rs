//! The lent objects of the tests, as Rust sees them.

use js_sys::{Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// Evaluates a script that is one function expression.
pub(crate) fn function(source: &str) -> Function {
    js_sys::eval(&format!("({source})")).unwrap().dyn_into().unwrap()
}

/// Calls a method of an object.
pub(crate) fn call(object: &JsValue, name: &str, arguments: &[JsValue]) -> JsValue {
    let method: Function = get(object, name).dyn_into().unwrap();
    Reflect::apply(&method, object, &arguments.iter().collect()).unwrap()
}

/// A property of an object.
pub(crate) fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap()
}

/// Sets a property of an object.
pub(crate) fn set(object: &JsValue, name: &str, value: &JsValue) {
    Reflect::set(object, &name.into(), value).unwrap();
}

/// A value as JavaScript writes it.
pub(crate) fn value(source: &str) -> JsValue {
    js_sys::eval(&format!("({source})")).unwrap()
}

/// A new hub of hosts that can call each other.
pub(crate) fn hub() -> JsValue {
    function(include_str!("host.js")).call0(&JsValue::NULL).unwrap()
}

/// A host of the hub, with habits.
pub(crate) fn host(hub: &JsValue, habits: &str) -> JsValue {
    call(hub, "host", &[value(habits)])
}

/// A new store of the host.
pub(crate) fn store() -> JsValue {
    function(include_str!("store.js")).call0(&JsValue::NULL).unwrap()
}

/// Whether this runs where there is IndexedDB.
pub(crate) fn has_indexed_db() -> bool {
    !get(&js_sys::global(), "indexedDB").is_undefined()
}
