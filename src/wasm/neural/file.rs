//! Model files with the host's own `JSON`: the same fields as `neural::model::file`, which checks
//! that they fit together.

use js_sys::{Array, Float32Array, JSON};
use wasm_bindgen::{JsCast, JsValue};

use super::object::{self, Reader, object, of_specification, texts};
use crate::neural::model::file::{self, File};
use crate::neural::{Model, Scaling};
use crate::wasm::error::thrown;

const FIELDS: &[&str] = &[
    "format",
    "version",
    "specification",
    "task",
    "classes",
    "scaling",
    "targetScaling",
    "columns",
    "weights",
    "weightsCid",
];

/// The model in a file.
pub(super) fn read(bytes: &[u8]) -> Result<Model, JsValue> {
    file::check_size(bytes).map_err(thrown)?;
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let json =
        JSON::parse(text).map_err(|_| thrown(file::unreadable(bytes, false, "it is not JSON")))?;
    let foreign = |error: JsValue| {
        let why = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        thrown(file::unreadable(bytes, true, &why.unwrap_or_default()))
    };
    let mut head = Reader::new("model", &json);
    let (format, version) = (head.text("format").unwrap_or_default(), head.whole("version", None));
    head.finish(Some(())).map_err(foreign)?;
    file::check_head(&format, version).map_err(thrown)?;
    fields(&json).map_err(foreign)?.into_model().map_err(thrown)
}

/// The file of a model.
pub(super) fn write(model: &Model) -> Vec<u8> {
    let file = File::of_model(model);
    let columns = match file.columns.as_slice() {
        [] => JsValue::UNDEFINED,
        columns => object::of_columns(columns),
    };
    let json = object(&[
        ("format", file.format.into()),
        ("version", file.version.into()),
        ("specification", of_specification(&file.specification)),
        ("task", file.task.map_or(JsValue::NULL, |task| task.name().into())),
        ("classes", texts(&file.classes)),
        ("scaling", of_scaling(file.scaling.as_ref())),
        ("targetScaling", of_scaling(file.target_scaling.as_ref())),
        // `JSON` leaves out what is undefined.
        ("columns", columns),
        ("weights", file.weights.into()),
        ("weightsCid", file.weights_cid.into()),
    ]);
    // Fails only for cycles and big integers, and there are none.
    JSON::stringify(&json).map(String::from).unwrap_or_default().into_bytes()
}

/// The fields of a parsed file of this version; the error names one that is not as it must be.
fn fields(json: &JsValue) -> Result<File, JsValue> {
    let mut reader = Reader::new("model", json);
    reader.only(FIELDS);
    let specification = object::specification(&reader.value("specification"))?;
    let scaling_of_inputs = scaling(&reader.value("scaling"))?;
    let target_scaling = scaling(&reader.value("targetScaling"))?;
    // What there is none of is null; a field that is not there was taken out.
    for name in ["task", "scaling", "targetScaling"] {
        if reader.value(name).is_undefined() {
            reader.must_be(name, "there, or null");
        }
    }
    let known = reader.value("columns");
    let columns = if known.is_undefined() { Vec::new() } else { object::columns(&known)? };
    let file = File {
        format: file::FORMAT.to_string(),
        version: file::VERSION,
        specification,
        task: reader.task(),
        classes: reader.texts("classes").unwrap_or_default(),
        scaling: scaling_of_inputs,
        target_scaling,
        columns,
        weights: reader.text("weights").unwrap_or_default(),
        weights_cid: reader.text("weightsCid").unwrap_or_default(),
    };
    reader.finish(Some(file))
}

fn scaling(value: &JsValue) -> Result<Option<Scaling>, JsValue> {
    if value.is_null() || value.is_undefined() {
        Ok(None)
    } else {
        object::scaling(value).map(Some)
    }
}

/// A scaling for JSON, which has arrays of numbers but no `Float32Array`.
fn of_scaling(scaling: Option<&Scaling>) -> JsValue {
    let Some(scaling) = scaling else { return JsValue::NULL };
    let numbers = |numbers: &[f32]| Array::from(&Float32Array::from(numbers)).into();
    object(&[("offset", numbers(&scaling.offset)), ("scale", numbers(&scaling.scale))])
}
