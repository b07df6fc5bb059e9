//! Who leads: elections, preceded by a poll that changes nothing, and leaders that give up.
//!
//! Ongaro, "Consensus: Bridging Theory and Practice" (2014): sections 3.4 and 3.6 (elections and
//! who may win), 3.10 (handing over), 4.2.3 and 6.2 (a member that hears a leader votes for nobody
//! else; a leader that hears no majority steps down), 9.6 (the poll).

use std::collections::BTreeSet;

use super::entry::{NUMBER_MAX, Position};
use super::message::{Body, Message};
use super::replication::Leader;
#[cfg(test)]
use super::state::Mutant;
use super::state::{Output, State};
use crate::identity::AuthorId;

/// What a member does in its term.
#[derive(Debug)]
pub(super) enum Role {
    Follower,
    /// Asks whether an election would succeed.
    PreCandidate(BTreeSet<AuthorId>),
    /// Asks for votes.
    Candidate(BTreeSet<AuthorId>),
    Leader(Box<Leader>),
}

impl State {
    pub(super) fn tick(&mut self, out: &mut Vec<Output>) {
        self.elapsed = self.elapsed.saturating_add(1);
        if matches!(self.role, Role::Leader(_)) {
            self.lead_on();
        } else if self.elapsed >= self.patience && self.is_member() {
            self.poll();
        }
        self.tick_requests(out);
    }

    /// Draws how long to wait for a leader, so that two members rarely stop at the same time.
    pub(super) fn be_patient(&mut self) {
        self.elapsed = 0;
        self.patience = self.config.election_ticks + self.rng.below(self.config.election_ticks);
    }

    pub(super) fn on_message(&mut self, from: AuthorId, message: Message) {
        let Message { term, body } = message;
        // Polls change nothing, and what a member asks for does not depend on terms.
        match body {
            Body::PreVote { last } => return self.on_pre_vote(from, term, last),
            Body::Propose(request) => return self.on_propose(from, request),
            Body::Read { read } => return self.on_read(from, read),
            Body::Gone { version } => {
                self.gone = self.gone.max(Some(version));
                return;
            }
            Body::Vote { transfer: false, .. } if self.hears_leader() => return,
            _ => {}
        }
        if term > self.term {
            self.follow(term, None);
        }
        // Who has a lower term may well grant a poll.
        if let Body::PreVoted { asked, granted } = body {
            return self.on_pre_voted(from, asked, granted);
        }
        if term < self.term {
            // A leader of an earlier term learns of this one; the rest is too late.
            if matches!(body, Body::Append { .. } | Body::Install { .. }) {
                self.send(from, Body::Appended { accepted: false, index: 0, round: 0 });
            }
            return;
        }
        match body {
            Body::Vote { last, .. } => self.on_vote(from, last),
            Body::Voted { granted } => self.on_voted(from, granted),
            Body::Append { previous, commit, round, entries } => {
                self.on_append(from, previous, commit, round, entries);
            }
            Body::Appended { accepted, index, round } => {
                self.on_appended(from, accepted, index, round);
            }
            Body::Install { round, image } => self.on_install(from, round, &image),
            Body::ReadAt { read, index } => self.on_read_at(read, index),
            Body::Campaign if self.leader == Some(from) && self.is_member() => self.campaign(true),
            _ => {}
        }
    }

    /// Follows `leader`, or nobody yet, in this term or a later one.
    pub(super) fn follow(&mut self, term: u64, leader: Option<AuthorId>) {
        if term > self.term {
            self.enter(term);
        }
        if leader != self.leader || matches!(self.role, Role::Leader(_)) {
            self.note_change();
        }
        (self.role, self.leader) = (Role::Follower, leader);
        self.be_patient();
    }

    /// Whether there is a leader, so that elections only disturb.
    fn hears_leader(&self) -> bool {
        self.leader.is_some() && (self.leads() || self.elapsed < self.config.election_ticks)
    }

    pub(super) fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Tells one that is no member so. Whoever became one in the meantime knows it better than
    /// this member, by the version of the membership, and pays no heed.
    pub(super) fn turns_away(&mut self, from: AuthorId) -> bool {
        let membership = &self.machine.membership;
        let stranger = !membership.has(&from) && !self.current().has(&from);
        if stranger && membership.has(&self.me) {
            self.send(from, Body::Gone { version: self.machine.membership.version });
        }
        stranger
    }

    fn poll(&mut self) {
        // An election ends with an entry; without room for it nobody is helped.
        if self.term >= NUMBER_MAX || !self.has_room() {
            return;
        }
        self.follow(self.term, None);
        self.role = Role::PreCandidate(BTreeSet::from([self.me]));
        self.send_all(&Body::PreVote { last: self.log.last() });
    }

    fn on_pre_vote(&mut self, from: AuthorId, term: u64, last: Position) {
        // Members that nobody here knows yet can be elected: whoever knows them votes, too.
        let _ = self.turns_away(from);
        if self.hears_leader() {
            return;
        }
        let complete = last >= self.log.last();
        #[cfg(test)]
        let complete = complete || self.mutant == Some(Mutant::VotesForAnyLog);
        let granted = term >= self.term && complete;
        self.send(from, Body::PreVoted { asked: term, granted });
    }

    fn on_pre_voted(&mut self, from: AuthorId, asked: u64, granted: bool) {
        let Role::PreCandidate(votes) = &mut self.role else { return };
        if granted && asked == self.term {
            votes.insert(from);
            if self.is_majority() {
                self.campaign(false);
            }
        }
    }

    /// Begins a term of its own.
    fn campaign(&mut self, transfer: bool) {
        if self.term >= NUMBER_MAX || !self.has_room() {
            return;
        }
        self.follow(self.term + 1, None);
        self.vote_for(self.me);
        self.role = Role::Candidate(BTreeSet::from([self.me]));
        self.send_all(&Body::Vote { last: self.log.last(), transfer });
    }

    fn on_vote(&mut self, from: AuthorId, last: Position) {
        let free = self.vote.is_none_or(|vote| vote == from);
        let complete = last >= self.log.last();
        #[cfg(test)]
        let free = free || self.mutant == Some(Mutant::VotesTwice);
        #[cfg(test)]
        let complete = complete || self.mutant == Some(Mutant::VotesForAnyLog);
        let granted = free && complete && self.leader.is_none();
        if granted {
            self.vote_for(from);
            self.be_patient();
        }
        self.send(from, Body::Voted { granted });
    }

    fn on_voted(&mut self, from: AuthorId, granted: bool) {
        let Role::Candidate(votes) = &mut self.role else { return };
        if granted {
            votes.insert(from);
            if self.is_majority() {
                self.begin_to_lead();
            }
        }
    }

    /// Whether a majority is for this member.
    fn is_majority(&self) -> bool {
        let (Role::PreCandidate(votes) | Role::Candidate(votes)) = &self.role else { return false };
        let members = self.current().members.iter();
        members.filter(|member| votes.contains(member)).count() >= self.quorum()
    }
}
