//! An engine that goes on without old vertices is the one that saw them.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::credits::{Economy, cunning, economy};
use super::network::{NETWORK, author, committee, minted, wallet};
use super::rules::contradiction;
use crate::clock::Now;
use crate::consensus::{Base, Checkpoint, Input, Output, Record, State, Step};
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::{ConflictKey, Decision, ItemId, Vote};
use crate::identity::AuthorId;
use crate::ledger::{self, Operation};
use crate::rng::Rng;

fn new_engine(economy: &Economy, me: AuthorId) -> State {
    let setup = &economy.network.setup;
    let members = Some(committee(&setup.weights));
    State::new(setup.config, NETWORK, members, me, minted(&setup.wallets))
}

/// A checkpoint and its decisions.
type Decided = (Checkpoint, Vec<Decision>);

/// Checkpoints above a height, which an engine remembers, each with its decisions.
fn steps(from: &State, height: u64) -> Vec<Decided> {
    let mut decisions = from.certified_decisions().copied();
    let mut done = from.forgotten();
    let mut step = |held: &Checkpoint| {
        let count = usize::try_from(held.decided - done).unwrap();
        done = held.decided;
        (held.clone(), decisions.by_ref().take(count).collect())
    };
    from.checkpoints().filter(|held| held.height > height).map(&mut step).collect()
}

/// Through the bytes of the store.
fn stored<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let bytes = cbor::encode(value).unwrap();
    let bounds = Bounds { bytes_max: 1 << 24, items_max: 1 << 20, depth_max: 16 };
    cbor::decode(&bytes, &bounds).unwrap()
}

/// An engine made of what another one knew and of the records that are kept; of the decisions up to
/// a base of what it says.
fn resumed_from(
    (economy, me): (&Economy, AuthorId),
    base: Option<&Base>,
    from: &State,
    said: &[Record],
    kept: &[bool],
) -> State {
    let mut state = new_engine(economy, me);
    let height = base.map_or(0, |base| base.checkpoint.height);
    let steps = steps(from, height);
    let items = said.iter().flat_map(|record| record.items.iter().cloned()).collect();
    let base = base.map(|base| (stored(base), Vec::new()));
    state.resume(base, &steps, stored(&from.past()), items, Now::default()).unwrap();
    for (record, _) in said.iter().zip(kept).filter(|(_, kept)| **kept) {
        state.restore(record, Now::default());
    }
    state
}

fn resumed(economy: &Economy, me: AuthorId, from: &State, said: &[Record], kept: &[bool]) -> State {
    resumed_from((economy, me), None, from, said, kept)
}

/// What owners see. Until a checkpoint puts decisions in order, a commitment that became known
/// after the registration it was for is left over, and who sees both in another order has none.
fn visible(state: &State) -> impl PartialEq + std::fmt::Debug {
    let ledger = state.ledger();
    let names: Vec<_> = ledger.names().map(|(label, name)| (label.clone(), name.clone())).collect();
    let accounts: Vec<_> = (0..8).map(|n| ledger.account(&wallet(n)).copied()).collect();
    (ledger.height(), ledger.total(), ledger.waiting(), names, accounts)
}

fn assert_same(one: &State, other: &State, seed: u64) {
    let decisions = |state: &State| state.decisions().collect::<Vec<_>>();
    assert_eq!(decisions(one), decisions(other), "SEED={seed}");
    assert!(one.checkpoints().eq(other.checkpoints()), "SEED={seed}");
    assert!(one.certified_decisions().eq(other.certified_decisions()), "SEED={seed}");
    assert_eq!(one.certified(), other.certified(), "SEED={seed}");
    assert_eq!(visible(one), visible(other), "SEED={seed}");
    assert_eq!(one.epoch(), other.epoch(), "SEED={seed}");
}

#[test]
fn who_goes_on_without_old_vertices_decides_the_same() {
    let (mut dropped, mut said, mut checkpoints) = (0, 0, 0);
    for seed in 1..150 {
        let economy = economy(cunning(seed), seed);
        let mut rng = Rng::from_u64(seed);
        // In the order in which it was said: who voted knew what it voted for.
        let all: Vec<Record> = economy.network.log.iter().map(|r| (**r).clone()).collect();
        let count = u32::try_from(all.len()).unwrap();
        let (before, after) = all.split_at(usize::try_from(rng.below(count + 1)).unwrap());
        let (me, mut out) = (author(99), Vec::new());
        let mut live = new_engine(&economy, me);
        for record in before {
            live.handle(Now::default(), Input::Record(record.clone()), &mut out);
        }
        let kept: Vec<bool> =
            before.iter().map(|record| !live.is_past(record) || rng.below(4) == 0).collect();
        dropped += kept.iter().filter(|kept| !**kept).count();
        said += before.len();
        checkpoints += live.checkpoints().count();
        let mut again = resumed(&economy, me, &live, before, &kept);
        // What is dropped is covered.
        let seen: Vec<_> = before.iter().map(Record::citation).collect();
        let of_all: Vec<_> = before.iter().zip(&kept).filter(|(_, kept)| !**kept).collect();
        again.note_covered(seen.iter());
        live.note_covered(seen.iter());
        live.forget(&of_all.iter().map(|(record, _)| record.id).collect::<Vec<_>>());
        again.handle(Now::default(), Input::Tick, &mut out);
        assert_same(&live, &again, seed);
        for record in after {
            live.handle(Now::default(), Input::Record(record.clone()), &mut out);
            again.handle(Now::default(), Input::Record(record.clone()), &mut out);
        }
        assert_same(&live, &again, seed);
        let member = &economy.network.engines[economy.network.honest()[0]];
        assert!(member.checkpoints().eq(again.checkpoints()), "SEED={seed}");
    }
    eprintln!("{dropped} of {said} records dropped, {checkpoints} checkpoints");
    assert!(dropped * 3 > said && checkpoints > 100);
}

/// Whether a member that goes on without what `is_needed` does not ask for contradicts itself.
fn contradicts(seed: u64, is_needed: impl Fn(&State, &Record) -> bool) -> bool {
    let economy = economy(cunning(seed), seed);
    let mut rng = Rng::from_u64_stream(seed, 5);
    // In the order in which it was said: who voted knew what it voted for.
    let all = &economy.network.log;
    let count = u32::try_from(all.len()).unwrap();
    let until = usize::try_from(rng.below(count + 1)).unwrap();
    let said: Vec<Record> = all[..until].iter().map(|record| (**record).clone()).collect();
    let said = said.as_slice();
    let honest: BTreeSet<usize> = economy.network.honest().into_iter().collect();
    honest.into_iter().any(|place| {
        let me = author(place);
        let mut live = new_engine(&economy, me);
        for record in said {
            live.restore(record, Now::default());
        }
        live.handle(Now::default(), Input::Tick, &mut Vec::new());
        let kept: Vec<bool> = said.iter().map(|record| is_needed(&live, record)).collect();
        let mut again = resumed(&economy, me, &live, said, &kept);
        let mut out = Vec::new();
        for wait_ms in [0, 1_000, 10_000] {
            again.handle(Now::default().plus_ms(wait_ms), Input::Tick, &mut out);
        }
        let own = said.iter().filter(|record| record.author == me);
        let own = own.flat_map(|record| &record.votes);
        let own = own.flat_map(|votes| votes.votes.iter().map(|vote| (votes.epoch, vote)));
        let new = out.iter().filter_map(|output| match output {
            Output::Vote { epoch, vote } => Some((*epoch, vote)),
            _ => None,
        });
        let votes: Vec<(u64, &Vote)> = own.chain(new).collect();
        contradiction(votes.into_iter()).is_some()
    })
}

#[test]
fn a_member_never_contradicts_what_it_said_in_vertices_that_are_gone() {
    for seed in 1..100 {
        assert!(!contradicts(seed, |live, record| !live.is_past(record)), "SEED={seed}");
    }
    let forgetful = (1..100).find(|seed| contradicts(*seed, |_, _| false));
    assert!(forgetful.is_some(), "who forgets what is open contradicts itself");
}

/// An engine that forgets on the way, with the base of what it forgot last.
struct Forgetful {
    state: State,
    steps: Vec<Step>,
    base: Option<Base>,
    out: Vec<Output>,
}

impl Forgetful {
    /// Takes a record, and now and then forgets all but the last few checkpoints.
    fn handle(&mut self, record: &Record, rng: &mut Rng) {
        self.state.handle(Now::default(), Input::Record(record.clone()), &mut self.out);
        for output in self.out.drain(..) {
            if let Output::Checkpoint(step) = output {
                self.steps.push(*step);
            }
        }
        let back = usize::try_from(1 + rng.below(3)).unwrap();
        let known = self.base.as_ref().map_or(0, |base| base.checkpoint.height);
        if rng.below(8) == 0
            && let Some(step) = self.steps.iter().rev().nth(back)
            && step.checkpoint.height > known
        {
            self.base = Some(self.state.base_at(step));
            self.state.forget_decisions(step.checkpoint.height, std::iter::empty());
        }
    }
}

/// Keys that wait, but for commitments to names: of them the positions say which are old, and here
/// nobody covers positions.
fn waiting(state: &State) -> Vec<ConflictKey> {
    let is_commitment = |id: &ItemId| {
        let operation = state.items.get(id).and_then(|item| item.operation.as_ref());
        matches!(operation, Some(Operation::NameCommit { .. }))
    };
    let waits = |key: &&ConflictKey| {
        let said = state.keys.get(key);
        said.is_some_and(|said| !said.candidates.iter().all(is_commitment))
    };
    state.pending.keys().filter(waits).copied().collect()
}

/// Everything that is certified, whatever is remembered of how.
fn assert_same_end(one: &State, other: &State, seed: u64) {
    assert_eq!(one.last_checkpoint(), other.last_checkpoint(), "SEED={seed}");
    assert_eq!(one.certified(), other.certified(), "SEED={seed}");
    assert_eq!(visible(one), visible(other), "SEED={seed}");
    assert_eq!(one.mmr().root(), other.mmr().root(), "SEED={seed}");
    assert_eq!(one.epoch(), other.epoch(), "SEED={seed}");
    assert_eq!(waiting(one), waiting(other), "SEED={seed}");
}

#[test]
fn who_forgets_what_was_decided_decides_the_same() {
    let (mut forgotten, mut late, mut proven) = (0, 0, 0);
    for seed in 1..300 {
        let economy = economy(cunning(seed), seed);
        let mut rng = Rng::from_u64(seed);
        let log: Vec<Record> = economy.network.log.iter().map(|r| (**r).clone()).collect();
        // One member is cut off at some time, and heard again in the end.
        let cut_at = usize::try_from(rng.below(u32::try_from(log.len()).unwrap())).unwrap();
        let away = author(usize::try_from(rng.below(4)).unwrap());
        let is_late =
            |(place, record): &(usize, &Record)| *place >= cut_at && record.author == away;
        let (last, first): (Vec<_>, Vec<_>) = log.iter().enumerate().partition(is_late);
        let all: Vec<&Record> = first.into_iter().chain(last).map(|(_, record)| record).collect();
        let mut live = new_engine(&economy, author(99));
        let state = new_engine(&economy, author(99));
        let (steps, out) = (Vec::new(), Vec::new());
        let mut forgetful = Forgetful { state, steps, base: None, out };
        let (restart_at, mut out) = (all.len() / 2, Vec::new());
        for (place, record) in all.iter().enumerate() {
            live.handle(Now::default(), Input::Record((*record).clone()), &mut out);
            forgetful.handle(record, &mut rng);
            if place == restart_at {
                // Also after a restart from what is left.
                let said: Vec<Record> = all[..=place].iter().map(|r| (*r).clone()).collect();
                let kept: Vec<bool> =
                    said.iter().map(|record| !forgetful.state.is_past(record)).collect();
                let base = forgetful.base.as_ref();
                let at = (&economy, author(99));
                let mut again = resumed_from(at, base, &forgetful.state, &said, &kept);
                again.note_covered(said.iter().map(Record::citation).collect::<Vec<_>>().iter());
                again.handle(Now::default(), Input::Tick, &mut forgetful.out);
                forgetful.state = again;
            }
        }
        let contradicts = |output: &Output| matches!(output, Output::Contradiction { .. });
        assert!(!out.iter().any(contradicts) && !forgetful.out.iter().any(contradicts));
        assert_same_end(&live, &forgetful.state, seed);
        forgotten += forgetful.state.forgotten();
        late += all.iter().filter(|record| forgetful.state.is_past(record)).count();
        // What is remembered is proven as before.
        let from = forgetful.state.forgotten();
        for index in from..live.mmr().len() {
            assert_eq!(forgetful.state.mmr().prove(index), live.mmr().prove(index));
            proven += 1;
        }
    }
    eprintln!("{forgotten} decisions forgotten, {late} records past, {proven} leaves proven");
    assert!(forgotten > 1_000 && proven > 500);
}

#[test]
fn a_past_that_nobody_had_is_refused() {
    let economy = economy(cunning(3), 3);
    let live = &economy.network.engines[economy.network.honest()[0]];
    let items = || economy.network.log.iter().flat_map(|record| record.items.clone()).collect();
    let resume = |base: Option<Base>, steps: &[_], items| {
        let base = base.map(|base| (base, Vec::new()));
        let mut engine = new_engine(&economy, author(99));
        engine.resume(base, steps, live.past(), items, Now::default())
    };
    let good = steps(live, 0);
    assert!(good.len() > 2, "there is something to damage");
    resume(None, &good, items()).unwrap();
    let refused = |base: Option<Base>, steps: &[Decided], items| {
        assert_eq!(resume(base, steps, items).unwrap_err().code(), "store-damaged");
    };
    let damaged = |change: &dyn Fn(&mut Vec<Decided>)| {
        let mut bad = good.clone();
        change(&mut bad);
        refused(None, &bad, items());
    };
    let full = good.iter().position(|step| step.1.len() > 1).unwrap();
    damaged(&|bad| bad[full].1.clear());
    damaged(&|bad| bad[full].1.reverse());
    damaged(&|bad| drop(bad.remove(0)));
    damaged(&|bad| bad[0].0.state_root = [1; 32]);
    refused(None, &good, Vec::new());

    // The base of a checkpoint that changed the ledger and ends no epoch, and one of another state.
    let mut state = new_engine(&economy, author(99));
    let mut out = Vec::new();
    for record in &economy.network.log {
        state.handle(Now::default(), Input::Record((**record).clone()), &mut out);
    }
    let bases = out.iter().filter_map(|output| match output {
        Output::Checkpoint(step) => Some(state.base_at(step)),
        _ => None,
    });
    let bases: Vec<Base> = bases.collect();
    let changes = |at: &usize| {
        let [before, this] = [*at - 1, *at].map(|at| &bases[at].checkpoint);
        before.state_root != this.state_root && this.next.is_none()
    };
    let at = (1..bases.len()).find(changes).unwrap();
    let (base, rest) = (bases[at].clone(), &good[at + 1..]);
    resume(Some(base.clone()), rest, items()).unwrap();
    let genesis = ledger::State::new(&ledger::Genesis::default()).unwrap().to_records();
    refused(Some(Base { ledger: bases[at - 1].ledger.clone(), ..base.clone() }), rest, items());
    refused(Some(Base { ledger: genesis, ..base.clone() }), rest, items());
    refused(Some(Base { peaks: Vec::new(), ..base.clone() }), rest, items());
    refused(Some(Base { ends: vec![base.checkpoint.clone()], ..base.clone() }), rest, items());
    refused(Some(base), &good[at..], items());
}
