//! Credits and names of this node's owner: what it has, and what it states in the history.
//!
//! The owner says what it wants; the node adds what only it knows: the position of its account that
//! is free, with what is on its way already, the version of a name, and the salt of a commitment,
//! which is stored before the commitment is. What the ledger refuses is never written.

use std::collections::BTreeMap;

use serde_bytes::ByteArray;

use super::Node;
use super::finality::{no_committee, no_value};
use crate::clock::Now;
use crate::consensus;
use crate::dag::vote::ItemId;
use crate::dag::{Payload, VertexId, operation};
use crate::effect::Intention;
use crate::event::{HoldView, MovementPage, MovementView, NameView, Problem, Reveal, WalletView};
use crate::identity::AuthorId;
use crate::ledger::{self, Entry, Hold, Label, Operation, commitment};
use crate::limits;

/// Beginning of the names under which salts are stored.
const SALT_NAME: &str = "name-salt:";

/// What keeps the name of a commitment secret until it is revealed.
type Salt = (Label, [u8; 32]);

/// What the node keeps for its owner.
#[derive(Debug, Default)]
pub(super) struct Wallet {
    /// Salts of own commitments.
    salts: BTreeMap<Label, [u8; 32]>,
}

impl Wallet {
    /// Goes on with what was stored.
    pub(super) fn restore(meta: &[(String, Vec<u8>)]) -> Self {
        let salt = |(name, bytes): &(String, Vec<u8>)| {
            let label = Label::new(name.strip_prefix(SALT_NAME)?).ok()?;
            Some((label, <[u8; 32]>::try_from(bytes.as_slice()).ok()?))
        };
        Self { salts: meta.iter().filter_map(salt).collect() }
    }
}

impl Node {
    /// What an account has.
    pub(super) fn wallet_view(&self, account: Option<AuthorId>) -> Result<WalletView, Problem> {
        let engine = self.quorum()?;
        let account = account.unwrap_or(self.me);
        let (now, certified) = (engine.ledger(), engine.certified());
        let balance = |ledger: &ledger::State| {
            ledger.account(&account).map(|account| account.balance).unwrap_or_default()
        };
        let current = now.account(&account).copied().unwrap_or_default();
        let available =
            if account == self.me { balance(&self.expected_ledger()) } else { current.balance };
        Ok(WalletView {
            account,
            open: now.account(&account).is_some(),
            balance: current.balance,
            available: available.min(current.balance),
            certified: balance(certified),
            holds: now.holds_of(&account).filter(|(_, hold)| hold.from == account).count(),
            next_sequence: current.next_sequence,
            height: now.height(),
        })
    }

    /// Final operations that moved credits of an account.
    pub(super) fn movements(
        &self,
        account: Option<AuthorId>,
        from: u64,
        count_max: usize,
    ) -> Result<MovementPage, Problem> {
        self.quorum()?;
        let account = account.unwrap_or(self.me);
        let count_max = count_max.clamp(1, limits::FINALISED_PAGE_MAX);
        let mut page = MovementPage { movements: Vec::new(), next: None };
        for (number, item) in self.deciding.final_since(from) {
            let moved = self.movement(number, &item);
            let Some(moved) = moved.filter(|m| m.from == account || m.to == account) else {
                continue;
            };
            if page.movements.len() == count_max {
                page.next = Some(number);
                break;
            }
            page.movements.push(moved);
        }
        Ok(page)
    }

    fn movement(&self, number: u64, item: &ItemId) -> Option<MovementView> {
        let found = self.item(item)?;
        let (kind, from, to, amount, memo) = match found.operation.as_ref()? {
            Operation::Transfer { to, amount, memo, .. } => {
                ("transfer", found.author, *to, *amount, memo.clone())
            }
            Operation::Hold { to, amount, memo, .. } => {
                ("hold", found.author, *to, *amount, memo.clone())
            }
            Operation::Release { hold } => self.end_of(hold, "release")?,
            Operation::Refund { hold } => self.end_of(hold, "refund")?,
            _ => return None,
        };
        Some(MovementView { number, item: *item, kind, from, to, amount, memo })
    }

    fn end_of(
        &self,
        hold: &ItemId,
        kind: &'static str,
    ) -> Option<(&'static str, AuthorId, AuthorId, crate::units::MicroCredits, String)> {
        let found = self.item(hold)?;
        let Operation::Hold { to, amount, memo, .. } = found.operation.as_ref()? else {
            return None;
        };
        Some((kind, found.author, *to, *amount, memo.clone()))
    }

    /// Holds that have not ended, of an account as payer, payee or arbiter.
    pub(super) fn hold_views(&self, account: Option<AuthorId>) -> Result<Vec<HoldView>, Problem> {
        let ledger = self.quorum()?.ledger();
        let (account, height) = (account.unwrap_or(self.me), ledger.height());
        let view = |(item, hold): (&ItemId, &Hold)| HoldView { item: *item, hold: *hold, height };
        Ok(ledger.holds_of(&account).map(view).collect())
    }

    /// How a name stands.
    pub(super) fn name_view(&self, label: &str) -> Result<NameView, Problem> {
        self.check_ledger()?;
        let label = label_of(label)?;
        Ok(self.view_of_name(&label))
    }

    /// Names that have not expired.
    pub(super) fn name_views(&self, owner: Option<AuthorId>) -> Result<Vec<NameView>, Problem> {
        self.check_ledger()?;
        let names = self.deciding.engine.ledger().names();
        let of = names.filter(|(_, name)| owner.is_none_or(|owner| name.owner == owner));
        Ok(of.map(|(label, _)| self.view_of_name(label)).collect())
    }

    fn view_of_name(&self, label: &Label) -> NameView {
        let ledger = self.deciding.engine.ledger();
        let mut held = ledger.name(label).cloned();
        if let Some(name) = held.as_mut().filter(|_| self.deciding.engine.sampled().is_some()) {
            name.expires = 0;
        }
        let mine = held.as_ref().is_some_and(|name| name.owner == self.me);
        let (reveal, height) = (self.reveal(label), ledger.height());
        NameView { name: label.to_string(), held, mine, reveal, height }
    }

    /// How far the own registration of a name is.
    fn reveal(&self, label: &Label) -> Reveal {
        if let Some(sampled) = self.deciding.engine.sampled() {
            // Nobody commits to a name: it can be taken at once, if it can be.
            let free = sampled.names().name(label).is_none();
            return if free { Reveal::Ready } else { Reveal::None };
        }
        let Some(salt) = self.wallet.salts.get(label) else { return Reveal::None };
        let ledger = self.deciding.engine.ledger();
        let register = register(ledger, label, *salt, Vec::new());
        match ledger.check(&self.me, &register) {
            Ok(()) => Reveal::Ready,
            Err(ledger::Error::Commitment { .. }) => {
                let hash = commitment(label, salt, &self.me);
                let committed = self.expected_ledger().commitment(&hash).is_some();
                if committed { Reveal::Waiting } else { Reveal::None }
            }
            Err(_) => Reveal::None,
        }
    }

    /// The ledger once everything is final that this node has said, or is about to.
    fn expected_ledger(&self) -> ledger::State {
        let engine = &self.deciding.engine;
        // What is sampled is not built on before it is decided.
        let decided = || engine.ledger().clone();
        let mut ledger = engine.quorum().map_or_else(decided, consensus::State::expected);
        for (place, payload) in (0..).zip(self.writer.unwritten()) {
            let Payload::Ledger(operation) = payload else { continue };
            if ledger.check(&self.me, operation).is_ok() {
                let (author, operation) = (self.me, operation.clone());
                let id = ItemId(VertexId::of(&[]), place);
                let height = ledger.height();
                let _ = ledger.settle(Entry { id, author, operation }, height);
            }
        }
        ledger
    }

    /// Writes what the owner wants, if the ledger allows it.
    pub(super) fn operate(
        &mut self,
        command: u64,
        intention: Intention,
        now: Now,
    ) -> Result<(), Problem> {
        self.check_ledger()?;
        if self.deciding.engine.sampled().is_some() {
            let operation = self.sampled_operation(intention)?;
            return self.write_item(command, Payload::Ledger(operation), now);
        }
        if let Intention::CommitName { label } = &intention
            && let Ok(label) = Label::new(label)
            && self.reveal(&label) != Reveal::None
        {
            return Err(committed(&label));
        }
        let ledger = self.expected_ledger();
        let (operation, salt) = self.operation(intention, &ledger)?;
        ledger.check(&self.me, &operation).map_err(|error| not_allowed(&error))?;
        if let Some((label, salt)) = salt {
            self.writer.add_meta(&format!("{SALT_NAME}{}", label.as_str()), salt.to_vec());
            self.wallet.salts.insert(label, salt);
        }
        self.write_item(command, Payload::Ledger(operation), now)
    }

    /// The operation that an intention comes to here, and the salt to keep.
    fn operation(
        &mut self,
        intention: Intention,
        ledger: &ledger::State,
    ) -> Result<(Operation, Option<Salt>), Problem> {
        let version = |label: &Label| ledger.next_version(label);
        let operation = match intention {
            Intention::Pay { to, amount, memo } => {
                let account = ledger.account(&self.me).copied().unwrap_or_default();
                Operation::Transfer { sequence: account.next_sequence, to, amount, memo }
            }
            Intention::Hold { to, amount, arbiter, refundable_from, memo } => {
                let account = ledger.account(&self.me).copied().unwrap_or_default();
                let sequence = account.next_sequence;
                Operation::Hold { sequence, to, amount, arbiter, refundable_from, memo }
            }
            Intention::Release { hold } => Operation::Release { hold: self.find_item(&hold)? },
            Intention::Refund { hold } => Operation::Refund { hold: self.find_item(&hold)? },
            Intention::CommitName { label } => {
                let label = label_of(&label)?;
                if let Some(name) = ledger.name(&label) {
                    let taken = ledger::Error::NameTaken { expires: name.expires };
                    return Err(not_allowed(&taken));
                }
                let mut salt = [0; 32];
                self.rng.fill(&mut salt);
                let commitment = ByteArray::new(commitment(&label, &salt, &self.me));
                return Ok((Operation::NameCommit { commitment }, Some((label, salt))));
            }
            Intention::RegisterName { label, addresses } => {
                let label = label_of(&label)?;
                let salt = self.wallet.salts.get(&label).copied().unwrap_or_default();
                register(ledger, &label, salt, addresses)
            }
            Intention::UpdateName { label, addresses } => {
                let label = label_of(&label)?;
                Operation::NameUpdate { version: version(&label), label, addresses }
            }
            Intention::RenewName { label } => {
                let label = label_of(&label)?;
                Operation::NameRenew { version: version(&label), label }
            }
            Intention::TransferName { label, to } => {
                let label = label_of(&label)?;
                Operation::NameTransfer { version: version(&label), label, to }
            }
        };
        Ok((operation, None))
    }

    fn check_ledger(&self) -> Result<(), Problem> {
        self.deciding.engine.committee().map(|_| ()).ok_or_else(no_committee)
    }

    /// The engine of credits.
    fn quorum(&self) -> Result<&consensus::State, Problem> {
        self.check_ledger()?;
        self.deciding.engine.quorum().ok_or_else(no_value)
    }

    /// The change of a name that an intention comes to where decisions are sampled.
    fn sampled_operation(&self, intention: Intention) -> Result<Operation, Problem> {
        let (ledger, forever) = (self.deciding.engine.ledger(), ledger::Error::NameFree);
        let operation = match intention {
            Intention::Pay { .. }
            | Intention::Hold { .. }
            | Intention::Release { .. }
            | Intention::Refund { .. } => return Err(no_value()),
            Intention::CommitName { label } => {
                let label = label_of(&label)?;
                self.check_takes(&label)?;
                return Err(no_commitment(&label));
            }
            Intention::RenewName { label } => {
                let label = label_of(&label)?;
                let held = ledger.name(&label);
                return Err(held.map_or_else(|| not_allowed(&forever), |_| no_expiry(&label)));
            }
            Intention::RegisterName { label, addresses } => {
                let label = label_of(&label)?;
                self.check_takes(&label)?;
                let operation = register(ledger, &label, [0; 32], addresses);
                return operation
                    .validate()
                    .map(|()| operation)
                    .map_err(|e| not_allowed(&e.into()));
            }
            Intention::UpdateName { label, addresses } => {
                let label = label_of(&label)?;
                let version = ledger.next_version(&label);
                Operation::NameUpdate { version, label, addresses }
            }
            Intention::TransferName { label, to } => {
                let label = label_of(&label)?;
                let version = ledger.next_version(&label);
                Operation::NameTransfer { version, label, to }
            }
        };
        ledger.check(&self.me, &operation).map_err(|error| not_allowed(&error))?;
        self.check_settled(&operation)?;
        Ok(operation)
    }

    /// Whether a name can be registered where decisions are sampled: nobody has it or is about to.
    fn check_takes(&self, label: &Label) -> Result<(), Problem> {
        let ledger = self.deciding.engine.ledger();
        if ledger.name(label).is_some() {
            return Err(name_taken(label));
        }
        self.check_settled(&register(ledger, label, [0; 32], Vec::new()))
    }

    /// Whether nothing that would conflict with an operation waits for a decision.
    fn check_settled(&self, operation: &Operation) -> Result<(), Problem> {
        let sampled = self.deciding.engine.sampled();
        let mut keys = operation.keys(&self.me, &ItemId(VertexId::of(&[]), 0)).into_iter();
        let waits = keys.any(|key| sampled.is_some_and(|sampled| sampled.is_pending(&key)));
        if waits { Err(name_pending()) } else { Ok(()) }
    }
}

fn label_of(text: &str) -> Result<Label, Problem> {
    Label::new(text).map_err(|error| not_allowed(&error.into()))
}

fn register(
    ledger: &ledger::State,
    label: &Label,
    salt: [u8; 32],
    addresses: Vec<String>,
) -> Operation {
    let (label, version) = (label.clone(), ledger.next_version(label));
    Operation::NameRegister { label, version, salt: ByteArray::new(salt), addresses }
}

fn name_taken(label: &Label) -> Problem {
    Problem {
        code: "name-taken",
        message: format!("{label} is taken, and names do not expire in this network"),
        hint: "nothing was written; see who has it with `synaptic-mesh name resolve`".to_owned(),
    }
}

fn name_pending() -> Problem {
    Problem {
        code: "name-pending",
        message: "a change of this name waits for a decision".to_owned(),
        hint: "nothing was written; look again with `synaptic-mesh name resolve` in some seconds"
            .to_owned(),
    }
}

fn no_commitment(label: &Label) -> Problem {
    Problem {
        code: "sampling-no-commitment",
        message: format!(
            "{label} needs no commitment: this network decides by sampling, and has no order in \
             which one could be first"
        ),
        hint: "nothing was written; register the name at once".to_owned(),
    }
}

fn no_expiry(label: &Label) -> Problem {
    Problem {
        code: "sampling-no-expiry",
        message: format!("{label} does not expire: this network has no checkpoints to count by"),
        hint: "nothing was written, and nothing has to be".to_owned(),
    }
}

fn committed(label: &Label) -> Problem {
    Problem {
        code: "name-committed",
        message: format!("this node has committed to {label} already"),
        hint: "register it, as soon as the next checkpoint holds the commitment".to_owned(),
    }
}

fn not_allowed(error: &ledger::Error) -> Problem {
    let hint = match error {
        ledger::Error::Operation(operation::Error::Label { .. }) => {
            "choose another one, such as mesh.dark"
        }
        ledger::Error::Overdraft { .. } | ledger::Error::AccountUnknown { .. } => {
            "nothing was written; see what there is with `synaptic-mesh wallet balance`"
        }
        ledger::Error::NameTaken { .. } | ledger::Error::NameForeign { .. } => {
            "nothing was written; see who has it with `synaptic-mesh name resolve`"
        }
        _ => "nothing was written",
    };
    Problem { code: error.code(), message: error.to_string(), hint: hint.to_owned() }
}
