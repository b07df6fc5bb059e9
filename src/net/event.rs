//! What goes into the network driver and what comes out: bytes, peer ids and numbers.
//!
//! Peers are named by the bytes of their multihash (`PeerId::to_bytes`), addresses are multiaddr
//! texts.

use crate::event::Channel;

/// Something for the network to do. None of it waits; what comes of it is told by an [`Event`].
#[derive(Debug, Clone)]
pub enum Command {
    /// Listen at a multiaddr. Answer: [`Event::Listening`] or [`Event::ListenFailed`].
    Listen {
        /// `/ip4/<ip>/tcp/<port>/ws`; port 0 lets the host choose.
        address: String,
    },
    /// Open a connection. Answer: [`Event::Connected`] or [`Event::DialFailed`]; the latter also
    /// when the peer is connected already or its own dial came first.
    Dial {
        /// Where to.
        address: String,
    },
    /// Close every connection to a peer.
    Disconnect {
        /// The peer.
        peer: Vec<u8>,
        /// Why; comes back in [`Event::Disconnected`].
        reason: String,
    },
    /// Ask a connected peer. Answer: one [`Event::Response`].
    Request {
        /// The peer.
        peer: Vec<u8>,
        /// The caller's name for it.
        request: u64,
        /// What to ask.
        bytes: Vec<u8>,
    },
    /// The same on the group protocol.
    Tell {
        /// The peer.
        peer: Vec<u8>,
        /// The caller's name for it.
        request: u64,
        /// What to send.
        bytes: Vec<u8>,
    },
    /// The same on the onion protocol.
    Cell {
        /// The peer.
        peer: Vec<u8>,
        /// The caller's name for it.
        request: u64,
        /// The cell.
        bytes: Vec<u8>,
    },
    /// Answer a peer's request. A token that is not known any more is ignored.
    Respond {
        /// From [`Event::Request`], [`Event::Told`] or [`Event::Cell`].
        token: u64,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// Send to everyone on the topic.
    Publish {
        /// The message.
        bytes: Vec<u8>,
    },
    /// Say what became of a gossip message.
    Verdict {
        /// From [`Event::Gossip`].
        message: u64,
        /// What to do with it.
        verdict: Verdict,
    },
}

/// Something that happened on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The complete list of own addresses changed.
    Listening {
        /// Multiaddrs ending in the own peer id.
        addresses: Vec<String>,
    },
    /// Listening failed, at the start or later.
    ListenFailed {
        /// Where.
        address: String,
        /// A stable code: `address-in-use`, `address-unavailable`, `permission`, `listen`.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// A peer is connected that was not.
    Connected {
        /// The peer, proved by the handshake.
        peer: Vec<u8>,
        /// Its address.
        address: String,
        /// Whether we dialled.
        outbound: bool,
        /// What secures the connection.
        channel: Channel,
    },
    /// A peer's last connection is gone.
    Disconnected {
        /// The peer.
        peer: Vec<u8>,
        /// Why.
        reason: String,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The address as given.
        address: String,
        /// Why.
        reason: String,
    },
    /// A connection was refused: because of a bound, or because this node did not let it in.
    Refused {
        /// Which bound, or why.
        reason: String,
        /// The code of [`crate::dag::invite::Refused`], where a stranger was refused.
        stranger: Option<&'static str>,
    },
    /// A circuit stays one: no direct way to its peer was found.
    NoDirectWay {
        /// A stable code, `webrtc-...`.
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// What this node relays for others has changed.
    Relaying {
        /// Peers with a reservation (count).
        reservations: usize,
        /// Circuits that are open (count).
        circuits: usize,
    },
    /// A ping came back.
    Rtt {
        /// The peer.
        peer: Vec<u8>,
        /// Milliseconds, rounded.
        rtt_ms: u32,
    },
    /// A peer asks.
    Request {
        /// The peer.
        peer: Vec<u8>,
        /// For [`Command::Respond`].
        token: u64,
        /// What it asks.
        bytes: Vec<u8>,
    },
    /// The same on the group protocol.
    Told {
        /// The peer.
        peer: Vec<u8>,
        /// For [`Command::Respond`].
        token: u64,
        /// What it sends.
        bytes: Vec<u8>,
    },
    /// The same on the onion protocol.
    Cell {
        /// The peer.
        peer: Vec<u8>,
        /// For [`Command::Respond`].
        token: u64,
        /// The cell.
        bytes: Vec<u8>,
    },
    /// An answer, or none.
    Response {
        /// The caller's name for the request.
        request: u64,
        /// The answer.
        result: Result<Vec<u8>, Failure>,
    },
    /// A message on the topic.
    Gossip {
        /// Who forwarded it.
        peer: Vec<u8>,
        /// For [`Command::Verdict`].
        message: u64,
        /// The message.
        bytes: Vec<u8>,
    },
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came in time.
    Timeout,
    /// The connection ended, or there was none.
    Disconnected,
    /// The peer does not speak the protocol.
    Unsupported,
    /// The answer was too long or broke off.
    Malformed,
    /// Too many requests are open; this one was not sent.
    Busy,
}

/// What gossip does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Forward it.
    Accept,
    /// Do not, and blame nobody.
    Ignore,
    /// Do not, and blame the forwarder.
    Reject,
}
