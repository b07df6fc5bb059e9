//! What came of a simulation.

use super::checker::Violation;
use super::latency::Latencies;

/// What came of a simulation.
#[derive(Debug, Clone)]
pub struct Report {
    /// The first invariant that was broken, if one was.
    pub violation: Option<Violation>,
    /// BLAKE3-256 of the trace, in hexadecimal.
    pub trace_hash: String,
    /// Lines of the trace: inputs of all members, and notes.
    pub trace_lines: u64,
    /// Virtual milliseconds that were simulated.
    pub simulated_ms: u64,
    /// Events, inputs among them (count).
    pub events: u64,
    /// Figures by name, in a fixed order.
    pub figures: Vec<(&'static str, u64)>,
    /// How long things took to become final.
    pub latencies: Latencies,
    /// Causes that honest members counted, over all of them: what was dropped, refused, penalised.
    pub counters: Vec<(&'static str, u64)>,
}

impl Report {
    /// Whether every invariant held.
    pub fn is_ok(&self) -> bool {
        self.violation.is_none()
    }

    /// A figure by its name; 0 when there is none.
    pub fn figure(&self, name: &str) -> u64 {
        self.figures.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value)
    }

    /// The report as lines for people.
    pub fn to_text(&self) -> String {
        let mut lines = vec![match &self.violation {
            None => "every invariant held".to_owned(),
            Some(violation) => format!("VIOLATION: {violation}"),
        }];
        lines.push(format!("trace {} ({} lines)", self.trace_hash, self.trace_lines));
        lines.push(format!("{} virtual ms, {} events", self.simulated_ms, self.events));
        lines.extend(self.figures.iter().map(|(name, value)| format!("{value:>12} {name}")));
        for (name, value) in &self.counters {
            lines.push(format!("{value:>12} counted: {name}"));
        }
        lines.join("\n")
    }
}
