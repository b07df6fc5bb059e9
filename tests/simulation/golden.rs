//! The same scenario gives the same trace: twice in one process, and natively as in wasm, where
//! `tests/wasm/simulation.rs` compares with the same file.
//!
//! Whatever changes what nodes do changes the hashes; `GOLDEN=write` writes them anew.

use std::collections::BTreeMap;

use synaptic_mesh::sim::{self, catalogue};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/golden.json");

#[test]
fn the_same_scenario_gives_the_same_trace() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let mut golden: BTreeMap<String, String> = serde_json::from_str(&text).unwrap();
    assert!(golden.len() >= 3, "{golden:?}");
    for (name, expected) in &mut golden {
        let (scenario, nodes, seed) = parts(name);
        let scenario = catalogue::named(scenario, Some(nodes), seed).unwrap();
        let (first, second) = (sim::run(&scenario), sim::run(&scenario));
        assert!(first.is_ok(), "{}", first.to_text());
        assert_eq!(first.trace_hash, second.trace_hash, "{name} is another one the second time");
        if std::env::var("GOLDEN").is_ok_and(|word| word == "write") {
            expected.clone_from(&first.trace_hash);
        }
        assert_eq!(first.trace_hash, *expected, "{name}: GOLDEN=write writes the new hash");
    }
    std::fs::write(FILE, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
}

#[test]
fn another_seed_gives_another_trace() {
    let run = |seed| sim::run(&catalogue::named("crashes", Some(4), seed).unwrap()).trace_hash;
    assert_ne!(run(1), run(2));
}

/// `partition-heal 24 7` is a scenario, its members and its seed.
fn parts(name: &str) -> (&str, usize, u64) {
    let words: Vec<&str> = name.split(' ').collect();
    let [scenario, nodes, seed] = words[..] else { panic!("{name:?} has not three words") };
    (scenario, nodes.parse().unwrap(), seed.parse().unwrap())
}
