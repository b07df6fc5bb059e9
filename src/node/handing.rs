//! From a verified snapshot to a node that goes on from it.
//!
//! What is handed becomes a record as a pruning leaves it, and vertices, beside the chunks, which
//! are stored as they come; so a start reads them as it reads those, and a crash finds either all
//! of it or nothing. Before anything is written, an engine computes the ledger from it and compares
//! every root. When the write is durable, the running node does what a start would do: goes on from
//! what is covered, and shows the vertices it has to that engine.
//!
//! While the write is under way nothing else is accepted: what a vertex said that came in between
//! would be taken for part of what was handed, and forgotten by the next start.
//!
//! A member must never contradict itself. What it said and did not lose is in vertices that it has.
//! When others have vertices of its own that it has not, it lost what it said: it then says
//! nothing more in the epoch.

use std::collections::BTreeSet;

use super::deciding::Deciding;
use super::joining::{Filling, Offer, Stage};
use super::offence::Offence;
use super::pruning;
use super::records::Batch;
use super::snapshots::Snapshots;
use super::{Node, sync};
use crate::clock::Now;
use crate::consensus::{Checkpoint, Committee, Past, State};
use crate::dag::vote::{Decision, ItemId};
use crate::dag::{Chain, Coverage, SignedVertex};
use crate::effect::Effect;
use crate::event::Event;
use crate::limits;
use crate::snapshot::{self, Entry, Error, Start};

/// The unit of the write that holds the records.
const UNIT: u64 = u64::MAX - 1;

/// Everything that the node goes on from when it is durable.
#[derive(Debug)]
pub(super) struct Handed {
    deciding: Deciding,
    snapshots: Snapshots,
    coverage: Coverage,
    vertices: Vec<SignedVertex>,
    checkpoints: Vec<Checkpoint>,
    /// What became final since this node was last there.
    finalised: Vec<ItemId>,
    records: usize,
    mute: Option<u64>,
}

impl Node {
    /// Whether this node lost what it said in this epoch.
    pub(super) fn is_mute(&self) -> bool {
        let epoch = self.deciding.engine.committee().map(Committee::epoch);
        self.pruning.mute.is_some_and(|mute| epoch.is_none_or(|epoch| epoch <= mute))
    }

    /// Hands everything to the writer; nothing while vertices turned out wrong or the store is busy
    /// with a pruning.
    pub(super) fn compose(
        &mut self,
        mut filling: Filling,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<Option<Handed>, Error> {
        let wrong = self.verify_got(&mut filling);
        let is_busy = self.pruning.is_under_way() || self.writer.is_removing();
        if !wrong.is_empty() || is_busy {
            self.joining.stage = Stage::Filling(Box::new(filling));
            for peer in wrong {
                self.penalise(&peer, Offence::InvalidVertex, now, out);
            }
            return Ok(None);
        }
        let Filling { offer, start, entries, got, lasting, .. } = filling;
        let (height, known) = (offer.sealed.height, self.snapshots.log.height);
        if height <= known {
            return Err(Error::Stale { height, known });
        }
        self.check_fits(&entries, got.len())?;
        let past = Past::handed(&offer.manifest.onward, self.joining.open_commitments());
        let (deciding, finalised) =
            self.engine_of(start.as_ref(), &entries, &offer, past.clone(), now)?;
        let coverage = snapshot::coverage_of(start.as_ref(), &entries);
        let checkpoints: Vec<Checkpoint> =
            deciding.engine.quorum().into_iter().flat_map(State::checkpoints).cloned().collect();
        let ends = checkpoints.iter().filter(|held| held.next.is_some());
        let ends: Vec<u64> = ends.map(|held| held.height).collect();
        let before = (start.as_ref(), entries.as_slice());
        let mut snapshots = self.snapshots.handed(&offer, before, &ends);
        self.joining.ends.iter().for_each(|end| snapshots.note_end(&end.checkpoint));
        let has_lost = self.has_lost_own(&coverage);
        let mute = has_lost.then_some(offer.sealed.epoch).or(self.pruning.mute);
        let onward = &offer.manifest.onward;
        let before = self.deciding.finalised.since(0).map(|(_, item)| item);
        let remembered = self.own_final_items();
        let own = self.deciding.own.since(0).chain(remembered.iter().map(|(n, item)| (*n, item)));
        let batch = Batch {
            ended: self.graph.ended().collect(),
            items: onward.items.clone(),
            past,
            first: self.deciding.finalised.first(),
            finalised: before.chain(finalised.iter().copied()).collect(),
            own: own.map(|(number, item)| (number, item.clone())).collect(),
            cover: Some(snapshots.cover(coverage.clone())),
            mute,
        };
        // Of what is open a peer may have said anything, and nobody looked at what is stated there.
        let is_taken = |signed: &SignedVertex| {
            let fields = signed.vertex();
            let is_open = coverage.has(&fields.author, fields.seq) && !signed.is_lasting();
            lasting.contains(&signed.id()) || is_open
        };
        let mut vertices: Vec<SignedVertex> =
            got.into_values().map(|(_, signed)| signed).filter(is_taken).collect();
        vertices.sort_by_key(|signed| (signed.vertex().lamport, signed.id()));
        let records = self.write_handed(batch, &vertices)?;
        self.joining.ends.clone().into_iter().for_each(|end| self.keep_end(end));
        Ok(Some(Handed {
            deciding,
            snapshots,
            coverage,
            vertices,
            checkpoints,
            finalised,
            records,
            mute,
        }))
    }

    /// Whether others have vertices of this node that it has not.
    fn has_lost_own(&self, coverage: &Coverage) -> bool {
        let own = self.graph.author(&self.me);
        coverage.tip(&self.me).is_some_and(|tip| {
            let is_other = |chain: &Chain| chain.at(tip.seq).is_some_and(|id| id != tip.id);
            own.is_none_or(|own| own.next_seq <= tip.seq || is_other(own))
        })
    }

    /// Whether this node has room, and knows nothing else of the same heights.
    fn check_fits(&self, entries: &[Entry], vertices: usize) -> Result<(), Error> {
        if self.graph.len() + vertices >= limits::GRAPH_VERTICES_MAX {
            return Err(Error::broken("the history has no room for it"));
        }
        let own = self.deciding.engine.quorum();
        let is_other = |entry: &Entry| {
            let own = own.and_then(|own| own.checkpoint(entry.checkpoint.height));
            own.is_some_and(|own| own.id() != entry.checkpoint.id())
        };
        if entries.iter().any(is_other) {
            return Err(Error::broken("another checkpoint is known here at the same height"));
        }
        Ok(())
    }

    /// An engine that knows what was decided, with every root compared; and what is final in it and
    /// was not here.
    fn engine_of(
        &mut self,
        start: Option<&Start>,
        entries: &[Entry],
        offer: &Offer,
        past: Past,
        now: Now,
    ) -> Result<(Deciding, Vec<ItemId>), Error> {
        let onward = &offer.manifest.onward;
        let (genesis, network, me) = (self.config.deciding(), self.config.network, self.me);
        let mut deciding =
            Deciding::new(genesis, network, me, &mut self.rng, now).map_err(Error::broken)?;
        let engine = deciding.engine.quorum_mut().ok_or(Error::broken("decisions are sampled"))?;
        let base = start.map(Start::footing);
        let steps: Vec<_> = entries.iter().map(Entry::step).collect();
        let items = entries.iter().flat_map(|entry| &entry.items).chain(&onward.items);
        let items = items.cloned().collect();
        engine.resume(base, &steps, past, items, now).map_err(Error::broken)?;
        let mut finalised: Vec<ItemId> = Vec::new();
        let mut known = BTreeSet::new();
        let certified = entries.iter().flat_map(|entry| &entry.decisions);
        for Decision(_, id) in certified.chain(&onward.settled) {
            let has = |key| engine.decided(key) == Some(*id);
            let is_final = engine.item(id).is_some_and(|item| item.keys.iter().all(has));
            if is_final && !self.deciding.finalised.has(id) && known.insert(*id) {
                finalised.push(*id);
            }
        }
        Ok((deciding, finalised))
    }

    /// Queues the vertices and the records; gives the number of those.
    fn write_handed(&mut self, batch: Batch, vertices: &[SignedVertex]) -> Result<usize, Error> {
        let records = batch.into_records();
        // The rest may be there before, and is fetched again if it is all that is. An own vertex
        // whose past is not there is taken for a damaged store.
        let is_own = |signed: &&SignedVertex| signed.vertex().author == self.me;
        let (own, others): (Vec<_>, Vec<_>) = vertices.iter().partition(is_own);
        let own: Vec<_> = own.into_iter().map(|signed| (signed.id(), signed.encode())).collect();
        let sizes = records.iter().chain(own.iter().map(|(_, bytes)| bytes)).map(Vec::len);
        let (bytes, bytes_max) = (sizes.sum(), limits::SNAPSHOT_BYTES_MAX);
        let is_large = |record: &Vec<u8>| record.len() > limits::STORE_VALUE_BYTES_MAX;
        if bytes > bytes_max
            || records.iter().any(is_large)
            || records.len() + own.len() > limits::STORE_BATCH_OPERATIONS_MAX / 2
        {
            return Err(Error::TooLarge { bytes, bytes_max });
        }
        for signed in others {
            self.writer.add_vertex(signed.id(), signed.encode());
        }
        let count = records.len();
        self.writer.add_unit(UNIT, pruning::named(records, self.pruning.records), own);
        Ok(count)
    }

    /// Units of writes are durable: the node goes on from what it was handed, if that is one.
    pub(super) fn snapshot_durable(&mut self, units: &[u64], now: Now, out: &mut Vec<Effect>) {
        if !units.contains(&UNIT) {
            return;
        }
        if let Stage::Writing(handed) = std::mem::take(&mut self.joining).stage {
            self.go_on_from(*handed, now, out);
        }
    }

    fn go_on_from(&mut self, handed: Handed, now: Now, out: &mut Vec<Effect>) {
        self.graph.adopt_coverage(handed.coverage);
        let mut accepted = Vec::with_capacity(handed.vertices.len());
        for signed in handed.vertices {
            let id = signed.id();
            match self.graph.restore(signed) {
                Ok(()) => accepted.push(id),
                Err(error) => self.counters.count(error.code()),
            }
        }
        self.sync = sync::State::new();
        self.writer.drop_votes();
        let height = handed.checkpoints.last().map_or(0, |last| last.height);
        self.pruning.handed(handed.records, height, handed.mute);
        let own = self.own_final_items();
        let before = std::mem::replace(&mut self.deciding, handed.deciding);
        self.snapshots = handed.snapshots;
        self.pruning.unused.clone_from(&self.snapshots.retired);
        let first = before.finalised.total();
        (self.deciding.finalised, self.deciding.own) = (before.finalised, before.own);
        for item in &handed.finalised {
            self.deciding.finalised.push(*item);
        }
        self.forget_finalised(own);
        for checkpoint in handed.checkpoints {
            self.on_checkpoint(checkpoint);
        }
        if let Some(engine) = self.deciding.engine.quorum_mut() {
            engine.note_covered(self.graph.coverage().tips());
        }
        for signed in self.graph.iter() {
            self.deciding.restore(signed, now);
        }
        self.counters.count("snapshot-taken");
        if handed.mute.is_some() {
            self.warn_elsewhere(now, out);
        }
        for id in accepted {
            if let Some(changes) = self.graph.get(&id).map(|signed| self.runs.apply(signed)) {
                self.on_changes(changes, now, out);
            }
        }
        for number in (first..).take(handed.finalised.len()) {
            let view = self.finalised_view(number);
            out.extend(view.map(|view| Effect::Emit(Event::Finalised(view))));
        }
        self.fill_door();
        self.on_notices(now, out);
        self.wake_engine(now, out);
    }
}
