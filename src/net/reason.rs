//! Errors of libp2p in words for a log line, and in codes where a program must tell them apart.
//!
//! libp2p's own texts nest five layers and repeat addresses; what a person needs is at the bottom:
//! what the socket said, or which of our own rules refused.

use std::error::Error;
use std::io;

use libp2p::core::transport::TransportError;
use libp2p::request_response::OutboundFailure;
use libp2p::swarm::dial_opts::PeerCondition;
use libp2p::swarm::{ConnectionError, DialError, ListenError};

use crate::net::event::Failure;
use crate::net::transport::host::HostError;

/// Characters of a reason that the other side may have given. Arbitrary, sane: three lines.
const REASON_CHARS_MAX: usize = 240;

/// Why a dial came to nothing.
pub(crate) fn dial(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => "this is our own address".to_owned(),
        DialError::NoAddresses => "no address to dial".to_owned(),
        DialError::DialPeerConditionFalse(PeerCondition::NotDialing) => {
            "a dial is under way".to_owned()
        }
        DialError::DialPeerConditionFalse(_) => {
            "connected already, or a dial is under way".to_owned()
        }
        DialError::Aborted => "given up".to_owned(),
        DialError::WrongPeerId { obtained, .. } => format!("another peer answered: {obtained}"),
        DialError::Denied { cause } => deepest(cause),
        DialError::Transport(errors) => match errors.first() {
            Some((_, error)) => transport(error),
            None => "no transport for this address".to_owned(),
        },
    }
}

/// Why an incoming connection did not come about.
pub(crate) fn incoming(error: &ListenError) -> String {
    match error {
        ListenError::Denied { cause } => deepest(cause),
        ListenError::Transport(error) => transport(error),
        other => deepest(other),
    }
}

/// Why a connection ended. What the other side said of it is shown to people: without what moves
/// their cursor, and not at any length.
pub(crate) fn closed(error: &ConnectionError) -> String {
    match error {
        ConnectionError::IO(error) => {
            let text = deepest(error);
            text.chars().filter(|letter| !letter.is_control()).take(REASON_CHARS_MAX).collect()
        }
        ConnectionError::KeepAliveTimeout => "idle for too long".to_owned(),
    }
}

/// Why listening did not start.
pub(crate) fn listen(error: &TransportError<io::Error>) -> (&'static str, String) {
    match error {
        TransportError::MultiaddrNotSupported(_) => {
            ("listen", "only /ip4|ip6|dns/.../tcp/<port>/ws can be listened at".to_owned())
        }
        TransportError::Other(error) => listener(error),
    }
}

/// Why a listener ended.
pub(crate) fn listener(error: &io::Error) -> (&'static str, String) {
    let code = match told(error) {
        Some(io::ErrorKind::AddrInUse) => "address-in-use",
        Some(io::ErrorKind::AddrNotAvailable) => "address-unavailable",
        Some(io::ErrorKind::PermissionDenied) => "permission",
        _ => "listen",
    };
    (code, deepest(error))
}

/// Why a request has no answer.
pub(crate) fn failure(error: &OutboundFailure) -> Failure {
    match error {
        OutboundFailure::Timeout => Failure::Timeout,
        OutboundFailure::DialFailure | OutboundFailure::ConnectionClosed => Failure::Disconnected,
        OutboundFailure::UnsupportedProtocols => Failure::Unsupported,
        OutboundFailure::Io(error) if error.kind() == io::ErrorKind::ConnectionReset => {
            Failure::Disconnected
        }
        OutboundFailure::Io(_) => Failure::Malformed,
    }
}

fn transport(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => "no transport for this address".to_owned(),
        TransportError::Other(error) => deepest(error),
    }
}

/// What kind of failure the host told of, if it did.
fn told(error: &io::Error) -> Option<io::ErrorKind> {
    let mut next = below(error);
    while let Some(error) = next {
        if let Some(told) = error.downcast_ref::<HostError>() {
            return Some(told.kind);
        }
        next = below(error);
    }
    None
}

/// The text of the innermost cause.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(next) = below(error) {
        error = next;
    }
    error.to_string()
}

/// One step down a chain of causes. An `io::Error` made from another error names that one's cause
/// as its own and skips the error itself, which may be just the one that matters.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| -> &'a (dyn Error + 'static) { inner }),
        None => error.source(),
    }
}
