//! What a simulated attack does to the votes of the node inside it.
//!
//! The node stays the real one: its chain, its store and what it hears are honest. Only the votes
//! that its engine casts are handed to the attack, which says what it likes in their place. In
//! builds for simulations alone.

use super::Node;
use crate::clock::Now;
use crate::dag::vote::Vote;

impl Node {
    /// From now on votes are handed out by [`Node::take_votes`] instead of written.
    pub(crate) fn intercept_votes(&mut self) {
        self.deciding.intercepted.get_or_insert_default();
    }

    /// Votes that would have been written, with their epochs.
    pub(crate) fn take_votes(&mut self) -> Vec<(u64, Vote)> {
        self.deciding.intercepted.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Writes these votes with the next tick, whatever was said before.
    pub(crate) fn say_votes(&mut self, votes: Vec<(u64, Vote)>, now: Now) {
        let taken = self.deciding.intercepted.take();
        for (epoch, vote) in votes {
            self.deciding.cast(epoch, vote, now);
        }
        self.deciding.intercepted = taken;
    }
}
