//! Plain JavaScript objects, made and read by name.

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::event::Problem;
use crate::platform::js::{self, Thrown};

/// An object of these properties.
pub(crate) fn object<const N: usize>(properties: [(&str, JsValue); N]) -> JsValue {
    let object: JsValue = Object::new().into();
    for (name, value) in properties {
        js::set(&object, name, &value);
    }
    object
}

/// An array of texts.
pub(crate) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> JsValue {
    items.into_iter().map(|item| JsValue::from_str(&item.to_string())).collect::<Array>().into()
}

/// A copy of bytes, owned by JavaScript.
pub(crate) fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// An `Error` with `code`, `hint` and, if there is one, `cause`.
pub(crate) fn error(problem: &Problem, cause: Option<&str>) -> JsValue {
    let error: JsValue = js_sys::Error::new(&problem.message).into();
    js::set(&error, "code", &problem.code.into());
    js::set(&error, "hint", &problem.hint.as_str().into());
    if let Some(cause) = cause {
        js::set(&error, "cause", &cause.into());
    }
    error
}

/// Reads the properties of an object that JavaScript passed, with errors that name them.
pub(crate) struct Reader<'a> {
    what: &'static str,
    object: &'a JsValue,
}

impl<'a> Reader<'a> {
    /// A reader of `object`, called `what` in errors.
    pub(crate) fn new(what: &'static str, object: &'a JsValue) -> Result<Self, Problem> {
        if object.is_object() {
            Ok(Self { what, object })
        } else {
            Err(bad(format!("{what} must be an object")))
        }
    }

    /// A property that may be `undefined`.
    pub(crate) fn get(&self, name: &str) -> Result<Option<JsValue>, Problem> {
        let value = js::property(self.object, name).map_err(|thrown| self.broken(name, &thrown))?;
        Ok((!value.is_undefined() && !value.is_null()).then_some(value))
    }

    /// A property that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<JsValue, Problem> {
        self.get(name)?.ok_or_else(|| bad(format!("{}.{name} is missing", self.what)))
    }

    /// A text, if it is there.
    pub(crate) fn text_or_none(&self, name: &str) -> Result<Option<String>, Problem> {
        self.get(name)?.map(|value| self.text_of(name, &value)).transpose()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<String, Problem> {
        self.text_of(name, &self.need(name)?)
    }

    /// A list of texts; empty when it is not there.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, Problem> {
        self.list(name)?.iter().map(|item| self.text_of(name, item)).collect()
    }

    /// A list; empty when it is not there.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<JsValue>, Problem> {
        let Some(value) = self.get(name)? else { return Ok(Vec::new()) };
        match value.dyn_into::<Array>() {
            Ok(array) => Ok(array.to_vec()),
            Err(_) => Err(self.must_be(name, "an array")),
        }
    }

    /// Bytes, copied.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Problem> {
        match self.need(name)?.dyn_into::<Uint8Array>() {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(_) => Err(self.must_be(name, "a Uint8Array")),
        }
    }

    /// Bytes, copied, if they are there.
    pub(crate) fn bytes_or_none(&self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        self.get(name)?.map(|_| self.bytes(name)).transpose()
    }

    /// A whole number that JavaScript holds exactly.
    pub(crate) fn exact(&self, name: &str) -> Result<u64, Problem> {
        let number = self.need(name)?.as_f64();
        number.and_then(whole).ok_or_else(|| self.must_be(name, "a whole number below 2^53"))
    }

    /// A whole number of 32 bits.
    pub(crate) fn whole(&self, name: &str) -> Result<u32, Problem> {
        let number = self.need(name)?.as_f64();
        number
            .and_then(whole)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.must_be(name, "a whole number from 0 to 4294967295"))
    }

    /// A single-precision number.
    pub(crate) fn real(&self, name: &str) -> Result<f32, Problem> {
        let number = self.need(name)?.as_f64();
        number.map(single).ok_or_else(|| self.must_be(name, "a number"))
    }

    /// The error for a property of the wrong type.
    pub(crate) fn must_be(&self, name: &str, kind: &str) -> Problem {
        bad(format!("{}.{name} must be {kind}", self.what))
    }

    fn text_of(&self, name: &str, value: &JsValue) -> Result<String, Problem> {
        value.as_string().ok_or_else(|| self.must_be(name, "a string"))
    }

    fn broken(&self, name: &str, thrown: &Thrown) -> Problem {
        bad(format!("{}.{name} cannot be read: {thrown}", self.what))
    }
}

/// A whole number that JavaScript holds exactly.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number from 0 to 2^53"
)]
pub(crate) fn whole(number: f64) -> Option<u64> {
    ((0.0..=js_sys::Number::MAX_SAFE_INTEGER).contains(&number) && number.fract() == 0.0)
        .then_some(number as u64)
}

/// JavaScript has double precision only; the nearest single one is what the caller meant.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "see above")]
fn single(number: f64) -> f32 {
    number as f32
}

/// The error for an argument that is not what it must be.
pub(crate) fn bad(message: String) -> Problem {
    Problem {
        code: "bad-argument",
        message,
        hint: "see the type declarations of the package".to_owned(),
    }
}
