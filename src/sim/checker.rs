//! What must never happen, looked at after every input of every member.
//!
//! Each invariant is told facts as they happen and says what breaks it. They share no code with
//! what they judge: [`Validity`] computes the rules of a vertex anew from the definition, not from
//! the graph's checks. Names in parentheses are those of the safety and liveness properties that
//! `docs/faults.md` lists. Further protocols bring further invariants: one more implementation of
//! [`Invariant`] and a line in [`all`].

mod bounds;
mod chains;
mod convergence;
mod finality;
mod validity;
mod votes;

use std::collections::BTreeMap;

pub use bounds::Bounded;
pub use chains::{Durable, OneChain};
pub use convergence::{Converges, RunsAgree};
pub use finality::{Conserves, Decides, ONE_ITEM, OneItem, SameCheckpoints};
pub use validity::{OneVerdict, Validity};
pub use votes::OneVote;

use super::scenario::Scenario;
use crate::dag::vote::{ConflictKey, ItemId};
use crate::dag::{SignedVertex, VertexId};
use crate::event::FinalisedView;
use crate::genesis::Genesis;
use crate::identity::AuthorId;
use crate::node::Node;

/// Something that happened to an honest member.
#[derive(Debug)]
pub enum Fact<'a> {
    /// It sends an own vertex for the first time.
    Published {
        /// Who.
        node: usize,
        /// What.
        vertex: &'a SignedVertex,
        /// Whether its disk has it.
        durable: bool,
    },
    /// Its history took a vertex in, or has it back after a start.
    Accepted {
        /// Who.
        node: usize,
        /// What.
        vertex: &'a SignedVertex,
        /// Its state.
        state: &'a Node,
    },
    /// It called a gossiped vertex invalid.
    Rejected {
        /// Who.
        node: usize,
        /// What.
        id: VertexId,
    },
    /// It starts, from what its disk has.
    Started {
        /// Who.
        node: usize,
        /// Its state.
        state: &'a Node,
    },
    /// Its owner submitted an item, and it is written.
    Submitted {
        /// Who.
        node: usize,
        /// What.
        item: ItemId,
        /// The key that it claims.
        key: ConflictKey,
        /// Whether others submit another item with the same key.
        contested: bool,
    },
    /// It has an item final.
    Finalised {
        /// Who.
        node: usize,
        /// What.
        view: &'a FinalisedView,
    },
    /// A second of virtual time has passed.
    Second {
        /// When.
        at_ms: u64,
        /// Everybody.
        peeks: &'a [Peek<'a>],
    },
    /// The simulation ends.
    End {
        /// Everybody.
        peeks: &'a [Peek<'a>],
    },
}

/// A member as a checker sees it.
#[derive(Debug)]
pub struct Peek<'a> {
    /// Its state; `None` while it does not run.
    pub state: Option<&'a Node>,
    /// Whether it is honest.
    pub honest: bool,
    /// Whether it runs and takes inputs in.
    pub awake: bool,
    /// Inputs since the last second.
    pub inputs: u64,
    /// Writes it has asked for that are not answered.
    pub writes: usize,
}

/// What all invariants know about the scenario.
#[derive(Debug)]
pub struct Setting {
    /// The scenario.
    pub scenario: Scenario,
    /// When the last fault or operation is over.
    pub quiet_ms: u64,
    /// Members by author.
    pub authors: BTreeMap<AuthorId, usize>,
    /// What the network began with, if it has a committee.
    pub genesis: Option<Genesis>,
    /// Whether each member is honest throughout.
    pub honest: Vec<bool>,
}

impl Setting {
    /// Whether this is an honest member's author.
    pub fn is_honest(&self, author: &AuthorId) -> bool {
        self.authors.get(author).is_some_and(|node| self.honest[*node])
    }
}

/// A property that every fact has to keep.
pub trait Invariant: std::fmt::Debug {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Looks at a fact.
    ///
    /// # Errors
    /// What breaks it, in words.
    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken>;

    /// Whether everything has come about that it waits for, with everybody looked at like this.
    fn is_settled(&self, _peeks: &[Peek<'_>], _setting: &Setting) -> bool {
        true
    }

    /// Figures for the report.
    fn figures(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// What breaks an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The member it was seen at, if one.
    pub node: Option<usize>,
    /// The vertex it is about, if one.
    pub vertex: Option<VertexId>,
    /// In words.
    pub what: String,
}

impl Broken {
    fn at(node: usize, what: String) -> Self {
        Self { node: Some(node), vertex: None, what }
    }

    fn about(node: usize, vertex: VertexId, what: String) -> Self {
        Self { node: Some(node), vertex: Some(vertex), what }
    }
}

/// An invariant that was broken, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// Virtual milliseconds.
    pub at_ms: u64,
    /// What broke it.
    pub broken: Broken,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Broken { node, what, .. } = &self.broken;
        let node = node.map_or(String::new(), |node| format!(" at member {node}"));
        write!(f, "{} broken after {} ms{node}: {what}", self.invariant, self.at_ms)
    }
}

/// Every invariant there is.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(OneChain::default()),
        Box::new(Durable::default()),
        Box::new(Validity::default()),
        Box::new(OneVerdict::default()),
        Box::new(Bounded::default()),
        Box::new(Converges::default()),
        Box::new(RunsAgree::default()),
        Box::new(OneItem::default()),
        Box::new(OneVote::default()),
        Box::new(Conserves::default()),
        Box::new(SameCheckpoints::default()),
        Box::new(Decides::uncontested()),
        Box::new(Decides::contested()),
    ]
}

/// All invariants of one simulation.
#[derive(Debug)]
pub struct Checker {
    setting: Setting,
    invariants: Vec<Box<dyn Invariant>>,
    violation: Option<Violation>,
}

impl Checker {
    /// A checker of these invariants.
    pub fn new(setting: Setting, invariants: Vec<Box<dyn Invariant>>) -> Self {
        Self { setting, invariants, violation: None }
    }

    /// Shows a fact to all invariants; the first violation is kept.
    pub fn observe(&mut self, at_ms: u64, fact: &Fact<'_>) {
        if self.violation.is_some() {
            return;
        }
        for invariant in &mut self.invariants {
            if let Err(broken) = invariant.observe(fact, &self.setting) {
                self.violation = Some(Violation { invariant: invariant.name(), at_ms, broken });
                return;
            }
        }
    }

    /// Whether nothing is waited for any more, long after the last fault: everybody runs, and every
    /// invariant is content.
    pub fn is_settled(&self, at_ms: u64, peeks: &[Peek<'_>]) -> bool {
        let all = |setting| self.invariants.iter().all(|each| each.is_settled(peeks, setting));
        at_ms > self.setting.quiet_ms
            && peeks.iter().all(|peek| !peek.honest || peek.awake)
            && all(&self.setting)
    }

    /// The first violation.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// A violation that was found outside of the invariants.
    pub fn fail(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// A member is dishonest from now on.
    pub fn distrust(&mut self, node: usize) {
        self.setting.honest[node] = false;
    }

    /// The last fault is over at another time than the scenario said.
    pub fn quieten(&mut self, quiet_ms: u64) {
        self.setting.quiet_ms = quiet_ms;
    }

    /// The setting.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Figures of all invariants.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        self.invariants.iter().flat_map(|invariant| invariant.figures()).collect()
    }
}
