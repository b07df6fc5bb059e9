//! The history between nodes: gossip, anti-entropy, catching up, and what each new vertex leads to.

use super::offence::Offence;
use super::peers::{Asked, Open};
use super::{Node, limits};
use crate::clock::Now;
use crate::dag::{self, Insert, Notice, SignedVertex, Source, VertexId};
use crate::effect::{Effect, RequestFailed, Verdict};
use crate::event::Problem;
use crate::identity::{AuthorId, TransportId};
use crate::message::{Ranges, Refusal, Request, Response, Vertices, WantAncestors, WantVertices};
use crate::rate::Bucket;
use crate::sync::{self, Want};

/// How much of one author is taken in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// Over gossip, before any signature is checked.
    gossip: Bucket,
    /// In answers to own requests, where an author's whole past may come at once.
    answers: Bucket,
    /// Vertices whose time has not come yet, either way.
    ahead: Bucket,
}

/// What became of a vertex that a peer sent.
enum Taken {
    /// Accepted or parked, and new.
    News(VertexId),
    /// Known before, or refused without anybody being wrong.
    Nothing(VertexId),
    /// Refused, and it was wrong to send it.
    Wrong,
}

impl Node {
    /// A vertex came over gossip. Rates are checked before anything expensive.
    pub(super) fn on_gossip(
        &mut self,
        peer: &TransportId,
        message: u64,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let verdict = self.judge_gossip(peer, bytes, now, out);
        out.push(Effect::Verdict { message, peer: peer.clone(), verdict });
    }

    fn judge_gossip(
        &mut self,
        peer: &TransportId,
        bytes: &[u8],
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Verdict {
        let Some(from) = self.peers.get_mut(peer) else {
            self.counters.count("gossip-from-nobody");
            return Verdict::Ignore;
        };
        let is_known = from.is_known();
        let within = from.gossip.take(now.mono_ms, limits::GOSSIP_BURST, limits::GOSSIP_PER_SECOND);
        if !within {
            self.penalise(peer, Offence::GossipFlood, now, out);
            return Verdict::Ignore;
        }
        if !is_known {
            // Nobody answers for it yet; what it was about comes with the heads of a hello.
            self.counters.count("gossip-before-hello");
            return Verdict::Ignore;
        }
        if self.writer.is_full() {
            self.counters.count("gossip-store-full");
            return Verdict::Ignore;
        }
        let signed = match SignedVertex::decode(bytes) {
            Ok(signed) => signed,
            Err(error) => {
                self.counters.count(error.code());
                self.penalise(peer, Offence::InvalidVertex, now, out);
                return Verdict::Reject;
            }
        };
        let (burst, per_second) = (limits::AUTHOR_BURST, limits::AUTHOR_PER_SECOND);
        let author = signed.vertex().author;
        if !self.graph.contains(&signed.id()) {
            if !self.rates(&author, now).gossip.take(now.mono_ms, burst, per_second) {
                self.counters.count("gossip-author-rate");
                return Verdict::Ignore;
            }
            if !self.is_in_time(&signed, now) {
                return Verdict::Ignore;
            }
        }
        let source = Source::Peer(peer.clone());
        match self.take_vertex(peer, &signed, &source, now, out) {
            Taken::News(id) if self.graph.contains(&id) => Verdict::Accept,
            Taken::News(_) | Taken::Nothing(_) => Verdict::Ignore,
            Taken::Wrong => Verdict::Reject,
        }
    }

    fn rates(&mut self, author: &AuthorId, now: Now) -> &mut Rates {
        if self.author_rates.len() >= limits::AUTHOR_RATES_MAX
            && !self.author_rates.contains_key(author)
        {
            let used_ms = |rates: &Rates| {
                rates.gossip.at_ms().max(rates.answers.at_ms()).max(rates.ahead.at_ms())
            };
            let idle = self.author_rates.iter().min_by_key(|(_, rates)| used_ms(rates));
            if let Some(idle) = idle.map(|(author, _)| *author) {
                self.author_rates.remove(&idle);
            }
        }
        let full = Bucket::new(now.mono_ms);
        self.author_rates.entry(*author).or_insert(Rates {
            gossip: full,
            answers: full,
            ahead: full,
        })
    }

    /// Whether a vertex in an answer may be taken in now. One that may not is not refused: the
    /// peer has more to give, and is asked again.
    pub(super) fn takes_answered(&mut self, signed: &SignedVertex, now: Now) -> bool {
        if self.graph.contains(&signed.id()) {
            return true;
        }
        let (burst, per_second) = (limits::ANSWERED_BURST, limits::ANSWERED_PER_SECOND);
        let rates = self.rates(&signed.vertex().author, now);
        if !rates.answers.take(now.mono_ms, burst, per_second) {
            self.counters.count("answer-author-rate");
            return false;
        }
        self.is_in_time(signed, now)
    }

    /// Whether a vertex is not ahead of time, or is one of the few that may be. Its author's clock
    /// may be wrong, and so may this one: of what is ahead, the median of what peers said about
    /// their clocks is taken off.
    fn is_in_time(&mut self, signed: &SignedVertex, now: Now) -> bool {
        let fields = signed.vertex();
        let most_ms = now.unix_ms.saturating_add(limits::TIME_AHEAD_MS_MAX);
        // Asking all peers is seldom needed.
        let in_time = fields.time_ms <= most_ms
            || fields.time_ms <= most_ms.saturating_add(self.peers.ahead_ms());
        if in_time {
            return true;
        }
        let (burst, per_second) = (limits::AHEAD_BURST, limits::AHEAD_PER_SECOND);
        let within = self.rates(&fields.author, now).ahead.take(now.mono_ms, burst, per_second);
        if !within {
            self.counters.count("vertex-ahead-of-time");
        }
        within
    }

    /// Puts a vertex from a peer into the graph and follows up on what that led to.
    fn take_vertex(
        &mut self,
        peer: &TransportId,
        signed: &SignedVertex,
        source: &Source,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Taken {
        let (id, author) = (signed.id(), signed.vertex().author);
        if self.joining.is_writing() && !self.graph.contains(&id) {
            // What is handed may hold it, and is asked about anew when it is durable.
            self.counters.count("vertex-while-snapshot");
            self.sync.on_refused(id);
            return Taken::Nothing(id);
        }
        let inserted = self.graph.insert(signed.clone(), source, now);
        let taken = match inserted {
            Ok(Insert::Accepted(accepted)) => {
                if author == self.me {
                    self.warn_elsewhere(now, out);
                }
                for vertex in accepted {
                    self.remember_vertex(&vertex);
                    self.fold(&vertex, now, out);
                }
                Taken::News(id)
            }
            Ok(Insert::Parked { missing }) => {
                self.sync.on_missing(peer, &missing);
                Taken::News(id)
            }
            Ok(Insert::Duplicate) => Taken::Nothing(id),
            Ok(Insert::Equivocated(_)) => {
                self.sync.on_refused(id);
                Taken::Nothing(id)
            }
            Err(dag::Error::Covered { .. }) if self.supply_covered(signed, now, out) => {
                self.sync.on_refused(id);
                Taken::News(id)
            }
            Err(error) => self.on_refused(peer, id, &error, now, out),
        };
        self.on_notices(now, out);
        taken
    }

    fn on_refused(
        &mut self,
        peer: &TransportId,
        id: VertexId,
        error: &dag::Error,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Taken {
        self.counters.count(error.code());
        let fault = error.fault();
        let is_for_now = matches!(
            fault,
            dag::Fault::BadSignature | dag::Fault::Full | dag::Fault::FutureLamport
        );
        if !is_for_now {
            self.sync.on_refused(id);
        }
        if let dag::Error::GraphFull { .. } | dag::Error::InviteFull { .. } = error {
            self.warn(full_problem(error), now, out);
        }
        if !fault.blames_sender() {
            return Taken::Nothing(id);
        }
        self.penalise(peer, Offence::InvalidVertex, now, out);
        Taken::Wrong
    }

    /// Makes an accepted vertex durable with the next write.
    pub(super) fn remember_vertex(&mut self, id: &VertexId) {
        if let Some(signed) = self.graph.get(id).cloned() {
            self.remember_coverage_for(&signed);
            self.writer.add_vertex(*id, signed.encode());
        }
    }

    /// Lets the views see an accepted vertex.
    pub(super) fn fold(&mut self, id: &VertexId, now: Now, out: &mut Vec<Effect>) {
        let Some(signed) = self.graph.get(id) else { return };
        self.tell_door(signed);
        let changes = self.runs.apply(signed);
        self.on_changes(changes, now, out);
        self.decide_on(id, now, out);
    }

    /// Follows up on equivocations and on parked vertices that turned out wrong.
    pub(super) fn on_notices(&mut self, now: Now, out: &mut Vec<Effect>) {
        for notice in self.graph.drain_notices() {
            match notice {
                Notice::Equivocation(proof) => {
                    let author = proof.author();
                    self.tell_door_of_end(author);
                    self.counters.count("author-equivocated");
                    if author == self.me {
                        self.warn_ended(proof.seq(), now, out);
                    } else if !self.graph.has_proof(&author) {
                        let wait_ms = u64::from(self.rng.below(limits::ACCUSE_MS_MAX));
                        let due_ms = now.mono_ms.saturating_add(wait_ms);
                        self.accusations.entry(author).or_insert((due_ms, proof));
                    }
                    if let Some(peer) = self.peers.of_author(&author).cloned() {
                        self.penalise(&peer, Offence::Equivocation, now, out);
                    }
                    for following in self.following.values_mut() {
                        following.dirty = true;
                    }
                }
                Notice::Fork { peer, id } => self.sync.on_missing(&peer, &[id]),
                Notice::Rejected { peer, id, error } => {
                    self.on_refused(&peer, id, &error, now, out);
                }
            }
        }
    }

    /// Writes the proofs that nobody else has written in the meantime.
    pub(super) fn accuse(&mut self, now: Now) {
        while let Some((author, due_ms)) = self.next_accusation() {
            if due_ms > now.mono_ms {
                return;
            }
            let Some((_, proof)) = self.accusations.remove(&author) else { return };
            if !self.graph.has_proof(&author) {
                self.writer.queue(proof.to_payload(), None, false, now.mono_ms);
            }
        }
    }

    /// The proof that is due next, and when.
    pub(super) fn next_accusation(&self) -> Option<(AuthorId, u64)> {
        let due = self.accusations.iter().map(|(author, (due_ms, _))| (*author, *due_ms));
        due.min_by_key(|(_, due_ms)| *due_ms)
    }

    /// Tells one random peer the heads every few seconds.
    pub(super) fn exchange(&mut self, now: Now, out: &mut Vec<Effect>) {
        if now.mono_ms < self.exchange_ms {
            return;
        }
        self.exchange_ms = now.mono_ms.saturating_add(limits::EXCHANGE_INTERVAL_MS);
        self.graph.expire(now);
        self.mix(now, out);
        let Some(peer) = self.peers.random(&mut self.rng) else { return };
        self.sync.on_missing(&peer, &self.lacking_for_checkpoint());
        self.ask_for_end(&peer, now, out);
        if !self.peers.is_asked(&peer, |asked| *asked == Asked::Heads) {
            let heads = Request::Heads(self.own_heads(&peer));
            self.request(&peer, Asked::Heads, &heads, now, out);
        }
    }

    /// Asks for wanted vertices.
    pub(super) fn ask_for_vertices(&mut self, now: Now, out: &mut Vec<Effect>) {
        while !self.writer.is_full() {
            let Some(sync::Ask { peer, want }) = self.sync.next(&self.graph, now) else { return };
            let (asked, message) = match want {
                Want::Vertices { ids } => {
                    let height = self.whole_to(&ids);
                    let message = Request::Vertices(WantVertices { ids: ids.clone(), height });
                    (Asked::Vertices { ids: Some(ids) }, message)
                }
                Want::Ancestors { of, known } => {
                    let message = Request::Ancestors(WantAncestors { of, known });
                    (Asked::Vertices { ids: None }, message)
                }
                Want::Ranges { message } => (Asked::Ranges, Request::Ranges(Ranges { message })),
            };
            if !self.request(&peer, asked, &message, now, out) {
                self.sync.on_failed(&peer, &self.graph, now);
            }
        }
    }

    /// A request was answered, or not.
    pub(super) fn on_response(
        &mut self,
        request: u64,
        result: Result<Vec<u8>, RequestFailed>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some(open) = self.peers.close(request) else {
            return self.counters.count("response-unexpected");
        };
        let peer = open.peer.clone();
        if let Asked::Packet { group } = &open.asked {
            return self.on_receipt(&peer, group, result, now, out);
        }
        if let Asked::Cell { circuit } = open.asked {
            return self.on_cell_back(circuit, result, now, out);
        }
        let response = match result {
            Ok(bytes) => Response::decode(&bytes).map_err(|error| error.code()),
            Err(RequestFailed::Malformed) => Err("message-malformed"),
            Err(RequestFailed::Timeout | RequestFailed::Unsupported) => {
                self.give_up(&open, now, out);
                return self.penalise(&peer, Offence::Silent, now, out);
            }
            Err(RequestFailed::Disconnected) => return self.give_up(&open, now, out),
        };
        match response {
            Err(code) => {
                self.counters.count(code);
                self.give_up(&open, now, out);
                self.penalise(&peer, Offence::Malformed, now, out);
            }
            Ok(response) => self.on_answer(&open, response, now, out),
        }
    }

    /// What came of a request that was answered.
    fn on_answer(&mut self, open: &Open, response: Response, now: Now, out: &mut Vec<Effect>) {
        let peer = &open.peer;
        match (response, &open.asked) {
            (Response::Hello(hello), Asked::Hello) => {
                if let Err(why) = self.on_hello(peer, &hello, now, out) {
                    self.turn_away(peer, &why, now, out);
                }
            }
            (Response::Heads(heads), Asked::Heads) => self.on_heads(peer, &heads, now),
            (Response::Vertices(answer), Asked::Vertices { ids }) => {
                self.on_vertices(peer, ids.as_deref(), &answer, now, out);
            }
            (Response::Ranges(Ranges { message }), Asked::Ranges) => {
                if let Err(error) = self.sync.on_ranges(peer, &message, &self.graph, now) {
                    self.counters.count(error.code());
                    self.penalise(peer, Offence::Malformed, now, out);
                }
            }
            (Response::Blob(piece), Asked::Blob { blob, offset }) => {
                self.on_piece(peer, (*blob, *offset), &piece, now, out);
            }
            (Response::Snapshot(offer), Asked::Snapshot) => {
                self.on_offer(peer, &offer, now, out);
            }
            (Response::Snapshot(offer), Asked::End { height }) => {
                self.on_end(peer, *height, &offer, now, out);
            }
            (Response::Vertices(answer), Asked::Dropped { ids }) => {
                self.on_kept(peer, ids, &answer, now, out);
            }
            (Response::Vertices(answer), Asked::Filling { ids }) => {
                self.on_filled(peer, ids, &answer, now, out);
            }
            (Response::Ballots(ballots), Asked::Polls) => {
                self.on_ballots(peer, &ballots, now, out);
            }
            (Response::Refused(refused), _) => {
                self.on_refusal(open, refused.reason, now, out);
            }
            _ => {
                self.give_up(open, now, out);
                self.penalise(peer, Offence::UselessAnswer, now, out);
            }
        }
    }

    /// A peer refused a request. That is its right, but a refused hello ends the connection.
    fn on_refusal(&mut self, open: &Open, reason: Refusal, now: Now, out: &mut Vec<Effect>) {
        self.counters.count("request-refused");
        match (reason, &open.asked) {
            (Refusal::Dropped, Asked::Vertices { ids: Some(ids) }) => {
                self.on_dropped(&open.peer, ids, now, out);
            }
            (Refusal::Dropped, Asked::Dropped { ids }) => {
                self.on_doubted(&open.peer, ids, true, now, out);
            }
            _ => {}
        }
        self.give_up(open, now, out);
        if open.asked != Asked::Hello {
            if reason == Refusal::Identity {
                // It forgot this node's hello, such as after a restart.
                self.say_hello(&open.peer, now, out);
            }
            return;
        }
        if reason == Refusal::Busy {
            return;
        }
        if reason == Refusal::Network {
            return self.leave_foreign(&open.peer, now, out);
        }
        if reason == Refusal::Ended {
            let problem = Problem {
                code: "identity-ended",
                message: "a peer refuses this identity because it equivocated".to_owned(),
                hint: "create a new identity; never run one identity from two stores".to_owned(),
            };
            self.warn(problem, now, out);
        }
        self.part(&open.peer, "the peer refused the hello", now, out);
    }

    /// A request has no useful answer.
    pub(super) fn give_up(&mut self, open: &Open, now: Now, out: &mut Vec<Effect>) {
        match &open.asked {
            Asked::Vertices { .. } | Asked::Ranges => {
                self.sync.on_failed(&open.peer, &self.graph, now);
            }
            Asked::Blob { blob, .. } => self.blobs.give_up(blob, &open.peer),
            // A poll has a deadline of its own.
            Asked::Filling { .. } => self.joining.give_up(&open.peer),
            Asked::Dropped { ids } => self.on_doubted(&open.peer, ids, false, now, out),
            Asked::Snapshot => self.joining.has_none(),
            Asked::Cell { circuit } => {
                self.on_cell_back(*circuit, Err(RequestFailed::Disconnected), now, out);
            }
            Asked::Hello
            | Asked::Heads
            | Asked::Packet { .. }
            | Asked::Polls
            | Asked::End { .. } => {}
        }
    }

    /// Vertices that were asked for: by id (`asked`), or as the past of some heads.
    fn on_vertices(
        &mut self,
        peer: &TransportId,
        asked: Option<&[VertexId]>,
        answer: &Vertices,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let source = Source::Answer(peer.clone());
        let (mut received, mut news) = (Vec::new(), 0);
        let (mut useless, mut held) = (false, false);
        for bytes in &answer.vertices {
            let signed = match SignedVertex::decode(bytes) {
                Ok(signed) => signed,
                Err(error) => {
                    self.counters.count(error.code());
                    self.penalise(peer, Offence::InvalidVertex, now, out);
                    break;
                }
            };
            if asked.is_some_and(|ids| !ids.contains(&signed.id())) {
                useless = true;
                break;
            }
            if !self.takes_answered(&signed, now) {
                held = true;
                break;
            }
            match self.take_vertex(peer, &signed, &source, now, out) {
                Taken::News(id) => {
                    news += 1;
                    received.push(id);
                }
                Taken::Nothing(id) => received.push(id),
                Taken::Wrong => break,
            }
            if self.peers.get(peer).is_none() {
                return;
            }
        }
        if useless {
            self.penalise(peer, Offence::UselessAnswer, now, out);
        }
        let answer = sync::Answer { received, news, more: answer.more, held };
        if !self.sync.on_answer(peer, &answer, &self.graph, now) {
            self.counters.count("listed-vertex-kept-back");
            self.penalise(peer, Offence::UselessAnswer, now, out);
        }
    }

    /// This node's identity is used by somebody else, or was used before this store began.
    pub(super) fn warn_elsewhere(&mut self, now: Now, out: &mut Vec<Effect>) {
        let problem = Problem {
            code: "identity-elsewhere",
            message:
                "a vertex of this node's own identity came from a peer and was not in the store"
                    .to_owned(),
            hint: "the store is older than the identity, or the identity runs twice: stop one of \
                   them, and never restore a backup of the store alone"
                .to_owned(),
        };
        self.warn(problem, now, out);
    }
}

/// Nothing more can be written or accepted.
pub(super) fn full_problem(error: &dag::Error) -> Problem {
    let (code, hint) = match error {
        dag::Error::InviteFull { .. } => {
            ("invite-full", "take the invite back: somebody makes up members with it")
        }
        _ => ("history-full", "export the runs and start a new network"),
    };
    Problem { code, message: error.to_string(), hint: hint.to_owned() }
}
