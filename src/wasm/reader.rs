//! Plain objects of JavaScript: made of properties, and read by name.
//!
//! For the artifacts without a node; those of the node have their own ways with bigger objects.

#![cfg_attr(
    not(any(feature = "mesh", feature = "layers")),
    expect(dead_code, reason = "networks of layers have more kinds of properties")
)]

use js_sys::{Array, Float32Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use crate::tensor::index;
use crate::wasm::error::{BadArgument, thrown};

/// An object of these properties.
pub(crate) fn object(properties: &[(&str, JsValue)]) -> JsValue {
    let object: JsValue = Object::new().into();
    for (name, value) in properties {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}

/// An array of texts.
pub(crate) fn texts(texts: &[String]) -> JsValue {
    let array = Array::new();
    for text in texts {
        array.push(&JsValue::from_str(text));
    }
    array.into()
}

/// Reads the properties of an object; absent and `undefined` are the same.
///
/// The first property that is not as it must be is remembered, and [`Reader::finish`] throws it:
/// callers read one property after the other without looking at each.
pub(crate) struct Reader<'a> {
    what: &'static str,
    object: &'a JsValue,
    wrong: Option<JsValue>,
}

impl<'a> Reader<'a> {
    /// A reader of `object`, called `what` in errors; `undefined` reads as an empty object.
    pub(crate) fn new(what: &'static str, object: &'a JsValue) -> Self {
        let usable = object.is_object() || object.is_undefined();
        let wrong = (!usable).then(|| bad_argument(&format!("{what} must be an object")));
        Self { what, object, wrong }
    }

    /// Throws what was wrong first, or gives what was read.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, JsValue> {
        match (self.wrong, read) {
            (None, Some(read)) => Ok(read),
            (wrong, _) => Err(wrong.unwrap_or(JsValue::UNDEFINED)),
        }
    }

    /// Refuses properties that are not `known`.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let names = self.object.dyn_ref::<Object>().map(Object::keys).unwrap_or_default();
        for name in names.iter().filter_map(|name| name.as_string()) {
            if !known.contains(&name.as_str()) {
                self.must_be(&name, "absent: there is no such property");
            }
        }
    }

    /// A property, `undefined` if it is not there.
    pub(crate) fn value(&mut self, name: &str) -> JsValue {
        if self.wrong.is_some() || self.object.is_undefined() {
            return JsValue::UNDEFINED;
        }
        match Reflect::get(self.object, &JsValue::from_str(name)) {
            Ok(value) => value,
            Err(thrown) => {
                self.wrong = Some(thrown);
                JsValue::UNDEFINED
            }
        }
    }

    /// A number; without a `default` it must be there.
    pub(crate) fn number(&mut self, name: &str, default: Option<f64>) -> f64 {
        let value = self.value(name);
        let number = if value.is_undefined() { default } else { value.as_f64() };
        self.known(name, number, "a number").unwrap_or_default()
    }

    /// A whole number of 32 bits; without a `default` it must be there.
    pub(crate) fn whole(&mut self, name: &str, default: Option<u32>) -> u32 {
        let number = self.number(name, default.map(f64::from));
        self.known(name, whole(number), "a whole number, 0 or more").unwrap_or_default()
    }

    /// A whole number of 32 bits, if it is there.
    pub(crate) fn size(&mut self, name: &str) -> Option<u32> {
        if self.value(name).is_undefined() { None } else { Some(self.whole(name, None)) }
    }

    /// One of some names, if it is there.
    pub(crate) fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.must_be(name, &format!("one of {}", names.join(", ")));
        }
        found
    }

    /// A number rounded to single precision; without a `default` it must be there.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
    pub(crate) fn real(&mut self, name: &str, default: Option<f32>) -> f32 {
        self.number(name, default.map(f64::from)) as f32
    }

    /// Yes or no, if it is there.
    pub(crate) fn truth(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name);
        let truth = value.as_bool();
        if value.is_undefined() { None } else { self.known(name, truth, "true or false") }
    }

    /// A text, if it is there.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.value(name);
        let text = value.as_string();
        if value.is_undefined() { None } else { self.known(name, text, "a string") }
    }

    /// An array of texts, if it is there.
    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.value(name);
        if value.is_undefined() {
            return None;
        }
        let mut texts = Vec::new();
        if let Ok(array) = value.dyn_into::<Array>() {
            texts.extend(array.iter().map_while(|text| text.as_string()));
            if texts.len() == index(array.length()) {
                return Some(texts);
            }
        }
        self.known(name, None, "an array of strings")
    }

    /// A seed, a `bigint` of 64 bits; 0 if it is not there.
    pub(crate) fn seed(&mut self, name: &str) -> u64 {
        let value = self.value(name);
        if value.is_undefined() {
            return 0;
        }
        let seed = u64::try_from(value).ok();
        self.known(name, seed, "a bigint from 0n to 2n ** 64n - 1n").unwrap_or_default()
    }

    /// An array of numbers.
    pub(crate) fn numbers(&mut self, name: &str) -> Vec<f32> {
        let list = self.value(name);
        let usable = list.is_instance_of::<Float32Array>() || Array::is_array(&list);
        self.known(name, usable.then_some(()), "an array of numbers");
        if usable { Float32Array::new(&list).to_vec() } else { Vec::new() }
    }

    /// Remembers that a property must be of some `kind`, if it was not.
    pub(crate) fn known<T>(&mut self, name: &str, value: Option<T>, kind: &str) -> Option<T> {
        if value.is_none() {
            self.must_be(name, kind);
        }
        value
    }

    /// Remembers that a property must be of some `kind`.
    pub(crate) fn must_be(&mut self, name: &str, kind: &str) {
        if self.wrong.is_none() {
            self.wrong = Some(bad_argument(&format!("{}.{name} must be {kind}", self.what)));
        }
    }
}

/// A whole number of 32 bits, if it is one.
pub(crate) fn whole_of(value: &JsValue) -> Option<u32> {
    value.as_f64().and_then(whole)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number of 32 bits"
)]
#[expect(clippy::float_cmp, reason = "a whole number equals itself exactly")]
fn whole(number: f64) -> Option<u32> {
    (f64::from(number as u32) == number).then_some(number as u32)
}

/// The error for an argument that is not what the declarations say.
pub(crate) fn bad_argument(message: &str) -> JsValue {
    thrown(BadArgument(message.to_string()))
}
