//! Taking a snapshot, when peers dropped what this node never saw.
//!
//! ```text
//!  peers refuse: dropped -> [asking]  several peers; each certificate is verified, committee by
//!                                |      committee; the newest manifest is taken
//!                             [loading] its chunks, as blobs, from whoever has them
//!                                |
//!                             [filling] the vertices that are needed whole: identities, runs,
//!                                |      what is still open
//!                             one write ([`super::handing`]), then the node goes on from it
//! ```
//!
//! Nothing that a peer says is believed: a manifest is what a quorum signed, chunks are named in it
//! by their hashes, and they name what is needed whole. Only the list of what is open is a peer's
//! own word, and of what is on it only covered vertices with votes and items are taken. Who leaves
//! something out of it keeps votes from this node, which can then
//! decide later than others, at the next checkpoint, and never differently.
//!
//! Chunks are stored as they come. So after a crash, or when a peer is gone, only what was under
//! way is asked for again. An attempt that makes no progress is given up, and begins anew with
//! whatever manifest is the newest then.

use std::collections::{BTreeMap, BTreeSet};

use super::Node;
use super::doubting::Doubt;
use super::offence::Offence;
use super::peers::{Asked, Peer};
use crate::clock::Now;
use crate::consensus::{Certificate, Checkpoint, Committee, Sealed};
use crate::crypto::hash::Digest;
use crate::crypto::sign::PublicKey;
use crate::dag::vote::ItemId;
use crate::dag::{BlobId, Payload, SignedVertex, VertexId};
use crate::effect::Effect;
use crate::event::Problem;
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::message::{Request, Snapshot, Vertices, WantSnapshot, WantVertices};
use crate::snapshot::{self, Entry, Error, Manifest, Start};

/// The name under which chunks are wanted, among those of runs.
const WANTED_AS: &[u8] = b"snapshot";

/// How far a snapshot has come.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// What one peer says it dropped, and whether others have it.
    pub(super) doubt: Option<Doubt>,
    /// Whether what is needed here is not to be had otherwise, and what that was.
    pub(super) wanted: bool,
    pub(super) lacking: Vec<VertexId>,
    pub(super) stage: Stage,
    /// The committees from the own one to the last that a certificate named.
    committee: Option<Committee>,
    /// Certificates of the checkpoints that end the epochs between.
    pub(super) ends: Vec<Certificate>,
    /// Peers that were asked since the last of these, and in this attempt.
    asked: BTreeSet<TransportId>,
    /// Those of them that had nothing to offer (count).
    fruitless: usize,
    best: Option<Offer>,
    /// Who says of which vertices that they are open.
    open: BTreeMap<VertexId, BTreeSet<TransportId>>,
    /// Members of the committee that offered something, and who of them says of which commitments
    /// that they are open.
    offered: BTreeSet<TransportId>,
    commitments: BTreeMap<ItemId, BTreeSet<TransportId>>,
    /// When the first offer came, and when something last went on.
    offered_ms: u64,
    pub(super) progress_ms: u64,
    pub(super) not_before_ms: u64,
}

/// What is under way.
#[derive(Debug, Default)]
pub(super) enum Stage {
    #[default]
    Asking,
    Loading(Box<Loading>),
    Filling(Box<Filling>),
    /// The write is under way.
    Writing(Box<super::handing::Handed>),
}

/// A manifest that a quorum certified.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// An encoded [`Sealed`], as it was verified.
    pub(super) certificate: Vec<u8>,
    pub(super) sealed: Checkpoint,
    pub(super) manifest: Manifest,
}

#[derive(Debug)]
pub(super) struct Loading {
    offer: Offer,
    /// Those of the parts that are needed here, in their order.
    parts: Vec<Vec<u8>>,
    /// Parts that are not here (count).
    missing: usize,
}

#[derive(Debug)]
pub(super) struct Filling {
    pub(super) offer: Offer,
    pub(super) start: Option<Start>,
    pub(super) entries: Vec<Entry>,
    /// Vertices that are not here yet.
    needs: BTreeMap<VertexId, Need>,
    asked: BTreeMap<TransportId, Vec<VertexId>>,
    pub(super) got: BTreeMap<VertexId, (TransportId, SignedVertex)>,
    /// Those without which nothing goes on.
    pub(super) lasting: BTreeSet<VertexId>,
    /// Who gave nothing of what it was asked for: its word about what is open counts no more.
    failed: BTreeSet<TransportId>,
}

#[derive(Debug, Default)]
struct Need {
    /// Whether nothing goes on without it.
    lasting: bool,
    /// Who did not give it.
    tried: BTreeSet<TransportId>,
}

impl Joining {
    /// When to look again although nothing happened.
    pub(super) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let offers_ms = self.offered_ms.saturating_add(limits::SNAPSHOT_OFFER_MS);
        let late_ms = self.progress_ms.saturating_add(limits::SNAPSHOT_RETRY_MS);
        let times = [self.not_before_ms, offers_ms, late_ms];
        times.into_iter().filter(|at_ms| self.wanted && *at_ms > now_ms).min()
    }

    /// A peer that was asked for a snapshot has none, or does not answer.
    pub(super) fn has_none(&mut self) {
        self.fruitless += 1;
    }

    /// What was asked of a peer does not come.
    pub(super) fn give_up(&mut self, peer: &TransportId) {
        if let Stage::Filling(filling) = &mut self.stage {
            filling.has_not(peer, &BTreeSet::new());
        }
    }

    fn hear_commitments(&mut self, peer: &TransportId, bytes: &[u8]) {
        for item in bytes.as_chunks().0 {
            let peers = self.commitments.entry(ItemId::from_bytes(item)).or_default();
            peers.insert(peer.clone());
        }
    }

    /// Commitments to names that are open, as most members say that offered something.
    pub(super) fn open_commitments(&self) -> Vec<ItemId> {
        let is_of_most = |peers: &BTreeSet<TransportId>| 2 * peers.len() > self.offered.len();
        let open = self.commitments.iter().filter(|(_, peers)| is_of_most(peers));
        open.map(|(id, _)| *id).collect()
    }

    /// Whether a newer snapshot than what is here was verified and is being fetched.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.stage, Stage::Asking)
    }

    /// Whether what is durable soon says which vertices this node has whole, and which not.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.stage, Stage::Writing(_))
    }

    /// Lets it be, and begins anew after a while if peers still drop what is needed.
    fn restart(&mut self, now: Now) {
        let not_before_ms = now.mono_ms.saturating_add(limits::SNAPSHOT_RETRY_MS);
        *self = Self { not_before_ms, ..Self::default() };
    }
}

impl Filling {
    /// A peer answered, or did not: of what it was asked for, it gave these.
    fn has_not(&mut self, peer: &TransportId, given: &BTreeSet<VertexId>) {
        let asked = self.asked.remove(peer).unwrap_or_default();
        if !asked.is_empty() && given.is_empty() {
            self.failed.insert(peer.clone());
        }
        for id in asked {
            if !given.contains(&id)
                && let Some(need) = self.needs.get_mut(&id)
            {
                need.tried.insert(peer.clone());
            }
        }
    }

    /// What to ask of a peer: what is open only of those that say so.
    fn next_of(
        &self,
        peer: &TransportId,
        open: &BTreeMap<VertexId, BTreeSet<TransportId>>,
    ) -> Vec<VertexId> {
        let under_way: BTreeSet<&VertexId> = self.asked.values().flatten().collect();
        let has = |id: &VertexId| {
            !self.failed.contains(peer) && open.get(id).is_some_and(|peers| peers.contains(peer))
        };
        let needs = self.needs.iter().filter(|(id, need)| {
            !need.tried.contains(peer) && !under_way.contains(id) && (need.lasting || has(id))
        });
        needs.map(|(id, _)| *id).take(limits::REQUEST_VERTICES_MAX).collect()
    }
}

impl Node {
    /// Does what is due to take a snapshot.
    pub(super) fn join(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.joining.wanted || self.cut.is_some() || now.mono_ms < self.joining.not_before_ms {
            return;
        }
        let is_early = matches!(self.joining.stage, Stage::Asking | Stage::Loading(_));
        if is_early && self.joining.lacking.iter().all(|id| self.graph.get(id).is_some()) {
            // It came after all.
            return self.restart_joining(now);
        }
        let late_ms = self.joining.progress_ms.saturating_add(limits::SNAPSHOT_RETRY_MS);
        if now.mono_ms >= late_ms && !self.joining.is_writing() {
            self.counters.count("snapshot-given-up");
            self.warn(dropped_problem(), now, out);
            return self.restart_joining(now);
        }
        match std::mem::take(&mut self.joining.stage) {
            Stage::Asking => self.ask_for_snapshots(now, out),
            Stage::Loading(loading) => self.load_parts(*loading, now, out),
            Stage::Filling(filling) => self.fill(*filling, now, out),
            writing @ Stage::Writing(_) => self.joining.stage = writing,
        }
    }

    fn ask_for_snapshots(&mut self, now: Now, out: &mut Vec<Effect>) {
        let known = self.peers.known().map(|(peer, _, _)| peer.clone());
        let mut known: Vec<TransportId> = known.collect();
        // Or peers with ids of their choice would be asked each time, and nobody else.
        self.rng.shuffle(&mut known);
        let epoch = self.joining_committee().map_or(0, Committee::epoch);
        let height = self.height_here();
        for peer in &known {
            let is_new = !self.joining.asked.contains(peer) && self.peers.is_free(peer);
            let awaited = self.joining.asked.len().saturating_sub(self.joining.fruitless);
            if is_new && awaited < limits::SNAPSHOT_PEERS_MAX {
                self.joining.asked.insert(peer.clone());
                let message = Request::Snapshot(WantSnapshot { epoch, height });
                self.request(peer, Asked::Snapshot, &message, now, out);
            }
        }
        let waits = |peer: &TransportId| self.peers.is_asked(peer, |a| *a == Asked::Snapshot);
        let is_over = now.since_ms(self.joining.offered_ms) >= limits::SNAPSHOT_OFFER_MS;
        if !is_over && known.iter().any(waits) {
            return;
        }
        if let Some(offer) = self.joining.best.take() {
            self.joining.progress_ms = now.mono_ms;
            let loading = Loading { offer, parts: Vec::new(), missing: usize::MAX };
            self.load_parts(loading, now, out);
        }
    }

    /// The height of the last checkpoint here whose past is here.
    fn height_here(&self) -> u64 {
        self.snapshots.log.height
    }

    fn joining_committee(&self) -> Option<&Committee> {
        self.joining.committee.as_ref().or_else(|| self.deciding.engine.committee())
    }

    /// A peer offers a snapshot, or the next committee.
    pub(super) fn on_offer(
        &mut self,
        peer: &TransportId,
        offer: &Snapshot,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if !self.joining.wanted || !matches!(self.joining.stage, Stage::Asking) {
            return self.counters.count("snapshot-unwanted");
        }
        if let Err(error) = self.take_offer(peer, offer, now) {
            self.counters.count(error.code());
            if error.blames_sender() {
                self.penalise(peer, Offence::FalseSnapshot, now, out);
            }
        }
    }

    fn take_offer(&mut self, peer: &TransportId, offer: &Snapshot, now: Now) -> Result<(), Error> {
        let Some(committee) = self.joining_committee() else { return Ok(()) };
        let is_member = self
            .peers
            .get(peer)
            .and_then(Peer::author)
            .is_some_and(|author| committee.place(&author).is_some());
        let sealed = Sealed::decode(&offer.certificate)?;
        let (height, epoch) =
            (sealed.certificate.checkpoint.height, sealed.certificate.checkpoint.epoch);
        if epoch != committee.epoch() {
            // Of before another answer that named the next committee.
            return Err(Error::Stale { height, known: height });
        }
        let certificate = sealed.certificate.clone();
        let sealed = sealed.verify(&self.config.network, committee)?;
        if let Some(seats) = &sealed.next {
            let next = Committee::of_seats(seats)?;
            if committee.epoch().checked_add(1) == Some(next.epoch()) {
                self.joining.committee = Some(next);
                self.joining.ends.push(certificate);
                self.joining.asked.clear();
                self.joining.fruitless = 0;
                self.joining.offered.clear();
                self.joining.commitments.clear();
                self.joining.progress_ms = now.mono_ms;
            }
            if offer.manifest.is_empty() {
                return Ok(());
            }
            // The next committee may not have certified anything yet.
        }
        let manifest = Manifest::open(&offer.manifest, &sealed)?;
        let best = self.joining.best.as_ref().map(|best| best.sealed.height);
        let known = self.height_here().max(best.map_or(0, |height| height - 1));
        if sealed.height <= known {
            return Err(Error::Stale { height: sealed.height, known });
        }
        if is_member {
            self.joining.offered.insert(peer.clone());
            self.joining.hear_commitments(peer, &offer.commitments);
        }
        let (ids, _) = offer.open.as_chunks::<32>();
        for id in ids {
            let peers = self.joining.open.entry(VertexId(Digest(*id))).or_default();
            peers.insert(peer.clone());
        }
        if best.is_none() {
            self.joining.offered_ms = now.mono_ms;
        }
        if best.is_none_or(|height| height < sealed.height) {
            let certificate = offer.certificate.clone();
            self.joining.best = Some(Offer { certificate, sealed, manifest });
        }
        Ok(())
    }

    /// Reads the parts that are here, in their order, and lets the others be fetched.
    fn load_parts(&mut self, mut loading: Loading, now: Now, out: &mut Vec<Effect>) {
        let log = &loading.offer.manifest.log;
        let needed = log.needed();
        while let Some(bytes) = needed.get(loading.parts.len()).and_then(|id| self.blobs.get(id)) {
            loading.parts.push(bytes.to_vec());
        }
        let next = needed.get(loading.parts.len());
        let missing: Vec<BlobId> = log.parts().filter(|part| !self.blobs.is_local(part)).collect();
        if missing.len() < loading.missing {
            loading.missing = missing.len();
            self.joining.progress_ms = now.mono_ms;
        }
        if next.is_some() || !missing.is_empty() {
            if let Some(next) = next.filter(|next| self.blobs.start_load(next)) {
                out.push(Effect::LoadBlob { blob: *next });
            }
            let wanted = missing.into_iter().take(limits::BLOBS_WANTED_MAX / 2);
            let needs: BTreeMap<BlobId, Vec<TransportId>> =
                wanted.map(|id| (id, Vec::new())).collect();
            self.blobs.need(VertexId::of(WANTED_AS), &needs);
            self.fetch_blobs(now, out);
            self.joining.stage = Stage::Loading(Box::new(loading));
            return;
        }
        self.blobs.need(VertexId::of(WANTED_AS), &BTreeMap::new());
        match self.begin_filling(loading) {
            Ok(filling) => self.fill(filling, now, out),
            Err(error) => self.give_up_snapshot(&error, now, out),
        }
    }

    /// Finds out which vertices are needed whole.
    fn begin_filling(&self, loading: Loading) -> Result<Filling, Error> {
        let Loading { offer, parts, .. } = loading;
        let (start, entries) = offer.manifest.log.read(&parts)?;
        snapshot::check_chain(start.as_ref(), &entries, &offer.sealed)?;
        let mut needs: BTreeMap<VertexId, Need> = BTreeMap::new();
        let lasting = snapshot::lasting_of(start.as_ref(), &entries);
        for id in &lasting {
            needs.entry(*id).or_default().lasting = true;
        }
        for id in self.joining.open.keys() {
            needs.entry(*id).or_default();
        }
        needs.retain(|id, _| self.graph.get(id).is_none());
        let (asked, got, failed) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Ok(Filling { offer, start, entries, needs, asked, got, lasting, failed })
    }

    /// Asks for vertices, and goes on once all are here that can be had.
    fn fill(&mut self, mut filling: Filling, now: Now, out: &mut Vec<Effect>) {
        let known: Vec<TransportId> = self.peers.known().map(|(peer, _, _)| peer.clone()).collect();
        let graph = &self.graph;
        filling.needs.retain(|id, _| graph.get(id).is_none());
        for peer in &known {
            if filling.asked.contains_key(peer) || !self.peers.is_free(peer) {
                continue;
            }
            let ids = filling.next_of(peer, &self.joining.open);
            if ids.is_empty() {
                continue;
            }
            let height = filling.offer.sealed.height;
            let message = Request::Vertices(WantVertices { ids: ids.clone(), height });
            let asked = Asked::Filling { ids: ids.clone() };
            if self.request(peer, asked, &message, now, out) {
                filling.asked.insert(peer.clone(), ids);
            }
        }
        let open = &self.joining.open;
        let can_come = |(id, need): (&VertexId, &Need)| {
            let has = |peer: &TransportId| open.get(id).is_some_and(|peers| peers.contains(peer));
            let may = |peer: &TransportId| {
                has(peer) && !need.tried.contains(peer) && !filling.failed.contains(peer)
            };
            need.lasting || known.iter().any(may)
        };
        if !filling.asked.is_empty() || filling.needs.iter().any(can_come) {
            self.joining.stage = Stage::Filling(Box::new(filling));
            return;
        }
        match self.compose(filling, now, out) {
            Ok(Some(handed)) => self.joining.stage = Stage::Writing(Box::new(handed)),
            Ok(None) => {}
            Err(error) => self.give_up_snapshot(&error, now, out),
        }
    }

    /// Vertices that go with a snapshot.
    pub(super) fn on_filled(
        &mut self,
        peer: &TransportId,
        ids: &[VertexId],
        answer: &Vertices,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Stage::Filling(filling) = &mut self.joining.stage else { return };
        let (mut given, mut is_wrong) = (BTreeSet::new(), false);
        for bytes in &answer.vertices {
            let Ok(signed) = SignedVertex::decode(bytes) else {
                is_wrong = true;
                break;
            };
            let id = signed.id();
            if !ids.contains(&id) {
                is_wrong = true;
                break;
            }
            if filling.needs.contains_key(&id) {
                given.insert(id);
                filling.got.insert(id, (peer.clone(), signed));
            }
        }
        for id in &given {
            filling.needs.remove(id);
        }
        if answer.more && !given.is_empty() {
            // The rest of what was asked for is asked for again.
            filling.asked.remove(peer);
        }
        filling.has_not(peer, &given);
        if !given.is_empty() {
            self.joining.progress_ms = now.mono_ms;
        }
        if is_wrong {
            self.penalise(peer, Offence::InvalidVertex, now, out);
        }
    }

    /// Vertices of a snapshot whose signatures do not verify go back among those that are needed;
    /// gives who sent them.
    pub(super) fn verify_got(&self, filling: &mut Filling) -> BTreeSet<TransportId> {
        let mut keys: BTreeMap<AuthorId, PublicKey> = BTreeMap::new();
        for (_, signed) in filling.got.values() {
            if let Some(Payload::Identity { public_key, .. }) = signed.vertex().payloads.first()
                && let Ok(key) = PublicKey::from_bytes(public_key)
            {
                keys.insert(AuthorId::of(&key), key);
            }
        }
        let key_of = |author: &AuthorId| {
            let known = self.graph.author(author).map(|chain| &chain.key);
            known.or_else(|| keys.get(author))
        };
        let is_right = |signed: &SignedVertex| {
            key_of(&signed.vertex().author).is_some_and(|key| signed.verify(key).is_ok())
        };
        let wrong: Vec<(VertexId, TransportId)> = filling
            .got
            .iter()
            .filter(|(_, (_, signed))| !is_right(signed))
            .map(|(id, (peer, _))| (*id, peer.clone()))
            .collect();
        for (id, peer) in &wrong {
            filling.got.remove(id);
            let lasting = filling.lasting.contains(id);
            let need = Need { lasting, tried: [peer.clone()].into() };
            filling.needs.insert(*id, need);
        }
        wrong.into_iter().map(|(_, peer)| peer).collect()
    }

    fn give_up_snapshot(&mut self, error: &Error, now: Now, out: &mut Vec<Effect>) {
        self.counters.count(error.code());
        let problem = Problem {
            code: error.code(),
            message: error.to_string(),
            hint: "connect to a node that keeps the whole history (option `history`: `all`)"
                .to_owned(),
        };
        self.warn(problem, now, out);
        self.restart_joining(now);
    }

    /// Nothing is waited for any more; the next attempt may ask others.
    fn restart_joining(&mut self, now: Now) {
        self.blobs.need(VertexId::of(WANTED_AS), &BTreeMap::new());
        self.joining.restart(now);
    }
}

/// A part of the history that this node lacks is not to be had from peers.
pub(super) fn dropped_problem() -> Problem {
    Problem {
        code: "history-dropped",
        message: "peers dropped vertices that this node has not seen, and none of them has handed \
                  out what those amounted to"
            .to_owned(),
        hint: "connect to more members of the committee, or to a node that keeps the whole \
               history (option `history`: `all`)"
            .to_owned(),
    }
}
