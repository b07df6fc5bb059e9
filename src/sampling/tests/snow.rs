//! Snowflake and Snowball against their definitions.

use super::item;
use crate::dag::vote::ItemId;
use crate::rng::Rng;
use crate::sampling::{Config, Rule, Snow};

/// The same, told from all results at once instead of one after the other.
struct Oracle {
    preference: ItemId,
    confidence: u32,
    decided: Option<ItemId>,
}

fn oracle(config: &Config, first: ItemId, results: &[Option<(ItemId, u32)>]) -> Oracle {
    let decided_at =
        (0..results.len()).find(|at| run(config, first, &results[..=*at]).1 >= config.beta);
    let results = decided_at.map_or(results, |at| &results[..=at]);
    let (last, confidence) = run(config, first, results);
    let decided = decided_at.map(|_| last);
    let preference = match config.rule {
        Rule::Snowball if decided.is_none() => strongest(config, first, results),
        _ => last,
    };
    Oracle { preference, confidence, decided }
}

fn successes(config: &Config, results: &[Option<(ItemId, u32)>]) -> Vec<ItemId> {
    let enough = |result: &&Option<(ItemId, u32)>| {
        result.is_some_and(|(_, seats)| seats >= config.alpha_preference)
    };
    results.iter().filter(enough).map(|result| result.unwrap().0).collect()
}

/// The last item that was preferred, and the length of the run of polls at the end that are
/// confident of it.
fn run(config: &Config, first: ItemId, results: &[Option<(ItemId, u32)>]) -> (ItemId, u32) {
    let last = successes(config, results).last().copied().unwrap_or(first);
    let confident = |result: &&Option<(ItemId, u32)>| {
        result.is_some_and(|(item, seats)| item == last && seats >= config.alpha_confidence)
    };
    let length = results.iter().rev().take_while(confident).count();
    (last, u32::try_from(length).unwrap())
}

/// The item that was the first to reach the greatest number of successful polls.
fn strongest(config: &Config, first: ItemId, results: &[Option<(ItemId, u32)>]) -> ItemId {
    let won = successes(config, results);
    let count =
        |until: usize, item: ItemId| won[..until].iter().filter(|won| **won == item).count();
    let most = won.iter().map(|item| count(won.len(), *item)).max().unwrap_or(0);
    let reached = (1..=won.len()).find(|until| count(*until, won[until - 1]) == most);
    reached.map_or(first, |until| won[until - 1])
}

#[test]
fn both_rules_are_what_their_definitions_say() {
    for seed in 0..400 {
        let mut rng = Rng::from_u64(seed);
        let rule = if seed % 2 == 0 { Rule::Snowflake } else { Rule::Snowball };
        let beta = 1 + rng.below(6);
        let config =
            Config { rule, alpha_preference: 11, beta, concurrent: 1, ..Config::default() };
        let mut snow = Snow::new(item(0));
        let mut results = Vec::new();
        for _ in 0..60 {
            let seats = 8 + rng.below(13);
            let winner = item(u8::try_from(rng.below(3)).unwrap());
            results.push((rng.below(8) > 0).then_some((winner, seats)));
            snow.record(&config, *results.last().unwrap());
            let expected = oracle(&config, item(0), &results);
            let found = (snow.preference(rule), snow.confidence(), snow.decided());
            let expected = (expected.preference, expected.confidence, expected.decided);
            assert_eq!(found, expected, "seed {seed}: {results:?}");
        }
    }
}

#[test]
fn one_odd_poll_turns_snowflake_round_and_snowball_not() {
    let results = [(1, 20), (1, 20), (2, 20)].map(|(number, seats)| Some((item(number), seats)));
    let preference = |rule| {
        let config = Config { rule, ..Config::default() };
        let mut snow = Snow::new(item(2));
        for result in results {
            snow.record(&config, result);
        }
        (snow.preference(rule), snow.confidence())
    };
    assert_eq!(preference(Rule::Snowflake), (item(2), 1));
    assert_eq!(preference(Rule::Snowball), (item(1), 1));
}

#[test]
fn what_was_decided_stays_whatever_is_recorded_afterwards() {
    let config = Config { beta: 2, concurrent: 1, ..Config::default() };
    let mut snow = Snow::new(item(1));
    for _ in 0..2 {
        snow.record(&config, Some((item(1), 15)));
    }
    assert_eq!(snow.decided(), Some(item(1)));
    for _ in 0..50 {
        snow.record(&config, Some((item(2), 20)));
    }
    assert_eq!(snow.decided(), Some(item(1)));
}

#[test]
fn parameters_that_do_not_fit_each_other_are_refused() {
    let good = Config::default();
    assert_eq!(good.validate(), Ok(()));
    let bad = [
        Config { k: 0, ..good },
        Config { k: 65, ..good },
        Config { alpha_preference: 10, ..good },
        Config { alpha_preference: 16, ..good },
        Config { alpha_confidence: 21, ..good },
        Config { beta: 0, ..good },
        Config { beta: 3, ..good },
        Config { beta: 1_025, ..good },
        Config { concurrent: 0, ..good },
        Config { concurrent: 17, ..good },
        Config { poll_ms: 0, ..good },
    ];
    for config in bad {
        let error = config.validate().expect_err("it is refused");
        assert_eq!(error.code(), "sampling-config-invalid", "{config:?}");
    }
    // The control: the least that is allowed.
    let least =
        Config { k: 1, alpha_preference: 1, alpha_confidence: 1, beta: 1, concurrent: 1, ..good };
    assert_eq!(least.validate(), Ok(()));
}
