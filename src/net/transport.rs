//! WebSocket and WebRTC connections over what the host lends.
//!
//! WebAssembly has no sockets. A page has `WebSocket`, Node has the `ws` package, and both can be
//! put behind one small object (`Host` and `HostSocket` of floor 7). This module makes a libp2p
//! transport of it: dial everywhere, listen where the host can. It replaces
//! `libp2p-websocket-websys`, which cannot listen, needs a browser's globals, waits 100 ms to flush
//! and drops a connection whose peer is faster than its reader.
//!
//! - [`address`]: multiaddrs to URLs and back.
//! - [`socket`]: one lent socket as `AsyncRead + AsyncWrite`.
//! - [`host`]: the transport: dialling, listening, accepting.
//! - [`peer`]: one lent peer connection; its data channel is such a socket.

pub(crate) mod address;
pub(crate) mod host;
pub(crate) mod peer;
pub(crate) mod socket;
