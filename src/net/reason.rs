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

use crate::channel::entrance::NotLetIn;
use crate::limits;
use crate::net::event::{Event, Failure};
use crate::net::transport::host::HostError;

/// Why a dial came to nothing, and what to do about it.
pub(crate) fn dial(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => {
            "this is our own address; give that of another node".to_owned()
        }
        DialError::NoAddresses => "no address to dial".to_owned(),
        DialError::DialPeerConditionFalse(PeerCondition::NotDialing) => {
            "a dial is under way".to_owned()
        }
        DialError::DialPeerConditionFalse(_) => {
            "connected already, or a dial is under way".to_owned()
        }
        DialError::Aborted => "given up".to_owned(),
        DialError::WrongPeerId { obtained, .. } => {
            format!("another peer answered: {obtained}; ask for a fresh link or address")
        }
        DialError::Denied { cause } => deepest(cause),
        DialError::Transport(errors) => match errors.first() {
            Some((_, TransportError::Other(error))) => advised(deepest(error)),
            _ => {
                "no transport for this address; a node is dialled at /ip4/<address>/tcp/<port>/ws, \
                  /ip6, /dns or /wss likewise, or through a relay at .../p2p-circuit"
                    .to_owned()
            }
        },
    }
}

/// What to do about a failure of a transport, by what it says. libp2p's own errors have no codes,
/// and those of the host are sentences.
fn advised(said: String) -> String {
    const ADVICE: [(&str, &str); 7] = [
        ("ECONNREFUSED", "nobody listens there: start that node, or ask for a fresh link"),
        ("ENOTFOUND", "this name has no address: check its spelling"),
        ("EHOSTUNREACH", "no way leads there from this network: check the address"),
        ("ENETUNREACH", "this machine has no network that leads there"),
        ("negotiation failed", NO_CHANNEL),
        ("imeout", "nobody answered in time: check the address, and firewall or NAT between"),
        ("eservation", "the peer is not at that relay any more: ask for a fresh link"),
    ];
    match ADVICE.iter().find(|(part, _)| said.contains(part)) {
        Some((_, advice)) => format!("{said}; {advice}"),
        None => said,
    }
}

/// What is missing where no security protocol is common to both.
const NO_CHANNEL: &str = "the two have no channel in common: the other side is an older version, \
                          or another program, which the setting `classical allow` takes in; or \
                          one of the two knows the network as open and the other as permissioned, \
                          which a join link says";

/// Why an incoming connection did not come about.
pub(crate) fn refused(error: &ListenError) -> Event {
    let (reason, door) = match error {
        ListenError::Denied { cause } => (deepest(cause), None),
        ListenError::Transport(TransportError::Other(error)) => (deepest(error), at_door(error)),
        other => (deepest(other), None),
    };
    Event::Refused { reason, stranger: door.filter(|door| door.by_us).map(|door| door.why.code()) }
}

/// What the door of a permissioned network said, if it was that.
fn at_door(error: &io::Error) -> Option<NotLetIn> {
    let mut next = below(error);
    while let Some(error) = next {
        if let Some(door) = error.downcast_ref::<NotLetIn>() {
            return Some(*door);
        }
        next = below(error);
    }
    None
}

/// Why a connection ended.
pub(crate) fn closed(error: &ConnectionError) -> String {
    match error {
        ConnectionError::IO(error) => deepest(error),
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

/// The text of the innermost cause. The other side may have had a part in it, and it is shown to
/// people: without what moves their cursor, and not at any length.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(next) = below(error) {
        error = next;
    }
    let text = error.to_string();
    text.chars().filter(|letter| !letter.is_control()).take(limits::REASON_CHARS_MAX).collect()
}

/// One step down a chain of causes. An `io::Error` made from another error names that one's cause
/// as its own and skips the error itself, which may be just the one that matters.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| -> &'a (dyn Error + 'static) { inner }),
        None => error.source(),
    }
}
