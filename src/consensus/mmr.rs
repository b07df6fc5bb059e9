//! A Merkle mountain range: a list that only grows, with short proofs that something is in it.
//!
//! The leaves form perfect binary trees, the *mountains*, of the sizes of the set bits of their
//! number, largest first; the root hashes the number and the peaks. Appending costs O(log n)
//! hashes. Idea: P. Todd, *Merkle Mountain Ranges* (opentimestamps-server, 2012). Leaf, node and
//! root have domains of their own, so that none passes for another (RFC 6962, section 2.1), and
//! the number in the root fixes the shape. Leaves are never removed from the list; who needs no
//! more proofs of the first ones may forget their hashes, all but the peaks over them.

use serde::{Deserialize, Serialize};

use crate::crypto::hash::Digest;
use crate::limits;

const LEAF_DOMAIN: &str = "synaptic-mesh 2026 mmr leaf v1";
const NODE_DOMAIN: &str = "synaptic-mesh 2026 mmr node v1";
const ROOT_DOMAIN: &str = "synaptic-mesh 2026 mmr root v1";

/// One hash of the range.
pub type Hash = [u8; 32];

/// A list of leaves with the hashes over them: 64 bytes for each leaf that can be proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mmr {
    /// Hashes by height.
    rows: Vec<Row>,
}

/// The hashes of one height, from the left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    /// Hashes that are not kept (count), an even number: whatever is kept has its sibling.
    forgotten: u64,
    kept: Vec<Hash>,
}

impl Row {
    fn len(&self) -> u64 {
        self.forgotten + u64::try_from(self.kept.len()).unwrap_or(u64::MAX)
    }

    fn get(&self, at: u64) -> Option<&Hash> {
        self.kept.get(usize::try_from(at.checked_sub(self.forgotten)?).ok()?)
    }

    /// The last hash, if it is the left one of its pair.
    fn peak(&self) -> Option<&Hash> {
        self.kept.last().filter(|_| self.len() % 2 == 1)
    }
}

/// Why a leaf is in a list: the hashes beside its path, from the leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Leaves of the list (count).
    pub leaves: u64,
    /// The leaf's place, from 0.
    pub index: u64,
    /// The other child at each height of the leaf's mountain.
    #[serde(with = "hashes")]
    pub beside: Vec<Hash>,
    /// The peaks of all other mountains, from the left.
    #[serde(with = "hashes")]
    pub peaks: Vec<Hash>,
}

impl Mmr {
    /// A list of so many leaves of which nothing but the peaks is known, from the left.
    ///
    /// `None` when these are not as many peaks as the list has.
    pub fn of_peaks(leaves: u64, peaks: &[Hash]) -> Option<Self> {
        if usize::try_from(leaves.count_ones()) != Ok(peaks.len()) {
            return None;
        }
        let mut left = peaks.iter().rev();
        let row = |height| {
            let len = leaves >> height;
            let kept = (len % 2 == 1).then(|| left.next().copied()).flatten();
            Row { forgotten: len & !1, kept: kept.into_iter().collect() }
        };
        Some(Self { rows: (0..u64::BITS - leaves.leading_zeros()).map(row).collect() })
    }

    /// Leaves (count).
    pub fn len(&self) -> u64 {
        self.rows.first().map_or(0, Row::len)
    }

    /// Whether it has no leaves.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a leaf at the end.
    pub fn append(&mut self, leaf: &[u8]) {
        let mut hash = leaf_hash(leaf);
        for height in 0.. {
            if self.rows.len() == height {
                self.rows.push(Row::default());
            }
            let Some(row) = self.rows.get_mut(height) else { return };
            row.kept.push(hash);
            // A pair is complete: its parent is the next of the row above.
            let (false, [.., left, right]) = (row.len() % 2 == 1, row.kept.as_slice()) else {
                return;
            };
            hash = node_hash(left, right);
        }
    }

    /// The hash that commits to all leaves and their order.
    pub fn root(&self) -> Hash {
        root_hash(self.len(), &self.peaks())
    }

    /// The tops of the mountains, from the left.
    pub fn peaks(&self) -> Vec<Hash> {
        self.rows.iter().rev().filter_map(Row::peak).copied().collect()
    }

    /// The list of the first leaves, with nothing but its peaks; `None` if those are forgotten.
    pub fn first(&self, leaves: u64) -> Option<Self> {
        let rows = (0..).zip(&self.rows).filter(|(height, _)| (leaves >> height) & 1 == 1);
        let peak = |(height, row): (u32, &Row)| row.get((leaves >> height) - 1).copied();
        let mut peaks = rows.map(peak).collect::<Option<Vec<Hash>>>()?;
        peaks.reverse();
        Self::of_peaks(leaves, &peaks)
    }

    /// Forgets what only proofs of the first `leaves` leaves need.
    pub fn forget(&mut self, leaves: u64) {
        let leaves = leaves.min(self.len());
        for (height, row) in self.rows.iter_mut().enumerate() {
            let forgotten = (leaves >> height) & !1;
            let more = usize::try_from(forgotten.saturating_sub(row.forgotten)).unwrap_or(0);
            row.kept.drain(..more.min(row.kept.len()));
            row.forgotten = row.forgotten.max(forgotten);
        }
    }

    /// Proves that the leaf at `index` is there; `None` if there is no such leaf, or it is
    /// forgotten.
    pub fn prove(&self, index: u64) -> Option<Path> {
        if index >= self.len() {
            return None;
        }
        let (mut at, mut beside) = (index, Vec::new());
        for row in &self.rows {
            if (at ^ 1) >= row.len() {
                break;
            }
            beside.push(*row.get(at ^ 1)?);
            at /= 2;
        }
        let own = self.rows.get(beside.len())?.get(at)?;
        let peaks = self.peaks().into_iter().filter(|peak| peak != own).collect();
        Some(Path { leaves: self.len(), index, beside, peaks })
    }
}

impl Path {
    /// The root of the list in which `leaf` stands at this place; `None` when the path has not
    /// the shape that its numbers prescribe.
    pub fn root(&self, leaf: &[u8]) -> Option<Hash> {
        let height = mountain(self.leaves, self.index)?;
        let others = usize::try_from(self.leaves.count_ones()).ok()? - 1;
        if self.beside.len() != height || self.peaks.len() != others {
            return None;
        }
        let mut hash = leaf_hash(leaf);
        for (level, other) in self.beside.iter().enumerate() {
            let right = self.index >> level & 1 == 1;
            hash = if right { node_hash(other, &hash) } else { node_hash(&hash, other) };
        }
        // Mountains to the left are those of the larger bits of the number.
        let left = (self.leaves.checked_shr(u32::try_from(height).ok()?)? >> 1).count_ones();
        let mut peaks = self.peaks.clone();
        peaks.insert(usize::try_from(left).ok()?.min(peaks.len()), hash);
        Some(root_hash(self.leaves, &peaks))
    }
}

/// Height of the mountain that the leaf at `index` of `leaves` stands on.
fn mountain(leaves: u64, index: u64) -> Option<usize> {
    let (mut start, heights) = (0, 0..u64::BITS);
    for height in heights.rev().filter(|height| leaves >> height & 1 == 1) {
        let size = 1_u64 << height;
        if index < start + size {
            return usize::try_from(height).ok().filter(|height| *height < limits::MMR_PATH_MAX);
        }
        start += size;
    }
    None
}

fn leaf_hash(leaf: &[u8]) -> Hash {
    Digest::derive(LEAF_DOMAIN, &[leaf]).0
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Digest::derive(NODE_DOMAIN, &[left, right]).0
}

fn root_hash(leaves: u64, peaks: &[Hash]) -> Hash {
    Digest::derive(ROOT_DOMAIN, &[&leaves.to_be_bytes(), &peaks.concat()]).0
}

/// Hashes as one byte string: fewer bytes, and fewer items to bound.
pub(super) mod hashes {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Hash;

    pub(in super::super) fn serialize<S: Serializer>(
        hashes: &[Hash],
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(&hashes.concat())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Hash>, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            return Ok(hashes.to_vec());
        }
        Err(serde::de::Error::custom("hashes have 32 bytes each"))
    }
}
