//! Balances and holds: every unit is in exactly one of them.

use serde::{Deserialize, Serialize};

use super::Error;
use super::trie::{Hash, Trie};
use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::limits;
use crate::units::MicroCredits;

/// The credits of one author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What it can spend.
    pub balance: MicroCredits,
    /// Position of what it spends next.
    pub next_sequence: u64,
}

/// Credits set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Whose they were.
    pub from: AuthorId,
    /// Whose they may become.
    pub to: AuthorId,
    /// How much.
    pub amount: MicroCredits,
    /// Who else may end it.
    pub arbiter: Option<AuthorId>,
    /// Height from which the payer may take them back.
    pub refundable_from: Option<u64>,
}

/// All credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Book {
    accounts: Trie<AuthorId, Account>,
    holds: Trie<ItemId, Hold>,
}

impl Book {
    pub(super) const fn new() -> Self {
        Self { accounts: Trie::new("account"), holds: Trie::new("hold") }
    }

    pub(super) fn of(accounts: Vec<(AuthorId, Account)>, holds: Vec<(ItemId, Hold)>) -> Self {
        Self { accounts: Trie::of("account", accounts), holds: Trie::of("hold", holds) }
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = (&AuthorId, &Account)> {
        self.accounts.iter()
    }

    pub(super) fn account(&self, author: &AuthorId) -> Option<&Account> {
        self.accounts.get(author)
    }

    pub(super) fn hold(&self, id: &ItemId) -> Option<&Hold> {
        self.holds.get(id)
    }

    pub(super) fn holds(&self) -> impl Iterator<Item = (&ItemId, &Hold)> {
        self.holds.iter()
    }

    /// Accounts and holds as the bytes that are hashed.
    pub(super) fn records(&self) -> impl Iterator<Item = Vec<u8>> {
        let accounts = self.accounts.iter().map(|(key, value)| self.accounts.record(key, value));
        accounts.chain(self.holds.iter().map(|(key, value)| self.holds.record(key, value)))
    }

    /// The hashes that commit to accounts and to holds.
    pub(super) fn roots(&self) -> [Hash; 2] {
        [self.accounts.root(), self.holds.root()]
    }

    /// Credits in balances and holds.
    pub(super) fn total(&self) -> u128 {
        let balances = self.accounts.iter().map(|(_, account)| account.balance);
        let held = self.holds.iter().map(|(_, hold)| hold.amount);
        balances.chain(held).map(|amount| u128::from(amount.0)).sum()
    }

    /// Whether an author may spend an amount at a position now.
    pub(super) fn check_spend(
        &self,
        author: &AuthorId,
        sequence: u64,
        amount: MicroCredits,
    ) -> Result<(), Error> {
        let Some(account) = self.accounts.get(author) else {
            return Err(Error::AccountUnknown { account: *author });
        };
        if sequence != account.next_sequence {
            return Err(Error::Sequence { found: sequence, next: account.next_sequence });
        }
        if account.balance < amount {
            return Err(Error::Overdraft { balance: account.balance, amount });
        }
        Ok(())
    }

    /// Whether an account may be opened for a payee that has none.
    pub(super) fn check_payee(&self, to: &AuthorId) -> Result<(), Error> {
        let (held, max) = (self.accounts.len(), limits::LEDGER_ACCOUNTS_MAX);
        if held < max || self.accounts.get(to).is_some() {
            return Ok(());
        }
        Err(Error::Full { what: "accounts", held, max })
    }

    /// Whether one more hold may be made.
    pub(super) fn check_hold(&self) -> Result<(), Error> {
        let (held, max) = (self.holds.len(), limits::LEDGER_HOLDS_MAX);
        if held < max { Ok(()) } else { Err(Error::Full { what: "holds", held, max }) }
    }

    /// Takes an amount that [`Book::check_spend`] allowed.
    pub(super) fn spend(&mut self, author: &AuthorId, amount: MicroCredits) {
        if let Some(mut account) = self.accounts.get(author).copied() {
            let left = account.balance.checked_sub(amount);
            account.balance = left.expect("a spend is checked against the balance before");
            account.next_sequence += 1;
            self.accounts.insert(*author, account);
        }
    }

    pub(super) fn credit(&mut self, to: AuthorId, amount: MicroCredits) {
        let mut account = self.accounts.get(&to).copied().unwrap_or_default();
        let sum = account.balance.checked_add(amount);
        account.balance = sum.expect("all credits together fit 63 bits, see LEDGER_MINTED_MAX");
        self.accounts.insert(to, account);
    }

    pub(super) fn open_hold(&mut self, id: ItemId, hold: Hold) {
        self.holds.insert(id, hold);
    }

    /// Ends a hold; gives what was in it.
    pub(super) fn close_hold(&mut self, id: &ItemId) -> Option<Hold> {
        self.holds.remove(id)
    }
}
