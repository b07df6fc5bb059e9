//! Networks and data sets for JavaScript: the classes `Network` and `Dataset`, and what a member of
//! a run needs to train.
//!
//! The objects live in wasm memory until `free()`. Every call does its whole work inside: a call
//! per epoch, not per step, so that a page can draw in between. All networks of an instance share
//! one arena.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

mod dataset;

mod file;

mod network;

mod object;

pub use dataset::Dataset;
pub use network::Network;

use std::cell::RefCell;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::crypto::hash;
use crate::neural::{self, Arena, LocalTraining};
use crate::wasm::error::{BadArgument, thrown};
use object::{Reader, object};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a layer applies to its sums. */
export type Activation = "relu" | "tanh" | "sigmoid" | "linear" | "softmax";

/** A network before it has weights. */
export interface Specification {
  /** Numbers per row, 1 to 65536. */
  readonly inputs: number;
  /** From the input to the output; at most 32 layers of at most 8192 units, 1048576 parameters. */
  readonly layers: readonly { readonly units: number; readonly activation: Activation }[];
  /** "cross-entropy" ends with softmax or sigmoid. */
  readonly loss: "mse" | "cross-entropy";
}

/** How raw inputs become a network's inputs: `(raw - offset) * scale`, feature by feature. */
export interface Scaling {
  readonly offset: Float32Array | readonly number[];
  readonly scale: Float32Array | readonly number[];
}

/** Classes to tell apart, or numbers to predict. */
export type Task = "classification" | "regression";

/** How a CSV is read; what is absent is found out. */
export interface ParseOptions {
  /** The label's column by name, or by index from 0; the last one by default. */
  readonly label?: string | number;
  /** By default whole numbers and text are classes, other numbers are to be predicted. */
  readonly task?: Task;
  /** Whether the first row names the columns. */
  readonly header?: boolean;
  /** The classes in the order of the outputs, when they are known beforehand. */
  readonly classes?: readonly string[];
}

/** How to train. */
export interface TrainOptions {
  /** Rows per step, 1 to 4096; 32 by default. */
  readonly batch?: number;
  /** Size of a step; 0.002 by default. */
  readonly learningRate?: number;
  /** "adam" by default. */
  readonly optimiser?: "sgd" | "adam";
  /** For "sgd": 0 (default) to below 1. */
  readonly momentum?: number;
  /** Where the order of the rows comes from; 0n by default. */
  readonly seed?: bigint;
  /** Whether every epoch takes the rows in a new order; true by default. */
  readonly shuffle?: boolean;
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

fn bad_argument(message: &str) -> JsValue {
    thrown(BadArgument(message.to_string()))
}
