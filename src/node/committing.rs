//! Commitments to own updates: the steps that [`crate::federated::committing`] decides on, and
//! what they hide until it is revealed.
//!
//! What was committed to is in the store before the commitment is: a member that is started again
//! between the two steps reveals what it promised.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::following::{self, Following, Training};
use crate::clock::Now;
use crate::dag::commitment::{self, Commitment, Reveal};
use crate::dag::{BlobId, Payload, Update, VertexId, cbor};
use crate::federated::Run;
use crate::federated::committing::{self, Facts, Mutual, Step};
use crate::federated::delta::Carried;
use crate::federated::policy;
use crate::federated::run::UpdateRecord;
use crate::federated::run::committed::Committed;
use crate::identity::AuthorId;
use crate::limits;

const PROMISE_NAME: &str = "promise/";

/// Bounds of a stored update, without what opens it.
const BOUNDS: cbor::Bounds = cbor::Bounds { bytes_max: 512, items_max: 64, depth_max: 4 };

/// Steps of one look at a run (count): a round has two.
const STEPS_MAX: usize = 4;

/// What this node will send, by run.
#[derive(Debug, Default)]
pub(super) struct Promises(BTreeMap<VertexId, Promise>);

/// An update that was committed to, or will be.
#[derive(Debug, Clone)]
struct Promise {
    update: Update,
    /// What hides it, once there is a commitment; another for each.
    nonce: Option<[u8; 32]>,
    /// What it leaves to the next update, which counts once this one is revealed. It is in memory
    /// only, as it is without commitments.
    carried: Carried,
}

/// What a node has seen and decided of the commitments on the head of a run.
#[derive(Debug, Default)]
pub(super) struct Promising {
    /// One more than the attempt of the own commitment that was queued last; 0 for none.
    queued: u32,
    /// The own commitment that was revealed last.
    revealed: Option<VertexId>,
    /// The revision of the run of which everything was noted.
    noted: Option<u64>,
    /// What was decided last was to wait: with what, and until when.
    waits: Option<(Known, Option<u64>)>,
    /// Which updates may stand in one aggregate, of these.
    mutual: Option<Gathered>,
    /// The attempt that so many revealed for as a round needs, and when that was first seen.
    enough: Option<(u32, u64)>,
}

/// While nothing of this changes, only time moves a member on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    revision: u64,
    /// Members that have equivocated, and that joined lately (count).
    ended: usize,
    joined: usize,
    /// Whether something was trained, and the hash of it if there is one.
    trained: (bool, Option<[u8; 32]>),
    queued: u32,
    revealed: Option<VertexId>,
}

#[derive(Debug)]
struct Gathered {
    revision: u64,
    ended: usize,
    updates: Vec<VertexId>,
    mutual: Mutual,
}

impl Promising {
    /// The updates that may stand in one aggregate, and since when they are the minimum.
    pub(super) fn mutual(&self) -> Option<(&Mutual, u64)> {
        let mutual = &self.mutual.as_ref()?.mutual;
        Some((mutual, self.enough?.1))
    }
}

impl Promises {
    /// Goes on with what was stored.
    pub(super) fn restore(meta: &[(String, Vec<u8>)]) -> Self {
        let promise = |(name, bytes): &(String, Vec<u8>)| {
            let run: VertexId = name.strip_prefix(PROMISE_NAME)?.parse().ok()?;
            Some((run, Promise::decode(bytes)?))
        };
        Self(meta.iter().filter_map(promise).collect())
    }
}

impl Promise {
    /// The nonce, and the update as a vertex has it.
    fn encode(&self) -> Option<Vec<u8>> {
        let update = cbor::encode(&Payload::Update(self.update.clone())).ok()?;
        Some([&self.nonce?[..], &update].concat())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (nonce, update) = bytes.split_first_chunk::<32>()?;
        let Ok(Payload::Update(update)) = cbor::decode(update, &BOUNDS) else { return None };
        Some(Self { update, nonce: Some(*nonce), carried: Carried::default() })
    }
}

impl Node {
    /// Keeps what was trained until it can be revealed.
    pub(super) fn promise(
        &mut self,
        id: &VertexId,
        training: Training,
        (samples, blob, carried): (u32, Vec<u8>, Carried),
    ) {
        let Some(following) = self.following.get_mut(id) else { return };
        let update = unopened(id, training, samples, &blob);
        let delta = update.delta;
        following.train_failures = 0;
        following.updated = Some(training.base);
        following.dirty = true;
        self.promises.0.insert(*id, Promise { update, nonce: None, carried });
        self.keep_blob(delta, blob.into());
    }

    /// What comes too late for its round shows others that this member works, and nothing more: it
    /// is never revealed.
    pub(super) fn commit_late(
        &mut self,
        id: &VertexId,
        training: Training,
        (samples, blob, _): (u32, Vec<u8>, Carried),
        now: Now,
    ) {
        let known = self.runs.get(id).and_then(|run| run.committed());
        let is_own = |committed: &Committed| {
            let mut on_base = committed.commitments_on(&training.base);
            on_base.any(|(_, known)| known.author == self.me)
        };
        if known.is_some_and(is_own) {
            return;
        }
        let mut nonce = [0; 32];
        self.rng.fill(&mut nonce);
        let update = unopened(id, training, samples, &blob);
        let hash = commitment::hash(&update, &self.me, &nonce).into();
        let late = Commitment { run: *id, base: training.base, attempt: 0, hash };
        self.writer.queue(Payload::Commitment(late), None, true, now.mono_ms);
    }

    /// Whether a blob is what this node has promised and not shown yet. Nobody is told that it is
    /// here before, however they came to ask: who guesses right would know it.
    pub(super) fn is_unrevealed(&self, blob: &BlobId) -> bool {
        let is_hidden = |(id, Promise { update, .. }): (&VertexId, &Promise)| {
            let is_own =
                |known: &UpdateRecord| known.author == self.me && known.delta == update.delta;
            let run = self.runs.get(id);
            update.delta == *blob
                && !run.is_some_and(|run| run.updates_of(&update.base).any(|(_, one)| is_own(one)))
        };
        self.promises.0.iter().any(is_hidden)
    }

    /// Whether an update on this base waits to be revealed.
    pub(super) fn has_promised(&self, id: &VertexId, base: &VertexId) -> bool {
        let promise = self.promises.0.get(id);
        promise.is_some_and(|promise| {
            promise.update.base == *base && self.blobs.is_local(&promise.update.delta)
        })
    }

    /// Lets go of what will never be revealed. A record of a store is emptied, not removed.
    pub(super) fn forget_promise(&mut self, id: &VertexId) {
        if self.promises.0.remove(id).is_some() {
            self.writer.add_meta(&format!("{PROMISE_NAME}{id}"), Vec::new());
        }
    }

    /// Does what is due about the own commitment of a run's round.
    pub(super) fn advance_commitment(&mut self, id: &VertexId, now: Now) {
        for _ in 0..STEPS_MAX {
            let Some(step) = self.committing_step(id, now) else { return };
            let again_ms = match step {
                Step::Wait { until_ms } => until_ms,
                _ if self.writer.is_failing() || self.writer.is_queue_full() => {
                    Some(now.mono_ms.saturating_add(limits::STORE_RETRY_MS_MIN))
                }
                step => {
                    self.take_committing_step(id, step, now);
                    continue;
                }
            };
            if let (Some(again_ms), Some(following)) = (again_ms, self.following.get_mut(id)) {
                following.look_again(again_ms);
            }
            return;
        }
    }

    fn committing_step(&mut self, id: &VertexId, now: Now) -> Option<Step> {
        let run = self.runs.get(id)?;
        run.committed()?;
        let following = self.following.get_mut(id)?;
        let (head, training) = (following.head, following.training);
        following.note(run, now.mono_ms);
        let following = self.following.get(id)?;
        let promise = self.promises.0.get(id).filter(|_| training && self.has_promised(id, &head));
        let trained = promise.map(|Promise { update, nonce, .. }| {
            nonce.map(|nonce| commitment::hash(update, &self.me, &nonce))
        });
        let ended = following::ended(run, &self.graph);
        let Promising { queued, revealed, .. } = following.promising;
        let known = Known {
            revision: run.revision(),
            ended: ended.len(),
            joined: following.joined.len(),
            trained: (trained.is_some(), trained.flatten()),
            queued,
            revealed,
        };
        if let Some((before, until_ms)) = following.promising.waits
            && before == known
            && until_ms.is_none_or(|until_ms| now.mono_ms < until_ms)
        {
            return Some(Step::Wait { until_ms });
        }
        let joined_lately = following.joined.keys().copied().collect();
        let round = policy::Facts {
            me: &self.me,
            now_ms: now.mono_ms,
            adopted_ms: following.adopted_ms,
            ripe_ms: None,
            mutual: None,
            joined_lately: &joined_lately,
            ended: &ended,
        };
        let seen_ms = &following.seen_ms;
        let step = committing::step(run, &Facts { round, trained, queued, revealed, seen_ms });
        if let (Step::Wait { until_ms }, Some(following)) = (&step, self.following.get_mut(id)) {
            following.promising.waits = Some((known, *until_ms));
        }
        Some(step)
    }

    fn take_committing_step(&mut self, id: &VertexId, step: Step, now: Now) {
        let (Some(promise), Some(following)) =
            (self.promises.0.get_mut(id), self.following.get_mut(id))
        else {
            return;
        };
        let payload = match step {
            Step::Wait { .. } => return,
            Step::Commit { attempt } => {
                let mut nonce = [0; 32];
                self.rng.fill(&mut nonce);
                promise.nonce = Some(nonce);
                following.promising.queued = attempt.saturating_add(1);
                let hash = commitment::hash(&promise.update, &self.me, &nonce).into();
                let base = promise.update.base;
                if let Some(bytes) = promise.encode() {
                    self.writer.add_meta(&format!("{PROMISE_NAME}{id}"), bytes);
                }
                Payload::Commitment(Commitment { run: *id, base, attempt, hash })
            }
            Step::Reveal { commitment, answers } => {
                let Some(nonce) = promise.nonce else { return };
                following.promising.revealed = Some(commitment);
                following.carried = promise.carried.clone();
                let reveal = Some(Reveal { commitment, nonce: nonce.into(), answers });
                Payload::Update(Update { reveal, ..promise.update.clone() })
            }
        };
        self.writer.queue(payload, None, true, now.mono_ms);
    }
}

impl Following {
    /// Takes note of when it saw what of a run with commitments.
    fn note(&mut self, run: &Run, now_ms: u64) {
        let Some(committed) = run.committed() else { return };
        if self.promising.noted.replace(run.revision()) == Some(run.revision()) {
            return;
        }
        let commitments = committed.commitments_on(&self.head).map(|(id, _)| id);
        let updates = run.updates_of(&self.head).map(|(id, _)| id);
        for id in commitments.chain(updates) {
            self.seen_ms.entry(id).or_insert(now_ms);
        }
    }

    /// Keeps when it saw what of the head and of the head before, because the run may go back.
    pub(super) fn forget_seen(&mut self, run: &Run, before: &VertexId) {
        let Some(committed) = run.committed() else { return };
        self.seen_ms.retain(|id, _| {
            let committed = committed.commitment(id).map(|known| known.base);
            let base = committed.or_else(|| run.update(id).map(|update| update.base));
            base.is_some_and(|base| base == self.head || base == *before)
        });
    }

    /// Looks for the updates that may stand in one aggregate, unless all is as it was.
    pub(super) fn gather_mutual(&mut self, run: &Run, ended: &BTreeSet<AuthorId>, now_ms: u64) {
        if run.committed().is_none() {
            return;
        }
        let is_usable = |update: &UpdateRecord| {
            !ended.contains(&update.author) && self.checked.get(&update.delta) == Some(&true)
        };
        let there = run.candidates(&self.head).filter(|(_, update)| is_usable(update));
        let updates: Vec<VertexId> = there.map(|(id, _)| id).collect();
        let (revision, ended_count) = (run.revision(), ended.len());
        let is_known = self.promising.mutual.as_ref().is_some_and(|known| {
            (known.revision, known.ended) == (revision, ended_count) && known.updates == updates
        });
        if is_known {
            return;
        }
        let mutual = committing::mutual(run, &updates, ended);
        let minimum = usize::try_from(run.spec().updates_min).unwrap_or(usize::MAX);
        self.promising.enough = mutual.since(minimum, self.promising.enough, now_ms);
        let gathered = Gathered { revision, ended: ended_count, updates, mutual };
        self.promising.mutual = Some(gathered);
    }
}

/// An update without what opens its commitment.
fn unopened(run: &VertexId, training: Training, samples: u32, blob: &[u8]) -> Update {
    Update {
        run: *run,
        base: training.base,
        round: training.round,
        samples,
        delta: BlobId::of(blob),
        delta_bytes: u32::try_from(blob.len()).unwrap_or(u32::MAX),
        cohort: None,
        reveal: None,
    }
}
