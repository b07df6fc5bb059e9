//! Groups inside the node: carries packets between engines and peers, and answers commands.
//!
//! Each group is a [`group::State`]. What it wants durable goes through the node's one writer as a
//! unit; its messages wait for that inside the engine. Packets go to whoever said hello as the
//! author they are for, a few at a time; what finds no way is lost, and the engines make up for it.
//! A peer that does not know a group gets an invitation, if it is a member: it is in the group by
//! being listed, as long as it has room for another one.

use std::collections::{BTreeMap, VecDeque};

use super::Node;
use super::commands::busy_problem;
use super::offence::Offence;
use super::peers::{Asked, Peer};
use crate::clock::Now;
use crate::effect::{Effect, RequestFailed};
use crate::event::{GroupView, Problem, Reply};
use crate::group::{
    self, Genesis, GroupId, Input, Operation, Output, Packet, Receipt, State, Stored, TICK_MS,
};
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::rate::Bucket;
use crate::rng::Rng;

/// Packets under way to one peer (count): the rest of its requests is for the history.
const PACKETS_OPEN_MAX: usize = 4;
/// Packets that wait for a peer (count). Arbitrary, sane: one for each member, and as many again.
const PACKETS_WAITING_MAX: usize = 16;

/// The groups of a node.
#[derive(Debug, Default)]
pub(super) struct Groups {
    engines: BTreeMap<GroupId, State>,
    /// Which of them others began.
    invited: usize,
    /// Packets that wait for a slot, by whom they are for.
    waiting: BTreeMap<AuthorId, VecDeque<(GroupId, Vec<u8>)>>,
    /// How fast peers send.
    rates: BTreeMap<TransportId, Bucket>,
    /// Commands that wait for an engine, by its token.
    asked: BTreeMap<u64, (u64, GroupId, Asking)>,
    /// Units of writes: what they make durable.
    units: BTreeMap<u64, Unit>,
    last: u64,
    tick_ms: Option<u64>,
}

/// What a command wants to be told.
#[derive(Debug)]
enum Asking {
    Task(String),
    Member,
    Tasks,
}

/// What one unit of a write is.
#[derive(Debug)]
enum Unit {
    /// How a group began; a command may wait for it.
    Genesis(GroupId, Option<u64>),
    /// A write of this number of an engine.
    Engine(GroupId, u64),
}

impl Groups {
    /// When the engines tick next.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.tick_ms
    }

    /// Commands without an answer, which are forgotten.
    pub(super) fn take_open(&mut self) -> Vec<u64> {
        let asked = std::mem::take(&mut self.asked).into_values().map(|(command, ..)| command);
        let units = std::mem::take(&mut self.units).into_values();
        let begun = units.filter_map(|unit| match unit {
            Unit::Genesis(_, command) => command,
            Unit::Engine(..) => None,
        });
        asked.chain(begun).collect()
    }

    /// Commands without an answer.
    pub(super) fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// Whether a node of this author is needed by a group.
    pub(super) fn needs(&self, author: &AuthorId) -> bool {
        self.engines.values().any(|engine| engine.is_known(author))
    }

    /// Forgets a peer that is gone.
    pub(super) fn forget_peer(&mut self, peer: &TransportId, author: Option<&AuthorId>) {
        self.rates.remove(peer);
        if let Some(author) = author {
            self.waiting.remove(author);
        }
    }

    /// A number for something that is waited for: a token, or a unit of a write.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Node {
    /// Goes on with the groups that the store has.
    ///
    /// # Errors
    /// [`group::Error`] when a group's records contradict each other.
    pub(super) fn restore_groups(
        &mut self,
        meta: &[(String, Vec<u8>)],
        now: Now,
    ) -> Result<(), group::Error> {
        for stored in Stored::restore(meta)? {
            if stored.genesis.network() == self.config.network {
                self.add_engine(stored, now);
            }
        }
        Ok(())
    }

    fn add_engine(&mut self, stored: Stored, now: Now) -> GroupId {
        let mut seed = [0; 32];
        self.rng.fill(&mut seed);
        let id = stored.genesis.id();
        let engine = State::new(group::Config::default(), stored, self.me, Rng::from_seed(seed));
        self.groups.engines.insert(id, engine);
        self.groups.tick_ms.get_or_insert(now.mono_ms.saturating_add(TICK_MS));
        id
    }

    /// Lets time pass in every group, and sends what waits for a slot.
    pub(super) fn look_after_groups(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Some(due_ms) = self.groups.tick_ms.filter(|due_ms| *due_ms <= now.mono_ms) {
            let late = u32::try_from((now.mono_ms - due_ms) / TICK_MS).unwrap_or(u32::MAX);
            let ticks = late.saturating_add(1).min(limits::GROUP_TICKS_MAX);
            self.groups.tick_ms = Some(now.mono_ms.saturating_add(TICK_MS));
            for id in self.groups.engines.keys().copied().collect::<Vec<_>>() {
                (0..ticks).for_each(|_| self.step_group(&id, Input::Tick, out));
            }
        }
        self.send_packets(now, out);
    }

    /// Lets others lead where this node does, before it goes.
    pub(super) fn hand_over_groups(&mut self, out: &mut Vec<Effect>) {
        let heirs =
            self.groups.engines.iter().filter_map(|(id, engine)| Some((*id, engine.heir()?)));
        for (id, heir) in heirs.collect::<Vec<_>>() {
            self.step_group(&id, Input::Transfer(heir), out);
        }
    }

    /// Hands one input to an engine, and does what it asks for.
    fn step_group(&mut self, id: &GroupId, input: Input, out: &mut Vec<Effect>) {
        let Some(engine) = self.groups.engines.get_mut(id) else { return };
        let mut outputs = Vec::new();
        engine.handle(input, &mut outputs);
        for output in outputs {
            match output {
                Output::Persist(write) => {
                    let unit = self.groups.next();
                    self.groups.units.insert(unit, Unit::Engine(*id, write.number));
                    self.writer.add_unit(unit, write.records(id), Vec::new());
                }
                Output::Send { to, message } => self.queue_packet(id, to, message),
                Output::Answered { token, result } => self.answer_group(token, result, out),
                // What a screen shows it asks for.
                _ => {}
            }
        }
    }

    fn queue_packet(&mut self, id: &GroupId, to: AuthorId, message: group::Message) {
        let Some(engine) = self.groups.engines.get(id) else { return };
        if self.peers.of_author(&to).is_none() {
            return;
        }
        let bytes = Packet::new(engine.genesis(), message).encode();
        let waiting = self.groups.waiting.entry(to).or_default();
        if waiting.len() >= PACKETS_WAITING_MAX {
            // The oldest is the most likely to be of no use any more.
            waiting.pop_front();
            self.counters.count("group-packet-dropped");
        }
        waiting.push_back((*id, bytes));
    }

    fn send_packets(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut waiting = std::mem::take(&mut self.groups.waiting);
        for (author, packets) in &mut waiting {
            let Some(peer) = self.peers.of_author(author).cloned() else {
                packets.clear();
                continue;
            };
            while self.peers.packets_open(&peer) < PACKETS_OPEN_MAX
                && let Some((group, bytes)) = packets.pop_front()
            {
                let opened = self.peers.open(&peer, Asked::Packet { group }, now.mono_ms);
                let Some(request) = opened else {
                    packets.push_front((group, bytes));
                    break;
                };
                out.push(Effect::Tell { peer: peer.clone(), request, bytes });
            }
        }
        waiting.retain(|_, packets| !packets.is_empty());
        self.groups.waiting = waiting;
    }

    /// A peer sent a packet.
    pub(super) fn on_told(
        &mut self,
        peer: &TransportId,
        token: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let receipt = self.take_packet(peer, bytes, now, out);
        out.push(Effect::Respond { token, bytes: receipt.encode() });
    }

    fn take_packet(
        &mut self,
        peer: &TransportId,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Receipt {
        let author = self.peers.get(peer).and_then(Peer::author);
        let Some(author) = author.filter(|_| self.introduced) else {
            self.counters.count("group-packet-before-hello");
            return Receipt::Refused;
        };
        let rate = self.groups.rates.entry(peer.clone());
        let rate = rate.or_insert_with(|| Bucket::new(now.mono_ms));
        let (burst, per_second) = (limits::GROUP_PACKETS_BURST, limits::GROUP_PACKETS_PER_SECOND);
        if !rate.take(now.mono_ms, burst, per_second) {
            self.counters.count("group-packet-rate");
            return Receipt::Refused;
        }
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.count(error.code());
                self.penalise(peer, Offence::Malformed, now, out);
                return Receipt::Refused;
            }
        };
        match packet {
            Packet::Invite(genesis) => self.accept_invitation(&genesis, now),
            Packet::Message { group, secret, message } => {
                let Some(engine) = self.groups.engines.get(&group) else {
                    return Receipt::Unknown;
                };
                if *engine.genesis().secret() != secret {
                    self.counters.count("group-secret");
                    return Receipt::Refused;
                }
                self.step_group(&group, Input::Message { from: author, message }, out);
                Receipt::Taken
            }
        }
    }

    fn accept_invitation(&mut self, genesis: &[u8], now: Now) -> Receipt {
        let Ok(genesis) = Genesis::decode(genesis) else { return Receipt::Refused };
        if self.groups.engines.contains_key(&genesis.id()) {
            return Receipt::Taken;
        }
        let room = self.groups.engines.len() < limits::GROUPS_MAX
            && self.groups.invited < limits::GROUPS_INVITED_MAX;
        if !room || genesis.network() != self.config.network {
            self.counters.count("group-invitation-refused");
            return Receipt::Refused;
        }
        self.groups.invited += 1;
        self.begin_group(genesis, None, now);
        Receipt::Taken
    }

    fn begin_group(&mut self, genesis: Genesis, command: Option<u64>, now: Now) {
        let unit = self.groups.next();
        self.groups.units.insert(unit, Unit::Genesis(genesis.id(), command));
        self.writer.add_unit(unit, vec![group::genesis_record(&genesis)], Vec::new());
        self.add_engine(Stored::new(genesis), now);
    }

    /// A packet was received, or not.
    pub(super) fn on_receipt(
        &mut self,
        peer: &TransportId,
        group: &GroupId,
        result: Result<Vec<u8>, RequestFailed>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Ok(bytes) = result else { return self.counters.count("group-packet-lost") };
        match Receipt::decode(&bytes) {
            Ok(Receipt::Unknown) => self.invite(peer, group),
            Ok(Receipt::Taken) => {}
            Ok(Receipt::Refused) => self.counters.count("group-packet-refused"),
            Err(error) => {
                self.counters.count(error.code());
                self.penalise(peer, Offence::Malformed, now, out);
            }
        }
    }

    /// Tells a member of a group about it. Nobody else is told its secret.
    fn invite(&mut self, peer: &TransportId, group: &GroupId) {
        let author = self.peers.get(peer).and_then(Peer::author);
        let (Some(author), Some(engine)) = (author, self.groups.engines.get(group)) else { return };
        if engine.is_known(&author) {
            let packet = Packet::invite(engine.genesis()).encode();
            let waiting = self.groups.waiting.entry(author).or_default();
            waiting.push_front((*group, packet));
            waiting.truncate(PACKETS_WAITING_MAX);
        }
    }

    /// Units of writes are durable.
    pub(super) fn units_durable(&mut self, units: &[u64], out: &mut Vec<Effect>) {
        for unit in units {
            match self.groups.units.remove(unit) {
                Some(Unit::Engine(id, number)) => {
                    self.step_group(&id, Input::Persisted(number), out);
                }
                Some(Unit::Genesis(id, Some(command))) => {
                    let result = self.group_view(&id).map(Reply::Group);
                    out.push(Effect::Reply { command, result });
                }
                _ => {}
            }
        }
    }

    // ---- commands -----------------------------------------------------------------------------

    pub(super) fn create_group(
        &mut self,
        command: u64,
        name: &str,
        mut members: Vec<AuthorId>,
        now: Now,
    ) -> Result<(), Problem> {
        if self.groups.engines.len() >= limits::GROUPS_MAX {
            return Err(Problem {
                code: "groups-too-many",
                message: format!("this node is in {} groups already", limits::GROUPS_MAX),
                hint: "use one of them, or another node".to_owned(),
            });
        }
        if !members.contains(&self.me) {
            members.push(self.me);
        }
        let genesis = Genesis::new(self.config.network, name, members, &mut self.rng)?;
        self.begin_group(genesis, Some(command), now);
        Ok(())
    }

    /// Asks a group to change something about a task.
    pub(super) fn change_task(
        &mut self,
        command: u64,
        group: &str,
        operation: Operation,
        out: &mut Vec<Effect>,
    ) -> Result<(), Problem> {
        let task = match &operation {
            Operation::Assign { task, .. }
            | Operation::Take { task, .. }
            | Operation::Release { task, .. }
            | Operation::Done { task, .. } => task.clone(),
            Operation::Add { .. } | Operation::Remove { .. } => return Err(busy_problem()),
        };
        let asking = Asking::Task(task);
        self.ask_group(command, group, asking, |token| Input::Propose { token, operation }, out)
    }

    /// Asks a group to add or remove a member, if its members are those that are known here.
    pub(super) fn change_member(
        &mut self,
        command: u64,
        group: &str,
        (member, joins): (AuthorId, bool),
        out: &mut Vec<Effect>,
    ) -> Result<(), Problem> {
        let id = self.find_group(group)?;
        let version = self.groups.engines.get(&id).map_or(0, |known| known.membership().version);
        let operation = if joins {
            Operation::Add { member, version }
        } else {
            Operation::Remove { member, version }
        };
        let input = |token| Input::Propose { token, operation };
        self.ask_group(command, group, Asking::Member, input, out)
    }

    pub(super) fn tasks(
        &mut self,
        command: u64,
        group: &str,
        out: &mut Vec<Effect>,
    ) -> Result<(), Problem> {
        self.ask_group(command, group, Asking::Tasks, |token| Input::Read { token }, out)
    }

    fn ask_group(
        &mut self,
        command: u64,
        group: &str,
        asking: Asking,
        input: impl FnOnce(u64) -> Input,
        out: &mut Vec<Effect>,
    ) -> Result<(), Problem> {
        let id = self.find_group(group)?;
        let token = self.groups.next();
        self.groups.asked.insert(token, (command, id, asking));
        self.step_group(&id, input(token), out);
        Ok(())
    }

    fn answer_group(
        &mut self,
        token: u64,
        result: Result<group::Outcome, group::Error>,
        out: &mut Vec<Effect>,
    ) {
        let Some((command, id, asking)) = self.groups.asked.remove(&token) else { return };
        let outcome = result.map_err(Problem::from);
        let outcome = outcome.and_then(|outcome| outcome.map_err(Problem::from));
        let result = outcome.and_then(|_| {
            let engine = self.groups.engines.get(&id).ok_or_else(|| unknown_group(""))?;
            Ok(match asking {
                Asking::Task(name) => Reply::Task(engine.task(&name).cloned().map(Box::new)),
                Asking::Member => Reply::Group(self.group_view(&id)?),
                Asking::Tasks => Reply::Tasks(engine.tasks().cloned().collect()),
            })
        });
        out.push(Effect::Reply { command, result });
    }

    /// Every group of this node.
    pub(super) fn group_views(&self) -> Vec<GroupView> {
        self.groups.engines.keys().filter_map(|id| self.group_view(id).ok()).collect()
    }

    fn group_view(&self, id: &GroupId) -> Result<GroupView, Problem> {
        let engine = self.groups.engines.get(id).ok_or_else(|| unknown_group(&id.to_string()))?;
        let status = engine.status();
        Ok(GroupView {
            id: *id,
            name: engine.genesis().name().to_owned(),
            role: status.role,
            leader: status.leader,
            term: status.term,
            last: status.last,
            commit: status.commit,
            members: status.membership.members,
            tasks: engine.tasks().len(),
        })
    }

    fn find_group(&self, group: &str) -> Result<GroupId, Problem> {
        let named = |(id, engine): (&GroupId, &State)| {
            (engine.genesis().name() == group || id.to_string() == group).then_some(*id)
        };
        let found: Vec<GroupId> = self.groups.engines.iter().filter_map(named).collect();
        match found.as_slice() {
            [id] => Ok(*id),
            [] => Err(unknown_group(group)),
            _ => Err(Problem {
                code: "group-ambiguous",
                message: format!("{} groups are called {group:?}", found.len()),
                hint: "name the group by its id".to_owned(),
            }),
        }
    }
}

fn unknown_group(group: &str) -> Problem {
    Problem {
        code: "group-unknown",
        message: format!("no group is called {:?}", group.chars().take(64).collect::<String>()),
        hint: "list the groups; this node is only in those that list it as a member".to_owned(),
    }
}

impl From<group::Error> for Problem {
    fn from(error: group::Error) -> Self {
        let hint = match error {
            group::Error::Timeout => {
                "look whether most members are connected, then look at the \
                                      tasks before you ask again"
            }
            group::Error::NotMember => "ask a member to add this node",
            _ => "change it accordingly",
        };
        Problem { code: error.code(), message: error.to_string(), hint: hint.to_owned() }
    }
}

impl From<group::Refusal> for Problem {
    fn from(refusal: group::Refusal) -> Self {
        let hint = "list the tasks and members of the group as they are now".to_owned();
        Problem { code: refusal.code(), message: refusal.to_string(), hint }
    }
}
