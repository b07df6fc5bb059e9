//! Making a failing scenario small: fewer faults, members, operations and less time.
//!
//! Delta debugging (Zeller and Hildebrandt, 2002) over the lists of a scenario, then halving of its
//! numbers, again and again until nothing can go. A smaller scenario counts when the same invariant
//! breaks. The random streams are named, so what remains behaves much as before; where it does not,
//! the smaller scenario is not taken.

use super::run;
use super::scenario::{Fault, Scenario};

/// Simulations that shrinking may take (count). Arbitrary, sane.
const RUNS_MAX: u32 = 400;

/// The smallest scenario that was found to break the same invariant; the scenario itself when it
/// breaks none. `progress` hears of every step that was taken.
pub fn shrink(scenario: &Scenario, progress: impl FnMut(&str)) -> Scenario {
    let Some(violation) = run(scenario).violation else { return scenario.clone() };
    let mut search = Search {
        best: scenario.clone(),
        invariant: violation.invariant,
        runs: 0,
        progress: Box::new(progress),
    };
    search.cut_horizon(violation.at_ms);
    while search.pass() {}
    search.best
}

struct Search<'a> {
    best: Scenario,
    invariant: &'static str,
    runs: u32,
    progress: Box<dyn FnMut(&str) + 'a>,
}

impl Search<'_> {
    /// Takes every kind of step once; whether any led on.
    fn pass(&mut self) -> bool {
        let mut led_on = self.lists();
        for change in [nodes, runs, statements, loss, workload_end, network, mild_faults] {
            led_on |= self.repeat(change);
        }
        led_on
    }

    /// Keeps a candidate if it fails in the same way.
    fn try_out(&mut self, candidate: Scenario, step: &str) -> bool {
        if self.runs >= RUNS_MAX || candidate == self.best || candidate.check().is_err() {
            return false;
        }
        self.runs += 1;
        let Some(violation) = run(&candidate).violation else { return false };
        if violation.invariant != self.invariant {
            return false;
        }
        (self.progress)(step);
        self.best = candidate;
        self.cut_horizon(violation.at_ms);
        true
    }

    /// What comes after the violation is not simulated. Only a bound on convergence needs the whole
    /// time, and a horizon that leaves none is refused.
    fn cut_horizon(&mut self, at_ms: u64) {
        let mut candidate = self.best.clone();
        candidate.horizon_ms = at_ms + 1;
        let quiet_ms = candidate.quiet_ms();
        candidate.bounds.converge_ms =
            candidate.bounds.converge_ms.min((at_ms + 1).saturating_sub(quiet_ms).max(1));
        if candidate.check().is_ok() && candidate != self.best {
            self.runs += 1;
            let same = |found: super::Violation| found.invariant == self.invariant;
            if run(&candidate).violation.is_some_and(same) {
                self.best = candidate;
            }
        }
    }

    /// Takes faults out, in ever smaller pieces.
    fn lists(&mut self) -> bool {
        let mut led_on = false;
        let mut piece = self.best.faults.len().max(1);
        while piece >= 1 && self.runs < RUNS_MAX {
            let mut at = 0;
            while at < self.best.faults.len() {
                let mut candidate = self.best.clone();
                let end = (at + piece).min(candidate.faults.len());
                candidate.faults.drain(at..end);
                if self.try_out(candidate, &format!("without {} faults", end - at)) {
                    led_on = true;
                } else {
                    at += piece;
                }
            }
            piece /= 2;
        }
        led_on
    }

    fn repeat(&mut self, change: fn(&Scenario) -> Step) -> bool {
        let mut led_on = false;
        while let Some((candidate, step)) = change(&self.best) {
            if !self.try_out(candidate, step) {
                break;
            }
            led_on = true;
        }
        led_on
    }
}

type Step = Option<(Scenario, &'static str)>;

/// Fewer members: a half, or one, as far as nobody is named.
fn nodes(scenario: &Scenario) -> Step {
    let named = scenario.faults.iter().flat_map(Fault::nodes);
    let training = scenario.workload.runs.iter();
    let training = training.flat_map(|run| run.members.iter().copied().chain([run.founder]));
    let least = named.chain(training).max().map_or(2, |node| node + 1).max(2);
    let fewer = (scenario.nodes / 2).max(least).min(scenario.nodes - 1);
    if fewer < least {
        return None;
    }
    Some((Scenario { nodes: fewer, ..scenario.clone() }, "fewer members"))
}

fn runs(scenario: &Scenario) -> Step {
    let mut smaller = scenario.clone();
    smaller.workload.runs.pop()?;
    smaller.bounds.rounds_min = 0;
    Some((smaller, "a run less"))
}

/// A changed copy; `None` when the change changes nothing.
fn changed(scenario: &Scenario, step: &'static str, change: impl FnOnce(&mut Scenario)) -> Step {
    let mut smaller = scenario.clone();
    change(&mut smaller);
    (smaller != *scenario).then_some((smaller, step))
}

fn statements(scenario: &Scenario) -> Step {
    changed(scenario, "fewer statements", |s| s.workload.statements_per_minute /= 2)
}

fn loss(scenario: &Scenario) -> Step {
    changed(scenario, "a better network", |s| {
        s.network.loss_per_mille = 0;
        s.network.duplicate_per_mille = 0;
        s.network.uplink_kib_s = 0;
        s.network.tabs_per_mille = 0;
    })
}

fn workload_end(scenario: &Scenario) -> Step {
    changed(scenario, "less time", |s| s.workload.until_ms = s.workload.until_ms * 2 / 3)
}

fn network(scenario: &Scenario) -> Step {
    let latency = super::scenario::Latency::Constant { ms: 10 };
    changed(scenario, "one latency for all", |s| s.network.latency = latency)
}

/// Groups of two or more lose a member.
fn mild_faults(scenario: &Scenario) -> Step {
    let mut smaller = scenario.clone();
    let group = smaller.faults.iter_mut().find_map(|fault| match fault {
        Fault::Partition { group, .. } | Fault::Degrade { group, .. } if group.len() > 1 => {
            Some(group)
        }
        _ => None,
    })?;
    group.pop();
    Some((smaller, "a smaller group"))
}
