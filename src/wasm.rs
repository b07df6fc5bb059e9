//! What JavaScript sees. The only floor that knows `#[wasm_bindgen]`.
//!
//! - [`neural`]: networks and data sets, in the artifacts `neural` and `mesh`.
//! - [`fann`]: networks of the FANN engine, in the artifact `fann`.
//! - [`reader`]: plain objects of those two.
//! - [`node`]: the class `MeshNode`, a whole node.
//! - [`finality`]: what a network begins with, who decides in it, and checking proofs.
//! - [`verify`]: checking an exported run.
//! - [`types`]: the TypeScript interfaces of everything that crosses as a plain object.
//! - [`object`]: making and reading plain objects.
//! - [`view`]: events, runs and status as plain objects.
//! - [`promise`]: promises that are kept even when the instance dies.
//! - [`error`]: errors are thrown as `Error` objects with `code`, `message`, `hint` and sometimes
//!   `cause`.

pub(crate) mod error;

pub(crate) mod reader;

#[cfg(any(feature = "mesh", feature = "layers"))]
pub mod neural;

#[cfg(feature = "fann")]
pub mod fann;

#[cfg(feature = "mesh")]
pub mod types;

#[cfg(feature = "mesh")]
pub(crate) mod object;

#[cfg(feature = "mesh")]
pub(crate) mod promise;

#[cfg(feature = "mesh")]
pub(crate) mod options;

#[cfg(feature = "mesh")]
pub mod finality;

#[cfg(feature = "mesh")]
pub(crate) mod view;

#[cfg(feature = "mesh")]
pub mod verify;

#[cfg(feature = "mesh")]
pub mod node;

#[cfg(feature = "conformance")]
pub mod conformance;
