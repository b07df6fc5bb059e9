//! What the application asks for.
//!
//! A command that needs the store or the chain waits, bounded, until what it needs is there; every
//! command gets exactly one answer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::Node;
use super::calling::Calls;
use super::export::Export;
use crate::clock::Now;
use crate::dag::{BlobId, Payload, RunSpec, VertexId};
use crate::effect::{Command, Effect, Input, Verdict};
use crate::event::{ModelView, Problem, Reply};
use crate::federated::Run;
use crate::group::Receipt;
use crate::limits;
use crate::message::Refusal;

/// Ids listed in the message about runs of one name. Arbitrary, sane: fits on a screen.
const RUNS_NAMED_MAX: usize = 8;

/// Commands without an answer yet.
#[derive(Debug, Default)]
pub(super) struct Commands {
    /// Those whose payload is on its way into the chain.
    written: BTreeMap<u64, Written>,
    /// Those that wait for a blob from the store.
    reading: VecDeque<Reading>,
    /// Those that wait for a peer.
    pub(super) calls: Calls,
    /// Those that end the node.
    stops: Vec<u64>,
}

#[derive(Debug)]
struct Written {
    intent: Intent,
    /// The name of the run that it starts, until the run is known.
    name: Option<String>,
    /// An error was answered already; the payload is still on its way.
    answered: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Intent {
    Start {
        samples: u32,
    },
    Join {
        run: VertexId,
    },
    Leave {
        run: VertexId,
    },
    /// The payload is an item of its own.
    Item,
    /// The payload is a sealed message.
    Message,
    /// The payload takes an invite back.
    Revoke,
}

#[derive(Debug)]
pub(super) enum Reading {
    /// The weights of a run's head.
    Model { command: u64, run: VertexId },
    /// A run with everything needed to replay it.
    Export { command: u64, export: Box<Export> },
}

impl Commands {
    /// A blob was read from the store, or is lost: exports take it at once, as it may be evicted.
    pub(super) fn loaded(&mut self, blob: &BlobId, bytes: Option<&Arc<[u8]>>) {
        for reading in &mut self.reading {
            if let Reading::Export { export, .. } = reading {
                export.loaded(blob, bytes);
            }
        }
    }

    /// The commands that are answered when the node has stopped.
    pub(super) fn take_stops(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.stops)
    }

    /// Forgets all other commands; gives those without an answer.
    pub(super) fn take_open(&mut self) -> Vec<u64> {
        let Self { written, reading, calls, stops: _ } = std::mem::take(self);
        let open = written.into_iter().filter(|(_, written)| !written.answered);
        let reading = reading.iter().map(Reading::command);
        open.map(|(command, _)| command).chain(reading).chain(calls.commands()).collect()
    }

    /// Commands without an answer yet.
    pub(super) fn len(&self) -> usize {
        self.written.len() + self.reading.len() + self.calls.len() + self.stops.len()
    }
}

impl Node {
    pub(super) fn on_command(
        &mut self,
        command: u64,
        request: Command,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let busy = self.is_busy();
        let answer = match request {
            Command::Runs => Some(Ok(Reply::Runs(self.run_views()))),
            Command::Status => Some(Ok(Reply::Status(Box::new(self.status())))),
            Command::LinkInfo => Some(Ok(Reply::Link(self.link_info()))),
            Command::Item { item } => Some(self.item_view(&item).map(Reply::Item)),
            Command::Finalised { from, count_max } => {
                Some(Ok(Reply::Finalised(self.finalised_page(from, count_max))))
            }
            Command::Committee => Some(self.committee_view().map(Reply::Committee)),
            Command::Prove { item } => Some(self.prove(&item).map(Reply::Proof)),
            Command::Wallet { account } => Some(self.wallet_view(account).map(Reply::Wallet)),
            Command::WalletHistory { account, from, count_max } => {
                Some(self.movements(account, from, count_max).map(Reply::WalletHistory))
            }
            Command::Name { label } => Some(self.name_view(&label).map(Reply::Name)),
            Command::Holds { account } => Some(self.hold_views(account).map(Reply::Holds)),
            Command::Names { owner } => Some(self.name_views(owner).map(Reply::Names)),
            Command::Messages { before, count_max } => Some(self.messages(before, count_max)),
            Command::Dial { address } => Some(self.dial_address(&address, now)),
            // The first one ends the node however much is going on.
            Command::Stop if busy && !self.commands.stops.is_empty() => Some(Err(busy_problem())),
            Command::Stop => {
                self.commands.stops.push(command);
                self.start_leaving(now);
                self.hand_over_groups(out);
                None
            }
            Command::Addresses => Some(Ok(Reply::Addresses(self.unreached_addresses(now)))),
            _ if busy => Some(Err(busy_problem())),
            Command::Connect { address } => self.connect(command, &address, now, out),
            Command::Peer { peer, order } => self.order(command, &peer, order, now, out),
            Command::StartRun { spec, samples } => {
                self.start_run(command, *spec, samples, now).err().map(Err)
            }
            Command::JoinRun { run, samples } => self.join_run(command, &run, samples, now),
            Command::LeaveRun { run } => self.leave_run(command, &run, now),
            Command::Model { run } => {
                self.read(&run, now, |run| Reading::Model { command, run }).err().map(Err)
            }
            Command::ExportRun { run } => self.export_run(command, &run, now).err().map(Err),
            Command::Groups => Some(Ok(Reply::Groups(self.group_views()))),
            Command::CreateGroup { name, members } => {
                self.create_group(command, &name, members, now).err().map(Err)
            }
            Command::ChangeTask { group, operation } => {
                self.change_task(command, &group, operation, out).err().map(Err)
            }
            Command::ChangeMember { group, member, joins } => {
                self.change_member(command, &group, (member, joins), out).err().map(Err)
            }
            Command::Tasks { group } => self.tasks(command, &group, out).err().map(Err),
            Command::ProposeCommittee { members } => {
                self.propose_committee(command, members, now).err().map(Err)
            }
            Command::SendMessage { to, text } => self.send_message(command, &to, &text, now),
            Command::Invites(order) => self.order_invites(command, order, now),
            Command::AskAnonymously(question) => self.ask_anonymously(command, question, now, out),
            Command::Operate(intention) => self.operate(command, intention, now).err().map(Err),
        };
        out.extend(answer.map(|result| Effect::Reply { command, result }));
    }

    /// Whether as many commands wait for something as may.
    fn is_busy(&self) -> bool {
        let waiting = self.commands.len() + self.groups.waiting() + self.onion.asks.len();
        waiting >= limits::COMMANDS_WAITING_MAX
    }

    pub(super) fn dial_address(&mut self, address: &str, now: Now) -> Result<Reply, Problem> {
        if !address.starts_with('/') || address.len() > limits::ADDRESS_BYTES_MAX {
            return Err(Problem {
                code: "address-invalid",
                message: format!("{:?} is not a multiaddr", address.get(..64).unwrap_or(address)),
                hint: "give an address such as /ip4/127.0.0.1/tcp/4100/ws/p2p/12D3Koo..."
                    .to_owned(),
            });
        }
        self.book.pin(address, now.mono_ms);
        Ok(Reply::Done)
    }

    fn start_run(
        &mut self,
        command: u64,
        spec: RunSpec,
        samples: u32,
        now: Now,
    ) -> Result<(), Problem> {
        spec.validate()?;
        if samples > limits::RUN_SAMPLES_MAX {
            return Err(samples_problem(samples));
        }
        self.check_room_for_run()?;
        self.check_name(&spec.name)?;
        self.write(command, Payload::RunStart(spec), Intent::Start { samples }, now)
    }

    fn join_run(
        &mut self,
        command: u64,
        run: &str,
        samples: u32,
        now: Now,
    ) -> Option<Result<Reply, Problem>> {
        let id = match self.find_run(run) {
            Ok(id) => id,
            Err(problem) => return Some(Err(problem)),
        };
        if !(1..=limits::RUN_SAMPLES_MAX).contains(&samples) {
            return Some(Err(samples_problem(samples)));
        }
        let known = self.runs.get(&id)?;
        let as_before = known.members().get(&self.me);
        if as_before.is_some_and(|member| member.joined && member.samples == samples)
            && self.has_masking_key(known)
        {
            let view = self.run_view(known);
            self.start_training(&id, now);
            return Some(Ok(Reply::Run(view.into())));
        }
        if let Err(problem) = self.check_room_for_run() {
            return Some(Err(problem));
        }
        let payload = self.join_payload(id, samples);
        self.write(command, payload, Intent::Join { run: id }, now).err().map(Err)
    }

    fn leave_run(&mut self, command: u64, run: &str, now: Now) -> Option<Result<Reply, Problem>> {
        let id = match self.find_run(run) {
            Ok(id) => id,
            Err(problem) => return Some(Err(problem)),
        };
        if let Some(following) = self.following.get_mut(&id) {
            following.training = false;
        }
        let known = self.runs.get(&id)?;
        if !known.is_member(&self.me) {
            return Some(Ok(Reply::Run(self.run_view(known).into())));
        }
        let payload = Payload::RunLeave { run: id };
        self.write(command, payload, Intent::Leave { run: id }, now).err().map(Err)
    }

    fn start_training(&mut self, id: &VertexId, now: Now) {
        self.follow(id, now);
        if let Some(following) = self.following.get_mut(id) {
            following.training = true;
            following.dirty = true;
        }
    }

    /// Queues the payload of a command; it is answered when the vertex is durable.
    pub(super) fn write(
        &mut self,
        command: u64,
        payload: Payload,
        intent: Intent,
        now: Now,
    ) -> Result<(), Problem> {
        let name = match &payload {
            Payload::RunStart(spec) => Some(spec.name.clone()),
            _ => None,
        };
        if !self.writer.queue(payload, Some(command), true, now.mono_ms) {
            return Err(busy_problem());
        }
        self.commands.written.insert(command, Written { intent, name, answered: false });
        Ok(())
    }

    /// Queues a payload that is an item of its own.
    pub(super) fn write_item(
        &mut self,
        command: u64,
        payload: Payload,
        now: Now,
    ) -> Result<(), Problem> {
        self.write(command, payload, Intent::Item, now)
    }

    /// The own vertex `id` is durable: answers the commands whose payloads are in it.
    pub(super) fn own_vertex_durable(
        &mut self,
        id: &VertexId,
        commands: &[(u64, u32)],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        for (command, place) in commands {
            let Some(Written { intent, answered, .. }) = self.commands.written.remove(command)
            else {
                continue;
            };
            let run = match intent {
                Intent::Start { samples: 0 } => *id,
                Intent::Start { samples } => {
                    let payload = self.join_payload(*id, samples);
                    self.writer.queue(payload, Some(*command), true, now.mono_ms);
                    let intent = Intent::Join { run: *id };
                    let written = Written { intent, name: None, answered };
                    self.commands.written.insert(*command, written);
                    continue;
                }
                Intent::Join { run } => {
                    self.start_training(&run, now);
                    run
                }
                Intent::Leave { run } => run,
                Intent::Item | Intent::Message | Intent::Revoke => {
                    if !answered {
                        let result = match intent {
                            Intent::Item => self.written_item(id, *place),
                            Intent::Revoke => Ok(Reply::Done),
                            _ => self.written_message(id, *place),
                        };
                        out.push(Effect::Reply { command: *command, result });
                    }
                    continue;
                }
            };
            if answered {
                continue;
            }
            let result = match self.runs.get(&run) {
                Some(known) => Ok(Reply::Run(self.run_view(known).into())),
                None => Err(unknown_run(&run.to_string())),
            };
            out.push(Effect::Reply { command: *command, result });
        }
    }

    /// Answers commands with an error. What they queued stays queued.
    pub(super) fn fail_commands(
        &mut self,
        commands: &[u64],
        problem: &Problem,
        out: &mut Vec<Effect>,
    ) {
        for command in commands {
            if let Some(written) = self.commands.written.get_mut(command)
                && !written.answered
            {
                written.answered = true;
                out.push(Effect::Reply { command: *command, result: Err(problem.clone()) });
            }
        }
    }

    /// Answers commands with an error. What they queued is gone.
    pub(super) fn drop_commands(
        &mut self,
        commands: &[u64],
        problem: &Problem,
        out: &mut Vec<Effect>,
    ) {
        self.fail_commands(commands, problem, out);
        for command in commands {
            self.commands.written.remove(command);
        }
    }

    fn read(
        &mut self,
        run: &str,
        now: Now,
        reading: impl FnOnce(VertexId) -> Reading,
    ) -> Result<(), Problem> {
        let id = self.find_run(run)?;
        self.follow_asked(&id, now);
        self.commands.reading.push_back(reading(id));
        Ok(())
    }

    fn export_run(&mut self, command: u64, run: &str, now: Now) -> Result<(), Problem> {
        let id = self.find_run(run)?;
        self.follow_asked(&id, now);
        let known = self.runs.get(&id).ok_or_else(|| unknown_run(run))?;
        let export = Box::new(Export::new(&self.graph, known, &self.blobs)?);
        self.commands.reading.push_back(Reading::Export { command, export });
        Ok(())
    }

    /// Goes on with the commands that wait for blobs.
    pub(super) fn serve_commands(&mut self, out: &mut Vec<Effect>) {
        for _ in 0..self.commands.reading.len() {
            let Some(mut reading) = self.commands.reading.pop_front() else { return };
            match self.serve_reading(&mut reading, out) {
                Some((command, result)) => out.push(Effect::Reply { command, result }),
                None => self.commands.reading.push_back(reading),
            }
        }
    }

    fn serve_reading(
        &mut self,
        reading: &mut Reading,
        out: &mut Vec<Effect>,
    ) -> Option<(u64, Result<Reply, Problem>)> {
        match reading {
            Reading::Model { command, run } => {
                let known = self.runs.get(run)?;
                let (head, spec, round) = (known.head(), known.spec().clone(), known.round());
                let weights = self.following.get(run)?.weights(known, &head)?;
                if let Some(bytes) = self.blobs.get(&weights) {
                    let model = ModelView { run: *run, spec, round, weights: bytes.to_vec() };
                    return Some((*command, Ok(Reply::Model(model.into()))));
                }
                if self.blobs.start_load(&weights) {
                    out.push(Effect::LoadBlob { blob: weights });
                } else if !self.blobs.is_local(&weights) {
                    return Some((*command, Err(lost_problem(&weights))));
                }
                None
            }
            Reading::Export { command, export } => {
                // As long as something is at hand: nobody calls again for what is not read.
                while self.serve_export(export, out) {}
                let result = export.finish(&self.graph)?;
                Some((*command, result.map(Reply::Car)))
            }
        }
    }

    /// Gives an export the blobs that are in memory and asks the store for others; whether any was
    /// given, so that there may be more.
    fn serve_export(&mut self, export: &mut Export, out: &mut Vec<Effect>) -> bool {
        let mut given = false;
        for blob in export.next() {
            if let Some(bytes) = self.blobs.get(&blob) {
                export.loaded(&blob, Some(&bytes));
                given = true;
            } else if self.blobs.start_load(&blob) {
                out.push(Effect::LoadBlob { blob });
            } else if !self.blobs.is_local(&blob) {
                export.loaded(&blob, None);
                given = true;
            }
        }
        given
    }

    /// A run by id or by name.
    pub(super) fn find_run(&self, text: &str) -> Result<VertexId, Problem> {
        if let Ok(id) = text.parse::<VertexId>()
            && self.runs.get(&id).is_some()
        {
            return Ok(id);
        }
        let named = self.runs.iter().filter(|run| run.spec().name == text);
        let named: Vec<VertexId> = named.map(Run::id).collect();
        match named.as_slice() {
            [] => Err(unknown_run(text)),
            [run] => Ok(*run),
            several => Err(ambiguous_run(text, several)),
        }
    }

    /// A name is given once; members that are apart can still give the same one.
    fn check_name(&self, name: &str) -> Result<(), Problem> {
        let known = self.runs.iter().map(|run| run.spec().name.as_str());
        let starting = self.commands.written.values().filter_map(|one| one.name.as_deref());
        if !known.chain(starting).any(|taken| taken == name) {
            return Ok(());
        }
        Err(Problem {
            code: "run-exists",
            message: format!("there is a run called {name:?} already"),
            hint: "join that one, or choose another name".to_owned(),
        })
    }

    fn check_room_for_run(&self) -> Result<(), Problem> {
        let joined = self.runs.iter().filter(|run| run.is_member(&self.me) && !run.is_finished());
        if joined.count() < limits::RUNS_JOINED_MAX {
            return Ok(());
        }
        Err(Problem {
            code: "runs-too-many",
            message: format!("this node takes part in {} runs already", limits::RUNS_JOINED_MAX),
            hint: "leave one of them first".to_owned(),
        })
    }

    /// After the end every question still has an answer.
    pub(super) fn refuse_stopped(input: Input, out: &mut Vec<Effect>) {
        match input {
            Input::Command { command, .. } => {
                out.push(Effect::Reply { command, result: Err(stopped_problem()) });
            }
            Input::Told { token, .. } => {
                out.push(Effect::Respond { token, bytes: Receipt::Refused.encode() });
            }
            Input::Cell { token, .. } => out.push(Effect::Respond { token, bytes: Vec::new() }),
            Input::Request { token, .. } => super::serving::refuse(token, Refusal::Busy, out),
            Input::Gossip { peer, message, .. } => {
                out.push(Effect::Verdict { message, peer, verdict: Verdict::Ignore });
            }
            _ => {}
        }
    }
}

impl Reading {
    fn command(&self) -> u64 {
        match self {
            Reading::Model { command, .. } | Reading::Export { command, .. } => *command,
        }
    }
}

fn unknown_run(run: &str) -> Problem {
    Problem {
        code: "run-unknown",
        message: format!("no run is called {:?}", run.chars().take(64).collect::<String>()),
        hint: "list the runs; one that was just started takes a moment to arrive".to_owned(),
    }
}

fn ambiguous_run(name: &str, runs: &[VertexId]) -> Problem {
    let ids: Vec<String> = runs.iter().take(RUNS_NAMED_MAX).map(VertexId::to_string).collect();
    let more = if runs.len() > ids.len() { ", ..." } else { "" };
    Problem {
        code: "run-ambiguous",
        message: format!("{} runs are called {name:?}: {}{more}", runs.len(), ids.join(", ")),
        hint: "name the run by its id".to_owned(),
    }
}

fn samples_problem(samples: u32) -> Problem {
    Problem {
        code: "run-samples",
        message: format!("{samples} samples; a member trains on 1 to {}", limits::RUN_SAMPLES_MAX),
        hint: "give a data set with that many rows".to_owned(),
    }
}

pub(super) fn busy_problem() -> Problem {
    Problem {
        code: "node-busy",
        message: "too much waits to be written already".to_owned(),
        hint: "try again in a moment".to_owned(),
    }
}

pub(super) fn stopped_problem() -> Problem {
    Problem {
        code: "node-stopped",
        message: "the node has stopped".to_owned(),
        hint: "start it again".to_owned(),
    }
}

pub(super) fn lost_problem(blob: &BlobId) -> Problem {
    Problem {
        code: "blob-missing",
        message: format!("blob {blob} is not in the store"),
        hint: "stay connected until it has been fetched from another member, then try again"
            .to_owned(),
    }
}
