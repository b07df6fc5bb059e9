//! What a node knows about a run beyond the history: when it saw what, what it has checked, and
//! what it is doing about it.

use std::collections::{BTreeMap, BTreeSet};

use super::committing::Promising;
use crate::dag::{BlobId, Graph, VertexId};
use crate::federated::aggregator::Aggregator;
use crate::federated::delta::Carried;
use crate::federated::masking::Progress;
use crate::federated::run::AggregateRecord;
use crate::federated::{Run, Standing};
use crate::identity::AuthorId;
use crate::limits;

/// One run that this node follows.
#[derive(Debug)]
pub(super) struct Following {
    /// Whether the application trains for this run now.
    pub(super) training: bool,
    /// The head that everything here refers to.
    pub(super) head: VertexId,
    /// When the head was adopted.
    pub(super) adopted_ms: u64,
    /// Since when the round has been ripe for an aggregate.
    pub(super) ripe_ms: Option<u64>,
    /// The round in which each member was seen to join.
    pub(super) joined: BTreeMap<AuthorId, u32>,
    /// The initial weights.
    pub(super) initial: BlobId,
    /// Bytes of the blobs that are here because of this run.
    pub(super) bytes: u64,
    /// Whether the application asked for its model or its history.
    pub(super) asked: bool,
    /// Whether the blob of an update of the head is in order.
    pub(super) checked: BTreeMap<BlobId, bool>,
    /// Aggregates that wait to be recomputed, by round.
    pub(super) sound: BTreeSet<(u32, VertexId)>,
    /// How many aggregates of an author on a base were computed.
    pub(super) judged: BTreeMap<(VertexId, AuthorId), usize>,
    /// Authors of aggregates that were wrong, and when the next of theirs may be computed.
    pub(super) liars: BTreeSet<AuthorId>,
    pub(super) liars_next_ms: u64,
    /// The average that is being computed.
    pub(super) work: Option<Work>,
    /// What was last computed: a copy of a wrong aggregate costs nothing either.
    pub(super) computed: Option<Computed>,
    /// What was last proposed by this node: it need not be computed twice.
    pub(super) proposed: Option<Proposed>,
    /// The base for which an own update was queued.
    pub(super) updated: Option<VertexId>,
    /// The training job under way.
    pub(super) job: Option<Training>,
    /// When training may be tried again after a failure.
    pub(super) train_next_ms: u64,
    pub(super) train_failures: u32,
    /// What the updates of this node left to the next one; a restart begins with nothing.
    pub(super) carried: Carried,
    /// What was trained for the head and waits for a cohort, in a run with secure aggregation.
    pub(super) trained: Option<Trained>,
    /// What was done about the masks of the round.
    pub(super) masking: Progress,
    /// When commitments to the head and updates on it were seen, in a run with commitments.
    pub(super) seen_ms: BTreeMap<VertexId, u64>,
    /// What was seen and decided about them.
    pub(super) promising: Promising,
    /// The head whose updates come to nothing that could be proposed.
    pub(super) unsummable: Option<VertexId>,
    /// The base from which this node's training gave nothing usable.
    pub(super) hopeless: Option<VertexId>,
    /// What everything that the run names was found here and in order for.
    pub(super) settled: Option<Settled>,
    /// Whether something changed since the last look.
    pub(super) dirty: bool,
    /// When to look again even if nothing changes.
    pub(super) next_ms: Option<u64>,
}

/// While nothing of this changes, no blob of a run has to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) revision: u64,
    pub(super) head: VertexId,
    /// Blobs that the store has lost.
    pub(super) lost: u64,
}

/// A training job under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Training {
    pub(super) job: u64,
    pub(super) base: VertexId,
    pub(super) round: u32,
}

/// An update that waits to be masked.
#[derive(Debug)]
pub(super) struct Trained {
    pub(super) base: VertexId,
    pub(super) round: u32,
    pub(super) samples: u32,
    pub(super) values: Vec<f32>,
    /// What it leaves, which counts once it is published.
    pub(super) carried: Carried,
}

/// An aggregate under way: updates are read one after the other.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) purpose: Purpose,
    pub(super) base: VertexId,
    pub(super) updates: Vec<VertexId>,
    pub(super) aggregator: Aggregator,
    /// How many updates are in it.
    pub(super) done: usize,
}

/// What an average is computed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To judge this aggregate.
    Judge(VertexId),
    /// To propose one.
    Propose,
}

/// What some updates come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Computed {
    pub(super) base: VertexId,
    pub(super) updates: Vec<VertexId>,
    /// Nothing if one of them is not in order.
    pub(super) weights: Option<BlobId>,
}

/// An own proposal that is on its way into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposed {
    pub(super) base: VertexId,
    pub(super) updates: Vec<VertexId>,
    pub(super) weights: BlobId,
}

/// Members of a run that equivocated.
pub(super) fn ended(run: &Run, graph: &Graph) -> BTreeSet<AuthorId> {
    let is_ended = |author: &&AuthorId| graph.equivocated(author).is_some();
    run.members().keys().filter(is_ended).copied().collect()
}

impl Following {
    /// Follows a run from where it is.
    pub(super) fn new(run: &Run, initial: BlobId, bytes: u64, now_ms: u64) -> Self {
        let sound = run
            .aggregates()
            .filter(|(_, aggregate)| aggregate.standing == Standing::Sound)
            .map(|(id, aggregate)| (aggregate.round, *id))
            .collect();
        Self {
            training: false,
            head: run.head(),
            adopted_ms: now_ms,
            ripe_ms: None,
            joined: BTreeMap::new(),
            initial,
            bytes,
            asked: false,
            checked: BTreeMap::new(),
            sound,
            judged: BTreeMap::new(),
            liars: BTreeSet::new(),
            liars_next_ms: 0,
            work: None,
            computed: None,
            proposed: None,
            updated: None,
            job: None,
            train_next_ms: 0,
            train_failures: 0,
            carried: Carried::default(),
            trained: None,
            masking: Progress::default(),
            seen_ms: BTreeMap::new(),
            promising: Promising::default(),
            unsummable: None,
            hopeless: None,
            settled: None,
            dirty: true,
            next_ms: None,
        }
    }

    /// The run's head moved.
    pub(super) fn adopt(&mut self, run: &Run, now_ms: u64) {
        let left = std::mem::replace(&mut self.head, run.head());
        self.adopted_ms = now_ms;
        self.ripe_ms = None;
        self.trained = None;
        self.promising = Promising::default();
        self.forget_seen(run, &left);
        self.masking = std::mem::take(&mut self.masking).moved();
        let current: BTreeSet<BlobId> =
            run.updates_of(&self.head).map(|(_, update)| update.delta).collect();
        self.checked.retain(|blob, _| current.contains(blob));
        if self.work.as_ref().is_some_and(|work| work.purpose == Purpose::Propose) {
            self.work = None;
        }
        let round = run.round();
        self.joined.retain(|_, joined| joined.saturating_add(1) >= round);
        self.dirty = true;
    }

    /// How often the author of an aggregate was computed for on the same base already; nothing
    /// where it is not computed for at once, because it lied or has had enough.
    pub(super) fn turns(&self, record: &AggregateRecord) -> Option<usize> {
        let had = self.judged.get(&(record.base, record.author)).copied().unwrap_or(0);
        let is_due =
            had < limits::AGGREGATES_PER_AUTHOR_MAX && !self.liars.contains(&record.author);
        is_due.then_some(had)
    }

    /// Whether an aggregate claims what its updates come to, if that is known: from an aggregate
    /// that was found to be right, or from what was computed last.
    pub(super) fn known(&self, run: &Run, record: &AggregateRecord) -> Option<bool> {
        let is_same = |base: &VertexId, updates: &[VertexId]| {
            *base == record.base && updates == record.updates.as_slice()
        };
        let valid = run.aggregates().find(|(_, other)| {
            other.standing == Standing::Valid && is_same(&other.base, &other.updates)
        });
        if let Some((_, valid)) = valid {
            return Some(valid.weights == record.weights);
        }
        let last = self.computed.as_ref();
        last.filter(|last| is_same(&last.base, &last.updates))
            .map(|last| last.weights == Some(record.weights))
    }

    /// Lets go of the average under way; an aggregate waits again to be recomputed.
    pub(super) fn drop_work(&mut self, run: &Run) {
        if let Some(Purpose::Judge(aggregate)) = self.work.take().map(|work| work.purpose) {
            let round = run.aggregate(&aggregate).map_or(0, |record| record.round);
            self.sound.insert((round, aggregate));
        }
    }

    /// The blob of the weights after `vertex`, which is the run's first vertex or an aggregate.
    pub(super) fn weights(&self, run: &Run, vertex: &VertexId) -> Option<BlobId> {
        if *vertex == run.id() {
            return Some(self.initial);
        }
        run.aggregate(vertex).map(|aggregate| aggregate.weights)
    }

    /// Asks for another look at this time.
    pub(super) fn look_again(&mut self, at_ms: u64) {
        self.next_ms = Some(self.next_ms.map_or(at_ms, |next_ms| next_ms.min(at_ms)));
    }

    /// Waits longer after each failed training job.
    pub(super) fn training_failed(&mut self, now_ms: u64) {
        let doublings = self.train_failures.min(16);
        let wait_ms = (limits::TRAIN_RETRY_MS_MIN << doublings).min(limits::TRAIN_RETRY_MS_MAX);
        self.train_failures = self.train_failures.saturating_add(1);
        self.train_next_ms = now_ms.saturating_add(wait_ms);
        self.dirty = true;
    }
}
