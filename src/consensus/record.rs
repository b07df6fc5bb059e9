//! What a vertex means to the engine.

use super::{Item, conflict_keys};
use crate::dag::vote::{ItemId, Votes};
use crate::dag::{Citation, Payload, SignedVertex, Vertex, VertexId};
use crate::identity::AuthorId;

/// What a vertex means here.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The vertex.
    pub id: VertexId,
    /// Who wrote it.
    pub author: AuthorId,
    /// Its position in the author's chain.
    pub seq: u64,
    /// Its Lamport time.
    pub lamport: u64,
    /// Items among its payloads.
    pub items: Vec<Item>,
    /// Votes among its payloads.
    pub votes: Vec<Votes>,
}

impl Record {
    /// What a vertex means here; nothing for most.
    pub fn of(vertex: &SignedVertex) -> Self {
        let (id, fields) = (vertex.id(), vertex.vertex());
        let (mut items, mut votes) = (Vec::new(), Vec::new());
        for (index, payload) in (0..).zip(&fields.payloads) {
            let author = fields.author;
            let item = ItemId(id, index);
            let mut keys = conflict_keys(&author, &item, payload);
            if !keys.is_empty() {
                keys.sort_unstable();
                let (seats, operation) = match payload {
                    Payload::Committee(seats) => (Some(seats.clone()), None),
                    Payload::Ledger(operation) => (None, Some(operation.clone())),
                    _ => (None, None),
                };
                items.push(Item { id: item, author, keys, seats, operation });
            }
            if let Payload::Votes(said) = payload {
                votes.push(said.clone());
            }
        }
        let Vertex { author, seq, lamport, .. } = *fields;
        Self { id, author, seq, lamport, items, votes }
    }

    /// What others say of it.
    pub(super) const fn citation(&self) -> Citation {
        let Self { id, author, seq, lamport, .. } = *self;
        Citation { id, author, seq, lamport }
    }
}
