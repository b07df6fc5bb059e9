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
//!    known, and the history shows that it was the second attempt.
//!
//! When is manners, as in [`super::policy`]; what counts together is not ([`Run::breach`]).

use std::collections::{BTreeMap, BTreeSet};

use super::policy;
use super::run::Run;
use super::run::committed::{CommitmentRecord, Committed, WhyNot};
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
    /// Own commitments to the head that were queued, and may not be in the history yet (count).
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
        return if facts.queued == 0 { Step::Commit { attempt: 0 } } else { IDLE };
    };
    if facts.queued > own.attempt.saturating_add(1) {
        return IDLE;
    }
    // What was committed to is gone with a store or a branch: something new is promised.
    if trained != Some(own.hash) {
        return next(own);
    }
    let has_revealed = facts.revealed == Some(id) || look.is_revealed(&id);
    if !has_revealed && let Some(answers) = look.answers(&id, own) {
        return Step::Reveal { commitment: id, answers };
    }
    let due_ms = look.due_ms(u64::from(own.attempt).saturating_add(1));
    let is_behind = look.others().any(|(_, other)| other.attempt > own.attempt);
    if (has_revealed || is_behind) && facts.round.now_ms >= due_ms {
        return next(own);
    }
    let late_ms = look.late_ms(own.attempt);
    let due = [late_ms, due_ms].into_iter().find(|ms| *ms > facts.round.now_ms);
    Step::Wait { until_ms: due }
}

fn next(own: &CommitmentRecord) -> Step {
    let attempt = own.attempt.saturating_add(1);
    if attempt < limits::COMMITMENT_ATTEMPTS_MAX { Step::Commit { attempt } } else { IDLE }
}

struct Look<'a> {
    run: &'a Run,
    committed: &'a Committed,
    facts: &'a policy::Facts<'a>,
    seen_ms: &'a BTreeMap<VertexId, u64>,
    head: VertexId,
}

impl Look<'_> {
    /// When an attempt may be given up for the next one.
    fn due_ms(&self, attempts: u64) -> u64 {
        let each_ms = u64::from(self.run.spec().deadline_ms)
            .saturating_mul(limits::COMMITMENT_RETRY_DEADLINES);
        self.facts.adopted_ms.saturating_add(each_ms.saturating_mul(attempts))
    }

    /// When an attempt goes on without the missing.
    fn late_ms(&self, attempt: u32) -> u64 {
        self.due_ms(u64::from(attempt)).saturating_add(u64::from(self.run.spec().deadline_ms))
    }

    fn others(&self) -> impl Iterator<Item = (VertexId, &CommitmentRecord)> {
        let on_head = self.committed.commitments_on(&self.head);
        on_head.filter(|(_, known)| !self.facts.ended.contains(&known.author))
    }

    /// Whether an own commitment is opened by an update.
    fn is_revealed(&self, commitment: &VertexId) -> bool {
        self.run.updates_of(&self.head).any(|(id, update)| {
            let reveal = self.committed.reveal(&id);
            update.author == *self.facts.me
                && reveal.is_some_and(|reveal| reveal.commitment == *commitment)
        })
    }

    /// What to answer, once that is enough to reveal.
    fn answers(&self, id: &VertexId, own: &CommitmentRecord) -> Option<Vec<VertexId>> {
        let spec = self.run.spec();
        let out = self.out_of_reach(id, own);
        let mut active = policy::active(self.run, self.facts.joined_lately, self.facts.ended);
        let withheld = self.run.left_out(&self.head);
        active.retain(|author| {
            !out.contains(author) && withheld.get(author) != Some(&WhyNot::Withheld)
        });
        let minimum = count(spec.updates_min).max(1);
        let wanted = count(spec.quorum).min(active.len()).min(spec.updates_max()).max(minimum);
        let until_ms = self.first_reveal_ms(id, own, wanted);
        let counting = self.others().filter(|(other, known)| {
            let is_in_time = until_ms.is_none_or(|until_ms| self.seen(other) <= until_ms);
            let counts = self.run.is_member(&known.author) && !out.contains(&known.author);
            known.attempt == own.attempt && counts && is_in_time
        });
        let mut there: BTreeMap<AuthorId, VertexId> =
            counting.map(|(id, known)| (known.author, id)).collect();
        there.insert(own.author, *id);
        let is_late = self.facts.now_ms >= self.late_ms(own.attempt);
        if there.len() < if is_late { minimum } else { wanted } {
            return None;
        }
        let mut answers: Vec<VertexId> = there.into_values().filter(|other| other != id).collect();
        // More than one aggregate holds: all take the same ones.
        answers.sort_unstable();
        answers.truncate(limits::AGGREGATE_UPDATES_MAX - 1);
        answers.push(*id);
        answers.sort_unstable();
        Some(answers)
    }

    fn seen(&self, vertex: &VertexId) -> u64 {
        self.seen_ms.get(vertex).copied().unwrap_or(0)
    }

    /// Since when updates may be known to those who have not committed: the first reveal that
    /// answers the own commitment and as many as are waited for, or that came in the second half
    /// of the time. An early one with few answers is no reason to leave others out.
    fn first_reveal_ms(&self, id: &VertexId, own: &CommitmentRecord, wanted: usize) -> Option<u64> {
        let half_ms = u64::from(self.run.spec().deadline_ms) / 2;
        let from_ms = self.late_ms(own.attempt).saturating_sub(half_ms);
        let minimum = count(self.run.spec().updates_min);
        let counts = |(update, author): (VertexId, AuthorId)| {
            let is_it = self.committed.attempt(&update, &author, &self.head) == Some(own.attempt);
            let answers = &self.committed.reveal(&update)?.answers;
            let is_enough = answers.len() >= wanted
                || (answers.len() >= minimum && self.seen(&update) >= from_ms);
            let counts = is_it && is_enough && !self.facts.ended.contains(&author);
            (counts && answers.binary_search(id).is_ok()).then(|| self.seen(&update))
        };
        let updates = self.run.updates_of(&self.head);
        updates.filter_map(|(update, record)| counts((update, record.author))).min()
    }

    /// Members that cannot stand in one aggregate with this one: they committed twice, or have
    /// revealed without answering its commitment.
    fn out_of_reach(&self, id: &VertexId, own: &CommitmentRecord) -> BTreeSet<AuthorId> {
        let (mut once, mut out) = (BTreeSet::new(), BTreeSet::new());
        for (_, known) in self.others().filter(|(_, known)| known.attempt == own.attempt) {
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

/// Of these updates on a base, each in order, many that may stand in one aggregate: as long as two
/// of them may not, the one that goes with the fewest others is left out, and of those the one
/// whose commitment the fewest answer, because who commits late answers whom it has seen, and not
/// they it. And how many there may come to be: whose commitments all of them answer, but for those
/// who withheld an update last time.
pub fn mutual(run: &Run, updates: &[VertexId]) -> (Vec<VertexId>, usize) {
    let Some(committed) = run.committed() else { return (updates.to_vec(), updates.len()) };
    let mut left = updates.to_vec();
    left.truncate(limits::COMMITMENT_CANDIDATES_MAX);
    let author = |id: &VertexId| run.update(id).map(|update| update.author);
    let fits = |one: &VertexId, other: &VertexId| {
        one == other || (author(one) != author(other) && run.is_mutual(one, other))
    };
    let count = |of: &dyn Fn(&VertexId) -> bool| left.iter().filter(|id| of(id)).count();
    let mut with: BTreeMap<VertexId, [usize; 2]> = left
        .iter()
        .map(|one| {
            let answered = count(&|other| committed.answers(other, one));
            (*one, [count(&|other| fits(one, other)), answered])
        })
        .collect();
    loop {
        let odd = with.iter().filter(|(_, [with, _])| *with < left.len());
        let worst = odd.min_by_key(|(id, counts)| (**counts, std::cmp::Reverse(**id)));
        let Some(worst) = worst.map(|(id, _)| *id) else { break };
        left.retain(|id| *id != worst);
        with.remove(&worst);
        for (other, [with, answered]) in &mut with {
            *answered -= usize::from(committed.answers(&worst, other));
            *with -= usize::from(fits(&worst, other));
        }
    }
    let withheld = run.left_out(&run.head());
    let answered = left.first().and_then(|first| committed.reveal(first));
    let expected = answered.into_iter().flat_map(|reveal| &reveal.answers).filter(|id| {
        let by_all = left.iter().all(|update| {
            let reveal = committed.reveal(update);
            reveal.is_some_and(|reveal| reveal.answers.binary_search(id).is_ok())
        });
        let by = committed.commitment(id).map(|known| known.author);
        let is_waited_for = |by: &AuthorId| {
            let is_there = left.iter().any(|update| author(update).as_ref() == Some(by));
            is_there || withheld.get(by) != Some(&WhyNot::Withheld)
        };
        by_all && by.as_ref().is_some_and(is_waited_for)
    });
    let expected = expected.count();
    (left, expected)
}

fn count(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
