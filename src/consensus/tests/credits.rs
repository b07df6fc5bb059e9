//! Wallets that pay, cheat and take names, on the engine's random networks.

use std::collections::BTreeMap;

use serde_bytes::ByteArray;

use super::network::{NETWORK, Network, Setup, author, committee, minted, wallet};
use super::rules::mixed;
use super::{quiet, random};
use crate::clock::Now;
use crate::consensus::state::Mutant;
use crate::consensus::{Config, Finality, Input, State};
use crate::dag::operation::account_key;
use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::ledger::{Label, Operation, commitment};
use crate::limits;
use crate::rng::Rng;
use crate::units::MicroCredits;

/// Random economies of one test (count); `SCENARIOS` makes it longer.
const ECONOMIES: u64 = 300;
const WALLETS: usize = 5;
const LABELS: [&str; 3] = ["mesh", "node", "dark"];
/// The last time anything happens, milliseconds.
const END_MS: u64 = 3_600_000;

fn pay(sequence: u64, to: usize, amount: u64) -> Operation {
    let (to, amount) = (wallet(to), MicroCredits(amount));
    Operation::Transfer { sequence, to, amount, memo: String::new() }
}

fn salt(by: usize, label: &str) -> [u8; 32] {
    crate::crypto::hash::Digest::of(format!("{by} {label}").as_bytes()).0
}

/// What wallets do at random, each by what it knows from one honest member.
pub(super) struct Economy {
    pub(super) network: Network,
    rng: Rng,
    written: Vec<(ItemId, AuthorId, Operation)>,
}

impl Economy {
    fn new(setup: Setup, seed: u64) -> Self {
        let setup = Setup { wallets: vec![1_000; WALLETS], ..setup };
        let network = Network::new(setup, seed);
        Self { network, rng: Rng::from_u64_stream(seed, 4), written: Vec::new() }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(u32::try_from(bound).unwrap())).unwrap()
    }

    fn write(&mut self, by: usize, operation: &Operation) {
        let first = self.below(self.network.engines.len());
        let id = self.network.operate(by, operation.clone(), Some(first));
        self.written.push((id, wallet(by), operation.clone()));
    }

    /// One wallet does one thing, honest or not.
    fn act(&mut self) {
        let honest = self.network.honest();
        let eye = honest[self.below(honest.len())];
        let (by, to) = (self.below(WALLETS), self.below(WALLETS));
        let account = self.network.engines[eye].ledger().account(&wallet(by)).copied();
        let account = account.unwrap_or_default();
        let (next, balance) = (account.next_sequence, account.balance.0);
        let some = 1 + u64::from(self.rng.below(400));
        match self.rng.below(8) {
            0 => self.write(by, &pay(next, to, some)),
            1 => self.write(by, &pay(next, to, balance + some)),
            2 => {
                self.write(by, &pay(next, to, some.min(balance)));
                self.write(by, &pay(next, (to + 1) % WALLETS, some));
            }
            // The later one first.
            3 => {
                self.write(by, &pay(next + 1, to, some));
                self.write(by, &pay(next, to, some));
            }
            4 => self.hold(by, to, next, some),
            5 => self.end_hold(by, eye),
            _ => self.name(by, to, eye),
        }
    }

    fn hold(&mut self, by: usize, to: usize, sequence: u64, some: u64) {
        let arbiter = some.is_multiple_of(2).then(|| wallet((by + 1) % WALLETS));
        let (to, amount) = (wallet(to), MicroCredits(some));
        let refundable_from = some.is_multiple_of(3).then_some(some / 20);
        let memo = String::new();
        self.write(by, &Operation::Hold { sequence, to, amount, arbiter, refundable_from, memo });
    }

    /// Ends a hold, often by somebody who may not.
    fn end_hold(&mut self, by: usize, eye: usize) {
        let ledger = self.network.engines[eye].ledger();
        let holds: Vec<ItemId> = ledger.holds_of(&wallet(by)).map(|(id, _)| *id).collect();
        let Some(hold) = holds.first().copied() else { return };
        if self.below(2) == 0 {
            self.write(by, &Operation::Release { hold });
        } else {
            self.write(by, &Operation::Refund { hold });
        }
    }

    fn name(&mut self, by: usize, to: usize, eye: usize) {
        let text = LABELS[self.below(LABELS.len())];
        let label = Label::new(text).unwrap();
        let version = self.network.engines[eye].ledger().next_version(&label);
        let salt = salt(by, text);
        let addresses = Vec::new();
        match self.rng.below(5) {
            0 | 1 => {
                let commitment = ByteArray::new(commitment(&label, &salt, &wallet(by)));
                self.write(by, &Operation::NameCommit { commitment });
            }
            2 | 3 => {
                let salt = ByteArray::new(salt);
                self.write(by, &Operation::NameRegister { label, version, salt, addresses });
            }
            _ => self.write(by, &Operation::NameTransfer { label, version, to: wallet(to) }),
        }
    }
}

pub(super) fn economy(setup: Setup, seed: u64) -> Economy {
    let mut economy = Economy::new(setup, seed);
    for step in 0..20 {
        economy.act();
        if step == 10 {
            economy.network.submit_next();
        }
        let until_ms = economy.network.now_ms + u64::from(economy.rng.below(400));
        economy.network.run(until_ms);
    }
    economy.network.run(END_MS);
    economy
}

/// A plain second account of what decided operations amount to, in no order.
fn audit(economy: &Economy, state: &State) -> Result<(), String> {
    let mut balances: BTreeMap<AuthorId, i128> =
        (0..WALLETS).map(|number| (wallet(number), 1_000)).collect();
    let mut spent: BTreeMap<AuthorId, Vec<u64>> = BTreeMap::new();
    let mut holds = BTreeMap::new();
    let decided = |(id, by, operation): &&(ItemId, AuthorId, Operation)| {
        operation.keys(by, id).iter().all(|key| state.decided(key) == Some(*id))
    };
    let decided: Vec<_> = economy.written.iter().filter(decided).collect();
    for (id, by, operation) in &decided {
        if let Operation::Hold { sequence, to, amount, .. } = operation {
            holds.insert(*id, (*by, *to, i128::from(amount.0)));
            spent.entry(*by).or_default().push(*sequence);
            *balances.entry(*by).or_default() -= i128::from(amount.0);
        }
    }
    for (_, by, operation) in &decided {
        match operation {
            Operation::Transfer { sequence, to, amount, .. } => {
                spent.entry(*by).or_default().push(*sequence);
                *balances.entry(*by).or_default() -= i128::from(amount.0);
                *balances.entry(*to).or_default() += i128::from(amount.0);
            }
            Operation::Release { hold } => {
                let (_, to, amount) = holds.remove(hold).ok_or("released twice")?;
                *balances.entry(to).or_default() += amount;
            }
            Operation::Refund { hold } => {
                let (from, _, amount) = holds.remove(hold).ok_or("refunded twice")?;
                *balances.entry(from).or_default() += amount;
            }
            _ => {}
        }
    }
    let held: i128 = holds.values().map(|(_, _, amount)| amount).sum();
    let total: i128 = balances.values().sum::<i128>() + held;
    if total != i128::from(state.ledger().minted().0)
        || balances.values().any(|balance| *balance < 0)
    {
        return Err(format!("credits came or went: {balances:?} and {holds:?}"));
    }
    for (author, balance) in balances {
        let account = state.ledger().account(&author).copied().unwrap_or_default();
        let mut positions = spent.remove(&author).unwrap_or_default();
        positions.sort_unstable();
        if i128::from(account.balance.0) != balance
            || !positions.iter().copied().eq(0..account.next_sequence)
        {
            return Err(format!("{author} has {account:?}, not {balance} after {positions:?}"));
        }
    }
    Ok(())
}

/// What is wrong with the ledger of one honest member when everything has come to rest.
fn wrong(economy: &Economy, place: usize) -> Result<(), String> {
    let state = &economy.network.engines[place];
    let ledger = state.ledger();
    if ledger.total() != u128::from(ledger.minted().0) {
        return Err("credits came or went".to_owned());
    }
    if ledger.waiting() > 0 || ledger != state.certified() {
        return Err(format!("decisions without effect: {}", ledger.waiting()));
    }
    // Nobody is held up, and nothing that cannot be done is waited for.
    let now = Now { mono_ms: economy.network.now_ms + 60_000, unix_ms: 0 };
    if state.pending() > 0 || state.finality(now, |_| false) != Finality::Quorum {
        return Err(format!("{} keys wait", state.pending()));
    }
    for (id, by, operation) in &economy.written {
        let open = operation.keys(by, id).iter().all(|key| state.decided(key).is_none());
        if open && ledger.check(by, operation).is_ok() {
            return Err(format!("{id} is possible and was forgotten: {operation:?}"));
        }
    }
    audit(economy, state)
}

/// The first thing that is wrong in a run.
fn verdict(economy: &Economy) -> Result<usize, String> {
    let network = &economy.network;
    if let Some(violation) = network.violations.first() {
        return Err(violation.clone());
    }
    let honest = network.honest();
    let first = &network.engines[honest[0]];
    for place in &honest {
        wrong(economy, *place).map_err(|wrong| format!("member {place}: {wrong}"))?;
        if network.engines[*place].checkpoints().ne(first.checkpoints()) {
            return Err(format!("member {place} has other checkpoints"));
        }
    }
    Ok(first.decisions().len())
}

/// As [`random`], and Byzantine members may forge cuts.
pub(super) fn cunning(seed: u64) -> Setup {
    let setup = random(seed, 0);
    let forges = if seed.is_multiple_of(2) { 0 } else { 8 };
    Setup { schemes: setup.schemes | forges, ..setup }
}

#[test]
fn credits_and_names_are_the_same_for_all_and_never_made_or_lost() {
    let first = super::number("SEED", 1);
    let (mut decided, mut written) = (0, 0);
    for seed in first..first + super::number("SCENARIOS", ECONOMIES) {
        let economy = economy(cunning(seed), seed);
        written += economy.written.len();
        decided += verdict(&economy).unwrap_or_else(|wrong| panic!("SEED={seed}: {wrong}"));
    }
    eprintln!("{written} operations written, {decided} decided");
    assert!(decided * 3 > written, "most of what wallets do is possible");
}

#[test]
fn a_restored_node_has_the_ledger_of_the_live_one_in_any_order() {
    for seed in 1..100 {
        let economy = economy(cunning(seed), seed);
        let network = &economy.network;
        let live = &network.engines[network.honest()[0]];
        let members = Some(committee(&network.setup.weights));
        let ledger = || minted(&network.setup.wallets);
        let again = |me| State::new(Config::default(), NETWORK, members.clone(), me, ledger());
        let (mut restored, mut watcher) = (again(author(network.honest()[0])), again(author(99)));
        let mut out = Vec::new();
        for record in mixed(network, &mut Rng::from_u64(seed)) {
            restored.restore(&record, Now::default());
            watcher.handle(Now::default(), Input::Record(record), &mut out);
        }
        restored.handle(Now::default(), Input::Tick, &mut out);
        for state in [&restored, &watcher] {
            assert_eq!(state.ledger(), live.ledger(), "SEED={seed}");
            assert_eq!(state.certified().root(), live.certified().root(), "SEED={seed}");
            assert!(state.checkpoints().eq(live.checkpoints()), "SEED={seed}");
        }
    }
}

/// Verdicts on four equal members of which the first is Byzantine, with a broken rule.
fn broken(mutant: Option<Mutant>, seed: u64) -> Result<usize, String> {
    let config = Config { checkpoint_decisions: 2, checkpoint_ms: 500, ..Config::default() };
    let setup = Setup { byzantine: [0].into(), schemes: 1 | 8, mutant, config, ..quiet(4) };
    verdict(&economy(setup, seed))
}

#[test]
fn broken_rules_about_credits_are_caught() {
    for (mutant, what) in [
        (Mutant::Unfunded, "decisions without effect"),
        (Mutant::Unrooted, "another root"),
        (Mutant::Forgetful, "was forgotten"),
    ] {
        let found = (1..100).find_map(|seed| broken(Some(mutant), seed).err());
        eprintln!("{mutant:?}: {found:?}");
        assert!(found.is_some_and(|found| found.contains(what)), "{mutant:?}");
    }
    for seed in 1..30 {
        assert!(broken(None, seed).is_ok(), "SEED={seed}: without a mutant nothing is found");
    }
}

#[test]
fn one_of_two_payments_from_one_position_settles_and_the_same_everywhere() {
    let mut first_won = 0;
    for seed in 1..100 {
        let setup = Setup { wallets: vec![100], ..quiet(4) };
        let mut network = Network::new(setup, seed);
        let one = network.operate(0, pay(0, 1, 100), Some(0));
        let two = network.operate(0, pay(0, 2, 100), Some(3));
        network.run(END_MS);
        let winners = network.engines.iter().map(|e| e.decided(&account_key(&wallet(0), 0)));
        let winners: Vec<Option<ItemId>> = winners.collect();
        assert!(winners.iter().all(|winner| *winner == winners[0]), "SEED={seed}");
        let paid = |to| network.engines[0].ledger().account(&wallet(to)).map(|a| a.balance.0);
        let won = winners[0] == Some(one);
        assert!(won || winners[0] == Some(two));
        let expected = if won { (Some(100), None) } else { (None, Some(100)) };
        assert_eq!((paid(1), paid(2)), expected, "SEED={seed}");
        first_won += usize::from(won);
    }
    assert!((1..99).contains(&first_won), "each way happens: {first_won} of 99");
}

#[test]
fn what_cannot_be_paid_is_no_reason_to_say_that_there_is_no_finality() {
    let setup = Setup { wallets: vec![100, 50], ..quiet(4) };
    let mut network = Network::new(setup, 1);
    network.operate(0, pay(0, 1, 101), None);
    network.operate(7, pay(0, 1, 1), None);
    network.run(60_000);
    let at = |mono_ms| Now { mono_ms, unix_ms: 0 };
    for engine in &network.engines {
        assert_eq!(
            (engine.pending(), engine.finality(at(90_000), |_| false)),
            (0, Finality::Quorum)
        );
        assert_eq!(engine.decisions().len(), 0);
    }
    // The credit comes; what was too much is possible now, and nobody has to sign it anew.
    network.operate(1, pay(0, 0, 20), None);
    network.run(END_MS);
    for engine in &network.engines {
        assert_eq!(engine.decisions().len(), 2);
        assert_eq!(engine.ledger().account(&wallet(1)).unwrap().balance.0, 131);
    }
}

#[test]
fn a_flood_of_what_cannot_be_done_is_remembered_in_bounds_and_holds_up_nobody() {
    let setup = Setup { wallets: vec![100, 100], ..quiet(4) };
    let mut network = Network::new(setup, 1);
    for number in 0..300 {
        network.operate(0, pay(0, 1, 102 + number), None);
        let label = Label::new(&format!("name-{number}")).unwrap();
        let (salt, addresses) = (ByteArray::new([0; 32]), Vec::new());
        let register = Operation::NameRegister { label, version: 1, salt, addresses };
        network.operate(0, register, None);
    }
    network.operate(1, pay(0, 0, 1), None);
    network.run(5_000);
    for engine in &network.engines {
        assert_eq!((engine.decisions().len(), engine.pending()), (1, 0));
        let idle = engine.keys.get(&account_key(&wallet(0), 0)).unwrap().idle.len();
        assert_eq!(idle, limits::ITEMS_IDLE_MAX, "of one author under one key");
        assert_eq!(engine.clocked.len(), limits::ITEMS_CLOCKED_MAX, "that wait for a height");
    }
    // What is possible is decided however much stands before it that is not, and of many things
    // that exclude each other one.
    network.operate(0, pay(0, 1, 50), None);
    for number in 0..300 {
        network.operate(1, pay(1, 2, 1 + number % 20), Some(usize::from(number % 2 == 0)));
    }
    let mut most = 0;
    for _ in 0..40 {
        network.run(network.now_ms + 5);
        let said = network.engines.iter().filter_map(|e| e.keys.get(&account_key(&wallet(1), 1)));
        most = said.map(|said| said.candidates.len()).fold(most, usize::max);
    }
    let most_allowed = limits::ITEMS_IDLE_MAX + network.engines.len();
    assert!((2..=most_allowed).contains(&most), "{most} candidates of one author");
    network.run(END_MS);
    for engine in &network.engines {
        assert_eq!(engine.ledger().account(&wallet(0)).unwrap().balance.0, 51);
        assert_eq!(engine.ledger().account(&wallet(1)).unwrap().next_sequence, 2);
        assert_eq!(engine.pending(), 0);
    }
}
