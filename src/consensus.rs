//! Finality by quorum certificates: which of several conflicting items holds, for good.
//!
//! Most of a history needs no agreement. What does is declared by payloads as *conflict keys*: at
//! most one item can have a key. A *committee* of weighted members decides, by votes that travel
//! as payloads of their vertices. Safety needs Byzantine members to weigh less than a third and
//! nothing else; progress needs messages to arrive in the end, too.
//!
//! ```text
//!  fast, per key      item -> Lock -> quorum -> Commit -> quorum -> decided        3 delays
//!                       |  two items, several keys, or a timeout
//!  slow, per slot     Contested -> leader: Propose -> LockBlock -> CommitBlock -> decided
//!                       |  the leader is silent: Enter the next view, certificates go along
//! ```
//!
//! The fast path has no leader. It is what `FastPay` and Sui Lutris (arXiv 2310.18042) do for
//! items with one writer, in two rounds, because one would need five members for each faulty one.
//! The slow path is single-decree PBFT per slot in the shape of Simplex: no sub-protocol for
//! changing views, the highest certificate shown binds. The rules, the argument and what is not
//! claimed are in `docs/finality.md`; `tests/model` checks them in every reachable state.
//!
//! Decided operations of the [`crate::ledger`] take effect here, in two states of it: *certified*,
//! at the last checkpoint, the same one for everybody who is there, whose root the checkpoint
//! holds; and *current*, with what was decided since. A member votes for an operation only if the
//! current state allows it. What is not possible (yet) is set aside, at no cost until something it
//! builds on is decided, and never counts as waiting: nobody can make a network look stuck.
//!
//! Rules only ask whether a quorum *has* said something. [`State`] therefore folds statements into
//! sets that only grow, and gives the same result in whatever order they come. It sends nothing
//! and reads no clock; timers lead to votes and to nothing else. Cost: O(members) per vote, however
//! many keys wait; O(keys that a quorum reported) per input while those wait for the slow path.
//! Whatever others say, the memory it takes is at most a fixed multiple of the bytes of their
//! vertices, and with them bounded by the graph.
//!
//! What this does not do: fewer than four members decide nothing and say so. There is no
//! throughput beyond one contested block per three delays, and no punishment of who votes twice.

mod base;
mod books;
mod candidates;
mod checkpoint;
mod committee;
mod config;
mod epoch;
mod error;
mod fast;
mod latency;
pub mod mmr;
mod past;
mod pending;
mod proof;
mod record;
mod slow;
mod state;
mod step;
mod tally;

pub use base::Base;
pub use checkpoint::Checkpoint;
pub use committee::{Committee, Voters};
pub use config::Config;
#[cfg(feature = "sim")]
pub(crate) use config::hasten_checkpoints;
pub use error::Error;
pub use mmr::Mmr;
pub use past::Past;
pub use proof::{Certificate, Genesis, Proof, Sealed, verify_proof};
pub use record::Record;
use state::leaf;
pub use state::{Finality, Input, Item, Output, State};
pub use step::{Onward, Step};

use crate::dag::Payload;
use crate::dag::vote::{ConflictKey, ItemId};
use crate::identity::AuthorId;

/// The keys that this item with this payload of this author claims; none for what is never voted
/// on.
pub fn conflict_keys(author: &AuthorId, id: &ItemId, payload: &Payload) -> Vec<ConflictKey> {
    match payload {
        Payload::Ledger(operation) => operation.keys(author, id),
        Payload::Committee(seats) => {
            vec![ConflictKey::derive("epoch", &[&seats.epoch.to_be_bytes()])]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
