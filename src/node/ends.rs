//! Certificates of ended epochs that this node cannot make out of what members signed.
//!
//! Each proof takes one for every epoch that ended ([`super::proving`]), and whoever drops vertices
//! must be able to hand all of them out. The signatures are in vertices that are never dropped. But
//! which of those are open, whoever goes on from a snapshot has from peers alone, and a peer may
//! leave out what it likes. So a node that lacks signatures asks for the certificate itself: one
//! random peer every few seconds, and what it says is verified. Certificates that came that way are
//! stored.

use std::collections::BTreeMap;

use super::Node;
use super::offence::Offence;
use super::peers::Asked;
use crate::clock::Now;
use crate::consensus::{Certificate, Checkpoint, Sealed, State};
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::message::{Request, Snapshot, WantSnapshot};
use crate::snapshot::Error;

/// The first part of the names of certificates in the store; the epoch comes after it.
const NAME: &str = "ended/";

/// Certificates that peers handed out, by the epoch that they end.
#[derive(Debug, Default)]
pub(super) struct Ends(BTreeMap<u64, Certificate>);

impl Ends {
    /// Goes on with what was stored. What cannot be read is asked for again.
    pub(super) fn restore(meta: &[(String, Vec<u8>)]) -> Self {
        let stored = meta.iter().filter(|(name, _)| name.starts_with(NAME));
        let read = stored.filter_map(|(_, bytes)| Some(Sealed::decode(bytes).ok()?.certificate));
        Self(read.map(|held| (held.checkpoint.epoch, held)).collect())
    }

    /// The certificate of a checkpoint, if a peer handed it out.
    pub(super) fn get(&self, checkpoint: &Checkpoint) -> Option<&Certificate> {
        let held = self.0.get(&checkpoint.epoch);
        held.filter(|held| held.checkpoint.id() == checkpoint.id())
    }
}

impl Node {
    /// Keeps a certificate that was verified and ends an epoch.
    pub(super) fn keep_end(&mut self, certificate: Certificate) {
        let epoch = certificate.checkpoint.epoch;
        // The keys are those of members, whose identities are never dropped.
        let sealed = Sealed { keys: Vec::new(), certificate };
        self.writer.add_meta(&format!("{NAME}{epoch}"), sealed.encode());
        self.pruning.ends.0.insert(epoch, sealed.certificate);
    }

    /// The first checkpoint up to this height that ends an epoch and has no certificate here.
    pub(super) fn uncertified_end(&mut self, height: u64) -> Option<Checkpoint> {
        let engine = self.deciding.engine.quorum()?;
        let (from, held) = (self.snapshots.ends_to, engine.checkpoints());
        let ends =
            held.filter(|end| end.next.is_some() && (from + 1..=height).contains(&end.height));
        for end in ends {
            if self.certificate(end).is_err() {
                return Some(end.clone());
            }
            self.snapshots.ends_to = end.height;
        }
        None
    }

    /// Asks a peer for the certificate of an ended epoch. Members sign a moment after it is over,
    /// so nothing is asked for until the next epoch has a checkpoint.
    pub(super) fn ask_for_end(&mut self, peer: &TransportId, now: Now, out: &mut Vec<Effect>) {
        let last = self.deciding.engine.quorum().and_then(State::last_checkpoint);
        let before = last.map_or(0, |last| last.height.saturating_sub(1));
        let Some(Checkpoint { epoch, height, .. }) = self.uncertified_end(before) else { return };
        if !self.peers.is_asked(peer, |asked| matches!(asked, Asked::End { .. })) {
            let message = Request::Snapshot(WantSnapshot { epoch, height });
            self.request(peer, Asked::End { height }, &message, now, out);
        }
    }

    /// A peer answers who asked for the certificate of an ended epoch.
    pub(super) fn on_end(
        &mut self,
        peer: &TransportId,
        height: u64,
        offer: &Snapshot,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if let Err(error) = self.take_end(height, &offer.certificate) {
            self.counters.count(error.code());
            if error.blames_sender() {
                self.penalise(peer, Offence::FalseSnapshot, now, out);
            }
        }
    }

    fn take_end(&mut self, height: u64, bytes: &[u8]) -> Result<(), Error> {
        let engine = self.deciding.engine.quorum();
        let held = engine.and_then(|engine| engine.checkpoint(height));
        let committee = held.and_then(|held| self.committee_of(held));
        let (Some(held), Some(committee)) = (held, committee) else {
            return Err(Error::Stale { height, known: self.snapshots.log.height });
        };
        let sealed = Sealed::decode(bytes)?;
        let certificate = sealed.certificate.clone();
        let checkpoint = sealed.verify(&self.config.network, committee)?;
        let signed = self.sealed(held);
        if checkpoint.id() != held.id() || signed.is_some_and(|signed| signed != checkpoint) {
            return Err(Error::Broken { reason: format!("another end of epoch {}", held.epoch) });
        }
        self.snapshots.note_end(&checkpoint);
        self.keep_end(certificate);
        self.counters.count("end-certified");
        Ok(())
    }
}
