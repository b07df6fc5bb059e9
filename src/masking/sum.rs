//! An update with its masks, and a sum of updates without them.

use zeroize::Zeroizing;

use super::Error;
use super::agreement::{self, Public, Secret};
use super::stream::{Pad, Sign};
use crate::crypto::hash::Digest;

const PAIR: &str = "synaptic-mesh 2026 masking pair v1";
const OWN: &str = "synaptic-mesh 2026 masking own v1";

/// Those who mask for each other, and what they mask.
#[derive(Debug, Clone, Copy)]
pub struct Cohort<'a> {
    /// What no other cohort is called.
    pub id: &'a [u8; 32],
    /// The round, which every nonce has.
    pub round: u32,
    /// Values of each tensor of the model, in canonical order (count).
    pub tensors: &'a [usize],
    /// The members, strictly ascending by id.
    pub parties: &'a [Party],
}

/// A member of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// What no other member of any cohort is called, in no other round either.
    pub id: [u8; 32],
    /// The public key behind its masks with others; of one round.
    pub key: Public,
}

/// What a member keeps for a round, and deals shares of.
pub struct Secrets {
    /// The secret key behind its masks with others.
    pub key: Secret,
    /// The seed of its own mask.
    pub own: Secret,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(redacted)")
    }
}

/// The secret of a member that its holders have opened.
#[derive(Debug, Clone)]
pub enum Opened {
    /// Its update is in the sum: the seed of its own mask.
    Own(Zeroizing<[u8; 32]>),
    /// It dropped out: the key behind its masks with others.
    Key(Zeroizing<[u8; 32]>),
}

impl Cohort<'_> {
    /// Masks the words of the member at `place`.
    ///
    /// # Errors
    /// [`Error::Key`] for an unusable key of another member.
    ///
    /// # Panics
    /// When the tensors have not as many values as there are words.
    pub fn mask(&self, words: &mut [u64], place: usize, secrets: &Secrets) -> Result<(), Error> {
        let Some(me) = self.parties.get(place) else {
            return Err(Error::Secrets { parties: self.parties.len(), secrets: place });
        };
        for (other, party) in self.parties.iter().enumerate() {
            if other != place {
                let sign = if place < other { Sign::Plus } else { Sign::Minus };
                let key = self.pair(&secrets.key, me, party)?;
                Pad::new(key, self.round).apply(words, self.tensors, sign);
            }
        }
        Pad::new(self.own(me, &secrets.own), self.round).apply(words, self.tensors, Sign::Plus);
        Ok(())
    }

    /// Takes the masks off a sum of the masked updates of all members with [`Opened::Own`].
    ///
    /// # Errors
    /// [`Error::Secrets`] unless there is one secret for each member, in their order;
    /// [`Error::Key`] for an unusable key.
    ///
    /// # Panics
    /// As [`Cohort::mask`].
    pub fn unmask(&self, sum: &mut [u64], opened: &[Opened]) -> Result<(), Error> {
        let (parties, secrets) = (self.parties.len(), opened.len());
        if parties != secrets {
            return Err(Error::Secrets { parties, secrets });
        }
        for (place, (party, secret)) in self.parties.iter().zip(opened).enumerate() {
            match secret {
                Opened::Own(seed) => {
                    let pad = Pad::new(self.own(party, seed), self.round);
                    pad.apply(sum, self.tensors, Sign::Minus);
                }
                Opened::Key(key) => self.unmask_pairs(sum, place, key, opened)?,
            }
        }
        Ok(())
    }

    /// Takes off what those who are there have added for the one at `place`, who is not.
    fn unmask_pairs(
        &self,
        sum: &mut [u64],
        place: usize,
        key: &Secret,
        opened: &[Opened],
    ) -> Result<(), Error> {
        let Some(absent) = self.parties.get(place) else { return Ok(()) };
        for (other, (party, secret)) in self.parties.iter().zip(opened).enumerate() {
            if matches!(secret, Opened::Own(_)) {
                // The other one added it if it comes first.
                let sign = if other < place { Sign::Minus } else { Sign::Plus };
                let pad = Pad::new(self.pair(key, absent, party)?, self.round);
                pad.apply(sum, self.tensors, sign);
            }
        }
        Ok(())
    }

    fn pair(&self, secret: &Secret, one: &Party, other: &Party) -> Result<Secret, Error> {
        let (low, high) = (one.id.min(other.id), one.id.max(other.id));
        agreement::agree(secret, &other.key, PAIR, &[self.id, &low, &high])
    }

    fn own(&self, party: &Party, seed: &Secret) -> Secret {
        Zeroizing::new(Digest::derive(OWN, &[seed.as_slice(), self.id, &party.id]).0)
    }
}
