//! A Merkle mountain range: a list that only grows, with short proofs that something is in it.
//!
//! The leaves form perfect binary trees, the *mountains*, of the sizes of the set bits of their
//! number, largest first; the root hashes the number and the peaks. Appending costs O(log n)
//! hashes. Idea: P. Todd, *Merkle Mountain Ranges* (opentimestamps-server, 2012). Leaf, node and
//! root have domains of their own, so that none passes for another (RFC 6962, section 2.1), and
//! the number in the root fixes the shape. Nothing is ever removed.

use serde::{Deserialize, Serialize};

use crate::crypto::hash::Digest;
use crate::limits;

const LEAF_DOMAIN: &str = "synaptic-mesh 2026 mmr leaf v1";
const NODE_DOMAIN: &str = "synaptic-mesh 2026 mmr node v1";
const ROOT_DOMAIN: &str = "synaptic-mesh 2026 mmr root v1";

/// One hash of the range.
pub type Hash = [u8; 32];

/// A list of leaves with all the hashes over them: 64 bytes a leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mmr {
    /// Hashes by height, each row from the left.
    rows: Vec<Vec<Hash>>,
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
    /// Leaves (count).
    pub fn len(&self) -> u64 {
        self.rows.first().map_or(0, |row| u64::try_from(row.len()).unwrap_or(u64::MAX))
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
                self.rows.push(Vec::new());
            }
            let Some(row) = self.rows.get_mut(height) else { return };
            row.push(hash);
            // A pair is complete: its parent is the next of the row above.
            let [.., left, right] = row.as_slice() else { return };
            if row.len() % 2 == 1 {
                return;
            }
            hash = node_hash(left, right);
        }
    }

    /// The hash that commits to all leaves and their order.
    pub fn root(&self) -> Hash {
        root_hash(self.len(), &self.peaks())
    }

    /// The tops of the mountains, from the left.
    fn peaks(&self) -> Vec<Hash> {
        let tops = self.rows.iter().rev().filter(|row| row.len() % 2 == 1);
        tops.filter_map(|row| row.last()).copied().collect()
    }

    /// Proves that the leaf at `index` is there; `None` if there is no such leaf.
    pub fn prove(&self, index: u64) -> Option<Path> {
        if index >= self.len() {
            return None;
        }
        let (mut at, mut beside) = (usize::try_from(index).ok()?, Vec::new());
        for row in &self.rows {
            let Some(sibling) = row.get(at ^ 1) else { break };
            beside.push(*sibling);
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
mod hashes {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Hash;

    pub(super) fn serialize<S: Serializer>(hashes: &[Hash], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(&hashes.concat())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Hash>, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(from)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            return Ok(hashes.to_vec());
        }
        Err(serde::de::Error::custom("hashes have 32 bytes each"))
    }
}
