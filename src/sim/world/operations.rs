//! Operations of the owners: started, repeated while they cannot work yet, and counted.

use std::collections::BTreeMap;

use super::{Event, World};
use crate::dag::vote::ItemId;
use crate::effect::{Command, Input};
use crate::event::{Problem, Reply};
use crate::federated;
use crate::limits;
use crate::sim::workload::{self, BULLETIN};

/// Microseconds until an operation that failed is tried again, and how often (count).
const RETRY_US: u64 = 5_000_000;
const RETRIES_MAX: u32 = 24;
/// Milliseconds after the start of the first member until the bulletin exists.
const BULLETIN_MS: u64 = 1_000;

/// Something an owner does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    /// Starts the run that statements are about.
    Bulletin,
    /// A small statement of somebody.
    State { number: u64 },
    /// Starts a listed run.
    Found { run: usize, tries: u32 },
    /// Joins a listed run.
    Join { run: usize, node: usize, tries: u32 },
    /// Submits an item that nobody contests.
    Commit { number: u64 },
    /// Pays somebody.
    Pay { number: u64 },
    /// Sets credits aside for somebody.
    Hold { number: u64 },
    /// Ends a hold; others may end it in another way at the same time.
    EndHold { hold: ItemId, node: usize, refund: bool, contested: bool },
    /// Lets several members register one name at once.
    Contest { number: u64 },
    /// Commits to a name that will be contested.
    Announce { number: u64, node: usize },
    /// Registers it.
    Claim { number: u64, node: usize },
    /// Prolongs it, if it is one's own.
    Renew { number: u64, node: usize },
    /// Asks for the next epoch of the committee.
    Reform { node: usize },
    /// Exports a listed run, to be replayed.
    Export { run: usize, node: usize },
}

impl Operation {
    /// Whether the committee decides about it.
    fn submits(self) -> bool {
        matches!(
            self,
            Self::Commit { .. }
                | Self::Pay { .. }
                | Self::Hold { .. }
                | Self::EndHold { .. }
                | Self::Announce { .. }
                | Self::Claim { .. }
                | Self::Renew { .. }
        )
    }
}

/// What is under way, and what came of the rest.
#[derive(Debug, Default)]
pub(super) struct Operations {
    waiting: BTreeMap<u64, Operation>,
    /// For how long members that were stopped stay away.
    pub(super) away_ms: BTreeMap<usize, u64>,
    pub(super) done: u64,
    /// Of these, names prolonged, and holds ended.
    pub(super) renewed: u64,
    pub(super) holds_ended: u64,
    pub(super) failed: u64,
    pub(super) replayed: u64,
    /// Why an exported run did not replay.
    pub(super) mismatch: Option<(usize, String)>,
}

impl World {
    pub(super) fn plan_operations(&mut self) {
        let load = self.scenario.workload.clone();
        if load.statements_per_minute > 0 {
            self.schedule(BULLETIN_MS * 1_000, Event::Operation(Operation::Bulletin));
            self.plan_statement(0);
        }
        for (run, training) in load.runs.iter().enumerate() {
            let found = Operation::Found { run, tries: 0 };
            self.schedule(training.at_ms * 1_000, Event::Operation(found));
            for node in &training.members {
                self.hosts[*node].train_ms = training.train_ms;
                let join = Operation::Join { run, node: *node, tries: 0 };
                self.schedule((training.at_ms + 2_000) * 1_000, Event::Operation(join));
            }
        }
        self.plan_submissions();
    }

    /// One statement after the other, so that the queue of events stays short.
    fn plan_statement(&mut self, number: u64) {
        let load = &self.scenario.workload;
        let started_ms = self.scenario.network.start_interval_ms * self.scenario.nodes as u64;
        let first_ms = started_ms + 2 * BULLETIN_MS;
        let at_ms = first_ms + number * 60_000 / load.statements_per_minute.max(1);
        if at_ms <= load.until_ms {
            self.schedule(at_ms * 1_000, Event::Operation(Operation::State { number }));
        }
    }

    pub(super) fn operate(&mut self, operation: Operation) {
        let Some((node, request)) = self.command_of(operation) else { return };
        let command = self.number();
        if self.hosts[node].state.is_none() {
            return self.try_again(operation);
        }
        if operation.submits() {
            self.asked(command);
        }
        self.operations.waiting.insert(command, operation);
        self.post(node, 0, Input::Command { command, request });
    }

    /// Who is to be asked for what; `None` when there is nothing to ask now.
    fn command_of(&mut self, operation: Operation) -> Option<(usize, Command)> {
        Some(match operation {
            Operation::Bulletin => {
                let honest = self.hosts.iter().position(|host| host.honest && host.state.is_some());
                let spec = Box::new(workload::bulletin());
                (honest.unwrap_or(0), Command::StartRun { spec, samples: 0 })
            }
            Operation::State { number } => {
                self.plan_statement(number + 1);
                let mut rng = self.tree.stream("statement", number, 0);
                let node = rng.below(self.hosts.len() as u32) as usize;
                let samples = 1 + rng.below(limits::RUN_SAMPLES_MAX);
                (node, Command::JoinRun { run: BULLETIN.to_owned(), samples })
            }
            Operation::Found { run, .. } => {
                let training = &self.scenario.workload.runs[run];
                let name = workload::run_name(run);
                let quorum = u32::try_from(training.members.len()).unwrap_or(u32::MAX).max(1);
                let (rounds, deadline_ms) = (training.rounds, training.deadline_ms);
                let spec = Box::new(workload::tiny_run(name, rounds, quorum, deadline_ms));
                (training.founder, Command::StartRun { spec, samples: 0 })
            }
            Operation::Join { run, node, .. } => {
                let samples = self.hosts[node].data.rows() as u32;
                (node, Command::JoinRun { run: workload::run_name(run), samples })
            }
            Operation::Export { run, node } => {
                (node, Command::ExportRun { run: workload::run_name(run) })
            }
            Operation::Reform { node } => (node, self.next_epoch()),
            submission => return self.submission(submission),
        })
    }

    pub(super) fn replied(&mut self, node: usize, command: u64, result: Result<Reply, Problem>) {
        let Some(operation) = self.operations.waiting.remove(&command) else { return };
        match (result, operation) {
            (Ok(Reply::Car(file)), Operation::Export { node, .. }) => self.replay(node, &file),
            (Ok(Reply::Item(view)), operation) if operation.submits() => {
                self.operations.done += 1;
                match operation {
                    Operation::Renew { .. } => self.operations.renewed += 1,
                    Operation::EndHold { .. } => self.operations.holds_ended += 1,
                    _ => {}
                }
                self.submitted(node, command, operation, &view);
            }
            (Ok(_), _) => self.operations.done += 1,
            (Err(problem), Operation::Export { node, .. }) => {
                self.operations.mismatch = Some((node, problem.message));
            }
            (Err(problem), operation) if operation.submits() => {
                self.refused(command, operation, Some(&problem));
            }
            (Err(_), operation) => self.try_again(operation),
        }
    }

    fn try_again(&mut self, operation: Operation) {
        if operation.submits() {
            return self.refused(0, operation, None);
        }
        let again = match operation {
            Operation::Found { run, tries } if tries < RETRIES_MAX => {
                Some(Operation::Found { run, tries: tries + 1 })
            }
            Operation::Join { run, node, tries } if tries < RETRIES_MAX => {
                Some(Operation::Join { run, node, tries: tries + 1 })
            }
            Operation::Bulletin => Some(Operation::Bulletin),
            _ => None,
        };
        match again {
            Some(again) => self.schedule(self.now_us + RETRY_US, Event::Operation(again)),
            None => self.operations.failed += 1,
        }
    }

    /// Whoever exports a run can hand it to a stranger, who computes it again.
    fn replay(&mut self, node: usize, file: &[u8]) {
        let report = federated::replay(file);
        self.operations.replayed += 1;
        if !report.ok {
            let what = report.first_mismatch.map_or_else(String::new, |mismatch| mismatch.what);
            self.operations.mismatch = Some((node, what));
        }
    }
}
