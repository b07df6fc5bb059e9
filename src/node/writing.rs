//! The own chain: the identity at its beginning, the vertices that follow, and what came back from
//! the store at the start.

use std::sync::Arc;

use super::exchange::full_problem;
use super::learning::head_name;
use super::mail::Mailbox;
use super::writer::{Own, Queued};
use super::{Config, Door, Error, Node};
use crate::clock::Now;
use crate::crypto::sign::SigningKey;
use crate::dag::{
    self, BlobId, Graph, Insert, NetworkId, Payload, SignedVertex, Source, Vertex, VertexId,
};
use crate::effect::{Effect, StoreFailed};
use crate::event::Problem;
use crate::federated::Run;
use crate::genesis::Genesis;
use crate::identity::{AuthorId, Binding, Secrets, Terms, TransportId};
use crate::limits;
use crate::rng::Rng;

/// Name of the stored addresses.
const BOOK_NAME: &str = "peers";
/// A new binding holds from a day ago on, so that a peer whose clock is behind accepts it.
const BINDING_BACKDATED_MS: u64 = 86_400_000;
/// A binding is renewed when it ends within this time.
const BINDING_RENEWED_MS: u64 = 60 * 86_400_000;

/// What came back from a store.
pub(super) struct History {
    pub(super) graph: Graph,
    /// Vertices of others that were left out because their parents are not there. They can be
    /// fetched again.
    pub(super) skipped: usize,
    /// Why the rest was left out, if the graph could not take all. The own chain may go on in that
    /// rest, so nothing may be signed.
    pub(super) cut: Option<dag::Error>,
}

/// Rebuilds an empty graph from a store.
pub(super) fn restore(
    mut graph: Graph,
    me: &AuthorId,
    stored: &[Vec<u8>],
) -> Result<History, Error> {
    let mut vertices = Vec::with_capacity(stored.len());
    for (index, bytes) in stored.iter().enumerate() {
        let signed =
            SignedVertex::decode(bytes).map_err(|source| Error::Store { index, source })?;
        vertices.push((index, signed));
    }
    // A parent has a smaller Lamport time than its child, so this is a causal order.
    vertices.sort_by_key(|(_, signed)| (signed.vertex().lamport, signed.id()));
    let (mut skipped, mut cut) = (0, None);
    for (index, signed) in vertices {
        let author = signed.vertex().author;
        match graph.restore(signed) {
            Ok(()) => {}
            Err(dag::Error::WrongNetwork { expected, found }) => {
                return Err(Error::Network { stored: found, expected });
            }
            Err(full @ dag::Error::GraphFull { .. }) => {
                cut = Some(full);
                break;
            }
            Err(source) if author == *me => return Err(Error::Store { index, source }),
            Err(_) => skipped += 1,
        }
    }
    Ok(History { graph, skipped, cut })
}

/// The own identity vertex in a restored graph.
fn own_identity<'a>(graph: &'a Graph, me: &AuthorId) -> Option<&'a SignedVertex> {
    graph.author(me).and_then(|chain| chain.at(0)).and_then(|id| graph.get(&id))
}

/// A first identity vertex.
fn new_identity(
    network: &NetworkId,
    key: &SigningKey,
    secrets: &Secrets,
    pass: Option<Vec<u8>>,
    rng: &mut Rng,
    now: Now,
) -> Result<SignedVertex, Error> {
    let binding = new_binding(network, key, &secrets.transport_id(), 0, rng, now)?;
    let vertex = Vertex::identity(*network, key.public(), binding, now.unix_ms)
        .with_sealing_key(&Mailbox::new(secrets).key())
        .with_pass(pass);
    SignedVertex::sign(&vertex, key, hedge(rng)).map_err(Error::Vertex)
}

/// Whether the own identity has been written, or may be.
///
/// Who has signed an identity with an invite cannot sign another with a better one. So a new member
/// of a permissioned network writes its own only when a first door has let it in: an invite that no
/// door takes is one that the next start can replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Nobody has let this node in.
    Outside,
    /// Somebody has: the identity is to be written.
    LetIn,
    /// It is written, or is being so; or nobody's leave was needed.
    Inside,
}

/// The own identity vertex, from the graph or a new one; and the door of a permissioned network. To
/// what the genesis says about who may enter the graph holds from now on.
///
/// Nobody would take an identity without a pass: so it is refused here, before anybody has seen it.
/// What is shown at doors is the pass in the identity, and no other: doors compare.
pub(super) fn enter(
    config: &Config,
    secrets: &Secrets,
    key: &SigningKey,
    graph: &mut Graph,
    rng: &mut Rng,
    now: Now,
) -> Result<(SignedVertex, Option<Arc<Door>>), Error> {
    let (network, me) = (config.network, AuthorId::of(key.public()));
    let rule = config.genesis.as_ref().and_then(Genesis::rule);
    if rule.is_none() && config.ticket.is_some() {
        return Err(Error::Open);
    }
    graph.admit_by(rule.clone());
    graph.check_admitted().map_err(Error::Admitted)?;
    let is_stranger = rule.as_ref().is_some_and(|rule| !rule.lists(&me));
    let ticket = config.ticket.as_ref().filter(|_| is_stranger);
    let pass = ticket.map(|ticket| ticket.pass_of(&me));
    let new_identity = || new_identity(&network, key, secrets, pass, rng, now);
    let identity = own_identity(graph, &me).cloned().map_or_else(new_identity, Ok)?;
    let Some(rule) = rule else { return Ok((identity, None)) };
    let pass = identity.vertex().pass();
    rule.check(&me, pass)?;
    let door = Door::new(rule, me, pass.map(<[u8]>::to_vec));
    config.bootstrap.iter().for_each(|address| door.call(address));
    Ok((identity, Some(Arc::new(door))))
}

fn new_binding(
    network: &NetworkId,
    key: &SigningKey,
    transport: &TransportId,
    epoch: u32,
    rng: &mut Rng,
    now: Now,
) -> Result<Binding, Error> {
    let valid_from_ms = now.unix_ms.saturating_sub(BINDING_BACKDATED_MS);
    let valid_until_ms = valid_from_ms.saturating_add(limits::BINDING_SPAN_MS_MAX);
    let terms = Terms { transport: transport.clone(), epoch, valid_from_ms, valid_until_ms };
    Ok(Binding::sign(key, network, terms, hedge(rng))?)
}

fn hedge(rng: &mut Rng) -> [u8; 32] {
    let mut hedge = [0; 32];
    rng.fill(&mut hedge);
    hedge
}

impl Node {
    /// Shows the restored history to the door and to the engine that decides.
    pub(super) fn restore_deciding(&mut self, meta: &[(String, Vec<u8>)], now: Now) {
        self.fill_door();
        if let Some(sampled) = self.deciding.engine.sampled_mut() {
            return sampled.restore(meta);
        }
        for signed in self.graph.iter() {
            self.deciding.restore(signed, now);
        }
    }

    /// Folds the restored history, and believes the stored head of each run: its rounds were
    /// recomputed before they were stored, and its weights are checked against their id when read.
    pub(super) fn restore_runs(
        &mut self,
        blobs: Vec<(BlobId, u64)>,
        meta: &[(String, Vec<u8>)],
        now: Now,
    ) {
        self.blobs.restore(blobs);
        for signed in self.graph.iter() {
            self.runs.apply(signed);
        }
        let ids: Vec<VertexId> = self.runs.iter().map(Run::id).collect();
        for id in ids {
            let name = head_name(&id);
            let stored = meta.iter().find(|(known, _)| *known == name);
            let head = stored.and_then(|(_, bytes)| VertexId::from_cid_bytes(bytes).ok());
            for aggregate in head.map(|head| self.chain_of(&id, head)).unwrap_or_default() {
                self.runs.judge(&id, aggregate, true);
            }
            if self.runs.get(&id).is_some_and(|run| run.is_member(&self.me)) {
                self.follow(&id, now);
            } else {
                self.watch(&id, now);
            }
        }
    }

    /// The aggregates from the first round to `head`.
    fn chain_of(&self, run: &VertexId, head: VertexId) -> Vec<VertexId> {
        let Some(run) = self.runs.get(run) else { return Vec::new() };
        let base = |id: &VertexId| run.aggregate(id).map(|record| record.base);
        let chain = std::iter::successors(Some(head), base).take_while(|id| *id != run.id());
        let mut chain: Vec<VertexId> = chain.collect();
        chain.reverse();
        chain
    }

    pub(super) fn restore_book(&mut self, meta: &[(String, Vec<u8>)], now: Now) {
        let stored = meta.iter().find(|(name, _)| name == BOOK_NAME);
        let text = stored.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok()).unwrap_or("");
        for address in text.lines().take(limits::BOOK_ENTRIES_MAX) {
            self.book.hear(address, None, now.mono_ms);
        }
    }

    /// Remembers addresses across restarts.
    pub(super) fn store_book(&mut self) {
        let known = self.book.addresses();
        let best: Vec<&str> = known.into_iter().take(limits::BOOK_STORED_MAX).collect();
        self.writer.add_meta(BOOK_NAME, best.join("\n").into_bytes());
    }

    /// Makes the identity vertex durable, or a newer binding when the last one does not fit.
    pub(super) fn introduce(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Some(chain) = self.graph.author(&self.me) else {
            if self.identity.vertex().pass().is_some() && self.entry == Entry::Inside {
                self.entry = Entry::Outside;
                return self.writer.hold(true);
            }
            self.entry = Entry::Inside;
            if let Err(full) = self.check_room_for_own() {
                return self.warn(full_problem(&full), now, out);
            }
            let own = Own { signed: self.identity.clone(), commands: Vec::new() };
            out.push(Effect::Persist(self.writer.start(Some(own))));
            return;
        };
        let known = chain.binding.clone();
        let lasts = known.valid_until_ms > now.unix_ms.saturating_add(BINDING_RENEWED_MS);
        if known.transport == self.transport && lasts {
            self.introduced = true;
            self.binding = (known.epoch > 0).then_some(known);
            return;
        }
        let (network, epoch) = (self.config.network, known.epoch.saturating_add(1));
        match new_binding(&network, &self.key, &self.transport, epoch, &mut self.rng, now) {
            Ok(binding) => {
                self.binding = Some(binding.clone());
                self.writer.queue(Payload::Binding(binding), None, true, now.mono_ms);
            }
            Err(error) => {
                let message = error.to_string();
                let hint = "check the clock of this machine, then start again".to_owned();
                self.warn(Problem { code: error.code(), message, hint }, now, out);
            }
        }
    }

    /// Starts the next write, or repeats a failed one.
    pub(super) fn flush(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Some(write) = self.writer.retry(now.mono_ms) {
            out.push(Effect::Persist(write));
            return;
        }
        if self.entry == Entry::LetIn && self.writer.is_free() {
            self.writer.hold(false);
            return self.introduce(now, out);
        }
        self.queue_votes(now);
        if !self.writer.is_due(now.mono_ms) {
            return;
        }
        let may_sign = self.writer.is_queue_due(now.mono_ms) && self.writer.has_room_for_own();
        let own = if may_sign { self.sign_next(now, out) } else { None };
        if own.is_some() || self.writer.is_due(now.mono_ms) {
            out.push(Effect::Persist(self.writer.start(own)));
        }
    }

    /// Signs the next own vertex. `None` when nothing is queued or nothing can be written any more.
    fn sign_next(&mut self, now: Now, out: &mut Vec<Effect>) -> Option<Own> {
        if let Some(seq) = self.graph.equivocated(&self.me) {
            let commands = self.writer.drop_queue();
            self.warn_ended(seq, now, out);
            self.drop_commands(&commands, &ended_problem(), out);
            return None;
        }
        // A vertex that is signed, stored and then refused would be followed by another one for
        // the same position.
        if let Err(full) = self.check_room_for_own() {
            let (commands, problem) = (self.writer.drop_queue(), full_problem(&full));
            self.drop_commands(&commands, &problem, out);
            self.warn(problem, now, out);
            return None;
        }
        let taken = self.writer.take_payloads();
        if taken.is_empty() {
            return None;
        }
        let commands: Vec<(u64, u32)> =
            taken.iter().zip(0..).filter_map(|(queued, at)| Some((queued.command?, at))).collect();
        let payloads = taken.into_iter().map(|Queued { payload, .. }| payload).collect();
        let hedge = hedge(&mut self.rng);
        let signed = self
            .graph
            .next_vertex(self.me, payloads, now)
            .and_then(|vertex| SignedVertex::sign(&vertex, &self.key, hedge));
        match signed {
            Ok(signed) => Some(Own { signed, commands }),
            Err(error) => {
                let problem = Problem::from(error);
                let commands: Vec<u64> = commands.into_iter().map(|(command, _)| command).collect();
                self.drop_commands(&commands, &problem, out);
                self.warn(problem, now, out);
                None
            }
        }
    }

    fn check_room_for_own(&self) -> Result<(), dag::Error> {
        self.cut.clone().map_or_else(|| self.graph.check_room_for_own(), Err)
    }

    /// A write ended.
    pub(super) fn on_persisted(
        &mut self,
        write: u64,
        result: Result<(), StoreFailed>,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        match result {
            Ok(()) => {
                let was_stuck = self.writer.is_failing() || self.writer.is_full();
                let Some(durable) = self.writer.acknowledged(write) else {
                    return self.counters.count("store-unknown-write");
                };
                if was_stuck {
                    // Training and averaging were put off until now.
                    self.mark_runs();
                }
                for (blob, bytes) in durable.blobs {
                    self.blobs.durable(blob, bytes);
                }
                self.units_durable(&durable.units, out);
                self.decisions_durable(&durable.units, now, out);
                self.record_durable(&durable.units);
                if let Some(own) = durable.own {
                    self.publish(own, now, out);
                }
                self.snapshot_durable(&durable.units, now, out);
            }
            Err(failed) => {
                let Some(commands) = self.writer.failed(write, now.mono_ms) else {
                    return self.counters.count("store-unknown-write");
                };
                let problem = store_problem(&failed);
                self.fail_commands(&commands, &problem, out);
                self.warn(problem, now, out);
            }
        }
    }

    /// An own vertex is durable: it enters the graph, and everybody may have it.
    fn publish(&mut self, own: Own, now: Now, out: &mut Vec<Effect>) {
        let Own { signed, commands } = own;
        let (id, bytes) = (signed.id(), signed.encode());
        match self.graph.insert(signed, &Source::Own, now) {
            Ok(Insert::Accepted(accepted)) => {
                for vertex in accepted {
                    if vertex != id {
                        self.remember_vertex(&vertex);
                    }
                    self.fold(&vertex, now, out);
                }
                self.unshared = Some(id);
                out.push(Effect::Publish { bytes });
            }
            Ok(_) => self.counters.count("own-vertex-refused"),
            Err(error) => self.warn(Problem::from(error), now, out),
        }
        self.on_notices(now, out);
        if !self.introduced {
            self.introduced = true;
            let shown = self.binding.clone();
            let known = self.graph.author(&self.me).map(|chain| chain.binding.clone());
            self.binding = shown.and(known);
            self.greet_early(now, out);
        }
        self.own_vertex_durable(&id, &commands, now, out);
    }
}

fn store_problem(failed: &StoreFailed) -> Problem {
    let (code, hint) = if failed.full {
        (
            "storage-full",
            "free some space: the node repeats the write until it is done, and sends nothing \
             before; what was asked for stays asked for while the node runs, so do not ask again",
        )
    } else {
        (
            "storage-failed",
            "check the disk and its permissions: the node repeats the write until it is done; what \
             was asked for stays asked for while the node runs, so do not ask again",
        )
    };
    let message = format!("what was accepted could not be stored: {}", failed.message);
    Problem { code, message, hint: hint.to_owned() }
}

fn ended_problem() -> Problem {
    Problem {
        code: "identity-ended",
        message: "this identity signed two different vertices and is over".to_owned(),
        hint: "create a new identity".to_owned(),
    }
}
