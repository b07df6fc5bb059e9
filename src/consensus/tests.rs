//! The engine among honest and Byzantine members, over many random runs.

use std::collections::BTreeSet;
use std::env;

use super::Config;
use super::state::Mutant;
use crate::rng::Rng;
use network::{Network, Setup, committee, key};

mod credits;
mod network;
mod past;
mod proofs;
mod rules;

/// Random runs of the safety test (count); `SCENARIOS` makes it longer.
const SCENARIOS: u64 = 2_000;
/// Seeds within which a control has to fail.
const CONTROL_SEEDS: u64 = 100;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Equal members, a quiet network with a round trip of 50 ms, nobody Byzantine.
fn quiet(members: usize) -> Setup {
    Setup {
        weights: vec![1; members],
        next: None,
        byzantine: BTreeSet::new(),
        schemes: 0,
        delay_ms: (20, 30),
        tail: (0, 0),
        healed_ms: 0,
        mutant: None,
        config: Config::default(),
        wallets: Vec::new(),
    }
}

/// A random run. Byzantine members have as much weight as is allowed, and `extra` members more.
fn random(seed: u64, extra: usize) -> Setup {
    let mut rng = Rng::from_u64_stream(seed, 1);
    let members = [4, 4, 4, 5, 7][usize::try_from(rng.below(5)).unwrap()];
    let heavy = rng.below(4) == 0;
    let mut weigh = || if heavy { 1 + rng.below(5) } else { 1 };
    let mut weights: Vec<u32> = (0..members).map(|_| weigh()).collect();
    // In the next epoch the first member is gone and one more is there.
    let mut next: Vec<u32> = (0..=members).map(|_| weigh()).collect();
    (next[0], weights) = (0, [weights, vec![0]].concat());
    let changes = rng.below(3) == 0 && extra == 0;
    let next = changes.then_some(next);
    let byzantine = traitors(&weights, next.as_deref(), extra, &mut rng);
    let healed_ms = if rng.below(3) == 0 { u64::from(rng.below(2_000)) } else { 0 };
    let usual = Config { checkpoint_decisions: 2, checkpoint_ms: 500, ..Config::default() };
    Setup {
        weights,
        next,
        byzantine,
        schemes: rng.below(8),
        delay_ms: (1, 1 + rng.below(120)),
        tail: (3 + rng.below(10), 1 + rng.below(1_500)),
        healed_ms,
        config: if rng.below(3) == 0 { hasty(usual) } else { usual },
        ..quiet(4)
    }
}

/// Members that give up long before a message can have come: timers are of no consequence for
/// safety, and all steps race with each other.
fn hasty(config: Config) -> Config {
    Config { timeout_ms_first: 20, timeout_ms_min: 5, timeout_ms_max: 40, ..config }
}

/// Members at random, with as much weight as is allowed in both epochs, and `extra` more.
fn traitors(
    weights: &[u32],
    next: Option<&[u32]>,
    mut extra: usize,
    rng: &mut Rng,
) -> BTreeSet<usize> {
    let both = [Some(weights), next];
    let mut places: Vec<usize> = (0..weights.len()).collect();
    rng.shuffle(&mut places);
    let mut chosen = BTreeSet::new();
    for place in places {
        chosen.insert(place);
        let too_many = both.iter().flatten().any(|weights| {
            let all = committee(weights);
            let weight: u64 = chosen.iter().map(|at: &usize| u64::from(weights[*at])).sum();
            weight > all.total() - all.quorum()
        });
        if too_many && extra == 0 {
            chosen.remove(&place);
        } else if too_many {
            extra -= 1;
        }
    }
    chosen
}

/// One or two keys with one to three items, first seen in different places; sometimes one item
/// claims both keys.
fn contend(network: &mut Network, seed: u64, names: [&str; 2]) {
    let mut rng = Rng::from_u64_stream(seed, 2);
    let members = u32::try_from(network.engines.len()).unwrap();
    let keys = names.map(key);
    for key in &keys[..=usize::from(rng.below(3) == 0)] {
        for _ in 0..=rng.below(3) {
            let first = usize::try_from(rng.below(members)).unwrap();
            network.submit(&[*key], Some(first));
        }
    }
    if rng.below(4) == 0 {
        network.submit(&keys, None);
    }
}

fn run(setup: Setup, seed: u64) -> Network {
    run_until(setup, seed, 3_600_000)
}

fn run_until(setup: Setup, seed: u64, until_ms: u64) -> Network {
    let mut network = Network::new(setup, seed);
    contend(&mut network, seed, ["a", "b"]);
    if network.setup.next.is_some() {
        network.run(seed % 400);
        network.submit_next();
        network.run(seed % 400 + 100);
        contend(&mut network, seed + 1, ["c", "d"]);
    }
    network.run(until_ms);
    network
}

#[test]
fn no_two_honest_members_decide_differently_and_everything_is_decided() {
    let first = number("SEED", 1);
    let (mut decisions, mut messages) = (0, 0);
    for seed in first..first + number("SCENARIOS", SCENARIOS) {
        let network = run(random(seed, 0), seed);
        assert!(network.violations.is_empty(), "SEED={seed}: {:?}", network.violations);
        for place in network.honest() {
            let pending = network.engines[place].pending();
            let state = &network.engines[place];
            assert_eq!(pending, 0, "SEED={seed}: member {place} waits for ever: {state:#?}");
            decisions += network.decided_ms[place].len();
            let epoch = u64::from(network.setup.next.is_some());
            assert_eq!(network.engines[place].epoch(), epoch, "SEED={seed}: member {place}");
            let checkpoints: Vec<_> = network.engines[place].checkpoints().collect();
            assert_eq!(checkpoints, first_checkpoints(&network), "SEED={seed}: member {place}");
        }
        messages += network.messages;
    }
    eprintln!("{decisions} decisions, {messages} messages delivered");
}

/// Those of the first honest member; what is written of them never differs.
fn first_checkpoints(network: &Network) -> Vec<&super::Checkpoint> {
    network.engines[network.honest()[0]].checkpoints().collect()
}

/// The first seed at which members disagree.
fn caught(setup: impl Fn(u64) -> Setup) -> Option<u64> {
    let clean = |seed: &u64| match seed % 2 {
        0 => run_until(setup(*seed), *seed, 20_000).violations.is_empty(),
        _ => duel(setup(*seed), *seed).violations.is_empty(),
    };
    (1..=CONTROL_SEEDS).find(|seed| !clean(seed))
}

/// A second item for the key while the first one is being decided.
fn duel(setup: Setup, seed: u64) -> Network {
    let mut network = Network::new(setup, seed);
    network.submit(&[key("a")], None);
    network.run(seed % 80);
    network.submit(&[key("a")], None);
    network.run(20_000);
    network
}

/// Four members of which this one plays to win, and a network on which half of the messages come
/// long after members gave up waiting.
fn adverse(byzantine: usize, seed: u64) -> Setup {
    let wait_ms = [20, 100, 300][usize::try_from(seed % 3).unwrap()];
    let config = Config { timeout_ms_first: wait_ms, timeout_ms_min: wait_ms, ..Config::default() };
    Setup {
        byzantine: [byzantine].into(),
        schemes: [5, 7][usize::try_from(seed % 2).unwrap()],
        delay_ms: (5, 40),
        tail: (2, 800),
        config: Config { timeout_ms_max: wait_ms, ..config },
        ..quiet(4)
    }
}

#[test]
fn more_byzantine_weight_than_a_third_is_caught() {
    let seed = caught(|seed| Setup { schemes: 1, ..random(seed, 1) });
    eprintln!("over a third: seed {seed:?}");
    assert!(seed.is_some());
}

#[test]
fn mutants_are_caught() {
    // Each with the leader of the view in which it matters.
    let mutants = [(Mutant::SmallQuorum, 0), (Mutant::FreeLeader, 1), (Mutant::VotesOn, 0)];
    let seeds = mutants.map(|(mutant, byzantine)| {
        let seed = caught(|seed| Setup { mutant: Some(mutant), ..adverse(byzantine, seed) });
        eprintln!("{mutant:?}: seed {seed:?}");
        seed
    });
    let sound = [0, 1].map(|byzantine| caught(|seed| adverse(byzantine, seed)));
    assert_eq!(sound, [None, None], "without a mutant nothing is found");
    assert!(seeds.iter().all(Option::is_some), "{mutants:?}: {seeds:?}");
}

/// Milliseconds until the median and the last member decided.
fn latency(members: usize, items: usize, byzantine: usize) -> (u64, u64) {
    let setup = Setup { byzantine: (members - byzantine..members).collect(), ..quiet(members) };
    let mut network = Network::new(setup, 1);
    for item in 0..items {
        network.submit(&[key("a")], Some(item * members / items));
    }
    network.run(20_000);
    let honest = network.honest();
    let decided = honest.iter().filter_map(|place| network.decided_ms[*place].get(&key("a")));
    let mut times: Vec<u64> = decided.map(|(_, at)| *at).collect();
    assert_eq!(times.len(), honest.len(), "everybody decides");
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() - 1])
}

/// Without it a contest lasts until every member has spoken, or a view is over.
#[test]
fn who_owes_an_answer_for_longer_than_a_view_is_not_waited_for() {
    let times = [false, true].map(|is_known| {
        let mut network = Network::new(Setup { byzantine: (11..16).collect(), ..quiet(16) }, 1);
        if is_known {
            network.submit(&[key("before")], None);
        }
        network.run(10_000);
        let asked_ms = network.now_ms;
        network.submit(&[key("a")], Some(0));
        network.submit(&[key("a")], Some(8));
        network.run(30_000);
        let decided = |place: usize| network.decided_ms[place].get(&key("a")).unwrap().1;
        let last_ms = network.honest().into_iter().map(decided).max().unwrap();
        last_ms - asked_ms
    });
    eprintln!("a race of two beside five of sixteen that are silent: {times:?} ms");
    assert!(times[1] < times[0]);
}

#[test]
fn decisions_take_three_delays_and_contested_ones_seven() {
    eprintln!("members  silent  uncontested p50/last  contested p50/last  (virtual ms, RTT 50)");
    for members in [4, 16, 31] {
        for byzantine in [0, (members - 1) / 3] {
            let (plain, race) = (latency(members, 1, byzantine), latency(members, 2, byzantine));
            eprintln!(
                "{members:7}  {byzantine:6}  {:9} / {:<8}  {:9} / {:<8}",
                plain.0, plain.1, race.0, race.1
            );
            assert!(plain.1 <= 3 * 30, "item, lock, commit");
            assert!(byzantine > 0 || race.1 <= 7 * 30, "{race:?}");
        }
    }
}
