//! Why an operation may not be voted for.

use crate::dag::operation;
use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::units::MicroCredits;

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No operation at all.
    #[error(transparent)]
    Operation(#[from] operation::Error),
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
    /// Paying oneself.
    #[error("payer and payee are the same account")]
    Oneself,
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
    /// Whether the same operation may become possible by nothing but the height of checkpoints.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::NameTaken { .. }
                | Self::Commitment { .. }
                | Self::HoldForbidden { .. }
                | Self::Full { .. }
        )
    }

    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Operation(error) => error.code(),
            Self::AccountUnknown { .. } => "account-unknown",
            Self::Overdraft { .. } => "overdraft",
            Self::Sequence { .. } => "account-sequence",
            Self::Oneself => "payment-to-oneself",
            Self::HoldUnknown { .. } => "hold-unknown",
            Self::HoldForbidden { .. } => "hold-forbidden",
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
