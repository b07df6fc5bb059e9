//! What is asked and answered, and what a relay can log of it.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{ANSWER_BYTES_MAX, QUESTION_BYTES_MAX};
use crate::dag::cbor::{self, Bounds};
use crate::identity::AuthorId;
use crate::limits;

/// Items and nesting of a question or an answer: a map, its fields, a few addresses.
const ITEMS_MAX: usize = 64;
const DEPTH_MAX: usize = 4;

/// What an exit answers from its own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// Proof that an item is final; the asker checks it against the genesis.
    Proof {
        /// The id of its vertex, or that with the place of the payload: `bafy.../0`.
        item: String,
    },
    /// Who has a name. Nothing proves the answer: two exits are asked, and must agree.
    Name {
        /// With or without `.dark`.
        label: String,
    },
}

/// What a hop says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// An encoded [`crate::consensus::Proof`].
    Proof {
        /// Its bytes.
        proof: ByteBuf,
    },
    /// How a name stands.
    Name(NameState),
    /// The exit has no answer.
    Refused {
        /// A stable code.
        code: String,
        /// Why, in words.
        message: String,
    },
    /// A relay could not pass the cell on.
    Lost,
}

/// How a name stands, as an exit says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameState {
    /// With `.dark`.
    pub name: String,
    /// Who has it; `None` when nobody has.
    pub owner: Option<AuthorId>,
    /// Changes so far (count).
    pub version: u64,
    /// Height from which somebody else may register it; 0 for never.
    pub expires: u64,
    /// Where the owner is reached, as multiaddrs.
    pub addresses: Vec<String>,
    /// Height of the exit's last checkpoint.
    pub height: u64,
}

impl NameState {
    /// Whether it is about this name, and could stand in a ledger.
    pub fn is_about(&self, name: &str) -> bool {
        let is_address = |address: &String| {
            let printable = address.bytes().all(|byte| byte.is_ascii_graphic());
            printable && address.len() <= limits::ADDRESS_BYTES_MAX
        };
        let numbers = [self.version, self.expires, self.height];
        self.name == name
            && self.addresses.len() <= limits::NAME_ADDRESSES_MAX
            && self.addresses.iter().all(is_address)
            && numbers.iter().all(|number| *number <= limits::VERTEX_NUMBER_MAX)
    }

    /// Whether two exits say the same, whatever they have seen since.
    pub fn agrees(&self, other: &Self) -> bool {
        *self == Self { height: self.height, ..other.clone() }
    }
}

/// What came of a question, for who asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer, checked as far as it can be: no refusal and no loss.
    pub answer: Answer,
    /// Whether it is a name, and this node has it.
    pub mine: bool,
    /// Relays of each path (count).
    pub relays: usize,
    /// Exits that answered and agree (count).
    pub exits: usize,
    /// From the question to the answer, in milliseconds.
    pub took_ms: u64,
}

/// Which way something went through a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A cell, passed on.
    Forward,
    /// A cell with a question for this node.
    Exit,
    /// A cell that was dropped, and why, by code.
    Dropped(&'static str),
    /// A reply, passed back.
    Back,
}

/// Everything that a relay knows of one cell or reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// What became of it.
    pub way: Way,
    /// Who handed it over.
    pub from: AuthorId,
    /// Whom it, or the reply to it, was handed to.
    pub to: Option<AuthorId>,
    /// As it came.
    pub received: Vec<u8>,
    /// As it went on; of a question what it asks, in DAG-CBOR.
    pub sent: Vec<u8>,
}

impl Question {
    /// The canonical bytes.
    ///
    /// # Panics
    /// Never: plain data always encodes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("texts always encode")
    }

    /// Reads a question; total and bounded.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        cbor::decode(bytes, &bounds(QUESTION_BYTES_MAX)).ok()
    }
}

impl Answer {
    /// The canonical bytes.
    ///
    /// # Panics
    /// Never: plain data always encodes.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("texts, numbers and byte strings always encode")
    }

    /// Reads an answer; total and bounded.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        cbor::decode(bytes, &bounds(ANSWER_BYTES_MAX)).ok()
    }
}

fn bounds(bytes_max: usize) -> Bounds {
    Bounds { bytes_max, items_max: ITEMS_MAX, depth_max: DEPTH_MAX }
}
