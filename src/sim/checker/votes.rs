//! What honest members of a committee say: never one thing against another, whatever crashes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Fact, Invariant, Setting};
use crate::dag::vote::{ConflictKey, Decision, Vote};
use crate::dag::{Payload, SignedVertex, VertexId};

/// Characters of two votes that go against each other in a report (count). Arbitrary, sane.
const WORDS_MAX: usize = 2_000;

/// Rules F1 to F4 and S1 to S3 of `docs/finality.md`, read off what members publish: no two
/// statements about one thing, none against an earlier one (S3). Saying the same again is harmless.
#[derive(Debug, Default)]
pub struct OneVote {
    said: BTreeMap<usize, Said>,
    votes: u64,
}

/// What one member said so far.
#[derive(Debug, Default)]
struct Said {
    vertices: BTreeSet<VertexId>,
    once: BTreeMap<(u64, About), Vote>,
    reported: BTreeSet<(u64, ConflictKey)>,
    /// The highest view entered, by epoch and slot.
    views: BTreeMap<(u64, u64), u32>,
}

/// What there is one statement about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    Lock(ConflictKey),
    Commit(ConflictKey),
    Report(ConflictKey),
    Propose(u64, u32),
    Enter(u64, u32),
    LockBlock(u64, u32),
    CommitBlock(u64, u32),
    Close,
}

/// What a vote is about, and what was said of that before, if that is one vote.
type Against = (About, Option<Vote>);

impl About {
    /// Signatures of a checkpoint differ each time, and [`super::SameCheckpoints`] looks at those.
    fn of(vote: &Vote) -> Option<Self> {
        Some(match vote {
            Vote::Lock(Decision(key, _)) => Self::Lock(*key),
            Vote::Commit(Decision(key, _)) => Self::Commit(*key),
            Vote::Contested(key, _) => Self::Report(*key),
            Vote::Propose(view, block) => Self::Propose(block.slot, *view),
            Vote::Enter(slot, view, _) => Self::Enter(*slot, *view),
            Vote::LockBlock(slot, view, _) => Self::LockBlock(*slot, *view),
            Vote::CommitBlock(slot, view, _) => Self::CommitBlock(*slot, *view),
            Vote::Close(_) => Self::Close,
            Vote::Sign(..) => return None,
        })
    }
}

impl Said {
    /// Adds a vote; what it is about, and what was said of that, if it goes against an earlier one.
    fn say(&mut self, epoch: u64, vote: &Vote) -> Result<(), Box<Against>> {
        let Some(about) = About::of(vote) else { return Ok(()) };
        if let Some(before) = self.once.insert((epoch, about), vote.clone()) {
            return if before == *vote { Ok(()) } else { Err(Box::new((about, Some(before)))) };
        }
        let fits = match about {
            About::Lock(key) | About::Commit(key) => !self.reported.contains(&(epoch, key)),
            About::Report(key) => self.reported.insert((epoch, key)),
            About::Enter(slot, view) => {
                let before = self.views.insert((epoch, slot), view);
                before.is_none_or(|before| before < view)
            }
            About::LockBlock(slot, view) | About::CommitBlock(slot, view) => {
                self.views.get(&(epoch, slot)).is_none_or(|entered| *entered <= view)
            }
            About::Propose(..) | About::Close => true,
        };
        if fits { Ok(()) } else { Err(Box::new((about, None))) }
    }
}

impl OneVote {
    fn hear(&mut self, node: usize, vertex: &SignedVertex) -> Result<(), Broken> {
        let said = self.said.entry(node).or_default();
        if !said.vertices.insert(vertex.id()) {
            return Ok(());
        }
        for payload in &vertex.vertex().payloads {
            let Payload::Votes(votes) = payload else { continue };
            for vote in &votes.votes {
                self.votes += 1;
                if let Err(against) = said.say(votes.epoch, vote) {
                    let ((about, before), epoch) = (*against, votes.epoch);
                    let mut what = format!("it says {about:?} against what it said before");
                    if let Some(before) = before {
                        let both = format!(" in epoch {epoch}: {vote:?} after {before:?}");
                        what.extend(both.chars().take(WORDS_MAX));
                    }
                    return Err(Broken::about(node, vertex.id(), what));
                }
            }
        }
        Ok(())
    }
}

impl Invariant for OneVote {
    fn name(&self) -> &'static str {
        "S3 honest members never contradict their votes"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        let Fact::Accepted { node, vertex, .. } = fact else { return Ok(()) };
        // In the own history own vertices stand in the order of the chain.
        let own = setting.authors.get(&vertex.vertex().author) == Some(node);
        if own && setting.honest[*node] { self.hear(*node, vertex) } else { Ok(()) }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        if self.votes == 0 { Vec::new() } else { vec![("votes of honest members", self.votes)] }
    }
}
