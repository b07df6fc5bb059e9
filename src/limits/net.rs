//! Bounds of the network driver: sockets, connections, relays and messages.

// ---- net: sockets -----------------------------------------------------------------------------

/// Received bytes of one socket at which the host is asked to pause it: four of the largest
/// multiplexer windows that a fresh stream has (256 KiB).
pub const SOCKET_RECEIVE_BYTES_HIGH: usize = 1 << 20;
/// Received bytes at which a paused socket is resumed: late enough not to flutter.
pub const SOCKET_RECEIVE_BYTES_LOW: usize = 1 << 18;
/// Received bytes at which a socket that cannot be paused is closed. Every stream a correct peer
/// may open, with a full window each, fits.
pub const SOCKET_RECEIVE_BYTES_MAX: usize = 32 << 20;
/// Bytes of one message handed to the host: one noise frame (65,537 bytes) and some more.
pub const SOCKET_SEND_BYTES_MAX: usize = 128 << 10;
/// Accepted sockets that libp2p has not taken yet (count); it takes them at once when it is not
/// busy.
pub const SOCKETS_ACCEPTED_MAX: usize = 32;

// ---- net: connections -------------------------------------------------------------------------

/// Connections to all peers together (count): as many as the node keeps peers, [`PEERS_MAX`]. With
/// 16 MiB of worst-case windows each they stay at [`MEMORY_BYTES_MAX`].
pub const CONNECTIONS_MAX: u32 = 64;
/// Connections opened by others (count): a part stays free for those we choose ourselves, or
/// whoever dials us most would decide alone whom we know.
pub const CONNECTIONS_INBOUND_MAX: u32 = 48;
/// Handshakes under way in either direction (count). Each costs a signature and the check of one.
pub const CONNECTIONS_PENDING_MAX: u32 = 16;
/// Connections to one peer (count): one, and a second for as long as two crossing dials take to be
/// told apart.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 2;
/// Milliseconds from the first byte to a secured connection. Ten round trips of half a second.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// Bytes of one frame of a channel, tag included: what a length of 16 bits can say.
pub const CHANNEL_FRAME_BYTES_MAX: usize = 65_535;
/// Frames of one direction of a channel after which its key is replaced (count): after at most
/// 4 GiB a key that leaks later opens nothing that was said before. Far below what one key may
/// encrypt.
pub const CHANNEL_REKEY_FRAMES: u64 = 1 << 16;
/// Handshakes of others that are answered at once, over all peers (count): a full house after a
/// restart. Each costs a signature before anything is known of who asks.
pub const HANDSHAKES_BURST: u32 = 64;
/// Handshakes of others that are answered per second after that (count): with 2 ms each, 4 % of the
/// time of a core.
pub const HANDSHAKES_PER_SECOND: u32 = 20;
/// Streams of one connection (count): gossip, identify, ping, heartbeats and requests both ways,
/// doubled.
pub const STREAMS_PER_CONNECTION_MAX: usize = 64;
/// Inbound streams of one connection that negotiate their protocol (count). A negotiation is one
/// round trip or two; more at once is no honest use.
pub const STREAMS_NEGOTIATING_MAX: usize = 16;
/// Milliseconds between two heartbeats: three of them before [`SILENCE_MS_MAX`], for 31 bytes each.
pub const HEARTBEAT_INTERVAL_MS: u64 = 1_000;
/// Milliseconds without a byte from a peer that sends heartbeats after which its connections end.
/// With [`HEARTBEAT_LOOK_MS`] a vanished peer is known to be gone in four seconds; a lost packet is
/// repeated twice before, and a node at work stands still for shorter.
pub const SILENCE_MS_MAX: u64 = 3_500;
/// Milliseconds between two looks for peers that have gone silent: what it adds to that time.
pub const HEARTBEAT_LOOK_MS: u64 = 500;
/// Milliseconds between two pings, which measure round trips. Also, with [`PING_TIMEOUT_MS`], how
/// long a dead connection of a peer without heartbeats looks alive.
pub const PING_INTERVAL_MS: u64 = 10_000;
/// Milliseconds after which a ping failed. A page in the background runs timers once per second,
/// and a busy tab stalls for seconds.
pub const PING_TIMEOUT_MS: u64 = 15_000;
/// Failed pings in a row after which a connection is closed (count). One may be a stalled tab.
pub const PING_FAILURES_MAX: u32 = 2;
/// Bytes of linear memory above which no new connection is made or taken. Freed memory never goes
/// back to the host, so this is a high-water mark; half of what 32-bit browsers grant at most.
pub const MEMORY_BYTES_MAX: u64 = 1 << 30;

// ---- net: relays ------------------------------------------------------------------------------

/// Relays at which a node that cannot be dialled holds a reservation (count): one may go.
pub const RELAYS_WANTED: usize = 2;
/// Reservations that a relay gives (count): more than [`CONNECTIONS_MAX`], which bounds them, as
/// libp2p counts those that are renewed again.
pub const RELAY_RESERVATIONS_MAX: usize = 65;
/// Milliseconds that a reservation lasts: about the longest that a timer of 32 bits can count. It
/// ends with its connection; libp2p's relay trips over one that ends while it is being renewed.
pub const RELAY_RESERVATION_MS: u64 = 20 * 24 * 60 * 60 * 1_000;
/// Times that one relay may say where this node is reached through it (count): each is remembered
/// by libp2p, and an honest one renews twice in a month.
pub const RELAY_ANSWERS_MAX: u32 = 64;
/// Milliseconds until a relay that refused, or whose reservation ended, is asked again. Arbitrary,
/// sane: it may be full.
pub const RELAY_RETRY_MS: u64 = 30_000;
/// Circuits through one relay at a time (count). All may lead to one peer, and together with its
/// other streams they must stay below [`STREAMS_PER_CONNECTION_MAX`], or its connection ends.
pub const RELAY_CIRCUITS_MAX: usize = 24;
/// Circuits of one peer through one relay at a time (count): as many as it wants peers, and some
/// that are being replaced.
pub const RELAY_CIRCUITS_PER_PEER_MAX: usize = 8;
/// Milliseconds after which a relay ends a circuit, so that its peers look for a better way.
pub const RELAY_CIRCUIT_MS_MAX: u64 = 60 * 60 * 1_000;
/// Bytes in both directions after which a relay ends a circuit: a history of 50 MB and some runs.
pub const RELAY_CIRCUIT_BYTES_MAX: u64 = 256 << 20;
/// Reservations, and circuits, that one peer may ask for at once (count): some for each peer that
/// it wants.
pub const RELAY_REQUESTS_BURST: u32 = 32;
/// Milliseconds until a peer may ask for one more. A dial that failed waits longer by itself.
pub const RELAY_REQUEST_INTERVAL_MS: u64 = 5_000;

// ---- net: WebRTC ------------------------------------------------------------------------------

/// Bytes of one frame on a data channel with its length: what libp2p's specification allows,
/// because every browser can send it.
pub const DATA_CHANNEL_FRAME_BYTES_MAX: usize = 16 << 10;
/// Frames taken from a data channel without bytes to read among them, before everything else may
/// run again (count). A correct peer sends four of them in all; a byte is enough for one.
pub const DATA_CHANNEL_FRAMES_PER_POLL: usize = 64;
/// Bytes of one message of signalling: ten times a description of a data channel.
pub const SIGNAL_BYTES_MAX: usize = 16 << 10;
/// Bytes of one candidate as JSON: four times the longest that Chromium makes.
pub const ICE_CANDIDATE_BYTES_MAX: usize = 1 << 10;
/// Candidates of one side (count): a machine with a dozen interfaces of both families. A peer can
/// make a browser send a few packets to each place that it names, so there are not many.
pub const ICE_CANDIDATES_MAX: usize = 24;
/// Messages of one side in one signalling (count): a description, the candidates, their ends.
pub const SIGNAL_MESSAGES_MAX: usize = 32;
/// Milliseconds that two peers look for a direct way. Browsers give up after about 15 s.
pub const SIGNALLING_TIMEOUT_MS: u64 = 20_000;
/// Signallings under way at once (count): each has a peer connection of its own in the host.
pub const SIGNALLINGS_MAX: usize = 8;
/// Of them with one peer (count): one, and one that was lost and is not yet over. Without this, a
/// peer that says nothing on a few circuits would hold all of them.
pub const SIGNALLINGS_PER_PEER_MAX: usize = 2;
/// Signallings that a peer may begin on one circuit (count). One is needed; the others are for a
/// way that was found and lost before it was used.
pub const SIGNALLINGS_PER_CIRCUIT_MAX: usize = 3;
/// Milliseconds that closing a data channel waits for the peer to acknowledge the end. Arbitrary,
/// sane: some round trips; what was said before is not lost by waiting no longer.
pub const DATA_CHANNEL_CLOSE_MS: u64 = 1_000;
/// Received bytes of one stream that has a data channel of its own, at which the stream is given
/// up: the window that a stream of the multiplexer has. Data channels cannot be paused.
pub const DATA_CHANNEL_RECEIVE_BYTES_MAX: usize = 256 << 10;
/// Milliseconds that the end of signalling with a peer of another program waits for the peer to
/// end it too. Some close what they have found when the circuit goes first. Arbitrary, sane: some
/// round trips; a peer that never ends it has its direct way all the same.
pub const SIGNALLING_GOODBYE_MS: u64 = 1_000;

// ---- net: messages ----------------------------------------------------------------------------

/// Requests of this node that wait for an answer, over all peers (count). Arbitrary, sane: four for
/// each of [`PEERS_MAX`].
pub const REQUESTS_OPEN_MAX: usize = 256;
/// Requests of peers that wait for this node's answer, over all peers (count). As above.
pub const ANSWERS_OPEN_MAX: usize = 256;
/// Requests of one peer, and to one peer, at a time (count). Twice what a correct node has open.
pub const REQUESTS_PER_CONNECTION_MAX: usize = 16;
/// Milliseconds until a request counts as lost in the transport; below [`REQUEST_TIMEOUT_MS`],
/// after which the node itself gives up. An answer has at most [`RESPONSE_BYTES_MAX`] bytes.
pub const STREAM_TIMEOUT_MS: u64 = 20_000;
/// Bytes of one gossip message: the largest signed vertex and gossipsub's own framing.
pub const GOSSIP_BYTES_MAX: usize = 80 << 10;
/// Gossip messages that wait to be sent to one peer (count): at most 20 MiB of the largest.
pub const GOSSIP_QUEUE_MAX: usize = 256;
/// Gossip messages whose verdict is awaited (count); the oldest is ignored when more come.
pub const GOSSIP_VERDICTS_MAX: usize = 1_024;
