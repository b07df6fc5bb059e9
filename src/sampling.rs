//! Finality by repeated sampling: the engine `qr-avalanche`, for open networks and opinions.
//!
//! A node that has not decided asks a few members at random which of several conflicting items
//! they prefer, goes over to what most of them say, and decides when enough such *polls* in a row
//! said the same. Nobody hears everybody, so the traffic of a node does not grow with the network.
//! What is decided is what the committee engine ([`crate::consensus`]) decides, too: which item
//! has a conflict key. The rules are those of the Snow family, arXiv 1906.08936, in the form and
//! with the parameters that avalanchego runs; see [`Snow`] and [`Config`].
//!
//! ```text
//!   item -> candidate -> poll: draw k seats by stake, ask -> 15 of 20 prefer it -> confidence + 1
//!             ^            |  fewer, late or forged answers                          |
//!             +-- again ---+-- confidence 0                        20 polls in a row: decided
//! ```
//!
//! "qr" stands for what is added: every answer is signed by ML-DSA-65 and Ed25519 together, for
//! one poll of one asker, and counts only after that verifies. A vote speaks for one item and is
//! never carried over to what that item builds on: in Avalanche's graph such votes let one member
//! hold up others' items (Amores-Sesar, Cachin, Tedeschi, "When is Spring Coming?", OPODIS 2022).
//!
//! What this does not do, with the arithmetic in `docs/finality.md`: it is *probabilistic*, needs
//! messages to arrive in time, stops at a fifth of the stake silent, and can be stalled for ever
//! by about as many attackers as the square root of the members, once a key is contested. So it is
//! for keys without value. Below some 80 members (4 `k`) everybody is asked all the time and the
//! committee engine is better in every respect. There is no proof for who was not there. A restart
//! loses preferences and confidence, which costs some polls and nothing else, because a member may
//! change its preference at any time; decisions have to be stored by whoever runs this, and come
//! back through [`State::restore`].
//!
//! Memory: [`crate::limits`] bounds keys, candidates, polls and decisions. O(k log members) per
//! poll, one signature check per answer that counts.

mod config;
mod error;
mod members;
mod message;
mod poll;
mod snow;
mod state;

pub use config::{Config, Rule};
pub use error::{Error, Refusal};
pub use members::Members;
pub use message::{Answer, Ballot, PollId, Question};
pub use snow::Snow;
pub use state::{Counters, Input, Output, State};

#[cfg(test)]
mod tests;
