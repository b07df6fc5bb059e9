//! What a member of a run with commitments does, and when.
//!
//! 1. *Commit* to the update as soon as it is trained.
//! 2. *Reveal* it when the commitments of the quorum are there, or of all active members if they
//!    are fewer; or when the deadline has passed and the minimum is there. The reveal answers every
//!    commitment that is there. So whoever waits for others' updates before it commits comes too
//!    late for all who have revealed.
//!    Once others have revealed, what is committed to later is not answered any more.
//! 3. Commit *anew* if some deadlines after the reveal the round has come to nothing, such as
//!    because a partition had members answer different commitments. What was revealed by then is
//!    known, and the history shows that it was the second attempt. Who comes late begins with the
//!    attempt that so many others are at as make the minimum with it, and in step with them.
//!
//! When is manners, as in [`super::policy`]; what counts together is not ([`Run::breach`]). What
//! anybody can write moves nobody: a reveal counts as one by the known commitments of members that
//! it answers, and an attempt by the members that are at it.
//!
//! Complexity: a look costs `O(u a log a)` for `u` updates that answer `a` commitments each, and
//! `O(n^2)` for the largest set among `n` updates; a node looks only when something has changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::policy;
use super::run::Run;
use super::run::committed::{CommitmentRecord, Committed, RevealRecord};
use crate::dag::VertexId;
use crate::identity::AuthorId;
use crate::limits;

/// What a node knows beyond the history.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What every policy goes by; `ripe_ms` is not used.
    pub round: policy::Facts<'a>,
    /// What the own commitment to what was trained for the head is, if something was: none of it
    /// yet, or this hash.
    pub trained: Option<Option<[u8; 32]>>,
    /// One more than the attempt of the own commitment to the head that was queued last, and may
    /// not be in the history yet; 0 for none.
    pub queued: u32,
    /// The own commitment that was revealed last, and may not be in the history yet.
    pub revealed: Option<VertexId>,
    /// When commitments to the head and updates on it were first seen; what is not in it, at once.
    pub seen_ms: &'a BTreeMap<VertexId, u64>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing until the history changes, or until this time.
    Wait {
        /// Monotonic time, in milliseconds.
        until_ms: Option<u64>,
    },
    /// Commit to what was trained.
    Commit {
        /// Which attempt at the round, from 0.
        attempt: u32,
    },
    /// Send it.
    Reveal {
        /// The own commitment.
        commitment: VertexId,
        /// The commitments that are there, by id.
        answers: Vec<VertexId>,
    },
}

const IDLE: Step = Step::Wait { until_ms: None };

/// Updates that may stand in one aggregate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mutual {
    /// By id.
    pub updates: Vec<VertexId>,
    /// How many there may come to be (count): commitments that all of them answer, but for those
    /// that nobody waits for.
    pub expected: usize,
    /// The attempt that they are for.
    pub attempt: u32,
}

impl Mutual {
    /// For which attempt there were enough updates first, and when: `before`, unless these are
    /// enough of a later one.
    pub fn since(
        &self,
        minimum: usize,
        before: Option<(u32, u64)>,
        now_ms: u64,
    ) -> Option<(u32, u64)> {
        let is_later = before.is_none_or(|(attempt, _)| attempt < self.attempt);
        let is_enough = self.updates.len() >= minimum.max(1);
        if is_enough && is_later { Some((self.attempt, now_ms)) } else { before }
    }
}

/// Decides about the own update for the round that follows the head.
pub fn step(run: &Run, facts: &Facts<'_>) -> Step {
    let is_idle = run.is_finished() || !run.is_member(facts.round.me);
    let (Some(committed), Some(trained), false) = (run.committed(), facts.trained, is_idle) else {
        return IDLE;
    };
    let head = run.head();
    let look = Look { run, committed, facts: &facts.round, seen_ms: facts.seen_ms, head };
    let own = committed.commitments_on(&head).filter(|(_, known)| known.author == *facts.round.me);
    let Some((id, own)) = own.max_by_key(|(_, known)| (known.attempt, known.seq)) else {
        let attempt = look.newest().min(limits::COMMITMENT_CATCH_UP_MAX);
        return if facts.queued == 0 { Step::Commit { attempt } } else { IDLE };
    };
    if facts.queued > own.attempt.saturating_add(1) {
        return IDLE;
    }
    // What was committed to is gone with a store or a branch: something new is promised.
    if trained != Some(own.hash) {
        return look.next(own);
    }
    let revealed_ms = look.revealed_ms(&id);
    let has_revealed = facts.revealed == Some(id) || revealed_ms.is_some();
    if !has_revealed && let Some(answers) = look.answers(&id, own) {
        return Step::Reveal { commitment: id, answers };
    }
    let now_ms = facts.round.now_ms;
    let due_ms = look.due_ms(&id, own, revealed_ms);
    let is_over = if has_revealed { revealed_ms.is_some() } else { look.is_behind(own) };
    if is_over && now_ms >= due_ms {
        return look.next(own);
    }
    let times = [look.late_ms(&id, own), due_ms];
    Step::Wait { until_ms: times.into_iter().filter(|ms| *ms > now_ms).min() }
}

struct Look<'a> {
    run: &'a Run,
    committed: &'a Committed,
    facts: &'a policy::Facts<'a>,
    seen_ms: &'a BTreeMap<VertexId, u64>,
    head: VertexId,
}

/// When an attempt began, for those who take part and for this member.
struct Began {
    all_ms: u64,
    own_ms: u64,
}

impl Look<'_> {
    /// Commits for the next attempt, or for the one that others are at.
    fn next(&self, own: &CommitmentRecord) -> Step {
        let most = own.attempt.saturating_add(limits::COMMITMENT_CATCH_UP_MAX);
        match own.attempt.checked_add(1) {
            Some(next) => Step::Commit { attempt: next.max(self.newest().min(most)) },
            None => IDLE,
        }
    }

    /// How many others make the minimum of a round with this member (count).
    fn others_min(&self) -> usize {
        count(self.run.spec().updates_min).saturating_sub(1).max(1)
    }

    /// The last attempt that enough others are at, or past: two of them wherever as many take part,
    /// so that one alone moves nobody, and none who withheld what it had promised.
    fn newest(&self) -> u32 {
        let mut others = policy::active(self.run, self.facts.joined_lately, self.facts.ended);
        let defaulted = self.run.defaulted();
        others.retain(|author| author != self.facts.me && !defaulted.contains(author));
        let mut last: BTreeMap<AuthorId, u32> = BTreeMap::new();
        for (_, known) in self.others().filter(|(_, known)| others.contains(&known.author)) {
            let attempt = last.entry(known.author).or_default();
            *attempt = (*attempt).max(known.attempt);
        }
        let mut last: Vec<u32> = last.into_values().collect();
        last.sort_unstable_by_key(|attempt| Reverse(*attempt));
        let enough = self.others_min().max(others.len().min(2));
        last.get(enough - 1).copied().unwrap_or(0)
    }

    /// Whether anybody is at a later attempt. An update that is not shown yet may be promised anew
    /// without telling anything.
    fn is_behind(&self, own: &CommitmentRecord) -> bool {
        self.others().any(|(_, other)| other.attempt > own.attempt)
    }

    /// Attempts are counted from when enough others were seen at them, so that who comes late is
    /// in step; the first from when the head was adopted.
    fn began(&self, id: &VertexId, own: &CommitmentRecord) -> Began {
        let adopted_ms = self.facts.adopted_ms;
        if own.attempt == 0 {
            return Began { all_ms: adopted_ms, own_ms: adopted_ms };
        }
        let own_ms = self.seen(id).max(adopted_ms);
        let mut first: BTreeMap<AuthorId, u64> = BTreeMap::new();
        for (other, known) in self.others().filter(|(_, known)| known.attempt >= own.attempt) {
            let ms = first.entry(known.author).or_insert(u64::MAX);
            *ms = (*ms).min(self.seen(&other));
        }
        first.remove(self.facts.me);
        let mut first: Vec<u64> = first.into_values().collect();
        first.sort_unstable();
        let others_ms = first.get(self.others_min() - 1).copied().unwrap_or(own_ms);
        Began { all_ms: others_ms.clamp(adopted_ms, own_ms), own_ms }
    }

    fn deadlines_ms(&self, deadlines: u64) -> u64 {
        u64::from(self.run.spec().deadline_ms).saturating_mul(deadlines)
    }

    /// When an attempt goes on without the missing. Whoever begins before the others do leaves them
    /// half of the time at least.
    fn late_ms(&self, id: &VertexId, own: &CommitmentRecord) -> u64 {
        let Began { all_ms, own_ms } = self.began(id, own);
        let half_ms = own_ms.saturating_add(self.deadlines_ms(1) / 2);
        all_ms.saturating_add(self.deadlines_ms(1)).max(half_ms)
    }

    /// When the second half of that time begins.
    fn half_ms(&self, id: &VertexId, own: &CommitmentRecord) -> u64 {
        self.late_ms(id, own).saturating_sub(self.deadlines_ms(1) / 2)
    }

    /// When an attempt may be given up for the next one; two deadlines after the own update was
    /// revealed, if it was, because it may still be aggregated.
    fn due_ms(&self, id: &VertexId, own: &CommitmentRecord, revealed_ms: Option<u64>) -> u64 {
        let Began { all_ms, own_ms } = self.began(id, own);
        let all_ms = all_ms.saturating_add(self.deadlines_ms(limits::COMMITMENT_RETRY_DEADLINES));
        let own_ms = own_ms.saturating_add(self.deadlines_ms(1));
        let shown_ms = revealed_ms.map_or(0, |ms| ms.saturating_add(self.deadlines_ms(2)));
        all_ms.max(own_ms).max(shown_ms)
    }

    /// Commitments of members, this one among them.
    fn others(&self) -> impl Iterator<Item = (VertexId, &CommitmentRecord)> {
        let on_head = self.committed.commitments_on(&self.head);
        on_head.filter(|(_, known)| self.takes_part(&known.author))
    }

    fn takes_part(&self, author: &AuthorId) -> bool {
        self.run.is_member(author) && !self.facts.ended.contains(author)
    }

    /// When the own update that opens a commitment was seen, if there is one.
    fn revealed_ms(&self, commitment: &VertexId) -> Option<u64> {
        let mut own = self.run.updates_of(&self.head).filter(|(id, update)| {
            let reveal = self.committed.reveal(id);
            update.author == *self.facts.me
                && reveal.is_some_and(|reveal| reveal.commitment == *commitment)
        });
        own.next().map(|(id, _)| self.seen(&id))
    }

    /// What to answer, once that is enough to reveal.
    fn answers(&self, id: &VertexId, own: &CommitmentRecord) -> Option<Vec<VertexId>> {
        let spec = self.run.spec();
        let out = self.out_of_reach(id, own);
        let mut active = policy::active(self.run, self.facts.joined_lately, self.facts.ended);
        let defaulted = self.run.defaulted();
        active.retain(|author| !out.contains(author) && !defaulted.contains(author));
        let minimum = count(spec.updates_min).max(1);
        let wanted = count(spec.quorum).min(active.len()).min(spec.updates_max()).max(minimum);
        let counting = self.committed.commitments_for(&self.head, own.attempt);
        let counting: BTreeMap<VertexId, AuthorId> = counting
            .filter(|(_, known)| self.takes_part(&known.author) && !out.contains(&known.author))
            .map(|(other, known)| (other, known.author))
            .collect();
        let (first_ms, first) = self.first_reveals((id, own), &counting, wanted);
        let mut answers: Vec<VertexId> = counting.into_keys().collect();
        answers.retain(|other| {
            let by = first.iter().filter(|reveal| reveal.answers.binary_search(other).is_ok());
            other == id || self.seen(other) < first_ms || by.count() * 2 > first.len()
        });
        let is_late = self.facts.now_ms >= self.late_ms(id, own);
        if answers.len() < if is_late { minimum } else { wanted } {
            return None;
        }
        // More than one aggregate holds: all take the same ones.
        answers.retain(|other| other != id);
        answers.truncate(limits::AGGREGATE_UPDATES_MAX - 1);
        answers.push(*id);
        answers.sort_unstable();
        Some(answers)
    }

    fn seen(&self, vertex: &VertexId) -> u64 {
        self.seen_ms.get(vertex).copied().unwrap_or(0)
    }

    /// Since when updates may be known to those who have not committed, and what showed it: the
    /// first reveals that answer the own commitment and as many of those that count as are waited
    /// for, or that came in the second half of the time. An early one with few answers is no reason
    /// to leave others out, and names that nobody knows are no answers.
    fn first_reveals(
        &self,
        (id, own): (&VertexId, &CommitmentRecord),
        counting: &BTreeMap<VertexId, AuthorId>,
        wanted: usize,
    ) -> (u64, Vec<&RevealRecord>) {
        let from_ms = self.half_ms(id, own);
        let minimum = count(self.run.spec().updates_min);
        let (mut first_ms, mut first) = (u64::MAX, Vec::new());
        for (update, record) in self.run.updates_of(&self.head) {
            let seen_ms = self.seen(&update);
            let Some(reveal) = self.committed.reveal(&update) else { continue };
            // Of those who count an update opens the only commitment that they have.
            let is_it = counting.get(&reveal.commitment) == Some(&record.author)
                && self.run.is_in_order(&update)
                && reveal.answers.binary_search(id).is_ok();
            if seen_ms > first_ms || !is_it {
                continue;
            }
            let answered = reveal.answers.iter().filter(|id| counting.contains_key(id)).count();
            if answered < wanted && (answered < minimum || seen_ms < from_ms) {
                continue;
            }
            if seen_ms < first_ms {
                first.clear();
            }
            first_ms = seen_ms;
            first.push(reveal);
        }
        (first_ms, first)
    }

    /// Members that cannot stand in one aggregate with this one: they committed twice, or have
    /// revealed without answering its commitment.
    fn out_of_reach(&self, id: &VertexId, own: &CommitmentRecord) -> BTreeSet<AuthorId> {
        let (mut once, mut out) = (BTreeSet::new(), BTreeSet::new());
        for (_, known) in self.committed.commitments_for(&self.head, own.attempt) {
            if !once.insert(known.author) {
                out.insert(known.author);
            }
        }
        for (update, record) in self.run.updates_of(&self.head) {
            let attempt = self.committed.attempt(&update, &record.author, &self.head);
            let reveal = self.committed.reveal(&update);
            let is_past = attempt == Some(own.attempt)
                && reveal.is_some_and(|reveal| reveal.answers.binary_search(id).is_err());
            if is_past {
                out.insert(record.author);
            }
        }
        out.remove(&own.author);
        out
    }
}

/// Of these updates on a base, many that may stand in one aggregate: as long as two of them may
/// not, the one that goes with the fewest others is left out, and of those the one whose commitment
/// the fewest answer, because who commits late answers whom it has seen, and not they it. Then the
/// one of the later attempt, for which more was known.
///
/// Of more than [`limits::COMMITMENT_CANDIDATES_MAX`] those that their authors revealed last come
/// first. `ended` are members that are known to have equivocated.
pub fn mutual(run: &Run, updates: &[VertexId], ended: &BTreeSet<AuthorId>) -> Mutual {
    mutual_of(run, updates, ended, limits::COMMITMENT_CANDIDATES_MAX)
}

/// The same, with so many looked at.
pub(super) fn mutual_of(
    run: &Run,
    updates: &[VertexId],
    ended: &BTreeSet<AuthorId>,
    most: usize,
) -> Mutual {
    let Some(committed) = run.committed() else {
        return Mutual { updates: updates.to_vec(), expected: updates.len(), attempt: 0 };
    };
    let mut left = candidates(run, committed, updates, most);
    loop {
        let all = left.len();
        let odd = left.iter().enumerate().filter(|(_, one)| one.with < all);
        let key = |one: &Candidate<'_>| (one.with, one.answered, Reverse((one.attempt, one.id)));
        let Some((at, _)) = odd.min_by_key(|(_, one)| key(one)) else { break };
        let worst = left.remove(at);
        for other in &mut left {
            other.answered -= usize::from(worst.answers(other));
            other.with -= usize::from(worst.fits(other));
        }
    }
    let defaulted = run.defaulted();
    let is_expected = |id: &&VertexId| {
        let Some(by) = committed.commitment(id).map(|known| known.author) else { return false };
        let is_waited_for =
            || run.is_member(&by) && !ended.contains(&by) && !defaulted.contains(&by);
        left.iter().all(|one| one.reveal.answers.binary_search(id).is_ok())
            && (left.iter().any(|one| one.author == by) || is_waited_for())
    };
    let answered = left.first().into_iter().flat_map(|first| &first.reveal.answers);
    Mutual {
        expected: answered.filter(is_expected).count(),
        attempt: left.iter().map(|one| one.attempt).max().unwrap_or(0),
        updates: left.iter().map(|one| one.id).collect(),
    }
}

/// An update in order, and how it goes with the others.
struct Candidate<'a> {
    id: VertexId,
    author: AuthorId,
    attempt: u32,
    reveal: &'a RevealRecord,
    /// With how many it may stand in one aggregate, itself included (count).
    with: usize,
    /// How many answer its commitment (count).
    answered: usize,
}

impl Candidate<'_> {
    fn answers(&self, other: &Self) -> bool {
        self.reveal.answers.binary_search(&other.reveal.commitment).is_ok()
    }

    fn fits(&self, other: &Self) -> bool {
        self.id == other.id
            || (self.author != other.author && self.answers(other) && other.answers(self))
    }
}

/// At most as many as are looked at, by id.
fn candidates<'a>(
    run: &Run,
    committed: &'a Committed,
    updates: &[VertexId],
    most: usize,
) -> Vec<Candidate<'a>> {
    let of = |id: &VertexId| {
        let update = run.update(id)?;
        let attempt = committed.attempt(id, &update.author, &update.base)?;
        let (author, reveal) = (update.author, committed.reveal(id)?);
        Some(Candidate { id: *id, author, attempt, reveal, with: 0, answered: 0 })
    };
    let mut all: Vec<Candidate<'_>> = updates.iter().filter_map(of).collect();
    all.sort_unstable_by_key(|one| (one.author, Reverse(one.attempt), one.id));
    let (mut before, mut rank) = (None, 0_usize);
    let mut ranked: Vec<(usize, Candidate<'_>)> = all
        .into_iter()
        .map(|one| {
            rank = if before == Some(one.author) { rank + 1 } else { 0 };
            before = Some(one.author);
            (rank, one)
        })
        .collect();
    ranked.sort_by_key(|(rank, one)| (*rank, one.id));
    ranked.truncate(most);
    let mut left: Vec<Candidate<'_>> = ranked.into_iter().map(|(_, one)| one).collect();
    left.sort_unstable_by_key(|one| one.id);
    let counts: Vec<(usize, usize)> = left
        .iter()
        .map(|one| {
            let with = left.iter().filter(|other| one.fits(other)).count();
            (with, left.iter().filter(|other| other.answers(one)).count())
        })
        .collect();
    for (one, counts) in left.iter_mut().zip(counts) {
        (one.with, one.answered) = counts;
    }
    left
}

fn count(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
