//! Blobs: a bounded cache of recent ones, an index of stored ones, the fetching of missing ones.
//!
//! A blob is asked for in pieces from one peer at a time and checked as a whole against its id, so
//! a wrong byte can only come from the peer that sent it. A peer that does not have the blob costs
//! nothing but the question; one that sends wrong bytes is penalised, and the next is asked. Every
//! piece but the last is of full size and a fetch has a deadline, so that nobody can hold a place
//! by sending a byte now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dag::{BlobId, VertexId};
use crate::identity::TransportId;
use crate::limits;
use crate::message::BlobPiece;
use crate::rng::Rng;

/// Every blob this node has or wants.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    cache: BTreeMap<BlobId, Cached>,
    /// Cached blobs by when they were last used; those not durable yet are not in it.
    by_use: BTreeMap<u64, BlobId>,
    uses: u64,
    cache_bytes: usize,
    stored: BTreeMap<BlobId, u64>,
    stored_bytes: u64,
    /// Blobs that the store had and could not give back (count).
    lost: u64,
    loading: BTreeSet<BlobId>,
    wants: BTreeMap<BlobId, Want>,
}

#[derive(Debug)]
struct Cached {
    bytes: Arc<[u8]>,
    /// Its place in `by_use`; `None` while it must not be evicted.
    used: Option<u64>,
}

/// A blob that is to be fetched.
#[derive(Debug, Default)]
struct Want {
    /// Runs that need it.
    runs: BTreeSet<VertexId>,
    /// Who probably has it.
    hints: Vec<TransportId>,
    tried: BTreeSet<TransportId>,
    failures: u32,
    next_ms: u64,
    fetch: Option<Fetch>,
}

#[derive(Debug)]
struct Fetch {
    peer: TransportId,
    /// When the next peer is asked, however much has come.
    until_ms: u64,
    total: Option<u64>,
    bytes: Vec<u8>,
}

/// A question to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) peer: TransportId,
    pub(super) blob: BlobId,
    pub(super) offset: u64,
}

/// What a piece led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// The whole blob, verified.
    Whole(Arc<[u8]>),
    /// Ask for the next piece.
    More(Ask),
    /// The peer sent something else than the blob.
    Wrong,
    /// Nobody waits for it any more.
    Unwanted,
}

impl Blobs {
    /// Knows the blobs of an opened store.
    pub(super) fn restore(&mut self, stored: Vec<(BlobId, u64)>) {
        for (blob, bytes) in stored {
            self.add_stored(blob, bytes);
        }
    }

    /// Whether the bytes are here, in memory or in the store.
    pub(super) fn is_local(&self, blob: &BlobId) -> bool {
        self.cache.contains_key(blob) || self.stored.contains_key(blob)
    }

    /// How many bytes it has, if it is here.
    pub(super) fn size(&self, blob: &BlobId) -> Option<u64> {
        let cached = || self.cache.get(blob).and_then(|cached| cached.bytes.len().try_into().ok());
        self.stored.get(blob).copied().or_else(cached)
    }

    /// The runs that want a missing blob.
    pub(super) fn wanting(&self, blob: &BlobId) -> Vec<VertexId> {
        self.wants.get(blob).into_iter().flat_map(|want| want.runs.iter().copied()).collect()
    }

    /// The bytes, when they are in memory.
    pub(super) fn get(&mut self, blob: &BlobId) -> Option<Arc<[u8]>> {
        let cached = self.cache.get_mut(blob)?;
        if let Some(used) = cached.used {
            self.by_use.remove(&used);
            self.uses += 1;
            cached.used = Some(self.uses);
            self.by_use.insert(self.uses, *blob);
        }
        Some(Arc::clone(&cached.bytes))
    }

    /// Adds verified bytes that are not durable yet; they stay in memory until they are.
    /// `false` when the blob is here already.
    pub(super) fn add(&mut self, blob: BlobId, bytes: Arc<[u8]>) -> bool {
        self.wants.remove(&blob);
        if self.is_local(&blob) {
            return false;
        }
        self.cache_bytes += bytes.len();
        self.cache.insert(blob, Cached { bytes, used: None });
        true
    }

    /// The store has the blob now.
    pub(super) fn durable(&mut self, blob: BlobId, bytes: u64) {
        self.add_stored(blob, bytes);
        if let Some(cached) = self.cache.get_mut(&blob)
            && cached.used.is_none()
        {
            self.uses += 1;
            cached.used = Some(self.uses);
            self.by_use.insert(self.uses, blob);
        }
        self.evict();
    }

    /// Forgets a blob, which is about to be removed from the store.
    pub(super) fn remove(&mut self, blob: &BlobId) {
        let stored = self.stored.remove(blob).unwrap_or(0);
        self.stored_bytes = self.stored_bytes.saturating_sub(stored);
        if let Some(cached) = self.cache.remove(blob) {
            self.cache_bytes = self.cache_bytes.saturating_sub(cached.bytes.len());
            cached.used.map(|used| self.by_use.remove(&used));
        }
    }

    /// Whether the store should be asked for a blob now: it has it, and was not asked yet.
    pub(super) fn start_load(&mut self, blob: &BlobId) -> bool {
        self.stored.contains_key(blob) && self.loading.insert(*blob)
    }

    /// The store answered. `None` when it could not give the right bytes: the blob is then missing
    /// and can be wanted from peers.
    pub(super) fn loaded(&mut self, blob: BlobId, bytes: Option<Vec<u8>>) -> Option<Arc<[u8]>> {
        self.loading.remove(&blob);
        let Some(bytes) = bytes.filter(|bytes| BlobId::of(bytes) == blob) else {
            self.lost += 1;
            let lost = self.stored.remove(&blob).unwrap_or(0);
            self.stored_bytes = self.stored_bytes.saturating_sub(lost);
            return None;
        };
        let bytes: Arc<[u8]> = bytes.into();
        if !self.cache.contains_key(&blob) {
            self.uses += 1;
            self.cache_bytes += bytes.len();
            self.cache.insert(blob, Cached { bytes: Arc::clone(&bytes), used: Some(self.uses) });
            self.by_use.insert(self.uses, blob);
            self.evict();
        }
        Some(bytes)
    }

    /// Says which missing blobs a run needs now, and who probably has them; replaces what it said
    /// before.
    pub(super) fn need(&mut self, run: VertexId, needs: &BTreeMap<BlobId, Vec<TransportId>>) {
        self.wants.retain(|blob, want| {
            needs.contains_key(blob) || {
                want.runs.remove(&run);
                !want.runs.is_empty()
            }
        });
        for (blob, hints) in needs {
            let room = self.wants.len() < limits::BLOBS_WANTED_MAX;
            if self.is_local(blob) || !(room || self.wants.contains_key(blob)) {
                continue;
            }
            let want = self.wants.entry(*blob).or_default();
            want.runs.insert(run);
            for hint in hints {
                if want.hints.len() < limits::PEERS_WANTED && !want.hints.contains(hint) {
                    want.hints.push(hint.clone());
                }
            }
        }
    }

    /// Whether something may be fetched now.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.wants.values().any(|want| want.fetch.is_none() && want.next_ms <= now_ms)
    }

    /// Starts what can be fetched now from peers for which `is_free` holds.
    pub(super) fn start_fetches(
        &mut self,
        now_ms: u64,
        peers: &[TransportId],
        is_free: impl Fn(&TransportId) -> bool,
        rng: &mut Rng,
    ) -> Vec<Ask> {
        let under_way = self.wants.values().filter(|want| want.fetch.is_some()).count();
        let mut room = limits::BLOB_FETCHES_MAX.saturating_sub(under_way);
        let mut asks: Vec<Ask> = Vec::new();
        for (blob, want) in &mut self.wants {
            if room == 0 {
                break;
            }
            if want.fetch.is_some() || want.next_ms > now_ms {
                continue;
            }
            if let Some(peer) = want.choose(now_ms, peers, &is_free, rng) {
                let until_ms = now_ms.saturating_add(limits::BLOB_FETCH_MS_MAX);
                let peer_id = peer.clone();
                let fetch = Fetch { peer: peer_id, until_ms, total: None, bytes: Vec::new() };
                want.fetch = Some(fetch);
                asks.push(Ask { peer, blob: *blob, offset: 0 });
                room -= 1;
            }
        }
        asks
    }

    /// A peer sent the piece of a blob that begins at `offset`.
    pub(super) fn piece(
        &mut self,
        blob: BlobId,
        offset: u64,
        peer: &TransportId,
        piece: &BlobPiece,
    ) -> Arrived {
        let Some(want) = self.wants.get_mut(&blob) else { return Arrived::Unwanted };
        let Some(fetch) = want.fetch.as_mut().filter(|fetch| fetch.peer == *peer) else {
            return Arrived::Unwanted;
        };
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        if offset != size(fetch.bytes.len()) {
            // Of an earlier fetch from the same peer that was given up.
            return Arrived::Unwanted;
        }
        let total = *fetch.total.get_or_insert(piece.total);
        let rest = total.saturating_sub(offset);
        let whole_piece = rest.min(size(limits::BLOB_PIECE_BYTES_MAX));
        let have = offset.saturating_add(size(piece.bytes.len()));
        let sane = total == piece.total
            && total <= size(limits::BLOB_BYTES_MAX)
            && size(piece.bytes.len()) == whole_piece;
        if !sane {
            self.give_up(&blob, peer);
            return Arrived::Wrong;
        }
        fetch.bytes.extend_from_slice(&piece.bytes);
        if have < total {
            return Arrived::More(Ask { peer: peer.clone(), blob, offset: have });
        }
        if BlobId::of(&fetch.bytes) != blob {
            self.give_up(&blob, peer);
            return Arrived::Wrong;
        }
        Arrived::Whole(std::mem::take(&mut fetch.bytes).into())
    }

    /// The peer cannot or will not give the blob: another one is next.
    pub(super) fn give_up(&mut self, blob: &BlobId, peer: &TransportId) {
        if let Some(want) = self.wants.get_mut(blob)
            && want.fetch.as_ref().is_some_and(|fetch| fetch.peer == *peer)
        {
            want.fetch = None;
        }
    }

    /// Gives up the fetches that take too long; gives the peers.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<TransportId> {
        let late = |fetch: &mut Fetch| fetch.until_ms <= now_ms;
        let fetches = self.wants.values_mut().filter_map(|want| want.fetch.take_if(late));
        fetches.map(|fetch| fetch.peer).collect()
    }

    /// When the next waiting blob is due, or the next fetch takes too long.
    pub(super) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let due = |want: &Want| want.fetch.as_ref().map_or(want.next_ms, |fetch| fetch.until_ms);
        self.wants.values().map(due).filter(|next_ms| *next_ms > now_ms).min()
    }

    /// Blobs in the store, and their bytes.
    pub(super) fn stored(&self) -> (usize, u64) {
        (self.stored.len(), self.stored_bytes)
    }

    /// How often a blob that was here turned out not to be.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Blobs wanted from peers.
    #[cfg(test)]
    pub(super) fn wanted(&self) -> usize {
        self.wants.len()
    }

    /// Bytes in memory.
    #[cfg(test)]
    pub(super) fn cached_bytes(&self) -> usize {
        self.cache_bytes
    }

    fn add_stored(&mut self, blob: BlobId, bytes: u64) {
        let before = self.stored.insert(blob, bytes).unwrap_or(0);
        self.stored_bytes = self.stored_bytes.saturating_sub(before).saturating_add(bytes);
    }

    fn evict(&mut self) {
        while self.cache_bytes > limits::BLOB_CACHE_BYTES_MAX {
            let Some((_, blob)) = self.by_use.pop_first() else { return };
            if let Some(cached) = self.cache.remove(&blob) {
                self.cache_bytes = self.cache_bytes.saturating_sub(cached.bytes.len());
            }
        }
    }
}

impl Want {
    /// The next peer to ask: a hinted one, else any; when all were asked, none for a while.
    fn choose(
        &mut self,
        now_ms: u64,
        peers: &[TransportId],
        is_free: impl Fn(&TransportId) -> bool,
        rng: &mut Rng,
    ) -> Option<TransportId> {
        let tried = &self.tried;
        let untried: Vec<_> = peers.iter().filter(|peer| !tried.contains(*peer)).collect();
        if untried.is_empty() {
            self.tried.clear();
            let doublings = self.failures.min(16);
            let wait_ms = (limits::BLOB_RETRY_MS_MIN << doublings).min(limits::BLOB_RETRY_MS_MAX);
            self.failures = self.failures.saturating_add(1);
            self.next_ms = now_ms.saturating_add(wait_ms);
            return None;
        }
        let free: Vec<_> = untried.into_iter().filter(|peer| is_free(peer)).collect();
        let hinted = free.iter().find(|peer| self.hints.contains(peer)).copied();
        let peer = hinted.or_else(|| rng.pick(&free).copied())?.clone();
        self.tried.insert(peer.clone());
        Some(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> TransportId {
        TransportId::from_bytes(&[number]).unwrap()
    }

    /// Blobs that want one, and the question for its first piece.
    fn wanting(bytes: &[u8], peers: &[TransportId]) -> (Blobs, Ask) {
        let mut blobs = Blobs::default();
        let needs = [(BlobId::of(bytes), Vec::new())].into();
        blobs.need(VertexId::of(b"run"), &needs);
        let asks = blobs.start_fetches(0, peers, |_| true, &mut Rng::from_u64(1));
        (blobs, asks.into_iter().next().unwrap())
    }

    fn piece(bytes: &[u8], from: usize, length: usize) -> BlobPiece {
        let total = u64::try_from(bytes.len()).unwrap();
        BlobPiece { total, bytes: bytes.get(from..from + length).unwrap().to_vec() }
    }

    #[test]
    fn pieces_are_of_full_size_or_wrong() {
        let size = limits::BLOB_PIECE_BYTES_MAX;
        let bytes: Vec<u8> = [3_u8, 5, 7].into_iter().cycle().take(size + 10).collect();
        let first = piece(&bytes, 0, size);
        for (start, short) in [(0, 0), (0, 1), (0, size - 1), (size, 0), (size, 9)] {
            let (mut blobs, ask) = wanting(&bytes, &[peer(1)]);
            let mut offset = 0;
            if start > 0 {
                let more = blobs.piece(ask.blob, 0, &peer(1), &first);
                assert!(matches!(more, Arrived::More(Ask { offset: 262_144, .. })), "{more:?}");
                offset = 262_144;
            }
            let short = piece(&bytes, start, short);
            assert_eq!(blobs.piece(ask.blob, offset, &peer(1), &short), Arrived::Wrong);
        }
        let (mut blobs, ask) = wanting(&bytes, &[peer(1)]);
        blobs.piece(ask.blob, 0, &peer(1), &first);
        assert_eq!(blobs.piece(ask.blob, 0, &peer(1), &first), Arrived::Unwanted, "once more");
        let last = blobs.piece(ask.blob, 262_144, &peer(1), &piece(&bytes, size, 10));
        assert_eq!(last, Arrived::Whole(bytes.into()));
        let (mut blobs, ask) = wanting(&[], &[peer(1)]);
        let nothing = BlobPiece { total: 0, bytes: Vec::new() };
        assert!(matches!(blobs.piece(ask.blob, 0, &peer(1), &nothing), Arrived::Whole(_)));
    }

    #[test]
    fn a_fetch_that_takes_too_long_goes_to_the_next_peer() {
        let peers = [peer(1), peer(2)];
        let (mut blobs, first) = wanting(b"weights", &peers);
        assert_eq!(blobs.next_ms(0), Some(limits::BLOB_FETCH_MS_MAX));
        assert!(blobs.expire(limits::BLOB_FETCH_MS_MAX - 1).is_empty());
        assert!(blobs.expire(limits::BLOB_FETCH_MS_MAX).contains(&first.peer));
        let now_ms = limits::BLOB_FETCH_MS_MAX;
        let asks = blobs.start_fetches(now_ms, &peers, |_| true, &mut Rng::from_u64(1));
        assert!(asks.len() == 1 && asks[0].peer != first.peer);
        let late = blobs.piece(first.blob, 0, &first.peer, &piece(b"weights", 0, 7));
        assert_eq!(late, Arrived::Unwanted);
    }
}
