//! Polls until a decision, against the closed form.
//!
//! A poll succeeds with `p = P[Bin(k, 1 - b) >= alpha]` when a share `b` of the stake is silent.
//! The number of trials until `beta` successes in a row has the mean
//! `(1 - p^beta) / (p^beta (1 - p))` (Feller, "An Introduction to Probability Theory", XIII.7).

use std::collections::VecDeque;

use synaptic_mesh::clock::Now;
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sampling::{Ballot, Config, Input, Members, Output, Question, Rule, State};

use crate::sampled::{NETWORK, item, key, signing_key};

const MEMBERS: u32 = 100;

fn binomial_tail(trials: u32, success: f64, least: u32) -> f64 {
    let choose = |count: u32| {
        (0..count).fold(1.0, |all, at| all * f64::from(trials - at) / f64::from(at + 1))
    };
    let term = |count: u32| {
        let (hits, misses) = (i32::try_from(count), i32::try_from(trials - count));
        choose(count) * success.powi(hits.unwrap()) * (1.0 - success).powi(misses.unwrap())
    };
    (least..=trials).map(term).sum()
}

/// The mean number of polls until a decision.
fn expected(config: &Config, silent: f64) -> f64 {
    let p = binomial_tail(config.k, 1.0 - silent, config.alpha_confidence);
    let streak = p.powi(i32::try_from(config.beta).unwrap());
    // Without failures the quotient is 0 / 0.
    if p > 1.0 - 1e-12 { f64::from(config.beta) } else { (1.0 - streak) / (streak * (1.0 - p)) }
}

/// Polls that one engine counted until it decided, when the first so many of a hundred members of
/// equal stake never answer.
fn polls(config: Config, silent_percent: u32, seed: u64) -> f64 {
    let keys: Vec<_> = (0..MEMBERS).map(|n| signing_key(usize::try_from(n).unwrap())).collect();
    let names: Vec<_> = keys.iter().map(|key| AuthorId::of(key.public())).collect();
    let mut members = Members::new(names.iter().map(|name| (*name, 1)).collect()).unwrap();
    assert!(keys.iter().all(|key| members.introduce(key.public())));
    let me = AuthorId::from_bytes([0; 32]);
    let mut state = State::new(config, NETWORK, members, me, Rng::from_u64(seed)).unwrap();
    let silent = usize::try_from(silent_percent).unwrap();
    let (mut now_ms, mut out) = (0, Vec::new());
    let mut inputs = VecDeque::from([Input::Item(key(), item(0))]);
    while state.decided(&key()).is_none() {
        // Time passes when everybody who answers has answered.
        let input = inputs.pop_front().unwrap_or_else(|| {
            now_ms += config.poll_ms;
            Input::Tick
        });
        state.handle(Now { mono_ms: now_ms, unix_ms: 0 }, input, &mut out);
        for output in out.drain(..) {
            let Output::Ask(member, Question { poll, key }) = output else { continue };
            let place = names.iter().position(|name| *name == member).unwrap();
            if place >= silent {
                let ballot = Ballot { poll, key, preference: Some(item(0)) };
                let answer = ballot.sign(&NETWORK, &me, &keys[place], [0; 32]);
                inputs.push_back(Input::Answer(member, answer));
            }
        }
    }
    u32::try_from(state.counters().counted).map(f64::from).unwrap()
}

/// By how many standard errors the mean of some runs differs from the closed form of `theory`.
fn deviation(config: Config, theory: &Config, silent_percent: u32, runs: u64) -> f64 {
    let found: Vec<f64> = (1..=runs).map(|seed| polls(config, silent_percent, seed)).collect();
    let count = f64::from(u32::try_from(runs).unwrap());
    let mean = found.iter().sum::<f64>() / count;
    let variance = found.iter().map(|polls| (polls - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let theory = expected(theory, f64::from(silent_percent) / 100.0);
    let error = (variance / count).sqrt().max(1e-9);
    eprintln!("{silent_percent} % silent: {mean:.1} polls, {theory:.1} in theory, +- {error:.1}");
    (mean - theory) / error
}

#[test]
fn the_table_of_the_page_is_the_closed_form() {
    let config = Config::default();
    let third = 1.0 / 3.0;
    let published =
        [(0.0, 20.0), (0.1, 22.6), (0.15, 45.0), (0.2, 394.0), (0.25, 4.1e4), (third, 4.9e10)];
    for (silent, polls) in published {
        let found = expected(&config, silent);
        assert!((found / polls - 1.0).abs() < 0.015, "{silent}: {found}");
    }
}

#[test]
fn polls_until_a_decision_are_as_many_as_the_closed_form_says() {
    // With 4 standard errors an honest engine fails one case of 16,000.
    for rule in [Rule::Snowflake, Rule::Snowball] {
        for (percent, runs) in [(0, 5), (10, 200), (15, 200), (20, 120)] {
            let config = Config { rule, ..Config::default() };
            let off = deviation(config, &config, percent, runs);
            assert!(off.abs() < 4.0, "{percent} % silent: {off:.1} standard errors off");
        }
    }
}

#[test]
fn an_alpha_that_is_off_by_one_is_noticed() {
    let theory = Config::default();
    for (alpha, percent, runs) in [(14, 20, 60), (14, 15, 200), (16, 10, 200)] {
        let config = Config { alpha_preference: alpha, alpha_confidence: alpha, ..theory };
        let off = deviation(config, &theory, percent, runs);
        assert!(off.abs() > 4.0, "alpha {alpha}: {off:.1} standard errors off");
    }
}
