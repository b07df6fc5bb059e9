//! What this node can hand to those that come late: entries, chunks and manifests as checkpoints
//! come up ([`crate::snapshot`]), and answers to who asks.
//!
//! An entry needs the whole past of a checkpoint's frontier, so a node that executed a block before
//! it has that past waits with it, and with its signature. Parts are stored as blobs. What is left
//! is small, and part of the record of each pruning; a node that dropped nothing finds everything
//! again from its history.
//!
//! When a generation of entries begins, the one before the last is forgotten, here and in the
//! engine. Its parts stay for one more record in the store: a record that names them may be the
//! last one that is durable, and who is on the way to a snapshot may still ask for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::ends::Ended;
use super::joining::Offer;
use super::serving::{refuse, respond};
use super::{History, Node};
use crate::clock::Now;
use crate::consensus::{Checkpoint, Item, Record, Sealed, State, Step};
use crate::dag::vote::ItemId;
use crate::dag::{BlobId, Citation, Coverage, Layer, SignedVertex, VertexId};
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::limits;
use crate::message::{Refusal, Response, Snapshot, WantSnapshot};
use crate::snapshot::{self, Entry, Log, Manifest, Part, Start};

/// Bytes that an answer has beside its three parts, at most.
const FRAME_BYTES: usize = 64;

/// What it costs to find out whether a vertex is open, in vertices that are walked over.
const LOOK_COST: usize = 8;

/// What can be handed out.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    pub(super) log: Log,
    /// Checkpoints that no entry was made of, by height.
    pub(super) pending: VecDeque<Step>,
    /// Digests of manifests by height, and whether the checkpoint ends an epoch.
    digests: BTreeMap<u64, ([u8; 32], bool)>,
    /// The newest manifests, encoded.
    manifests: BTreeMap<u64, Vec<u8>>,
    /// The certificate that was last handed out, with its height.
    certificate: Option<(u64, Vec<u8>)>,
    /// What whoever lacks what was dropped goes on from, whether or not members sign ever again.
    pub(super) dropped: Option<Certified>,
    /// The height up to which every checkpoint that ends an epoch has a certificate.
    pub(super) ends_to: u64,
    /// Vertices that layers name.
    lasting: BTreeSet<VertexId>,
    /// How far chains were covered where the last generation begins.
    begun: Vec<Citation>,
    /// Parts of generations that are forgotten.
    pub(super) retired: Vec<BlobId>,
}

/// A manifest that a quorum signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certified {
    epoch: u64,
    height: u64,
    certificate: ByteBuf,
    manifest: ByteBuf,
}

impl Certified {
    /// What this node itself was handed.
    fn of(offer: &Offer, manifest: Vec<u8>) -> Self {
        let (epoch, height) = (offer.sealed.epoch, offer.sealed.height);
        let certificate = ByteBuf::from(offer.certificate.clone());
        Self { epoch, height, certificate, manifest: manifest.into() }
    }
}

/// What a record of a pruning holds of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cover {
    log: Log,
    /// How far it covers the chains of authors.
    pub(super) coverage: Coverage,
    /// Height, digest, and whether the checkpoint ends an epoch.
    digests: Vec<(u64, ByteBuf, bool)>,
    /// Parts that nothing names any more, and that the next record lets go.
    retired: Vec<BlobId>,
    /// What others go on from who lack what was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<Certified>,
}

impl Cover {
    /// What was handed out until then.
    pub(super) fn log(&self) -> &Log {
        &self.log
    }
}

impl Snapshots {
    /// Whether the digest at a height will be known later.
    pub(super) fn is_pending(&self, height: u64) -> bool {
        height > self.log.height
    }

    /// What has to be stored when vertices are dropped.
    pub(super) fn cover(&self, coverage: Coverage) -> Cover {
        let digest = |(height, (digest, ends)): (&u64, &([u8; 32], bool))| {
            (*height, ByteBuf::from(digest.to_vec()), *ends)
        };
        let digests = self.digests.iter().map(digest).collect();
        let (log, retired, dropped) =
            (self.log.clone(), self.retired.clone(), self.dropped.clone());
        Cover { log, coverage, digests, retired, dropped }
    }

    /// Goes on from what was stored, with what its parts say.
    pub(super) fn restore(cover: &Cover, start: Option<&Start>, entries: &[Entry]) -> Self {
        let digest = |(height, digest, ends): &(u64, ByteBuf, bool)| {
            Some((*height, (<[u8; 32]>::try_from(digest.as_slice()).ok()?, *ends)))
        };
        let digests = cover.digests.iter().filter_map(digest).collect();
        let (log, retired, dropped) =
            (cover.log.clone(), cover.retired.clone(), cover.dropped.clone());
        let mut restored = Self { log, digests, dropped, retired, ..Self::default() };
        restored.note_past(start, entries);
        restored
    }

    /// Remembers what the next generations need of those before.
    fn note_past(&mut self, start: Option<&Start>, entries: &[Entry]) {
        let last_begins = self.log.begins().last().unwrap_or(0);
        let before = entries.iter().filter(|entry| entry.checkpoint.height <= last_begins);
        self.begun = snapshot::coverage_of(start, before).tips().copied().collect();
        self.lasting = snapshot::lasting_of(start, entries);
    }

    /// What was known before, and a manifest that was handed to this node.
    pub(super) fn handed(
        &self,
        offer: &Offer,
        (start, entries): (Option<&Start>, &[Entry]),
        ends: &[u64],
    ) -> Self {
        let Offer { sealed, manifest, .. } = offer;
        let mut digests = self.digests.clone();
        digests.retain(|height, _| ends.contains(height));
        digests.insert(sealed.height, (sealed.snapshot, sealed.next.is_some()));
        let bytes = manifest.encode();
        let dropped = Some(Certified::of(offer, bytes.clone()));
        let manifests = [(sealed.height, bytes)].into();
        let unused = |part: &BlobId| !manifest.log.parts().any(|used| used == *part);
        let retired = self.log.parts().chain(self.retired.iter().copied()).filter(unused);
        let (log, retired) = (manifest.log.clone(), retired.collect());
        let mut handed = Self { log, digests, manifests, dropped, retired, ..Self::default() };
        handed.note_past(start, entries);
        handed
    }

    /// Remembers the digest of a height that ends an epoch.
    pub(super) fn note_end(&mut self, sealed: &Checkpoint) {
        self.digests.insert(sealed.height, (sealed.snapshot, true));
    }

    fn note(&mut self, height: u64, ends: bool, manifest: &Manifest) {
        let bytes = manifest.encode();
        self.digests.insert(height, (Manifest::digest_of(&bytes), ends));
        let oldest = height.saturating_sub(limits::SNAPSHOT_DIGESTS_MAX);
        self.digests.retain(|known, (_, ends)| *ends || *known > oldest);
        self.manifests.insert(height, bytes);
        while self.manifests.len() > limits::SNAPSHOT_MANIFESTS_MAX {
            self.manifests.pop_first();
        }
    }
}

impl Node {
    /// A checkpoint as members sign it, once that can be known here.
    pub(super) fn sealed(&self, checkpoint: &Checkpoint) -> Option<Checkpoint> {
        let (digest, _) = self.snapshots.digests.get(&checkpoint.height)?;
        Some(checkpoint.sealed(*digest))
    }

    /// Hands the engine items that a decided block names, and that it took for over.
    fn supply_lacking(&mut self, now: Now, out: &mut Vec<Effect>) {
        let lacking = self.lacking();
        let records = lacking.iter().filter_map(|id| self.graph.get(id)).map(Record::of);
        self.supply(&records.collect::<Vec<_>>(), now, out);
    }

    /// Hands the engine the items of a vertex that the graph takes no more, if a decided block
    /// names them: whoever goes on from a snapshot may not have been told of them.
    pub(super) fn supply_covered(
        &mut self,
        signed: &SignedVertex,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> bool {
        let is_lacking = self.lacking().contains(&signed.id());
        if is_lacking {
            self.supply(&[Record::of(signed)], now, out);
        }
        is_lacking
    }

    /// The height up to which nothing is missing here, for who asks for these: none where they are
    /// of a decided block, as whoever has executed that may have dropped them.
    pub(super) fn whole_to(&self, ids: &[VertexId]) -> u64 {
        let lacking = self.lacking();
        let is_lacking = ids.iter().any(|id| lacking.contains(id));
        if is_lacking { 0 } else { self.snapshots.log.height }
    }

    fn supply(&mut self, records: &[Record], now: Now, out: &mut Vec<Effect>) {
        let Some(engine) = self.deciding.engine.quorum_mut() else { return };
        for record in records {
            engine.supply(record, now);
        }
        if !records.is_empty() {
            self.counters.count("item-supplied");
            self.wake_engine(now, out);
        }
    }

    /// Makes entries of the checkpoints whose past is here, and accepts what waited for one.
    pub(super) fn cover_checkpoints(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.supply_lacking(now, out);
        if self.snapshots.pending.is_empty() {
            return;
        }
        if !self.note_layers() {
            return;
        }
        for id in self.graph.release_covered() {
            self.remember_vertex(&id);
            self.fold(&id, now, out);
        }
        self.on_notices(now, out);
    }

    /// Vertices of items that a decided block names and the engine does not know.
    fn lacking(&self) -> Vec<VertexId> {
        self.deciding.engine.quorum().map(State::lacking).unwrap_or_default()
    }

    /// Vertices without which the next checkpoint cannot be covered, or not be executed.
    pub(super) fn lacking_for_checkpoint(&self) -> Vec<VertexId> {
        let frontier = self.snapshots.pending.front().map(|step| &step.frontier);
        let missing = frontier.into_iter().flatten().filter(|cited| !self.graph.is_known(cited));
        let lacking = self.lacking().into_iter().filter(|id| !self.graph.contains(id));
        missing.map(|cited| cited.id).chain(lacking).collect()
    }

    /// Whether any checkpoint was covered.
    fn note_layers(&mut self) -> bool {
        let newest = self.snapshots.pending.back().map_or(0, |step| step.checkpoint.height);
        let mut is_any = false;
        while let Some(step) = self.snapshots.pending.pop_front() {
            let Some(layer) = self.graph.cover(&[&step.frontier]).pop() else {
                self.snapshots.pending.push_front(step);
                break;
            };
            is_any = true;
            if let Some(engine) = self.deciding.engine.quorum_mut() {
                engine.note_covered(layer.tips.iter());
            }
            for part in self.log_step(&step, layer) {
                self.keep_part(part);
            }
            // Of long ago nobody asks for any other.
            let (height, ends) = (step.checkpoint.height, step.checkpoint.next.is_some());
            if ends || height.saturating_add(limits::SNAPSHOT_DIGESTS_MAX) > newest {
                let manifest = self.snapshots.log.manifest(step.onward);
                self.snapshots.note(height, ends, &manifest);
            }
        }
        is_any
    }

    /// Makes an entry of a checkpoint, and begins a generation if it is time. Gives new parts.
    fn log_step(&mut self, step: &Step, layer: Layer) -> Vec<Part> {
        self.snapshots.lasting.extend(&layer.lasting);
        let Step { checkpoint, decisions, items, .. } = step.clone();
        let entry = Entry { checkpoint, decisions, items, layer };
        let mut parts: Vec<Part> = self.snapshots.log.push(&entry).into_iter().collect();
        let Some(engine) = self.deciding.engine.quorum() else { return parts };
        if self.snapshots.log.is_full(self.config.generation_bytes) {
            let (base, coverage) = (engine.base_at(step), self.graph.coverage().clone());
            let lasting = self.snapshots.lasting.iter().copied().collect();
            let tips = coverage.tips().copied().collect();
            let before: Vec<BlobId> = self.snapshots.log.parts().collect();
            parts.extend(self.snapshots.log.begin(&Start { base, coverage, lasting }));
            let now: BTreeSet<BlobId> = self.snapshots.log.parts().collect();
            // Who keeps everything keeps these as well.
            if self.config.history != History::All {
                let gone = before.into_iter().filter(|part| !now.contains(part));
                self.snapshots.retired.extend(gone);
            }
            let begun = std::mem::replace(&mut self.snapshots.begun, tips);
            self.forget_decisions(&begun);
        }
        parts
    }

    /// Forgets what is before the generations that are remembered. `begun` is how far chains were
    /// covered there.
    fn forget_decisions(&mut self, begun: &[Citation]) {
        let height = self.snapshots.log.begins().next().unwrap_or(0);
        if height == 0 {
            return;
        }
        if self.config.history == History::All {
            if let Some(engine) = self.deciding.engine.quorum_mut() {
                engine.note_old(begun.iter());
            }
            return;
        }
        let own = self.own_final_items();
        let Some(engine) = self.deciding.engine.quorum_mut() else { return };
        engine.forget_decisions(height, begun.iter());
        self.forget_finalised(own);
        self.counters.count("decisions-forgotten");
    }

    /// Shortens the list of what is final to what the engine remembers, but for what is about the
    /// owner.
    pub(super) fn forget_finalised(&mut self, own: Vec<(u64, Item)>) {
        let Some(engine) = self.deciding.engine.quorum() else { return };
        self.deciding.finalised.forget_until(|item| engine.item(item).is_some());
        self.keep_own(own);
    }

    fn keep_part(&mut self, (part, bytes): Part) {
        if bytes.len() > limits::BLOB_BYTES_MAX {
            // Nobody can come late by it, and everybody here goes on.
            self.counters.count("snapshot-chunk-too-large");
        } else {
            self.keep_blob(part, bytes.into());
        }
    }

    /// Answers who asks for a snapshot.
    pub(super) fn serve_snapshot(
        &mut self,
        peer: &TransportId,
        token: u64,
        want: WantSnapshot,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if !self.may_walk(peer, token, now, out) {
            return;
        }
        let offer = self.step_from(want).or_else(|| self.offer(want));
        self.has_walked(peer, self.graph.len() * LOOK_COST);
        match offer {
            Some(offer) => respond(token, &Response::Snapshot(offer), out),
            None => refuse(token, Refusal::Unknown, out),
        }
    }

    /// The certificate that ends an epoch, and what may be the newest manifest that has one: in a
    /// network where nothing happens the next committee certifies nothing.
    fn step_from(&self, want: WantSnapshot) -> Option<Snapshot> {
        let mut checkpoints = self.deciding.engine.quorum()?.checkpoints();
        let last = checkpoints.find(|held| held.epoch == want.epoch && held.next.is_some())?;
        let certificate = self.seal(last)?;
        let manifest = self.snapshots.manifests.get(&last.height).cloned();
        let fitting = |manifest| self.fitting(certificate.clone(), manifest);
        let offer = manifest.and_then(fitting).or_else(|| self.dropped_by(want));
        let (manifest, open, commitments) = (Vec::new(), Vec::new(), Vec::new());
        let step = Snapshot { certificate, manifest, open, commitments };
        Some(offer.unwrap_or(step))
    }

    /// What whoever lacks what the last checkpoint holds can be handed, if a quorum signed the
    /// manifest, that fits an answer, and every committee before signed who follows it.
    pub(super) fn last_certified(&mut self) -> Option<Certified> {
        let height = self.deciding.engine.quorum()?.last_checkpoint()?.height;
        if self.look_at_ends(height) != Ended::Certified {
            return None;
        }
        let last = self.deciding.engine.quorum()?.last_checkpoint()?;
        let manifest = self.snapshots.manifests.get(&last.height)?.clone();
        let offer = self.fitting(self.seal(last)?, manifest)?;
        let (certificate, manifest) = (offer.certificate.into(), offer.manifest.into());
        Some(Certified { epoch: last.epoch, height: last.height, certificate, manifest })
    }

    /// The newest manifest that a quorum signed in an epoch, or that vertices were dropped by.
    fn offer(&mut self, want: WantSnapshot) -> Option<Snapshot> {
        let checkpoints = self.deciding.engine.quorum()?.checkpoints();
        let news = |held: &&Checkpoint| held.epoch == want.epoch && held.height > want.height;
        let of_epoch = checkpoints.rev().take_while(news);
        let kept = of_epoch.filter(|held| self.snapshots.manifests.contains_key(&held.height));
        let cached = |height| {
            let cached = self.snapshots.certificate.as_ref();
            cached.filter(|(known, _)| *known == height).map(|(_, bytes)| bytes.clone())
        };
        let newest = kept.take(limits::SNAPSHOT_MANIFESTS_MAX).find_map(|held| {
            let bytes = cached(held.height).or_else(|| self.seal(held))?;
            Some((held.height, bytes))
        });
        let Some((height, certificate)) = newest else { return self.dropped_by(want) };
        let manifest = self.snapshots.manifests.get(&height)?.clone();
        self.snapshots.certificate = Some((height, certificate.clone()));
        self.fitting(certificate, manifest)
    }

    /// What vertices were dropped by in an epoch: everything since then is here.
    fn dropped_by(&self, want: WantSnapshot) -> Option<Snapshot> {
        let fits = |held: &&Certified| held.epoch == want.epoch && held.height > want.height;
        let held = self.snapshots.dropped.as_ref().filter(fits)?;
        self.fitting(held.certificate.to_vec(), held.manifest.to_vec())
    }

    /// An answer with these, if it is not too long for one.
    fn fitting(&self, certificate: Vec<u8>, manifest: Vec<u8>) -> Option<Snapshot> {
        let (open, commitments) = (self.open_bytes(), self.commitment_bytes());
        let lists = open.len() + commitments.len();
        let bytes = certificate.len() + manifest.len() + lists + FRAME_BYTES;
        let offer = Snapshot { certificate, manifest, open, commitments };
        (bytes <= limits::RESPONSE_BYTES_MAX).then_some(offer)
    }

    fn seal(&self, checkpoint: &Checkpoint) -> Option<Vec<u8>> {
        let certificate = self.certificate(checkpoint).ok()?;
        let keys = self.signers([&certificate].into_iter());
        Some(Sealed { keys, certificate }.encode())
    }

    /// Covered vertices that somebody who goes on from a snapshot has to see.
    fn open_bytes(&self) -> Vec<u8> {
        let Some(engine) = self.deciding.engine.quorum() else { return Vec::new() };
        let open = self.graph.covered().filter(|signed| !engine.is_past(&Record::of(signed)));
        open.take(limits::SNAPSHOT_OPEN_MAX).flat_map(|signed| signed.id().0.0).collect()
    }

    /// Commitments to names of which nothing else says that they are open.
    fn commitment_bytes(&self) -> Vec<u8> {
        let open = self.deciding.engine.quorum().into_iter().flat_map(State::old_commitments);
        open.take(limits::SNAPSHOT_COMMITMENTS_MAX).flat_map(ItemId::to_bytes).collect()
    }
}
