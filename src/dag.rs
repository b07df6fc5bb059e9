//! The shared, signed history: vertices, the graph they form, and the files it travels in.
//!
//! A *vertex* is one signed record: author, position in the author's chain, parents in the causal
//! graph, and payloads. It is encoded as DAG-CBOR, deterministic CBOR with content links (IPLD),
//! and named by the CID of exactly these bytes, so that IPLD tools can read a history without this
//! program. Each author's vertices form a chain (`seq`, `prev`); two vertices in one position are a
//! proof that the author equivocated, after which nothing new of it is accepted. The structure is
//! that of a blocklace (Almog, Shapiro et al., *The Blocklace*, 2024), with composite signatures.
//!
//! ```text
//!   identity(a) --- update(a) ---------- aggregate(a)      prev: along a chain
//!        \          /        \          /
//!         run(b) --           - update(b)                  parents: everything known, at most 16
//! ```
//!
//! Whether a vertex is valid is a pure function of the vertex and its causal past: every honest
//! node decides alike, in whatever order things arrive. Bounds on what is kept for the sake of a
//! peer are policy: they delay or refuse to hold, they never make a vertex invalid.
//!
//! What this does not do: no finality, no meaning of payloads beyond their form (the
//! views of the floors above fold them), and no trust in `time_ms`, which is an author's claim.

pub mod browse;
pub mod car;
pub mod cbor;
pub mod commitment;
pub mod invite;
pub mod masking;
pub mod operation;
pub mod vote;

mod equivocation;
mod error;
mod graph;
mod id;
#[cfg(feature = "sim")]
pub mod mutant;
#[cfg(not(feature = "sim"))]
pub(crate) mod mutant;
mod payload;
mod reference;
mod sealed;
mod timeline;
mod vertex;

pub use crate::identity::{Binding, NetworkId};
pub use crate::neural::Scaling;
pub use equivocation::EquivocationProof;
pub use error::{Error, Fault};
pub use graph::{Chain, Coverage, Graph, Insert, Layer, Notice, Source, settled_height};
pub use id::{BlobId, VertexId};
pub use payload::{Aggregate, Payload, RunSpec, Update};
pub use reference::Reference;
pub use sealed::{SEAL_BYTES, SEALING_KEY_BYTES, SealedMessage, padded_sizes};
pub use timeline::{Key, Sum, Timeline};
#[cfg(feature = "sim")]
pub(crate) use vertex::forget_decoded;
pub use vertex::{Citation, SignedVertex, VERSION, Vertex};

#[cfg(test)]
pub(crate) mod tests;
