//! Fetching blobs from peers.

use super::Node;
use super::blobs::{Arrived, Ask};
use super::offence::Offence;
use super::peers::Asked;
use crate::clock::Now;
use crate::dag::BlobId;
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::limits;
use crate::message::{BlobPiece, Request, WantBlob};

impl Node {
    /// Starts fetching wanted blobs, unless the store cannot take them.
    pub(super) fn fetch_blobs(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.writer.is_full() || !self.blobs.is_due(now.mono_ms) {
            return;
        }
        if self.blobs.stored().0 >= limits::BLOBS_MAX {
            return self.counters.count("blobs-full");
        }
        let known: Vec<TransportId> = self.peers.known().map(|(peer, _, _)| peer.clone()).collect();
        let peers = &self.peers;
        let is_free = |peer: &TransportId| peers.is_free(peer);
        for ask in self.blobs.start_fetches(now.mono_ms, &known, is_free, &mut self.rng) {
            self.ask_for_blob(ask, now, out);
        }
    }

    fn ask_for_blob(&mut self, ask: Ask, now: Now, out: &mut Vec<Effect>) {
        let Ask { peer, blob, offset } = ask;
        let message = Request::Blob(WantBlob { blob, offset });
        if !self.request(&peer, Asked::Blob { blob, offset }, &message, now, out) {
            self.blobs.give_up(&blob, &peer);
        }
    }

    /// A piece of a blob, asked for by its offset, arrived.
    pub(super) fn on_piece(
        &mut self,
        peer: &TransportId,
        (blob, offset): (BlobId, u64),
        piece: &BlobPiece,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match self.blobs.piece(blob, offset, peer, piece) {
            Arrived::Whole(bytes) => {
                for run in self.blobs.wanting(&blob) {
                    self.charge(&run, bytes.len());
                }
                self.keep_blob(blob, bytes);
                self.mark_runs();
            }
            Arrived::More(ask) => self.ask_for_blob(ask, now, out),
            Arrived::Wrong => self.penalise(peer, Offence::WrongBlob, now, out),
            Arrived::Unwanted => self.counters.count("blob-unwanted"),
        }
    }
}
