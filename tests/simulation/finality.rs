//! Controls of finality: broken rules and one attacker too many, each of which has to be caught;
//! and what the simulator measures about a committee that is left in peace.

use synaptic_mesh::dag::mutant::Check;
use synaptic_mesh::sim::byzantine::Attack;
use synaptic_mesh::sim::checker::{ONE_ITEM, OneItem};
use synaptic_mesh::sim::latency::{Latencies, percentile};
use synaptic_mesh::sim::scenario::{Bounds, Committee, Fault, Latency, Mutant, Workload};
use synaptic_mesh::sim::trace::Trace;
use synaptic_mesh::sim::{self, Invariant, Scenario, World, catalogue};

/// Seeds within which a broken rule has to be caught (count).
const SEEDS_MAX: u64 = 100;
/// Names of invariants.
const ONE_VOTE: &str = "S3 honest members never contradict their votes";
const CHECKPOINTS: &str = "S6 checkpoints are the same everywhere";
const UNCONTESTED: &str = "L2 what nobody contests becomes final";
const CONTESTED: &str = "L3 every contested key is decided";

/// Four members race for names on links that differ, and these attack.
fn race(seed: u64, attackers: &[(usize, Attack)]) -> Scenario {
    let mut scenario = catalogue::named("finality", Some(4), seed).unwrap();
    scenario.committee = Some(Committee {
        members: (0..4).map(|node| (node, 1)).collect(),
        balances: (0..4).map(|node| (node, 1_000)).collect(),
        checkpoint_ms: None,
    });
    scenario.network.latency = Latency::Lognormal { median_ms: 40, sigma_milli: 900 };
    scenario.workload =
        Workload { contests_per_minute: 60, until_ms: 40_000, ..Workload::default() };
    let byzantine = |(node, attack): &(usize, Attack)| Fault::Byzantine {
        at_ms: 3_000,
        node: *node,
        attack: *attack,
    };
    scenario.faults = attackers.iter().map(byzantine).collect();
    scenario.bounds = Bounds { converge_ms: 30_000, ..Bounds::default() };
    scenario.horizon_ms = 75_000;
    scenario
}

/// The same, and members crash within writes all the time.
fn crashing(seed: u64, attackers: &[(usize, Attack)]) -> Scenario {
    let mut scenario = race(seed, attackers);
    for turn in 0..24 {
        let (at_ms, node) = (18_000 + turn * 900, usize::try_from(turn % 3).unwrap());
        scenario.faults.push(Fault::CrashInWrite { at_ms, node, down_ms: 200 });
    }
    scenario
}

/// Tries seeds until the broken rule is caught by one of these; without it the seed must pass.
fn caught(check: Check, make: impl Fn(u64) -> Scenario, by: &[&str]) {
    for seed in 1..=SEEDS_MAX {
        let sound = make(seed);
        let mutant = Some(Mutant::Skip(check));
        let report = sim::run(&Scenario { mutant, ..sound.clone() });
        let Some(violation) = report.violation else { continue };
        println!("{check:?}: caught with seed {seed}: {violation}");
        assert!(by.contains(&violation.invariant), "by {:?}", violation.invariant);
        let report = sim::run(&sound);
        assert!(report.is_ok(), "without the defect: {}", report.to_text());
        return;
    }
    panic!("{check:?} was not caught in {SEEDS_MAX} seeds");
}

/// Tries seeds until the broken rule leads to two decisions for one key.
fn breaks_s1(check: Check, make: impl Fn(u64) -> Scenario) {
    let found = (1..=SEEDS_MAX).find_map(|seed| {
        let scenario = Scenario { mutant: Some(Mutant::Skip(check)), ..make(seed) };
        let decisions: Vec<Box<dyn Invariant>> = vec![Box::new(OneItem::default())];
        let report = World::with(scenario, Trace::hash_only(), decisions).run();
        report.violation.map(|violation| (seed, violation))
    });
    let (seed, violation) = found.expect("two members decide differently");
    println!("{check:?}: caught with seed {seed}: {violation}");
    assert_eq!(violation.invariant, ONE_ITEM);
}

#[test]
fn a_quorum_that_is_one_member_too_small_is_caught() {
    caught(Check::Quorum, |seed| race(seed, &[(3, Attack::VoteBoth)]), &[ONE_ITEM]);
}

#[test]
fn members_that_forget_their_votes_over_a_restart_are_caught() {
    caught(Check::OwnVotes, |seed| crashing(seed, &[]), &[ONE_VOTE, ONE_ITEM]);
}

/// The same with everything but decisions left aside: together with one liar, which alone is less
/// than a third, members that forget make two decisions of one.
#[test]
fn two_decisions_through_forgotten_votes_are_caught() {
    breaks_s1(Check::OwnVotes, |seed| crashing(seed, &[(3, Attack::VoteBoth)]));
}

#[test]
fn members_that_vote_on_after_their_report_are_caught() {
    caught(Check::Report, |seed| race(seed, &[(3, Attack::VoteBoth)]), &[ONE_VOTE, ONE_ITEM]);
}

#[test]
fn two_decisions_through_votes_after_a_report_are_caught() {
    breaks_s1(Check::Report, |seed| race(seed, &[(3, Attack::VoteBoth)]));
}

#[test]
fn members_that_lock_false_roots_are_caught() {
    caught(Check::Root, |seed| race(seed, &[(3, Attack::FalseRoots)]), &[CHECKPOINTS]);
}

#[test]
fn members_that_never_look_again_at_what_was_not_possible_are_caught() {
    let poor = |seed| {
        let mut scenario = race(seed, &[]);
        scenario.workload.contests_per_minute = 0;
        scenario.workload.transfers_per_minute = 600;
        scenario
    };
    caught(Check::Reopened, poor, &[UNCONTESTED, CONTESTED]);
}

/// Less than a third of the weight attacks in each way: nothing breaks. One member more, and two
/// honest members have different items for one key.
#[test]
fn a_third_of_byzantine_weight_breaks_what_less_does_not() {
    let two = [(2, Attack::VoteBoth), (3, Attack::VoteBoth)];
    let found = (1..=SEEDS_MAX).find_map(|seed| {
        let violation = sim::run(&race(seed, &two)).violation?;
        (violation.invariant == ONE_ITEM).then_some((seed, violation))
    });
    let (seed, violation) = found.expect("half of the weight breaks S1");
    println!("two of four attack: caught with seed {seed}: {violation}");
    let report = sim::run(&race(seed, &two[1..]));
    assert!(report.is_ok(), "one of four: {}", report.to_text());
}

#[test]
fn no_attack_of_less_than_a_third_breaks_anything_even_while_others_crash() {
    for (attack, seed) in sim::byzantine::VOTE_ATTACKS.iter().zip(1..) {
        for scenario in [race(seed, &[(3, *attack)]), crashing(seed, &[(3, *attack)])] {
            let report = sim::run(&scenario);
            assert!(report.is_ok(), "{attack:?}, seed {seed}: {}", report.to_text());
            assert!(report.figure("keys decided") > 20, "{attack:?}: {}", report.to_text());
        }
    }
}

/// Goals of an undisturbed committee of 16 on a round trip of 50 ms; `docs/benchmarks.md` has the
/// figures of 200 seeds.
#[test]
fn an_undisturbed_committee_decides_within_its_goals() {
    let mut latencies = Latencies::default();
    for seed in 1..=3 {
        let finality = catalogue::named("finality", None, seed).unwrap();
        let report = sim::run(&catalogue::undisturbed(&finality, 0));
        assert!(report.is_ok(), "seed {seed}: {}", report.to_text());
        latencies.add(&report.latencies);
    }
    let of = |times: &[u64], share| percentile(times, share).unwrap();
    let (own, everywhere) = (&latencies.uncontested.own_ms, &latencies.uncontested.everywhere_ms);
    println!(
        "own {} / {}, everywhere {} / {}, contested own {} / {}",
        of(own, 50),
        of(own, 99),
        of(everywhere, 50),
        of(everywhere, 99),
        of(&latencies.contested.own_ms, 50),
        of(&latencies.contested.own_ms, 99)
    );
    assert!(own.len() > 30 && everywhere.len() == own.len());
    assert!(of(own, 50) <= 130 && of(own, 99) <= 250);
    assert!(own.iter().zip(everywhere).all(|(own, everywhere)| own <= everywhere));
}

#[test]
fn what_cannot_decide_is_refused_in_words() {
    let read = |committee: &str| {
        let text =
            format!("{{\"name\":\"x\",\"seed\":1,\"nodes\":5,\"horizon_ms\":90000,{committee}}}");
        Scenario::from_json(&text).unwrap_err()
    };
    let load = "\"workload\":{\"items_per_minute\":1}";
    assert!(read(load).contains("need a committee"));
    let members = |text: &str| format!("\"committee\":{{\"members\":[{text}]}}");
    assert!(read(&members("[0,1],[1,1],[2,1]")).contains("4 to 100"));
    assert!(read(&members("[0,1],[1,1],[2,1],[2,1]")).contains("twice"));
    assert!(read(&members("[0,1],[1,1],[2,1],[3,0]")).contains("weigh 1"));
    assert!(read(&members("[0,1],[1,1],[2,1],[5,1]")).contains("member 5"));
}
