//! What a member asks for, done: the driver's half of the contract in [`crate::effect`].

use super::{Event, Exchange, World};
use crate::effect::{Effect, Input, Job, RequestFailed, Write};
use crate::event::{Channel, Event as Told};
use crate::identity::TransportId;
use crate::sim::byzantine::{Action, Context};
use crate::sim::checker::{Broken, Violation};
use crate::sim::disk;
use crate::sim::network::{Message, Transit};
use crate::sim::random::lognormal_us;
use crate::sim::scenario::Mutant;
use crate::sim::workload;

/// Microseconds until a request without an answer counts as lost, as in the product.
const REQUEST_TIMEOUT_US: u64 = crate::limits::STREAM_TIMEOUT_MS * 1_000;
/// Microseconds until a dial that nobody answers has failed, as in the product.
const DIAL_TIMEOUT_US: u64 = crate::limits::CONNECT_TIMEOUT_MS * 1_000;
/// Microseconds that reading a blob takes. Arbitrary, sane.
const READ_US: u64 = 2_000;
/// Bytes of a message that are not the node's: frames of transport, encryption and multiplexer.
const FRAME_BYTES: usize = 64;

impl World {
    /// Does what a member asks for, or what its attack makes of that.
    pub(super) fn act(&mut self, node: usize, effect: Effect) {
        if self.hosts[node].strategy.is_some() {
            self.attack(node, Some(effect));
        } else {
            self.carry_out(node, effect);
        }
    }

    /// Lets a strategy decide about an effect, or act by itself.
    pub(super) fn attack(&mut self, node: usize, effect: Option<Effect>) {
        let (now, peers, network) = (self.now(node), self.peers(node), self.network_id);
        let host = &mut self.hosts[node];
        let (Some(state), Some(mut strategy)) = (&host.state, host.strategy.take()) else { return };
        let mut context = Context {
            now,
            rng: &mut host.rng,
            key: &host.key,
            author: host.author,
            network,
            state,
            peers: &peers,
        };
        let actions = match effect {
            Some(effect) => strategy.on_effect(effect, &mut context),
            None => strategy.on_second(&mut context),
        };
        host.strategy = Some(strategy);
        let life = host.life;
        for action in actions {
            match action {
                Action::Do(effect) => self.carry_out(node, effect),
                Action::Later { ms, effect } => {
                    let at_us = self.now_us + ms * 1_000;
                    self.schedule(at_us, Event::Late { node, life, effect: Box::new(effect) });
                }
                Action::Whisper { peer, bytes } => self.whisper(node, peer, bytes),
            }
        }
    }

    pub(super) fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Dial { address } => self.dial(node, &address),
            Effect::Disconnect { peer, .. } => {
                if let Some(peer) = self.by_transport.get(&peer) {
                    self.unlink(node, *peer);
                }
            }
            Effect::Request { peer, request, bytes } => self.request(node, &peer, request, bytes),
            Effect::Respond { token, bytes } => self.respond(node, token, bytes),
            Effect::Publish { bytes } => self.publish(node, bytes),
            Effect::Verdict { message, verdict, .. } => self.judge(node, message, verdict),
            Effect::Persist(write) => self.persist(node, write),
            Effect::LoadBlob { blob } => {
                let bytes = self.hosts[node].disk.blob(&blob);
                self.post(node, READ_US, Input::BlobLoaded { blob, bytes });
            }
            Effect::Train(job) => self.train(node, &job),
            Effect::Reply { command, result } => self.replied(node, command, result),
            Effect::Emit(Told::Stopped) => self.stopped(node),
            Effect::Emit(Told::Finalised(view)) => self.finalised(node, &view),
            Effect::Emit(Told::Warning(problem)) => self.warned(node, &problem),
            // Simulated members are in no group, and hide nothing.
            Effect::Tell { .. } | Effect::Cell { .. } | Effect::Emit(_) => {}
            Effect::SetTimer { at_mono_ms } => {
                let host = &mut self.hosts[node];
                host.timer += 1;
                let (life, timer) = (host.life, host.timer);
                let at_us = at_mono_ms.saturating_sub(super::MONO_MS) * 1_000;
                self.schedule(at_us, Event::Timer { node, life, timer });
            }
        }
    }

    /// Hands an input to this life of a member after a while.
    pub(super) fn post(&mut self, node: usize, after_us: u64, input: Input) {
        let life = self.hosts[node].life;
        self.schedule(self.now_us + after_us, Event::Input { node, life, input });
    }

    // ---- connections --------------------------------------------------------------------------

    fn dial(&mut self, node: usize, address: &str) {
        let fail = |reason: &str| Input::DialFailed {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let known = self.by_address.get(address).copied().filter(|other| *other != node);
        let Some(other) = known else {
            return self.post(node, READ_US, fail("nobody is there"));
        };
        let round_us = self.network.latency_us(node, other) + self.network.latency_us(other, node);
        if self.network.is_cut_either_way(node, other) || self.hosts[other].frozen {
            return self.post(node, DIAL_TIMEOUT_US, fail("no answer"));
        }
        if self.hosts[other].state.is_none() || !self.hosts[other].listens {
            return self.post(node, round_us, fail("refused"));
        }
        // One round trip for the transport, two for its encryption and multiplexer.
        let life = self.hosts[node].life;
        self.schedule(self.now_us + 3 * round_us, Event::Connect { from: node, life, to: other });
    }

    /// A dial ends: both sides are connected, or the dialler hears that it failed.
    pub(super) fn connect(&mut self, from: usize, life: u64, to: usize) {
        if self.hosts[from].life != life || self.hosts[from].links.contains_key(&to) {
            return;
        }
        let address = self.hosts[to].address.clone();
        let gone = self.hosts[to].state.is_none() || self.network.is_cut_either_way(from, to);
        if gone || !self.has_room(to) {
            let reason = "the connection did not come about".to_owned();
            return self.post(from, 1, Input::DialFailed { address, reason });
        }
        // What is still to be told about an earlier connection comes first.
        let parting = |host: usize, peer: usize| self.hosts[host].parting_us.get(&peer).copied();
        if let Some(at_us) = parting(from, to).max(parting(to, from))
            && at_us >= self.now_us
        {
            return self.schedule(at_us + 1, Event::Connect { from, life, to });
        }
        self.hosts[from].links.insert(to, false);
        self.hosts[to].links.insert(from, false);
        self.graft(from, to);
        let remote = format!("/ip4/192.0.2.1/tcp/{}/ws", 1_024 + from);
        let channel = Channel::Classical;
        let peer = self.hosts[from].transport.clone();
        self.post(to, 0, Input::Connected { peer, address: remote, outbound: false, channel });
        let peer = self.hosts[to].transport.clone();
        self.post(from, 0, Input::Connected { peer, address, outbound: true, channel });
    }

    /// A connection ends; this side knows at once, the other when it hears of it.
    pub(super) fn unlink(&mut self, node: usize, peer: usize) {
        if self.hosts[node].links.remove(&peer).is_none() {
            return;
        }
        self.hosts[peer].links.remove(&node);
        self.fail_exchanges(node, peer);
        let latency_us = self.network.latency_us(node, peer);
        for (one, other, after_us) in [(node, peer, 0), (peer, node, latency_us)] {
            let gone = self.hosts[other].transport.clone();
            self.hosts[one].parting_us.insert(other, self.now_us + after_us);
            self.post(
                one,
                after_us,
                Input::Disconnected { peer: gone, reason: "connection lost".to_owned() },
            );
            self.regraft(one);
        }
    }

    /// Requests between two members that are no longer connected have no answer.
    fn fail_exchanges(&mut self, one: usize, other: usize) {
        let between = |exchange: &Exchange| {
            (exchange.from, exchange.to) == (one, other)
                || (exchange.from, exchange.to) == (other, one)
        };
        let open = self.exchanges.iter().filter(|(_, exchange)| between(exchange));
        let lost: Vec<u64> = open.map(|(token, _)| *token).collect();
        for token in lost {
            self.deliver_response(token, Err(RequestFailed::Disconnected));
        }
    }

    // ---- requests -----------------------------------------------------------------------------

    fn request(&mut self, node: usize, peer: &TransportId, request: u64, bytes: Vec<u8>) {
        let known = self.by_transport.get(peer).copied();
        let Some(to) = known.filter(|to| self.hosts[node].links.contains_key(to)) else {
            let result = Err(RequestFailed::Disconnected);
            return self.post(node, 1, Input::Response { request, result });
        };
        if self.scenario.mutant == Some(Mutant::NoExchange)
            && matches!(
                crate::message::Request::decode(&bytes),
                Ok(crate::message::Request::Heads(_))
            )
        {
            let result = Err(RequestFailed::Disconnected);
            return self.post(node, 1, Input::Response { request, result });
        }
        let token = self.number();
        let size = bytes.len() + FRAME_BYTES;
        let exchange = Exchange { from: node, life: self.hosts[node].life, to, request, bytes };
        self.exchanges.insert(token, exchange);
        if let Transit::Arrives { at_us } =
            self.transmit(Message { from: node, to, bytes: size, patience_us: u64::MAX })
        {
            self.schedule(at_us, Event::Request { token });
        }
        self.schedule(self.now_us + REQUEST_TIMEOUT_US, Event::Timeout { token });
    }

    pub(super) fn deliver_request(&mut self, token: u64) {
        let Some(exchange) = self.exchanges.get_mut(&token) else { return };
        let (from, to) = (exchange.from, exchange.to);
        let bytes = std::mem::take(&mut exchange.bytes);
        let peer = self.hosts[from].transport.clone();
        let life = self.hosts[to].life;
        self.hand(to, life, Input::Request { peer, token, bytes });
    }

    fn respond(&mut self, node: usize, token: u64, bytes: Vec<u8>) {
        let Some(to) = self.exchanges.get(&token).map(|exchange| exchange.from) else { return };
        let size = bytes.len() + FRAME_BYTES;
        if let Transit::Arrives { at_us } =
            self.transmit(Message { from: node, to, bytes: size, patience_us: u64::MAX })
        {
            self.schedule(at_us, Event::Response { token, bytes });
        }
    }

    /// A request ends with an answer or without; what comes later is dropped.
    pub(super) fn deliver_response(&mut self, token: u64, result: Result<Vec<u8>, RequestFailed>) {
        let Some(exchange) = self.exchanges.remove(&token) else { return };
        let Exchange { from, life, request, .. } = exchange;
        self.hand(from, life, Input::Response { request, result });
    }

    // ---- store and training -------------------------------------------------------------------

    fn persist(&mut self, node: usize, write: Write) {
        if !disk::fits(&write) {
            let what = format!("write {} is larger than a store takes", write.write);
            let broken = Broken { node: Some(node), vertex: None, what };
            let at_ms = self.now_us / 1_000;
            let invariant = "S8 memory, storage and work are bounded";
            self.checker.fail(Violation { invariant, at_ms, broken });
        }
        let number = write.write;
        let host = &mut self.hosts[node];
        host.disk.begin(write);
        let mut takes_us = lognormal_us(&mut host.rng, host.write_ms * 1_000, 500).max(10);
        let (life, crash) = (host.life, host.crash_in_write.take());
        if self.scenario.mutant == Some(Mutant::SendBeforePersist) {
            takes_us += 50_000;
            self.post(node, 1, Input::Persisted { write: number, result: Ok(()) });
        }
        if let Some(down_ms) = crash {
            // Before, at or after the moment in which the write is durable and acknowledged.
            let share = u64::from(self.hosts[node].rng.below(3));
            let at_us = self.now_us + takes_us * share / 2;
            let down_ms = Some(down_ms);
            self.schedule(at_us, Event::Crash { node, life, down_ms });
        }
        self.schedule(self.now_us + takes_us, Event::Written { node, life });
    }

    fn train(&mut self, node: usize, job: &Job) {
        let host = &self.hosts[node];
        let (result, after_us) = (workload::train(job, &host.data), host.train_ms * 1_000);
        self.post(node, after_us, Input::Trained { job: job.job, result });
    }
}
