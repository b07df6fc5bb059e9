//! The commitments of one run, folded from the history.
//!
//! An update is *in order* when it opens a commitment of its author on its base: what is hashed is
//! what was promised. Updates count together when each of them answers the commitments of all:
//! whoever saw one of them before it committed is answered by none that was there before, so it
//! stands in no aggregate with it. That is a function of the aggregate and of what it names, the
//! same for everybody, in whatever order things arrived.
//!
//! An author may commit once for each attempt at a round. Who commits twice can be answered with
//! one of the two by some and with the other by others, and then counts with the ones or with the
//! others; honest members that see both answer neither.
//!
//! What this does not stop: to commit and, once the others are seen, not to reveal. Such a member
//! loses its own update and nothing else, and [`Run::left_out`] tells who it was.

use std::collections::{BTreeMap, BTreeSet};

use super::{AggregateRecord, Change, Run};
use crate::dag::commitment::{self, Commitment, Reveal};
use crate::dag::{Update, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// What was committed to in a run, and what was revealed.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    commitments: BTreeMap<VertexId, CommitmentRecord>,
    /// Commitments by base.
    of_base: BTreeMap<VertexId, BTreeSet<VertexId>>,
    /// What opens a commitment, by update; nothing of updates without one.
    reveals: BTreeMap<VertexId, RevealRecord>,
    /// Updates by the commitment they open, as they say.
    reveals_of: BTreeMap<VertexId, BTreeSet<VertexId>>,
}

/// A commitment and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitmentRecord {
    /// Who committed.
    pub author: AuthorId,
    /// Position of its vertex in the author's chain.
    pub seq: u64,
    /// What the update is trained from.
    pub base: VertexId,
    /// Which try of the round it is for.
    pub attempt: u32,
    /// What was committed to.
    pub hash: [u8; 32],
}

/// What an update says to its commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevealRecord {
    /// The commitment it opens.
    pub commitment: VertexId,
    /// What it had to commit to.
    pub hash: [u8; 32],
    /// The commitments that were there before, ascending.
    pub answers: Vec<VertexId>,
}

/// Why a member's update is not in an aggregate of a run with commitments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNot {
    /// It committed twice for one attempt.
    Doubled,
    /// It sent an update without a commitment, or with one that is not there.
    Uncommitted,
    /// It revealed something else than it had committed to.
    Mismatched,
    /// It committed after updates of the aggregate were revealed.
    Late,
    /// It committed in time, and has revealed nothing.
    Withheld,
    /// Its update is in order; who proposed the aggregate did not take it.
    LeftOut,
}

impl WhyNot {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Doubled => "doubled",
            Self::Uncommitted => "uncommitted",
            Self::Mismatched => "mismatched",
            Self::Late => "late-commitment",
            Self::Withheld => "withheld",
            Self::LeftOut => "left-out",
        }
    }
}

/// Why updates do not count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// This update opens no commitment of its author.
    Disordered(VertexId),
    /// This update does not answer that one's commitment.
    Unanswered(VertexId, VertexId),
}

impl Committed {
    /// A commitment.
    pub fn commitment(&self, id: &VertexId) -> Option<&CommitmentRecord> {
        self.commitments.get(id)
    }

    /// Commitments on a base, in the order of their ids.
    pub fn commitments_on(
        &self,
        base: &VertexId,
    ) -> impl Iterator<Item = (VertexId, &CommitmentRecord)> {
        let ids = self.of_base.get(base).into_iter().flatten();
        ids.filter_map(|id| self.commitments.get(id).map(|record| (*id, record)))
    }

    /// What an update says to its commitment.
    pub fn reveal(&self, update: &VertexId) -> Option<&RevealRecord> {
        self.reveals.get(update)
    }

    /// The attempt that an update opens the commitment of; nothing unless it is in order.
    pub fn attempt(&self, update: &VertexId, author: &AuthorId, base: &VertexId) -> Option<u32> {
        let reveal = self.reveals.get(update)?;
        let promised = self.commitments.get(&reveal.commitment)?;
        let is_it =
            promised.author == *author && promised.base == *base && promised.hash == reveal.hash;
        is_it.then_some(promised.attempt)
    }

    /// Whether an update's commitment may still come.
    fn is_awaited(&self, update: &VertexId) -> bool {
        let reveal = self.reveals.get(update);
        reveal.is_some_and(|reveal| !self.commitments.contains_key(&reveal.commitment))
    }

    /// Whether one update answers the commitment of another.
    pub fn answers(&self, update: &VertexId, other: &VertexId) -> bool {
        let (Some(reveal), Some(other)) = (self.reveals.get(update), self.reveals.get(other))
        else {
            return false;
        };
        reveal.answers.binary_search(&other.commitment).is_ok()
    }

    /// Whether an author has two commitments for one attempt at the round on a base.
    pub fn has_doubled(&self, author: &AuthorId, base: &VertexId) -> bool {
        let mut attempts = BTreeSet::new();
        let mut own = self.commitments_on(base).filter(|(_, record)| record.author == *author);
        !own.all(|(_, record)| attempts.insert(record.attempt))
    }
}

impl Run {
    /// What was committed to and revealed, in a run with commitments.
    pub fn committed(&self) -> Option<&Committed> {
        self.committed.as_ref()
    }

    /// Takes a commitment.
    pub(in crate::federated) fn add_commitment(
        &mut self,
        id: VertexId,
        (author, seq): (AuthorId, u64),
        commitment: &Commitment,
        changes: &mut Vec<Change>,
    ) {
        let Some(committed) = &mut self.committed else { return };
        let Commitment { base, attempt, hash, .. } = *commitment;
        let record = CommitmentRecord { author, seq, base, attempt, hash: *hash };
        committed.of_base.entry(base).or_default().insert(id);
        committed.commitments.insert(id, record);
        let opened = committed.reveals_of.get(&id).cloned().unwrap_or_default();
        self.revision += 1;
        changes.push(Change::Commitment(id));
        for update in opened {
            self.settle(update, changes);
        }
    }

    /// Takes what an update says to its commitment.
    pub(super) fn add_reveal(
        &mut self,
        id: VertexId,
        author: &AuthorId,
        update: &Update,
        reveal: &Reveal,
    ) {
        let Some(committed) = &mut self.committed else { return };
        let Reveal { commitment, nonce, answers } = reveal;
        let hash = commitment::hash(update, author, nonce);
        let record = RevealRecord { commitment: *commitment, hash, answers: answers.clone() };
        committed.reveals.insert(id, record);
        committed.reveals_of.entry(*commitment).or_default().insert(id);
    }

    /// Whether an update waits for its commitment.
    pub(super) fn awaits_commitment(&self, update: &VertexId) -> bool {
        self.committed.as_ref().is_some_and(|committed| committed.is_awaited(update))
    }

    /// Whether an update opens a commitment of its author; any update of a run without them.
    pub fn is_in_order(&self, update: &VertexId) -> bool {
        let Some(committed) = &self.committed else { return true };
        let record = self.updates.get(update);
        record.and_then(|record| committed.attempt(update, &record.author, &record.base)).is_some()
    }

    /// Whether two updates in order may stand in one aggregate: each answers the other's
    /// commitment.
    pub fn is_mutual(&self, one: &VertexId, other: &VertexId) -> bool {
        let Some(committed) = &self.committed else { return true };
        committed.answers(one, other) && committed.answers(other, one)
    }

    /// Why updates do not count together; nothing when they do, or in a run without commitments.
    pub fn breach(&self, updates: &[VertexId]) -> Option<Breach> {
        let committed = self.committed.as_ref()?;
        if let Some(update) = updates.iter().find(|id| !self.is_in_order(id)) {
            return Some(Breach::Disordered(*update));
        }
        let pairs = updates.iter().flat_map(|one| updates.iter().map(move |other| (one, other)));
        let mut open = pairs.filter(|(one, other)| !committed.answers(one, other));
        open.next().map(|(one, other)| Breach::Unanswered(*one, *other))
    }

    /// Whose updates an aggregate of a run with commitments does not have, and why, by id: at most
    /// [`limits::LEFT_OUT_MAX`] of everybody who committed or sent an update on its base.
    pub fn left_out(&self, aggregate: &VertexId) -> BTreeMap<AuthorId, WhyNot> {
        let (Some(committed), Some(record)) = (&self.committed, self.aggregates.get(aggregate))
        else {
            return BTreeMap::new();
        };
        let base = &record.base;
        let mut authors: BTreeSet<AuthorId> =
            committed.commitments_on(base).map(|(_, record)| record.author).collect();
        authors.extend(self.updates_of(base).map(|(_, update)| update.author));
        for author in self.contributors(aggregate) {
            authors.remove(&author);
        }
        let authors = authors.into_iter().take(limits::LEFT_OUT_MAX);
        authors.map(|author| (author, self.why_not(committed, record, &author))).collect()
    }

    fn why_not(
        &self,
        committed: &Committed,
        aggregate: &AggregateRecord,
        author: &AuthorId,
    ) -> WhyNot {
        let base = &aggregate.base;
        if committed.has_doubled(author, base) {
            return WhyNot::Doubled;
        }
        let is_answered = |commitment: &VertexId| {
            let answers = |id: &VertexId| {
                let reveal = committed.reveals.get(id);
                reveal.is_some_and(|reveal| reveal.answers.binary_search(commitment).is_ok())
            };
            aggregate.updates.iter().all(answers)
        };
        let mut worst = None;
        for (id, _) in self.updates_of(base).filter(|(_, update)| update.author == *author) {
            let why = match committed.reveals.get(&id) {
                _ if self.is_in_order(&id) => {
                    let reveal = committed.reveals.get(&id);
                    let in_time = reveal.is_some_and(|reveal| is_answered(&reveal.commitment));
                    if in_time { WhyNot::LeftOut } else { WhyNot::Late }
                }
                Some(reveal) if committed.commitments.contains_key(&reveal.commitment) => {
                    WhyNot::Mismatched
                }
                _ => WhyNot::Uncommitted,
            };
            worst = Some(worst.map_or(why, |worst: WhyNot| worst.min(why)));
        }
        if let Some(worst) = worst {
            return worst;
        }
        let mut own = committed.commitments_on(base).filter(|(_, known)| known.author == *author);
        if own.any(|(id, _)| is_answered(&id)) { WhyNot::Withheld } else { WhyNot::Late }
    }
}
