//! Who decides: members with weights, and what weight is a quorum.
//!
//! With total weight `W` a quorum is `floor(2 W / 3) + 1`, the least weight over two thirds. All
//! that is claimed holds while Byzantine members weigh at most `W - quorum`, which is the greatest
//! weight below a third: then the others are a quorum by themselves, and two quorums share more
//! weight (`2 quorum - W > W - quorum`) than the Byzantine members have, so an honest member.

use super::Error;
use crate::dag::mutant::{self, Check};
use crate::dag::vote::Seats;
use crate::identity::AuthorId;
use crate::limits;

/// The members of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    epoch: u64,
    /// Ascending by author.
    members: Vec<(AuthorId, u32)>,
    total: u64,
    quorum: u64,
}

/// A set of members, by their places in the committee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Voters(u128);

impl Voters {
    /// Adds the member at this place; whether it is new.
    pub fn insert(&mut self, place: usize) -> bool {
        let before = self.0;
        self.0 |= 1_u128.checked_shl(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0);
        self.0 != before
    }

    /// Whether the member at this place is in the set.
    pub fn contains(self, place: usize) -> bool {
        self.0
            .checked_shr(u32::try_from(place).unwrap_or(u32::MAX))
            .is_some_and(|bits| bits & 1 == 1)
    }

    /// Members of either set.
    #[must_use]
    pub fn or(self, other: Voters) -> Voters {
        Voters(self.0 | other.0)
    }

    /// Number of members.
    pub fn len(self) -> usize {
        usize::try_from(self.0.count_ones()).unwrap_or(0)
    }

    /// Whether nobody is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Committee {
    /// A committee of `members`, in any order.
    ///
    /// # Errors
    /// [`Error::Committee`] for fewer than [`limits::COMMITTEE_MIN`] or too many members, for a
    /// member twice, and for a weight out of bounds. Fewer than four cannot be Byzantine
    /// tolerant: such a network has a history and no finality.
    pub fn new(epoch: u64, mut members: Vec<(AuthorId, u32)>) -> Result<Self, Error> {
        members.sort_unstable();
        let refused = |reason| Err(Error::Committee { members: members.len(), reason });
        if members.len() < limits::COMMITTEE_MIN {
            return refused("four members are the least that tolerate one faulty");
        }
        if members.len() > limits::COMMITTEE_MAX {
            return refused("at most 100 members");
        }
        if members.windows(2).any(|pair| matches!(pair, [left, right] if left.0 == right.0)) {
            return refused("one member stands there twice");
        }
        let allowed = 1..=limits::MEMBER_WEIGHT_MAX;
        if !members.iter().all(|(_, weight)| allowed.contains(weight)) {
            return refused("a weight is 1 to 1048576");
        }
        let total: u64 = members.iter().map(|(_, weight)| u64::from(*weight)).sum();
        Ok(Self { epoch, members, total, quorum: total * 2 / 3 + 1 })
    }

    /// The committee that an item names.
    ///
    /// # Errors
    /// As [`Committee::new`].
    pub fn of_seats(seats: &Seats) -> Result<Self, Error> {
        Self::new(seats.epoch, seats.members.clone())
    }

    /// The epoch it decides in.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Members with their weights, ascending by author.
    pub fn members(&self) -> &[(AuthorId, u32)] {
        &self.members
    }

    /// Weight of all members.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The least weight of a quorum.
    pub fn quorum(&self) -> u64 {
        self.quorum
    }

    /// The place of a member.
    pub fn place(&self, author: &AuthorId) -> Option<usize> {
        self.members.binary_search_by_key(author, |(member, _)| *member).ok()
    }

    /// The member at a place, counted round.
    ///
    /// # Panics
    /// Never: a committee has members.
    pub fn at(&self, place: usize) -> AuthorId {
        let place = place % self.members.len();
        self.members.get(place).map(|(author, _)| *author).expect("a committee has members")
    }

    /// Weight of a set.
    pub fn weight(&self, voters: Voters) -> u64 {
        let weights = self.members.iter().enumerate();
        weights.filter(|(at, _)| voters.contains(*at)).map(|(_, (_, w))| u64::from(*w)).sum()
    }

    /// Whether a set is a quorum.
    pub fn is_quorum(&self, voters: Voters) -> bool {
        self.weight(voters) + u64::from(mutant::skips(Check::Quorum)) >= self.quorum
    }

    /// Whether a set holds an honest member for sure.
    pub fn has_honest(&self, voters: Voters) -> bool {
        self.weight(voters) > self.total - self.quorum
    }

    /// Weakens the quorum, for tests that must fail.
    #[cfg(test)]
    pub(super) fn weaken(&mut self) {
        self.quorum -= 1;
    }
}
