//! An engine that goes on without old vertices is the one that saw them.

use std::collections::BTreeSet;

use super::credits::{Economy, cunning, economy};
use super::network::{NETWORK, author, committee, minted, wallet};
use super::rules::{contradiction, mixed};
use crate::clock::Now;
use crate::consensus::{Input, Output, Past, Record, State};
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::Vote;
use crate::identity::AuthorId;
use crate::rng::Rng;

fn new_engine(economy: &Economy, me: AuthorId) -> State {
    let setup = &economy.network.setup;
    let members = Some(committee(&setup.weights));
    State::new(setup.config, NETWORK, members, me, minted(&setup.wallets))
}

/// An engine made of what another one knew and of the records that are kept.
fn resumed(economy: &Economy, me: AuthorId, from: &State, said: &[Record], kept: &[bool]) -> State {
    let mut state = new_engine(economy, me);
    let bytes = cbor::encode(&from.past(0, 0)).unwrap();
    let bounds = Bounds { bytes_max: 1 << 24, items_max: 1 << 20, depth_max: 16 };
    let past: Past = cbor::decode(&bytes, &bounds).unwrap();
    let items = said.iter().flat_map(|record| record.items.iter().cloned()).collect();
    state.resume(past, items, Now::default()).unwrap();
    for (record, _) in said.iter().zip(kept).filter(|(_, kept)| **kept) {
        state.restore(record, Now::default());
    }
    state
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
    assert_eq!(one.checkpoints(), other.checkpoints(), "SEED={seed}");
    assert_eq!(one.certified_decisions(), other.certified_decisions(), "SEED={seed}");
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
        let all = mixed(&economy.network, &mut rng);
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
        checkpoints += live.checkpoints().len();
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
        assert_eq!(member.checkpoints(), again.checkpoints(), "SEED={seed}");
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

#[test]
fn a_past_that_nobody_had_is_refused() {
    let economy = economy(cunning(3), 3);
    let live = &economy.network.engines[economy.network.honest()[0]];
    let items = || economy.network.log.iter().flat_map(|record| record.items.clone()).collect();
    let resume =
        |past: Past, items| new_engine(&economy, author(99)).resume(past, items, Now::default());
    let good = live.past(0, 0);
    assert!(good.checkpoints.len() > 1, "there is something to damage");
    resume(good.clone(), items()).unwrap();
    let mut bad: Vec<Past> = vec![good.clone(), good.clone(), good.clone(), good];
    bad[0].certified.pop();
    bad[1].certified.reverse();
    bad[2].checkpoints.remove(0);
    bad[3].checkpoints[0].state_root = [1; 32];
    for past in bad {
        assert_eq!(resume(past, items()).unwrap_err().code(), "store-damaged");
    }
    assert_eq!(resume(live.past(0, 0), Vec::new()).unwrap_err().code(), "store-damaged");
}
