//! The fold against a plain rulebook, order of arrival, and what voters refuse.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_bytes::ByteArray;

use super::*;
use crate::crypto::hash::Digest;
use crate::dag::VertexId;
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::limits;
use crate::rng::Rng;
use crate::units::MicroCredits;

fn author(number: u8) -> AuthorId {
    AuthorId::from_bytes([number; 32])
}

fn id(number: u32) -> ItemId {
    ItemId(VertexId(Digest::of(&number.to_be_bytes())), 0)
}

fn entry(number: u32, by: u8, operation: Operation) -> Entry {
    Entry { id: id(number), author: author(by), operation }
}

fn pay(sequence: u64, to: u8, amount: u64) -> Operation {
    Operation::Transfer {
        sequence,
        to: author(to),
        amount: MicroCredits(amount),
        memo: String::new(),
    }
}

fn hold(sequence: u64, to: u8, amount: u64, arbiter: Option<u8>) -> Operation {
    Operation::Hold {
        sequence,
        to: author(to),
        amount: MicroCredits(amount),
        arbiter: arbiter.map(author),
        refundable_from: Some(5),
        memo: String::new(),
    }
}

fn ledger(balances: &[(u8, u64)]) -> State {
    let pairs = balances.iter().map(|(who, amount)| (author(*who), MicroCredits(*amount)));
    State::new(&Genesis { balances: pairs.collect() }).unwrap()
}

fn balance(state: &State, who: u8) -> u64 {
    state.account(&author(who)).map_or(0, |account| account.balance.0)
}

/// Votes for and settles, as a node does that has everything before it.
fn carry_out(state: &mut State, entry: Entry) -> Result<(), Error> {
    state.check(&entry.author, &entry.operation)?;
    let id = entry.id;
    match state.settle(entry, state.height()).unwrap() {
        Settled::Applied { items, .. } => assert_eq!(items.first(), Some(&id)),
        other => panic!("found valid, then {other:?}"),
    }
    Ok(())
}

fn check(state: &State, entry: &Entry) -> Result<(), Error> {
    state.check(&entry.author, &entry.operation)
}

fn code(result: Result<(), Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |()| "allowed")
}

#[test]
fn a_payment_moves_credits_and_takes_its_position() {
    let mut state = ledger(&[(1, 100)]);
    carry_out(&mut state, entry(1, 1, pay(0, 2, 60))).unwrap();
    assert_eq!((balance(&state, 1), balance(&state, 2)), (40, 60));
    assert_eq!(state.account(&author(1)).unwrap().next_sequence, 1);
}

#[test]
fn what_cannot_be_paid_gets_no_vote() {
    let state = ledger(&[(1, 100)]);
    let max = limits::LEDGER_MINTED_MAX;
    let rows = [
        (1, pay(0, 2, 101), "overdraft"),
        (1, pay(1, 2, 10), "account-sequence"),
        (2, pay(0, 1, 10), "account-unknown"),
        (1, pay(0, 1, 10), "payment-to-oneself"),
        (1, pay(0, 2, 0), "amount-invalid"),
        (1, pay(0, 2, max + 1), "amount-invalid"),
        (1, pay(0, 2, u64::MAX), "amount-invalid"),
        (1, pay(0, 2, 100), "allowed"),
    ];
    for (number, (by, operation, expected)) in (1..).zip(rows) {
        assert_eq!(code(check(&state, &entry(number, by, operation))), expected, "row {number}");
    }
    let memo = "x".repeat(limits::LEDGER_MEMO_BYTES_MAX + 1);
    for memo in [memo, "line\nbreak".to_owned()] {
        let to = author(2);
        let operation = Operation::Transfer { sequence: 0, to, amount: MicroCredits(1), memo };
        assert_eq!(code(check(&state, &entry(9, 1, operation))), "ledger-text");
    }
}

#[test]
fn two_payments_from_one_position_claim_one_key() {
    let (first, second) = (pay(0, 2, 10), pay(0, 3, 10));
    assert_eq!(first.keys(&author(1), &id(1)), second.keys(&author(1), &id(1)));
    assert_ne!(first.keys(&author(1), &id(1)), first.keys(&author(2), &id(1)), "another account");
    assert_ne!(
        first.keys(&author(1), &id(1)),
        pay(1, 2, 10).keys(&author(1), &id(1)),
        "another position"
    );
}

#[test]
fn a_hold_is_ended_once_by_those_who_may() {
    let open = || {
        let mut state = ledger(&[(1, 100)]);
        carry_out(&mut state, entry(1, 1, hold(0, 2, 30, Some(9)))).unwrap();
        state
    };
    let release = Operation::Release { hold: id(1) };
    let refund = Operation::Refund { hold: id(1) };
    let state = open();
    assert_eq!((balance(&state, 1), state.total()), (70, 100), "held credits are still there");
    let rows = [(1, true, false), (2, false, true), (9, true, true), (3, false, false)];
    for (by, may_release, may_refund) in rows {
        assert_eq!(check(&state, &entry(2, by, release.clone())).is_ok(), may_release, "{by}");
        assert_eq!(check(&state, &entry(2, by, refund.clone())).is_ok(), may_refund, "{by}");
    }
    let mut due = open();
    due.advance(5);
    assert!(check(&due, &entry(2, 1, refund.clone())).is_ok(), "the payer, once it is due");
    for (exit, paid) in [(release.clone(), 2), (refund.clone(), 1)] {
        let mut state = open();
        let before = balance(&state, paid);
        carry_out(&mut state, entry(2, 9, exit.clone())).unwrap();
        assert_eq!(balance(&state, paid), before + 30);
        assert_eq!(code(check(&state, &entry(3, 9, exit))), "hold-unknown");
    }
    assert_eq!(
        release.keys(&author(1), &id(1)),
        refund.keys(&author(2), &id(1)),
        "one exit per hold"
    );
}

#[test]
fn more_than_can_be_counted_is_not_minted() {
    let genesis = |amounts: &[u64]| Genesis {
        balances: (1..).map(author).zip(amounts.iter().copied().map(MicroCredits)).collect(),
    };
    let max = limits::LEDGER_MINTED_MAX;
    assert_eq!(State::new(&genesis(&[max])).unwrap().minted(), MicroCredits(max));
    for amounts in [&[max, 1][..], &[u64::MAX, u64::MAX]] {
        assert_eq!(State::new(&genesis(amounts)).unwrap_err().code(), "genesis-invalid");
    }
}

#[test]
fn labels_are_those_of_host_names() {
    for good in ["abc", "a-1", "x".repeat(63).as_str(), "ab-cd.dark"] {
        assert!(Label::new(good).is_ok(), "{good}");
    }
    let long = "x".repeat(64);
    for bad in ["", "ab", "Abc", "a b", "-ab", "ab-", "xn--a", "a.b.dark", "\u{e4}bc", &long] {
        assert_eq!(Label::new(bad).unwrap_err().code(), "name-invalid", "{bad}");
    }
    assert_eq!(Label::new("abc").unwrap().to_string(), "abc.dark");
}

fn commit(label: &str, by: u8) -> Operation {
    let hash = commitment(&Label::new(label).unwrap(), &[7; 32], &author(by));
    Operation::NameCommit { commitment: ByteArray::new(hash) }
}

fn register(label: &str, version: u64) -> Operation {
    Operation::NameRegister {
        label: Label::new(label).unwrap(),
        version,
        salt: ByteArray::new([7; 32]),
        addresses: vec!["/dns/example.org/tcp/1/ws".to_owned()],
    }
}

fn renew(label: &str, version: u64) -> Operation {
    Operation::NameRenew { label: Label::new(label).unwrap(), version }
}

#[test]
fn a_name_is_committed_to_and_then_revealed() {
    let mut state = ledger(&[]);
    assert_eq!(code(check(&state, &entry(1, 1, register("mesh", 1)))), "name-commitment");
    carry_out(&mut state, entry(2, 1, commit("mesh", 1))).unwrap();
    assert_eq!(
        code(check(&state, &entry(3, 1, register("mesh", 1)))),
        "name-commitment",
        "too soon"
    );
    state.advance(limits::NAME_COMMITMENT_HEIGHTS_MIN);
    assert_eq!(
        code(check(&state, &entry(3, 2, register("mesh", 1)))),
        "name-commitment",
        "somebody who has seen the label has not committed to it"
    );
    carry_out(&mut state, entry(3, 1, register("mesh", 1))).unwrap();
    let label = Label::new("mesh").unwrap();
    assert_eq!(state.name(&label).unwrap().owner, author(1));
    assert_eq!(state.name(&label).unwrap().addresses.len(), 1);
}

#[test]
fn a_commitment_is_forgotten_in_time() {
    let mut state = ledger(&[]);
    carry_out(&mut state, entry(1, 1, commit("mesh", 1))).unwrap();
    state.advance(limits::NAME_COMMITMENT_HEIGHTS_MAX + 1);
    assert_eq!(code(check(&state, &entry(2, 1, register("mesh", 1)))), "name-commitment");
    assert_eq!(state.records().count(), 0);
}

/// A ledger at height 1 in which author 1 has `mesh.dark`.
fn named() -> State {
    let mut state = ledger(&[]);
    carry_out(&mut state, entry(1, 1, commit("mesh", 1))).unwrap();
    state.advance(1);
    carry_out(&mut state, entry(2, 1, register("mesh", 1))).unwrap();
    state
}

#[test]
fn only_the_owner_changes_a_name_and_only_until_it_expires() {
    let mut state = named();
    assert_eq!(code(check(&state, &entry(3, 2, renew("mesh", 2)))), "name-foreign");
    assert_eq!(code(check(&state, &entry(3, 1, renew("mesh", 1)))), "name-version");
    let label = Label::new("mesh").unwrap();
    let give = Operation::NameTransfer { label: label.clone(), version: 2, to: author(2) };
    carry_out(&mut state, entry(3, 1, give)).unwrap();
    assert_eq!(state.name(&label).unwrap().owner, author(2));
    assert!(state.name(&label).unwrap().addresses.is_empty());
    let expires = state.name(&label).unwrap().expires;
    carry_out(&mut state, entry(4, 2, renew("mesh", 3))).unwrap();
    assert_eq!(state.name(&label).unwrap().expires, expires + limits::NAME_TERM_HEIGHTS);
    state.advance(expires + limits::NAME_TERM_HEIGHTS);
    assert_eq!(state.name(&label), None);
    assert_eq!(code(check(&state, &entry(5, 2, renew("mesh", 4)))), "name-free");
}

#[test]
fn a_name_is_taken_until_it_expires_and_then_free() {
    let mut state = named();
    carry_out(&mut state, entry(3, 2, commit("mesh", 2))).unwrap();
    state.advance(2);
    assert_eq!(code(check(&state, &entry(4, 2, register("mesh", 2)))), "name-taken");
    state.advance(1 + limits::NAME_TERM_HEIGHTS);
    carry_out(&mut state, entry(5, 2, commit("mesh", 2))).unwrap();
    state.advance(2 + limits::NAME_TERM_HEIGHTS);
    assert_eq!(code(check(&state, &entry(6, 2, register("mesh", 1)))), "name-version");
    carry_out(&mut state, entry(6, 2, register("mesh", 2))).unwrap();
    assert_eq!(state.name(&Label::new("mesh").unwrap()).unwrap().owner, author(2));
}

#[test]
fn an_operation_has_one_encoding_and_strangers_fields_are_refused() {
    let operation = register("mesh", 1);
    let bytes = cbor::encode(&operation).unwrap();
    let bounds = Bounds { bytes_max: 4_096, items_max: 64, depth_max: 4 };
    assert_eq!(cbor::decode::<Operation>(&bytes, &bounds).unwrap(), operation);
    let find = bytes.windows(4).position(|window| window == b"mesh").unwrap();
    let mut wrong = bytes;
    *wrong.get_mut(find).unwrap() = b'M';
    assert!(cbor::decode::<Operation>(&wrong, &bounds).is_err(), "no label");
}

/// The root of some records by its definition in `docs/wire.md`.
fn naive_root(state: &State) -> [u8; 32] {
    fn bit(path: &[u8; 32], at: u16) -> bool {
        path[usize::from(at / 8)] & (0x80 >> (at % 8)) != 0
    }
    fn tree(leaves: &[([u8; 32], [u8; 32])]) -> [u8; 32] {
        match leaves {
            [] => [0; 32],
            [(_, hash)] => *hash,
            [(first, _), rest @ ..] => {
                let splits =
                    |at: &u16| rest.iter().any(|(path, _)| bit(path, *at) != bit(first, *at));
                let at = (0..256).find(splits).unwrap();
                let side =
                    |right| leaves.iter().filter(move |(path, _)| bit(path, at) == right).copied();
                let (left, right): (Vec<_>, Vec<_>) = (side(false).collect(), side(true).collect());
                let parts = [&at.to_be_bytes()[..], &tree(&left), &tree(&right)];
                Digest::derive("synaptic-mesh 2026 ledger fork v1", &parts).0
            }
        }
    }
    let mut kinds: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for record in state.records() {
        let fields: (String, ipld_core::ipld::Ipld, ipld_core::ipld::Ipld) =
            serde_ipld_dagcbor::from_slice(&record).unwrap();
        let key = cbor::encode(&fields.1).unwrap();
        let path =
            Digest::derive("synaptic-mesh 2026 ledger path v1", &[fields.0.as_bytes(), &key]).0;
        let leaf = Digest::derive("synaptic-mesh 2026 ledger record v1", &[&record]).0;
        kinds.entry(fields.0).or_default().push((path, leaf));
    }
    let mut root = |kind: &str| tree(&kinds.remove(kind).unwrap_or_default());
    let roots = [root("account"), root("hold"), root("name"), root("commitment")].concat();
    assert!(kinds.is_empty(), "a kind that is not in the root: {kinds:?}");
    Digest::derive("synaptic-mesh 2026 ledger root v1", &[&roots]).0
}

#[test]
fn the_root_is_the_one_of_the_definition_after_every_change() {
    let mut state = ledger(&[]);
    assert_eq!(state.root(), naive_root(&state), "of nothing");
    let mut roots = vec![state.root()];
    for number in 0..40 {
        carry_out(&mut state, entry(number, 1, commit(&format!("name-{number}"), 1))).unwrap();
        roots.push(state.root());
    }
    let before = state.clone();
    state.advance(1);
    for number in 0..40 {
        let name = format!("name-{number}");
        carry_out(&mut state, entry(100 + number, 1, register(&name, 1))).unwrap();
        assert_eq!(state.root(), naive_root(&state), "commitments go, names come");
        roots.push(state.root());
    }
    assert_eq!(before.root(), naive_root(&before), "a copy keeps what it had");
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), 81, "no two states have one root");
}

/// A plain second rulebook: who has what, checked and done at once, by someone who sees
/// everything in one order.
#[derive(Default)]
struct Rulebook {
    balances: BTreeMap<u8, i128>,
    sequences: BTreeMap<u8, u64>,
    holds: BTreeMap<u32, (u8, u8, i128)>,
}

/// Random operations that are valid in the order they are made.
fn history(seed: u64, length: u32) -> (Vec<Entry>, Rulebook) {
    let mut rng = Rng::from_u64(seed);
    let mut book =
        Rulebook { balances: (1..=4).map(|who| (who, 1_000)).collect(), ..Rulebook::default() };
    let mut entries = Vec::new();
    for number in 0..length {
        let by = u8::try_from(1 + rng.below(6)).unwrap();
        let to = 1 + (by + u8::try_from(rng.below(5)).unwrap()) % 6;
        let amount = i128::from(1 + rng.below(400));
        let sequence = book.sequences.get(&by).copied().unwrap_or(0);
        let covered = to != by && book.balances.get(&by).is_some_and(|has| *has >= amount);
        let open = book.holds.keys().next().copied();
        let wide = u64::try_from(amount).unwrap();
        let operation = match (rng.below(3), open) {
            (0, _) if covered => {
                *book.balances.entry(to).or_default() += amount;
                pay(sequence, to, wide)
            }
            (1, _) if covered => {
                book.holds.insert(number, (by, to, amount));
                hold(sequence, to, wide, None)
            }
            (2, Some(open)) => {
                let (from, to, amount) = book.holds.remove(&open).unwrap();
                let release = rng.below(2) == 0;
                let (signer, paid) = if release { (from, to) } else { (to, from) };
                *book.balances.entry(paid).or_default() += amount;
                let hold = id(open);
                let exit =
                    if release { Operation::Release { hold } } else { Operation::Refund { hold } };
                entries.push(entry(number, signer, exit));
                continue;
            }
            _ => continue,
        };
        *book.balances.entry(by).or_default() -= amount;
        *book.sequences.entry(by).or_default() += 1;
        entries.push(entry(number, by, operation));
    }
    (entries, book)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn settled_in_order_it_is_what_the_rulebook_says(seed in any::<u64>()) {
        let (entries, book) = history(seed, 120);
        let mut state = ledger(&[(1, 1_000), (2, 1_000), (3, 1_000), (4, 1_000)]);
        for entry in entries {
            prop_assert!(carry_out(&mut state, entry).is_ok());
            prop_assert_eq!(state.total(), 4_000);
        }
        prop_assert_eq!(state.root(), naive_root(&state));
        for (who, expected) in &book.balances {
            prop_assert_eq!(i128::from(balance(&state, *who)), *expected);
        }
        let is_hold = |record: &Vec<u8>| record.windows(4).any(|word| word == b"hold");
        prop_assert_eq!(state.records().filter(is_hold).count(), book.holds.len());
    }

    #[test]
    fn settled_in_any_order_it_is_the_same(seed in any::<u64>()) {
        let (entries, _) = history(seed, 120);
        let fresh = ledger(&[(1, 1_000), (2, 1_000), (3, 1_000), (4, 1_000)]);
        let mut in_order = fresh.clone();
        for entry in &entries {
            in_order.settle(entry.clone(), 0).unwrap();
        }
        let mut shuffled = entries.clone();
        Rng::from_u64(seed ^ 1).shuffle(&mut shuffled);
        let mut state = fresh;
        for entry in shuffled {
            state.settle(entry, 0).unwrap();
            prop_assert_eq!(state.total(), 4_000);
            // Whoever is handed its records goes on from it, with what waits.
            let bytes = cbor::encode(&state.to_records()).unwrap();
            let bounds = Bounds { bytes_max: bytes.len(), items_max: 1 << 20, depth_max: 16 };
            let handed = State::of(cbor::decode(&bytes, &bounds).unwrap()).unwrap();
            prop_assert_eq!(&handed, &state);
            prop_assert_eq!(handed.root(), state.root());
            state = handed;
        }
        prop_assert_eq!(state.waiting(), 0);
        prop_assert!(state.records().eq(in_order.records()));
        prop_assert_eq!(state.root(), in_order.root());
    }
}

#[test]
fn what_waits_is_bounded_and_nothing_is_lost_at_the_bound() {
    let mut state = ledger(&[(1, u64::from(u32::MAX))]);
    let last = u32::try_from(limits::LEDGER_WAITING_MAX).unwrap();
    for number in 1..=last {
        let settled = state.settle(entry(number, 1, pay(u64::from(number), 2, 1)), 0);
        assert_eq!(settled.unwrap(), Settled::Waiting);
    }
    let over = entry(last + 1, 1, pay(u64::from(last) + 1, 2, 1));
    assert_eq!(state.settle(over.clone(), 0).unwrap_err().code(), "ledger-full");
    let Settled::Applied { items: applied, .. } =
        state.settle(entry(0, 1, pay(0, 2, 1)), 0).unwrap()
    else {
        panic!("nothing was missing any more");
    };
    assert_eq!(applied.len(), limits::LEDGER_WAITING_MAX + 1);
    assert!(matches!(state.settle(over, 0).unwrap(), Settled::Applied { .. }));
    assert_eq!(balance(&state, 2), u64::from(last) + 2);
}

#[test]
fn names_and_commitments_are_handed_on_and_credits_out_of_nothing_are_not() {
    let mut state = named();
    carry_out(&mut state, entry(9, 2, commit("other", 2))).unwrap();
    state.advance(state.height() + 1);
    let handed = State::of(state.to_records()).unwrap();
    assert_eq!(handed, state);
    assert_eq!(handed.root(), state.root());
    let mut rich = cbor::encode(&ledger(&[(1, 1_000), (2, 1)]).to_records()).unwrap();
    let at = rich.windows(3).rposition(|bytes| bytes == [0x19, 0x03, 0xe8]).unwrap();
    rich[at + 2] += 1;
    let bounds = Bounds { bytes_max: 1 << 10, items_max: 100, depth_max: 16 };
    assert_eq!(State::of(cbor::decode(&rich, &bounds).unwrap()), None);
}

#[test]
fn a_payment_offered_twice_is_settled_once() {
    let mut state = ledger(&[(1, 100)]);
    let payment = entry(1, 1, pay(0, 2, 60));
    carry_out(&mut state, payment.clone()).unwrap();
    assert_eq!(state.settle(payment, 0).unwrap(), Settled::Void);
    assert_eq!(balance(&state, 2), 60);
}
