//! The table of `npm run sim -- --latency`: milliseconds of virtual time from an owner's command
//! until its item is final, over many seeds.

use synaptic_mesh::sim::latency::{Latencies, Times, percentile};
use synaptic_mesh::sim::{self, Scenario, catalogue};

/// Silent members of a hundred, and the goals in milliseconds at the median and at the 99th
/// percentile: uncontested, then contested.
type Row = (usize, [Option<u64>; 2], [Option<u64>; 2]);
const ROWS: [Row; 3] = [
    (0, [Some(130), Some(250)], [Some(350), Some(500)]),
    (20, [None, Some(300)], [Some(400), Some(800)]),
    (33, [None, Some(600)], [Some(500), Some(1_000)]),
];

const HEAD: &str =
    "| members | silent | key | items | own p50 / p99 | everywhere p50 / p99 | goal |
|---|---|---|---|---|---|---|";

/// Runs `seeds` seeds from that of the scenario on for each row; `false` when an invariant broke.
pub(crate) fn table(scenario: &Scenario, seeds: u64, say: fn(&str)) -> Result<bool, String> {
    if scenario.committee.is_none() {
        return Err(format!("{} has no committee; try --scenario finality", scenario.name));
    }
    say(HEAD);
    for (share, uncontested, contested) in ROWS {
        let silent = scenario.nodes * share / 100;
        let mut latencies = Latencies::default();
        for seed in scenario.seed..scenario.seed + seeds {
            let seeded = Scenario { seed, ..scenario.clone() };
            let report = sim::run(&catalogue::undisturbed(&seeded, silent));
            if let Some(violation) = report.violation {
                say(&format!("seed {seed}, {silent} silent: {violation}"));
                return Ok(false);
            }
            latencies.add(&report.latencies);
        }
        let begin = format!("| {} | {silent}", scenario.nodes);
        say(&format!("{begin} | uncontested {}", cells(&latencies.uncontested, uncontested)));
        say(&format!("{begin} | contested {}", cells(&latencies.contested, contested)));
    }
    Ok(true)
}

fn cells(times: &Times, goals: [Option<u64>; 2]) -> String {
    let of = |times: &[u64], share| percentile(times, share).unwrap_or(0);
    let pair = |times: &[u64]| format!("{} / {}", of(times, 50), of(times, 99));
    let [p50, p99] = goals.map(|goal| goal.map_or("-".to_owned(), |ms| ms.to_string()));
    let missed = [50, 99]
        .iter()
        .zip(goals)
        .any(|(share, goal)| goal.is_some_and(|goal| of(&times.own_ms, *share) > goal));
    let verdict = if missed { "missed" } else { "met" };
    let (own, everywhere) = (pair(&times.own_ms), pair(&times.everywhere_ms));
    format!("| {} | {own} | {everywhere} | {p50} / {p99}: {verdict} |", times.own_ms.len())
}
