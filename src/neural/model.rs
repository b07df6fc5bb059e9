//! A trained network with everything that is needed to use it, and the file it is kept in.
//!
//! The file is one JSON object:
//!
//! ```json
//! {"format":"synaptic-mesh-model","version":1,
//!  "specification":{"inputs":64,"layers":[{"units":10,"activation":"softmax"}],
//!                   "loss":"cross-entropy"},
//!  "task":"classification","classes":["0","1"],
//!  "scaling":{"offset":[4.5,...],"scale":[0.2,...]},"targetScaling":null,
//!  "columns":[{"name":"age","fill":41.5},{"name":"colour","categories":["blue","red"],"fill":1}],
//!  "weights":"<base64>","weightsCid":"bafkr4i..."}
//! ```
//!
//! `columns` are those of the tables it takes (see [`Column`]); it is absent where they are numbers
//! without names.
//! The fields may come in any order. `weights` is the weights blob (little-endian `f32`) in base64
//! (RFC 4648 section 4, with padding), and `weightsCid` its content id. Reading is total: a
//! truncated, foreign, newer or tampered file is an error that says which.

mod base64;

pub mod file;

use std::borrow::Cow;

use crate::limits;
use crate::neural::arena::Arena;
use crate::neural::dataset::{self, Column, Dataset, Labels, Task};
use crate::neural::error::Error as NetworkError;
use crate::neural::network::{Evaluation, Network};
use crate::neural::specification::{Activation, Layer, Scaling};
use crate::tensor::index;

/// A network, how its inputs are scaled, and what its outputs mean.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network; it takes scaled rows.
    pub network: Network,
    scaling: Option<Scaling>,
    target_scaling: Option<Scaling>,
    columns: Vec<Column>,
    classes: Vec<String>,
    task: Option<Task>,
}

/// Why a file is not a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than any model.
    #[error("the file has {found} bytes; the largest model has {max}",
        max = limits::MODEL_FILE_BYTES_MAX)]
    TooLarge {
        /// Bytes of the file.
        found: usize,
    },
    /// The file ends in the middle.
    #[error("the model file is cut off after {0} bytes")]
    Truncated(usize),
    /// JSON, or something else, that is not a model.
    #[error("this is not a model file: {0}")]
    Foreign(String),
    /// A version this program does not know.
    #[error("the model file has version {0}; this program reads version {version}",
        version = file::VERSION)]
    Version(u32),
    /// A field that is there but cannot be.
    #[error("the model file's {0} is not usable")]
    Field(&'static str),
    /// Weights that are not those the file was written with.
    #[error("the weights are not those of the file's weightsCid: they hash to {found}")]
    Weights {
        /// What they hash to.
        found: String,
    },
    /// The network in it is not usable.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TooLarge { .. } => "model-too-large",
            Error::Truncated(_) => "model-truncated",
            Error::Foreign(_) => "model-foreign",
            Error::Version(_) => "model-version",
            Error::Field(_) | Error::Weights { .. } => "model-damaged",
            Error::Network(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::TooLarge { .. } | Error::Foreign(_) => {
                "pass a file that was written by 'neural create' or 'neural train'"
            }
            Error::Truncated(_) => "copy the file again from where it came",
            Error::Version(_) => {
                "update the program; what 'neural convert' wrote as f16 or int8, convert to f32"
            }
            Error::Field(_) | Error::Weights { .. } => {
                "the file was changed or damaged; copy it again from where it came"
            }
            Error::Network(error) => error.hint(),
        }
    }
}

impl Model {
    /// A model that was not trained yet: it takes inputs as they are, and has no class names.
    pub fn new(network: Network) -> Self {
        let (scaling, target_scaling, task) = (None, None, None);
        Self { network, scaling, target_scaling, columns: Vec::new(), classes: Vec::new(), task }
    }

    /// What the columns of its tables become; empty if they are numbers without names.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The scaling of the inputs, if the network was trained with one.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// The scaling of the targets, if the network was trained with one.
    pub fn target_scaling(&self) -> Option<&Scaling> {
        self.target_scaling.as_ref()
    }

    /// The names of the classes in the order of the outputs; empty for a regression.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What the outputs are; `None` before the first training.
    pub fn task(&self) -> Option<Task> {
        self.task
    }

    /// Data as the network takes it, for training; what is prepared already is lent as it is. With
    /// the first data the model takes on its task, its classes, its columns and its scaling; and a
    /// regression whose outputs can be any number fits a scaling to its targets. Outputs with
    /// bounds, such as those of sigmoid, would never reach targets of mean 0 and deviation 1: those
    /// stay as they are. Later data must be of the same task and classes, and is scaled like the
    /// first if it is not yet.
    ///
    /// # Errors
    /// [`NetworkError::ClassesDiffer`], [`NetworkError::ScalingDiffers`], [`NetworkError::NoRows`],
    /// [`NetworkError::Target`] or that of [`Network::check_fits`]; the model is then unchanged.
    pub fn prepare<'a>(&mut self, data: &'a Dataset) -> Result<Cow<'a, Dataset>, NetworkError> {
        self.network.check_fits(data)?;
        if self.task.is_none() {
            let target_scaling = match data.target_scaling() {
                Some(scaling) => Some(scaling.clone()),
                None if self.is_bounded() => None,
                None => data.fit_target_scaling().map_err(|_| NetworkError::NoRows)?,
            };
            self.check_targets(data)?;
            self.columns = data.columns().to_vec();
            self.task = Some(data.task());
            self.classes = data.classes().to_vec();
            self.scaling = data.scaling().cloned();
            self.target_scaling = target_scaling;
        }
        let matching = self.matching(data)?;
        if self.task == Some(Task::Regression) {
            self.check_targets(&matching)?;
        }
        Ok(matching)
    }

    /// Whether there are numbers that the outputs cannot be.
    fn is_bounded(&self) -> bool {
        let last = self.network.specification().layers.last().map(Layer::activation);
        !matches!(last, Some(Activation::Linear | Activation::LeakyRelu))
    }

    /// Checks that targets are probabilities where the loss takes them for such.
    fn check_targets(&self, data: &Dataset) -> Result<(), NetworkError> {
        let Labels::Numbers { values, width } = data.labels() else { return Ok(()) };
        // A scaling to 0 to 1 is exact up to rounding.
        let slack = 1e-5;
        let is_probability = |value: &f32| (-slack..=1.0 + slack).contains(value);
        if !self.network.specification().loss.is_of_probabilities() {
            return Ok(());
        }
        match values.iter().position(|value| !is_probability(value)) {
            Some(place) => Err(NetworkError::Target { row: place / width + 1 }),
            None => Ok(()),
        }
    }

    /// Data as the network takes it: scaled like the data the model was first trained with.
    fn matching<'a>(&self, data: &'a Dataset) -> Result<Cow<'a, Dataset>, NetworkError> {
        self.network.check_fits(data)?;
        let Some(task) = self.task else { return Ok(Cow::Borrowed(data)) };
        if task != data.task() || self.classes != data.classes() {
            return Err(NetworkError::ClassesDiffer);
        }
        if !dataset::columns_agree(&self.columns, data.columns()) {
            return Err(NetworkError::ColumnsDiffer);
        }
        let differs = |_| NetworkError::ScalingDiffers;
        let mut matching = Cow::Borrowed(data);
        if data.scaling() != self.scaling() {
            let scaling = self.scaling().ok_or(NetworkError::ScalingDiffers)?;
            matching = Cow::Owned(matching.scaled(scaling).map_err(differs)?);
        }
        if matching.target_scaling() != self.target_scaling() {
            let scaling = self.target_scaling().ok_or(NetworkError::ScalingDiffers)?;
            matching = Cow::Owned(matching.targets_scaled(scaling).map_err(differs)?);
        }
        Ok(matching)
    }

    /// Gives the model a scaling and classes that come from elsewhere, such as a run; with no
    /// classes it is a regression, whose targets are not scaled.
    ///
    /// # Errors
    /// [`NetworkError::Specification`] if the scaling does not fit the inputs,
    /// [`NetworkError::ClassesDoNotFit`] if there are classes, but not as many as outputs.
    pub fn describe(&mut self, scaling: Scaling, classes: Vec<String>) -> Result<(), NetworkError> {
        let specification = self.network.specification();
        scaling.validate(specification.inputs())?;
        let units = specification.outputs();
        if !classes.is_empty() && classes.len() != index(units) {
            return Err(NetworkError::ClassesDoNotFit { classes: classes.len(), units });
        }
        let task = if classes.is_empty() { Task::Regression } else { Task::Classification };
        (self.scaling, self.target_scaling) = (Some(scaling), None);
        (self.classes, self.task, self.columns) = (classes, Some(task), Vec::new());
        Ok(())
    }

    /// Runs rows in the units of the data, `[rows, inputs]` to `[rows, outputs]`: scales them, runs
    /// the network, and puts a regression's outputs back into the units of its targets.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub fn run(&self, arena: &mut Arena, rows: &[f32]) -> Result<Vec<f32>, NetworkError> {
        let specification = self.network.specification();
        let count = rows.len() / index(specification.inputs());
        let mut outputs = vec![0.0; count * index(specification.outputs())];
        match &self.scaling {
            None => self.network.run(arena, rows, &mut outputs)?,
            Some(scaling) => {
                let mut scaled = rows.to_vec();
                scaling.apply(&mut scaled);
                self.network.run(arena, &scaled, &mut outputs)?;
            }
        }
        if let Some(targets) = &self.target_scaling {
            targets.undo(&mut outputs);
        }
        Ok(outputs)
    }

    /// As [`Model::run`] into `outputs`; scales the rows where they stand and takes no memory.
    ///
    /// # Errors
    /// As [`Network::run`]; the rows may then be scaled already.
    pub fn run_in_place(
        &self,
        arena: &mut Arena,
        rows: &mut [f32],
        outputs: &mut [f32],
    ) -> Result<(), NetworkError> {
        if let Some(scaling) = &self.scaling {
            scaling.apply(rows);
        }
        self.network.run(arena, rows, outputs)?;
        if let Some(targets) = &self.target_scaling {
            targets.undo(outputs);
        }
        Ok(())
    }

    /// Loss and accuracy over data that is scaled as the model's was, or not scaled yet.
    ///
    /// # Errors
    /// As [`Network::evaluate`]; [`NetworkError::ScalingDiffers`] for another scaling,
    /// [`NetworkError::ClassesDiffer`] for other classes.
    pub fn evaluate(&self, arena: &mut Arena, data: &Dataset) -> Result<Evaluation, NetworkError> {
        self.network.evaluate(arena, self.matching(data)?.as_ref())
    }
}

#[cfg(test)]
mod tests;
