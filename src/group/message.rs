//! What members send one another, each message in a packet that names the group.
//!
//! Messages are one-way: they may be lost, doubled and overtaken. The packet is one DAG-CBOR item;
//! reading it is total and bounded, and what contradicts itself is refused before it gets any
//! further.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::entry::{Entry, Position, Request, check_entries, check_number};
use super::genesis::GroupId;
use super::machine::Machine;
use super::{Error, Genesis};
use crate::dag::cbor::{self, Bounds};
use crate::limits;

/// Items of a packet: an entry of a log has some twenty with their keys.
const BOUNDS: Bounds = Bounds {
    bytes_max: limits::GROUP_MESSAGE_BYTES_MAX,
    items_max: 24 * limits::GROUP_APPEND_ENTRIES_MAX + 64,
    depth_max: 10,
};

/// What goes over the wire, from one member to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Packet {
    /// You are a member of this group; sent to one that does not know it.
    Invite(ByteBuf),
    /// A message of a group.
    Message {
        /// Which group.
        group: GroupId,
        /// Its secret.
        #[serde(with = "serde_bytes")]
        secret: [u8; 32],
        /// What is said.
        message: Message,
    },
}

/// What becomes of a packet, in so far as the sender has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Receipt {
    /// It was taken in, or is not to be sent again.
    Taken,
    /// The group is not known here; an invitation may change that.
    Unknown,
    /// Not now, or not at all: another secret, another network, too many groups, too fast.
    Refused,
}

/// What one member says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The term the sender is in.
    pub term: u64,
    /// The rest.
    pub body: Body,
}

/// The kinds of messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Body {
    /// Would you vote for me in the next term? Changes nothing (dissertation, section 9.6).
    PreVote {
        /// Where my log ends.
        last: Position,
    },
    /// The answer.
    PreVoted {
        /// The asker's term.
        asked: u64,
        /// Whether.
        granted: bool,
    },
    /// Vote for me in this term.
    Vote {
        /// Where my log ends.
        last: Position,
        /// Whether the leader asked for this election, so that there is none to wait for.
        transfer: bool,
    },
    /// The answer.
    Voted {
        /// Whether.
        granted: bool,
    },
    /// I lead this term; my log goes on like this. Without entries: a heartbeat.
    Append {
        /// The place before the entries.
        previous: Position,
        /// Up to where my log is committed.
        commit: u64,
        /// To be sent back.
        round: u64,
        /// Consecutive entries.
        entries: Vec<Entry>,
    },
    /// The answer to [`Body::Append`] and [`Body::Install`].
    Appended {
        /// Whether my log is yours up to `index`; otherwise it may be.
        accepted: bool,
        /// That place.
        index: u64,
        /// The round of the message this answers.
        round: u64,
    },
    /// I lead this term; my log no longer has what you need, but here is what it amounts to.
    Install {
        /// To be sent back.
        round: u64,
        /// A state of tasks and members, encoded.
        image: ByteBuf,
    },
    /// Begin an election now: your log is as long as mine.
    Campaign,
    /// Add this to the log.
    Propose(Request),
    /// From which place on do I know everything that is committed by now?
    Read {
        /// The asker's name for the question.
        read: u64,
    },
    /// The answer.
    ReadAt {
        /// The asker's name for the question.
        read: u64,
        /// That place.
        index: u64,
    },
    /// You are no member any more.
    Gone {
        /// The version of the membership.
        version: u64,
    },
}

impl Packet {
    /// An invitation into a group.
    pub fn invite(genesis: &Genesis) -> Self {
        Packet::Invite(ByteBuf::from(genesis.encode()))
    }

    /// A message in its packet.
    pub fn new(genesis: &Genesis, message: Message) -> Self {
        Packet::Message { group: genesis.id(), secret: *genesis.secret(), message }
    }

    /// The canonical bytes.
    #[expect(clippy::missing_panics_doc, reason = "plain data always encodes")]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("plain data always encodes")
    }

    /// Reads a packet; total, and bounded by [`limits::GROUP_MESSAGE_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let packet: Self = cbor::decode(bytes, &BOUNDS)?;
        match &packet {
            Packet::Invite(genesis) => Genesis::decode(genesis).map(drop)?,
            Packet::Message { message, .. } => message.check()?,
        }
        Ok(packet)
    }
}

impl Receipt {
    /// The canonical bytes.
    #[expect(clippy::missing_panics_doc, reason = "plain data always encodes")]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("plain data always encodes")
    }

    /// Reads a receipt; total and bounded.
    ///
    /// # Errors
    /// [`Error`] when the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(cbor::decode(
            bytes,
            &Bounds { bytes_max: limits::GROUP_RECEIPT_BYTES_MAX, items_max: 1, depth_max: 1 },
        )?)
    }
}

impl Message {
    fn check(&self) -> Result<(), Error> {
        check_number(self.term)?;
        match &self.body {
            Body::PreVote { last } | Body::Vote { last, .. } => {
                last.check()?;
                not_after(*last, self.term)
            }
            Body::Append { previous, commit, round, entries } => {
                previous.check()?;
                check_number(*commit)?;
                check_number(*round)?;
                check_entries(*previous, entries)?;
                if entries.len() > limits::GROUP_APPEND_ENTRIES_MAX {
                    return Err(Error::Inconsistent { reason: "too many entries" });
                }
                not_after(entries.last().map_or(*previous, |entry| entry.at), self.term)
            }
            Body::Appended { index, round, .. } => {
                check_number(*index)?;
                check_number(*round)
            }
            Body::Install { round, image } => {
                check_number(*round)?;
                let machine = Machine::decode(image)?;
                if machine.applied.index == 0 {
                    return Err(Error::Inconsistent { reason: "a snapshot of nothing" });
                }
                not_after(machine.applied, self.term)
            }
            Body::Propose(request) => request.check(),
            Body::ReadAt { read, index } => {
                check_number(*read)?;
                check_number(*index)
            }
            Body::PreVoted { asked: number, .. }
            | Body::Read { read: number }
            | Body::Gone { version: number } => check_number(*number),
            Body::Voted { .. } | Body::Campaign => Ok(()),
        }
    }
}

/// Nobody has an entry of a term that it has not heard of.
fn not_after(place: Position, term: u64) -> Result<(), Error> {
    if place.term <= term {
        Ok(())
    } else {
        Err(Error::Inconsistent { reason: "an entry of a later term than the message's" })
    }
}
