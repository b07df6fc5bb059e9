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
//! others; honest members that see both answer neither. Two commitments of an author for one
//! attempt show that, so of more than two only the ones with the lowest ids are looked at; what an
//! aggregate names counts or not whether its commitments are among these or not.
//!
//! What this does not stop: to commit and, once the others are seen, not to reveal. Such a member
//! loses its own update and nothing else, and [`Run::left_out`] tells who it was. Nor does it stop
//! a member from not answering one that committed in time: the history does not tell which of the
//! two was to blame.

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
    /// Commitments by base and attempt: of each author the two with the lowest ids.
    of_base: BTreeMap<VertexId, BTreeMap<u32, Attempt>>,
    /// What opens a commitment, by update; nothing of updates without one.
    reveals: BTreeMap<VertexId, RevealRecord>,
    /// Updates by the commitment they open, as they say.
    reveals_of: BTreeMap<VertexId, BTreeSet<VertexId>>,
    /// What every update of an aggregate answers, by aggregates that keep the rules.
    answered_by_all: BTreeMap<VertexId, Vec<VertexId>>,
}

/// Commitments for one attempt at a round: at most [`COMMITMENTS_KEPT`] of each author, by id.
type Attempt = BTreeMap<AuthorId, Vec<VertexId>>;

/// Commitments of one author for one attempt that are looked at (count): an honest author has one,
/// and two show that it is not.
const COMMITMENTS_KEPT: usize = 2;

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
    /// Most updates of the aggregate do not answer what it committed to: they were revealed before.
    Late,
    /// Some updates of the aggregate do not answer what it committed to, or it was for another
    /// attempt. Either it was late, or they passed it over.
    Unanswered,
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
            Self::Unanswered => "unanswered",
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
    /// This update does not answer that one's commitment: it was revealed before, or its author
    /// passed the other over.
    Unanswered(VertexId, VertexId),
}

impl Committed {
    /// A commitment.
    pub fn commitment(&self, id: &VertexId) -> Option<&CommitmentRecord> {
        self.commitments.get(id)
    }

    /// Commitments on a base, by attempt, author and id; at most two of an author for an attempt.
    pub fn commitments_on(
        &self,
        base: &VertexId,
    ) -> impl Iterator<Item = (VertexId, &CommitmentRecord)> {
        let attempts = self.of_base.get(base).into_iter().flat_map(BTreeMap::values);
        self.records_of(attempts)
    }

    /// The same for one attempt at the round.
    pub fn commitments_for(
        &self,
        base: &VertexId,
        attempt: u32,
    ) -> impl Iterator<Item = (VertexId, &CommitmentRecord)> {
        let attempts = self.of_base.get(base).and_then(|attempts| attempts.get(&attempt));
        self.records_of(attempts.into_iter())
    }

    fn records_of<'a>(
        &'a self,
        attempts: impl Iterator<Item = &'a Attempt>,
    ) -> impl Iterator<Item = (VertexId, &'a CommitmentRecord)> {
        let ids = attempts.flat_map(BTreeMap::values).flatten();
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
        let mut attempts = self.of_base.get(base).into_iter().flat_map(BTreeMap::values);
        attempts.any(|attempt| attempt.get(author).is_some_and(|ids| ids.len() > 1))
    }

    /// How many of some updates answer a commitment.
    fn answering(&self, updates: &[VertexId], commitment: &VertexId) -> usize {
        let answers = |id: &&VertexId| {
            let reveal = self.reveals.get(id);
            reveal.is_some_and(|reveal| reveal.answers.binary_search(commitment).is_ok())
        };
        updates.iter().filter(answers).count()
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
        let of_base = committed.of_base.entry(base).or_default();
        let own = of_base.entry(attempt).or_default().entry(author).or_default();
        if let Err(place) = own.binary_search(&id) {
            own.insert(place, id);
            own.truncate(COMMITMENTS_KEPT);
        }
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

    /// Remembers what all updates of an aggregate that keeps the rules answer.
    pub(super) fn note_answered(&mut self, aggregate: &VertexId) {
        let (Some(committed), Some(record)) = (&mut self.committed, self.aggregates.get(aggregate))
        else {
            return;
        };
        let Some((first, rest)) = record.updates.split_first() else { return };
        let Some(first) = committed.reveals.get(first) else { return };
        let mut answered = first.answers.clone();
        answered.retain(|id| committed.answering(rest, id) == rest.len());
        committed.answered_by_all.insert(*aggregate, answered);
    }

    /// Members that nobody waits for: what they committed to was answered by all of an aggregate
    /// in the chosen chain, and the update is not in it. The last aggregate that says either of a
    /// member counts, of the last [`limits::COMMITMENT_ROUNDS_REMEMBERED`].
    pub fn defaulted(&self) -> BTreeSet<AuthorId> {
        let (mut known, mut defaulted) = (BTreeSet::new(), BTreeSet::new());
        let Some(committed) = &self.committed else { return defaulted };
        let mut next = self.head();
        for _ in 0..limits::COMMITMENT_ROUNDS_REMEMBERED {
            let (Some(record), Some(answered)) =
                (self.aggregates.get(&next), committed.answered_by_all.get(&next))
            else {
                break;
            };
            known.append(&mut self.contributors(&next));
            let answered = answered.iter().filter_map(|id| committed.commitments.get(id));
            let authors = answered.filter(|known| known.base == record.base);
            for author in authors.map(|known| known.author) {
                if known.insert(author) {
                    defaulted.insert(author);
                }
            }
            next = record.base;
        }
        defaulted
    }

    /// Whose updates an aggregate of a run with commitments does not have, and why, by id: at most
    /// [`limits::LEFT_OUT_MAX`] of the members that committed or sent an update on its base, those
    /// with an update in the aggregate before first.
    pub fn left_out(&self, aggregate: &VertexId) -> BTreeMap<AuthorId, WhyNot> {
        let (Some(committed), Some(record)) = (&self.committed, self.aggregates.get(aggregate))
        else {
            return BTreeMap::new();
        };
        let base = &record.base;
        let mut authors: BTreeSet<AuthorId> =
            committed.commitments_on(base).map(|(_, record)| record.author).collect();
        authors.extend(self.updates_of(base).map(|(_, update)| update.author));
        let taken = self.contributors(aggregate);
        authors.retain(|author| !taken.contains(author) && self.members.contains_key(author));
        let before = self.contributors(base);
        let mut authors: Vec<AuthorId> = authors.into_iter().collect();
        authors.sort_by_key(|author| (!before.contains(author), *author));
        authors.truncate(limits::LEFT_OUT_MAX);
        authors
            .into_iter()
            .map(|author| (author, self.why_not(committed, record, &author)))
            .collect()
    }

    /// Only what was committed to for the attempt of the aggregate is measured by it.
    fn why_not(
        &self,
        committed: &Committed,
        aggregate: &AggregateRecord,
        author: &AuthorId,
    ) -> WhyNot {
        let (base, updates) = (&aggregate.base, &aggregate.updates);
        if committed.has_doubled(author, base) {
            return WhyNot::Doubled;
        }
        if let Some(why) = self.disorder(committed, base, author) {
            return why;
        }
        let of = |id: &VertexId| committed.attempt(id, &self.updates.get(id)?.author, base);
        let attempt = updates.iter().filter_map(of).max().unwrap_or(0);
        let mut own = committed.commitments_for(base, attempt);
        let Some((id, _)) = own.find(|(_, known)| known.author == *author) else {
            return WhyNot::Unanswered;
        };
        let answering = committed.answering(updates, &id);
        if answering < updates.len() {
            return if answering * 2 < updates.len() { WhyNot::Late } else { WhyNot::Unanswered };
        }
        let sent = committed.reveals_of.get(&id).into_iter().flatten();
        let mut sent = sent.filter(|update| self.is_in_order(update));
        if sent.next().is_some() { WhyNot::LeftOut } else { WhyNot::Withheld }
    }

    /// What is wrong with the worst update of an author on a base; nothing if all are in order.
    fn disorder(
        &self,
        committed: &Committed,
        base: &VertexId,
        author: &AuthorId,
    ) -> Option<WhyNot> {
        let own = self.updates_of(base).filter(|(_, update)| update.author == *author);
        let disordered = own.filter(|(id, _)| !self.is_in_order(id));
        let why = disordered.map(|(id, _)| match committed.reveals.get(&id) {
            Some(reveal) if committed.commitments.contains_key(&reveal.commitment) => {
                WhyNot::Mismatched
            }
            _ => WhyNot::Uncommitted,
        });
        why.min()
    }
}
