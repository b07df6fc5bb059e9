//! Finality inside the node: feeds the engine, and writes what it says.
//!
//! Every accepted vertex goes to [`consensus::State`] in the order of acceptance, an own one when
//! the store has acknowledged it. The votes that come out wait a moment for company and share one
//! own vertex, so that one signature covers the votes of a tick. They are written as any own
//! payload ([`super::writer`]): what was cast and never became durable was never said, and after a
//! restart the engine finds what was said in the own chain and contradicts none of it.
//!
//! A member that votes on every vertex at once would flood the others. So a few flushes come after
//! [`limits::VOTE_FLUSH_MS`], and after that all members together keep to
//! [`limits::COMMITTEE_VERTICES_PER_SECOND`].
//!
//! The checkpoints of a long past come by again when a node catches up. It signs the newest, and
//! those that end an epoch: no proof needs the others.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::Engine;
use super::numbered::Numbered;
use super::own::OwnItems;
use super::sampled::Sampled;
use super::{Node, Phase};
use crate::clock::Now;
use crate::consensus::{self, Checkpoint, Committee, Finality, Input, Item, Output, Record, State};
use crate::dag::mutant::{self, Check};
use crate::dag::vote::{CheckpointSignature, Decision, ItemId, Seats, Vote, Votes};
use crate::dag::{Payload, SignedVertex, VertexId, cbor};
use crate::effect::Effect;
use crate::event::{Event, FinalisedView, Problem};
use crate::genesis::{self, Genesis};
use crate::identity::{AuthorId, NetworkId};
use crate::rate::Bucket;
use crate::rng::Rng;
use crate::{ledger, limits};

/// The engine, and what waits between it and the rest of the node.
#[derive(Debug)]
pub(super) struct Deciding {
    pub(super) engine: Engine,
    /// Every committee so far, by epoch.
    pub(super) committees: BTreeMap<u64, Committee>,
    /// What is final, in the order in which it became so here.
    pub(super) finalised: Numbered,
    /// What is about the owner of it, from before what is remembered.
    pub(super) own: OwnItems,
    /// Who wants which next committee.
    pub(super) wishes: BTreeMap<Seats, BTreeSet<AuthorId>>,
    /// Votes that are in no payload yet, with their epochs.
    votes: Vec<(u64, Vote)>,
    /// When they are due.
    due_ms: Option<u64>,
    pace: Bucket,
    /// Checkpoints that came up and may have to be signed.
    unsigned: Vec<Checkpoint>,
    /// What was last said about finality.
    said: Finality,
    /// When the engine wants to be called.
    pub(super) wake_ms: Option<u64>,
    /// When to look whether something waits for too long.
    look_ms: Option<u64>,
    /// Votes that a simulated attack decides about.
    #[cfg(feature = "sim")]
    pub(super) intercepted: Option<Vec<(u64, Vote)>>,
}

impl Deciding {
    /// An engine that has seen nothing; without a genesis it never decides. `rng` draws samples.
    pub(super) fn new(
        genesis: Option<&Genesis>,
        network: NetworkId,
        me: AuthorId,
        rng: &mut Rng,
        now: Now,
    ) -> Result<Self, genesis::Error> {
        let committee = genesis.map(Genesis::committee).transpose()?;
        let committees = committee.iter().map(|first| (first.epoch(), first.clone())).collect();
        let sampling = genesis.filter(|genesis| genesis.engine == genesis::Engine::QrAvalanche);
        let (said, engine) = if let Some(genesis) = sampling {
            let sampled = Sampled::new(genesis, network, me, rng, now)?;
            (Finality::Sampled, Engine::Sampled(Box::new(sampled)))
        } else {
            let said = if committee.is_some() { Finality::Quorum } else { Finality::CausalOnly };
            let minted = genesis.map(Genesis::ledger).unwrap_or_default();
            let ledger = ledger::State::new(&minted).map_err(genesis::Error::from)?;
            let config = consensus::Config::default();
            let engine = State::new(config, network, committee, me, ledger);
            (said, Engine::Quorum(Box::new(engine)))
        };
        Ok(Self {
            engine,
            committees,
            finalised: Numbered::default(),
            own: OwnItems::default(),
            wishes: BTreeMap::new(),
            votes: Vec::new(),
            due_ms: None,
            pace: Bucket::new(now.mono_ms),
            unsigned: Vec::new(),
            said,
            wake_ms: None,
            look_ms: None,
            #[cfg(feature = "sim")]
            intercepted: None,
        })
    }

    /// Takes in a stored vertex, before anything else happens.
    pub(super) fn restore(&mut self, signed: &SignedVertex, now: Now) {
        if self.said == Finality::CausalOnly {
            return;
        }
        // What was sampled is in no vertex.
        let Some(engine) = self.engine.quorum() else { return };
        let mut record = Record::of(signed);
        if mutant::skips(Check::OwnVotes) && record.author == engine.me() {
            record.votes.clear();
        }
        self.note_wishes(&record);
        if let Some(engine) = self.engine.quorum_mut() {
            engine.restore(&record, now);
        }
    }

    /// What is final from a number on, with its numbers: of what is not remembered, what is about
    /// the owner.
    pub(super) fn final_since(&self, number: u64) -> impl Iterator<Item = (u64, ItemId)> {
        let first = self.finalised.first();
        let own = self.own.since(number).map(|(number, item)| (number, item.id));
        own.take_while(move |(number, _)| *number < first).chain(self.finalised.since(number))
    }

    /// Puts what was found again at a start, after the first few, into the order of checkpoints:
    /// when each became final here before is not known any more.
    fn put_in_order(&mut self, from: u64) {
        let certified = self.engine.quorum().into_iter().flat_map(State::certified_decisions);
        let mut places: BTreeMap<ItemId, usize> = BTreeMap::new();
        for (place, Decision(_, item)) in certified.enumerate() {
            places.entry(*item).or_insert(place);
        }
        let mut found = self.finalised.split_off(from);
        found.sort_by_key(|item| places.get(item).copied().unwrap_or(usize::MAX));
        for item in found {
            self.finalised.push(item);
        }
    }

    /// What was last said about finality.
    pub(super) fn finality(&self) -> Finality {
        self.said
    }

    fn note_wishes(&mut self, record: &Record) {
        let Some(epoch) = self.engine.quorum().map(State::epoch) else { return };
        for seats in record.items.iter().filter_map(|item| item.seats.as_ref()) {
            if seats.epoch > epoch {
                self.wishes.entry(seats.clone()).or_default().insert(record.author);
            }
        }
    }

    /// Adds a vote to those of the next flush.
    pub(super) fn cast(&mut self, epoch: u64, vote: Vote, now: Now) {
        #[cfg(feature = "sim")]
        if let Some(intercepted) = &mut self.intercepted {
            return intercepted.push((epoch, vote));
        }
        self.votes.push((epoch, vote));
        if self.due_ms.is_none() {
            let members = self.engine.committee().map_or(1, |known| known.members().len());
            let members = u32::try_from(members).unwrap_or(u32::MAX).max(1);
            let per_second = (limits::COMMITTEE_VERTICES_PER_SECOND / members).max(1);
            let idle = self.pace.take(now.mono_ms, limits::VOTE_BURST, per_second);
            let wait_ms = if idle { limits::VOTE_FLUSH_MS } else { u64::from(1_000 / per_second) };
            self.due_ms = Some(now.mono_ms.saturating_add(wait_ms));
        }
    }

    /// The next payload of votes: those of one epoch, as many as share a vertex well.
    fn take_payload(&mut self) -> Option<Payload> {
        let epoch = self.votes.first()?.0;
        let (mut bytes, mut count) = (0, 0);
        for (of, vote) in &self.votes {
            bytes += cbor::encode(vote).map_or(0, |bytes| bytes.len());
            let fits =
                *of == epoch && count < limits::VOTES_MAX && bytes <= limits::FLUSH_BYTES / 2;
            if count > 0 && !fits {
                break;
            }
            count += 1;
        }
        let votes = self.votes.drain(..count).map(|(_, vote)| vote).collect();
        Some(Payload::Votes(Votes { epoch, votes }))
    }
}

impl Node {
    /// Goes on from the stored history: what became final before is not told again.
    pub(super) fn resume_deciding(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.deciding.engine.sampled().is_some() {
            return self.resume_sampling(now);
        }
        let (mut told, known) = (Vec::new(), self.deciding.finalised.total());
        self.tell_engine(Input::Tick, now, &mut told);
        self.deciding.put_in_order(known);
        let warns = |effect: &Effect| matches!(effect, Effect::Emit(Event::Warning(_)));
        out.extend(told.into_iter().filter(warns));
    }

    /// Lets an engine that was just made do what is due.
    pub(super) fn wake_engine(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.tell_engine(Input::Tick, now, out);
    }

    /// Lets the engine see an accepted vertex.
    pub(super) fn decide_on(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        if self.deciding.finality() == Finality::CausalOnly {
            return;
        }
        let Some(signed) = self.graph.get(id) else { return };
        let record = Record::of(signed);
        if self.deciding.engine.sampled().is_some() {
            for item in &record.items {
                self.put_to_polls(item, now);
            }
            return;
        }
        self.deciding.note_wishes(&record);
        self.tell_engine(Input::Record(record), now, out);
    }

    /// Does what is due: the engine's timer, signatures, and a look at finality itself.
    pub(super) fn decide(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.deciding.engine.sampled().is_some() {
            self.decide_by_sampling(now);
        } else if self.deciding.wake_ms.is_some_and(|wake_ms| wake_ms <= now.mono_ms) {
            self.tell_engine(Input::Tick, now, out);
        }
        self.cover_checkpoints(now, out);
        self.sign_checkpoints(now);
        self.look_at_finality(now, out);
    }

    /// When deciding goes on.
    pub(super) fn decide_ms(&self) -> Option<u64> {
        let due_ms = self.deciding.due_ms.filter(|_| self.is_free_to_write_votes());
        [self.deciding.wake_ms, self.deciding.look_ms, due_ms].into_iter().flatten().min()
    }

    fn tell_engine(&mut self, input: Input, now: Now, out: &mut Vec<Effect>) {
        let mut outputs = Vec::new();
        let Engine::Quorum(engine) = &mut self.deciding.engine else { return };
        self.deciding.wake_ms = None;
        engine.handle(now, input, &mut outputs);
        for output in outputs {
            self.on_output(output, now, out);
        }
    }

    fn on_output(&mut self, output: Output, now: Now, out: &mut Vec<Effect>) {
        match output {
            Output::Vote { epoch, vote } if self.may_vote() => {
                self.deciding.cast(epoch, vote, now);
            }
            Output::Vote { .. } => self.counters.count("vote-not-written"),
            Output::Epoch(epoch) => {
                let members = self.deciding.engine.committee().map_or(0, |c| c.members().len());
                self.deciding.wishes.retain(|seats, _| seats.epoch > epoch);
                out.push(Effect::Emit(Event::Epoch { epoch, members }));
            }
            Output::Decided(Decision(_, item)) => self.on_decided(item, out),
            Output::Checkpoint(step) => {
                self.on_checkpoint(step.checkpoint.clone());
                self.snapshots.pending.push_back(*step);
            }
            Output::Contradiction { first, second } => {
                self.warn(contradiction(&first, &second), now, out);
            }
            Output::WakeAt(wake_ms) => self.deciding.wake_ms = Some(wake_ms),
        }
    }

    /// A key has its item. The item is final when it has all its keys.
    pub(super) fn on_decided(&mut self, id: ItemId, out: &mut Vec<Effect>) {
        let Some(item) = self.item(&id) else { return };
        let has = |key| self.deciding.engine.decided(key) == Some(id);
        if !item.keys.iter().all(has) || self.deciding.finalised.has(&id) {
            return;
        }
        let number = self.deciding.finalised.push(id);
        out.extend(self.finalised_view(number).map(|view| Effect::Emit(Event::Finalised(view))));
    }

    /// Something that claims keys, in the history, even if its vertex was dropped.
    pub(super) fn item(&self, id: &ItemId) -> Option<Item> {
        let Some(signed) = self.graph.get(&id.0) else {
            let remembered = self.deciding.engine.quorum()?.item(id);
            return remembered.or_else(|| self.deciding.own.get(id)).cloned();
        };
        Record::of(signed).items.into_iter().find(|item| item.id == *id)
    }

    /// What is final at this place of the order of this node.
    pub(super) fn finalised_view(&self, number: u64) -> Option<FinalisedView> {
        let own = || self.deciding.own.at(number).map(|item| item.id);
        let id = self.deciding.finalised.get(number).or_else(own)?;
        let found = self.item(&id)?;
        let (kind, author) = (found.kind(), found.author);
        Some(FinalisedView { number, item: id, kind, author, keys: found.keys })
    }

    pub(super) fn on_checkpoint(&mut self, checkpoint: Checkpoint) {
        let next = checkpoint.next.as_ref().and_then(|seats| Committee::of_seats(seats).ok());
        if let Some(next) = next {
            self.deciding.committees.insert(next.epoch(), next);
        }
        // Of those in between no proof has need.
        self.deciding.unsigned.retain(|earlier| earlier.next.is_some());
        self.deciding.unsigned.push(checkpoint);
    }

    /// Signs the checkpoints that came up, as a member of their epochs.
    fn sign_checkpoints(&mut self, now: Now) {
        for checkpoint in std::mem::take(&mut self.deciding.unsigned) {
            let Some(checkpoint) = self.sealed(&checkpoint) else {
                if self.snapshots.is_pending(checkpoint.height) {
                    self.deciding.unsigned.push(checkpoint);
                }
                continue;
            };
            let (epoch, height) = (checkpoint.epoch, checkpoint.height);
            let seats = self.deciding.committees.get(&epoch);
            let is_member = seats.is_some_and(|members| members.place(&self.me).is_some());
            let Some(engine) = self.deciding.engine.quorum() else { return };
            let signed = engine.signatures(height);
            if !is_member || signed.is_some_and(|signed| signed.contains_key(&self.me)) {
                continue;
            }
            if self.may_vote() {
                let mut hedge = [0; 32];
                self.rng.fill(&mut hedge);
                let signature = CheckpointSignature(checkpoint.sign(&self.key, hedge));
                self.deciding.cast(epoch, Vote::Sign(height, signature), now);
            }
        }
    }

    /// Says when finality is lost and when it is back. While something waits it looks only now and
    /// then: much may be pending on a busy day, and much that is owed to nobody on a bad one.
    fn look_at_finality(&mut self, now: Now, out: &mut Vec<Effect>) {
        let deciding = &mut self.deciding;
        let waits = deciding.engine.pending() > 0;
        let due = deciding.look_ms.is_some_and(|look_ms| look_ms <= now.mono_ms);
        let next_ms = deciding.look_ms.filter(|_| !due);
        let next_ms = next_ms.unwrap_or(now.mono_ms.saturating_add(limits::FINALITY_LOOK_MS));
        deciding.look_ms = waits.then_some(next_ms);
        let was_lost = deciding.said == Finality::NoQuorum;
        if deciding.said == Finality::CausalOnly || (!due && (waits || !was_lost)) {
            return;
        }
        let state = match &self.deciding.engine {
            Engine::Quorum(engine) => {
                engine.finality(now, |author| self.graph.equivocated(author).is_some())
            }
            Engine::Sampled(_) => self.sampled_finality(now),
        };
        if state == self.deciding.said {
            return;
        }
        self.deciding.said = state;
        out.push(Effect::Emit(Event::Finality(state)));
        if state == Finality::NoQuorum {
            let sampled = self.deciding.engine.sampled().is_some();
            self.warn(if sampled { no_polls() } else { no_quorum() }, now, out);
        }
    }

    /// Whether this node votes in the present epoch.
    pub(super) fn is_member(&self) -> bool {
        let committee = self.deciding.engine.committee();
        committee.is_some_and(|members| members.place(&self.me).is_some())
    }

    /// Whether a vote can still be said: the own chain goes on from what is known here.
    fn may_vote(&self) -> bool {
        self.phase == Phase::Running
            && self.cut.is_none()
            && !self.is_mute()
            && self.graph.equivocated(&self.me).is_none()
    }

    fn is_free_to_write_votes(&self) -> bool {
        self.introduced && self.may_vote() && self.writer.is_free() && !self.writer.is_queue_full()
    }

    /// Hands the votes that are due to the writer, when it can sign at once: what is cast while a
    /// write is under way shares the next vertex.
    pub(super) fn queue_votes(&mut self, now: Now) {
        let is_due = self.deciding.due_ms.is_some_and(|due_ms| due_ms <= now.mono_ms);
        if !is_due || !self.is_free_to_write_votes() {
            return;
        }
        while !self.writer.is_queue_full()
            && let Some(payload) = self.deciding.take_payload()
        {
            self.writer.queue(payload, None, true, now.mono_ms);
        }
        if self.deciding.votes.is_empty() {
            self.deciding.due_ms = None;
        }
    }
}

fn no_quorum() -> Problem {
    Problem {
        code: "no-quorum",
        message: "no finality: members with a third or more of the weight are out of reach"
            .to_owned(),
        hint: "nothing is lost, and what waits is decided when they are back; see which members \
               are away with `synaptic-mesh committee`"
            .to_owned(),
    }
}

fn no_polls() -> Problem {
    Problem {
        code: "no-polls",
        message:
            "no finality: polls do not come to a result; members with a quarter of the weight \
                  or more are out of reach, or some of them hold a key up"
                .to_owned(),
        hint: "nothing is lost, and polls go on when members are back; see which are away with \
               `synaptic-mesh committee`"
            .to_owned(),
    }
}

fn contradiction(first: &Decision, second: &Decision) -> Problem {
    Problem {
        code: "finality-contradiction",
        message: format!(
            "quorums decided one key for {} and for {}: a third of the committee or more broke the \
             rules; {} stands here",
            first.1, second.1, first.1
        ),
        hint: "members have to settle this among people; look for authors that equivocated, and \
               agree on another committee"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::vote::ConflictKey;

    const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_763_000_000_000 };

    fn deciding() -> Deciding {
        let author = |number| AuthorId::from_bytes([number; 32]);
        let members = (0..4).map(|number| (author(number), 1)).collect();
        let genesis = Genesis::new(members, Vec::new(), [0; 32]).unwrap();
        let rng = &mut Rng::from_u64(1);
        Deciding::new(Some(&genesis), genesis.network(), author(0), rng, NOW).unwrap()
    }

    fn vote(number: u32) -> Vote {
        let key = ConflictKey::derive("test", &[&number.to_be_bytes()]);
        Vote::Lock(Decision(key, ItemId(VertexId::of(b"item"), number)))
    }

    #[test]
    fn votes_of_a_tick_share_payloads_of_one_epoch_that_fit_a_vertex() {
        let mut deciding = deciding();
        let cast: Vec<(u64, Vote)> = (0..700).map(|n| (u64::from(n >= 500), vote(n))).collect();
        for (epoch, vote) in &cast {
            deciding.cast(*epoch, vote.clone(), NOW);
        }
        let (mut written, mut payloads) = (Vec::new(), 0);
        while let Some(Payload::Votes(votes)) = deciding.take_payload() {
            assert!(votes.votes.len() <= limits::VOTES_MAX);
            assert!(cbor::encode(&votes).unwrap().len() <= limits::FLUSH_BYTES);
            payloads += 1;
            written.extend(votes.votes.into_iter().map(|vote| (votes.epoch, vote)));
        }
        assert_eq!(written, cast, "all of them, in their order");
        assert!(payloads <= 8, "{payloads} payloads for 700 votes");
    }

    #[test]
    fn a_busy_member_waits_longer_for_company() {
        let mut deciding = deciding();
        let mut waits = Vec::new();
        for number in 0..40 {
            deciding.cast(0, vote(number), NOW);
            waits.push(deciding.due_ms.take().unwrap() - NOW.mono_ms);
        }
        let idle = waits.iter().take_while(|wait| **wait == limits::VOTE_FLUSH_MS).count();
        assert_eq!(idle, usize::try_from(limits::VOTE_BURST).unwrap());
        // 20 vertices a second of each of four members.
        assert!(waits[idle..].iter().all(|wait| *wait == 50), "{waits:?}");
    }
}
