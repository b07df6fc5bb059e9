//! The network driver: libp2p behind two plain enums.
//!
//! Below it stand sockets of the host, above it the runtime. It speaks the hybrid channel
//! ([`crate::channel`]) and yamux over WebSocket and WebRTC's data channels, and runs identify,
//! ping, heartbeats, gossipsub and three request-response protocols; the node sees none of these
//! words. [`Command`]s go in and never wait; [`Event`]s come out of [`Net::next`],
//! which drives everything while it is awaited. Whoever stops awaiting stops the network, and that
//! is the back-pressure: unread data stays in the sockets.
//!
//! Bounds are in `limits`: connections, streams, requests, messages and their bytes. What exceeds
//! one is refused with an event or an answer that says so, never queued.
//!
//! One connection per peer: see [`crossing`].

pub(crate) mod codec;
pub mod config;
pub(crate) mod crossing;
pub(crate) mod gossip;
pub(crate) mod memory;
pub(crate) mod relay;

pub(crate) mod direct;

pub(crate) mod heartbeat;

pub(crate) mod identify;

pub(crate) mod behaviour;

pub mod event;

pub(crate) mod transport;

pub(crate) mod security;

pub(crate) mod reason;

pub mod driver;

pub use self::config::{Config, Error};
pub use self::driver::Net;
pub use self::event::{Command, Event, Failure, Verdict};
pub use self::relay::Switch;
pub use self::security::Takes;
