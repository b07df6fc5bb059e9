//! Who proposes an aggregate, and when.
//!
//! This is manners, not law: an aggregate proposed against all of it is as valid as any other. The
//! aim is one proposal per round with as many updates as can be had, without waiting for the dead
//! and without anyone in charge.
//!
//! - *Active* are the contributors of the head, authors with an update for the head or for its base
//!   (they came too late and are working), and members that joined lately.
//! - With commitments those count as updates do; see [`super::committing`].
//! - A round is *ripe* when it has updates of the quorum, or of all active members if they are
//!   fewer; or when the deadline has passed since the head was adopted and the minimum is there.
//! - In a ripe round members take turns by the order of `hash(head, author)`, one every
//!   [`limits::PROPOSER_STAGGER_MS`]: the first usually is the only one.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::committing::Mutual;
use super::run::Run;
use super::run::masked::Masked;
use crate::crypto::hash::Digest;
use crate::dag::VertexId;
use crate::identity::AuthorId;
use crate::limits;

/// What a node knows beyond the history when it decides about proposing.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The node's own author.
    pub me: &'a AuthorId,
    /// Monotonic time, in milliseconds.
    pub now_ms: u64,
    /// When the head was adopted.
    pub adopted_ms: u64,
    /// Since when the round has been ripe, as far as was seen.
    pub ripe_ms: Option<u64>,
    /// In a run with commitments, which usable updates on the head may stand in one aggregate, and
    /// since when they are the minimum or more, in milliseconds.
    pub mutual: Option<(&'a Mutual, u64)>,
    /// Members that joined while the head or its base was the head.
    pub joined_lately: &'a BTreeSet<AuthorId>,
    /// Members that are known to have equivocated.
    pub ended: &'a BTreeSet<AuthorId>,
}

/// What to do about the round now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing until the history changes.
    Idle,
    /// Not ripe; look again at this time even if nothing comes.
    Unripe {
        /// Monotonic time, in milliseconds.
        until_ms: u64,
    },
    /// Ripe, and others come first; look again at this time.
    Turn {
        /// Monotonic time, in milliseconds.
        until_ms: u64,
    },
    /// Ripe, and it is this node's turn: propose these updates, sorted by id.
    Propose(Vec<VertexId>),
}

/// Decides about the round that follows the head; `usable` says whether an update's blob is here
/// and in order.
pub fn step(run: &Run, facts: &Facts, usable: impl Fn(&VertexId) -> bool) -> Step {
    if let Some(step) = early_step(run, facts.me, facts.now_ms, facts.adopted_ms) {
        return step;
    }
    if let Some(masked) = run.masked() {
        return open_step(run, masked, facts, usable);
    }
    if run.committed().is_some() {
        return mutual_step(run, facts);
    }
    let updates = choose(run, facts.ended, usable);
    let active = active(run, facts.joined_lately, facts.ended);
    let minimum = count(run.spec().updates_min).max(1);
    let most = count(run.spec().quorum).min(run.spec().updates_max());
    let wanted = most.min(active.len()).max(minimum);
    let late = facts.now_ms >= deadline_ms(run, facts.adopted_ms) && updates.len() >= minimum;
    if updates.len() < wanted && !late {
        return unripe(run, facts.now_ms, facts.adopted_ms);
    }
    propose(run, facts, &active, updates)
}

/// The same with commitments: what is aggregated are updates that answer each other's. Who has
/// committed and not revealed is waited for until a deadline after the minimum has.
fn mutual_step(run: &Run, facts: &Facts) -> Step {
    let Some((mutual, since_ms)) = facts.mutual else { return Step::Idle };
    let mut updates = mutual.updates.clone();
    updates.truncate(run.spec().updates_max());
    let minimum = count(run.spec().updates_min).max(1);
    let most = count(run.spec().quorum).min(run.spec().updates_max());
    let wanted = most.min(mutual.expected).max(minimum);
    let until_ms = deadline_ms(run, since_ms);
    let is_late = facts.now_ms >= until_ms && updates.len() >= minimum;
    if updates.len() < wanted && !is_late {
        return if facts.now_ms < until_ms { Step::Unripe { until_ms } } else { Step::Idle };
    }
    propose(run, facts, &active(run, facts.joined_lately, facts.ended), updates)
}

/// The same with secure aggregation: what is aggregated are the updates of an open closing.
fn open_step(
    run: &Run,
    masked: &Masked,
    facts: &Facts,
    usable: impl Fn(&VertexId) -> bool,
) -> Step {
    let head = run.head();
    let closings = masked.cohorts_on(&head).flat_map(|(id, _)| masked.closings_of(id));
    let open = closings.filter(|(_, record)| {
        let updates = &record.closing.updates;
        masked.opening(updates).is_some() && updates.iter().all(&usable)
    });
    let best = open.min_by_key(|(id, record)| (Reverse(record.closing.updates.len()), *id));
    let Some((_, record)) = best else { return Step::Idle };
    let active = active(run, facts.joined_lately, facts.ended);
    propose(run, facts, &active, record.closing.updates.clone())
}

fn propose(run: &Run, facts: &Facts, active: &BTreeSet<AuthorId>, updates: Vec<VertexId>) -> Step {
    let wait_ms = turn_ms(&run.head(), facts.me, active);
    let until_ms = facts.ripe_ms.unwrap_or(facts.now_ms).saturating_add(wait_ms);
    if facts.now_ms < until_ms { Step::Turn { until_ms } } else { Step::Propose(updates) }
}

/// How long a member waits for those whose turn comes first, in milliseconds.
pub(super) fn turn_ms(head: &VertexId, me: &AuthorId, active: &BTreeSet<AuthorId>) -> u64 {
    let turn = u64::try_from(rank(head, me, active)).unwrap_or(u64::MAX);
    turn.saturating_mul(limits::PROPOSER_STAGGER_MS)
}

/// What [`step`] decides before anybody has to be counted: for runs of others, and as long as there
/// are fewer updates than the minimum, however many of them are usable.
pub fn early_step(run: &Run, me: &AuthorId, now_ms: u64, adopted_ms: u64) -> Option<Step> {
    if run.is_finished() || !run.is_member(me) {
        return Some(Step::Idle);
    }
    let minimum = count(run.spec().updates_min).max(1);
    let too_few = run.update_count(&run.head()) < minimum;
    too_few.then(|| unripe(run, now_ms, adopted_ms))
}

fn unripe(run: &Run, now_ms: u64, adopted_ms: u64) -> Step {
    let until_ms = deadline_ms(run, adopted_ms);
    if now_ms < until_ms { Step::Unripe { until_ms } } else { Step::Idle }
}

/// When a round is closed with what is there.
fn deadline_ms(run: &Run, adopted_ms: u64) -> u64 {
    adopted_ms.saturating_add(u64::from(run.spec().deadline_ms))
}

/// The usable updates for the head, one for each author, sorted by id.
fn choose(
    run: &Run,
    ended: &BTreeSet<AuthorId>,
    usable: impl Fn(&VertexId) -> bool,
) -> Vec<VertexId> {
    let mut authors = BTreeSet::new();
    run.candidates(&run.head())
        .filter(|(id, update)| !ended.contains(&update.author) && usable(id))
        .filter(|(_, update)| authors.insert(update.author))
        .map(|(id, _)| id)
        .take(run.spec().updates_max())
        .collect()
}

/// The members that are worth waiting for.
pub fn active(
    run: &Run,
    joined_lately: &BTreeSet<AuthorId>,
    ended: &BTreeSet<AuthorId>,
) -> BTreeSet<AuthorId> {
    let head = run.head();
    let base = run.tree().base(head);
    let mut active = run.contributors(&head);
    for from in std::iter::once(head).chain(base) {
        active.extend(run.updates_of(&from).map(|(_, update)| update.author));
    }
    if let Some(masked) = run.masked() {
        active.extend(masked.deals_on(&head).map(|(_, record)| record.author));
    }
    if let Some(committed) = run.committed() {
        for from in std::iter::once(head).chain(base) {
            active.extend(committed.commitments_on(&from).map(|(_, record)| record.author));
        }
    }
    active.extend(joined_lately);
    if base.is_none() {
        active.extend(run.members().keys());
    }
    active.retain(|author| run.is_member(author) && !ended.contains(author));
    active
}

/// How many active members come before this one; a member that is not active comes last.
fn rank(head: &VertexId, me: &AuthorId, active: &BTreeSet<AuthorId>) -> usize {
    let place = |author: &AuthorId| {
        Digest::derive("synaptic-mesh 2026 proposer order v1", &[&head.0.0, author.as_bytes()])
    };
    if !active.contains(me) {
        return active.len();
    }
    let own = place(me);
    active.iter().filter(|author| place(author) < own).count()
}

fn count(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
