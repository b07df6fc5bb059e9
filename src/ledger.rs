//! Credits, holds and names: what the decided statements of a history amount to.
//!
//! An [`Operation`] is a statement of an author that may contradict another one: a second payment
//! from the same position of an account, a second owner of the same name. It declares the conflict
//! [`Operation::keys`] it claims; finality decides one operation per key, and [`State`] folds the
//! decided ones.
//!
//! Accounts follow `FastPay` (Baudet, Danezis, Sonnino 2020): an account spends in the order of its
//! own sequence numbers, so that an honest owner conflicts with nobody and an owner who signs two
//! payments for one position blocks only itself. Two questions are kept apart:
//!
//! - [`State::check`]: may this be voted for, given what is settled here? Asked by a voter, before.
//! - [`State::settle`]: it was decided. Takes effect now, or as soon as what it builds on is here.
//!
//! What was decided takes effect in any order of arrival with the same result: an operation waits
//! for the credit it spends, the hold it ends or the version it follows. That a decided operation
//! can take effect at all is what the quorum checked.
//!
//! ```text
//!   genesis --> balance(a) --transfer--> balance(b)             every unit is in one place:
//!                   \--hold--> held(h) --release--> balance(b)     sum of balances + held = minted
//!                                 \-----refund---> balance(a)
//! ```
//!
//! Credits are minted in the genesis only. Names (`name.dark`) are registered by commitment and
//! reveal, as in ENS (EIP-137 and its registrar), so that nobody can overtake a registration that
//! is on its way; they expire by the height of checkpoints, never by a clock.
//!
//! The state is made of records, one per account, hold, name and commitment, in Merkle tries: one
//! hash commits to all of them. O(log n) per operation and per changed record. Not here: fees,
//! interest, prices of names.

mod account;
mod error;
mod name;
mod state;
mod trie;

pub use crate::dag::operation::{Label, Operation};
pub use error::Error;
pub use name::{Name, commitment};
pub use state::{Account, Entry, Genesis, Hold, Records, Settled, State};

#[cfg(test)]
mod tests;
