//! The end of a simulation: runs are exported and replayed, everybody is looked at once more.

use std::collections::BTreeMap;

use super::operations::Operation;
use super::{Event, World};
use crate::consensus::State;
use crate::effect::{Command, Effect, Input};
use crate::event::Reply;
use crate::federated::Run;
use crate::node::Node;
use crate::sim::checker::{Broken, Violation};
use crate::sim::report::Report;
use crate::sim::workload;

/// Milliseconds that exports may take.
const EXPORT_MS: u64 = 10_000;
/// Milliseconds that members may take to sign what was decided last: who has one link that loses
/// messages waits a third of a minute for each that is lost.
const SIGNED_MS: u64 = 300_000;
/// Milliseconds between two looks at who signed.
const SIGNED_LOOK_MS: u64 = 1_000;

impl World {
    /// Ends the simulation and tells what came of it.
    pub fn finish(mut self) -> Report {
        let trace_hash = self.trace.hash();
        let trace_lines = self.trace.lines();
        let simulated_ms = self.now_us / 1_000;
        crate::dag::forget_decoded();
        (self.settled, self.scenario.bounds.ends_early) = (0, false);
        if self.violation().is_none() {
            self.show(true);
            self.check_vertices();
            self.export_runs();
        }
        if self.violation().is_none() {
            self.await_signatures();
            self.check_proofs();
        }
        Report {
            violation: self.checker.violation().cloned(),
            trace_hash,
            trace_lines,
            simulated_ms,
            events: self.happened,
            figures: self.figures(),
            latencies: self.latencies(),
            counters: self.counters(),
        }
    }

    /// A simulation in which nothing happened shows nothing.
    fn check_vertices(&mut self) {
        let least = self.scenario.bounds.vertices_min;
        let honest = self.hosts.iter().enumerate().filter(|(_, host)| host.honest);
        let has = |(node, host): (usize, &super::Host)| {
            host.state.as_ref().map(|state| (node, state.graph().len()))
        };
        let Some((node, count)) = honest.filter_map(has).min_by_key(|(_, count)| *count) else {
            return;
        };
        if count < least {
            let what = format!("its history has {count} vertices; at least {least} were expected");
            self.fail("something happened", node, what);
        }
    }

    /// Every listed run that has rounds is exported by the last honest member and replayed; where
    /// members drop old vertices, by the last that does not: others lack a part of a run's past.
    fn export_runs(&mut self) {
        // Who keeps everything and took a snapshot lacks what was before that as well.
        let has_all = |node: usize| {
            let Some(graph) = self.hosts[node].state.as_ref().map(Node::graph) else {
                return false;
            };
            let mut counts: BTreeMap<_, u64> = BTreeMap::new();
            graph.iter().for_each(|own| *counts.entry(own.vertex().author).or_default() += 1);
            let next = |author| graph.author(author).map_or(0, |chain| chain.next_seq);
            counts.iter().all(|(author, count)| *count >= next(author))
        };
        let keeps = |node: usize| self.scenario.keepers.contains(&node) && has_all(node);
        let whole = |node: usize| self.scenario.kept.is_none() || keeps(node);
        let awake = |node: &usize| {
            let host = &self.hosts[*node];
            host.honest && host.state.is_some() && !host.frozen && whole(*node)
        };
        let Some(node) = (0..self.hosts.len()).rev().find(awake) else { return };
        let mut expected = 0;
        for run in 0..self.scenario.workload.runs.len() {
            let name = workload::run_name(run);
            let state = self.hosts[node].state.as_ref();
            let known =
                state.and_then(|state| state.runs().iter().find(|known| known.spec().name == name));
            if known.is_some_and(|known: &Run| known.round() > 0) {
                expected += 1;
                let export = Operation::Export { run, node };
                self.schedule(self.now_us, Event::Operation(export));
            }
        }
        if expected == 0 {
            return;
        }
        self.run_until(self.now_us / 1_000 + EXPORT_MS);
        if let Some((node, what)) = self.operations.mismatch.take() {
            self.fail("an exported run replays", node, what);
        } else if self.operations.replayed < expected && self.violation().is_none() {
            let what = format!("{} of {expected} runs were exported", self.operations.replayed);
            self.fail("an exported run replays", node, what);
        }
    }

    /// Checkpoints are decided first and signed then: the end may fall in between.
    fn await_signatures(&mut self) {
        let due_ms = self.now_us / 1_000 + SIGNED_MS;
        while self.now_us / 1_000 < due_ms && self.violation().is_none() && !self.is_signed() {
            self.run_until(self.now_us / 1_000 + SIGNED_LOOK_MS);
        }
    }

    /// Whether each honest member can prove the last checkpoint that it knows, and that each epoch
    /// before it ended.
    fn is_signed(&self) -> bool {
        let awake = self.hosts.iter().filter(|host| host.honest && !host.frozen);
        let is_signed = |node: &Node| {
            let checkpoints = node.consensus().into_iter().flat_map(State::checkpoints);
            let last = node.consensus().and_then(State::last_checkpoint);
            let ends = checkpoints.filter(|held| held.next.is_some());
            ends.chain(last).all(|held| node.is_certified(held))
        };
        awake.filter_map(|host| host.state.as_ref()).all(is_signed)
    }

    pub(super) fn fail(&mut self, invariant: &'static str, node: usize, what: String) {
        let broken = Broken { node: Some(node), vertex: None, what };
        let at_ms = self.now_us / 1_000;
        self.checker.fail(Violation { invariant, at_ms, broken });
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let mut figures = self.checker.figures();
        let disks: Vec<u64> = self.hosts.iter().map(|host| host.disk.size_bytes()).collect();
        let running = self.hosts.iter().filter(|host| host.state.is_some()).count();
        figures.extend([
            ("members running", running as u64),
            ("operations done", self.operations.done),
            ("operations failed", self.operations.failed),
            ("runs replayed", self.operations.replayed),
            ("messages", self.network.sent),
            ("messages lost", self.network.lost),
            ("bytes sent", self.network.sent_bytes),
            ("bytes of one disk, most", disks.iter().copied().max().unwrap_or(0)),
            ("bytes of all disks", disks.iter().sum()),
        ]);
        if self.genesis.is_some() {
            let states = self.hosts.iter().filter(|host| host.honest);
            let states: Vec<_> = states.filter_map(|host| host.state.as_ref()).collect();
            let engines = states.iter().filter_map(|state| state.consensus());
            let dropped = states.iter().map(|state| state.graph().dropped() as u64);
            figures.extend([
                ("epochs ended", engines.map(State::epoch).max().unwrap_or(0)),
                ("vertices dropped by one member, most", dropped.max().unwrap_or(0)),
                ("names prolonged", self.operations.renewed),
                ("ends of holds submitted", self.operations.holds_ended),
                ("proofs verified", self.proofs),
            ]);
            figures.extend(self.latencies().figures());
        }
        figures
    }

    /// What honest members counted, asked for as an owner would.
    fn counters(&mut self) -> Vec<(&'static str, u64)> {
        let mut sum: BTreeMap<&'static str, u64> = BTreeMap::new();
        for node in 0..self.hosts.len() {
            let now = self.now(node);
            let host = &mut self.hosts[node];
            let Some(state) = host.state.as_mut().filter(|_| host.honest) else { continue };
            let mut out = Vec::new();
            let command = u64::MAX;
            state.handle(now, Input::Command { command, request: Command::Status }, &mut out);
            for effect in out {
                if let Effect::Reply { result: Ok(Reply::Status(status)), .. } = effect {
                    for (cause, count) in status.counters {
                        *sum.entry(cause).or_default() += count;
                    }
                }
            }
        }
        sum.into_iter().collect()
    }
}
