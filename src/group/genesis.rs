//! What a group is from its beginning: its network, its name, its first members, its secret.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::crypto::hash::{Digest, base32_decode, base32_encode};
use crate::dag::cbor::{self, Bounds};
use crate::identity::{AuthorId, NetworkId};
use crate::{limits, rng::Rng};

/// Domain of the hash that names a group. Changing it changes every name.
const GROUP_ID_DOMAIN: &str = "synaptic-mesh 2026 group id v1";
/// Items of a genesis: four fields, their keys, the members.
const BOUNDS: Bounds =
    Bounds { bytes_max: 1 << 10, items_max: 16 + limits::GROUP_MEMBERS_MAX, depth_max: 2 };

/// Name of a group: BLAKE3 of its genesis, 32 bytes; in text 52 characters of base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(#[serde(with = "serde_bytes")] [u8; 32]);

/// How a group begins. It never changes; who is a member later is in the log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    network: NetworkId,
    name: String,
    members: Vec<AuthorId>,
    /// Only members are told it, each by another one. Every message shows it: who is asked for a
    /// vote cannot know yet who became a member in the meantime, but knows that somebody let it in.
    #[serde(with = "serde_bytes")]
    secret: [u8; 32],
}

impl Genesis {
    /// A new group of these members, with a secret drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::Name`] and [`Error::Members`] for what no group can have.
    pub fn new(
        network: NetworkId,
        name: &str,
        mut members: Vec<AuthorId>,
        rng: &mut Rng,
    ) -> Result<Self, Error> {
        members.sort_unstable();
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        let genesis = Self { network, name: name.to_owned(), members, secret };
        genesis.check()?;
        Ok(genesis)
    }

    /// The canonical bytes.
    #[expect(clippy::missing_panics_doc, reason = "plain data always encodes")]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("plain data always encodes")
    }

    /// Reads the canonical bytes; total and bounded.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let genesis: Self = cbor::decode(bytes, &BOUNDS)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The group's name on the wire and in the store.
    pub fn id(&self) -> GroupId {
        GroupId(Digest::derive(GROUP_ID_DOMAIN, &[&self.encode()]).0)
    }

    /// The network whose authors the members are.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The name that people call it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first members, ascending.
    pub fn members(&self) -> &[AuthorId] {
        &self.members
    }

    /// What every message of a member shows.
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    fn check(&self) -> Result<(), Error> {
        if !is_name(&self.name, limits::GROUP_NAME_BYTES_MAX) {
            return Err(Error::Name { bytes_max: limits::GROUP_NAME_BYTES_MAX });
        }
        check_members(&self.members)
    }
}

impl fmt::Debug for Genesis {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Genesis").field("name", &self.name).finish_non_exhaustive()
    }
}

impl GroupId {
    /// Takes the 32 bytes of a group id.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32_encode(&self.0))
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({self})")
    }
}

impl FromStr for GroupId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bytes = base32_decode(text).and_then(|bytes| bytes.try_into().ok()).map(Self);
        bytes.filter(|id| id.to_string() == text).ok_or(Error::Id)
    }
}

/// Whether a text can name a group or a task: printable ASCII without blanks at its ends.
pub(super) fn is_name(text: &str, bytes_max: usize) -> bool {
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    printable && !text.is_empty() && text.len() <= bytes_max && text.trim() == text
}

/// Members are ascending, each once, and as many as a group may have.
pub(super) fn check_members(members: &[AuthorId]) -> Result<(), Error> {
    let count = members.len();
    let ascending = members.is_sorted_by(|left, right| left < right);
    if ascending && (limits::GROUP_MEMBERS_MIN..=limits::GROUP_MEMBERS_MAX).contains(&count) {
        Ok(())
    } else {
        Err(Error::Members { count })
    }
}
