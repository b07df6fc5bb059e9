//! The loop: one node, its network, its store and its application, each waiting for the others only
//! where it must.
//!
//! ```text
//!   application --asks--> [ pilot: Node::handle ] --errands--> [ keeper: store ]
//!               <-outbox-        |      ^          <-answers--
//!                                v      |
//!                              [ net: libp2p ]
//! ```
//!
//! - [`pilot`] owns the node and the network. It takes one input at a time, carries out the effects
//!   in their order, and takes the next. Local work comes before remote work: answers of the store
//!   first, then the application, then the clock, then the network. A network that nobody polls
//!   leaves its data in the sockets, and that is the back-pressure.
//! - [`keeper`] owns the store and works through writes and reads in order. Writes that wait
//!   together become one transaction.
//! - [`outbox`] keeps events for the application, with a bound and a rule for what gives way.
//!
//! All channels are bounded by `limits`.

pub mod outbox;

pub(crate) mod keeper;

pub(crate) mod pilot;

pub mod handle;

pub use self::handle::{Handle, Settings, StartError};
pub use self::outbox::{Notice, Outbox};
