//! Following runs: fetching what a round needs, recomputing aggregates, training, proposing.
//!
//! A run is looked at when something about it changed or its time has come, never per vertex of the
//! whole history. One look does, in this order: adopt a new head; say which blobs are missing;
//! check the updates of the head; recompute waiting aggregates; propose; train.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Node;
use super::following::{Following, Settled};
use super::offence::Offence;
use crate::clock::Now;
use crate::dag::{BlobId, VertexId};
use crate::effect::Effect;
use crate::event::{Event, Problem, RoundView, RunChange};
use crate::federated::{Change, Run, delta};
use crate::identity::{AuthorId, TransportId};
use crate::{federated, limits};

impl Node {
    /// Takes note of what a vertex or a judgement changed in the runs.
    pub(super) fn on_changes(
        &mut self,
        changes: Vec<(VertexId, Change)>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        for (id, change) in changes {
            if change == Change::Started {
                self.emit_run(&id, RunChange::Started, out);
                self.watch(&id, now);
            }
            let Some(run) = self.runs.get(&id) else { continue };
            let Some(following) = self.following.get_mut(&id) else { continue };
            following.dirty = true;
            match change {
                Change::Joined(author) => {
                    following.joined.insert(author, run.round());
                    if author == self.me {
                        self.emit_run(&id, RunChange::Joined, out);
                    }
                }
                Change::Left(author) if author == self.me => {
                    self.emit_run(&id, RunChange::Left, out);
                }
                Change::Update(vertex) => {
                    if let Some(update) = run.update(&vertex) {
                        out.push(Effect::Emit(Event::Update {
                            run: id,
                            round: update.round,
                            author: update.author,
                            samples: update.samples,
                        }));
                    }
                }
                Change::Sound(aggregate) => {
                    let round = run.aggregate(&aggregate).map_or(0, |record| record.round);
                    following.sound.insert((round, aggregate));
                }
                Change::Started
                | Change::Left(_)
                | Change::Masking
                | Change::Commitment(_)
                | Change::Head { .. } => {}
            }
        }
    }

    /// Starts following a run if there is room for one more that this node never took part in and
    /// that goes on.
    pub(super) fn watch(&mut self, id: &VertexId, now: Now) {
        let goes_on = |id: &VertexId| self.runs.get(id).is_some_and(|run| !run.is_finished());
        let watched = self.following.keys().filter(|id| self.is_watched(id) && goes_on(id));
        if watched.count() < limits::RUNS_WATCHED_MAX
            && self.watched_bytes() < limits::WATCHED_BYTES_MAX
        {
            self.follow(id, now);
        }
    }

    /// Bytes of blobs that are here because of runs which the owner showed no interest in.
    fn watched_bytes(&self) -> u64 {
        let watched =
            self.following.iter().filter(|(id, following)| !following.asked && self.is_watched(id));
        watched.fold(0, |sum, (_, following)| sum.saturating_add(following.bytes))
    }

    /// Whether nothing more is fetched or computed for a run, because it is none of this node's and
    /// such runs have filled their share of the store.
    pub(super) fn is_watched_enough(&self, id: &VertexId) -> bool {
        let asked = self.following.get(id).is_some_and(|following| following.asked);
        !asked && self.is_watched(id) && self.watched_bytes() >= limits::WATCHED_BYTES_MAX
    }

    /// Counts the bytes of a blob that is here because of a run.
    pub(super) fn charge(&mut self, id: &VertexId, bytes: usize) {
        if let Some(following) = self.following.get_mut(id) {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            following.bytes = following.bytes.saturating_add(bytes);
        }
    }

    /// Follows a run because the application asks about it.
    pub(super) fn follow_asked(&mut self, id: &VertexId, now: Now) {
        self.follow(id, now);
        if let Some(following) = self.following.get_mut(id) {
            following.dirty |= !following.asked;
            following.asked = true;
        }
    }

    /// Watches runs for which there was no room before.
    fn watch_more(&mut self, now: Now) {
        let unknown = |run: &&Run| !self.following.contains_key(&run.id());
        let waiting: Vec<VertexId> = self.runs.iter().filter(unknown).map(Run::id).collect();
        for id in waiting.iter().take(limits::RUNS_WATCHED_MAX) {
            self.watch(id, now);
        }
    }

    /// Whether a run is one of others: this node never took part in it.
    fn is_watched(&self, id: &VertexId) -> bool {
        self.runs.get(id).is_some_and(|run| !run.members().contains_key(&self.me))
    }

    /// Starts following a run.
    pub(super) fn follow(&mut self, id: &VertexId, now: Now) {
        if self.following.contains_key(id) {
            return;
        }
        let Some(run) = self.runs.get(id) else { return };
        // A specification in an accepted vertex has been validated, so this does not fail.
        let Ok(bytes) = federated::initial_weights(run.spec()) else {
            return self.counters.count("run-without-weights");
        };
        let bytes: Arc<[u8]> = bytes.into();
        let initial = BlobId::of(&bytes);
        let named: BTreeSet<BlobId> = run.blobs().chain([initial]).collect();
        let stored = named.iter().filter_map(|blob| self.blobs.size(blob)).sum();
        let following = Following::new(run, initial, stored, now.mono_ms);
        self.following.insert(*id, following);
        if !self.blobs.is_local(&initial) {
            self.charge(id, bytes.len());
        }
        self.keep_blob(initial, bytes);
    }

    /// Looks at every run that changed or whose time has come.
    pub(super) fn look_at_runs(&mut self, now: Now, out: &mut Vec<Effect>) {
        let is_due = |following: &Following| {
            following.dirty || following.next_ms.is_some_and(|next_ms| next_ms <= now.mono_ms)
        };
        let mut due: Vec<VertexId> = self
            .following
            .iter()
            .filter(|(_, following)| is_due(following))
            .map(|(id, _)| *id)
            .collect();
        self.rules.begin(&mut due);
        for id in due {
            self.look_at_run(&id, now, out);
        }
    }

    fn look_at_run(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let Some(following) = self.following.get_mut(id) else { return };
        following.dirty = false;
        following.next_ms = None;
        self.adopt_head(id, now, out);
        self.gather(id, now, out);
        self.advance_masks(id, now, out);
        self.advance_commitment(id, now);
        while self.advance_work(id, now, out) {}
        self.train(id, now, out);
    }

    /// Says which blobs are missing and checks those that came, unless that was settled before.
    fn gather(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let settled = self.settled(id);
        let before = self.following.get(id).and_then(|following| following.settled);
        if settled.is_some() && settled == before {
            return;
        }
        let is_here = self.say_needs(id);
        if self.is_watched_enough(id) {
            self.warn(watched_problem(), now, out);
        }
        let is_checked = self.check_updates(id, now, out);
        if let Some(following) = self.following.get_mut(id) {
            following.settled = settled.filter(|_| is_here && is_checked);
        }
    }

    fn settled(&self, id: &VertexId) -> Option<Settled> {
        let (run, following) = (self.runs.get(id)?, self.following.get(id)?);
        if self.is_watched_enough(id) {
            return None;
        }
        let (revision, head, lost) = (run.revision(), following.head, self.blobs.lost());
        Some(Settled { revision, head, lost })
    }

    /// Moves to the run's head, tells the application, and remembers it across restarts.
    pub(super) fn adopt_head(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return;
        };
        let head = run.head();
        if following.head == head {
            return;
        }
        following.adopt(run, now.mono_ms);
        self.writer.add_meta(&head_name(id), head.to_cid_bytes().to_vec());
        if let Some(round) = round_view(run, &head) {
            out.push(Effect::Emit(Event::Round(round)));
        }
        if run.is_finished() {
            self.forget_promise(id);
            self.emit_run(id, RunChange::Finished, out);
            self.watch_more(now);
        }
    }

    /// Tells the blob fetcher what this run lacks, and who probably has it. `true` when it lacks
    /// nothing.
    pub(super) fn say_needs(&mut self, id: &VertexId) -> bool {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get(id)) else {
            return false;
        };
        if self.is_watched_enough(id) {
            self.blobs.need(*id, &BTreeMap::new());
            return false;
        }
        let mut needs: BTreeMap<BlobId, Vec<TransportId>> = BTreeMap::new();
        let mut need = |blob: BlobId, authors: &[AuthorId]| {
            if !self.blobs.is_local(&blob) {
                let of = |author| self.peers.of_author(author).cloned();
                needs.entry(blob).or_default().extend(authors.iter().filter_map(of));
            }
        };
        if !run.is_finished() {
            for (_, update) in run.candidates(&following.head) {
                need(update.delta, &[update.author]);
            }
        }
        for (_, aggregate) in &following.sound {
            let Some(record) = run.aggregate(aggregate) else { continue };
            for update in record.updates.iter().filter_map(|update| run.update(update)) {
                need(update.delta, &[record.author, update.author]);
            }
            for vertex in [Some(record.base), run.before(&record.base)].into_iter().flatten() {
                if let Some(weights) = following.weights(run, &vertex) {
                    need(weights, &[record.author]);
                }
            }
        }
        for vertex in [Some(following.head), run.before(&following.head)].into_iter().flatten() {
            if let Some(weights) = following.weights(run, &vertex) {
                need(weights, &[]);
            }
        }
        self.blobs.need(*id, &needs);
        needs.is_empty()
    }

    /// Checks the blobs of the head's updates as they become local. `true` when all are checked.
    pub(super) fn check_updates(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) -> bool {
        let (Some(run), Some(following)) = (self.runs.get(id), self.following.get_mut(id)) else {
            return false;
        };
        if run.is_finished() {
            return true;
        }
        let (mut bad, mut unchecked, mut values) = (Vec::new(), 0, 0);
        for (_, update) in run.candidates(&following.head) {
            if following.checked.contains_key(&update.delta) {
                continue;
            }
            if values >= limits::CHECKED_VALUES_MAX {
                unchecked += 1;
                following.next_ms = Some(now.mono_ms);
            } else if let Some(bytes) = self.blobs.get(&update.delta) {
                values += run.parameters();
                let good = delta::check(run.spec(), &bytes).is_ok();
                following.checked.insert(update.delta, good);
                if !good && update.author != self.me {
                    bad.push(update.author);
                }
            } else {
                unchecked += 1;
                if self.blobs.start_load(&update.delta) {
                    out.push(Effect::LoadBlob { blob: update.delta });
                }
            }
        }
        for author in bad {
            self.counters.count("update-unusable");
            if let Some(peer) = self.peers.of_author(&author).cloned() {
                self.penalise(&peer, Offence::BadUpdate, now, out);
            }
        }
        unchecked == 0
    }

    /// Asks the store for a blob, unless it was asked already.
    pub(super) fn load_blob(&mut self, blob: BlobId, out: &mut Vec<Effect>) {
        if self.blobs.start_load(&blob) {
            out.push(Effect::LoadBlob { blob });
        }
    }

    /// Keeps a verified blob in memory and makes it durable.
    pub(super) fn keep_blob(&mut self, blob: BlobId, bytes: Arc<[u8]>) {
        if self.blobs.add(blob, Arc::clone(&bytes)) {
            self.writer.add_blob(blob, bytes);
        }
    }

    pub(super) fn emit_run(&self, id: &VertexId, change: RunChange, out: &mut Vec<Effect>) {
        let Some(run) = self.runs.get(id) else { return };
        let name = run.spec().name.clone();
        out.push(Effect::Emit(Event::Run { run: *id, name, change }));
    }
}

fn watched_problem() -> Problem {
    Problem {
        code: "watching-full",
        message: format!(
            "runs that this node did not join take {} MiB already; no more of them is fetched",
            limits::WATCHED_BYTES_MAX >> 20
        ),
        hint: "join a run, or ask for its model, to follow it all the same".to_owned(),
    }
}

/// The name under which the head of a run is remembered across restarts.
pub(super) fn head_name(run: &VertexId) -> String {
    format!("head/{run}")
}

/// What the application is told about an aggregate.
fn round_view(run: &Run, aggregate: &VertexId) -> Option<RoundView> {
    let record = run.aggregate(aggregate)?;
    Some(RoundView {
        run: run.id(),
        name: run.spec().name.clone(),
        round: record.round,
        rounds: run.spec().rounds,
        updates: u32::try_from(record.updates.len()).unwrap_or(u32::MAX),
        contributors: run.contributors(aggregate).into_iter().collect(),
        left_out: run.left_out(aggregate).into_iter().collect(),
        aggregate: *aggregate,
        weights: record.weights,
    })
}
