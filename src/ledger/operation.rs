//! What an author can state about credits and names, and which conflict keys that claims.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::{Error, Label};
use crate::dag::vote::{ConflictKey, ItemId};
use crate::identity::AuthorId;
use crate::limits;
use crate::units::MicroCredits;

/// An operation in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: ItemId,
    /// Who signed it.
    pub author: AuthorId,
    /// What it says.
    pub operation: Operation,
}

/// A statement about credits or names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// Pays from the author's account.
    Transfer {
        /// Position among what the account spends, from 0.
        sequence: u64,
        /// The payee.
        to: AuthorId,
        /// How much, over 0.
        amount: MicroCredits,
        /// A remark, at most [`limits::LEDGER_MEMO_BYTES_MAX`] bytes.
        memo: String,
    },
    /// Sets credits of the author's account aside for `to`.
    Hold {
        /// Position among what the account spends, from 0.
        sequence: u64,
        /// Who gets the credits when the hold is released.
        to: AuthorId,
        /// How much, over 0.
        amount: MicroCredits,
        /// Who else may release or refund.
        arbiter: Option<AuthorId>,
        /// Height from which the payer may refund alone; never without one.
        refundable_from: Option<u64>,
        /// A remark, at most [`limits::LEDGER_MEMO_BYTES_MAX`] bytes.
        memo: String,
    },
    /// Pays a hold out to its payee. By the payer or the arbiter.
    Release {
        /// The hold.
        hold: ItemId,
    },
    /// Pays a hold back to its payer. By the payee, the arbiter, or the payer once it may.
    Refund {
        /// The hold.
        hold: ItemId,
    },
    /// Announces the registration of a name without telling which.
    NameCommit {
        /// [`super::commitment`] of label, salt and author.
        commitment: ByteArray<32>,
    },
    /// Takes a free name that was committed to before.
    NameRegister {
        /// The name without `.dark`.
        label: Label,
        /// One more than the name's last version; 1 for a name that never was.
        version: u64,
        /// What the commitment was salted with.
        salt: ByteArray<32>,
        /// Where the owner can be reached, at most [`limits::NAME_ADDRESSES_MAX`].
        addresses: Vec<String>,
    },
    /// Replaces the addresses of an own name.
    NameUpdate {
        /// The name without `.dark`.
        label: Label,
        /// One more than the name's last version.
        version: u64,
        /// Where the owner can be reached, at most [`limits::NAME_ADDRESSES_MAX`].
        addresses: Vec<String>,
    },
    /// Prolongs an own name by a term from where it stands now.
    NameRenew {
        /// The name without `.dark`.
        label: Label,
        /// One more than the name's last version.
        version: u64,
    },
    /// Gives an own name away; its addresses are emptied.
    NameTransfer {
        /// The name without `.dark`.
        label: Label,
        /// One more than the name's last version.
        version: u64,
        /// The new owner.
        to: AuthorId,
    },
}

impl Operation {
    /// The keys it claims when `author` says it: of two operations with a common key at most one
    /// is decided.
    pub fn keys(&self, author: &AuthorId) -> Vec<ConflictKey> {
        vec![match self {
            Self::Transfer { sequence, .. } | Self::Hold { sequence, .. } => {
                ConflictKey::derive("account", &[author.as_bytes(), &sequence.to_be_bytes()])
            }
            Self::Release { hold } | Self::Refund { hold } => {
                let ItemId(vertex, place) = hold;
                ConflictKey::derive("hold", &[&vertex.0.0, &place.to_be_bytes()])
            }
            Self::NameCommit { commitment } => {
                ConflictKey::derive("name commitment", &[commitment.as_slice()])
            }
            Self::NameRegister { label, version, .. }
            | Self::NameUpdate { label, version, .. }
            | Self::NameRenew { label, version }
            | Self::NameTransfer { label, version, .. } => {
                ConflictKey::derive("name", &[label.as_str().as_bytes(), &version.to_be_bytes()])
            }
        }]
    }

    /// Checks what needs no history: amounts, texts, labels.
    ///
    /// # Errors
    /// [`Error::Amount`], [`Error::Oneself`], [`Error::Text`] or [`Error::Full`]; labels are
    /// checked when they are made.
    pub fn validate(&self, author: &AuthorId) -> Result<(), Error> {
        match self {
            Self::Transfer { to, amount, memo, .. } | Self::Hold { to, amount, memo, .. } => {
                if to == author {
                    return Err(Error::Oneself);
                }
                let max = MicroCredits(limits::LEDGER_MINTED_MAX);
                if *amount == MicroCredits::ZERO || *amount > max {
                    return Err(Error::Amount { amount: *amount, max });
                }
                text("memo", memo, limits::LEDGER_MEMO_BYTES_MAX)
            }
            Self::NameRegister { addresses, .. } | Self::NameUpdate { addresses, .. } => {
                let max = limits::NAME_ADDRESSES_MAX;
                if addresses.len() > max {
                    return Err(Error::Full { what: "addresses", held: addresses.len(), max });
                }
                let mut all = addresses.iter();
                all.try_for_each(|address| text("address", address, limits::ADDRESS_BYTES_MAX))
            }
            Self::Release { .. }
            | Self::Refund { .. }
            | Self::NameCommit { .. }
            | Self::NameRenew { .. }
            | Self::NameTransfer { .. } => Ok(()),
        }
    }
}

fn text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() <= bytes_max && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::Text { field, bytes_max })
}
