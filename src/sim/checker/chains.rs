//! Honest authors' chains: one vertex for each position, whatever crashes, and nothing sent before
//! it is durable.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Fact, Invariant, Setting};
use crate::dag::{Citation, SignedVertex, VertexId};
use crate::identity::AuthorId;

/// An honest author never equivocates, not even through a crash (S3).
#[derive(Debug, Default)]
pub struct OneChain {
    known: BTreeMap<(AuthorId, u64), VertexId>,
}

impl OneChain {
    fn see(&mut self, node: usize, vertex: &SignedVertex, setting: &Setting) -> Result<(), Broken> {
        let (author, seq) = (vertex.vertex().author, vertex.vertex().seq);
        if !setting.is_honest(&author) {
            return Ok(());
        }
        let known = *self.known.entry((author, seq)).or_insert_with(|| vertex.id());
        if known == vertex.id() {
            return Ok(());
        }
        let what = format!(
            "honest member {} has two vertices at position {seq}: {known} and {}",
            setting.authors[&author],
            vertex.id()
        );
        Err(Broken::about(node, vertex.id(), what))
    }
}

impl Invariant for OneChain {
    fn name(&self) -> &'static str {
        "S3 honest members never equivocate"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        match fact {
            Fact::Published { node, vertex, .. } | Fact::Accepted { node, vertex, .. } => {
                self.see(*node, vertex, setting)
            }
            Fact::Second { peeks, .. } if setting.has_attackers() => {
                for (node, state) in peeks.iter().enumerate() {
                    let Some(state) = state.state.filter(|_| state.honest) else { continue };
                    let ended = setting.authors.iter().find(|(author, other)| {
                        setting.honest[**other] && state.graph().equivocated(author).is_some()
                    });
                    if let Some((_, other)) = ended {
                        let what = format!("it believes that honest member {other} equivocated");
                        return Err(Broken::at(node, what));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Setting {
    fn has_attackers(&self) -> bool {
        self.honest.iter().any(|honest| !honest)
    }
}

/// What an honest member sends is durable before, and is there after every start.
#[derive(Debug, Default)]
pub struct Durable {
    published: BTreeMap<usize, BTreeSet<Citation>>,
}

impl Invariant for Durable {
    fn name(&self) -> &'static str {
        "acknowledged vertices survive"
    }

    fn observe(&mut self, fact: &Fact<'_>, _: &Setting) -> Result<(), Broken> {
        match fact {
            Fact::Published { node, vertex, durable } => {
                self.published.entry(*node).or_default().insert(vertex.citation());
                if *durable {
                    return Ok(());
                }
                let what = format!("it sends {} before it is durable", vertex.id());
                Err(Broken::about(*node, vertex.id(), what))
            }
            Fact::Started { node, state } => {
                let published = self.published.get(node).into_iter().flatten();
                let mut lost = published.filter(|cited| !state.graph().is_known(cited));
                let Some(Citation { id, .. }) = lost.next() else { return Ok(()) };
                let what = format!("it started without its own vertex {id}, which it had sent");
                Err(Broken::about(*node, *id, what))
            }
            _ => Ok(()),
        }
    }
}
