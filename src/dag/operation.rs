//! What an author can state about credits and names, as a payload of its vertex.
//!
//! An operation declares the conflict keys it claims: of several payments from one position of an
//! account, or several owners of one version of a name, finality decides one. The checks here are
//! local: bounds, texts, labels. Whether there is anything to spend, and what a decided operation
//! leads to, is for [`crate::ledger`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_bytes::ByteArray;

use super::vote::{ConflictKey, ItemId};
use crate::identity::AuthorId;
use crate::limits;
use crate::units::MicroCredits;

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
        /// [`crate::ledger::commitment`] of label, salt and author.
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

/// A name without its ending `.dark`: 3 to 63 of a-z, 0-9 and '-', as a host name has it (RFC 1123
/// section 2.1): no '-' at either end, and none in third and fourth place together (RFC 5891
/// section 4.2.3.1 keeps those for encoded names).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

/// Why something is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An amount outside its bounds.
    #[error("{amount} cannot be paid; an amount is from 0.000001 to {max}")]
    Amount {
        /// The amount.
        amount: MicroCredits,
        /// The most.
        max: MicroCredits,
    },
    /// A memo or address that is too long or holds control characters.
    #[error("the {field} is not a text of at most {bytes_max} bytes without control characters")]
    Text {
        /// The field.
        field: &'static str,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// More addresses than a name has.
    #[error("{count} addresses where a name has at most {max}")]
    Addresses {
        /// How many there were.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Not a label.
    #[error("{label:?} is no name: {reason}")]
    Label {
        /// What was given, shortened.
        label: String,
        /// What a label looks like.
        reason: &'static str,
    },
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Amount { .. } => "amount-invalid",
            Self::Text { .. } => "ledger-text",
            Self::Addresses { .. } => "name-addresses",
            Self::Label { .. } => "name-invalid",
        }
    }
}

impl Operation {
    /// The keys it claims when `author` says it as this item: of two operations with a common key
    /// at most one is decided. A commitment conflicts with nothing, and has a key of its own.
    pub fn keys(&self, author: &AuthorId, id: &ItemId) -> Vec<ConflictKey> {
        vec![match self {
            Self::Transfer { sequence, .. } | Self::Hold { sequence, .. } => {
                account_key(author, *sequence)
            }
            Self::Release { hold } | Self::Refund { hold } => hold_key(hold),
            Self::NameCommit { .. } => {
                let ItemId(vertex, place) = id;
                ConflictKey::derive("name commitment", &[&vertex.0.0, &place.to_be_bytes()])
            }
            Self::NameRegister { label, version, .. }
            | Self::NameUpdate { label, version, .. }
            | Self::NameRenew { label, version }
            | Self::NameTransfer { label, version, .. } => name_key(label, *version),
        }]
    }

    /// Checks what needs no history: amounts and texts; labels are checked when they are made.
    ///
    /// # Errors
    /// [`Error::Amount`], [`Error::Text`] or [`Error::Addresses`].
    pub fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Transfer { amount, memo, .. } | Self::Hold { amount, memo, .. } => {
                let max = MicroCredits(limits::LEDGER_MINTED_MAX);
                if *amount == MicroCredits::ZERO || *amount > max {
                    return Err(Error::Amount { amount: *amount, max });
                }
                text("memo", memo, limits::LEDGER_MEMO_BYTES_MAX)
            }
            Self::NameRegister { addresses, .. } | Self::NameUpdate { addresses, .. } => {
                let max = limits::NAME_ADDRESSES_MAX;
                if addresses.len() > max {
                    return Err(Error::Addresses { count: addresses.len(), max });
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

/// The key of what an account spends from one position.
pub fn account_key(author: &AuthorId, sequence: u64) -> ConflictKey {
    ConflictKey::derive("account", &[author.as_bytes(), &sequence.to_be_bytes()])
}

/// The key of the end of a hold.
pub fn hold_key(hold: &ItemId) -> ConflictKey {
    let ItemId(vertex, place) = hold;
    ConflictKey::derive("hold", &[&vertex.0.0, &place.to_be_bytes()])
}

/// The key of one version of a name.
pub fn name_key(label: &Label, version: u64) -> ConflictKey {
    ConflictKey::derive("name", &[label.as_str().as_bytes(), &version.to_be_bytes()])
}

fn text(field: &'static str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() <= bytes_max && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::Text { field, bytes_max })
}

#[cfg(test)]
mod tests;
