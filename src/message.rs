//! Every message between nodes, and the names of the protocols that carry them.
//!
//! - The sync protocol, [`SYNC_PROTOCOL`]: one request, one response, each one DAG-CBOR item
//!   without framing of its own (libp2p's request-response delimits them).
//! - The gossip topic, [`vertices_topic`]: each message is one encoded signed vertex.
//! - The group protocol, [`GROUP_PROTOCOL`], between nodes that have said hello on the first one.
//!   What it carries is in [`crate::group`].
//! - The onion protocol, [`ONION_PROTOCOL`], likewise: [`crate::onion`].
//!
//! A message is a DAG-CBOR map with one key, the kind; its value is a map of the fields. Only the
//! canonical bytes are read: whatever re-encodes differently is refused, and so are unknown kinds
//! and fields. A change of any message is a new protocol id. Golden bytes of each message are in
//! `tests/vectors/wire.txt`; the table of fields and limits is `docs/wire.md`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::ItemId;
use crate::dag::{BlobId, VertexId};
use crate::identity::{Binding, NetworkId};
use crate::limits;

/// Items of one message (count): twice those of the largest list with its frame, so that a list
/// which is a little too long is still called so.
const MESSAGE_ITEMS_MAX: usize = 2 * (limits::REQUEST_VERTICES_MAX + limits::HEADS_MAX + 32);
/// Nesting of one message: kind, hello, heads, list.
const MESSAGE_DEPTH_MAX: usize = 4;
/// Bytes of the head of a byte string, at most, and of what is round a response's content: room
/// that saves moving it while it is written.
const ITEM_HEAD_BYTES: usize = 5;
const HEADS_BYTES: usize = 64;

/// The request-response protocol between two nodes.
pub const SYNC_PROTOCOL: &str = "/synaptic-mesh/sync/6";

/// The request-response protocol between members of a group: a [`crate::group::Packet`] each way
/// there, a [`crate::group::Receipt`] each way back.
pub const GROUP_PROTOCOL: &str = "/synaptic-mesh/group/1";

/// The request-response protocol of anonymous questions: a cell there, a reply back, each of a size
/// that never varies ([`crate::onion`]); an empty reply for a cell that was dropped.
pub const ONION_PROTOCOL: &str = "/synaptic-mesh/onion/1";

/// What encrypts and authenticates a connection, as it is negotiated: [`crate::channel`].
pub const CHANNEL_PROTOCOL: &str = "/synaptic-mesh/hybrid/1";

/// The same in a permissioned network, followed by [`crate::channel::entrance`]; there it is the
/// only one.
pub const MEMBERS_PROTOCOL: &str = "/synaptic-mesh/members/1";

/// A stream of bytes, one per beat, on which each side of a connection shows that it is there:
/// [`crate::limits::HEARTBEAT_INTERVAL_MS`].
pub const HEARTBEAT_PROTOCOL: &str = "/synaptic-mesh/heartbeat/1";

/// The gossip topic on which the members of a network push new vertices to one another.
pub fn vertices_topic(network: &NetworkId) -> String {
    format!("synaptic-mesh/{network}/vertices/1")
}

/// What one node asks of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Who I am; must be the first request on a connection.
    Hello(Hello),
    /// Where my history ends; sent to one random peer every few seconds.
    Heads(Heads),
    /// Send me these vertices.
    Vertices(WantVertices),
    /// Send me what is behind these vertices that I do not have.
    Ancestors(WantAncestors),
    /// Compare your history with mine by ranges.
    Ranges(Ranges),
    /// Send me a piece of a blob.
    Blob(WantBlob),
    /// Which items do you prefer? Of members of a network that samples.
    Polls(Polls),
    /// Hand me what was dropped.
    Snapshot(WantSnapshot),
}

/// What the other node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Response {
    /// Who I am.
    Hello(Hello),
    /// Where my history ends.
    Heads(Heads),
    /// Vertices in causal order.
    Vertices(Vertices),
    /// Where our histories differ.
    Ranges(Ranges),
    /// A piece of a blob.
    Blob(BlobPiece),
    /// What I prefer, signed.
    Ballots(Ballots),
    /// What there is to hand out, or the next step to trust it.
    Snapshot(Snapshot),
    /// No, and why.
    Refused(Refused),
}

/// Who a node is, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The network it belongs to.
    pub network: NetworkId,
    /// Its clock, milliseconds since 1970: a warning when it is far off, and one voice among peers
    /// when a vertex seems ahead of time.
    pub time_ms: u64,
    /// Its identity vertex, encoded and signed.
    #[serde(with = "serde_bytes")]
    pub identity: Vec<u8>,
    /// The binding of its transport key, when it is not the one in the identity vertex any more.
    pub binding: Option<Binding>,
    /// Multiaddrs at which it can be dialled, each ending in `/p2p/<own peer id>`.
    pub addresses: Vec<String>,
    /// Where its history ends, and whom it knows.
    pub heads: Heads,
}

/// Where a history ends, and whom its node knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heads {
    /// Vertices that are no parent of any other, sorted; the newest when there are too many.
    pub heads: Vec<VertexId>,
    /// Multiaddrs of connected nodes, each ending in `/p2p/<peer id>`, so that the mesh outlives
    /// any one of them. Those of the teller itself come first and replace those of its hello.
    pub peers: Vec<String>,
}

/// A request for vertices by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantVertices {
    /// Their ids, sorted, at most [`limits::REQUEST_VERTICES_MAX`].
    pub ids: Vec<VertexId>,
    /// The height of the asker's last checkpoint, 0 without one. Who dropped vertices that later
    /// ones cover, and lacks one of these, says so.
    pub height: u64,
}

/// A request for the causal past of some vertices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantAncestors {
    /// Whose past, these vertices included.
    pub of: Vec<VertexId>,
    /// What the asker has already, with everything behind it.
    pub known: Vec<VertexId>,
}

/// One step of a reconciliation by ranges, in either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranges {
    /// A message of the negentropy protocol ([`crate::sync::negentropy`]), at most
    /// [`limits::RANGES_BYTES_MAX`] bytes. Only its size is checked here.
    #[serde(with = "serde_bytes")]
    pub message: Vec<u8>,
}

/// A request for a piece of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantBlob {
    /// Which blob.
    pub blob: BlobId,
    /// From which byte on.
    pub offset: u64,
}

/// Vertices in causal order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vertices {
    /// Encoded signed vertices.
    pub vertices: Vec<ByteBuf>,
    /// Whether the answer was cut at its size limit, so that asking again gives more.
    pub more: bool,
}

/// A piece of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobPiece {
    /// Size of the whole blob in bytes.
    pub total: u64,
    /// At most [`limits::BLOB_PIECE_BYTES_MAX`] bytes from the requested offset on.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// Questions of polls, which may be about different keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polls {
    /// Encoded [`crate::sampling::Question`]s, 1 to [`limits::POLL_QUESTIONS_MAX`], each at most
    /// [`limits::POLL_MESSAGE_BYTES_MAX`] bytes. Only their sizes are checked here.
    pub questions: Vec<ByteBuf>,
}

/// Answers to questions of polls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballots {
    /// Encoded [`crate::sampling::Answer`]s, in the order of the questions, as many or fewer. Only
    /// their sizes are checked here.
    pub answers: Vec<ByteBuf>,
}

/// A request for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantSnapshot {
    /// The last epoch whose committee the asker knows.
    pub epoch: u64,
    /// Its last checkpoint: a snapshot that is no newer is of no use to it.
    pub height: u64,
}

/// The newest snapshot that the committee of the asked epoch certified; or, if that committee does
/// not decide any more, the certificate that names the next one, with the snapshot that it is of
/// while that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// An encoded [`crate::consensus::Sealed`].
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    /// An encoded [`crate::snapshot::Manifest`]; may be empty with a certificate that ends an
    /// epoch.
    #[serde(with = "serde_bytes")]
    pub manifest: Vec<u8>,
    /// Covered vertices that say something about what is still open, as far as the sender knows: 32
    /// bytes of each id, at most [`limits::SNAPSHOT_OPEN_MAX`]. Nobody certified this list.
    #[serde(with = "serde_bytes")]
    pub open: Vec<u8>,
    /// Commitments to names that nobody decided yet although others of their time are forgotten:
    /// 32 bytes of each vertex's id and 4 of the payload's place in it, big-endian, at most
    /// [`limits::SNAPSHOT_COMMITMENTS_MAX`]. Nobody certified this list either.
    #[serde(with = "serde_bytes", default, skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<u8>,
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Why.
    pub reason: Refusal,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The asker belongs to another network.
    Network,
    /// The asker did not prove who it is.
    Identity,
    /// The request could not be read.
    Malformed,
    /// Too many requests at once; ask later.
    Busy,
    /// Nothing is known under this id.
    Unknown,
    /// The asker's author equivocated; its identity is over.
    Ended,
    /// A vertex was asked for that is known here and was dropped; ask who keeps the whole history.
    Dropped,
}

/// Why a message was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Longer than any message of its direction may be.
    #[error("a message of {bytes} bytes; at most {bytes_max} are read")]
    Oversized {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not DAG-CBOR, or not a message of this version.
    #[error("not a message of this protocol version: {reason}")]
    Malformed {
        /// What the decoder says.
        reason: String,
    },
    /// Readable, but not the one canonical encoding of what was read.
    #[error("not the canonical encoding of the message")]
    NotCanonical,
    /// A list has more entries than its limit.
    #[error("{field} has {count} entries; at most {count_max} are read")]
    TooMany {
        /// Which list.
        field: &'static str,
        /// How many entries it has.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// An address is too long or not printable ASCII.
    #[error(
        "an address of {bytes} bytes is not a multiaddr; at most {max} printable ones are read",
        max = limits::ADDRESS_BYTES_MAX
    )]
    Address {
        /// Its length.
        bytes: usize,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Oversized { .. } => "message-oversized",
            Error::Malformed { .. } => "message-malformed",
            Error::NotCanonical => "message-not-canonical",
            Error::TooMany { .. } => "message-too-many",
            Error::Address { .. } => "message-address",
        }
    }
}

impl Request {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self, 0)
    }

    /// Reads a request; total, and bounded by [`limits::REQUEST_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let request: Self = decode(bytes, limits::REQUEST_BYTES_MAX)?;
        match &request {
            Request::Hello(hello) => hello.check()?,
            Request::Heads(heads) => heads.check()?,
            Request::Vertices(want) => {
                count("ids", want.ids.len(), limits::REQUEST_VERTICES_MAX)?;
            }
            Request::Ancestors(want) => {
                count("of", want.of.len(), limits::REQUEST_VERTICES_MAX)?;
                count("known", want.known.len(), limits::HEADS_MAX)?;
            }
            Request::Ranges(ranges) => ranges.check()?,
            Request::Polls(polls) => poll_messages("questions", &polls.questions)?,
            Request::Blob(_) | Request::Snapshot(_) => {}
        }
        Ok(request)
    }
}

impl Response {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = match self {
            Response::Vertices(Vertices { vertices, .. }) => {
                vertices.iter().map(|vertex| vertex.len() + ITEM_HEAD_BYTES).sum()
            }
            Response::Blob(piece) => piece.bytes.len(),
            Response::Ballots(Ballots { answers }) => {
                answers.iter().map(|answer| answer.len() + ITEM_HEAD_BYTES).sum()
            }
            _ => 0,
        };
        encode(self, bytes + HEADS_BYTES)
    }

    /// Reads a response; total, and bounded by [`limits::RESPONSE_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let response: Self = decode(bytes, limits::RESPONSE_BYTES_MAX)?;
        match &response {
            Response::Hello(hello) => hello.check()?,
            Response::Heads(heads) => heads.check()?,
            Response::Vertices(answer) => {
                count("vertices", answer.vertices.len(), limits::RESPONSE_VERTICES_MAX)?;
            }
            Response::Ranges(ranges) => ranges.check()?,
            Response::Blob(piece) => {
                count("bytes", piece.bytes.len(), limits::BLOB_PIECE_BYTES_MAX)?;
            }
            Response::Ballots(ballots) => poll_messages("answers", &ballots.answers)?,
            Response::Snapshot(snapshot) => {
                count("open", snapshot.open.len(), limits::SNAPSHOT_OPEN_MAX * 32)?;
                let most = limits::SNAPSHOT_COMMITMENTS_MAX * ItemId::BYTES;
                count("commitments", snapshot.commitments.len(), most)?;
            }
            Response::Refused(_) => {}
        }
        Ok(response)
    }
}

impl Hello {
    fn check(&self) -> Result<(), Error> {
        count("addresses", self.addresses.len(), limits::ADDRESSES_PER_PEER_MAX)?;
        count("identity", self.identity.len(), limits::SIGNED_VERTEX_BYTES_MAX)?;
        self.addresses.iter().try_for_each(|text| address(text))?;
        self.heads.check()
    }
}

impl Ranges {
    fn check(&self) -> Result<(), Error> {
        count("message", self.message.len(), limits::RANGES_BYTES_MAX)
    }
}

impl Heads {
    fn check(&self) -> Result<(), Error> {
        count("heads", self.heads.len(), limits::HEADS_MAX)?;
        count("peers", self.peers.len(), limits::PEERS_TOLD_MAX)?;
        self.peers.iter().try_for_each(|text| address(text))
    }
}

fn encode(message: &impl Serialize, bytes: usize) -> Vec<u8> {
    cbor::encode_within(message, bytes).expect("plain data always encodes")
}

fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8], bytes_max: usize) -> Result<T, Error> {
    let bounds = Bounds { bytes_max, items_max: MESSAGE_ITEMS_MAX, depth_max: MESSAGE_DEPTH_MAX };
    cbor::decode(bytes, &bounds).map_err(|error| match error {
        cbor::Error::TooLarge { bytes, bytes_max } => Error::Oversized { bytes, bytes_max },
        cbor::Error::NotCanonical { .. } => Error::NotCanonical,
        error => Error::Malformed { reason: error.to_string() },
    })
}

fn count(field: &'static str, count: usize, count_max: usize) -> Result<(), Error> {
    if count <= count_max { Ok(()) } else { Err(Error::TooMany { field, count, count_max }) }
}

/// Messages of [`crate::sampling`], which reads them itself.
fn poll_messages(field: &'static str, messages: &[ByteBuf]) -> Result<(), Error> {
    count(field, messages.len(), limits::POLL_QUESTIONS_MAX)?;
    let largest = messages.iter().map(|message| message.len()).max().unwrap_or(0);
    count("message", largest, limits::POLL_MESSAGE_BYTES_MAX)
}

/// An address is dialled by the transport, which parses it; here only its size and its characters
/// are held, so that it can be stored and shown.
fn address(text: &str) -> Result<(), Error> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    if printable && text.len() <= limits::ADDRESS_BYTES_MAX {
        Ok(())
    } else {
        Err(Error::Address { bytes: text.len() })
    }
}

#[cfg(test)]
mod tests;
