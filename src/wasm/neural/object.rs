//! Specifications, layers and scalings as plain objects of JavaScript.

use js_sys::{Array, Float32Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::neural::dataset::Column;
use crate::neural::specification::{Kind, Padding, Position, Record, Returns, Sizes};
use crate::neural::{Activation, Layer, Loss, Scaling, Shape, Specification, Task};
pub(super) use crate::wasm::reader::{Reader, bad_argument, object, texts, whole_of};

/// A number or `null`.
pub(super) fn or_null(number: Option<f64>) -> JsValue {
    number.map_or(JsValue::NULL, JsValue::from)
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

impl Reader<'_> {
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
}
