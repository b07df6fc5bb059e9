//! The class `Network`.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

use js_sys::Float32Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::exchange::with_exchange;
use super::object::{
    self, Reader, object, of_columns, of_scaling, of_specification, or_null, texts,
};
use super::{Dataset, with_arena};
use crate::limits;
use crate::neural::{self, Decay, Model, Optimiser, Options, Schedule, Task, Trainer};
use crate::tensor::index;
use crate::wasm::error::thrown;

#[wasm_bindgen]
extern "C" {
    /// How to train.
    #[wasm_bindgen(typescript_type = "TrainOptions")]
    #[derive(Debug)]
    pub type TrainOptions;
}

/// A network with its weights, its scaling and its classes, held in wasm memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Network {
    model: Model,
    trainer: Option<Trainer>,
}

#[wasm_bindgen]
impl Network {
    /// A new network; the same seed gives the same weights. With `force` it may have 16 times as
    /// many parameters as one that takes part in runs.
    pub fn create(
        #[wasm_bindgen(unchecked_param_type = "Specification")] specification: &JsValue,
        seed: u64,
        force: Option<bool>,
    ) -> Result<Network, JsValue> {
        let specification = object::specification(specification)?;
        if force != Some(true) {
            let checked = specification.validate().map_err(neural::Error::from);
            checked.map_err(thrown)?;
        }
        let network = neural::Network::new(&specification, seed).map_err(thrown)?;
        Ok(Self { model: Model::new(network), trainer: None })
    }

    /// The network in a model file.
    #[wasm_bindgen(js_name = fromModel)]
    pub fn from_model(bytes: &[u8]) -> Result<Network, JsValue> {
        let model = super::file::read(bytes)?;
        Ok(Self { model, trainer: None })
    }

    /// A network of its own with the same weights, scaling and classes, in the middle of no
    /// training. It shares everything that does not change, and takes memory for the weights only.
    #[must_use]
    #[wasm_bindgen(js_name = clone)]
    pub fn copied(&self) -> Network {
        Self { model: self.model.clone(), trainer: None }
    }

    /// The model file: JSON with everything that is needed to use the network.
    #[wasm_bindgen(js_name = toModel)]
    pub fn to_model(&self) -> Vec<u8> {
        super::file::write(&self.model)
    }

    /// Weights and biases together.
    #[wasm_bindgen(getter, js_name = parameterCount)]
    pub fn parameter_count(&self) -> usize {
        self.model.network.parameter_count()
    }

    /// Numbers of a row of inputs.
    #[wasm_bindgen(getter, js_name = inputCount)]
    pub fn input_count(&self) -> usize {
        self.model.network.columns().0
    }

    /// Numbers of a row of outputs.
    #[wasm_bindgen(getter, js_name = outputCount)]
    pub fn output_count(&self) -> usize {
        self.model.network.columns().1
    }

    /// What the network is.
    #[wasm_bindgen(getter, unchecked_return_type = "Specification")]
    pub fn specification(&self) -> JsValue {
        of_specification(self.model.network.specification())
    }

    /// The scaling of its inputs; undefined before the first training.
    #[wasm_bindgen(getter, unchecked_return_type = "Scaling | undefined")]
    pub fn scaling(&self) -> JsValue {
        self.model.scaling().map_or(JsValue::UNDEFINED, of_scaling)
    }

    /// What the columns of its tables become; empty if they are numbers without names.
    #[wasm_bindgen(getter, unchecked_return_type = "Column[]")]
    pub fn columns(&self) -> JsValue {
        of_columns(self.model.columns())
    }

    /// The classes it tells apart in the order of the outputs; empty for a regression and before
    /// the first training.
    #[wasm_bindgen(getter, unchecked_return_type = "string[]")]
    pub fn classes(&self) -> JsValue {
        texts(self.model.classes())
    }

    /// What its outputs are; undefined before the first training.
    #[wasm_bindgen(getter, unchecked_return_type = "Task | undefined")]
    pub fn task(&self) -> JsValue {
        self.model.task().map(Task::name).into()
    }

    /// Gives the network a scaling and classes that come from elsewhere, such as a run; with no
    /// classes it is a regression. A training in progress starts anew.
    pub fn describe(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "{ scaling: Scaling; classes: readonly string[] }")]
        description: &JsValue,
    ) -> Result<(), JsValue> {
        let mut reader = Reader::new("description", description);
        let (scaling, classes) = (reader.value("scaling"), reader.texts("classes"));
        let classes = reader.known("classes", classes, "an array of strings");
        let classes = reader.finish(classes)?;
        let scaling = object::scaling(&scaling)?;
        self.trainer = None;
        self.model.describe(scaling, classes).map_err(thrown)
    }

    /// A copy of the parameters in canonical order: per layer the weights `[in][out]` row by row,
    /// then the bias `[out]`.
    pub fn weights(&self) -> Vec<f32> {
        self.model.network.weights()
    }

    /// Replaces the parameters; a training in progress starts anew.
    #[wasm_bindgen(js_name = setWeights)]
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), JsValue> {
        self.trainer = None;
        self.model.network.set_weights(weights).map_err(thrown)
    }

    /// The content id of the parameters: equal ids, equal weights, bit for bit.
    #[wasm_bindgen(js_name = weightsCid)]
    pub fn weights_cid(&self) -> String {
        self.model.network.weights_cid()
    }

    /// The outputs for one row, which is in the units of the data the network was trained with.
    pub fn run(&self, input: &[f32]) -> Result<Vec<f32>, JsValue> {
        self.run_batch(input, 1)
    }

    /// As `run`, without arrays: the row stands at the beginning of `exchange()`, the outputs stand
    /// behind it afterwards. False if that cannot be; then `run` says why, or does it.
    #[wasm_bindgen(js_name = runExchanged)]
    pub fn run_exchanged(&self) -> bool {
        let (inputs, outputs) = self.model.network.columns();
        with_exchange(|numbers| {
            let parts = numbers.get_mut(..inputs + outputs);
            let Some((row, outputs)) = parts.map(|parts| parts.split_at_mut(inputs)) else {
                return false;
            };
            with_arena(|arena| self.model.run_in_place(arena, row, outputs)).is_ok()
        })
    }

    /// The outputs for many rows, one after the other; the same bits as `run` row by row.
    #[wasm_bindgen(js_name = runBatch)]
    pub fn run_batch(&self, inputs: &[f32], rows: u32) -> Result<Vec<f32>, JsValue> {
        let columns = self.model.network.specification().inputs();
        let rows = index(rows);
        if rows.checked_mul(index(columns)) != Some(inputs.len()) {
            return Err(thrown(neural::Error::Rows { found: inputs.len(), rows, columns }));
        }
        with_arena(|arena| self.model.run(arena, inputs)).map_err(thrown)
    }

    /// A new data set as the network takes it, for training and `evaluate`: the first one gives it
    /// task, classes, columns and scaling. What is not prepared is prepared in every call.
    pub fn prepare(&mut self, data: &Dataset) -> Result<Dataset, JsValue> {
        let prepared = self.model.prepare(&data.0).map_err(thrown)?;
        Ok(Dataset(prepared.into_owned()))
    }

    /// One epoch. A sequence of calls with the same options is one training: the optimiser and the
    /// order of the rows go on. Other options, `setWeights` and `train` begin a new one.
    #[wasm_bindgen(
        js_name = trainEpoch,
        unchecked_return_type = "TrainedEpoch"
    )]
    pub fn train_epoch(
        &mut self,
        data: &Dataset,
        options: Option<TrainOptions>,
    ) -> Result<JsValue, JsValue> {
        let options = options.map_or(JsValue::UNDEFINED, JsValue::from);
        self.epochs(data, &options, None)
    }

    /// A whole training: as many epochs as `options.epochs` says, with a fresh optimiser.
    #[wasm_bindgen(unchecked_return_type = "TrainedEpoch")]
    pub fn train(
        &mut self,
        data: &Dataset,
        #[wasm_bindgen(unchecked_param_type = "TrainOptions & { readonly epochs: number }")]
        options: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let mut reader = Reader::new("options", options);
        let epochs = reader.whole("epochs", None);
        let epochs = reader.finish(Some(epochs))?;
        if epochs == 0 || epochs > limits::NEURAL_EPOCHS_MAX {
            return Err(thrown(neural::Error::Epochs(epochs)));
        }
        self.epochs(data, options, Some(epochs))
    }

    /// Rows and targets as the network itself takes them, one after the other: scaled, and a 1 at
    /// the place of each class. As for `trainEpoch`, the first data gives the network its scaling.
    #[wasm_bindgen(
        unchecked_return_type = "{ readonly inputs: Float32Array; readonly targets: Float32Array }"
    )]
    pub fn prepared(&mut self, data: &Dataset) -> Result<JsValue, JsValue> {
        let data = self.model.prepare(&data.0).map_err(thrown)?;
        let outputs = index(self.model.network.specification().outputs());
        let targets: Vec<f32> = (0..data.rows())
            .flat_map(|row| {
                let target = data.labels().of_row(row);
                (0..outputs).map(move |place| target.at(place))
            })
            .collect();
        let numbers = |numbers: &[f32]| Float32Array::from(numbers).into();
        Ok(object(&[("inputs", numbers(data.values())), ("targets", numbers(&targets))]))
    }

    /// Loss and accuracy over data that is scaled as the first training's was, or not at all.
    #[wasm_bindgen(unchecked_return_type = "Evaluation")]
    pub fn evaluate(&self, data: &Dataset) -> Result<JsValue, JsValue> {
        let evaluation = with_arena(|arena| self.model.evaluate(arena, &data.0)).map_err(thrown)?;
        Ok(object(&[("loss", evaluation.loss.into()), ("accuracy", or_null(evaluation.accuracy))]))
    }
}

impl Network {
    /// A whole training of some epochs, or else one epoch of the training that these options are
    /// already in: the number of the last epoch, and its loss.
    fn epochs(
        &mut self,
        data: &Dataset,
        options: &JsValue,
        epochs: Option<u32>,
    ) -> Result<JsValue, JsValue> {
        let options = train_options(options, &data.0)?;
        options.validate().map_err(thrown)?;
        let prepared = self.model.prepare(&data.0).map_err(thrown)?;
        // Taken out until it has succeeded: a training that failed is over, because its optimiser
        // may not be finite any more.
        let going_on = |trainer: &Trainer| epochs.is_none() && *trainer.options() == options;
        let mut trainer = match self.trainer.take().filter(going_on) {
            Some(trainer) => trainer,
            None => Trainer::new(&self.model.network, options).map_err(thrown)?,
        };
        let mut last = None;
        for _ in 0..epochs.unwrap_or(1) {
            let network = &mut self.model.network;
            let done = with_arena(|arena| trainer.epoch(network, arena, &prepared));
            last = Some(done.map_err(thrown)?);
        }
        self.trainer = Some(trainer);
        let (epoch, loss, accuracy) =
            last.map_or((0, f64::NAN, None), |last| (last.epoch, last.loss, last.accuracy));
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        let accuracy = or_null(accuracy);
        Ok(object(&[("epoch", epoch.into()), ("loss", loss.into()), ("accuracy", accuracy)]))
    }
}

fn train_options(options: &JsValue, data: &neural::Dataset) -> Result<Options, JsValue> {
    let mut reader = Reader::new("options", options);
    let default = Options::default();
    let name = reader.one_of("optimiser", &OPTIMISERS).unwrap_or(Name::Adam);
    let momentum = if name == Name::Nesterov { 0.9 } else { 0.0 };
    let momentum = reader.real("momentum", Some(momentum));
    let weight_decay = if name == Name::AdamW { 0.01 } else { 0.0 };
    let options = Options {
        batch: reader.whole("batch", Some(default.batch)),
        learning_rate: reader.real("learningRate", Some(default.learning_rate)),
        optimiser: match name {
            Name::Sgd => Optimiser::Sgd { momentum },
            Name::Nesterov => Optimiser::Nesterov { momentum },
            Name::RmsProp => Optimiser::RmsProp,
            Name::Adam | Name::AdamW => Optimiser::Adam,
        },
        schedule: Schedule {
            warm_up_steps: reader.whole("warmUpSteps", Some(0)),
            decay: decay(&mut reader),
        },
        weight_decay: reader.real("weightDecay", Some(weight_decay)),
        clip_norm: reader.real("clipNorm", Some(default.clip_norm)),
        class_weights: class_weights(&mut reader, data)?,
        seed: reader.seed("seed"),
        shuffle: reader.truth("shuffle").unwrap_or(default.shuffle),
    };
    reader.finish(Some(options))
}

/// One of the two ways to fall: the options of the other are refused.
fn decay(reader: &mut Reader<'_>) -> Decay {
    let cosine = reader.whole("cosineEpochs", Some(0));
    let step = reader.whole("decayEpochs", Some(0));
    match (cosine, step) {
        (0, 0) => Decay::None,
        (0, epochs) => Decay::Step { epochs, factor: reader.real("decayFactor", Some(0.5)) },
        (epochs, 0) => Decay::Cosine { epochs, least: reader.real("cosineLeast", Some(0.0)) },
        _ => {
            reader.must_be("decayEpochs", "absent where there are 'cosineEpochs'");
            Decay::None
        }
    }
}

fn class_weights(reader: &mut Reader<'_>, data: &neural::Dataset) -> Result<Vec<f32>, JsValue> {
    let given = reader.value("classWeights");
    if given.is_undefined() {
        Ok(Vec::new())
    } else if given.as_string().as_deref() == Some("balanced") {
        Options::balanced(data).map_err(thrown)
    } else {
        Ok(reader.numbers("classWeights"))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Name {
    Sgd,
    Nesterov,
    RmsProp,
    Adam,
    AdamW,
}

const OPTIMISERS: [(&str, Name); 5] = [
    ("sgd", Name::Sgd),
    ("nesterov", Name::Nesterov),
    ("rmsprop", Name::RmsProp),
    ("adam", Name::Adam),
    ("adamw", Name::AdamW),
];
