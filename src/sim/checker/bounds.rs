//! What a member holds and does stays within the limits, whatever it is sent.

use super::{Broken, Fact, Invariant, Peek, Setting};
use crate::limits;

/// Memory, storage and work have bounds (S8).
#[derive(Debug, Default)]
pub struct Bounded {
    parked: usize,
    inputs: u64,
    bytes: usize,
}

impl Bounded {
    fn look(&mut self, peek: &Peek<'_>, setting: &Setting) -> Result<(), String> {
        let Some(state) = peek.state else { return Ok(()) };
        let graph = state.graph();
        self.parked = self.parked.max(graph.parked());
        self.bytes = self.bytes.max(graph.size_bytes());
        self.inputs = self.inputs.max(peek.inputs);
        let inputs_max = setting.scenario.bounds.inputs_per_second as usize;
        let bounds = [
            ("parked vertices", graph.parked(), limits::ORPHANS_MAX),
            ("vertices", graph.len(), limits::GRAPH_VERTICES_MAX),
            ("bytes of vertices", graph.size_bytes(), limits::GRAPH_BYTES_MAX),
            ("writes under way", peek.writes, 1),
            ("inputs in a second", peek.inputs as usize, inputs_max),
        ];
        match bounds.iter().find(|(_, held, max)| held > max) {
            Some((what, held, max)) => Err(format!("it has {held} {what}; at most {max}")),
            None => Ok(()),
        }
    }
}

impl Invariant for Bounded {
    fn name(&self) -> &'static str {
        "S8 memory, storage and work are bounded"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        let Fact::Second { peeks, .. } = fact else { return Ok(()) };
        for (node, peek) in peeks.iter().enumerate().filter(|(_, peek)| peek.honest) {
            self.look(peek, setting).map_err(|what| Broken::at(node, what))?;
        }
        Ok(())
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("vertices parked at most", self.parked as u64),
            ("bytes of one history", self.bytes as u64),
            ("inputs of one member in a second", self.inputs),
        ]
    }
}
