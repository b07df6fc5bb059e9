//! Networks and data sets for JavaScript: the classes `Network` and `Dataset`, and what a member of
//! a run needs to train.
//!
//! The objects live in wasm memory until `free()`. Every call does its whole work inside: a call
//! per epoch, not per step, so that a page can draw in between. All networks of an instance share
//! one arena.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

mod dataset;

mod exchange;

mod file;

mod network;

mod object;

mod population;

pub use dataset::Dataset;
pub use exchange::exchange;
pub use network::Network;
pub use population::Population;

use std::cell::RefCell;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::crypto::hash;
use crate::neural::{self, Arena, LocalTraining};
use crate::wasm::error::thrown;
use object::{Reader, object};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a layer applies to its sums. */
export type Activation =
  | "relu"
  | "leaky-relu"
  | "elu"
  | "softplus"
  | "gelu"
  | "tanh"
  | "sigmoid"
  | "linear"
  | "softmax";

/** `[features]`, `[steps, features]` of a sequence or `[height, width, channels]` of an image. */
export type Shape =
  | readonly [features: number]
  | readonly [steps: number, features: number]
  | readonly [height: number, width: number, channels: number];

/** A size along a sequence or in both directions of an image, or one for each direction. */
export type Extent = number | readonly [down: number, across: number];

/**
 * One layer; without a type it is dense. Unless it says otherwise it takes the output of the layer
 * before it. `with` names other values: 0 is the network's input, `i` the output of layer `i`.
 */
export type Layer =
  | { readonly type?: "dense"; readonly units: number; readonly activation: Activation }
  | {
      readonly type: "conv1d" | "conv2d";
      readonly filters: number;
      readonly kernel: Extent;
      /** 1 by default. */
      readonly stride?: Extent;
      /** 1 by default. */
      readonly dilation?: Extent;
      /** "valid" by default. */
      readonly padding?: "valid" | "same";
      /** 1 by default. */
      readonly groups?: number;
      /** "linear" by default. */
      readonly activation?: Activation;
    }
  | {
      readonly type: "max-pool1d" | "max-pool2d" | "average-pool1d" | "average-pool2d";
      readonly window: Extent;
      /** The window by default. */
      readonly stride?: Extent;
    }
  | { readonly type: "batch-norm" | "layer-norm" | "flatten" }
  | { readonly type: "dropout"; readonly ratePerMille: number }
  | { readonly type: "embedding"; readonly vocabulary: number; readonly units: number }
  | { readonly type: "position"; readonly code?: "sinusoidal" | "learned" }
  | {
      readonly type: "rnn" | "lstm" | "gru";
      readonly units: number;
      /** false by default. */
      readonly bidirectional?: boolean;
      /** "last" by default. */
      readonly returns?: "last" | "all";
    }
  | { readonly type: "attention"; readonly heads?: number; readonly causal?: boolean }
  | { readonly type: "reshape"; readonly shape: number | Shape }
  | { readonly type: "activation"; readonly activation: Activation }
  | { readonly type: "add" | "gate" | "concat"; readonly with: number | readonly number[] };

/** What training makes small: "bce" ends with sigmoid, "cross-entropy" with it or with softmax. */
export type Loss = "mse" | "mae" | "huber" | "bce" | "cross-entropy" | `quantile-0.${number}`;

/** A network before it has weights. */
export interface Specification {
  /** What it takes per row: a number of features, or a shape; at most 65536 numbers. */
  readonly inputs: number | Shape;
  /**
   * From the input to the output; at most 32 layers of at most 8192 units, 1048576 parameters
   * (16777216 with force).
   */
  readonly layers: readonly Layer[];
  readonly loss: Loss;
}

/** How raw inputs become a network's inputs: `(raw - offset) * scale`, feature by feature. */
export interface Scaling {
  readonly offset: Float32Array | readonly number[];
  readonly scale: Float32Array | readonly number[];
}

/** Classes to tell apart, numbers to predict, or the inputs to give back (an autoencoder). */
export type Task = "classification" | "regression" | "reconstruction";

/** A column of a table: a number, or categories that become one input each. */
export interface Column {
  /** Its name in the header. */
  readonly name?: string;
  /** In the order of their inputs; absent for numbers. */
  readonly categories?: readonly string[];
  /** What stands in for a missing value: a number, or the place of a category. */
  readonly fill?: number;
}

/** How a CSV is read; what is absent is found out. */
export interface ParseOptions {
  /**
   * The label's column by name, or by index from 0; the last one by default. Several are numbers to
   * predict. For a reconstruction they are left out.
   */
  readonly label?: string | number | readonly (string | number)[];
  /** By default whole numbers and text are classes, other numbers are to be predicted. */
  readonly task?: Task;
  /** Whether the first row names the columns. */
  readonly header?: boolean;
  /** The classes in the order of the outputs, when they are known beforehand. */
  readonly classes?: readonly string[];
  /** Whether a column of text becomes an input for each category; false by default. */
  readonly encode?: boolean;
  /** Columns that are categories even where they are numbers. */
  readonly categories?: readonly (string | number)[];
  /** Whether values may be missing: nothing, NA, N/A, NaN, null or ?; false by default. */
  readonly gaps?: boolean;
  /**
   * The columns of a model, whose rows these are. In a table with a header those with names are
   * found by name, in any order, and others are left out; without one they are in this order.
   */
  readonly columns?: readonly Column[];
}

/** Rows to run a network on. */
export interface ParsedRows {
  /** One row after the other. */
  readonly inputs: Float32Array;
  /** Columns that were left out because the model has none of their name. */
  readonly ignored: readonly string[];
}

/** How to train. */
export interface TrainOptions {
  /** Rows per step, 1 to 4096; 32 by default. */
  readonly batch?: number;
  /** Size of a step; 0.002 by default. */
  readonly learningRate?: number;
  /** "adam" by default; "adamw" is "adam" with a weight decay of 0.01 unless another is given. */
  readonly optimiser?: "sgd" | "nesterov" | "rmsprop" | "adam" | "adamw";
  /** For "sgd", 0 by default, and "nesterov", 0.9 by default: below 1. */
  readonly momentum?: number;
  /** How much matrices shrink per step, in parts of the learning rate; 0 by default. */
  readonly weightDecay?: number;
  /** The largest Euclidean norm of a step's gradient; none by default. */
  readonly clipNorm?: number;
  /** Steps in which the learning rate rises from nothing; 0 by default. */
  readonly warmUpSteps?: number;
  /** Epochs after which the learning rate falls, again and again; never by default. */
  readonly decayEpochs?: number;
  /** By what it is multiplied then; 0.5 by default. */
  readonly decayFactor?: number;
  /** Epochs in which the learning rate falls along half a cosine; not with `decayEpochs`. */
  readonly cosineEpochs?: number;
  /** The part of the learning rate that is left then, 0 to 1; 0 by default. */
  readonly cosineLeast?: number;
  /** What a row of each class counts, or "balanced"; all count 1 by default. */
  readonly classWeights?: readonly number[] | "balanced";
  /** Where the order of the rows comes from; 0n by default. */
  readonly seed?: bigint;
  /** Whether every epoch takes the rows in a new order; true by default. */
  readonly shuffle?: boolean;
}

/** An epoch that is done. */
export interface TrainedEpoch {
  /** Counted from 1. */
  readonly epoch: number;
  /** Mean loss per row, each measured just before the step that its row took part in. */
  readonly loss: number;
  /** Share of the rows that were told right at that moment; null without classes. */
  readonly accuracy: number | null;
}

/** How well a network does. */
export interface Evaluation {
  /**
   * Mean loss per row. For a regression in units of the variance of the first training's targets:
   * 1 is no better than always answering their mean.
   */
  readonly loss: number;
  /** Share of the rows that are told right; null for a regression. */
  readonly accuracy: number | null;
}

/** How a member of a run trains in one round: descent with momentum. */
export interface UpdateOptions {
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly seed: bigint;
}

/** What local training gives to a round. */
export interface TrainedUpdate {
  /** New minus base parameters, as raw little-endian `f32` in canonical order. */
  readonly delta: Uint8Array;
  /** Rows trained on. */
  readonly samples: number;
  /** Of the trained network on these rows. */
  readonly loss: number;
  readonly accuracy: number | null;
}
"#;

/// Trains a copy of the base network on a member's rows, and gives what changed.
#[wasm_bindgen(js_name = trainUpdate, unchecked_return_type = "TrainedUpdate")]
pub fn train_update(
    #[wasm_bindgen(unchecked_param_type = "Specification")] specification: &JsValue,
    #[wasm_bindgen(js_name = baseWeights)] base_weights: &[u8],
    data: &Dataset,
    #[wasm_bindgen(unchecked_param_type = "UpdateOptions")] options: &JsValue,
) -> Result<JsValue, JsValue> {
    let specification = object::specification(specification)?;
    let count = specification.parameter_count();
    let base = neural::weights_of_bytes(base_weights, count).ok_or_else(|| {
        let found = base_weights.len() / size_of::<f32>();
        thrown(neural::Error::WeightsLength { expected: count, found })
    })?;
    let mut reader = Reader::new("options", options);
    let training = LocalTraining {
        epochs: reader.whole("epochs", None),
        batch: reader.whole("batch", None),
        learning_rate: reader.real("learningRate", None),
        momentum: reader.real("momentum", None),
        seed: reader.seed("seed"),
    };
    let training = reader.finish(Some(training))?;
    let update = neural::train_update(&specification, &base, &data.0, training).map_err(thrown)?;
    let delta = neural::bytes_of_weights(&update.delta);
    Ok(object(&[
        ("delta", Uint8Array::from(delta.as_slice()).into()),
        ("samples", update.samples.into()),
        ("loss", update.loss.into()),
        ("accuracy", object::or_null(update.accuracy)),
    ]))
}

/// The content id of a weights blob: raw little-endian `f32` in canonical order.
#[wasm_bindgen(js_name = weightsCid)]
pub fn weights_cid(weights: &[u8]) -> String {
    hash::blob_cid_text(weights)
}

/// Runs `work` with the arena of this instance.
fn with_arena<T>(work: impl FnOnce(&mut Arena) -> T) -> T {
    thread_local! {
        static ARENA: RefCell<Arena> = RefCell::new(Arena::new());
    }
    // Never entered twice: no kernel calls JavaScript.
    ARENA.with_borrow_mut(work)
}
