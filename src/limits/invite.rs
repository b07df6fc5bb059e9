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
/// Authors that were let in and have not said hello yet (count); who has waited longest gives way.
pub const LET_IN_MAX: usize = 1_024;
/// Milliseconds after which such an author counts no longer as one that came by its invite: many
/// times what a hello takes.
pub const LET_IN_MS_MAX: u64 = 600_000;
/// Milliseconds by which the clock of whoever made an invite may be ahead of that of a door: as for
/// bindings, a day.
pub const INVITE_AHEAD_MS_MAX: u64 = 86_400_000;
/// Peers that a node calls by itself, the members of its link (count); further ones are strangers.
pub const CALLED_MAX: usize = 256;
/// Authors by one invite for whom there is room in any case beyond those that it is for (count):
/// doors that do not hear of each other let in more.
pub const INVITE_AUTHORS_SPARE: usize = 16;
/// Authors beyond that, of all invites together, whom others lend a place by citing them (count):
/// half of the table, so that the other half stays for those who come honestly.
pub const LENT_AUTHORS_MAX: usize = super::GRAPH_AUTHORS_MAX / 2;
/// Milliseconds between two warnings that strangers were refused, so that they cannot fill the log.
pub const STRANGER_WARNING_MS: u64 = 10_000;
