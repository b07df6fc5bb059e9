//! One run, folded from the history.
//!
//! Nothing here depends on the order in which concurrent vertices arrived: updates and aggregates
//! are kept in sets, an aggregate that names vertices not yet seen waits for them, and the head is
//! [`Tree`]'s function of the valid aggregates. An update counts only if its author has joined the
//! run before, in its own chain: an aggregate that names another one waits. To have joined once is
//! enough, because "before" in one chain is the same for everybody, while who takes part *now* is
//! not; that is for the policy (whom to wait for). So a member that equivocates cannot make two
//! honest nodes count differently.

pub mod committed;
pub mod masked;
pub mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::committed::Committed;
use self::masked::Masked;

use super::aggregator::Aggregator;
use super::delta;
use super::tree::{Inserted, Tree};
use crate::crypto::hash::Digest;
use crate::dag::{Aggregate, BlobId, RunSpec, Update, VertexId};
use crate::identity::AuthorId;
use crate::limits;
use crate::masking::agreement::Public;

/// A run and everything said about it.
#[derive(Debug, Clone)]
pub struct Run {
    id: VertexId,
    founder: AuthorId,
    spec: RunSpec,
    parameters: usize,
    members: BTreeMap<AuthorId, Member>,
    /// The first position at which each author said that it joins.
    joined: BTreeMap<AuthorId, u64>,
    updates: BTreeMap<VertexId, UpdateRecord>,
    /// Updates by what they were trained from.
    by_base: BTreeMap<VertexId, BTreeSet<VertexId>>,
    aggregates: BTreeMap<VertexId, AggregateRecord>,
    /// Aggregates that wait, by a vertex they name and that is not known (or not valid) yet.
    waiting: BTreeMap<VertexId, BTreeSet<VertexId>>,
    tree: Tree<VertexId>,
    /// What was said about masks, in a run with secure aggregation.
    masked: Option<Masked>,
    /// What was committed to, in a run with commitments.
    committed: Option<Committed>,
    revision: u64,
}

/// What an author last said about taking part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// How many samples it said it trains on.
    pub samples: u32,
    /// Whether it takes part now.
    pub joined: bool,
}

/// An update that keeps the run's rules; what its blob holds is judged where the blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateRecord {
    /// Who trained it.
    pub author: AuthorId,
    /// Position of its vertex in the author's chain.
    pub seq: u64,
    /// The run's first vertex or the aggregate it was trained from.
    pub base: VertexId,
    /// The round it is for, 1-based.
    pub round: u32,
    /// On how many samples.
    pub samples: u32,
    /// The change of the weights.
    pub delta: BlobId,
    /// The cohort that it is masked for, in a run with secure aggregation.
    pub cohort: Option<VertexId>,
}

/// A proposed aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateRecord {
    /// Who proposed it.
    pub author: AuthorId,
    /// The run's first vertex or the aggregate it follows.
    pub base: VertexId,
    /// The round, 1-based.
    pub round: u32,
    /// The updates in it, sorted.
    pub updates: Vec<VertexId>,
    /// The weights it claims.
    pub weights: BlobId,
    /// What is known about it.
    pub standing: Standing,
}

/// What is known about an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It names a vertex that is not there yet, whose own aggregate is not recomputed yet, or an
    /// update whose author has not joined, or whose commitment is not there.
    Waiting,
    /// All it names is there; it waits to be recomputed.
    Sound,
    /// Recomputed, and equal to the bit.
    Valid,
    /// Against the rules, or recomputed to something else. For good.
    Void,
}

/// What an applied statement or a judgement changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The run began.
    Started,
    /// An author is a member now.
    Joined(AuthorId),
    /// An author is a member no longer.
    Left(AuthorId),
    /// A valid update is there.
    Update(VertexId),
    /// Something was said about masks.
    Masking,
    /// An author committed to an update.
    Commitment(VertexId),
    /// An aggregate can be recomputed now.
    Sound(VertexId),
    /// The head moved here; `switched` when it is not the old head's child.
    Head {
        /// The new head.
        head: VertexId,
        /// Whether the run changed to another branch.
        switched: bool,
    },
}

impl Run {
    /// The run that the vertex `id` starts. The specification has been checked.
    pub(super) fn new(id: VertexId, founder: AuthorId, spec: RunSpec) -> Self {
        let parameters = spec.model.parameter_count();
        let masked = spec.masking.map(Masked::new);
        let committed = spec.commit_reveal.then(Committed::default);
        Self {
            id,
            founder,
            spec,
            parameters,
            members: BTreeMap::new(),
            joined: BTreeMap::new(),
            updates: BTreeMap::new(),
            by_base: BTreeMap::new(),
            aggregates: BTreeMap::new(),
            waiting: BTreeMap::new(),
            tree: Tree::new(id),
            masked,
            committed,
            revision: 0,
        }
    }

    /// The vertex that started it.
    pub fn id(&self) -> VertexId {
        self.id
    }

    /// Who started it; a member like any other, or none.
    pub fn founder(&self) -> AuthorId {
        self.founder
    }

    /// What its founder fixed.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Parameters of its model.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Everybody who ever joined.
    pub fn members(&self) -> &BTreeMap<AuthorId, Member> {
        &self.members
    }

    /// Grows whenever members, commitments, updates, aggregates or what counts of them change.
    /// While it stays, so do [`Run::candidates`], [`Run::aggregates`], [`Run::defaulted`] and
    /// [`Run::head`].
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether an author takes part now.
    pub fn is_member(&self, author: &AuthorId) -> bool {
        self.members.get(author).is_some_and(|member| member.joined)
    }

    /// A valid update.
    pub fn update(&self, id: &VertexId) -> Option<&UpdateRecord> {
        self.updates.get(id)
    }

    /// All valid updates, by id.
    pub fn updates(&self) -> impl Iterator<Item = (&VertexId, &UpdateRecord)> {
        self.updates.iter()
    }

    /// An aggregate, whatever its standing.
    pub fn aggregate(&self, id: &VertexId) -> Option<&AggregateRecord> {
        self.aggregates.get(id)
    }

    /// All aggregates, whatever their standing, by id.
    pub fn aggregates(&self) -> impl Iterator<Item = (&VertexId, &AggregateRecord)> {
        self.aggregates.iter()
    }

    /// Valid updates trained from `base`, in the order of their ids.
    pub fn updates_of(&self, base: &VertexId) -> impl Iterator<Item = (VertexId, &UpdateRecord)> {
        let ids = self.by_base.get(base).into_iter().flatten();
        ids.filter_map(|id| self.updates.get(id).map(|update| (*id, update)))
    }

    /// How many updates were trained from `base`.
    pub fn update_count(&self, base: &VertexId) -> usize {
        self.by_base.get(base).map_or(0, BTreeSet::len)
    }

    /// The same, without those that do not count and without more of one author than an honest one
    /// could have written. With commitments those are of its last two attempts: a later one may
    /// have been revealed to others than the one before.
    pub fn candidates(&self, base: &VertexId) -> impl Iterator<Item = (VertexId, &UpdateRecord)> {
        let counting = self.updates_of(base).filter(|(_, update)| self.counts(update));
        let of_attempts = counting.filter_map(|(id, update)| {
            let attempt = match &self.committed {
                None => Some(0),
                Some(committed) => committed.attempt(&id, &update.author, &update.base),
            };
            Some((id, update, attempt?))
        });
        let of_attempts: Vec<_> = of_attempts.collect();
        let mut attempts: BTreeMap<AuthorId, BTreeSet<u32>> = BTreeMap::new();
        for (_, update, attempt) in &of_attempts {
            let last = attempts.entry(update.author).or_default();
            last.insert(*attempt);
            if last.len() > limits::COMMITMENT_ATTEMPTS_FETCHED {
                last.pop_first();
            }
        }
        let mut seen: BTreeMap<(AuthorId, u32), usize> = BTreeMap::new();
        let candidates = of_attempts.into_iter().filter(move |(_, update, attempt)| {
            let count = seen.entry((update.author, *attempt)).or_default();
            *count += 1;
            let is_last = attempts.get(&update.author).is_some_and(|last| last.contains(attempt));
            is_last && *count <= limits::UPDATES_PER_AUTHOR_MAX
        });
        candidates.map(|(id, update, _)| (id, update))
    }

    /// The vertex whose weights came before those of `base`, where an aggregate on it needs them:
    /// nothing without server momentum, and nothing before the run's first vertex.
    pub fn before(&self, base: &VertexId) -> Option<VertexId> {
        self.spec.server_momentum?;
        self.aggregates.get(base).map(|record| record.base)
    }

    /// Every blob that an update or an aggregate names; some several times.
    pub fn blobs(&self) -> impl Iterator<Item = BlobId> {
        let deltas = self.updates.values().map(|update| update.delta);
        deltas.chain(self.aggregates.values().map(|aggregate| aggregate.weights))
    }

    /// The end of the chosen chain: an aggregate, or the run's first vertex.
    pub fn head(&self) -> VertexId {
        self.tree.head()
    }

    /// The chain of valid aggregates.
    pub fn tree(&self) -> &Tree<VertexId> {
        &self.tree
    }

    /// The round of the head; 0 before the first aggregate.
    pub fn round(&self) -> u32 {
        self.tree.round(self.head()).unwrap_or(0)
    }

    /// Whether the last round is aggregated.
    pub fn is_finished(&self) -> bool {
        self.round() >= self.spec.rounds
    }

    /// Authors of an aggregate's updates, in order of their ids; none for the run's first vertex.
    pub fn contributors(&self, aggregate: &VertexId) -> BTreeSet<AuthorId> {
        let record = self.aggregates.get(aggregate);
        let updates = record.into_iter().flat_map(|record| &record.updates);
        updates.filter_map(|id| self.updates.get(id)).map(|update| update.author).collect()
    }

    /// Authors of all updates in the chosen chain.
    pub fn all_contributors(&self) -> BTreeSet<AuthorId> {
        let mut authors = BTreeSet::new();
        let mut next = self.head();
        while let Some(record) = self.aggregates.get(&next) {
            authors.append(&mut self.contributors(&next));
            next = record.base;
        }
        authors
    }

    /// What adds these updates up.
    pub fn aggregator(&self, updates: &[VertexId]) -> Aggregator {
        let aggregator = Aggregator::new(&self.spec, updates.len());
        let opening = self.masked.as_ref().and_then(|masked| masked.opening(updates));
        match opening {
            Some(opening) => aggregator.opened_by(Arc::clone(opening)),
            None => aggregator,
        }
    }

    /// The seed of an author's local training in a round.
    pub fn training_seed(&self, round: u32, author: &AuthorId) -> u64 {
        let parts: [&[u8]; 3] = [&self.id.0.0, &round.to_le_bytes(), author.as_bytes()];
        let digest = Digest::derive("synaptic-mesh 2026 training seed v1", &parts);
        digest.0.iter().take(8).rev().fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
    }

    pub(super) fn join(
        &mut self,
        author: AuthorId,
        seq: u64,
        (samples, key): (u32, Option<Public>),
        changes: &mut Vec<Change>,
    ) {
        self.add_key(author, seq, key);
        self.members.insert(author, Member { samples, joined: true });
        self.revision += 1;
        changes.push(Change::Joined(author));
        let first = self.joined.entry(author).or_insert(u64::MAX);
        if seq < *first {
            *first = seq;
            self.settle_updates_of(&author, changes);
            self.settle_incomplete(changes);
        }
    }

    /// More updates of an author may count: looks again at what waited for them. An honest author
    /// joins before its first update, so there are none.
    fn settle_updates_of(&mut self, author: &AuthorId, changes: &mut Vec<Change>) {
        let of_author = self.updates.iter().filter(|(_, update)| update.author == *author);
        let ids: Vec<VertexId> = of_author.map(|(id, _)| *id).collect();
        for id in ids {
            self.settle(id, changes);
        }
    }

    /// Whether the author of an update had joined when it wrote it.
    fn counts(&self, update: &UpdateRecord) -> bool {
        self.joined.get(&update.author).is_some_and(|seq| *seq <= update.seq)
    }

    pub(super) fn leave(&mut self, author: AuthorId, changes: &mut Vec<Change>) {
        if let Some(member) = self.members.get_mut(&author)
            && member.joined
        {
            member.joined = false;
            self.revision += 1;
            changes.push(Change::Left(author));
        }
    }

    /// Takes an update whose numbers can be those of the run.
    pub(super) fn add_update(
        &mut self,
        id: VertexId,
        (author, seq): (AuthorId, u64),
        update: &Update,
        changes: &mut Vec<Change>,
    ) {
        let keeps_rules = (1..=self.spec.rounds).contains(&update.round)
            && delta::is_size(&self.spec, update.delta_bytes)
            && (update.round == 1) == (update.base == self.id)
            && update.cohort.is_some() == self.masked.is_some()
            && (update.reveal.is_none() || self.committed.is_some());
        if !keeps_rules {
            return;
        }
        if let Some(reveal) = &update.reveal {
            self.add_reveal(id, &author, update, reveal);
        }
        let Update { base, round, samples, delta, cohort, .. } = *update;
        let record = UpdateRecord { author, seq, base, round, samples, delta, cohort };
        self.updates.insert(id, record);
        self.by_base.entry(base).or_default().insert(id);
        self.revision += 1;
        changes.push(Change::Update(id));
        self.settle(id, changes);
        self.settle_incomplete(changes);
    }

    /// Takes a proposed aggregate whose own numbers keep the rules; what it names is judged as
    /// soon as it is there.
    pub(super) fn add_aggregate(
        &mut self,
        id: VertexId,
        author: AuthorId,
        aggregate: &Aggregate,
        changes: &mut Vec<Change>,
    ) {
        let Aggregate { base, round, ref updates, weights, weights_bytes, .. } = *aggregate;
        let enough = usize::try_from(self.spec.updates_min).unwrap_or(usize::MAX);
        let keeps_rules = (1..=self.spec.rounds).contains(&round)
            && self.is_size(weights_bytes)
            && (round == 1) == (base == self.id)
            && updates.len() >= enough
            && updates.len() <= self.spec.updates_max();
        if !keeps_rules {
            return;
        }
        let updates = updates.clone();
        let standing = Standing::Waiting;
        let record = AggregateRecord { author, base, round, updates, weights, standing };
        self.aggregates.insert(id, record);
        self.revision += 1;
        self.consider(id, changes);
    }

    /// Records what recomputing a sound aggregate gave. Returns whether it counted.
    pub(super) fn judge(&mut self, id: VertexId, equal: bool, changes: &mut Vec<Change>) -> bool {
        let Some(record) = self.aggregates.get_mut(&id) else { return false };
        if record.standing != Standing::Sound {
            return false;
        }
        self.revision += 1;
        if !equal {
            record.standing = Standing::Void;
            return true;
        }
        record.standing = Standing::Valid;
        let (base, count) = (record.base, record.updates.len());
        let inserted = self.tree.insert(id, base, u32::try_from(count).unwrap_or(u32::MAX));
        match inserted {
            Inserted::Extended => changes.push(Change::Head { head: id, switched: false }),
            Inserted::Switched => changes.push(Change::Head { head: id, switched: true }),
            Inserted::Aside | Inserted::Refused => {}
        }
        self.settle(id, changes);
        true
    }

    /// A vertex became known (an update) or valid (an aggregate): looks again at what waited.
    fn settle(&mut self, id: VertexId, changes: &mut Vec<Change>) {
        for aggregate in self.waiting.remove(&id).into_iter().flatten() {
            self.consider(aggregate, changes);
        }
    }

    /// Moves a waiting aggregate on as far as what it names allows.
    fn consider(&mut self, id: VertexId, changes: &mut Vec<Change>) {
        let Some(record) = self.aggregates.get(&id) else { return };
        if record.standing != Standing::Waiting {
            return;
        }
        let unknown_base = (!self.tree.contains(record.base)).then_some(record.base);
        let counts = |id: &VertexId| {
            self.updates.get(id).is_some_and(|update| self.counts(update))
                && !self.awaits_commitment(id)
        };
        let mut unknown = record.updates.iter().filter(|id| !counts(id));
        if let Some(missing) = unknown_base.or_else(|| unknown.next().copied()) {
            self.waiting.entry(missing).or_default().insert(id);
            return;
        }
        // Masked updates come to something once they are opened.
        if let (Some(masked), Some(first)) = (&self.masked, record.updates.first())
            && masked.opening(&record.updates).is_none()
        {
            self.waiting.entry(*first).or_default().insert(id);
            return;
        }
        let sound = self.follows_base(record)
            && self.updates_fit(record)
            && self.breach(&record.updates).is_none();
        if let Some(record) = self.aggregates.get_mut(&id) {
            record.standing = if sound { Standing::Sound } else { Standing::Void };
        }
        if sound {
            self.note_answered(&id);
            changes.push(Change::Sound(id));
        }
    }

    fn follows_base(&self, record: &AggregateRecord) -> bool {
        self.tree.round(record.base).is_some_and(|round| round.checked_add(1) == Some(record.round))
    }

    /// Same base and round, and no author twice.
    fn updates_fit(&self, record: &AggregateRecord) -> bool {
        let mut authors = BTreeSet::new();
        record.updates.iter().all(|id| {
            self.updates.get(id).is_some_and(|update| {
                update.base == record.base
                    && update.round == record.round
                    && authors.insert(update.author)
            })
        })
    }

    fn is_size(&self, bytes: u32) -> bool {
        usize::try_from(bytes).is_ok_and(|bytes| bytes == self.parameters * 4)
    }
}
