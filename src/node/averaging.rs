//! Recomputing the aggregates of others and proposing own ones.
//!
//! Both are the same work: an average over named updates, read one after the other. A run does one
//! at a time, others' aggregates before own proposals, and only when every update is local; so a
//! member that withholds a blob holds up nothing but the aggregate that names it.
//!
//! A rule takes a second and 128 MiB where a mean takes a moment, and strangers may propose as many
//! aggregates as they like. So what the same updates came to before is never computed again, an
//! author's aggregates on one base are computed at once up to a bound and rarely then, one rule is
//! under way at a time over all runs, and after it the node does other things first.

use super::Node;
use super::following::{self, Computed, Proposed, Purpose, Work};
use super::offence::Offence;
use crate::clock::Now;
use crate::dag::{Aggregate, BlobId, Payload, RunSpec, VertexId};
use crate::effect::Effect;
use crate::event::Problem;
use crate::federated::Standing;
use crate::federated::aggregator::Aggregator;
use crate::federated::policy::{self, Facts, Step};
use crate::limits;

/// How far an average came.
enum Averaged {
    /// The store was asked for a blob.
    Waiting,
    /// It goes on when the node has done other things.
    Later,
    /// The store has lost a blob.
    Lost,
    /// It cannot be computed: an update is not in order.
    Failed,
    /// The weights.
    Done(Vec<u8>),
}

/// Which run computes its rule next.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// The run that did last.
    last: Option<VertexId>,
    /// Whether one did in this call.
    taken: bool,
    /// How often one did.
    #[cfg(test)]
    pub(super) computed: usize,
}

impl Turn {
    /// A new call: the runs after the one that computed last come first, so that a run for which
    /// strangers propose without end keeps none waiting.
    pub(super) fn begin(&mut self, due: &mut [VertexId]) {
        self.taken = false;
        let after = due.partition_point(|id| self.last.is_some_and(|last| *id <= last));
        due.rotate_left(after);
    }

    fn take(&mut self, run: VertexId) {
        (self.last, self.taken) = (Some(run), true);
        #[cfg(test)]
        {
            self.computed += 1;
        }
    }
}

impl Node {
    /// Takes one step with the average under way, or starts the next one. `false` when there is
    /// nothing to do until something changes.
    ///
    /// Each average adds weights to the backlog and to what the run takes, so none is computed
    /// while either is full.
    pub(super) fn advance_work(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) -> bool {
        if self.is_watched_enough(id) {
            self.drop_work(id);
            return false;
        }
        if self.writer.is_full() || !self.may_compute(id, now) {
            return false;
        }
        let Some(following) = self.following.get_mut(id) else { return false };
        let Some(mut work) = following.work.take() else {
            return self.start_work(id, now, out);
        };
        let averaged = self.average(id, &mut work, out);
        if !matches!(averaged, Averaged::Waiting | Averaged::Later) && self.has_rule(id) {
            self.rules.take(*id);
        }
        match averaged {
            Averaged::Waiting | Averaged::Later => {
                if let Some(following) = self.following.get_mut(id) {
                    following.work = Some(work);
                    if matches!(averaged, Averaged::Later) {
                        following.look_again(now.mono_ms);
                    }
                }
                false
            }
            Averaged::Lost => {
                if let Some(following) = self.following.get_mut(id) {
                    following.work = Some(work);
                }
                // Nobody else's rule waits for what has to be fetched again.
                self.drop_work(id);
                self.say_needs(id);
                false
            }
            Averaged::Failed => {
                match work.purpose {
                    Purpose::Judge(aggregate) => self.judged(id, aggregate, None, now, out),
                    Purpose::Propose => self.give_up_sum(id, work.base, now, out),
                }
                true
            }
            Averaged::Done(weights) => {
                match work.purpose {
                    Purpose::Judge(aggregate) => {
                        self.judged(id, aggregate, Some(weights), now, out);
                    }
                    Purpose::Propose => self.propose(id, work, weights, now),
                }
                true
            }
        }
    }

    /// Chooses what to compute next: aggregates of others before an own proposal.
    fn start_work(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) -> bool {
        let Some(aggregate) = self.next_to_judge(id, now) else {
            return self.start_proposal(id, now);
        };
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return false;
        };
        let Some(record) = run.aggregate(&aggregate) else { return true };
        following.sound.remove(&(record.round, aggregate));
        if record.standing != Standing::Sound {
            return true;
        }
        if let Some(equal) = following.known(run, record) {
            // Right weights that are not here have to be computed to be had.
            if !equal || self.blobs.is_local(&record.weights) {
                self.settle(id, aggregate, equal, now, out);
                return true;
            }
        }
        let as_proposed = following.proposed.as_ref().is_some_and(|proposed| {
            proposed.base == record.base && proposed.updates == record.updates
        });
        if as_proposed {
            self.judged_as_proposed(id, aggregate, now, out);
            return true;
        }
        following.work = Some(Work {
            purpose: Purpose::Judge(aggregate),
            base: record.base,
            updates: record.updates.clone(),
            aggregator: run.aggregator(&record.updates),
            done: 0,
        });
        true
    }

    /// The next aggregate whose updates are all here. Computing costs more than claiming, so who
    /// was computed for least on a base comes first, and authors that have had enough there, or
    /// have lied before, come last and rarely. Which aggregates count is the same for everybody;
    /// when each of them is looked at need not be.
    fn next_to_judge(&mut self, id: &VertexId, now: Now) -> Option<VertexId> {
        let (run, following) = (self.runs.get(id)?, self.following.get_mut(id)?);
        let blobs = &self.blobs;
        let is_here = |update: &VertexId| {
            run.update(update).is_some_and(|update| blobs.is_local(&update.delta))
        };
        let (mut next, mut rare) = (None, None);
        for (round, aggregate) in &following.sound {
            let Some(record) = run.aggregate(aggregate) else { continue };
            let turns = following.turns(record);
            let is_wanted = match turns {
                Some(turns) => next.is_none_or(|next| (*round, turns, *aggregate) < next),
                None => rare.is_none(),
            };
            if !is_wanted || !record.updates.iter().all(is_here) {
                continue;
            }
            match turns {
                Some(turns) => next = Some((*round, turns, *aggregate)),
                None => rare = Some(*aggregate),
            }
        }
        if let Some((_, _, aggregate)) = next {
            return Some(aggregate);
        }
        let rare = rare?;
        if following.liars_next_ms <= now.mono_ms {
            following.liars_next_ms = now.mono_ms.saturating_add(limits::LIAR_PAUSE_MS);
            return Some(rare);
        }
        following.look_again(following.liars_next_ms);
        None
    }

    /// Starts an own proposal if the policy says so.
    fn start_proposal(&mut self, id: &VertexId, now: Now) -> bool {
        let step = self.policy_step(id, now);
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return false;
        };
        match step {
            Step::Idle => {}
            Step::Unripe { until_ms } => {
                following.ripe_ms = None;
                following.look_again(until_ms);
            }
            Step::Turn { until_ms } => {
                following.ripe_ms.get_or_insert(now.mono_ms);
                following.look_again(until_ms);
            }
            Step::Propose(_) if self.writer.is_queue_full() => {
                following.ripe_ms.get_or_insert(now.mono_ms);
                following.look_again(now.mono_ms.saturating_add(limits::STORE_RETRY_MS_MIN));
            }
            Step::Propose(updates) => {
                following.ripe_ms.get_or_insert(now.mono_ms);
                let waiting = following.proposed.as_ref();
                if waiting.is_some_and(|proposed| proposed.base == following.head)
                    || following.unsummable == Some(following.head)
                {
                    return false;
                }
                following.work = Some(Work {
                    purpose: Purpose::Propose,
                    base: following.head,
                    aggregator: run.aggregator(&updates),
                    updates,
                    done: 0,
                });
                return true;
            }
        }
        false
    }

    fn policy_step(&mut self, id: &VertexId, now: Now) -> Step {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return Step::Idle;
        };
        let early = policy::early_step(run, &self.me, now.mono_ms, following.adopted_ms);
        if let Some(step) = early {
            return step;
        }
        let ended = following::ended(run, &self.graph);
        following.gather_mutual(run, &ended, now.mono_ms);
        let joined_lately = following.joined.keys().copied().collect();
        let facts = Facts {
            me: &self.me,
            now_ms: now.mono_ms,
            adopted_ms: following.adopted_ms,
            ripe_ms: following.ripe_ms,
            mutual: following.promising.mutual(),
            joined_lately: &joined_lately,
            ended: &ended,
        };
        policy::step(run, &facts, |update| {
            let delta = run.update(update).map(|update| update.delta);
            delta.is_some_and(|delta| following.checked.get(&delta) == Some(&true))
        })
    }

    /// Adds the updates that are in memory to an average; asks the store for the next.
    fn average(&mut self, id: &VertexId, work: &mut Work, out: &mut Vec<Effect>) -> Averaged {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get(id)) else {
            return Averaged::Failed;
        };
        let mut values = 0;
        while let Some(update) = work.updates.get(work.done) {
            if values >= limits::CHECKED_VALUES_MAX {
                return Averaged::Later;
            }
            values += run.parameters();
            let Some(update) = run.update(update) else { return Averaged::Failed };
            let Some(delta) = self.blobs.get(&update.delta) else {
                return self.await_blob(update.delta, out);
            };
            if work.aggregator.add(update.samples, &delta).is_err() {
                return Averaged::Failed;
            }
            work.done += 1;
        }
        let Some(base) = following.weights(run, &work.base) else { return Averaged::Failed };
        let Some(base) = self.blobs.get(&base) else {
            return self.await_blob(base, out);
        };
        let before = match run.before(&work.base) {
            None => None,
            Some(before) => {
                let Some(before) = following.weights(run, &before) else { return Averaged::Failed };
                match self.blobs.get(&before) {
                    None => return self.await_blob(before, out),
                    bytes => bytes,
                }
            }
        };
        let empty = Aggregator::new(run.spec(), 0);
        let aggregator = std::mem::replace(&mut work.aggregator, empty);
        aggregator.finish(&base, before.as_deref()).map_or(Averaged::Failed, Averaged::Done)
    }

    fn await_blob(&mut self, blob: BlobId, out: &mut Vec<Effect>) -> Averaged {
        self.load_blob(blob, out);
        if self.blobs.is_local(&blob) { Averaged::Waiting } else { Averaged::Lost }
    }

    fn has_rule(&self, id: &VertexId) -> bool {
        let takes_long = |spec: &RunSpec| {
            spec.aggregation.is_some() || spec.reference.is_some() || spec.masking.is_some()
        };
        self.runs.get(id).is_some_and(|run| takes_long(run.spec()))
    }

    /// Whether the run may go on with its average; if not, it is looked at again.
    fn may_compute(&mut self, id: &VertexId, now: Now) -> bool {
        if !self.has_rule(id) {
            return true;
        }
        let mut others = self.following.iter().filter(|(other, _)| *other != id);
        let is_held = others.any(|(id, other)| other.work.is_some() && self.has_rule(id));
        if !is_held && !self.rules.taken {
            return true;
        }
        let wait_ms = if is_held { limits::STORE_RETRY_MS_MIN } else { 0 };
        if let Some(following) = self.following.get_mut(id) {
            following.look_again(now.mono_ms.saturating_add(wait_ms));
        }
        false
    }

    /// Updates that were all in order come to nothing: of masked ones somebody's was a lie.
    fn give_up_sum(&mut self, id: &VertexId, base: VertexId, now: Now, out: &mut Vec<Effect>) {
        let Some(run) = self.runs.get(id) else { return };
        let problem = Problem {
            code: "round-unsummable",
            message: format!(
                "the updates for round {} of run {} come to nothing: a member lied",
                run.round().saturating_add(1),
                run.spec().name
            ),
            hint: "with secure aggregation nobody can tell who: start anew with others".to_owned(),
        };
        if let Some(following) = self.following.get_mut(id) {
            following.unsummable = Some(base);
        }
        self.warn(problem, now, out);
    }

    fn drop_work(&mut self, id: &VertexId) {
        if let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) {
            following.drop_work(run);
        }
    }

    /// Records whether an aggregate is what its updates average to.
    fn judged(
        &mut self,
        id: &VertexId,
        aggregate: VertexId,
        weights: Option<Vec<u8>>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(record) = self.runs.get(id).and_then(|run| run.aggregate(&aggregate)) else {
            return;
        };
        let claimed = record.weights;
        let turn = (record.base, record.author);
        let computed = weights.map(|bytes| (BlobId::of(&bytes), bytes));
        if let Some(following) = self.following.get_mut(id) {
            *following.judged.entry(turn).or_default() += 1;
            following.computed = Some(Computed {
                base: record.base,
                updates: record.updates.clone(),
                weights: computed.as_ref().map(|(blob, _)| *blob),
            });
        }
        let equal = computed.as_ref().is_some_and(|(blob, _)| *blob == claimed);
        if let Some((blob, bytes)) = computed.filter(|_| equal) {
            if !self.blobs.is_local(&blob) {
                self.charge(id, bytes.len());
            }
            self.keep_blob(blob, bytes.into());
        }
        self.settle(id, aggregate, equal, now, out);
    }

    /// Judges an aggregate, and goes on from there.
    fn settle(
        &mut self,
        id: &VertexId,
        aggregate: VertexId,
        equal: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(record) = self.runs.get(id).and_then(|run| run.aggregate(&aggregate)) else {
            return;
        };
        if !equal {
            let author = record.author;
            self.counters.count("aggregate-wrong");
            if let Some(following) = self.following.get_mut(id) {
                following.liars.insert(author);
            }
            if let Some(peer) = self.peers.of_author(&author).cloned() {
                self.penalise(&peer, Offence::BadUpdate, now, out);
            }
        }
        let changes = self.runs.judge(id, aggregate, equal);
        self.on_changes(changes, now, out);
        self.adopt_head(id, now, out);
        self.say_needs(id);
        self.check_updates(id, now, out);
    }

    /// The same, for an aggregate over the very updates this node proposed.
    fn judged_as_proposed(
        &mut self,
        id: &VertexId,
        aggregate: VertexId,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let proposed = self.following.get(id).and_then(|following| following.proposed.as_ref());
        let computed = proposed.map(|proposed| proposed.weights);
        let bytes = computed.and_then(|blob| self.blobs.get(&blob)).map(|bytes| bytes.to_vec());
        match (bytes, self.following.get_mut(id)) {
            (Some(bytes), _) => self.judged(id, aggregate, Some(bytes), now, out),
            (None, Some(following)) => {
                // Evicted in the meantime: compute it like any other.
                let record = self.runs.get(id).and_then(|run| run.aggregate(&aggregate));
                let round = record.map_or(0, |record| record.round);
                following.proposed = None;
                following.sound.insert((round, aggregate));
            }
            (None, None) => {}
        }
    }

    fn propose(&mut self, id: &VertexId, work: Work, weights: Vec<u8>, now: Now) {
        let Some(run) = self.runs.get(id) else { return };
        let round = run.tree().round(work.base).unwrap_or(0).saturating_add(1);
        let blob = BlobId::of(&weights);
        let weights_bytes = u32::try_from(weights.len()).unwrap_or(u32::MAX);
        let payload = Payload::Aggregate(Aggregate {
            run: *id,
            base: work.base,
            round,
            updates: work.updates.clone(),
            weights: blob,
            weights_bytes,
        });
        if !self.writer.queue(payload, None, true, now.mono_ms) {
            // The next look waits for room before it computes the same again.
            return;
        }
        self.keep_blob(blob, weights.into());
        if let Some(following) = self.following.get_mut(id) {
            let Work { base, updates, .. } = work;
            following.proposed = Some(Proposed { base, updates, weights: blob });
        }
    }
}
