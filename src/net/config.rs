//! What a network is set up with, and why it may not come up.

use std::fmt;
use std::sync::Arc;

use wasm_bindgen::JsValue;

use crate::channel::Signer;
use crate::net::relay::Switch;
use crate::net::security::Takes;

/// What a network driver needs.
pub struct Config {
    /// Seed of the transport key (Ed25519).
    pub seed: [u8; 32],
    /// Signs handshakes for the author.
    pub signer: Arc<dyn Signer + Send + Sync>,
    /// Whom this node takes as a peer.
    pub takes: Takes,
    /// Whether others may reach each other through this node.
    pub relays: Switch,
    /// The gossip topic.
    pub topic: String,
    /// The request-response protocol, and those of groups and of anonymous questions.
    pub protocols: [&'static str; 3],
    /// Where others find this node, besides where it listens.
    pub advertised: Vec<String>,
    /// The host's object, as floor 7 describes it.
    pub host: JsValue,
}

/// Why the network did not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's object is not what it must be.
    #[error("the host cannot be used: {0}")]
    Host(String),
    /// A defect in constants of this program.
    #[error("the network cannot be set up: {0}")]
    Setup(String),
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the seed: it is the transport's secret.
        f.debug_struct("Config").field("topic", &self.topic).finish_non_exhaustive()
    }
}
