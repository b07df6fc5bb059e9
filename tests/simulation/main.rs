//! Simulated networks: scenarios from files, random ones, defects that have to be caught, and
//! traces that have to be the same.
//!
//! `cargo test --profile sim --features sim --test simulation` runs all; `SEED` is the first seed
//! of the random scenarios (1) and `SEEDS` how many there are (300). A scenario file is what
//! `npm run sim -- --shrink` writes, or `--print`; each file that ever failed stays.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests print what they tried")]

mod controls;
mod finality;
mod golden;
mod live;
mod picture;
mod small;
mod storage;

use synaptic_mesh::sim::{self, Scenario, catalogue};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn every_invariant_holds_in_every_scenario_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with(".scenario.json"));
    files.sort();
    assert!(files.len() >= 5, "{} scenario files in {folder}", files.len());
    for path in files {
        let scenario = Scenario::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = sim::run(&scenario);
        println!("{}: {} events, {}", scenario.name, report.events, report.trace_hash);
        assert!(report.is_ok(), "{}:\n{}", path.display(), report.to_text());
    }
}

#[test]
fn every_invariant_holds_in_random_scenarios() {
    let (first, count) = (number("SEED", 1), number("SEEDS", 300));
    let (mut events, mut virtual_ms) = (0, 0);
    for seed in first..first + count {
        let scenario = catalogue::random(seed, None);
        let report = sim::run(&scenario);
        assert!(
            report.is_ok(),
            "SEED={seed}: {}\nnpm run sim -- --scenario random --seed {seed} --shrink",
            report.to_text()
        );
        events += report.events;
        virtual_ms += report.simulated_ms;
    }
    let hours = virtual_ms / 3_600_000;
    println!("{count} random scenarios from seed {first}: {events} events, {hours} virtual hours");
}

#[test]
fn a_scenario_is_the_same_whether_it_is_drawn_or_read_from_a_file() {
    for seed in 1..50 {
        let scenario = catalogue::random(seed, None);
        scenario.check().unwrap();
        assert_eq!(Scenario::from_json(&scenario.to_json()).unwrap(), scenario);
    }
}
