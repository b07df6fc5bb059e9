//! Bounds of anonymous requests.

// ---- onion ------------------------------------------------------------------------------------

/// Bytes of a padded question, its length of 2 included: an item or a name with its frame fits
/// twice.
pub const ONION_QUESTION_BYTES: usize = 512;
/// Bytes of every reply, tag and length included: a proof of two dozen signatures, or of eleven
/// with their keys. All replies have this size, or it would tell which question was asked.
pub const ONION_REPLY_BYTES: usize = 64 << 10;
/// Milliseconds of a period, which each cell names: what is older than the last one is refused, so
/// that seen cells need not be remembered for longer. Two minutes off must work for a clock.
pub const ONION_PERIOD_MS: u64 = 120_000;
/// Cells of one peer at once (count): a few questions with all their attempts.
pub const ONION_CELLS_BURST: u32 = 32;
/// Cells per second of one peer after that (count): four names, each from two exits.
pub const ONION_CELLS_PER_SECOND: u32 = 8;
/// Cells of all peers at once (count): four peers' bursts.
pub const ONION_CELLS_ALL_BURST: u32 = 128;
/// Cells per second of all peers after that (count): 0.3 ms each, 2 % of the time of a core.
pub const ONION_CELLS_ALL_PER_SECOND: u32 = 64;
/// Questions that are answered at once (count): of all askers, as they cannot be told apart.
pub const ONION_ANSWERS_BURST: u32 = 32;
/// Questions answered per second after that (count): a proof by many signers takes 10 ms, so 8 % of
/// the time of a core.
pub const ONION_ANSWERS_PER_SECOND: u32 = 8;
/// Seen cells that are remembered (count), 16 bytes each: all that the rate lets through in three
/// periods. At the bound no cell is taken any more, so that none is taken twice.
pub const ONION_SEEN_MAX: usize = 24_000;
/// Cells under way to one peer (count): half of its requests, or an exit that never answers would
/// keep two of those before it from reconciling.
pub const ONION_CELLS_OPEN_MAX: usize = 4;
/// Cells of others that are under way through this node (count): each may bring a reply of 64 KiB.
pub const ONION_CIRCUITS_MAX: usize = 64;
/// Own anonymous questions under way (count): who asks waits for the answer.
pub const ONION_ASKS_MAX: usize = 8;
/// Paths that are tried for one question (count): two for each exit, and two to spare.
pub const ONION_ATTEMPTS_MAX: u32 = 6;
/// Milliseconds after which a path is given up: six trips between neighbours, each within the
/// longest that a healthy connection takes.
pub const ONION_PATH_MS: u64 = 4_000;
/// Characters of a refusal that an exit gave (count): a sentence or two, shown to a person.
pub const ONION_REFUSAL_CHARS_MAX: usize = 400;

#[expect(clippy::as_conversions, reason = "constants, widened at compile time")]
const _: () = {
    let period_s = ONION_PERIOD_MS / 1_000;
    let all = period_s * ONION_CELLS_ALL_PER_SECOND as u64 * 3 + ONION_CELLS_ALL_BURST as u64;
    assert!(all <= ONION_SEEN_MAX as u64);
    // A length of two bytes, and a tag of sixteen.
    assert!(ONION_REPLY_BYTES <= (1 << 16) && ONION_QUESTION_BYTES > 2);
    assert!(2 * ONION_CELLS_OPEN_MAX <= super::REQUESTS_PER_PEER_MAX);
    assert!(ONION_PATH_MS < super::STREAM_TIMEOUT_MS);
};
