//! The class `Fann`: networks of the FANN engine, for the host to put behind its own class. An
//! artifact of its own, so that only who wants FANN loads it.
//!
//! Activations cross as their numbers in FANN files; the host has names for them. Inputs and
//! outputs cross as the network itself takes them: what scaling and classes mean is the host's.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::neural::fann::{
    self, Activation, Algorithm, Cascade, CascadeOptions, Data, ErrorFunction, Kind, Measure,
    Options, Scaling, StopFunction, Trainer,
};
use crate::rng::Rng;
use crate::tensor::index;
use crate::wasm::error::thrown;
use crate::wasm::reader::{Reader, bad_argument, object};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The algorithms of FANN that go through the rows epoch by epoch. */
export type FannAlgorithm = "incremental" | "batch" | "rprop" | "quickprop" | "sarprop";

/** How the FANN engine trains: libfann's parameters by their names there; absent, they stay. */
export interface FannOptions {
  /** Above 0, at most 100; 0.7 by default. Of incremental, batch and quickprop. */
  readonly learningRate?: number;
  /** 0 to below 1; 0 by default. Of incremental. */
  readonly momentum?: number;
  /**
   * What is passed back for a difference: itself ("linear"), or more for large ones ("tanh", the
   * default). "cross-entropy" is for outputs that are "sigmoid", and not libfann's: its files say
   * "linear".
   */
  readonly errorFunction?: "linear" | "tanh" | "cross-entropy";
  /** What `desiredError` is: a mean square error (the default), or a number of failed bits. */
  readonly stopFunction?: "mse" | "bit";
  /** From which difference on an output is a failed bit, 0 to 2; 0.35 by default. */
  readonly bitFailLimit?: number;
  /** -1 to 0; -0.0001 by default. */
  readonly quickpropDecay?: number;
  /** 1 to 100; 1.75 by default. */
  readonly quickpropMu?: number;
  /** 1 to 10; 1.2 by default. */
  readonly rpropIncreaseFactor?: number;
  /** 0 to 1; 0.5 by default. */
  readonly rpropDecreaseFactor?: number;
  /** 0 to 1000; 0 by default. */
  readonly rpropDeltaMin?: number;
  /** 0 to 1000; 50 by default. */
  readonly rpropDeltaMax?: number;
  /** 0 to 1000; 0.1 by default. */
  readonly rpropDeltaZero?: number;
  /**
   * Whether weights rest where their slope is 0. Networks of layers have true; those of FANN have
   * false by default, as libfann: such weights move up by ever larger steps.
   */
  readonly rpropRests?: boolean;
  /** -100 to 100, a power of two; -6.644 by default, which is a decay of 0.01. */
  readonly sarpropWeightDecayShift?: number;
  /** 0 to 1000; 0.1 by default. */
  readonly sarpropStepErrorThresholdFactor?: number;
  /** -100 to 100, a power of two; 1.385 by default. */
  readonly sarpropStepErrorShift?: number;
  /** 0 to 100: noise and decay halve every `1 / temperature` epochs; 0.015 by default. */
  readonly sarpropTemperature?: number;
  /** 0 to 1; 0.01 by default. */
  readonly cascadeOutputChangeFraction?: number;
  /** 0 to 100000; 12 by default. */
  readonly cascadeOutputStagnationEpochs?: number;
  /** 0 to 1; 0.01 by default. */
  readonly cascadeCandidateChangeFraction?: number;
  /** 0 to 100000; 12 by default. */
  readonly cascadeCandidateStagnationEpochs?: number;
  /** 1 to 100000; 150 by default. */
  readonly cascadeMaxOutEpochs?: number;
  /** 0 to 100000; 50 by default. */
  readonly cascadeMinOutEpochs?: number;
  /** 1 to 100000; 150 by default. */
  readonly cascadeMaxCandEpochs?: number;
  /** 0 to 100000; 50 by default. */
  readonly cascadeMinCandEpochs?: number;
  /** Candidates of each activation and steepness, 1 to 1024; 2 by default. */
  readonly cascadeNumCandidateGroups?: number;
  /** 0 to 1e9; 1000 by default. */
  readonly cascadeCandidateLimit?: number;
  /** 0 to 10; 0.4 by default. */
  readonly cascadeWeightMultiplier?: number;
  /** How outputs and candidates learn; "rprop" by default. */
  readonly cascadeAlgorithm?: "rprop" | "quickprop" | "sarprop";
}

/** What the host hands over: as `FannOptions`, activations by number. */
export interface FannSettings extends FannOptions {
  readonly algorithm: FannAlgorithm | "cascade";
  readonly cascadeActivationFunctions?: readonly number[];
  readonly cascadeActivationSteepnesses?: readonly number[];
  readonly desiredError?: number;
  readonly seed?: bigint;
}

/** How far a FANN training is. */
export interface FannEpoch {
  /** Epochs done; of a cascade those of outputs and candidates. */
  readonly epochs: number;
  /** Mean square error as FANN has it: differences of symmetric outputs are halved first. */
  readonly loss: number;
  readonly bitFails: number;
  /** Neurons that a cascade has added. */
  readonly added: number;
  /** Whether the desired error is reached. */
  readonly reached: boolean;
}
"#;

/// A network of the FANN engine, held in wasm memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Fann {
    network: fann::Network,
    course: Option<Course>,
}

/// A training under way.
#[derive(Debug)]
struct Course {
    data: Data,
    way: Way,
    desired: f32,
    epochs: u32,
}

#[derive(Debug)]
enum Way {
    Epochs(Trainer),
    Cascade(Cascade, Rng),
}

#[wasm_bindgen]
impl Fann {
    /// A new network of the given layers, the inputs being the first.
    pub fn create(
        layers: &[u32],
        shortcut: bool,
        #[wasm_bindgen(js_name = connectionRate)] connection_rate: f32,
        seed: u64,
    ) -> Result<Fann, JsValue> {
        let sizes: Vec<usize> = layers.iter().map(|size| index(*size)).collect();
        let rng = &mut Rng::from_u64(seed);
        let network = if shortcut {
            fann::Network::shortcut(&sizes, rng)
        } else {
            fann::Network::sparse(connection_rate, &sizes, rng)
        };
        network.map(Self::of).map_err(thrown)
    }

    /// The network in a FANN file.
    #[wasm_bindgen(js_name = fromFile)]
    pub fn from_file(file: &[u8]) -> Result<Fann, JsValue> {
        let network = fann::Network::from_file(file).map_err(fann::Error::from);
        network.map(Self::of).map_err(thrown)
    }

    /// A network of its own with the same weights, options and scaling; it is in no training.
    #[must_use]
    #[wasm_bindgen(js_name = clone)]
    pub fn copied(&self) -> Fann {
        Self::of(self.network.clone())
    }

    /// The network as a FANN file.
    #[wasm_bindgen(js_name = toFile)]
    pub fn to_file(&self) -> Vec<u8> {
        self.network.to_file()
    }

    /// Neurons of each layer without biases, the inputs being the first.
    #[wasm_bindgen(getter)]
    pub fn layers(&self) -> Vec<u32> {
        self.network.layer_sizes().iter().filter_map(|size| u32::try_from(*size).ok()).collect()
    }

    /// Whether neurons take all layers before, not only the last one.
    #[wasm_bindgen(getter)]
    pub fn shortcut(&self) -> bool {
        self.network.kind() == Kind::Shortcut
    }

    /// The share of possible connections that the network was made with.
    #[wasm_bindgen(getter, js_name = connectionRate)]
    pub fn connection_rate(&self) -> f32 {
        self.network.connection_rate()
    }

    /// Activation and steepness of each neuron of a layer, in turn.
    pub fn activations(&self, layer: u32) -> Vec<f32> {
        let neurons = (0..).map_while(|neuron| self.network.activation(index(layer), neuron));
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "below 20")]
        neurons.flat_map(|(kind, steepness)| [kind.number() as f32, steepness]).collect()
    }

    /// Changes all neurons of a layer.
    #[wasm_bindgen(js_name = setActivation)]
    pub fn set_activation(
        &mut self,
        layer: u32,
        activation: u32,
        steepness: f32,
    ) -> Result<(), JsValue> {
        let activation = activation_of(activation)?;
        self.network.set_layer(index(layer), activation, steepness).map_err(thrown)
    }

    /// A copy of the weights, neuron by neuron.
    pub fn weights(&self) -> Vec<f32> {
        self.network.weights().to_vec()
    }

    /// Replaces the weights; a training in progress is over.
    #[wasm_bindgen(js_name = setWeights)]
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), JsValue> {
        self.course = None;
        self.network.set_weights(weights).map_err(thrown)
    }

    /// Draws every weight anew, uniform from `-range` to `range`.
    pub fn randomize(&mut self, range: f32, seed: u64) {
        self.network.randomize(-range, range, &mut Rng::from_u64(seed));
    }

    /// The scaling of a file, four numbers for each input and output: mean, deviation, new least,
    /// factor; empty if there is none. `run` leaves it to the caller.
    pub fn scaling(&self) -> Vec<f32> {
        self.network.scaling().map_or_else(Vec::new, |scaling| scaling.numbers().concat())
    }

    /// Takes such a scaling into the file.
    #[wasm_bindgen(js_name = setScaling)]
    pub fn set_scaling(&mut self, numbers: &[f32]) -> Result<(), JsValue> {
        let scaling = Scaling::of_numbers(numbers.as_chunks().0, self.network.inputs());
        self.network.take_scaling(scaling).map_err(thrown)
    }

    /// The outputs for some rows, one after the other.
    pub fn run(&mut self, rows: &[f32]) -> Result<Vec<f32>, JsValue> {
        let (inputs, mut outputs) = (self.network.inputs(), Vec::new());
        for row in rows.chunks(inputs) {
            outputs.extend_from_slice(self.network.run(row).map_err(thrown)?);
        }
        Ok(outputs)
    }

    /// Begins a training; the options stay with the network, and with its file.
    pub fn begin(
        &mut self,
        inputs: Vec<f32>,
        targets: Vec<f32>,
        #[wasm_bindgen(unchecked_param_type = "FannSettings")] settings: &JsValue,
    ) -> Result<(), JsValue> {
        self.course = None;
        let mut reader = Reader::new("options", settings);
        let (seed, desired) = (reader.seed("seed"), reader.real("desiredError", Some(0.0)));
        let (options, cascade) = read_options(&mut reader, self.network.options().clone());
        let options = reader.finish(Some(options))?;
        let (columns_in, columns_out) = (self.network.inputs(), self.network.outputs());
        let data = Data::new(columns_in, columns_out, inputs, targets).map_err(thrown)?;
        let before = std::mem::replace(self.network.options_mut(), options);
        let way = if cascade {
            let cascade = Cascade::new(&self.network, seed);
            cascade.map(|cascade| Way::Cascade(cascade, Rng::from_u64(seed)))
        } else {
            Trainer::new(&self.network, seed).map(Way::Epochs)
        };
        match way {
            Ok(way) => self.course = Some(Course { data, way, desired, epochs: 0 }),
            Err(error) => {
                *self.network.options_mut() = before;
                return Err(thrown(error));
            }
        }
        Ok(())
    }

    /// One epoch; of a cascade, training of the outputs and, unless the desired error is reached,
    /// one more neuron. Undefined if no training has begun, or the last one failed.
    #[wasm_bindgen(unchecked_return_type = "FannEpoch | undefined")]
    pub fn epoch(&mut self) -> Result<JsValue, JsValue> {
        self.step(false)
    }

    /// Trains the outputs of a cascade one last time.
    #[wasm_bindgen(unchecked_return_type = "FannEpoch | undefined")]
    pub fn finish(&mut self) -> Result<JsValue, JsValue> {
        self.step(true)
    }
}

impl Fann {
    fn of(network: fann::Network) -> Self {
        Self { network, course: None }
    }

    fn step(&mut self, last: bool) -> Result<JsValue, JsValue> {
        let Some(mut course) = self.course.take() else { return Ok(JsValue::UNDEFINED) };
        let (network, data, desired) = (&mut self.network, &course.data, course.desired);
        let (measure, added) = match &mut course.way {
            Way::Epochs(trainer) => {
                course.epochs += 1;
                (trainer.epoch(network, data).map_err(thrown)?, 0)
            }
            Way::Cascade(cascade, _) if last => {
                let measure = cascade.finish(network, data).map_err(thrown)?;
                course.epochs = cascade.epochs();
                (measure, cascade.added())
            }
            Way::Cascade(cascade, rng) => {
                let growth = cascade.grow(network, data, desired, rng).map_err(thrown)?;
                course.epochs = growth.epochs;
                (growth.measure, growth.added)
            }
        };
        let told = self.told(course.epochs, measure, added, desired);
        self.course = Some(course);
        Ok(told)
    }

    fn told(&self, epochs: u32, measure: Measure, added: u32, desired: f32) -> JsValue {
        object(&[
            ("epochs", epochs.into()),
            ("loss", measure.mse().into()),
            ("bitFails", measure.bit_fails.into()),
            ("added", added.into()),
            ("reached", measure.reaches(&self.network, desired).into()),
        ])
    }
}

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("incremental", Algorithm::Incremental),
    ("batch", Algorithm::Batch),
    ("rprop", Algorithm::Rprop),
    ("quickprop", Algorithm::Quickprop),
    ("sarprop", Algorithm::Sarprop),
];

type Field<T> = (&'static str, fn(&mut Options) -> &mut T);

const NUMBERS: [Field<f32>; 18] = [
    ("learningRate", |o| &mut o.learning_rate),
    ("momentum", |o| &mut o.momentum),
    ("bitFailLimit", |o| &mut o.bit_fail_limit),
    ("quickpropDecay", |o| &mut o.quickprop.decay),
    ("quickpropMu", |o| &mut o.quickprop.mu),
    ("rpropIncreaseFactor", |o| &mut o.rprop.increase),
    ("rpropDecreaseFactor", |o| &mut o.rprop.decrease),
    ("rpropDeltaMin", |o| &mut o.rprop.delta_min),
    ("rpropDeltaMax", |o| &mut o.rprop.delta_max),
    ("rpropDeltaZero", |o| &mut o.rprop.delta_zero),
    ("sarpropWeightDecayShift", |o| &mut o.sarprop.weight_decay_shift),
    ("sarpropStepErrorThresholdFactor", |o| &mut o.sarprop.step_error_threshold),
    ("sarpropStepErrorShift", |o| &mut o.sarprop.step_error_shift),
    ("sarpropTemperature", |o| &mut o.sarprop.temperature),
    ("cascadeOutputChangeFraction", |o| &mut o.cascade.output_change_fraction),
    ("cascadeCandidateChangeFraction", |o| &mut o.cascade.candidate_change_fraction),
    ("cascadeCandidateLimit", |o| &mut o.cascade.candidate_limit),
    ("cascadeWeightMultiplier", |o| &mut o.cascade.weight_multiplier),
];
const COUNTS: [Field<u32>; 7] = [
    ("cascadeOutputStagnationEpochs", |o| &mut o.cascade.output_stagnation_epochs),
    ("cascadeCandidateStagnationEpochs", |o| &mut o.cascade.candidate_stagnation_epochs),
    ("cascadeMaxOutEpochs", |o| &mut o.cascade.out_epochs_max),
    ("cascadeMinOutEpochs", |o| &mut o.cascade.out_epochs_min),
    ("cascadeMaxCandEpochs", |o| &mut o.cascade.candidate_epochs_max),
    ("cascadeMinCandEpochs", |o| &mut o.cascade.candidate_epochs_min),
    ("cascadeNumCandidateGroups", |o| &mut o.cascade.candidate_groups),
];

/// What is given over what is there, and whether it is about a cascade.
fn read_options(reader: &mut Reader<'_>, mut options: Options) -> (Options, bool) {
    for (name, of) in &NUMBERS {
        let field = of(&mut options);
        *field = reader.real(name, Some(*field));
    }
    for (name, of) in &COUNTS {
        let field = of(&mut options);
        *field = reader.whole(name, Some(*field));
    }
    options.rprop.rests = reader.truth("rpropRests").unwrap_or(options.rprop.rests);
    let errors = [
        ("linear", ErrorFunction::Linear),
        ("tanh", ErrorFunction::Tanh),
        ("cross-entropy", ErrorFunction::CrossEntropy),
    ];
    if let Some(function) = reader.one_of("errorFunction", &errors) {
        options.error_function = function;
    }
    let stops = [("mse", StopFunction::Mse), ("bit", StopFunction::Bit)];
    if let Some(function) = reader.one_of("stopFunction", &stops) {
        options.stop_function = function;
    }
    let cascade = reader.text("algorithm").as_deref() == Some("cascade");
    if cascade {
        if let Some(algorithm) = reader.one_of("cascadeAlgorithm", &ALGORITHMS) {
            options.algorithm = algorithm;
        } else if matches!(options.algorithm, Algorithm::Incremental | Algorithm::Batch) {
            options.algorithm = Algorithm::Rprop;
        }
    } else if let Some(algorithm) = reader.one_of("algorithm", &ALGORITHMS) {
        options.algorithm = algorithm;
    }
    candidates(reader, &mut options.cascade);
    (options, cascade)
}

fn candidates(reader: &mut Reader<'_>, options: &mut CascadeOptions) {
    if !reader.value("cascadeActivationFunctions").is_undefined() {
        let numbers = reader.numbers("cascadeActivationFunctions");
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "numbers of activations"
        )]
        let known = numbers.iter().map(|number| Activation::from_number(*number as u32)).collect();
        let known = reader.known("cascadeActivationFunctions", known, "numbers of activations");
        options.activations = known.unwrap_or_default();
    }
    if !reader.value("cascadeActivationSteepnesses").is_undefined() {
        options.steepnesses = reader.numbers("cascadeActivationSteepnesses");
    }
}

fn activation_of(number: u32) -> Result<Activation, JsValue> {
    let known = Activation::from_number(number);
    known.ok_or_else(|| bad_argument("there is no activation of this number"))
}
