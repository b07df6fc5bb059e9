//! The finality protocol as a small model, checked in every reachable state by `stateright`.
//!
//! Four members, one of them Byzantine, one conflict key with two candidates: every order of
//! every step and everything the Byzantine member can say, for both paths with two views of the
//! slow one, and for the slow one with three. The rules are those of `docs/finality.md`; each
//! mutant below breaks one of them and must be caught.
//!
//! # Why there are no messages
//! Every rule has the form "members of a quorum have said ...": what has been said can enable a
//! step and never forbids one. So a network that delays, reorders and repeats at will is the
//! same as one in which a member *may* take a step as soon as the statements for it exist
//! somewhere. What the Byzantine member says exists from the start, all of it, contradictions
//! included. What remains of a member's knowledge is what its reports show, and that is a choice
//! here, bounded by what it acted on before.

// The checker has threads of its own.
#![cfg(not(target_arch = "wasm32"))]

mod rules;

use rules::{Finality, Rules};
use stateright::{Checker, HasDiscoveries, Model};

const SAFETY: &str = "one decision";
const LIVENESS: &str = "a sound leader settles it";

/// Explores reachable states until one of these properties fails, else all of them; gives the one
/// that failed.
#[expect(clippy::print_stdout, reason = "what was explored belongs into the log")]
fn explore(name: &str, model: Finality, may_fail: &[&'static str]) -> Option<&'static str> {
    let enough = HasDiscoveries::AnyOf(may_fail.iter().copied().collect());
    let checker = model.checker().threads(2).finish_when(enough).spawn_bfs().join();
    println!("{name}: {} states, depth {}", checker.unique_state_count(), checker.max_depth());
    let found = may_fail.iter().find(|property| checker.discovery(property).is_some());
    if let Some(property) = found.copied() {
        let steps = checker.discovery(property).expect("just found").into_actions();
        println!("  \"{property}\" fails after {} steps: {steps:?}", steps.len());
        return Some(property);
    }
    // The control of the control: a model in which nothing happens satisfies everything.
    for possible in ["decided at once", "decided by a leader", "decided in the last view"] {
        assert!(checker.discovery(possible).is_some(), "{possible}: never reached");
    }
    None
}

/// The fast path, and this many views of the slow one.
fn both(views: usize, rules: Rules) -> Finality {
    Finality { rules, views, fast: true }
}

/// The slow path alone, when everybody has reported that nothing is locked.
fn slow(views: usize, rules: Rules) -> Finality {
    Finality { rules, views, fast: false }
}

#[test]
fn no_order_of_steps_decides_twice_and_a_decision_stays_possible() {
    let all = [SAFETY, LIVENESS];
    assert_eq!(explore("both paths, two views", both(2, Rules::SOUND), &all), None);
    assert_eq!(explore("slow path, three views", slow(3, Rules::SOUND), &all), None);
}

#[test]
fn every_mutant_of_the_rules_is_caught() {
    let sound = Rules::SOUND;
    let less = Rules { quorum: sound.quorum - 1, ..sound };
    let mutants = [
        ("a quorum of one less", both(1, less)),
        ("blocks are not checked", both(1, Rules { blocks_checked: false, ..sound })),
        ("a member votes twice", both(1, Rules { votes_once: false, ..sound })),
        ("a commit after the report", both(1, Rules { reports_stop_commits: false, ..sound })),
        ("a report hides the lock", both(1, Rules { reports_show_locks: false, ..sound })),
        ("the next leader is free", slow(2, Rules { views_checked: false, ..sound })),
        ("a commit in a view left", slow(2, Rules { views_stop_commits: false, ..sound })),
        ("any certificate binds", slow(3, Rules { highest_binds: false, ..sound })),
    ];
    for (name, model) in mutants {
        assert_eq!(explore(name, model, &[SAFETY]), Some(SAFETY), "{name} was not caught");
    }
    let more = both(1, Rules { quorum: sound.quorum + 1, ..sound });
    assert_eq!(explore("a quorum of one more", more, &[LIVENESS]), Some(LIVENESS));
}
