//! Who may be asked, and how seats of a poll are drawn.
//!
//! Seats are drawn over units of stake without replacement, as avalanchego's
//! `utils/sampler/weighted_without_replacement_generic.go` does: a member with much stake may fill
//! several seats of one poll, and a list with fewer members than seats can be sampled at all.
//! A list is *given*: it is the committee of a genesis, never what a peer happens to know. Views
//! of the network that peers fill can be flooded, and then sampling proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use crate::consensus::Committee;
use crate::crypto::sign::PublicKey;
use crate::identity::AuthorId;
use crate::limits;
use crate::rng::Rng;

/// Units of stake per unit of weight. Stake elsewhere is counted in billionths of a coin, so that
/// drawing without replacement is nearly drawing with replacement; this is as fine.
const STAKE_UNITS: u64 = 1 << 20;

/// Members with their weights and, as far as they are known, their public keys.
#[derive(Clone, Debug)]
pub struct Members {
    /// Ascending by author, each with the end of its range of units of stake.
    places: Vec<(AuthorId, u64)>,
    keys: BTreeMap<usize, PublicKey>,
}

impl Members {
    /// A list of `members` with weights, in any order.
    ///
    /// # Errors
    /// [`Error::Members`] for fewer than [`limits::COMMITTEE_MIN`] or more than
    /// [`limits::SAMPLED_MEMBERS_MAX`], for a member twice, and for a weight out of bounds.
    pub fn new(mut members: Vec<(AuthorId, u32)>) -> Result<Self, Error> {
        members.sort_unstable();
        let refused = |reason| Err(Error::Members { members: members.len(), reason });
        if members.len() < limits::COMMITTEE_MIN {
            return refused("four are the least; without them a history has no finality");
        }
        if members.len() > limits::SAMPLED_MEMBERS_MAX {
            return refused("at most 4096 members");
        }
        if members.windows(2).any(|pair| matches!(pair, [left, right] if left.0 == right.0)) {
            return refused("one member stands there twice");
        }
        let allowed = 1..=limits::MEMBER_WEIGHT_MAX;
        if !members.iter().all(|(_, weight)| allowed.contains(weight)) {
            return refused("a weight is 1 to 1048576");
        }
        let ends = members.iter().scan(0, |end, (author, weight)| {
            *end += u64::from(*weight) * STAKE_UNITS;
            Some((*author, *end))
        });
        Ok(Self { places: ends.collect(), keys: BTreeMap::new() })
    }

    /// The members of a committee.
    ///
    /// # Errors
    /// As [`Members::new`]; never, because a committee is the smaller list.
    pub fn of(committee: &Committee) -> Result<Self, Error> {
        Self::new(committee.members().to_vec())
    }

    /// Makes the public key of a member known; whether it is a member's.
    pub fn introduce(&mut self, key: &PublicKey) -> bool {
        match self.place(&AuthorId::of(key)) {
            Some(place) => {
                self.keys.entry(place).or_insert_with(|| key.clone());
                true
            }
            None => false,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none; never.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn place(&self, author: &AuthorId) -> Option<usize> {
        self.places.binary_search_by_key(author, |(member, _)| *member).ok()
    }

    pub(super) fn at(&self, place: usize) -> Option<AuthorId> {
        self.places.get(place).map(|(author, _)| *author)
    }

    pub(super) fn key(&self, place: usize) -> Option<&PublicKey> {
        self.keys.get(&place)
    }

    /// Draws `seats` of a poll: places of members with the number of seats each fills.
    pub(super) fn draw(&self, seats: u32, rng: &mut Rng) -> BTreeMap<usize, u32> {
        let units = self.places.last().map_or(0, |(_, end)| *end);
        let mut drawn = BTreeMap::new();
        for unit in subset(units, seats, rng) {
            let place = self.places.partition_point(|(_, end)| *end <= unit);
            *drawn.entry(place).or_default() += 1;
        }
        drawn
    }
}

/// `count` different numbers below `n`, every such set as likely as every other: Floyd's algorithm
/// (Bentley, "Programming Pearls: A Sample of Brilliance", CACM 1987). All of them if `count` is
/// `n` or more.
pub(super) fn subset(n: u64, count: u32, rng: &mut Rng) -> BTreeSet<u64> {
    let mut chosen = BTreeSet::new();
    for last in n.saturating_sub(u64::from(count))..n {
        let pick = below(last + 1, rng);
        let taken = !chosen.insert(pick);
        if taken {
            chosen.insert(last);
        }
    }
    chosen
}

/// Uniform in `0..n` for `n > 0`: 64 bits, drawn again if they would favour the low numbers.
fn below(n: u64, rng: &mut Rng) -> u64 {
    let fair = u64::MAX - u64::MAX % n;
    loop {
        let bits = rng.next_u64();
        if bits < fair {
            return bits % n;
        }
    }
}
