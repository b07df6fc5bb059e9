//! How the leader's log becomes everybody's: appending, catching up by snapshots, committing.
//!
//! Ongaro's dissertation, sections 3.5 to 3.6, 5 (snapshots) and 4.1 (changes of the members, one
//! at a time, each in force from the moment it is in the log). To each member goes one message
//! with entries at a time; heartbeats pass by it.

use std::collections::{BTreeMap, VecDeque};

use super::election::Role;
use super::entry::{Entry, Position, Request};
use super::machine::Machine;
use super::message::Body;
use super::record::image;
use super::requests::Asked;
#[cfg(test)]
use super::state::Mutant;
use super::state::State;
use crate::identity::AuthorId;
use crate::limits;

/// What a leader knows besides.
#[derive(Debug)]
pub(super) struct Leader {
    /// The first entry of its term. Once that is committed, everything before it is known to be.
    pub(super) first: u64,
    /// Counts the questions whether it still leads.
    pub(super) round: u64,
    pub(super) progress: BTreeMap<AuthorId, Progress>,
    pub(super) reads: VecDeque<Asked>,
    /// Who is to lead instead, and for how many ticks that has been wanted.
    transfer: Option<(AuthorId, u32)>,
    /// Ticks since the last heartbeat.
    heartbeat: u32,
}

/// How far another member is.
#[derive(Debug)]
pub(super) struct Progress {
    /// Its log is the own one up to here, durably.
    matched: u64,
    /// The entry to send next.
    next: u64,
    /// For how many ticks an answer to entries or to a snapshot has been awaited.
    waited: Option<u32>,
    /// The last round it answered.
    pub(super) round: u64,
    /// Whether it answered since the last count.
    active: bool,
}

impl State {
    pub(super) fn begin_to_lead(&mut self) {
        let first = self.log.last().index + 1;
        self.role = Role::Leader(Box::new(Leader {
            first,
            round: 0,
            progress: BTreeMap::new(),
            reads: VecDeque::new(),
            transfer: None,
            heartbeat: 0,
        }));
        (self.leader, self.elapsed) = (Some(self.me), 0);
        self.note_change();
        self.push_request(None);
        self.follow_members();
        self.append_to_all();
    }

    /// A tick of a leader.
    pub(super) fn lead_on(&mut self) {
        if self.elapsed >= self.config.election_ticks {
            self.elapsed = 0;
            if self.answering() < self.quorum() {
                return self.follow(self.term, None);
            }
        }
        let config = self.config;
        let Role::Leader(leader) = &mut self.role else { return };
        leader.transfer = leader
            .transfer
            .and_then(|(to, ticks)| (ticks < config.election_ticks).then_some((to, ticks + 1)));
        leader.heartbeat += 1;
        if leader.heartbeat < config.heartbeat_ticks {
            return;
        }
        for progress in leader.progress.values_mut() {
            let waited = progress.waited.map(|ticks| ticks + leader.heartbeat);
            progress.waited = waited.filter(|ticks| *ticks < config.election_ticks / 2);
        }
        leader.heartbeat = 0;
        self.append_to_all();
    }

    /// Members that answered since the last count, with this one.
    fn answering(&mut self) -> usize {
        let own = usize::from(self.current().has(&self.me));
        let Role::Leader(leader) = &mut self.role else { return 0 };
        let others = leader.progress.values_mut();
        own + others
            .filter_map(|progress| std::mem::take(&mut progress.active).then_some(()))
            .count()
    }

    /// Keeps account of those who are members now, and of nobody else.
    fn follow_members(&mut self) {
        let members = self.current().members.clone();
        let next = self.log.last().index + 1;
        let Role::Leader(leader) = &mut self.role else { return };
        leader.progress.retain(|member, _| members.contains(member));
        for member in members.into_iter().filter(|member| *member != self.me) {
            let fresh = Progress { matched: 0, next, waited: None, round: 0, active: true };
            leader.progress.entry(member).or_insert(fresh);
        }
    }

    pub(super) fn append_to_all(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        for to in leader.progress.keys().copied().collect::<Vec<_>>() {
            self.append_to(to);
        }
    }

    /// Sends what a member needs next, or a heartbeat while an answer is awaited.
    fn append_to(&mut self, to: AuthorId) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&to) else { return };
        let (round, commit) = (leader.round, self.commit);
        let idle = progress.waited.is_none();
        let Some(previous) = self.log.at(progress.next - 1) else {
            // What it needs is in the snapshot only. Its answer to the heartbeat tells nothing new.
            let heartbeat =
                Body::Append { previous: self.log.base(), commit: 0, round, entries: Vec::new() };
            let install = idle.then(|| Body::Install { round, image: image(&self.machine) });
            progress.waited.get_or_insert(0);
            return self.send(to, install.unwrap_or(heartbeat));
        };
        let mut entries = Vec::new();
        if idle {
            let following = self.log.after(previous.index);
            entries.extend(following.take(limits::GROUP_APPEND_ENTRIES_MAX).cloned());
            progress.waited = (!entries.is_empty()).then_some(0);
        }
        self.send(to, Body::Append { previous, commit, round, entries });
    }

    pub(super) fn on_append(
        &mut self,
        from: AuthorId,
        previous: Position,
        commit: u64,
        round: u64,
        entries: Vec<Entry>,
    ) {
        // Two leaders of one term: somebody broke a promise. The own one stands.
        if self.leads() {
            return;
        }
        self.follow(self.term, Some(from));
        if previous.index < self.commit {
            let index = self.commit;
            return self.send(from, Body::Appended { accepted: true, index, round });
        }
        if !self.log.has(previous) {
            // What is committed here is in every leader's log.
            let last = self.log.last().index;
            let index = if previous.index > last { last } else { self.commit };
            return self.send(from, Body::Appended { accepted: false, index, round });
        }
        let mut matched = previous.index;
        for entry in entries {
            if !self.log.has(entry.at) {
                if self.log.at(entry.at.index).is_some() {
                    #[cfg(test)]
                    if self.mutant == Some(Mutant::KeepsConflicts) {
                        matched = entry.at.index;
                        continue;
                    }
                    self.truncate(entry.at.index - 1);
                }
                if !self.has_room() {
                    break;
                }
                self.push(entry);
            }
            matched += 1;
        }
        self.commit = self.commit.max(commit.min(matched));
        self.send(from, Body::Appended { accepted: true, index: matched, round });
    }

    pub(super) fn on_install(&mut self, from: AuthorId, round: u64, image: &[u8]) {
        let (false, Ok(machine)) = (self.leads(), Machine::decode(image)) else { return };
        self.follow(self.term, Some(from));
        let place = machine.applied;
        if place.index > self.commit {
            if self.log.has(place) {
                self.commit = place.index;
            } else {
                self.install(machine);
            }
        }
        let index = self.commit.max(place.index);
        self.send(from, Body::Appended { accepted: true, index, round });
    }

    pub(super) fn on_appended(&mut self, from: AuthorId, accepted: bool, index: u64, round: u64) {
        let last = self.log.last().index;
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&from) else { return };
        progress.active = true;
        progress.round = progress.round.max(round.min(leader.round));
        if index > last {
            return;
        }
        if accepted && index > progress.matched {
            (progress.matched, progress.waited) = (index, None);
            progress.next = index + 1;
        } else if !accepted && index + 1 < progress.next {
            progress.next = (index + 1).max(progress.matched + 1);
            progress.waited = None;
        } else if accepted && progress.next <= index {
            progress.next = index + 1;
        }
        let behind = progress.next <= last && progress.waited.is_none();
        let (caught_up, heir) = (progress.matched == last, leader.transfer.map(|(to, _)| to));
        self.answer_reads();
        if heir == Some(from) && caught_up {
            self.send(from, Body::Campaign);
        } else if behind {
            self.append_to(from);
        }
    }

    /// Commits what a majority has, if it is of this term (section 3.6.2).
    pub(super) fn advance_commit(&mut self) {
        let Role::Leader(leader) = &self.role else { return };
        let own = |member: &AuthorId| (*member == self.me).then_some(self.durable);
        let theirs = |member: &AuthorId| leader.progress.get(member).map(|other| other.matched);
        let members = self.current().members.iter();
        let mut durable: Vec<u64> =
            members.map(|member| own(member).or_else(|| theirs(member)).unwrap_or(0)).collect();
        durable.sort_unstable_by(|left, right| right.cmp(left));
        let Some(index) = durable.get(self.quorum() - 1).copied() else { return };
        let of_this_term = self.log.at(index).is_some_and(|place| place.term == self.term);
        if index > self.commit && of_this_term {
            self.commit = index;
            self.append_to_all();
        }
        // A leader that is no member leads until that is committed, and no longer.
        let current = self.current();
        if !current.has(&self.me) && current.version <= self.commit {
            self.follow(self.term, None);
        }
    }

    /// Adds a request to the log, unless it is there or cannot be now; then it comes again.
    pub(super) fn on_propose(&mut self, from: AuthorId, request: Request) {
        let Role::Leader(leader) = &self.role else { return };
        let (author, number) = (request.author, request.number);
        let begun = self.commit >= leader.first;
        if leader.transfer.is_some() || author != from || self.turns_away(from) {
            return;
        }
        #[cfg(test)]
        let forgetful = self.mutant == Some(Mutant::Forgetful);
        #[cfg(not(test))]
        let forgetful = false;
        let is_it = |other: &Request| other.author == author && other.number == number;
        let waits = |entry: &Entry| entry.request.as_ref().is_some_and(is_it);
        let there = self.log.after(self.commit).any(waits);
        if (there || self.machine.is_settled(&author, number)) && !forgetful {
            return;
        }
        let uncommitted = self.log.last().index - self.commit;
        if uncommitted >= limits::GROUP_UNCOMMITTED_MAX || !self.has_room() {
            return;
        }
        // Two changes at once could make two majorities that have nobody in common, and so could
        // one of an earlier term that is not known to be committed (Ongaro, raft-dev, 2015).
        let settled = self.current().version <= self.commit && begun;
        #[cfg(test)]
        let settled = settled || self.mutant == Some(Mutant::ManyChanges);
        if request.operation.is_membership() && !settled {
            return;
        }
        self.push_request(Some(request));
        self.follow_members();
        self.append_to_all();
    }

    /// Hands over to another member, once it has the whole log.
    pub(super) fn transfer(&mut self, to: AuthorId) {
        let last = self.log.last().index;
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get(&to) else { return };
        leader.transfer = Some((to, 0));
        if progress.matched == last {
            self.send(to, Body::Campaign);
        } else {
            self.append_to(to);
        }
    }

    /// Who could lead at once if this leader went.
    pub fn heir(&self) -> Option<AuthorId> {
        let Role::Leader(leader) = &self.role else { return None };
        let others = leader.progress.iter().filter(|(_, progress)| progress.active);
        others.max_by_key(|(_, progress)| progress.matched).map(|(member, _)| *member)
    }
}
