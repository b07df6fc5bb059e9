//! Cryptography of the mesh: hashing for everybody, signatures, secrets and sealing for nodes.
//!
//! Nothing here reads entropy or a clock; seeds and nonces are arguments.

pub mod hash;

#[cfg(feature = "truth")]
pub mod secret;

#[cfg(feature = "mesh")]
pub mod kem;

#[cfg(feature = "mesh")]
pub mod hpke;

#[cfg(feature = "truth")]
pub mod sign;
