//! Why an operation may not be voted for.

use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::units::MicroCredits;

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The account was never credited.
    #[error("{account} has no account here; somebody has to pay it first")]
    AccountUnknown {
        /// The author whose account it would be.
        account: AuthorId,
    },
    /// More than there is.
    #[error("the account holds {balance}, which does not cover {amount}")]
    Overdraft {
        /// What the account holds.
        balance: MicroCredits,
        /// What was to be spent.
        amount: MicroCredits,
    },
    /// Not the account's next position.
    #[error("the account's next position is {next}, not {found}; read it again and sign anew")]
    Sequence {
        /// The position of the operation.
        found: u64,
        /// The position that is free.
        next: u64,
    },
    /// An amount outside its bounds.
    #[error("{amount} cannot be paid; an amount is from 0.000001 to {max}")]
    Amount {
        /// The amount.
        amount: MicroCredits,
        /// The most.
        max: MicroCredits,
    },
    /// Paying oneself.
    #[error("payer and payee are the same account")]
    Oneself,
    /// A memo or address that is too long or holds control characters.
    #[error("the {field} is not a text of at most {bytes_max} bytes without control characters")]
    Text {
        /// The field.
        field: &'static str,
        /// Bytes allowed.
        bytes_max: usize,
    },
    /// No such hold, or it has ended.
    #[error("hold {hold} is not open; it was never made, or was released or refunded")]
    HoldUnknown {
        /// The hold.
        hold: ItemId,
    },
    /// The author has no say in this hold now.
    #[error("the author may not end this hold so: {reason}")]
    HoldForbidden {
        /// Who may, and when.
        reason: &'static str,
    },
    /// Not a label.
    #[error("{label:?} is no name: {reason}")]
    Label {
        /// What was given, shortened.
        label: String,
        /// What a label looks like.
        reason: &'static str,
    },
    /// Another version of the name is current.
    #[error("the next version of this name is {next}, not {found}; read it again and sign anew")]
    Version {
        /// The version of the operation.
        found: u64,
        /// The version that is free.
        next: u64,
    },
    /// Somebody has the name.
    #[error("the name is taken until height {expires}")]
    NameTaken {
        /// The height at which it expires.
        expires: u64,
    },
    /// Nobody has the name, or it has expired.
    #[error("nobody has this name now; register it")]
    NameFree,
    /// The name belongs to somebody else.
    #[error("the name belongs to {owner}")]
    NameForeign {
        /// The owner.
        owner: AuthorId,
    },
    /// The registration reveals no commitment that is old enough and not too old.
    #[error("no commitment to this name from height {from} to {to}: {reason}")]
    Commitment {
        /// The earliest height that would do.
        from: u64,
        /// The latest height that would do.
        to: u64,
        /// What to do.
        reason: &'static str,
    },
    /// A bound of the ledger is reached.
    #[error("the ledger holds {held} {what} already, at most {max}")]
    Full {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        held: usize,
        /// How many there may be.
        max: usize,
    },
    /// The genesis mints more than the ledger counts.
    #[error("the genesis mints more than {max}")]
    Minted {
        /// The most.
        max: MicroCredits,
    },
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::AccountUnknown { .. } => "account-unknown",
            Self::Overdraft { .. } => "overdraft",
            Self::Sequence { .. } => "account-sequence",
            Self::Amount { .. } => "amount-invalid",
            Self::Oneself => "payment-to-oneself",
            Self::Text { .. } => "ledger-text",
            Self::HoldUnknown { .. } => "hold-unknown",
            Self::HoldForbidden { .. } => "hold-forbidden",
            Self::Label { .. } => "name-invalid",
            Self::Version { .. } => "name-version",
            Self::NameTaken { .. } => "name-taken",
            Self::NameFree => "name-free",
            Self::NameForeign { .. } => "name-foreign",
            Self::Commitment { .. } => "name-commitment",
            Self::Full { .. } => "ledger-full",
            Self::Minted { .. } => "genesis-invalid",
        }
    }
}
