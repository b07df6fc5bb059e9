//! Plain objects of JavaScript, read by name and made.

use js_sys::{Array, Float32Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::bad_argument;
use crate::neural::dataset::Column;
use crate::neural::specification::{Kind, Padding, Position, Record, Returns, Sizes};
use crate::neural::{Activation, Layer, Loss, Scaling, Shape, Specification, Task};
use crate::tensor::index;

/// An object of these properties.
pub(super) fn object(properties: &[(&str, JsValue)]) -> JsValue {
    let object: JsValue = Object::new().into();
    for (name, value) in properties {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}

/// A number or `null`.
pub(super) fn or_null(number: Option<f64>) -> JsValue {
    number.map_or(JsValue::NULL, JsValue::from)
}

/// An array of texts.
pub(super) fn texts(texts: &[String]) -> JsValue {
    let array = Array::new();
    for text in texts {
        array.push(&JsValue::from_str(text));
    }
    array.into()
}

/// Texts out of an array.
pub(super) fn texts_of(value: &JsValue) -> Result<Vec<String>, JsValue> {
    let holder = object(&[("texts", value.clone())]);
    let mut reader = Reader::new("classes", &holder);
    let texts = reader.texts("texts");
    reader.finish(texts)
}

/// A specification out of a plain object; unknown properties are refused, because they would be a
/// misunderstanding.
pub(super) fn specification(value: &JsValue) -> Result<Specification, JsValue> {
    let mut reader = Reader::new("specification", value);
    reader.only(&["inputs", "layers", "loss"]);
    let inputs = reader.sizes("inputs").and_then(|sizes| Shape::of_sizes(sizes.as_slice()));
    let inputs = reader.known("inputs", inputs, "a number, or an array of two or three");
    let loss = reader.text("loss").and_then(|name| Loss::of_name(&name));
    let loss = reader.known("loss", loss, "\"mse\" or \"cross-entropy\"");
    let list = reader.value("layers").dyn_into::<Array>().ok();
    let list = reader.known("layers", list, "an array");
    let (list, (loss, inputs)) = reader.finish(list.zip(loss.zip(inputs)))?;
    let mut layers = Vec::new();
    for item in list.iter() {
        layers.push(layer(&item)?);
    }
    Ok(Specification { inputs, layers, loss })
}

/// The properties a layer may have, in the order of the record.
const LAYER: [&str; 19] = [
    "type",
    "units",
    "filters",
    "kernel",
    "window",
    "stride",
    "dilation",
    "padding",
    "groups",
    "ratePerMille",
    "vocabulary",
    "code",
    "bidirectional",
    "returns",
    "heads",
    "causal",
    "shape",
    "with",
    "activation",
];

fn layer(value: &JsValue) -> Result<Layer, JsValue> {
    let mut reader = Reader::new("layer", value);
    reader.only(&LAYER);
    let record = Record {
        kind: reader.one_of("type", &Kind::NAMES).unwrap_or_default(),
        units: reader.size("units"),
        filters: reader.size("filters"),
        kernel: reader.sizes("kernel"),
        window: reader.sizes("window"),
        stride: reader.sizes("stride"),
        dilation: reader.sizes("dilation"),
        padding: reader.one_of("padding", &[("valid", Padding::Valid), ("same", Padding::Same)]),
        groups: reader.size("groups"),
        rate_per_mille: reader.size("ratePerMille"),
        vocabulary: reader.size("vocabulary"),
        code: reader.one_of("code", &POSITIONS),
        bidirectional: reader.truth("bidirectional"),
        returns: reader.one_of("returns", &[("last", Returns::Last), ("all", Returns::All)]),
        heads: reader.size("heads"),
        causal: reader.truth("causal"),
        shape: reader.sizes("shape").and_then(|sizes| Shape::of_sizes(sizes.as_slice())),
        with: reader.sizes("with"),
        activation: reader.one_of("activation", &Activation::ALL.map(|a| (a.name(), a))),
    };
    let record = reader.finish(Some(record))?;
    Layer::try_from(record).map_err(bad_argument)
}

const POSITIONS: [(&str, Position); 2] =
    [("sinusoidal", Position::Sinusoidal), ("learned", Position::Learned)];

/// A specification as a plain object.
pub(super) fn of_specification(specification: &Specification) -> JsValue {
    let layers: Array = specification.layers.iter().map(|layer| of_layer(layer.clone())).collect();
    object(&[
        ("inputs", of_sizes(&specification.inputs.into())),
        ("layers", layers.into()),
        ("loss", specification.loss.name().as_str().into()),
    ])
}

fn of_layer(layer: Layer) -> JsValue {
    let record = Record::from(layer);
    let sizes = |sizes: Option<Sizes>| sizes.as_ref().map(of_sizes);
    let kind = Some(record.kind).filter(|kind| *kind != Kind::Dense);
    let kind = kind.and_then(|kind| Kind::NAMES.iter().find(|(_, known)| *known == kind));
    let fields: [Option<JsValue>; LAYER.len()] = [
        kind.map(|(name, _)| (*name).into()),
        record.units.map(JsValue::from),
        record.filters.map(JsValue::from),
        sizes(record.kernel),
        sizes(record.window),
        sizes(record.stride),
        sizes(record.dilation),
        record.padding.map(|p| if p == Padding::Valid { "valid" } else { "same" }.into()),
        record.groups.map(JsValue::from),
        record.rate_per_mille.map(JsValue::from),
        record.vocabulary.map(JsValue::from),
        record.code.map(|c| if c == Position::Learned { "learned" } else { "sinusoidal" }.into()),
        record.bidirectional.map(JsValue::from),
        record.returns.map(|r| if r == Returns::Last { "last" } else { "all" }.into()),
        record.heads.map(JsValue::from),
        record.causal.map(JsValue::from),
        sizes(record.shape.map(Sizes::from)),
        sizes(record.with),
        record.activation.map(|activation| activation.name().into()),
    ];
    let set = LAYER.iter().zip(fields).filter_map(|(name, value)| Some((*name, value?)));
    object(&set.collect::<Vec<_>>())
}

fn of_sizes(sizes: &Sizes) -> JsValue {
    match sizes {
        Sizes::One(size) => (*size).into(),
        Sizes::Many(sizes) => {
            sizes.iter().map(|size| JsValue::from(*size)).collect::<Array>().into()
        }
    }
}

/// A scaling out of a plain object with two arrays of numbers.
pub(super) fn scaling(value: &JsValue) -> Result<Scaling, JsValue> {
    let mut reader = Reader::new("scaling", value);
    let (offset, scale) = (reader.numbers("offset"), reader.numbers("scale"));
    reader.finish(Some(Scaling { offset, scale }))
}

/// A scaling as a plain object.
pub(super) fn of_scaling(scaling: &Scaling) -> JsValue {
    object(&[
        ("offset", Float32Array::from(scaling.offset.as_slice()).into()),
        ("scale", Float32Array::from(scaling.scale.as_slice()).into()),
    ])
}

/// Columns out of an array of plain objects.
pub(super) fn columns(value: &JsValue) -> Result<Vec<Column>, JsValue> {
    let list = Array::is_array(value).then(|| value.unchecked_ref::<Array>());
    let list = list.ok_or_else(|| bad_argument("columns must be an array"))?;
    let column = |value: JsValue| {
        let mut reader = Reader::new("column", &value);
        reader.only(&COLUMN);
        let column = Column {
            name: reader.text("name").unwrap_or_default(),
            categories: reader.texts("categories").unwrap_or_default(),
            fill: (!reader.value("fill").is_undefined()).then(|| reader.real("fill", None)),
        };
        reader.finish(Some(column))
    };
    list.iter().map(column).collect()
}

const COLUMN: [&str; 3] = ["name", "categories", "fill"];

/// Columns as plain objects.
pub(super) fn of_columns(columns: &[Column]) -> JsValue {
    let of_column = |column: &Column| {
        let name = (!column.name.is_empty()).then(|| column.name.as_str().into());
        let categories = (!column.categories.is_empty()).then(|| texts(&column.categories));
        let set = COLUMN.iter().zip([name, categories, column.fill.map(JsValue::from)]);
        object(&set.filter_map(|(name, value)| Some((*name, value?))).collect::<Vec<_>>())
    };
    columns.iter().map(of_column).collect::<Array>().into()
}

/// Reads the properties of an object; absent and `undefined` are the same.
///
/// The first property that is not as it must be is remembered, and [`Reader::finish`] throws it:
/// callers read one property after the other without looking at each.
pub(super) struct Reader<'a> {
    what: &'static str,
    object: &'a JsValue,
    wrong: Option<JsValue>,
}

impl<'a> Reader<'a> {
    /// A reader of `object`, called `what` in errors; `undefined` reads as an empty object.
    pub(super) fn new(what: &'static str, object: &'a JsValue) -> Self {
        let usable = object.is_object() || object.is_undefined();
        let wrong = (!usable).then(|| bad_argument(&format!("{what} must be an object")));
        Self { what, object, wrong }
    }

    /// Throws what was wrong first, or gives what was read.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, JsValue> {
        match (self.wrong, read) {
            (None, Some(read)) => Ok(read),
            (wrong, _) => Err(wrong.unwrap_or(JsValue::UNDEFINED)),
        }
    }

    /// Refuses properties that are not `known`.
    pub(super) fn only(&mut self, known: &[&str]) {
        let names = self.object.dyn_ref::<Object>().map(Object::keys).unwrap_or_default();
        for name in names.iter().filter_map(|name| name.as_string()) {
            if !known.contains(&name.as_str()) {
                self.must_be(&name, "absent: there is no such property");
            }
        }
    }

    /// A property, `undefined` if it is not there.
    pub(super) fn value(&mut self, name: &str) -> JsValue {
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
    pub(super) fn number(&mut self, name: &str, default: Option<f64>) -> f64 {
        let value = self.value(name);
        let number = if value.is_undefined() { default } else { value.as_f64() };
        self.known(name, number, "a number").unwrap_or_default()
    }

    /// A whole number of 32 bits; without a `default` it must be there.
    pub(super) fn whole(&mut self, name: &str, default: Option<u32>) -> u32 {
        let number = self.number(name, default.map(f64::from));
        self.known(name, whole(number), "a whole number, 0 or more").unwrap_or_default()
    }

    /// A whole number of 32 bits, if it is there.
    fn size(&mut self, name: &str) -> Option<u32> {
        if self.value(name).is_undefined() { None } else { Some(self.whole(name, None)) }
    }

    /// A whole number or an array of them, if it is there.
    fn sizes(&mut self, name: &str) -> Option<Sizes> {
        let value = self.value(name);
        if !Array::is_array(&value) {
            return self.size(name).map(Sizes::One);
        }
        let numbers = value.unchecked_into::<Array>();
        let sizes = numbers.iter().map(|size| whole_of(&size)).collect();
        self.known(name, sizes, "whole numbers").map(Sizes::Many)
    }

    /// One of some names, if it is there.
    pub(super) fn one_of<T: Copy>(&mut self, name: &str, known: &[(&str, T)]) -> Option<T> {
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
    pub(super) fn real(&mut self, name: &str, default: Option<f32>) -> f32 {
        self.number(name, default.map(f64::from)) as f32
    }

    /// Yes or no, if it is there.
    pub(super) fn truth(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name);
        let truth = value.as_bool();
        if value.is_undefined() { None } else { self.known(name, truth, "true or false") }
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.value(name);
        let text = value.as_string();
        if value.is_undefined() { None } else { self.known(name, text, "a string") }
    }

    /// An array of texts, if it is there.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
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
    pub(super) fn seed(&mut self, name: &str) -> u64 {
        let value = self.value(name);
        if value.is_undefined() {
            return 0;
        }
        let seed = u64::try_from(value).ok();
        self.known(name, seed, "a bigint from 0n to 2n ** 64n - 1n").unwrap_or_default()
    }

    /// `task`, if it is there and not `null`.
    pub(super) fn task(&mut self) -> Option<Task> {
        let value = self.value("task");
        if value.is_undefined() || value.is_null() {
            return None;
        }
        let name = value.as_string();
        let task = match name.as_deref() {
            Some("classification") => Some(Task::Classification),
            Some("regression") => Some(Task::Regression),
            Some("reconstruction") => Some(Task::Reconstruction),
            _ => None,
        };
        self.known("task", task, "\"classification\", \"regression\" or \"reconstruction\"")
    }

    /// An array of numbers.
    pub(super) fn numbers(&mut self, name: &str) -> Vec<f32> {
        let list = self.value(name);
        let usable = list.is_instance_of::<Float32Array>() || Array::is_array(&list);
        self.known(name, usable.then_some(()), "an array of numbers");
        if usable { Float32Array::new(&list).to_vec() } else { Vec::new() }
    }

    /// Remembers that a property must be of some `kind`, if it was not.
    pub(super) fn known<T>(&mut self, name: &str, value: Option<T>, kind: &str) -> Option<T> {
        if value.is_none() {
            self.must_be(name, kind);
        }
        value
    }

    /// Remembers that a property must be of some `kind`.
    pub(super) fn must_be(&mut self, name: &str, kind: &str) {
        if self.wrong.is_none() {
            self.wrong = Some(bad_argument(&format!("{}.{name} must be {kind}", self.what)));
        }
    }
}

/// A whole number of 32 bits, if it is one.
pub(super) fn whole_of(value: &JsValue) -> Option<u32> {
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
