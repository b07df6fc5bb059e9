//! Calls into JavaScript objects that the host lends.
//!
//! The objects are described by the TypeScript interfaces of floor 7 and looked at by name, because
//! they are plain objects, not classes known to wasm-bindgen. A missing method, an exception and a
//! wrong type all come back as [`Thrown`]. Every call goes through `life::outside`: JavaScript may
//! call back into the mesh before it returns.

use std::fmt;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::platform::life;

/// What JavaScript threw, in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Thrown {
    /// The `code` property (Node's `ENOSPC`, a store's `disk-full`), when it is a string.
    pub(crate) code: Option<String>,
    /// The `name` property (`QuotaExceededError`), when it is a string.
    pub(crate) name: Option<String>,
    /// The `message` property, or the thrown value as text.
    pub(crate) message: String,
}

impl Thrown {
    /// A failure found on this side of the boundary.
    pub(crate) fn here(message: impl Into<String>) -> Self {
        Self { code: None, name: None, message: message.into() }
    }
}

impl From<JsValue> for Thrown {
    fn from(value: JsValue) -> Self {
        let text = |name: &str| property(&value, name).ok().and_then(|value| value.as_string());
        let (code, name) = (text("code"), text("name"));
        let message = text("message").or_else(|| value.as_string());
        Self { code, name, message: message.unwrap_or_else(|| format!("{value:?}")) }
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_ref().or(self.name.as_ref()) {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Thrown {}

/// A property by name; `undefined` when there is none.
pub(crate) fn property(target: &JsValue, name: &str) -> Result<JsValue, Thrown> {
    if target.is_null() || target.is_undefined() {
        return Err(Thrown::here(format!("{name} of {target:?}")));
    }
    life::outside(|| Reflect::get(target, &JsValue::from_str(name)))
        .map_err(|_| Thrown::here(format!("{name} cannot be read")))
}

/// A method by name, or an error that says which one is missing from `what`.
pub(crate) fn method(target: &JsValue, what: &str, name: &str) -> Result<Function, Thrown> {
    property(target, name)?
        .dyn_into()
        .map_err(|_| Thrown::here(format!("{what}.{name} is not a function")))
}

/// Calls `function` with `this` and any number of arguments.
pub(crate) fn call(
    function: &Function,
    this: &JsValue,
    arguments: &[JsValue],
) -> Result<JsValue, Thrown> {
    let arguments: Array = arguments.iter().collect();
    life::outside(|| Reflect::apply(function, this, &arguments)).map_err(Thrown::from)
}

/// Looks up and calls a method that is used once; what is called often is looked up before.
pub(crate) fn invoke(
    target: &JsValue,
    name: &str,
    arguments: &[JsValue],
) -> Result<JsValue, Thrown> {
    let function = method(target, "object", name)?;
    call(&function, target, arguments)
}

/// Sets a property of an object made here.
pub(crate) fn set(target: &JsValue, name: &str, value: &JsValue) {
    // Fails only on frozen or exotic objects; the callers pass fresh ones.
    drop(Reflect::set(target, &JsValue::from_str(name), value));
}
