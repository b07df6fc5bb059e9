//! What is known to one is known to all, in time; and all draw the same conclusion from it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Fact, Invariant, Peek, Setting};
use crate::dag::{Citation, VertexId};
use crate::federated::Run;
use crate::node::Node;

/// Once faults and operations are over, every honest member has everything of honest authors that
/// any of them had, within `converge_ms` (L1); what checkpoints cover and nobody needs for good may
/// be gone. What a dishonest author wrote has to be the same where an honest author's vertex cites
/// it, and is then part of the claim by being its past.
#[derive(Debug, Default)]
pub struct Converges {
    /// What has to be everywhere, and whether whole; `None` before it is quiet.
    all: Option<Vec<(Citation, bool)>>,
    /// For each member, how much of `all` it was seen to have.
    has: BTreeMap<usize, usize>,
    /// When each member had it all.
    equal_ms: BTreeMap<usize, u64>,
    quiet_ms: u64,
}

impl Converges {
    fn begin(&mut self, peeks: &[Peek<'_>], setting: &Setting) {
        let mut all = BTreeSet::new();
        for state in peeks.iter().filter(|peek| peek.honest).filter_map(|peek| peek.state) {
            let honest = |author| setting.is_honest(author);
            let vertices = state.graph().iter().filter(|signed| honest(&signed.vertex().author));
            all.extend(vertices.map(|signed| (signed.citation(), signed.is_lasting())));
        }
        self.all = Some(all.into_iter().collect());
        self.quiet_ms = setting.quiet_ms;
    }

    /// Goes on where it stopped, so that what is there is looked up once.
    fn look(&mut self, node: usize, state: &Node, at_ms: u64) {
        let Some(all) = &self.all else { return };
        let has = self.has.entry(node).or_default();
        while all.get(*has).is_some_and(|wanted| is_there(state, wanted)) {
            *has += 1;
        }
        if *has == all.len() {
            self.equal_ms.insert(node, at_ms - self.quiet_ms);
        }
    }
}

fn is_there(state: &Node, (cited, is_lasting): &(Citation, bool)) -> bool {
    let graph = state.graph();
    graph.contains(&cited.id) || (!is_lasting && graph.is_known(cited))
}

/// The member that wrote a vertex which somebody has.
fn author_of(id: &VertexId, peeks: &[Peek<'_>], setting: &Setting) -> Option<usize> {
    let mut graphs = peeks.iter().filter_map(|peek| peek.state).map(Node::graph);
    let vertex = graphs.find_map(|graph| graph.get(id))?;
    setting.authors.get(&vertex.vertex().author).copied()
}

impl Invariant for Converges {
    fn name(&self) -> &'static str {
        "L1 histories become equal"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        let Fact::Second { at_ms, peeks } = fact else { return Ok(()) };
        if *at_ms < setting.quiet_ms {
            return Ok(());
        }
        if self.quiet_ms != setting.quiet_ms {
            // Something was added that is to be survived as well.
            *self = Self::default();
        }
        if self.all.is_none() {
            self.begin(peeks, setting);
        }
        let late = *at_ms >= setting.quiet_ms + setting.scenario.bounds.converge_ms;
        for (node, peek) in peeks.iter().enumerate().filter(|(_, peek)| peek.honest && peek.awake) {
            let Some(state) = peek.state else { continue };
            if !self.equal_ms.contains_key(&node) {
                self.look(node, state, *at_ms);
            }
            if late && !self.equal_ms.contains_key(&node) {
                let all = self.all.as_deref().unwrap_or_default();
                let lacks: Vec<_> = all.iter().filter(|wanted| !is_there(state, wanted)).collect();
                let by = lacks.first().and_then(|(cited, _)| author_of(&cited.id, peeks, setting));
                let what = format!(
                    "{} ms after the last fault it lacks {} of {} vertices, one by member {by:?}",
                    at_ms - setting.quiet_ms,
                    lacks.len(),
                    all.len()
                );
                return Err(Broken::at(node, what));
            }
        }
        Ok(())
    }

    fn is_settled(&self, peeks: &[Peek<'_>], _: &Setting) -> bool {
        let mut honest = (0..peeks.len()).filter(|node| peeks[*node].honest);
        self.all.is_some() && honest.all(|node| self.equal_ms.contains_key(&node))
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let mut times: Vec<u64> = self.equal_ms.values().copied().collect();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied();
        let (Some(median), Some(last)) = (at(50), times.last()) else { return Vec::new() };
        vec![("ms to equal histories, median", median), ("ms to equal histories, all", *last)]
    }
}

/// Honest members that know a finished run agree on its head, and the runs get as far as asked.
#[derive(Debug, Default)]
pub struct RunsAgree {
    rounds: u64,
}

impl Invariant for RunsAgree {
    fn name(&self) -> &'static str {
        "all agree on finished runs"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        let Fact::End { peeks } = fact else { return Ok(()) };
        check_heads(peeks)?;
        awake(peeks).try_for_each(|(node, state)| self.check_progress(node, state, setting))
    }

    fn is_settled(&self, peeks: &[Peek<'_>], _: &Setting) -> bool {
        check_heads(peeks).is_ok()
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![("rounds", self.rounds)]
    }
}

/// Honest members that are awake.
fn awake<'a>(peeks: &'a [Peek<'a>]) -> impl Iterator<Item = (usize, &'a Node)> {
    let awake = peeks.iter().enumerate().filter(|(_, peek)| peek.honest && peek.awake);
    awake.filter_map(|(node, peek)| Some((node, peek.state?)))
}

fn check_heads(peeks: &[Peek<'_>]) -> Result<(), Broken> {
    let mut heads: BTreeMap<VertexId, (usize, VertexId)> = BTreeMap::new();
    for (node, state) in awake(peeks) {
        for run in state.runs().iter().filter(|run| run.is_finished()) {
            let (other, head) = *heads.entry(run.id()).or_insert((node, run.head()));
            if head != run.head() {
                let name = &run.spec().name;
                let what = format!("it and member {other} end run {name} with other weights");
                return Err(Broken::about(node, run.head(), what));
            }
        }
    }
    Ok(())
}

impl RunsAgree {
    fn check_progress(
        &mut self,
        node: usize,
        state: &Node,
        setting: &Setting,
    ) -> Result<(), Broken> {
        let (listed, bounds) = (&setting.scenario.workload.runs, &setting.scenario.bounds);
        let known = |number: usize| {
            let name = super::super::workload::run_name(number);
            state.runs().iter().find(|run| run.spec().name == name)
        };
        for number in 0..listed.len() {
            let round = known(number).map_or(0, Run::round);
            self.rounds = self.rounds.max(u64::from(round));
            if round < bounds.rounds_min {
                let what = format!("run {number} is at round {round} of {}", bounds.rounds_min);
                return Err(Broken::at(node, what));
            }
        }
        Ok(())
    }
}
