//! Bounds of runs with secure aggregation.

// ---- masking: runs whose updates nobody sees alone --------------------------------------------

/// Least to which a run with secure aggregation cuts values (no unit): far below what training
/// changes, far above the steps of 6e-8 that values are rounded to.
pub const MASKING_CLIP_MIN: f32 = 0.001;
/// Most to which a run with secure aggregation cuts values (no unit): with steps of 2^-24 the sum
/// of 256 updates of 2^20 samples stays within 2^62.
pub const MASKING_CLIP_MAX: f32 = 1_024.0;
/// Least threshold of a run with secure aggregation (count of a hundred holders): two sets of
/// holders that open a secret have one in common.
pub const MASKING_THRESHOLD_MIN: u8 = 50;
/// Most threshold of a run with secure aggregation (count of a hundred holders): one of ten may be
/// gone.
pub const MASKING_THRESHOLD_MAX: u8 = 90;
/// Members that mask for each other in a round (count): a deal then has 13 KiB, and an update of
/// half a million values takes 64 masks of 4 MiB, a second of one core.
pub const MASKING_MEMBERS_MAX: usize = 64;
/// Least members that mask for each other (count): of the sum of two updates either knows the
/// other.
pub const MASKING_MEMBERS_MIN: u32 = 3;
/// Cohorts and closings of one author on one base that are looked at (count): an honest one
/// proposes another only after a deadline.
pub const MASKING_PROPOSALS_PER_AUTHOR_MAX: usize = 3;
/// Deals of one author on one base (count): each is for a round that came to nothing.
pub const MASKING_DEALS_MAX: u32 = 16;
/// Deadlines after which a member deals anew for a round that came to nothing (count): one for the
/// cohort, one for the updates, one for the shares.
pub const MASKING_RETRY_DEADLINES: u64 = 3;
