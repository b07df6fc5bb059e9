//! What this member wants of the group: changes, one after the other, and reads.
//!
//! A change is sent to whoever leads until it shows in the own copy of the log; that it is sent
//! twice does no harm, because it is numbered. A read asks the leader for the place up to which
//! everything is committed, and waits until that is applied here. The leader answers after a
//! majority has confirmed that it still is the leader (`ReadIndex`; dissertation, section 6.4):
//! one that was replaced and does not know it yet gets no answer together.

use std::collections::VecDeque;

use super::Error;
use super::election::Role;
use super::entry::{Operation, Request};
use super::message::Body;
#[cfg(test)]
use super::state::Mutant;
use super::state::{Output, State};
use crate::identity::AuthorId;
use crate::limits;

/// Own requests that are not answered.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// Requests and questions so far.
    count: u64,
    current: Option<Change>,
    queue: VecDeque<(u64, Operation)>,
    reads: Vec<Read>,
}

/// The change that is being asked for.
#[derive(Debug)]
struct Change {
    token: u64,
    request: Request,
    asking: Asking,
}

/// A read of this member.
#[derive(Debug)]
struct Read {
    token: u64,
    number: u64,
    /// The place that has to be applied.
    index: Option<u64>,
    asking: Asking,
}

/// Whom a request was sent to, and when.
#[derive(Debug, Default)]
struct Asking {
    to: Option<AuthorId>,
    /// Ticks since it was sent to that one.
    since: u32,
    /// Ticks since it was asked for.
    age: u32,
}

/// A read that a leader was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    from: AuthorId,
    read: u64,
    /// Up to where the log was committed.
    index: u64,
    /// A majority has to have answered this round.
    round: u64,
}

impl Asking {
    /// Whether to send it now, if `leader` is whom to send it to.
    fn is_due(&mut self, leader: Option<AuthorId>, retry_ticks: u32) -> bool {
        let due = leader.is_some() && (self.to != leader || self.since >= retry_ticks);
        if due {
            (self.to, self.since) = (leader, 0);
        }
        due
    }

    fn tick(&mut self) {
        self.since = self.since.saturating_add(1);
        self.age = self.age.saturating_add(1);
    }
}

impl State {
    pub(super) fn propose(&mut self, token: u64, operation: Operation, out: &mut Vec<Output>) {
        let room = self.requests.queue.len() < limits::GROUP_PROPOSALS_MAX;
        let checked = operation.check().and_then(|()| self.may_ask(room));
        match checked {
            Ok(()) => self.requests.queue.push_back((token, operation)),
            Err(error) => out.push(Output::Answered { token, result: Err(error) }),
        }
    }

    pub(super) fn read(&mut self, token: u64, out: &mut Vec<Output>) {
        let room = self.requests.reads.len() < limits::GROUP_READS_MAX;
        if let Err(error) = self.may_ask(room) {
            return out.push(Output::Answered { token, result: Err(error) });
        }
        self.requests.count += 1;
        let number = self.number(self.requests.count);
        let index = None;
        #[cfg(test)]
        let index = index.or((self.mutant == Some(Mutant::ReadsAtOnce)).then_some(0));
        self.requests.reads.push(Read { token, number, index, asking: Asking::default() });
    }

    fn may_ask(&self, room: bool) -> Result<(), Error> {
        if !self.is_member() || !self.machine.membership.has(&self.me) {
            return Err(Error::NotMember);
        }
        if room { Ok(()) } else { Err(Error::Busy) }
    }

    /// Requests grow older; those that are too old end.
    pub(super) fn tick_requests(&mut self, out: &mut Vec<Output>) {
        let member = self.is_member();
        let deadline = self.config.deadline_ticks;
        let over = |asking: &mut Asking| {
            asking.tick();
            asking.age >= deadline || !member
        };
        let why = || if member { Error::Timeout } else { Error::NotMember };
        if let Some(change) = self.requests.current.take_if(|change| over(&mut change.asking)) {
            out.push(Output::Answered { token: change.token, result: Err(why()) });
        }
        self.requests.reads.retain_mut(|read| {
            let over = over(&mut read.asking);
            if over {
                out.push(Output::Answered { token: read.token, result: Err(why()) });
            }
            !over
        });
    }

    /// Asks what is to be asked, and answers what can be answered.
    pub(super) fn advance_requests(&mut self, out: &mut Vec<Output>) {
        loop {
            self.advance_change();
            self.advance_reads();
            // A leader adds to its own log at once, and may have been asked for what is applied.
            let answered = self.answer_change(out) | self.answer_own_reads(out);
            if !answered {
                return;
            }
        }
    }

    fn advance_change(&mut self) {
        if self.requests.current.is_none()
            && let Some((token, operation)) = self.requests.queue.pop_front()
        {
            self.requests.count += 1;
            let number = self.number(self.requests.count);
            let request = Request { author: self.me, number, operation };
            self.requests.current = Some(Change { token, request, asking: Asking::default() });
        }
        let (leader, retry_ticks) = (self.leader, self.config.retry_ticks);
        let Some(change) = &mut self.requests.current else { return };
        if change.asking.is_due(leader, retry_ticks) {
            let request = change.request.clone();
            match leader {
                Some(leader) if leader != self.me => self.send(leader, Body::Propose(request)),
                _ => self.on_propose(self.me, request),
            }
        }
    }

    fn answer_change(&mut self, out: &mut Vec<Output>) -> bool {
        let Some(change) = &self.requests.current else { return false };
        let Some(outcome) = self.machine.outcome(&self.me, change.request.number) else {
            return false;
        };
        out.push(Output::Answered { token: change.token, result: Ok(outcome) });
        self.requests.current = None;
        true
    }

    fn advance_reads(&mut self) {
        let (leader, retry_ticks) = (self.leader, self.config.retry_ticks);
        let reads = self.requests.reads.iter_mut().filter(|read| read.index.is_none());
        let due =
            reads.filter_map(|read| read.asking.is_due(leader, retry_ticks).then_some(read.number));
        for read in due.collect::<Vec<_>>() {
            match leader {
                Some(leader) if leader != self.me => self.send(leader, Body::Read { read }),
                _ => self.on_read(self.me, read),
            }
        }
    }

    fn answer_own_reads(&mut self, out: &mut Vec<Output>) -> bool {
        let applied = self.machine.applied.index;
        let before = self.requests.reads.len();
        self.requests.reads.retain(|read| {
            let done = read.index.filter(|index| *index <= applied);
            if let Some(index) = done {
                out.push(Output::Answered { token: read.token, result: Ok(Ok(index)) });
            }
            done.is_none()
        });
        self.requests.reads.len() < before
    }

    /// A member asks this leader how far the log is committed.
    pub(super) fn on_read(&mut self, from: AuthorId, read: u64) {
        let (index, me) = (self.commit, self.me);
        if from != me && self.turns_away(from) {
            return;
        }
        let Role::Leader(leader) = &mut self.role else { return };
        // Before its first entry is committed a leader does not know what is; it is asked again.
        if index < leader.first || leader.reads.len() >= limits::GROUP_READS_MAX {
            return;
        }
        leader.round += 1;
        leader.reads.push_back(Asked { from, read, index, round: leader.round });
        self.append_to_all();
        #[cfg(test)]
        if self.mutant == Some(Mutant::TrustsItself) {
            self.answer_read(from, read, index);
        }
    }

    /// Answers the reads since which a majority has confirmed that this is its leader.
    pub(super) fn answer_reads(&mut self) {
        let quorum = self.quorum();
        let own = usize::from(self.current().has(&self.me));
        let Role::Leader(leader) = &mut self.role else { return };
        let mut answered = Vec::new();
        while let Some(asked) = leader.reads.front() {
            let others = leader.progress.values().filter(|other| other.round >= asked.round);
            if own + others.count() < quorum {
                break;
            }
            answered.extend(leader.reads.pop_front());
        }
        for Asked { from, read, index, .. } in answered {
            self.answer_read(from, read, index);
        }
    }

    fn answer_read(&mut self, from: AuthorId, read: u64, index: u64) {
        if from == self.me {
            self.on_read_at(read, index);
        } else {
            self.send(from, Body::ReadAt { read, index });
        }
    }

    pub(super) fn on_read_at(&mut self, read: u64, index: u64) {
        if let Some(own) = self.requests.reads.iter_mut().find(|own| own.number == read) {
            own.index = Some(own.index.map_or(index, |known| known.min(index)));
        }
    }
}
