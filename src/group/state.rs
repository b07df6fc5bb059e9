//! The engine: what a member of one group knows, and the order in which it lets go of it.

use std::collections::VecDeque;

use super::election::Role;
use super::entry::{Entry, NUMBER_MAX, Operation, Position, Request};
use super::log::Log;
use super::machine::{Machine, Membership, Outcome, Task};
use super::message::{Body, Message};
use super::record::{Head, Stored, Write};
use super::requests::Requests;
use super::{Config, Error, Genesis};
use crate::identity::AuthorId;
use crate::limits;
use crate::rng::Rng;

/// What happens to a member.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// [`super::TICK_MS`] have passed.
    Tick,
    /// Another author sent a message, which showed the group's secret.
    Message {
        /// Who.
        from: AuthorId,
        /// What.
        message: Message,
    },
    /// The write of this number is durable. Writes end in the order of their numbers; one that
    /// fails is repeated until it does not.
    Persisted(u64),
    /// Change something; answered by one [`Output::Answered`].
    Propose {
        /// The caller's name for it.
        token: u64,
        /// What is to be changed.
        operation: Operation,
    },
    /// Read what is committed by now; answered by one [`Output::Answered`].
    Read {
        /// The caller's name for it.
        token: u64,
    },
    /// Let this member lead instead, if this one does.
    Transfer(AuthorId),
}

/// What a member asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Make this durable. At most one write is under way.
    Persist(Write),
    /// Send this.
    Send {
        /// To whom.
        to: AuthorId,
        /// What.
        message: Message,
    },
    /// What became of a request. For a read the state is now as new as it was when asked.
    Answered {
        /// The caller's name for it.
        token: u64,
        /// The version that was made, or the place up to which is read; or why not.
        result: Result<Outcome, Error>,
    },
    /// Tasks, members or the leader are others than before.
    Changed,
}

/// What a member is doing, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `follower`, `candidate` or `leader`; `none` for one that is no member.
    pub role: &'static str,
    /// Who leads, as far as known.
    pub leader: Option<AuthorId>,
    /// The term.
    pub term: u64,
    /// Where the log ends.
    pub last: u64,
    /// Up to where it is committed.
    pub commit: u64,
    /// Who is a member, as committed.
    pub membership: Membership,
}

/// Ways to break the rules, for tests that must fail.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Messages go before what they promise is durable.
    SendsFirst,
    /// Whoever asks gets a vote.
    VotesTwice,
    /// Votes are given to whoever's log is shorter.
    VotesForAnyLog,
    /// A majority is one less.
    SmallQuorum,
    /// What conflicts with the leader's log stays.
    KeepsConflicts,
    /// Reads are answered at once.
    ReadsAtOnce,
    /// A leader answers reads without asking whether it still is one.
    TrustsItself,
    /// A second change of the members begins before the first is committed.
    ManyChanges,
    /// The same request counts as often as it was sent.
    Forgetful,
}

/// One member of one group.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) genesis: Genesis,
    pub(super) me: AuthorId,
    pub(super) rng: Rng,
    pub(super) term: u64,
    pub(super) vote: Option<AuthorId>,
    life: u64,
    pub(super) log: Log,
    /// Every membership since the log's base, oldest first. The last one counts, committed or not.
    memberships: VecDeque<Membership>,
    pub(super) commit: u64,
    pub(super) machine: Machine,
    pub(super) role: Role,
    pub(super) leader: Option<AuthorId>,
    /// Ticks since a leader was heard of, or since the own election began.
    pub(super) elapsed: u32,
    /// Ticks after which an election begins.
    pub(super) patience: u32,
    /// The version of a membership without this one that another member told of.
    pub(super) gone: Option<u64>,
    pub(super) requests: Requests,
    dirty: Dirty,
    writing: Option<Writing>,
    last_write: u64,
    /// Up to which index the log is durable.
    pub(super) durable: u64,
    /// The index of the snapshot that is durable.
    saved: u64,
    /// What was said in this step.
    fresh: Vec<(AuthorId, Message)>,
    /// What waits for the write of a number.
    outbox: VecDeque<(u64, AuthorId, Message)>,
    changed: bool,
    #[cfg(test)]
    pub(super) mutant: Option<Mutant>,
}

/// What is other than in the store and in no write yet.
#[derive(Debug, Default)]
struct Dirty {
    head: bool,
    image: bool,
    /// The first entry.
    from: Option<u64>,
}

/// The write under way.
#[derive(Debug)]
struct Writing {
    number: u64,
    last: u64,
    image: Option<u64>,
}

impl State {
    /// A member that goes on from what its store has.
    pub fn new(config: Config, stored: Stored, me: AuthorId, rng: Rng) -> Self {
        let Stored { genesis, head, machine, entries } = stored;
        let Head { term, vote, last, life } = head;
        let applied = machine.applied;
        let mut state = Self {
            config,
            genesis,
            me,
            rng,
            term,
            vote,
            life: life + 1,
            log: Log::behind(applied),
            memberships: VecDeque::from([machine.membership.clone()]),
            commit: applied.index,
            machine,
            role: Role::Follower,
            leader: None,
            elapsed: 0,
            patience: 0,
            gone: None,
            requests: Requests::default(),
            // A life has to be durable before anything is said in it.
            dirty: Dirty { head: true, ..Dirty::default() },
            writing: None,
            last_write: 0,
            durable: last,
            saved: applied.index,
            fresh: Vec::new(),
            outbox: VecDeque::new(),
            changed: false,
            #[cfg(test)]
            mutant: None,
        };
        for entry in entries {
            state.note_membership(&entry);
            state.log.push(entry);
        }
        state.be_patient();
        state
    }

    /// Takes one input and pushes what it leads to.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Tick => self.tick(out),
            Input::Message { from, message } => self.on_message(from, message),
            Input::Persisted(number) => self.on_persisted(number),
            Input::Propose { token, operation } => self.propose(token, operation, out),
            Input::Read { token } => self.read(token, out),
            Input::Transfer(to) => self.transfer(to),
        }
        self.advance_commit();
        self.apply();
        self.advance_requests(out);
        self.settle(out);
    }

    /// How the group began.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The tasks, by name, as far as this member knows. Only after an answered [`Input::Read`]
    /// that is everything that had been acknowledged before.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = &Task> {
        self.machine.tasks()
    }

    /// One task.
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.machine.task(name)
    }

    /// Who is a member, as committed.
    pub fn membership(&self) -> &Membership {
        &self.machine.membership
    }

    /// Everybody to whom this member may have something to say.
    pub fn is_known(&self, author: &AuthorId) -> bool {
        self.memberships.iter().any(|membership| membership.has(author))
            || self.genesis.members().contains(author)
    }

    /// What this member is doing.
    pub fn status(&self) -> Status {
        let role = match self.role {
            _ if !self.is_member() => "none",
            Role::Follower => "follower",
            Role::Leader(_) => "leader",
            Role::PreCandidate(_) | Role::Candidate(_) => "candidate",
        };
        Status {
            role,
            leader: self.leader,
            term: self.term,
            last: self.log.last().index,
            commit: self.commit,
            membership: self.machine.membership.clone(),
        }
    }

    // ---- what the other parts of the engine build on ------------------------------------------

    /// The members that count now.
    pub(super) fn current(&self) -> &Membership {
        self.memberships.back().unwrap_or(&self.machine.membership)
    }

    pub(super) fn quorum(&self) -> usize {
        #[cfg(test)]
        if self.mutant == Some(Mutant::SmallQuorum) {
            return self.current().quorum() - 1;
        }
        self.current().quorum()
    }

    /// Whether this one counts as a member, and has not been told otherwise.
    pub(super) fn is_member(&self) -> bool {
        let told = self.gone.is_some_and(|version| version > self.current().version);
        self.current().has(&self.me) && !told
    }

    /// A number for a request or a question that no other life of this member has used.
    pub(super) fn number(&self, count: u64) -> u64 {
        (self.life << 32).saturating_add(count).min(NUMBER_MAX)
    }

    /// Says something, once everything is durable that was changed until the end of this step.
    pub(super) fn send(&mut self, to: AuthorId, body: Body) {
        if to != self.me {
            self.fresh.push((to, Message { term: self.term, body }));
        }
    }

    /// Says something to every other member.
    pub(super) fn send_all(&mut self, body: &Body) {
        for to in self.current().members.clone() {
            self.send(to, body.clone());
        }
    }

    /// Goes to a later term, in which it has not voted.
    pub(super) fn enter(&mut self, term: u64) {
        assert!(term > self.term, "terms only grow");
        (self.term, self.vote) = (term, None);
        self.dirty.head = true;
    }

    pub(super) fn vote_for(&mut self, author: AuthorId) {
        self.vote = Some(author);
        self.dirty.head = true;
    }

    pub(super) fn note_change(&mut self) {
        self.changed = true;
    }

    /// Whether the log has room for another entry.
    pub(super) fn has_room(&self) -> bool {
        self.log.last().index - self.saved < limits::GROUP_LOG_ENTRIES_MAX
    }

    /// Adds an entry behind the last one. Room for it has to be there.
    pub(super) fn push(&mut self, entry: Entry) {
        let index = entry.at.index;
        self.note_membership(&entry);
        self.log.push(entry);
        self.dirty.head = true;
        self.dirty.from = Some(self.dirty.from.map_or(index, |from| from.min(index)));
    }

    /// Adds a request to the own log as the leader of this term.
    pub(super) fn push_request(&mut self, request: Option<Request>) {
        let index = self.log.last().index + 1;
        self.push(Entry { at: Position { term: self.term, index }, request });
    }

    /// Drops the entries behind `index`, none of which is committed.
    pub(super) fn truncate(&mut self, index: u64) {
        assert!(index >= self.commit, "what is committed stays");
        self.log.truncate(index);
        while self.memberships.len() > 1 && self.current().version > index {
            self.memberships.pop_back();
        }
        self.durable = self.durable.min(index);
        if let Some(writing) = &mut self.writing {
            writing.last = writing.last.min(index);
        }
        self.dirty.head = true;
        self.dirty.from = self.dirty.from.filter(|from| *from <= index);
    }

    /// Takes over a state that is newer than everything committed here.
    pub(super) fn install(&mut self, machine: Machine) {
        assert!(machine.applied.index > self.commit, "only something newer");
        self.commit = machine.applied.index;
        self.log = Log::behind(machine.applied);
        self.memberships = VecDeque::from([machine.membership.clone()]);
        self.machine = machine;
        self.durable = 0;
        if let Some(writing) = &mut self.writing {
            writing.last = 0;
        }
        self.dirty = Dirty { head: true, image: true, from: None };
        self.changed = true;
    }

    fn note_membership(&mut self, entry: &Entry) {
        if let Some(after) = self.current().after(entry) {
            self.memberships.push_back(after);
            self.changed = true;
        }
    }

    // ---- applying and writing -----------------------------------------------------------------

    /// Takes in what is committed.
    fn apply(&mut self) {
        while self.machine.applied.index < self.commit {
            let Some(entry) = self.log.get(self.machine.applied.index + 1) else { break };
            #[cfg(test)]
            if self.mutant == Some(Mutant::Forgetful) {
                self.machine.forget_all();
            }
            self.machine.apply(entry);
            self.changed = true;
        }
        let unsaved = self.machine.applied.index - self.saved.min(self.machine.applied.index);
        let saving = self.writing.as_ref().is_some_and(|writing| writing.image.is_some());
        if unsaved >= self.config.snapshot_entries && !saving {
            self.dirty.image = true;
        }
    }

    /// Forgets entries that a snapshot in the store holds and that nobody near the end needs.
    fn compact(&mut self) {
        let index = self.saved.min(self.commit.saturating_sub(self.config.keep_entries));
        self.log.compact(index);
        let base = self.log.base().index;
        while self.memberships.get(1).is_some_and(|next| next.version <= base) {
            self.memberships.pop_front();
        }
    }

    fn on_persisted(&mut self, number: u64) {
        let Some(writing) = self.writing.take_if(|writing| writing.number == number) else {
            return;
        };
        self.durable = self.durable.max(writing.last);
        if let Some(image) = writing.image {
            self.saved = self.saved.max(image);
            self.compact();
        }
    }

    /// Writes what is other than in the store, and lets go of the messages whose time has come.
    fn settle(&mut self, out: &mut Vec<Output>) {
        let dirty = self.dirty.head || self.dirty.image || self.dirty.from.is_some();
        let under_way = self.writing.as_ref().map(|writing| writing.number);
        let awaited = if dirty { self.last_write + 1 } else { under_way.unwrap_or(0) };
        for (to, message) in self.fresh.drain(..) {
            if self.outbox.len() < limits::GROUP_OUTBOX_MAX {
                self.outbox.push_back((awaited, to, message));
            }
        }
        if dirty && self.writing.is_none() {
            self.write(out);
        }
        let done = self.writing.as_ref().map_or(u64::MAX, |writing| writing.number - 1);
        #[cfg(test)]
        let done = if self.mutant == Some(Mutant::SendsFirst) { u64::MAX } else { done };
        while self.outbox.front().is_some_and(|(awaited, ..)| *awaited <= done) {
            let next = self.outbox.pop_front().map(|(_, to, message)| (to, message));
            out.extend(next.map(|(to, message)| Output::Send { to, message }));
        }
        if std::mem::take(&mut self.changed) {
            out.push(Output::Changed);
        }
    }

    fn write(&mut self, out: &mut Vec<Output>) {
        let Dirty { image, from, .. } = std::mem::take(&mut self.dirty);
        self.last_write += 1;
        let last = self.log.last().index;
        let image = image.then(|| (self.machine.applied.index, self.machine.encode()));
        let entries = from.map(|from| self.log.after(from - 1).cloned().collect());
        let number = self.last_write;
        let saved = image.as_ref().map(|(index, _)| *index);
        self.writing = Some(Writing { number, last, image: saved });
        let head = Head { term: self.term, vote: self.vote, last, life: self.life };
        out.push(Output::Persist(Write {
            number,
            head,
            image: image.map(|(_, bytes)| bytes),
            entries: entries.unwrap_or_default(),
        }));
    }
}
