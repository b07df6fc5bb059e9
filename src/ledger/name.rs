//! Names: who has which until when.
//!
//! A name is registered in two steps, as by ENS's registrar controller: first the hash of label,
//! salt and author, then, some heights later, the label itself. Whoever sees the label first in the
//! second step is too late to register it: its own commitment would be too young.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::trie::{Hash, Trie};
use super::{Error, Label};
use crate::crypto::hash::Digest;
use crate::identity::AuthorId;
use crate::limits;

/// Domain of commitments.
const COMMITMENT: &str = "synaptic-mesh 2026 name commitment v1";

/// The hash a [`super::Operation::NameCommit`] states.
pub fn commitment(label: &Label, salt: &[u8; 32], author: &AuthorId) -> [u8; 32] {
    Digest::derive(COMMITMENT, &[salt, author.as_bytes(), label.as_str().as_bytes()]).0
}

/// A registered name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// Who has it.
    pub owner: AuthorId,
    /// Changes so far, the registration included.
    pub version: u64,
    /// Height from which somebody else may register it.
    pub expires: u64,
    /// Where the owner can be reached, as multiaddrs.
    pub addresses: Vec<String>,
}

/// All names, and the commitments that may still be revealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    names: Trie<Label, Name>,
    /// With the height at which each was decided.
    commitments: Trie<ByteArray<32>, u64>,
}

impl Names {
    pub(super) const fn new() -> Self {
        Self { names: Trie::new("name"), commitments: Trie::new("commitment") }
    }

    pub(super) fn of(names: Vec<(Label, Name)>, commitments: Vec<(ByteArray<32>, u64)>) -> Self {
        Self { names: Trie::of("name", names), commitments: Trie::of("commitment", commitments) }
    }

    /// A name, expired or not.
    pub(super) fn get(&self, label: &Label) -> Option<&Name> {
        self.names.get(label)
    }

    /// All names in no order, the expired ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Label, &Name)> {
        self.names.iter()
    }

    /// All commitments, with the heights at which they were decided.
    pub(super) fn commitments(&self) -> impl Iterator<Item = (&ByteArray<32>, &u64)> {
        self.commitments.iter()
    }

    /// Names and commitments as the bytes that are hashed.
    pub(super) fn records(&self) -> impl Iterator<Item = Vec<u8>> {
        let names = self.names.iter().map(|(key, value)| self.names.record(key, value));
        let commitments = self.commitments.iter();
        names.chain(commitments.map(|(key, value)| self.commitments.record(key, value)))
    }

    /// The hashes that commit to names and to commitments.
    pub(super) fn roots(&self) -> [Hash; 2] {
        [self.names.root(), self.commitments.root()]
    }

    /// The version that the next change of a name has.
    pub(super) fn next_version(&self, label: &Label) -> u64 {
        self.names.get(label).map_or(1, |name| name.version + 1)
    }

    pub(super) fn commitment(&self, hash: &[u8; 32]) -> Option<u64> {
        self.commitments.get(&ByteArray::new(*hash)).copied()
    }

    /// Whether one more commitment may be made.
    pub(super) fn check_commitment(&self, hash: &ByteArray<32>) -> Result<(), Error> {
        let (held, max) = (self.commitments.len(), limits::NAME_COMMITMENTS_MAX);
        if held < max || self.commitments.get(hash).is_some() {
            return Ok(());
        }
        Err(Error::Full { what: "commitments", held, max })
    }

    pub(super) fn commit(&mut self, hash: &ByteArray<32>, height: u64) {
        if self.commitments.get(hash).is_none() {
            self.commitments.insert(*hash, height);
        }
    }

    /// Forgets commitments that nobody may reveal any more.
    pub(super) fn forget_old(&mut self, height: u64) {
        let oldest = height.saturating_sub(limits::NAME_COMMITMENT_HEIGHTS_MAX);
        let old = self.commitments.iter().filter(|(_, made)| **made < oldest);
        let old: Vec<ByteArray<32>> = old.map(|(hash, _)| *hash).collect();
        for hash in old {
            self.commitments.remove(&hash);
        }
    }

    /// Whether the author may register a name at this height.
    pub(super) fn check_register(
        &self,
        label: &Label,
        salt: &[u8; 32],
        author: &AuthorId,
        height: u64,
    ) -> Result<(), Error> {
        if let Some(name) = self.names.get(label).filter(|name| name.expires > height) {
            return Err(Error::NameTaken { expires: name.expires });
        }
        let (held, max) = (self.names.len(), limits::NAMES_MAX);
        if held >= max && self.names.get(label).is_none() {
            return Err(Error::Full { what: "names", held, max });
        }
        let from = height.saturating_sub(limits::NAME_COMMITMENT_HEIGHTS_MAX);
        let to = height.checked_sub(limits::NAME_COMMITMENT_HEIGHTS_MIN);
        let refused = |reason| Err(Error::Commitment { from, to: to.unwrap_or(0), reason });
        match self.commitments.get(&ByteArray::new(commitment(label, salt, author))) {
            None => refused("commit to it first"),
            Some(made) if *made < from => refused("commit to it again"),
            Some(made) if to.is_none_or(|to| *made > to) => refused("wait for the next checkpoint"),
            Some(_) => Ok(()),
        }
    }

    /// Whether the author has the name at this height.
    pub(super) fn check_owner(
        &self,
        label: &Label,
        author: &AuthorId,
        height: u64,
    ) -> Result<(), Error> {
        match self.names.get(label).filter(|name| name.expires > height) {
            None => Err(Error::NameFree),
            Some(name) if name.owner != *author => Err(Error::NameForeign { owner: name.owner }),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn register(
        &mut self,
        label: &Label,
        salt: &[u8; 32],
        owner: AuthorId,
        addresses: &[String],
        height: u64,
    ) {
        self.commitments.remove(&ByteArray::new(commitment(label, salt, &owner)));
        let name = Name {
            owner,
            version: self.next_version(label),
            expires: height.saturating_add(limits::NAME_TERM_HEIGHTS),
            addresses: addresses.to_vec(),
        };
        self.names.insert(label.clone(), name);
    }

    /// Changes a registered name and counts the change.
    pub(super) fn change(&mut self, label: &Label, change: impl FnOnce(&mut Name)) {
        if let Some(mut name) = self.names.get(label).cloned() {
            name.version += 1;
            change(&mut name);
            self.names.insert(label.clone(), name);
        }
    }
}
