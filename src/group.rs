//! Groups: three to seven members that trust each other agree on one log, and keep their tasks
//! in it, by Raft.
//!
//! ```text
//!   Propose --> leader --Append--> followers --Appended--> leader: committed by a majority
//!   Read ----> leader --round----> followers --Appended--> leader --ReadAt--> read here
//! ```
//!
//! A group is for work that a few share out among themselves: who does what, at most one each,
//! and nothing acknowledged is lost while more than half of the members, or their disks, are left.
//! It tolerates *crashes only*. Whoever lies in a group breaks it, so members are chosen, and
//! nothing of value to anybody else is decided here; that is what [`crate::consensus`] is for.
//!
//! The algorithm is Raft: Ongaro and Ousterhout, "In Search of an Understandable Consensus
//! Algorithm" (2014), and Ongaro's dissertation of the same year, with its poll before elections,
//! leaders that step down without a majority, leadership handed over, changes of the members one
//! at a time, snapshots, numbered requests, and reads confirmed by a majority. The engine is our
//! own; `docs/decisions` says why.
//!
//! [`State`] sends nothing, writes nothing and reads no clock. What a message promises is durable
//! before the message goes: [`Output::Persist`] first, [`Output::Send`] after [`Input::Persisted`].
//! Elections are spread by the random source handed in. Messages may be lost, doubled and
//! overtaken. No input makes it panic, and its memory is bounded by [`crate::limits`]: tasks, log,
//! requests, reads and messages that wait. Cost: O(members) per message, and a snapshot in a few
//! hundred entries.
//!
//! What this does not do: members that only learn and do not vote, entries in parallel to one
//! member, leases on clocks, groups that span networks.

mod config;
mod election;
mod entry;
mod error;
mod genesis;
mod log;
mod machine;
mod message;
mod record;
mod replication;
mod requests;
mod state;

pub use config::{Config, TICK_MS};
pub use entry::{Entry, Operation, Position, Request};
pub use error::Error;
pub use genesis::{Genesis, GroupId};
pub use machine::{Membership, Outcome, Refusal, Task, TaskState};
pub use message::{Body, Message, Packet, Receipt};
pub use record::{Head, PREFIX, Stored, Write, genesis_record};
pub use state::{Input, Output, State, Status};

#[cfg(test)]
mod tests;
