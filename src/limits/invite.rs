//! Bounds of permissioned networks: their invites, and who is at the door.

// ---- permissioned networks --------------------------------------------------------------------

/// Bytes of an invite as it is shown, or as a link carries it: a composite key and signature, 5,357
/// bytes, with the rest of the fields.
pub const INVITE_BYTES_MAX: usize = 6 << 10;
/// Authors that one invite lets in (count): a school. More are more invites.
pub const INVITE_USES_MAX: u32 = 1_000;
/// Milliseconds that an invite is good for at most: a year.
pub const INVITE_SPAN_MS_MAX: u64 = 366 * 86_400_000;
/// Authors that may invite in a network, and that need no invite besides them (count): each takes
/// 34 bytes of the genesis, and so of every join link.
pub const INVITERS_MAX: usize = 16;
/// Authors that need no invite in a network besides those (count): a ward or a class, in 4.4 kB of
/// its genesis.
pub const ALLOWED_MAX: usize = 128;
/// Authors that were let in and have not said hello yet (count); the first gives way.
pub const LET_IN_MAX: usize = 1_024;
/// Milliseconds between two warnings that strangers were refused, so that they cannot fill the log.
pub const STRANGER_WARNING_MS: u64 = 10_000;
