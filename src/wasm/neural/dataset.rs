//! The class `Dataset`.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

use js_sys::{Array, Float32Array, Uint32Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::object::{
    Reader, bad_argument, columns, object, of_columns, of_scaling, scaling, texts, texts_of,
    whole_of,
};
use crate::neural::dataset::{Kind, Label, Options};
use crate::neural::{self, Labels, Scaling};
use crate::wasm::error::thrown;

#[wasm_bindgen]
extern "C" {
    /// How a CSV is read.
    #[wasm_bindgen(typescript_type = "ParseOptions")]
    #[derive(Debug)]
    pub type ParseOptions;
}

/// Rows of numbers with their labels, held in wasm memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Dataset(pub(crate) neural::Dataset);

#[wasm_bindgen]
impl Dataset {
    /// Reads a CSV: one row per example, features and a label. A header, the separator (comma,
    /// semicolon, tab), the label's column (the last) and the task are found out unless given.
    /// Values that may be missing are gaps, unless `columns` say what to put there. In a table with
    /// a header `columns` that have names are found by name.
    pub fn parse(csv: &[u8], options: Option<ParseOptions>) -> Result<Dataset, JsValue> {
        neural::Dataset::parse(csv, &parse_options(options)?).map(Dataset).map_err(thrown)
    }

    /// A data set of rows of `features` inputs and of `width` targets; with `classes` the targets
    /// are one index into them for each row.
    #[wasm_bindgen(js_name = fromNumbers)]
    pub fn from_numbers(
        inputs: Vec<f32>,
        features: usize,
        targets: Vec<f32>,
        width: usize,
        #[wasm_bindgen(unchecked_param_type = "readonly string[] | undefined")] classes: &JsValue,
    ) -> Result<Dataset, JsValue> {
        let (labels, classes) = if classes.is_undefined() {
            (Labels::Numbers { values: targets, width }, Vec::new())
        } else {
            let place = |class: &f32| whole_of(&(*class).into()).unwrap_or(u32::MAX);
            (Labels::Classes(targets.iter().map(place).collect()), texts_of(classes)?)
        };
        neural::Dataset::from_parts(features, inputs, labels, classes).map(Dataset).map_err(thrown)
    }

    /// Reads the inputs of rows to run a network on: features only, unless `options.label` names a
    /// column, which is then left out. `inputs` is the number of the network's inputs.
    #[wasm_bindgen(js_name = parseRows, unchecked_return_type = "ParsedRows")]
    pub fn parse_rows(
        csv: &[u8],
        inputs: u32,
        options: Option<ParseOptions>,
    ) -> Result<JsValue, JsValue> {
        let inputs = crate::tensor::index(inputs);
        let rows = neural::Dataset::parse_rows(csv, inputs, &parse_options(options)?);
        let rows = rows.map_err(thrown)?;
        Ok(object(&[
            ("inputs", Float32Array::from(rows.inputs.as_slice()).into()),
            ("ignored", texts(&rows.ignored)),
        ]))
    }

    /// Number of rows.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Numbers per row.
    #[wasm_bindgen(getter)]
    pub fn features(&self) -> usize {
        self.0.features()
    }

    /// The classes in the order of the outputs; empty for a regression.
    #[wasm_bindgen(getter, unchecked_return_type = "string[]")]
    pub fn classes(&self) -> JsValue {
        texts(self.0.classes())
    }

    /// What is told from a row.
    #[wasm_bindgen(getter, unchecked_return_type = "Task")]
    pub fn task(&self) -> JsValue {
        self.0.task().name().into()
    }

    /// What the columns of the table became; empty if they are numbers without names.
    #[wasm_bindgen(getter, unchecked_return_type = "Column[]")]
    pub fn columns(&self) -> JsValue {
        of_columns(self.0.columns())
    }

    /// Columns of the table that were left out because `columns` have none of their name, such as
    /// "3 (id)": the number, counted from 1, and the name.
    #[wasm_bindgen(getter, unchecked_return_type = "string[]")]
    pub fn ignored(&self) -> JsValue {
        texts(self.0.ignored())
    }

    /// Whether values are missing.
    #[wasm_bindgen(getter, js_name = hasGaps)]
    pub fn has_gaps(&self) -> bool {
        self.0.has_gaps()
    }

    /// The columns with what stands in for their missing values by these rows: the mean of numbers,
    /// the most frequent category. Rows that are parsed with these columns have no gaps.
    #[wasm_bindgen(js_name = fitColumns, unchecked_return_type = "Column[]")]
    pub fn fit_columns(&self) -> Result<JsValue, JsValue> {
        self.0.fit_columns().map(|columns| of_columns(&columns)).map_err(thrown)
    }

    /// A copy of the numbers, row by row.
    pub fn values(&self) -> Vec<f32> {
        self.0.values().to_vec()
    }

    /// A copy of the labels: indices into `classes`, or the numbers to predict.
    #[wasm_bindgen(unchecked_return_type = "Uint32Array | Float32Array")]
    pub fn labels(&self) -> JsValue {
        match self.0.labels() {
            Labels::Classes(classes) => Uint32Array::from(classes.as_slice()).into(),
            Labels::Numbers { values, .. } => Float32Array::from(values.as_slice()).into(),
        }
    }

    /// Two new data sets: what remains, and `testFraction` of the rows of every class. The same
    /// seed gives the same rows.
    #[wasm_bindgen(unchecked_return_type = "[Dataset, Dataset]")]
    pub fn split(
        &self,
        #[wasm_bindgen(js_name = testFraction)] test_fraction: f64,
        seed: u64,
    ) -> Result<JsValue, JsValue> {
        let (training, test) = self.0.split(test_fraction, seed).map_err(thrown)?;
        Ok(Array::of2(&Dataset(training).into(), &Dataset(test).into()).into())
    }

    /// The scaling that fits these rows: "standard" (mean 0, deviation 1), "range" (0 to 1), or
    /// "none", which changes nothing.
    #[wasm_bindgen(unchecked_return_type = "Scaling")]
    pub fn scaling(
        &self,
        #[wasm_bindgen(unchecked_param_type = r#""standard" | "range" | "none""#)] kind: &str,
    ) -> Result<JsValue, JsValue> {
        let scaling = match kind {
            "standard" => self.0.fit_scaling(Kind::Standard).map_err(thrown)?,
            "range" => self.0.fit_scaling(Kind::Range).map_err(thrown)?,
            "none" => Scaling::identity(self.0.features()),
            _ => return Err(bad_argument("a scaling is \"standard\", \"range\" or \"none\"")),
        };
        Ok(of_scaling(&scaling))
    }

    /// A new data set with scaled inputs. The first data a network is trained with gives it its
    /// scaling, which then belongs to the model.
    pub fn standardise(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Scaling")] scaling_to_use: &JsValue,
    ) -> Result<Dataset, JsValue> {
        self.0.scaled(&scaling(scaling_to_use)?).map(Dataset).map_err(thrown)
    }
}

/// In the large artifact only: workers train, whoever simulates a mesh has it at hand.
#[cfg(feature = "mesh")]
#[wasm_bindgen]
impl Dataset {
    /// A new data set for each member of a simulated mesh: the rows of every class in proportions
    /// drawn from a Dirichlet distribution. At `alpha` 0.1 most members have rows of one or two
    /// classes only. Draws that leave a member fewer than 10 rows are repeated; member 0 is the one
    /// whose leaving costs the others least.
    #[wasm_bindgen(js_name = dirichletSplit, unchecked_return_type = "Dataset[]")]
    pub fn dirichlet_split(&self, members: u32, alpha: f64, seed: u64) -> Result<JsValue, JsValue> {
        let shares = self.0.dirichlet_split(members, alpha, seed).map_err(thrown)?;
        let array = Array::new();
        for share in shares {
            array.push(&Dataset(share).into());
        }
        Ok(array.into())
    }
}

fn parse_options(options: Option<ParseOptions>) -> Result<Options, JsValue> {
    let options = options.map_or(JsValue::UNDEFINED, JsValue::from);
    let mut reader = Reader::new("options", &options);
    let (labels, categories) = (labels(&mut reader, "label"), labels(&mut reader, "categories"));
    let known = reader.value("columns");
    let columns = if known.is_undefined() { Vec::new() } else { columns(&known)? };
    let parsed = Options {
        labels,
        task: reader.task(),
        header: reader.truth("header"),
        classes: reader.texts("classes"),
        encode: reader.truth("encode").unwrap_or_default() || !categories.is_empty(),
        categories,
        gaps: reader.truth("gaps").unwrap_or_default(),
        columns,
    };
    reader.finish(Some(parsed))
}

/// Columns by name or index, one or an array of them.
fn labels(reader: &mut Reader<'_>, name: &str) -> Vec<Label> {
    let value = reader.value(name);
    let label = |value: JsValue| match whole_of(&value) {
        Some(index) => Some(Label::Index(index)),
        None => value.as_string().map(Label::Name),
    };
    let labels = if value.is_undefined() {
        Some(Vec::new())
    } else if Array::is_array(&value) {
        value.unchecked_into::<Array>().iter().map(label).collect()
    } else {
        label(value).map(|label| vec![label])
    };
    reader.known(name, labels, "a column by name or index, or an array of them").unwrap_or_default()
}
