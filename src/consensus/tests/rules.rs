//! Rules for one member at a time: what it never says, before and after a restart.

use std::collections::BTreeMap;

use super::network::{NETWORK, Network, author, committee, key, minted, record, vertex_id};
use super::{Setup, quiet, random, run};
use crate::clock::Now;
use crate::consensus::state::Mutant;
use crate::consensus::{Committee, Config, Error, Finality, Input, Item, Output, Record, State};
use crate::dag::vote::{Block, Decision, ItemId, Vote, Votes};
use crate::rng::Rng;

/// The first vote that an honest member may not have said after those before it.
pub(super) fn contradiction<'a>(votes: impl Iterator<Item = (u64, &'a Vote)>) -> Option<&'a Vote> {
    let mut epochs: BTreeMap<u64, Vec<&Vote>> = BTreeMap::new();
    for (epoch, vote) in votes {
        epochs.entry(epoch).or_default().push(vote);
    }
    epochs.into_values().find_map(|votes| contradiction_in_epoch(votes.into_iter()))
}

fn contradiction_in_epoch<'a>(votes: impl Iterator<Item = &'a Vote>) -> Option<&'a Vote> {
    let mut closed = false;
    let (mut locks, mut commits, mut reports) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut block_locks, mut block_commits) = (BTreeMap::new(), BTreeMap::new());
    let mut entered: BTreeMap<u64, u32> = BTreeMap::new();
    for vote in votes {
        let fits = match vote {
            Vote::Lock(Decision(key, item)) => {
                locks.insert(key, item).is_none() && !reports.contains_key(key) && !closed
            }
            Vote::Commit(Decision(key, item)) => {
                commits.insert(key, item).is_none() && !reports.contains_key(key) && !closed
            }
            Vote::Contested(key, shown) => {
                let hides = commits.get(key).is_some_and(|item| *shown != Some(**item));
                reports.insert(key, shown).is_none() && !hides
            }
            Vote::LockBlock(slot, view, block) => {
                block_locks.insert((slot, view), block).is_none()
                    && entered.get(slot).is_none_or(|entered| view >= entered)
            }
            Vote::CommitBlock(slot, view, block) => {
                block_commits.insert((slot, view), block).is_none()
                    && entered.get(slot).is_none_or(|entered| view >= entered)
            }
            Vote::Enter(slot, view, _) => {
                entered.insert(*slot, *view).is_none_or(|before| before < *view)
            }
            Vote::Close(_) => !std::mem::replace(&mut closed, true),
            Vote::Propose(..) | Vote::Sign(..) => true,
        };
        if !fits {
            return Some(vote);
        }
    }
    None
}

fn votes_of(network: &Network, place: usize) -> impl Iterator<Item = (u64, &Vote)> {
    let own = network.log.iter().filter(move |record| record.author == author(place));
    own.flat_map(|record| &record.votes)
        .flat_map(|votes| votes.votes.iter().map(|vote| (votes.epoch, vote)))
}

/// Everything that was said, each author's in its order, authors mixed at random.
pub(super) fn mixed(network: &Network, rng: &mut Rng) -> Vec<Record> {
    let mut queues: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for record in network.log.iter().rev() {
        queues.entry(record.author).or_default().push((**record).clone());
    }
    let mut queues: Vec<Vec<Record>> = queues.into_values().collect();
    let mut all = Vec::new();
    while !queues.is_empty() {
        let count = u32::try_from(queues.len()).unwrap();
        let at = usize::try_from(rng.below(count)).unwrap();
        match queues[at].pop() {
            Some(record) => all.push(record),
            None => drop(queues.swap_remove(at)),
        }
    }
    all
}

#[test]
fn an_honest_member_never_contradicts_itself() {
    for seed in 1..300 {
        let network = run(random(seed, 0), seed);
        for place in network.honest() {
            let found = contradiction(votes_of(&network, place));
            assert_eq!(found, None, "SEED={seed}, member {place}");
        }
    }
}

#[test]
fn a_restarted_member_never_contradicts_what_it_said_before() {
    let mut cast = 0;
    for seed in 1..300 {
        let mut rng = Rng::from_u64_stream(seed, 3);
        let mut network = Network::new(random(seed, 0), seed);
        super::contend(&mut network, seed, ["a", "b"]);
        network.run(u64::from(rng.below(600)));
        let place = network.honest()[0];
        let members = Some(committee(&network.setup.weights));
        let mut again = State::new(Config::default(), NETWORK, members, author(place), minted(&[]));
        for record in mixed(&network, &mut rng) {
            again.restore(&record, Now::default());
        }
        let mut out = Vec::new();
        for wait_ms in [0, 1_000, 10_000] {
            again.handle(Now::default().plus_ms(wait_ms), Input::Tick, &mut out);
        }
        let votes = out.iter().filter_map(|output| match output {
            Output::Vote { epoch, vote } => Some((*epoch, vote)),
            _ => None,
        });
        let votes: Vec<(u64, &Vote)> = votes.collect();
        cast += votes.len();
        let all = votes_of(&network, place).chain(votes);
        assert_eq!(contradiction(all), None, "SEED={seed}, member {place}");
    }
    assert!(cast > 100, "restarted members went on voting: {cast}");
}

#[test]
fn who_only_watches_decides_the_same_in_any_order() {
    for seed in 1..200 {
        let network = run(random(seed, 0), seed);
        let member = &network.engines[network.honest()[0]];
        let members = Some(committee(&network.setup.weights));
        let mut watcher = State::new(Config::default(), NETWORK, members, author(99), minted(&[]));
        let mut out = Vec::new();
        for record in mixed(&network, &mut Rng::from_u64(seed)) {
            watcher.handle(Now::default(), Input::Record(record), &mut out);
        }
        assert!(!out.iter().any(|output| matches!(output, Output::Vote { .. })));
        let (left, right): (Vec<_>, Vec<_>) =
            (watcher.decisions().collect(), member.decisions().collect());
        assert_eq!(left, right, "SEED={seed}");
        assert!(watcher.checkpoints().eq(member.checkpoints()), "SEED={seed}");
    }
}

#[test]
fn an_item_with_two_keys_gets_both_or_none() {
    let mut both = 0;
    for seed in 1..200 {
        let mut network = Network::new(quiet(4), seed);
        let pair = network.submit(&[key("a"), key("b")], Some(0));
        network.submit(&[key("a")], Some(usize::from(seed % 2 == 0) * 3));
        network.run(20_000);
        assert!(network.violations.is_empty());
        for engine in &network.engines {
            let (a, b) = (engine.decided(&key("a")), engine.decided(&key("b")));
            assert!(a.is_some(), "somebody has the raced key");
            assert_eq!(a == Some(pair), b == Some(pair), "SEED={seed}: {a:?}, {b:?}");
            both += usize::from(a == Some(pair));
        }
    }
    assert!((1..800).contains(&both), "each way happens: {both} of 796");
}

#[test]
fn three_members_are_no_committee_and_decide_nothing() {
    let members: Vec<_> = (0..3).map(|place| (author(place), 1)).collect();
    let refused = Committee::new(0, members);
    assert!(matches!(refused, Err(Error::Committee { members: 3, .. })), "{refused:?}");

    let mut state = State::new(Config::default(), NETWORK, None, author(0), minted(&[]));
    let item = item(1);
    let record = record(vertex_id(1), author(0), vec![item], Vec::new());
    let mut out = Vec::new();
    state.handle(Now::default(), Input::Record(record), &mut out);
    assert_eq!(out, Vec::new());
    assert_eq!(state.finality(Now::default(), |_| false), Finality::CausalOnly);
}

#[test]
fn without_a_quorum_in_reach_that_is_said() {
    let mut setup = quiet(4);
    setup.byzantine = [2, 3].into();
    let mut network = Network::new(setup, 1);
    network.submit(&[key("a")], None);
    network.run(30_000);
    let now = Now { mono_ms: 30_000, unix_ms: 0 };
    assert_eq!(network.engines[0].finality(now, |_| false), Finality::NoQuorum);
    // Who has ended is owed nothing.
    assert_eq!(network.engines[0].finality(now, |_| true), Finality::Quorum);
    assert_eq!(network.engines[0].decided(&key("a")), None);
}

#[test]
fn a_quorum_is_the_least_weight_over_two_thirds() {
    for (weights, quorum) in [
        (vec![1; 4], 3),
        (vec![1; 5], 4),
        (vec![1; 6], 5),
        (vec![1; 7], 5),
        (vec![1; 31], 21),
        (vec![3, 3, 3, 1], 7),
        (vec![1_048_576; 100], 69_905_067),
    ] {
        let all = committee(&weights);
        assert_eq!(all.quorum(), quorum, "{weights:?}");
        assert!(3 * quorum > 2 * all.total() && 3 * (quorum - 1) <= 2 * all.total());
        assert!(2 * quorum - all.total() > all.total() - quorum, "two share an honest member");
    }
}

fn item(number: u64) -> Item {
    let (id, author, keys) = (ItemId(vertex_id(number), 0), author(99), vec![key("a")]);
    Item { id, author, keys, seats: None, operation: None }
}

/// The votes of member 1 when a leader puts the second item forward, and three members report.
fn votes_on_second_item(shown: Option<ItemId>, mutant: Option<Mutant>) -> Vec<Vote> {
    let members = Some(committee(&[1; 4]));
    let mut state = State::new(Config::default(), NETWORK, members, author(1), minted(&[]));
    if let Some(mutant) = mutant {
        state.mutate(mutant);
    }
    let said = |number, place, vote| {
        let votes = vec![Votes { epoch: 0, votes: vec![vote] }];
        record(vertex_id(number), author(place), vec![], votes)
    };
    let outsider = |number| record(vertex_id(number), author(99), vec![item(number)], vec![]);
    let (proposer, items, cut) = (author(0), vec![item(2).id], None);
    let block = Block { slot: 0, view: 0, proposer, items, cut, closers: vec![] };
    let mut records = vec![outsider(1), outsider(2), said(3, 0, Vote::Propose(0, block))];
    for place in [0, 2, 3] {
        let number = 4 + u64::try_from(place).unwrap();
        records.push(said(number, place, Vote::Contested(key("a"), shown)));
    }
    let mut out = Vec::new();
    for record in records {
        state.handle(Now::default(), Input::Record(record), &mut out);
    }
    let votes = out.into_iter().filter_map(|output| match output {
        Output::Vote { vote, .. } => Some(vote),
        _ => None,
    });
    votes.collect()
}

#[test]
fn a_block_that_the_reports_do_not_allow_is_not_locked() {
    let locks = |votes: Vec<Vote>| votes.iter().any(|vote| matches!(vote, Vote::LockBlock(..)));
    let first = Some(ItemId(vertex_id(1), 0));
    assert!(locks(votes_on_second_item(None, None)), "nothing is locked: the leader is free");
    assert!(!locks(votes_on_second_item(first, None)), "the first item may have been decided");
    // The control: without the check it would be locked.
    assert!(locks(votes_on_second_item(first, Some(Mutant::Unchecked))));
}

#[test]
fn leaders_that_leave_something_out_are_passed() {
    // The leaders of the first views of each slot, as many as there may be.
    for (members, byzantine) in [(4, 1), (7, 2), (10, 3)] {
        let setup = Setup { byzantine: (0..byzantine).collect(), schemes: 16, ..quiet(members) };
        let mut network = Network::new(setup, 1);
        for first_at in [members - 2, members - 1] {
            network.submit(&[key("a")], Some(first_at));
        }
        network.run(20_000);
        for place in network.honest() {
            let decided = network.decided_ms[place].get(&key("a"));
            let (_, at_ms) = decided.unwrap_or_else(|| panic!("{place} of {members} waits"));
            eprintln!("{members} members, {byzantine} leave it out: {at_ms} ms");
        }
    }
}

#[test]
fn nothing_is_no_block_of_a_first_view() {
    // The leader decides what is asked for, so it leads on, and nothing else is.
    let setup = Setup { byzantine: [0].into(), schemes: 32, ..quiet(4) };
    let mut network = Network::new(setup, 1);
    network.submit(&[key("a")], Some(1));
    network.submit(&[key("a")], Some(2));
    network.run(60_000);
    for place in network.honest() {
        let engine = &network.engines[place];
        eprintln!("{} slots, {} checkpoints", engine.slot, engine.checkpoints().count());
        assert!(engine.decided(&key("a")).is_some() && engine.slot < 6, "{}", engine.slot);
        assert!(engine.last_checkpoint().is_some(), "what is due comes from another leader");
    }
}
