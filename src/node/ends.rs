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
use crate::crypto::hash::Digest;
use crate::effect::Effect;
use crate::identity::TransportId;
use crate::message::{Request, Snapshot, WantSnapshot};
use crate::snapshot::Error;

/// The first part of the names of certificates in the store; the epoch comes after it.
const NAME: &str = "ended/";

/// Certificates made of what is here in one look (count): each takes the check of a quorum's
/// signatures, and all epochs that ever ended are looked at after a start.
const LOOKED_AT: usize = 4;

/// Certificates that peers handed out, by the epoch that they end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    held: BTreeMap<u64, Certificate>,
    /// The height of an end that has no certificate here, and how many signatures it had then.
    lacking: Option<(u64, usize)>,
}

/// What a look at ended epochs found.
#[derive(Debug, PartialEq)]
pub(super) enum Ended {
    /// All have certificates here.
    Certified,
    /// The first that has none.
    Lacking(Box<Checkpoint>),
    /// It has to be gone on with.
    Unknown,
}

impl Ends {
    /// Goes on with what was stored and is what was written. What is not is asked for again.
    pub(super) fn restore(meta: &[(String, Vec<u8>)]) -> Self {
        let stored = meta.iter().filter(|(name, _)| name.starts_with(NAME));
        let read = stored.filter_map(|(_, bytes)| {
            let (digest, sealed) = bytes.split_first_chunk()?;
            let is_whole = Digest::of(sealed).0 == *digest;
            Some(Sealed::decode(sealed).ok().filter(|_| is_whole)?.certificate)
        });
        let held = read.map(|held| (held.checkpoint.epoch, held)).collect();
        Self { held, lacking: None }
    }

    /// The certificate of a checkpoint, if a peer handed it out.
    pub(super) fn get(&self, checkpoint: &Checkpoint) -> Option<&Certificate> {
        let held = self.held.get(&checkpoint.epoch);
        held.filter(|held| held.checkpoint.id() == checkpoint.id())
    }
}

impl Node {
    /// Keeps a certificate that was verified and ends an epoch.
    pub(super) fn keep_end(&mut self, certificate: Certificate) {
        let epoch = certificate.checkpoint.epoch;
        // The keys are those of members, whose identities are never dropped.
        let sealed = Sealed { keys: Vec::new(), certificate };
        let bytes = sealed.encode();
        let stored = [Digest::of(&bytes).0.as_slice(), &bytes].concat();
        self.writer.add_meta(&format!("{NAME}{epoch}"), stored);
        self.pruning.ends.held.insert(epoch, sealed.certificate);
    }

    /// Looks whether each epoch that ended up to this height has a certificate here.
    pub(super) fn look_at_ends(&mut self, height: u64) -> Ended {
        let Some(engine) = self.deciding.engine.quorum() else { return Ended::Certified };
        let from = self.snapshots.ends_to;
        let ends = engine.checkpoints().filter(|end| end.next.is_some() && end.height > from);
        for (place, end) in ends.take_while(|end| end.height <= height).enumerate() {
            if place == LOOKED_AT {
                return Ended::Unknown;
            }
            let signed = engine.signatures(end.height).map_or(0, BTreeMap::len);
            // What they sign may not be known yet.
            let lacking = self.sealed(end).map(|_| (end.height, signed));
            let was_lacking = lacking.is_some() && self.pruning.ends.lacking == lacking;
            let is_held = self.pruning.ends.get(end).is_some();
            if !is_held && (was_lacking || self.certificate(end).is_err()) {
                self.pruning.ends.lacking = lacking;
                return Ended::Lacking(Box::new(end.clone()));
            }
            self.snapshots.ends_to = end.height;
        }
        Ended::Certified
    }

    /// Asks a peer for the certificate of an ended epoch. Members sign a moment after it is over,
    /// so nothing is asked for until the next epoch has a checkpoint.
    pub(super) fn ask_for_end(&mut self, peer: &TransportId, now: Now, out: &mut Vec<Effect>) {
        let last = self.deciding.engine.quorum().and_then(State::last_checkpoint);
        let before = last.map_or(0, |last| last.height.saturating_sub(1));
        let Ended::Lacking(end) = self.look_at_ends(before) else { return };
        let Checkpoint { epoch, height, .. } = *end;
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
