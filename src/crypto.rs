//! Cryptography of the mesh: hashing for everybody, signatures and secrets for nodes.
//!
//! Nothing here reads entropy or a clock; seeds and nonces are arguments.

pub mod hash;

#[cfg(feature = "truth")]
pub mod secret;

#[cfg(feature = "truth")]
pub mod sign;
