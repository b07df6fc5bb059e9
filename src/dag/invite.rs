//! Who may enter a permissioned network: the list of its genesis, and invites.
//!
//! A network is permissioned when its genesis names who may invite ([`Rule`]), and then its id, the
//! hash of that, is one that nobody can take the rule away from. An [`Invite`] is a signed
//! capability of such an *inviter*: for one author, or for whoever holds a key. What travels in a
//! join link is a [`Ticket`], an invite with the secret half of that key; what a member shows is a
//! [`Pass`], the invite with the key's signature over the member's own name. So who sees a pass,
//! and every member sees all of them, cannot enter with it, and who has the link can.
//!
//! ```text
//!  inviter: Ticket (link) -> invitee: Pass (handshake, identity vertex) -> members: Rule::check
//! ```
//!
//! The check is a pure function of the genesis, the author and the pass: every member, and whoever
//! replays the history, decides alike. How long an invite is good for, how often it was used and
//! whether it was taken back depend on when one looks: that is asked at the door alone
//! (`crate::node::Door`) and never makes a vertex invalid.
//!
//! The key that proves possession is Ed25519 alone. It is in the invite only, which members and
//! holders of the link see and nobody else, and of use only until the invite runs out; what makes
//! an invite an invite, its signature, is composite like every other one.
//!
//! What this does not do: it expels nobody. Who was let in stays a member (until it equivocates);
//! `peer ban` keeps it away from one node.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::cbor::{self, Bounds};
use crate::crypto::hash::{self, Digest};
use crate::crypto::sign::{Context, PublicKey, Signature, SigningKey};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

/// Domain of the ids of invites. Changing it takes back what was taken back.
const ID_DOMAIN: &str = "synaptic-mesh 2026 invite v1";
/// What the holder of an invite's key signs begins with.
const HOLDER_DOMAIN: &[u8] = b"synaptic-mesh/invite/holder/v1";
/// The fields of a ticket, and room for one field too many.
const BOUNDS: Bounds = Bounds { bytes_max: limits::INVITE_BYTES_MAX, items_max: 16, depth_max: 1 };

/// Name of an invite: the hash of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InviteId(#[serde(with = "serde_bytes")] [u8; 32]);

/// Whom an invite is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This author, and nobody else.
    Author(AuthorId),
    /// Whoever holds the secret half of this Ed25519 key.
    Key([u8; 32]),
}

/// What an inviter decides about an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// For whom; for whoever has the link, if absent.
    pub author: Option<AuthorId>,
    /// Authors that may enter with it, 1 to [`limits::INVITE_USES_MAX`].
    pub uses: u32,
    /// Until when, in Unix milliseconds.
    pub until_ms: u64,
}

/// A signed capability to enter a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The network.
    pub network: NetworkId,
    /// The inviter's composite public key, 1984 bytes.
    pub issuer: Vec<u8>,
    /// For whom it is.
    pub holder: Holder,
    /// Authors that may enter with it.
    pub uses: u32,
    /// Until when, in Unix milliseconds.
    pub until_ms: u64,
    /// The inviter's signature over [`Context::Invite`] and all of the above, 3373 bytes.
    pub signature: Vec<u8>,
}

/// Its fields, whether it is for a key, and what is carried with it: a secret, a proof or nothing.
type Wire = (NetworkId, ByteBuf, bool, ByteArray<32>, u32, u64, ByteBuf, ByteBuf);

/// An invite as a join link carries it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The invite.
    pub invite: Invite,
    /// The secret half of the key that it is for, 32 bytes; empty if it is for none.
    secret: Vec<u8>,
}

/// An invite as its holder shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The invite.
    pub invite: Invite,
    /// The key's signature over network and author, 64 bytes; empty if it is for none.
    proof: Vec<u8>,
}

/// An invite as the history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub id: InviteId,
    /// Who entered with it, ascending.
    pub holders: Vec<AuthorId>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// Invites that somebody entered with, or that were taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Them, ascending.
    pub invites: Vec<View>,
    /// Those who may invite, ascending.
    pub inviters: Vec<AuthorId>,
}

/// What the owner of a node wants with invites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Make one. Answer: a [`Ticket`].
    Make(Terms),
    /// Take it back; answered when that is written.
    Revoke(InviteId),
    /// List those in use. Answer: a [`Page`].
    List,
}

/// Why somebody may not enter. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
#[non_exhaustive]
pub enum Refused {
    /// Neither listed nor with an invite.
    #[error(
        "this network takes members by invite only; ask one of those who may invite for a join \
         link with an invite (`synaptic-mesh invite create`)"
    )]
    Uninvited = 1,
    /// Bytes that are no invite.
    #[error("the invite cannot be read; copy the whole join link again")]
    Malformed,
    /// An invite to another network.
    #[error("the invite is for another network; ask for one to this network")]
    Foreign,
    /// Signed by somebody who may not invite.
    #[error("who signed the invite may not invite in this network; ask one of those who may")]
    Issuer,
    /// The signature is not over what the invite says.
    #[error("the invite was altered: its signature does not verify; copy the join link again")]
    Altered,
    /// Somebody else's invite.
    #[error("the invite is somebody else's; ask for one of your own, with your node id")]
    Holder,
    /// Past its time.
    #[error("the invite has run out, or a clock is wrong; ask for a new one")]
    Expired,
    /// As many as it is for have entered.
    #[error("the invite was used as often as it may be; ask for a new one")]
    Used,
    /// Taken back.
    #[error("the invite was taken back; ask for a new one")]
    Revoked,
    /// Good for longer than an invite may be.
    #[error(
        "the invite is good for more than a year, or a clock is wrong; ask for one that is not"
    )]
    Overlong,
    /// It signed two different vertices.
    #[error("this identity signed two different vertices and is over; create a new one")]
    Ended,
}

impl Refused {
    const ALL: [Self; 11] = [
        Self::Uninvited,
        Self::Malformed,
        Self::Foreign,
        Self::Issuer,
        Self::Altered,
        Self::Holder,
        Self::Expired,
        Self::Used,
        Self::Revoked,
        Self::Overlong,
        Self::Ended,
    ];

    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Uninvited => "uninvited",
            Self::Malformed => "invite-malformed",
            Self::Foreign => "invite-foreign",
            Self::Issuer => "invite-issuer",
            Self::Altered => "invite-altered",
            Self::Holder => "invite-holder",
            Self::Expired => "invite-expired",
            Self::Used => "invite-used",
            Self::Revoked => "invite-revoked",
            Self::Overlong => "invite-overlong",
            Self::Ended => "member-ended",
        }
    }

    /// The number that stands for it on the wire, from 1.
    #[expect(clippy::as_conversions, reason = "the numbers are written above")]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What a number stands for; [`Self::Uninvited`] for those that are not known yet.
    pub fn of_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|one| one.number() == number).unwrap_or(Self::Uninvited)
    }
}

/// Who is in a permissioned network, as its genesis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    network: NetworkId,
    inviters: BTreeSet<AuthorId>,
    listed: BTreeSet<AuthorId>,
}

impl Rule {
    /// Of a network, those who may invite, and those who need no invite besides them.
    pub fn new(
        network: NetworkId,
        inviters: impl IntoIterator<Item = AuthorId>,
        listed: impl IntoIterator<Item = AuthorId>,
    ) -> Self {
        let inviters: BTreeSet<AuthorId> = inviters.into_iter().collect();
        let listed = listed.into_iter().chain(inviters.iter().copied()).collect();
        Self { network, inviters, listed }
    }

    /// Whether an author may invite.
    pub fn may_invite(&self, author: &AuthorId) -> bool {
        self.inviters.contains(author)
    }

    /// Those who may invite.
    pub fn inviters(&self) -> impl Iterator<Item = &AuthorId> {
        self.inviters.iter()
    }

    /// Whether an author needs no invite.
    pub fn lists(&self, author: &AuthorId) -> bool {
        self.listed.contains(author)
    }

    /// Checks that an author is listed and shows nothing, or that the pass, of which only the
    /// encoding was looked at before, if that, is its own; gives the invite then.
    ///
    /// # Errors
    /// Any of [`Refused`] but those that depend on when one asks; [`Refused::Malformed`] for a pass
    /// of somebody who needs none, which would be bytes that mean nothing.
    pub fn check(&self, author: &AuthorId, pass: Option<&[u8]>) -> Result<Option<Invite>, Refused> {
        if self.lists(author) {
            return pass.map_or(Ok(None), |_| Err(Refused::Malformed));
        }
        let Pass { invite, proof } = Pass::decode(pass.ok_or(Refused::Uninvited)?)?;
        self.check_invite(&invite)?;
        let is_own = match &invite.holder {
            Holder::Author(holder) => holder == author,
            Holder::Key(key) => {
                let proof = proof.try_into().map_err(|_| Refused::Malformed)?;
                let signature = ed25519_dalek::Signature::from_bytes(&proof);
                let key = ed25519_dalek::VerifyingKey::from_bytes(key);
                key.ok().filter(|key| !key.is_weak()).is_some_and(|key| {
                    key.verify_strict(&to_prove(&self.network, author), &signature).is_ok()
                })
            }
        };
        if is_own { Ok(Some(invite)) } else { Err(Refused::Holder) }
    }

    /// Checks everything about an invite but whose it is. The cheap checks come first.
    fn check_invite(&self, invite: &Invite) -> Result<(), Refused> {
        if invite.network != self.network {
            return Err(Refused::Foreign);
        }
        let issuer = PublicKey::from_bytes(&invite.issuer).map_err(|_| Refused::Malformed)?;
        if !self.may_invite(&AuthorId::of(&issuer)) {
            return Err(Refused::Issuer);
        }
        let signature = Signature::from_bytes(&invite.signature).map_err(|_| Refused::Malformed)?;
        let verified = issuer.verify(Context::Invite, &invite.claim(), &signature);
        verified.map_err(|_| Refused::Altered)
    }
}

impl Invite {
    /// Its name.
    pub fn id(&self) -> InviteId {
        InviteId(Digest::derive(ID_DOMAIN, &[&self.claim()]).0)
    }

    /// What is signed: everything but the signature, encoded with empty bytes for that.
    fn claim(&self) -> Vec<u8> {
        self.encode(&[], &[])
    }

    fn encode(&self, signature: &[u8], carried: &[u8]) -> Vec<u8> {
        let (is_for_key, holder) = match &self.holder {
            Holder::Author(author) => (false, *author.as_bytes()),
            Holder::Key(key) => (true, *key),
        };
        let wire: Wire = (
            self.network,
            ByteBuf::from(&self.issuer[..]),
            is_for_key,
            ByteArray::new(holder),
            self.uses,
            self.until_ms,
            ByteBuf::from(signature),
            ByteBuf::from(carried),
        );
        cbor::encode(&wire).expect("numbers and byte strings always encode")
    }

    /// The canonical bytes of an invite and nothing else, with what is carried beside it: so many
    /// bytes where it is for a key, else none.
    fn decode(bytes: &[u8], carried_bytes: usize) -> Result<(Self, Vec<u8>), Refused> {
        let wire: Wire = cbor::decode(bytes, &BOUNDS).map_err(|_| Refused::Malformed)?;
        let (network, issuer, is_for_key, holder, uses, until_ms, signature, carried) = wire;
        let holder = holder.into_array();
        let holder = if is_for_key {
            Holder::Key(holder)
        } else {
            Holder::Author(AuthorId::from_bytes(holder))
        };
        let uses_max = if is_for_key { limits::INVITE_USES_MAX } else { 1 };
        let carried_bytes = if is_for_key { carried_bytes } else { 0 };
        if !(1..=uses_max).contains(&uses) || carried.len() != carried_bytes {
            return Err(Refused::Malformed);
        }
        let (issuer, signature) = (issuer.into_vec(), signature.into_vec());
        let invite = Self { network, issuer, holder, uses, until_ms, signature };
        Ok((invite, carried.into_vec()))
    }
}

impl Ticket {
    /// Makes an invite. The pair is fresh randomness: the holder's key, and what hedges the
    /// signature.
    ///
    /// `None` for terms by which nobody can enter, or more than may.
    pub fn issue(
        network: NetworkId,
        key: &SigningKey,
        terms: Terms,
        (secret, hedge): ([u8; 32], [u8; 32]),
    ) -> Option<Self> {
        let Terms { author, uses, until_ms } = terms;
        if !(1..=limits::INVITE_USES_MAX).contains(&uses) || (author.is_some() && uses != 1) {
            return None;
        }
        let public = ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key().to_bytes();
        let holder = author.map_or(Holder::Key(public), Holder::Author);
        let issuer = key.public().as_bytes().to_vec();
        let signature = Vec::new();
        let mut invite = Invite { network, issuer, holder, uses, until_ms, signature };
        invite.signature = key.sign(Context::Invite, &invite.claim(), hedge).as_bytes().to_vec();
        let secret = if author.is_none() { secret.to_vec() } else { Vec::new() };
        Some(Self { invite, secret })
    }

    /// Reads the canonical bytes of a ticket and nothing else.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let (invite, secret) = Invite::decode(bytes, ed25519_dalek::SECRET_KEY_LENGTH)?;
        Ok(Self { invite, secret })
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.invite.encode(&self.invite.signature, &self.secret)
    }

    /// What an author shows that enters with it: encoded.
    pub fn pass_of(&self, author: &AuthorId) -> Vec<u8> {
        let mut proof = Vec::new();
        if let Ok(secret) = self.secret.as_slice().try_into() {
            let key = ed25519_dalek::SigningKey::from_bytes(secret);
            proof = key.sign(&to_prove(&self.invite.network, author)).to_bytes().to_vec();
        }
        self.invite.encode(&self.invite.signature, &proof)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the secret: whoever has it can enter.
        f.debug_struct("Ticket").field("invite", &self.invite.id()).finish_non_exhaustive()
    }
}

impl Pass {
    /// Reads the canonical bytes of a pass and nothing else.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let (invite, proof) = Invite::decode(bytes, ed25519_dalek::SIGNATURE_LENGTH)?;
        Ok(Self { invite, proof })
    }

    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.invite.encode(&self.invite.signature, &self.proof)
    }
}

impl fmt::Display for InviteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hash::base32_encode(&self.0))
    }
}

impl FromStr for InviteId {
    type Err = Refused;

    fn from_str(text: &str) -> Result<Self, Refused> {
        let bytes = hash::base32_decode(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Refused::Malformed)
    }
}

/// What the holder of the key in an invite signs.
fn to_prove(network: &NetworkId, author: &AuthorId) -> Vec<u8> {
    [HOLDER_DOMAIN, network.as_bytes(), author.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
