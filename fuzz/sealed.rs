//! Sealed messages: whatever a history holds for this node.

use std::sync::OnceLock;

use synaptic_mesh::crypto::kem::DecapsulationKey;
use synaptic_mesh::dag::{NetworkId, SealedMessage};
use synaptic_mesh::identity::{AuthorId, Secrets};
use synaptic_mesh::sealed::{Route, open, seal};

const ROUTE: Route = Route {
    network: NetworkId::from_bytes([1; 32]),
    from: AuthorId::from_bytes([2; 32]),
    to: AuthorId::from_bytes([3; 32]),
};

fn key() -> &'static DecapsulationKey {
    static KEY: OnceLock<DecapsulationKey> = OnceLock::new();
    KEY.get_or_init(|| DecapsulationKey::from_seed(&Secrets::from_entropy([4; 96]).sealing_seed()))
}

/// A message of each size.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    static MESSAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let sealed = |bytes| {
        let text = "x".repeat(bytes);
        seal(&ROUTE, &key().public(), &text, &[5; 64]).expect("a sound text").sealed
    };
    MESSAGES.get_or_init(|| [1, 1_000, 4_000].into_iter().map(sealed).collect()).clone()
}

/// Opens only what was sealed: nobody makes another message of one.
pub(crate) fn sealed(data: &[u8]) {
    let message = SealedMessage { to: ROUTE.to, sealed: data.to_vec() };
    if open(&ROUTE, key(), &message).is_ok() {
        assert!(messages().iter().any(|sound| sound == data));
    }
}
