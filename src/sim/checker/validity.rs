//! What is in a history is valid by the definition, and one member's refusal is nobody's history.

use std::collections::BTreeMap;

use super::{Broken, Fact, Invariant, Setting};
use crate::dag::{Citation, Graph, SignedVertex, Vertex, VertexId};
use crate::identity::AuthorId;

/// Every accepted vertex keeps the rules of `docs/wire.md`, computed here anew: parents are there,
/// its own previous vertex among them, positions count up, the Lamport time is one more than the
/// greatest of the parents, and the signature verifies.
#[derive(Debug, Default)]
pub struct Validity {
    /// Vertices that were checked: histories drop theirs.
    checked: BTreeMap<VertexId, Checked>,
}

/// What the rules ask about a parent.
#[derive(Debug)]
struct Checked {
    author: AuthorId,
    seq: u64,
    lamport: u64,
    /// How often it was accepted.
    times: u64,
}

impl Invariant for Validity {
    fn name(&self) -> &'static str {
        "histories hold valid vertices only"
    }

    fn observe(&mut self, fact: &Fact<'_>, _: &Setting) -> Result<(), Broken> {
        let Fact::Accepted { node, vertex, state, .. } = fact else { return Ok(()) };
        let graph = state.graph();
        let broken = |what: String| Err(Broken::about(*node, vertex.id(), what));
        // Whether the parents are there is a question to each history, the rest is not.
        if let Some(parent) = graph.lost_parents(vertex).next() {
            return broken(format!(
                "{} was accepted without its parent {}",
                vertex.id(),
                parent.id
            ));
        }
        if let Some(checked) = self.checked.get_mut(&vertex.id()) {
            checked.times += 1;
            return Ok(());
        }
        let rule = self.breach(vertex, graph);
        let &Vertex { author, seq, lamport, .. } = vertex.vertex();
        self.checked.insert(vertex.id(), Checked { author, seq, lamport, times: 1 });
        match rule {
            Some(rule) => broken(format!("{} was accepted although {rule}", vertex.id())),
            None => Ok(()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let accepted = self.checked.values().map(|checked| checked.times).sum();
        vec![("vertices", self.checked.len() as u64), ("vertices accepted", accepted)]
    }
}

impl Validity {
    fn breach(&self, signed: &SignedVertex, graph: &Graph) -> Option<&'static str> {
        let vertex = signed.vertex();
        let of = |id: &VertexId| self.checked.get(id);
        // Behind a checkpoint nobody looks at what is cited.
        let open = |cited: &&Citation| !graph.coverage().has(&cited.author, cited.seq);
        let is_true = |cited: &Citation| {
            let said = (cited.author, cited.seq, cited.lamport);
            of(&cited.id).is_some_and(|known| (known.author, known.seq, known.lamport) == said)
        };
        if !vertex.parents.iter().filter(open).all(is_true) {
            return Some("it says of a parent what is not in that");
        }
        let lamport = 1 + vertex.parents.iter().map(|parent| parent.lamport).max().unwrap_or(0);
        if vertex.lamport != lamport {
            return Some("its Lamport time does not follow from its parents");
        }
        match (vertex.seq, vertex.prev) {
            (0, None) if vertex.parents.is_empty() => {}
            (0, _) => return Some("the first vertex of a chain has neither prev nor parents"),
            (_, None) => return Some("it has no prev"),
            (seq, Some(prev)) => {
                let Some(before) = vertex.parents.iter().find(|parent| parent.id == prev) else {
                    return Some("its prev is none of its parents");
                };
                if before.author != vertex.author || before.seq + 1 != seq {
                    return Some("its prev is not its author's vertex before it");
                }
            }
        }
        let Some(chain) = graph.author(&vertex.author) else {
            return Some("its author is unknown");
        };
        signed.verify(&chain.key).is_err().then_some("its signature does not verify")
    }
}

/// No member calls invalid what another has in its history (S5).
#[derive(Debug, Default)]
pub struct OneVerdict {
    accepted: BTreeMap<VertexId, usize>,
    rejected: BTreeMap<VertexId, usize>,
}

impl Invariant for OneVerdict {
    fn name(&self) -> &'static str {
        "S5 all accept and reject alike"
    }

    fn observe(&mut self, fact: &Fact<'_>, _: &Setting) -> Result<(), Broken> {
        let (id, one, other) = match fact {
            Fact::Accepted { node, vertex, .. } => {
                self.accepted.entry(vertex.id()).or_insert(*node);
                (vertex.id(), *node, self.rejected.get(&vertex.id()))
            }
            Fact::Rejected { node, id } => {
                self.rejected.entry(*id).or_insert(*node);
                (*id, *node, self.accepted.get(id))
            }
            _ => return Ok(()),
        };
        let Some(other) = other else { return Ok(()) };
        let what = format!("members {one} and {other} disagree on whether {id} is valid");
        Err(Broken::about(one, id, what))
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![("vertices rejected", self.rejected.len() as u64)]
    }
}
