//! The fields of a model file, before they are known to fit together.
//!
//! Here the JSON around them is read and written by serde. The wasm artifact has the host's own
//! `JSON` do that, and fills in the same [`File`]: half of the artifact would be a second reader.

use serde::{Deserialize, Serialize};

use super::{Error, Model, base64};
use crate::crypto::hash;
use crate::limits;
use crate::neural::dataset::{self, Column, Task};
use crate::neural::error::Error as NetworkError;
use crate::neural::network::{Network, weights_of_bytes};
use crate::neural::specification::{Scaling, Specification};
use crate::tensor::index;

/// What a file says it is.
pub const FORMAT: &str = "synaptic-mesh-model";
/// The one version there is.
pub const VERSION: u32 = 1;
/// How every file begins that was written here: what begins so and is not JSON was cut off.
pub const BEGINNING: &[u8] = b"{\"format\":\"synaptic-mesh-model\",";

/// The fields of a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// What the network is.
    pub specification: Specification,
    /// What its outputs are; `None` if it was not trained.
    #[serde(deserialize_with = "there")]
    pub task: Option<Task>,
    /// The classes in the order of the outputs.
    pub classes: Vec<String>,
    /// How inputs are scaled.
    #[serde(deserialize_with = "there")]
    pub scaling: Option<Scaling>,
    /// How the targets of a regression are scaled.
    #[serde(deserialize_with = "there")]
    pub target_scaling: Option<Scaling>,
    /// The columns of its tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// The weights blob in base64.
    pub weights: String,
    /// The content id of the weights blob.
    pub weights_cid: String,
}

/// What every version of the file has, to tell a foreign file from one of another version.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

impl File {
    /// The fields of a model.
    pub fn of_model(model: &Model) -> Self {
        let bytes = model.network.weights_bytes();
        Self {
            format: FORMAT.to_string(),
            version: VERSION,
            specification: model.network.specification().clone(),
            task: model.task,
            classes: model.classes.clone(),
            scaling: model.scaling.clone(),
            target_scaling: model.target_scaling.clone(),
            columns: model.columns.clone(),
            weights_cid: hash::blob_cid_text(&bytes),
            weights: base64::encode(&bytes),
        }
    }

    /// Checks that the fields fit together.
    ///
    /// # Errors
    /// What does not; see [`Error`].
    pub fn into_model(self) -> Result<Model, Error> {
        self.specification.validate_forced().map_err(NetworkError::from)?;
        let blob = base64::decode(&self.weights).ok_or(Error::Field("weights"))?;
        let found = hash::blob_cid_text(&blob);
        if found != self.weights_cid {
            return Err(Error::Weights { found });
        }
        let weights = weights_of_bytes(&blob, self.specification.parameter_count())
            .ok_or(Error::Field("weights"))?;
        let (inputs, outputs) = (self.specification.inputs(), self.specification.outputs());
        if !fits(self.scaling.as_ref(), inputs) {
            return Err(Error::Field("scaling"));
        }
        if !fits(self.target_scaling.as_ref(), outputs) {
            return Err(Error::Field("targetScaling"));
        }
        if !dataset::columns_fit(&self.columns, inputs) {
            return Err(Error::Field("columns"));
        }
        let short = |name: &String| name.len() <= limits::CLASS_NAME_BYTES_MAX;
        let fitting = match self.task {
            Some(Task::Classification) => {
                self.classes.len() == index(outputs) && self.classes.iter().all(short)
            }
            Some(Task::Regression | Task::Reconstruction) | None => self.classes.is_empty(),
        };
        if !fitting {
            return Err(Error::Field("classes"));
        }
        let network = Network::from_weights(&self.specification, &weights)?;
        let Self { task, classes, scaling, target_scaling, columns, .. } = self;
        Ok(Model { network, scaling, target_scaling, columns, classes, task })
    }
}

/// A field that may be `null`, but not left out: who takes a scaling out of a file would get other
/// answers without a word.
fn there<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

/// Whether there is no scaling, or one that fits `columns` columns.
fn fits(scaling: Option<&Scaling>, columns: u32) -> bool {
    scaling.is_none_or(|scaling| scaling.validate(columns).is_ok())
}

/// Checks the size of a file before it is read.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_size(bytes: &[u8]) -> Result<(), Error> {
    let found = bytes.len();
    if found > limits::MODEL_FILE_BYTES_MAX { Err(Error::TooLarge { found }) } else { Ok(()) }
}

/// Checks what a file says it is.
///
/// # Errors
/// [`Error::Foreign`] or [`Error::Version`].
pub fn check_head(format: &str, version: u32) -> Result<(), Error> {
    if format != FORMAT {
        return Err(Error::Foreign("its format has another name".to_string()));
    }
    if version == VERSION { Ok(()) } else { Err(Error::Version(version)) }
}

/// The error for a file that is not JSON, or not the JSON of a model.
pub fn unreadable(bytes: &[u8], is_json: bool, why: &str) -> Error {
    if !is_json
        && bytes.starts_with(
            BEGINNING.get(..bytes.len().clamp(1, BEGINNING.len())).unwrap_or(BEGINNING),
        )
    {
        return Error::Truncated(bytes.len());
    }
    Error::Foreign(why.to_string())
}

impl Model {
    /// The model file.
    ///
    /// # Panics
    /// Never: writing JSON into memory fails only for map keys that are not text.
    pub fn to_file(&self) -> Vec<u8> {
        let file = File::of_model(self);
        serde_json::to_vec(&file).expect("strings and integers always have a JSON form")
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// What is wrong with it; see [`Error`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, Error> {
        check_size(bytes)?;
        let reading =
            |error: serde_json::Error| unreadable(bytes, error.is_data(), &error.to_string());
        let head: Head = serde_json::from_slice(bytes).map_err(reading)?;
        check_head(&head.format, head.version)?;
        let file: File = serde_json::from_slice(bytes).map_err(reading)?;
        file.into_model()
    }
}
