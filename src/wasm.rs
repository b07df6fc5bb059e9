//! What JavaScript sees. The only floor that knows `#[wasm_bindgen]`.
//!
//! - [`neural`]: networks and data sets, in the artifacts `neural` and `mesh`.
//! - [`fann`]: networks of the FANN engine, in the artifact `fann`.
//! - [`reader`]: plain objects of those two.
//! - [`node`]: the class `MeshNode`, a whole node.
//! - [`proof`]: checking that something is final, in the artifacts `proof` and `mesh`.
//! - [`finality`]: what a network begins with, and who decides in it.
//! - [`wallet`]: credits and names, more methods of `MeshNode`.
//! - [`mail`]: sealed messages, more methods of `MeshNode`.
//! - [`onion`]: anonymous questions, one more method of `MeshNode`.
//! - [`verify`]: checking an exported run.
//! - `simulation`: the simulator, in the module of its page and nowhere else.
//! - [`types`]: the TypeScript interfaces of everything that crosses as a plain object.
//! - [`number`]: counts and hashes.
//! - [`object`]: making and reading plain objects.
//! - [`view`]: events, runs and status as plain objects.
//! - [`promise`]: promises that are kept even when the instance dies.
//! - [`error`]: errors are thrown as `Error` objects with `code`, `message`, `hint` and sometimes
//!   `cause`.

pub(crate) mod error;

#[cfg(not(feature = "sim-page"))]
pub(crate) mod reader;

#[cfg(all(any(feature = "mesh", feature = "layers"), not(feature = "sim-page")))]
pub mod neural;

#[cfg(feature = "fann")]
pub mod fann;

#[cfg(all(feature = "truth", not(feature = "sim-page")))]
pub(crate) mod number;

#[cfg(all(feature = "truth", not(feature = "sim-page")))]
pub mod proof;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod types;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub(crate) mod object;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub(crate) mod promise;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub(crate) mod options;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod finality;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod wallet;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod mail;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod invite;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod onion;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub(crate) mod view;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod verify;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod node;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod groups;

#[cfg(all(feature = "mesh", not(feature = "sim-page")))]
pub mod history;

#[cfg(feature = "sim-page")]
pub mod simulation;

#[cfg(feature = "conformance")]
pub mod conformance;
