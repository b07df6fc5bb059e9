//! WebRTC from tab to tab: the parts of libp2p's specification `webrtc` that need no browser.
//!
//! Two nodes that nobody can dial meet on a circuit through a relay. Over it the one that dialled
//! the circuit opens a stream of the protocol [`PROTOCOL`], on which the two exchange what their
//! hosts' peer connections need to find a direct way ([`signal`]). What comes of it is a data
//! channel, and on it flags and bytes in frames ([`frame`], [`stream`]). The rest, the driving of a
//! lent peer connection, is in `net::transport::peer`.
//!
//! Source: libp2p specifications, `webrtc/webrtc.md` (signalling) and `webrtc/README.md`
//! (multiplexing), of November 2025. Between two nodes of this program one data channel carries the
//! hybrid channel and its multiplexer, as a socket does: DTLS alone would let whoever records it
//! today read it when there are quantum computers. See `docs/channel.md`.

pub mod frame;

pub mod signal;

pub mod slots;

pub mod stream;

mod protobuf;

/// The protocol of signalling, as the specification names it.
pub const PROTOCOL: &str = "/webrtc-signaling/0.0.1";

/// Why there is no direct way, or none any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no message of the protocol.
    #[error("the peer sent what is no message: {0}; the relayed connection stays")]
    Message(&'static str),
    /// Something longer, or more of something, than is taken.
    #[error("the peer sent {what} of {found}; at most {most} are taken")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many bytes, or how many.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// A description that is not one of a data channel.
    #[error("the peer's description is refused: {0}; the relayed connection stays")]
    Description(&'static str),
    /// A message that does not come at this point.
    #[error("the peer sent {0} out of turn; the relayed connection stays")]
    Order(&'static str),
    /// The stream or the frames ended before they were complete.
    #[error("the peer ended it early; the relayed connection stays")]
    Ended,
    /// No direct way was found in time.
    #[error("no direct way was found in {0} ms; the relayed connection stays")]
    Timeout(u64),
    /// Too many are looking for a direct way at once.
    #[error("too many look for a direct way at once; the relayed connection stays")]
    Busy,
    /// What the host's peer connection says.
    #[error("{0}")]
    Host(String),
}

impl Error {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Message(_) => "webrtc-message",
            Self::Limit { .. } => "webrtc-limit",
            Self::Description(_) => "webrtc-description",
            Self::Order(_) => "webrtc-order",
            Self::Ended => "webrtc-ended",
            Self::Timeout(_) => "webrtc-timeout",
            Self::Busy => "webrtc-busy",
            Self::Host(_) => "webrtc-host",
        }
    }
}

#[cfg(test)]
mod tests;
