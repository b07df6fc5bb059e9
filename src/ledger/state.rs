//! The fold over decided operations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::account::Book;
use super::name::Names;
use super::{Error, Label, Name, Operation};
use crate::crypto::hash::Digest;
use crate::dag::operation::{account_key, hold_key, name_key};
use crate::dag::vote::{ConflictKey, ItemId};
use crate::identity::AuthorId;
use crate::limits;
use crate::units::MicroCredits;

pub use super::account::{Account, Hold};

/// Domain of the root of the state.
const ROOT_DOMAIN: &str = "synaptic-mesh 2026 ledger root v1";

/// An operation in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it stands.
    pub id: ItemId,
    /// Who signed it.
    pub author: AuthorId,
    /// What it says.
    pub operation: Operation,
}

/// What a ledger begins with; the only source of credits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Genesis {
    /// First balances.
    pub balances: BTreeMap<AuthorId, MicroCredits>,
}

/// What became of a decided operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It took effect, and others with it.
    Applied {
        /// It and those that waited for it, in this order.
        items: Vec<ItemId>,
        /// Keys of operations that may have become possible.
        opened: Vec<ConflictKey>,
    },
    /// It builds on something that is not settled here yet, and waits.
    Waiting,
    /// It has no effect: its place was taken before.
    Void,
}

/// Accounts, holds and names after everything that was settled. A copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    book: Book,
    names: Names,
    minted: u64,
    height: u64,
    waiting: BTreeMap<Place, Vec<(Entry, u64)>>,
}

/// Everything that a state is made of, for who goes on from it. What it is worth says
/// [`State::root`] of the state that it makes; operations that wait are in no root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    height: u64,
    minted: u64,
    accounts: Vec<(AuthorId, Account)>,
    holds: Vec<(ItemId, Hold)>,
    names: Vec<(Label, Name)>,
    commitments: Vec<(ByteArray<32>, u64)>,
    waiting: Vec<(Entry, u64)>,
}

/// What a decided operation waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// An account to come to a position and to hold enough.
    Account(AuthorId, u64),
    Hold(ItemId),
    /// A name to come to the version before.
    Name(Label, u64),
}

impl Place {
    /// The conflict key of what waits there.
    fn key(&self) -> ConflictKey {
        match self {
            Self::Account(author, sequence) => account_key(author, *sequence),
            Self::Hold(hold) => hold_key(hold),
            Self::Name(label, version) => name_key(label, *version),
        }
    }
}

/// How an operation stands to what is settled.
enum Standing {
    Ready,
    Early(Place),
    Late,
}

impl State {
    /// The ledger as it begins, at height 0.
    ///
    /// # Errors
    /// [`Error::Minted`] when the balances add up to more than [`limits::LEDGER_MINTED_MAX`],
    /// [`Error::Full`] for more than [`limits::LEDGER_ACCOUNTS_MAX`] accounts.
    pub fn new(genesis: &Genesis) -> Result<Self, Error> {
        let (held, max) = (genesis.balances.len(), limits::LEDGER_ACCOUNTS_MAX);
        if held > max {
            return Err(Error::Full { what: "accounts", held, max });
        }
        let total: u128 = genesis.balances.values().map(|amount| u128::from(amount.0)).sum();
        let minted = u64::try_from(total).ok().filter(|sum| *sum <= limits::LEDGER_MINTED_MAX);
        let minted =
            minted.ok_or(Error::Minted { max: MicroCredits(limits::LEDGER_MINTED_MAX) })?;
        let mut book = Book::new();
        for (author, amount) in &genesis.balances {
            book.credit(*author, *amount);
        }
        Ok(Self { book, names: Names::new(), minted, height: 0, waiting: BTreeMap::new() })
    }

    /// The state that these are of; `None` if their credits are not what they say was minted.
    pub fn of(records: Records) -> Option<Self> {
        let Records { height, minted, accounts, holds, names, commitments, waiting } = records;
        let (book, names) = (Book::of(accounts, holds), Names::of(names, commitments));
        let mut state = Self { book, names, minted, height, waiting: BTreeMap::new() };
        for (entry, since) in waiting {
            if let Standing::Early(place) = state.standing(&entry.author, &entry.operation) {
                state.waiting.entry(place).or_default().push((entry, since));
            }
        }
        (state.total() == u128::from(minted)).then_some(state)
    }

    /// Everything that it is made of. Equal states give equal records.
    pub fn to_records(&self) -> Records {
        let (book, names) = (&self.book, &self.names);
        Records {
            height: self.height,
            minted: self.minted,
            accounts: book.accounts().map(|(author, account)| (*author, *account)).collect(),
            holds: book.holds().map(|(id, hold)| (*id, *hold)).collect(),
            names: names.iter().map(|(label, name)| (label.clone(), name.clone())).collect(),
            commitments: names.commitments().map(|(hash, made)| (*hash, *made)).collect(),
            waiting: self.waiting.values().flatten().cloned().collect(),
        }
    }

    /// Whether what an operation claims was taken before, by it or another one: a position of an
    /// account, or a version of a name. It never takes effect from now on.
    pub fn is_late(&self, author: &AuthorId, operation: &Operation) -> bool {
        matches!(self.standing(author, operation), Standing::Late)
    }

    /// Whether a voter may vote for an operation of an author: local rules, and what is settled
    /// here.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub fn check(&self, author: &AuthorId, operation: &Operation) -> Result<(), Error> {
        operation.validate()?;
        match operation {
            Operation::Transfer { to, .. } | Operation::Hold { to, .. } if to == author => {
                Err(Error::Oneself)
            }
            Operation::Transfer { sequence, to, amount, .. } => {
                self.book.check_spend(author, *sequence, *amount)?;
                self.book.check_payee(to)
            }
            Operation::Hold { sequence, to, amount, .. } => {
                self.book.check_spend(author, *sequence, *amount)?;
                self.book.check_hold()?;
                self.book.check_payee(to)
            }
            Operation::Release { hold } => self.check_exit(author, hold, false),
            Operation::Refund { hold } => self.check_exit(author, hold, true),
            Operation::NameCommit { commitment } => self.names.check_commitment(commitment),
            Operation::NameRegister { label, version, salt, .. } => {
                self.check_version(label, *version)?;
                self.names.check_register(label, salt, author, self.height)
            }
            Operation::NameUpdate { label, version, .. }
            | Operation::NameRenew { label, version }
            | Operation::NameTransfer { label, version, .. } => {
                self.check_version(label, *version)?;
                self.names.check_owner(label, author, self.height)
            }
        }
    }

    /// Takes a decided operation, under the height of the last checkpoint that does not cover it.
    ///
    /// A decided operation was found valid by a quorum; it is not judged again. It waits when what
    /// it builds on is not settled here yet.
    ///
    /// # Errors
    /// [`Error::Full`] when [`limits::LEDGER_WAITING_MAX`] wait already; nothing has changed then,
    /// and the same operation can be settled later.
    pub fn settle(&mut self, entry: Entry, height: u64) -> Result<Settled, Error> {
        match self.standing(&entry.author, &entry.operation) {
            Standing::Late => return Ok(Settled::Void),
            Standing::Early(place) => {
                self.wait(place, entry, height)?;
                return Ok(Settled::Waiting);
            }
            Standing::Ready => {}
        }
        let (mut items, mut opened) = (Vec::new(), Vec::new());
        let mut ready = vec![(entry, height)];
        while let Some((entry, height)) = ready.pop() {
            match self.standing(&entry.author, &entry.operation) {
                Standing::Ready => {}
                Standing::Early(place) => {
                    self.waiting.entry(place).or_default().push((entry, height));
                    continue;
                }
                Standing::Late => continue,
            }
            items.push(entry.id);
            for place in self.apply(&entry, height) {
                opened.push(place.key());
                ready.extend(self.waiting.remove(&place).into_iter().flatten());
            }
        }
        debug_assert_eq!(self.book.total(), u128::from(self.minted), "credits are conserved");
        Ok(Settled::Applied { items, opened })
    }

    /// Moves on to the height of a new checkpoint; lower ones change nothing.
    pub fn advance(&mut self, height: u64) {
        self.height = self.height.max(height);
        self.names.forget_old(self.height);
    }

    /// The height it stands at.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// An author's account, if it was ever credited.
    pub fn account(&self, author: &AuthorId) -> Option<&Account> {
        self.book.account(author)
    }

    /// An open hold.
    pub fn hold(&self, id: &ItemId) -> Option<&Hold> {
        self.book.hold(id)
    }

    /// Open holds of which the author is payer, payee or arbiter.
    pub fn holds_of(&self, author: &AuthorId) -> impl Iterator<Item = (&ItemId, &Hold)> {
        let of = |hold: &Hold| {
            hold.from == *author || hold.to == *author || hold.arbiter == Some(*author)
        };
        self.book.holds().filter(move |(_, hold)| of(hold))
    }

    /// A name that has not expired.
    pub fn name(&self, label: &Label) -> Option<&Name> {
        self.names.get(label).filter(|name| name.expires > self.height)
    }

    /// The height at which this commitment to a name was decided, if it may still be revealed.
    pub fn commitment(&self, hash: &[u8; 32]) -> Option<u64> {
        self.names.commitment(hash)
    }

    /// The version that the next change of a name has.
    pub fn next_version(&self, label: &Label) -> u64 {
        self.names.next_version(label)
    }

    /// Names that have not expired, in order.
    pub fn names(&self) -> impl Iterator<Item = (&Label, &Name)> {
        let here = self.names.iter().filter(|(_, name)| name.expires > self.height);
        let mut names: Vec<(&Label, &Name)> = here.collect();
        names.sort_unstable_by_key(|(label, _)| *label);
        names.into_iter()
    }

    /// Credits minted in the genesis.
    pub fn minted(&self) -> MicroCredits {
        MicroCredits(self.minted)
    }

    /// Credits in all balances and holds: always [`State::minted`].
    pub fn total(&self) -> u128 {
        self.book.total()
    }

    /// Number of decided operations that wait for something.
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    /// The settled state as canonical DAG-CBOR records `[kind, key, value]`, in one order. Equal
    /// states give equal records.
    pub fn records(&self) -> impl Iterator<Item = Vec<u8>> {
        self.book.records().chain(self.names.records())
    }

    /// The hash that commits to all records: the state root of a checkpoint. Costs a few hashes
    /// for each record that changed since it was last taken of this state or one before it.
    pub fn root(&self) -> [u8; 32] {
        let roots = [self.book.roots(), self.names.roots()].concat().concat();
        Digest::derive(ROOT_DOMAIN, &[&roots]).0
    }

    fn check_version(&self, label: &Label, found: u64) -> Result<(), Error> {
        let next = self.names.next_version(label);
        if found == next { Ok(()) } else { Err(Error::Version { found, next }) }
    }

    fn check_exit(&self, author: &AuthorId, id: &ItemId, refund: bool) -> Result<(), Error> {
        let hold = self.book.hold(id).ok_or(Error::HoldUnknown { hold: *id })?;
        let arbiter = hold.arbiter == Some(*author);
        let due = hold.refundable_from.is_some_and(|height| height <= self.height);
        let (allowed, reason) = if refund {
            let allowed = *author == hold.to || (*author == hold.from && due);
            (allowed, "the payee and the arbiter may refund, the payer once the hold is due")
        } else {
            (*author == hold.from, "the payer and the arbiter may release")
        };
        if allowed || arbiter { Ok(()) } else { Err(Error::HoldForbidden { reason }) }
    }

    /// Whether a decided operation can take effect now.
    fn standing(&self, author: &AuthorId, operation: &Operation) -> Standing {
        match operation {
            Operation::Transfer { sequence, amount, .. }
            | Operation::Hold { sequence, amount, .. } => {
                let account = self.book.account(author).copied().unwrap_or_default();
                if *sequence < account.next_sequence {
                    Standing::Late
                } else if *sequence > account.next_sequence || account.balance < *amount {
                    Standing::Early(Place::Account(*author, *sequence))
                } else {
                    Standing::Ready
                }
            }
            Operation::Release { hold } | Operation::Refund { hold } => {
                // A hold that has ended waits for ever, which is why it is bounded: at most one
                // exit is decided per hold, so it does not come to that.
                match self.book.hold(hold) {
                    Some(_) => Standing::Ready,
                    None => Standing::Early(Place::Hold(*hold)),
                }
            }
            Operation::NameCommit { .. } => Standing::Ready,
            Operation::NameRegister { label, version, .. }
            | Operation::NameUpdate { label, version, .. }
            | Operation::NameRenew { label, version }
            | Operation::NameTransfer { label, version, .. } => {
                let next = self.names.next_version(label);
                match version.cmp(&next) {
                    std::cmp::Ordering::Less => Standing::Late,
                    std::cmp::Ordering::Equal => Standing::Ready,
                    std::cmp::Ordering::Greater => {
                        Standing::Early(Place::Name(label.clone(), *version))
                    }
                }
            }
        }
    }

    fn wait(&mut self, place: Place, entry: Entry, height: u64) -> Result<(), Error> {
        let (held, max) = (self.waiting(), limits::LEDGER_WAITING_MAX);
        let queue = self.waiting.entry(place).or_default();
        if queue.iter().any(|(known, _)| known.id == entry.id) {
            return Ok(());
        }
        if held >= max {
            return Err(Error::Full { what: "waiting operations", held, max });
        }
        queue.push((entry, height));
        Ok(())
    }

    /// Carries out an operation that is ready; gives the places where others may have waited.
    fn apply(&mut self, entry: &Entry, height: u64) -> Vec<Place> {
        let author = entry.author;
        match &entry.operation {
            Operation::Transfer { to, amount, .. } => {
                self.book.spend(&author, *amount);
                self.book.credit(*to, *amount);
                vec![self.account_place(&author), self.account_place(to)]
            }
            Operation::Hold { to, amount, arbiter, refundable_from, .. } => {
                self.book.spend(&author, *amount);
                let (arbiter, refundable_from) = (*arbiter, *refundable_from);
                let hold =
                    Hold { from: author, to: *to, amount: *amount, arbiter, refundable_from };
                self.book.open_hold(entry.id, hold);
                vec![self.account_place(&author), Place::Hold(entry.id)]
            }
            Operation::Release { hold } => self.end_hold(hold, |hold| hold.to),
            Operation::Refund { hold } => self.end_hold(hold, |hold| hold.from),
            Operation::NameCommit { commitment } => {
                self.names.commit(commitment, height);
                Vec::new()
            }
            Operation::NameRegister { label, salt, addresses, .. } => {
                self.names.register(label, salt, author, addresses, height);
                vec![self.name_place(label)]
            }
            Operation::NameUpdate { label, addresses, .. } => {
                self.names.change(label, |name| name.addresses.clone_from(addresses));
                vec![self.name_place(label)]
            }
            Operation::NameRenew { label, .. } => {
                let term = limits::NAME_TERM_HEIGHTS;
                self.names.change(label, |name| name.expires = name.expires.saturating_add(term));
                vec![self.name_place(label)]
            }
            Operation::NameTransfer { label, to, .. } => {
                self.names.change(label, |name| {
                    name.owner = *to;
                    name.addresses.clear();
                });
                vec![self.name_place(label)]
            }
        }
    }

    fn end_hold(&mut self, id: &ItemId, payee: impl FnOnce(&Hold) -> AuthorId) -> Vec<Place> {
        let Some(hold) = self.book.close_hold(id) else { return Vec::new() };
        let to = payee(&hold);
        self.book.credit(to, hold.amount);
        vec![self.account_place(&to)]
    }

    /// Where the next payment of an account waits.
    fn account_place(&self, author: &AuthorId) -> Place {
        let next = self.book.account(author).map_or(0, |account| account.next_sequence);
        Place::Account(*author, next)
    }

    /// Where the next change of a name waits.
    fn name_place(&self, label: &Label) -> Place {
        Place::Name(label.clone(), self.names.next_version(label))
    }
}
