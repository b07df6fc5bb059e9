//! Names: what a label looks like, and who has which until when.
//!
//! A name is registered in two steps, as by ENS's registrar controller: first the hash of label,
//! salt and author, then, some heights later, the label itself. Whoever sees the label first in the
//! second step is too late to register it: its own commitment would be too young.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::Error;
use crate::crypto::hash::Digest;
use crate::identity::AuthorId;
use crate::limits;

/// Domain of commitments.
const COMMITMENT: &str = "synaptic-mesh 2026 name commitment v1";

/// A name without its ending `.dark`: 3 to 63 of a-z, 0-9 and '-', as a host name has it (RFC 1123
/// section 2.1): no '-' at either end, and none in third and fourth place together (RFC 5891
/// section 4.2.3.1 keeps those for encoded names).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

/// The hash a [`super::Operation::NameCommit`] states.
pub fn commitment(label: &Label, salt: &[u8; 32], author: &AuthorId) -> [u8; 32] {
    Digest::derive(COMMITMENT, &[salt, author.as_bytes(), label.as_str().as_bytes()]).0
}

/// A registered name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    names: BTreeMap<Label, Name>,
    /// With the height at which each was decided.
    commitments: BTreeMap<[u8; 32], u64>,
}

impl Label {
    /// Reads a label, with or without the ending `.dark`.
    ///
    /// # Errors
    /// [`Error::Label`].
    pub fn new(text: &str) -> Result<Self, Error> {
        let label = text.strip_suffix(".dark").unwrap_or(text);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let (min, max) = (limits::NAME_LABEL_CHARS_MIN, limits::NAME_LABEL_CHARS_MAX);
        let reason = if !(min..=max).contains(&label.len()) || !label.chars().all(allowed) {
            "a name is 3 to 63 of a-z, 0-9 and '-'"
        } else if label.starts_with('-') || label.ends_with('-') {
            "a name neither starts nor ends with '-'"
        } else if label.get(2..4) == Some("--") {
            "a name has no '--' in third and fourth place"
        } else {
            return Ok(Self(label.to_owned()));
        };
        Err(Error::Label { label: text.chars().take(max).collect(), reason })
    }

    /// The label without `.dark`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.dark", self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    /// Of the label alone: one name has one encoding.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Self::new(&text) {
            Ok(label) if label.0 == text => Ok(label),
            _ => Err(serde::de::Error::custom("not a label")),
        }
    }
}

impl Names {
    /// A name, expired or not.
    pub(super) fn get(&self, label: &Label) -> Option<&Name> {
        self.names.get(label)
    }

    /// Names in order, the expired ones included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Label, &Name)> {
        self.names.iter()
    }

    /// Commitments in order, each with the height of its decision.
    pub(super) fn commitments(&self) -> impl Iterator<Item = (&[u8; 32], u64)> {
        self.commitments.iter().map(|(hash, height)| (hash, *height))
    }

    /// The version that the next change of a name has.
    pub(super) fn next_version(&self, label: &Label) -> u64 {
        self.names.get(label).map_or(1, |name| name.version + 1)
    }

    /// Whether one more commitment may be made.
    pub(super) fn check_commitment(&self, hash: &[u8; 32]) -> Result<(), Error> {
        let (held, max) = (self.commitments.len(), limits::NAME_COMMITMENTS_MAX);
        if held < max || self.commitments.contains_key(hash) {
            return Ok(());
        }
        Err(Error::Full { what: "commitments", held, max })
    }

    pub(super) fn commit(&mut self, hash: [u8; 32], height: u64) {
        self.commitments.entry(hash).or_insert(height);
    }

    /// Forgets commitments that nobody may reveal any more.
    pub(super) fn forget_old(&mut self, height: u64) {
        let oldest = height.saturating_sub(limits::NAME_COMMITMENT_HEIGHTS_MAX);
        self.commitments.retain(|_, made| *made >= oldest);
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
        if held >= max && !self.names.contains_key(label) {
            return Err(Error::Full { what: "names", held, max });
        }
        let from = height.saturating_sub(limits::NAME_COMMITMENT_HEIGHTS_MAX);
        let to = height.checked_sub(limits::NAME_COMMITMENT_HEIGHTS_MIN);
        let refused = |reason| Err(Error::Commitment { from, to: to.unwrap_or(0), reason });
        match self.commitments.get(&commitment(label, salt, author)) {
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
        self.commitments.remove(&commitment(label, salt, &owner));
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
        if let Some(name) = self.names.get_mut(label) {
            name.version += 1;
            change(name);
        }
    }
}
