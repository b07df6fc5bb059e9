//! Learning together: runs as a fold over the history.
//!
//! A run is started by a vertex that fixes everything (model, seed, rounds, local training). Then,
//! round by round, members publish *updates*, each trained from the same *base*, and any member
//! publishes an *aggregate* that names a set of updates and the weights they come to:
//!
//! ```text
//!   RunStart <- update(a) \
//!            <- update(b) - aggregate 1 <- update(a) \
//!            <- update(c) /             <- update(c) - aggregate 2 <- ...
//! ```
//!
//! Nobody has to be trusted with the result, because it is a function of the named updates and of
//! the rule that the run fixed ([`aggregator`]): everybody recomputes it and drops what differs by
//! a bit. Nobody has to be waited for, because a missing member only makes the set smaller. Two
//! aggregates of one round are no conflict to vote on: fork choice ([`tree`]) is a function of the
//! history. The algorithm is federated averaging (`FedAvg`, 2017), unless a run names a rule
//! against hostile members.
//!
//! [`Runs`] is the view of all runs; [`policy`] says who proposes when, which is a matter of
//! manners and never of validity; [`replay`] recomputes an exported run from nothing, and
//! [`retrain`] a member's updates from its rows.
//!
//! Complexity: applying a vertex costs `O(log n)` plus the aggregates that waited for it; nothing
//! is folded twice. It does not fetch, store, train or sign: that is the node.

pub mod aggregator;
pub mod average;
pub mod committing;
pub mod delta;
pub mod masking;
pub mod policy;
pub mod replay;
pub mod retrain;
pub mod run;
pub mod tree;

use std::collections::BTreeMap;

pub use replay::replay;
pub use run::{Change, Run, Standing};

use crate::dag::{Payload, RunSpec, SignedVertex, VertexId};
use crate::identity::AuthorId;
use crate::neural::{self, Network};

/// Every run of a history.
#[derive(Debug, Clone, Default)]
pub struct Runs {
    runs: BTreeMap<VertexId, Run>,
    /// Statements about runs whose first vertex is not there yet, in order of arrival. An honest
    /// author names only runs it has seen, so its vertices never wait here. The history bounds it.
    early: BTreeMap<VertexId, Vec<Early>>,
}

/// A statement that came before the run it is about.
#[derive(Debug, Clone)]
struct Early {
    by: By,
    payload: Payload,
}

/// Which vertex says something, and where it stands in its author's chain.
#[derive(Debug, Clone, Copy)]
struct By {
    vertex: VertexId,
    author: AuthorId,
    seq: u64,
}

impl Runs {
    /// No runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// A run by its first vertex.
    pub fn get(&self, run: &VertexId) -> Option<&Run> {
        self.runs.get(run)
    }

    /// All runs, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// Takes what an accepted vertex says about runs. Vertices come in causal order.
    ///
    /// A run, an update and an aggregate are named by their vertex, so a vertex that carries more
    /// than one of them names none of them.
    pub fn apply(&mut self, signed: &SignedVertex) -> Vec<(VertexId, Change)> {
        let mut changes = Vec::new();
        let fields = signed.vertex();
        let by = By { vertex: signed.id(), author: fields.author, seq: fields.seq };
        let payloads = &signed.vertex().payloads;
        let ambiguous = payloads.iter().filter(|payload| is_named_by_vertex(payload)).count() > 1;
        for payload in payloads {
            if !(ambiguous && is_named_by_vertex(payload)) {
                self.apply_payload(by, payload, &mut changes);
            }
        }
        changes
    }

    /// Records what recomputing a sound aggregate gave: `equal` when it gave the same bits.
    pub fn judge(
        &mut self,
        run: &VertexId,
        aggregate: VertexId,
        equal: bool,
    ) -> Vec<(VertexId, Change)> {
        let mut changes = Vec::new();
        if let Some(state) = self.runs.get_mut(run) {
            state.judge(aggregate, equal, &mut changes);
        }
        changes.into_iter().map(|change| (*run, change)).collect()
    }

    fn apply_payload(&mut self, by: By, payload: &Payload, changes: &mut Vec<(VertexId, Change)>) {
        let By { vertex, author, seq } = by;
        let run = match payload {
            Payload::RunStart(spec) => return self.start(vertex, author, spec, changes),
            Payload::RunJoin { run, .. } | Payload::RunLeave { run } => *run,
            Payload::Update(update) => update.run,
            Payload::Aggregate(aggregate) => aggregate.run,
            Payload::Masking(statement) => statement.run(),
            Payload::Commitment(commitment) => commitment.run,
            _ => return,
        };
        let Some(state) = self.runs.get_mut(&run) else {
            let payload = payload.clone();
            self.early.entry(run).or_default().push(Early { by, payload });
            return;
        };
        let mut own = Vec::new();
        match payload {
            Payload::RunJoin { samples, key, .. } => {
                let key = key.map(|key| *key);
                state.join(author, seq, (*samples, key), &mut own);
            }
            Payload::RunLeave { .. } => state.leave(author, &mut own),
            Payload::Update(update) => state.add_update(vertex, (author, seq), update, &mut own),
            Payload::Aggregate(aggregate) => {
                state.add_aggregate(vertex, author, aggregate, &mut own);
            }
            Payload::Masking(statement) => {
                state.add_masking(vertex, (author, seq), statement, &mut own);
            }
            Payload::Commitment(commitment) => {
                state.add_commitment(vertex, (author, seq), commitment, &mut own);
            }
            _ => {}
        }
        changes.extend(own.into_iter().map(|change| (run, change)));
    }

    fn start(
        &mut self,
        id: VertexId,
        founder: AuthorId,
        spec: &RunSpec,
        changes: &mut Vec<(VertexId, Change)>,
    ) {
        self.runs.entry(id).or_insert_with(|| Run::new(id, founder, spec.clone()));
        changes.push((id, Change::Started));
        for early in self.early.remove(&id).into_iter().flatten() {
            self.apply_payload(early.by, &early.payload, changes);
        }
    }
}

/// The weights a run starts from: raw little-endian f32 in canonical order.
///
/// # Errors
/// When the specification does not validate; one in an accepted vertex does.
pub fn initial_weights(spec: &RunSpec) -> Result<Vec<u8>, neural::Error> {
    Ok(Network::new(&spec.model, spec.seed)?.weights_bytes())
}

/// Whether later statements refer to this payload by the id of the vertex that carries it.
pub(crate) fn is_named_by_vertex(payload: &Payload) -> bool {
    match payload {
        Payload::RunStart(_)
        | Payload::Update(_)
        | Payload::Aggregate(_)
        | Payload::Commitment(_) => true,
        Payload::Masking(statement) => statement.is_named_by_vertex(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
