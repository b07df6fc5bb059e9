//! Bounds of sealed messages.

// ---- sealed messages --------------------------------------------------------------------------

/// Bytes of the smallest padded text: a line or two. Length tells no more than which of three sizes
/// a text needs.
pub const SEALED_PADDED_BYTES_MIN: usize = 256;
/// Quotient of one size and the one before it (count): three sizes tell little, and cost at most
/// four times what a text needs.
pub const SEALED_PADDED_GROWTH: usize = 4;
/// Bytes of the largest padded text: a page or two. What is larger is a file, and no message.
pub const SEALED_PADDED_BYTES_MAX: usize = 4 << 10;
/// Bytes of a text: the largest padded one, without its length.
pub const SEALED_TEXT_BYTES_MAX: usize = SEALED_PADDED_BYTES_MAX - 2;
/// Sealed messages of one answer (count): opening them takes some 20 ms.
pub const SEALED_PAGE_MAX: usize = 128;

const _: () = assert!(
    SEALED_PADDED_BYTES_MIN * SEALED_PADDED_GROWTH * SEALED_PADDED_GROWTH
        == SEALED_PADDED_BYTES_MAX
);
