//! The whole peer as one state machine without IO.
//!
//! ```text
//!                 Input                                             Effect
//!   requests, gossip --> [greeting] -> [exchange] -> graph -> runs --> Respond, Request, Verdict
//!   acknowledgements --> [writing] <------ own payloads <-- [learning] --> Persist, then Publish
//!                              ^---------- votes <-- [deciding] <-- graph
//!   answers to polls -------------------> [sampled] <-- graph    |-----> Request
//!   blobs, jobs ------>  [transfer] ------------------------^    |-----> Train, LoadBlob
//!   commands --------->  [commands] -----------------------------------> Reply, Emit
//! ```
//!
//! [`Node::handle`] takes one [`Input`] and pushes the [`Effect`]s it leads to; the same inputs at
//! the same times give the same effects, natively and in wasm. What is under way always ends: each
//! request, dial, write and job has an answer or a deadline.
//!
//! Promises: an own vertex is sent only after the store acknowledged it ([`writer`]). No input
//! makes the node panic; what a peer sends wrongly is dropped, counted and penalised ([`offence`]).
//! Every map and queue has its bound in [`crate::limits`].

mod asking;
mod averaging;
mod blobs;
mod book;
mod calling;
mod commands;
mod committing;
mod config;
mod counters;
mod deciding;
mod door;
mod doubting;
mod ends;
mod engine;
mod error;
mod exchange;
mod export;
mod finality;
mod following;
mod greeting;
mod groups;
mod handing;
mod joining;
mod learning;
mod leaving;
#[cfg(feature = "sim")]
mod lying;
mod mail;
mod masking;
mod mixing;
mod numbered;
mod offence;
mod own;
mod peers;
mod polling;
mod proving;
mod pruning;
mod records;
mod relaying;
mod sampled;
mod serving;
mod snapshots;
mod training;
mod transfer;
mod views;
mod waking;
mod wallet;
mod writer;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use config::{Config, History, Relaying, Restored};
pub use door::Door;
pub use error::Error;
pub use pruning::{chunks_of, coverage_of};

use crate::clock::Now;
use crate::crypto::sign::SigningKey;
use crate::dag::{Binding, EquivocationProof, Graph, SignedVertex, VertexId};
use crate::effect::{Effect, Input};
use crate::event::{Event, Problem};
use crate::federated::Runs;
use crate::identity::{AuthorId, Secrets, TransportId};
use crate::rate::Bucket;
use crate::rng::Rng;
use crate::{consensus, dag, limits, sync};

/// A peer of a network.
#[derive(Debug)]
pub struct Node {
    config: Config,
    me: AuthorId,
    transport: TransportId,
    key: Arc<SigningKey>,
    /// The own identity vertex, and the binding to show when it is not that vertex's.
    identity: SignedVertex,
    /// Who may connect, in a permissioned network.
    door: Option<Arc<Door>>,
    binding: Option<Binding>,
    /// Whether identity and binding are durable, so that hellos may be said.
    introduced: bool,
    entry: writing::Entry,
    rng: Rng,
    graph: Graph,
    /// Why the graph lacks a part of the store, if it does: then nothing may be signed.
    cut: Option<dag::Error>,
    sync: sync::State,
    runs: Runs,
    deciding: deciding::Deciding,
    wallet: wallet::Wallet,
    masking: masking::Roots,
    promises: committing::Promises,
    mailbox: mail::Mailbox,
    following: BTreeMap<VertexId, following::Following>,
    rules: averaging::Turn,
    peers: peers::Peers,
    penalties: offence::Penalties,
    author_rates: BTreeMap<AuthorId, exchange::Rates>,
    /// Hellos of strangers cost signature checks.
    greetings: Bucket,
    book: book::Book,
    blobs: blobs::Blobs,
    serving: serving::Serving,
    writer: writer::Writer,
    /// Proofs of equivocation to write, each with its time.
    accusations: BTreeMap<AuthorId, (u64, EquivocationProof)>,
    pruning: pruning::Pruning,
    snapshots: snapshots::Snapshots,
    joining: joining::Joining,
    commands: commands::Commands,
    groups: groups::Groups,
    onion: relaying::Onion,
    /// The last own vertex, while no peer has shown that it has it.
    unshared: Option<VertexId>,
    counters: counters::Counters,
    warned: BTreeMap<&'static str, u64>,
    /// Own addresses as the transport told them.
    addresses: Vec<String>,
    /// Whether they are others than those that some peer's hello was answered with.
    moved: bool,
    exchange_ms: u64,
    /// When to look for other peers than those that are there.
    mix_ms: Option<u64>,
    last_job: u64,
    alarm: waking::Alarm,
    phase: Phase,
}

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Made,
    Running,
    /// Finishing what was begun.
    Stopping(leaving::Leaving),
    Stopped,
}

impl Node {
    /// A node that goes on from what its store has; [`Input::Started`] sets it going.
    ///
    /// `entropy` is fresh randomness: it hedges signatures and spreads retries.
    ///
    /// # Errors
    /// [`Error`] when the store is damaged in a way that could make this author contradict itself,
    /// or when the identity in it has equivocated.
    pub fn new(
        config: Config,
        secrets: &Secrets,
        Restored { vertices, blobs, meta, chunks }: Restored,
        entropy: [u8; 32],
        now: Now,
    ) -> Result<Self, Error> {
        let (mut rng, key) = (Rng::from_seed(entropy), Arc::new(secrets.signing_key()));
        let (me, transport) = (AuthorId::of(key.public()), secrets.transport_id());
        let network = config.checked_network()?;
        let deciding = deciding::Deciding::new(config.deciding(), network, me, &mut rng, now)?;
        let (history, pruned) = pruning::restore(network, &me, &vertices, &meta, &chunks)?;
        let writing::History { mut graph, skipped, cut } = history;
        let (identity, door) = writing::enter(&config, secrets, &key, &mut graph, &mut rng, now)?;
        let mut node = Self {
            config,
            me,
            transport,
            key,
            identity,
            door,
            binding: None,
            introduced: false,
            entry: writing::Entry::Inside,
            rng,
            graph,
            cut,
            sync: sync::State::new(),
            runs: Runs::new(),
            deciding,
            wallet: wallet::Wallet::restore(&meta),
            masking: masking::Roots::restore(&meta),
            promises: committing::Promises::restore(&meta),
            mailbox: mail::Mailbox::new(secrets),
            following: BTreeMap::new(),
            rules: averaging::Turn::default(),
            peers: peers::Peers::default(),
            penalties: offence::Penalties::default(),
            author_rates: BTreeMap::new(),
            greetings: Bucket::new(now.mono_ms),
            book: book::Book::default(),
            blobs: blobs::Blobs::default(),
            serving: serving::Serving::default(),
            writer: writer::Writer::default(),
            accusations: BTreeMap::new(),
            pruning: pruning::Pruning::default(),
            snapshots: snapshots::Snapshots::default(),
            joining: joining::Joining::default(),
            commands: commands::Commands::default(),
            groups: groups::Groups::default(),
            onion: relaying::Onion::new(now),
            unshared: None,
            counters: counters::Counters::default(),
            warned: BTreeMap::new(),
            addresses: Vec::new(),
            moved: false,
            exchange_ms: now.mono_ms.saturating_add(limits::EXCHANGE_INTERVAL_MS),
            mix_ms: None,
            last_job: 0,
            alarm: waking::Alarm::default(),
            phase: Phase::Made,
        };
        (0..skipped).for_each(|_| node.counters.count("store-vertex-skipped"));
        node.restore_runs(blobs, &meta, now);
        node.restore_past(pruned, now)?;
        node.restore_deciding(&meta, now);
        node.restore_peers(&meta, now);
        node.restore_groups(&meta, now)?;
        Ok(node)
    }

    /// This node's author id.
    pub fn author(&self) -> AuthorId {
        self.me
    }

    /// This node's transport id.
    pub fn transport(&self) -> &TransportId {
        &self.transport
    }

    /// The history.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The runs in it.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// What quorums have decided in it; `None` where decisions are sampled.
    pub fn consensus(&self) -> Option<&consensus::State> {
        self.deciding.engine.quorum()
    }

    /// What signs handshakes for this node's author: its key, lent.
    pub fn signer(&self) -> Arc<SigningKey> {
        Arc::clone(&self.key)
    }

    /// Who may connect, where not everybody may: lent, and kept up to date.
    pub fn door(&self) -> Option<Arc<Door>> {
        self.door.clone()
    }

    /// Takes one input and pushes what it leads to.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        if self.phase == Phase::Stopped {
            return Self::refuse_stopped(input, out);
        }
        self.notice_sleep(now, out);
        match input {
            Input::Started => self.start(now, out),
            // A host's timer may fire a little early. Then it is set again, or nothing would come.
            Input::Tick => self.alarm.timer_ms = None,
            Input::Listening { addresses } => self.on_listening(addresses, now, out),
            Input::Connected { peer, address, outbound, channel } => {
                self.on_connected(&peer, address, (outbound, channel), now, out);
            }
            Input::Disconnected { peer, reason } => {
                self.miss(&peer, now);
                self.on_disconnected(&peer, &reason, now, out);
            }
            Input::DialFailed { address, reason } => {
                self.on_dial_failed(&address, &reason, now, out);
            }
            Input::Rtt { peer, rtt_ms } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.rtt_ms = Some(rtt_ms);
                }
            }
            Input::Request { peer, token, bytes } => {
                self.on_request(&peer, token, &bytes, now, out);
            }
            Input::Told { peer, token, bytes } => self.on_told(&peer, token, &bytes, now, out),
            Input::Cell { peer, token, bytes } => self.on_cell(&peer, token, &bytes, now, out),
            Input::Response { request, result } => {
                self.on_pong(request, result.is_ok(), now, out);
                self.on_response(request, result, now, out);
            }
            Input::Gossip { peer, message, bytes } => {
                self.on_gossip(&peer, message, &bytes, now, out);
            }
            Input::Persisted { write, result } => self.on_persisted(write, result, now, out),
            Input::BlobLoaded { blob, bytes } => self.on_blob_loaded(blob, bytes, out),
            Input::Trained { job, result } => self.on_trained(job, result, now, out),
            Input::Command { command, request } => self.on_command(command, request, now, out),
        }
        self.advance(now, out);
    }

    /// Does everything that is due, then says when it wants to be called next.
    fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Running | Phase::Stopping(_)) {
            self.time_out(now, out);
            self.give_up_calls(now, out);
            self.give_up_paths(now, out);
            self.look_at_runs(now, out);
            self.serve_commands(out);
            self.accuse(now);
            self.decide(now, out);
            self.look_after_groups(now, out);
            self.prune(now);
            self.flush(now, out);
            self.leave(now, out);
        }
        if self.phase == Phase::Running && self.introduced {
            self.greet(now, out);
            self.dial(now, out);
            self.exchange(now, out);
            self.ask_for_vertices(now, out);
            self.ask_members(now, out);
            self.fetch_blobs(now, out);
            self.join(now, out);
        } else if self.phase == Phase::Running && self.entry == writing::Entry::Outside {
            // It is let in by whom it calls.
            self.dial(now, out);
        }
        self.set_timer(now, out);
    }

    fn start(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.phase != Phase::Made {
            return;
        }
        self.phase = Phase::Running;
        for address in self.config.bootstrap.clone() {
            self.book.pin(&address, now.mono_ms);
        }
        self.introduce(now, out);
        // What the stored history shows and does not prove yet.
        self.on_notices(now, out);
        self.resume_deciding(now, out);
        if let Some(seq) = self.graph.equivocated(&self.me) {
            self.warn_ended(seq, now, out);
        }
    }

    fn on_listening(&mut self, addresses: Vec<String>, now: Now, out: &mut Vec<Effect>) {
        let mut known = self.config.advertise.clone();
        known.extend(addresses);
        known.retain(|address| address.len() <= limits::ADDRESS_BYTES_MAX);
        known.dedup();
        known.truncate(limits::ADDRESSES_PER_PEER_MAX);
        self.addresses.clone_from(&known);
        out.push(Effect::Emit(Event::Ready { addresses: known }));
        if self.peers.known().next().is_some() {
            self.tell_addresses(now, out);
        }
    }

    fn set_timer(&mut self, now: Now, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Made | Phase::Stopped) {
            return;
        }
        if self.alarm.timer_ms.is_some_and(|timer_ms| timer_ms <= now.mono_ms) {
            self.alarm.timer_ms = None;
        }
        let runs = self.following.values().filter_map(|following| following.next_ms).min();
        let next = [
            self.peers.next_ms(now.mono_ms),
            self.writer.next_ms(),
            self.next_accusation().map(|(_, due_ms)| due_ms),
            self.decide_ms(),
            self.groups.next_ms(),
            self.leave_ms(),
            self.commands.calls.next_ms(),
            self.onion.asks.next_ms(),
            runs,
            self.outward_ms(now),
        ];
        let Some(next_ms) = next.into_iter().flatten().min() else { return };
        // Never at once: what is due now and was not done waits for something else.
        let next_ms = next_ms.max(now.mono_ms.saturating_add(limits::TIMER_MS_MIN));
        if self.alarm.timer_ms.is_none_or(|timer_ms| next_ms < timer_ms) {
            self.alarm.timer_ms = Some(next_ms);
            out.push(Effect::SetTimer { at_mono_ms: next_ms });
        }
    }

    /// When something is due that only a node among others does: the last part of `advance`.
    fn outward_ms(&self, now: Now) -> Option<u64> {
        let excluded = |peer: &TransportId| self.is_not_to_be_dialled(peer, now);
        let dials = || self.book.next_ms(now.mono_ms, excluded);
        if self.phase == Phase::Running && self.entry == writing::Entry::Outside {
            return self.wants_peers().then(dials).flatten();
        }
        if self.phase != Phase::Running || !self.introduced {
            return None;
        }
        let next = [
            Some(self.exchange_ms),
            self.sync.wake_at_mono_ms(now).filter(|_| !self.writer.is_full()),
            self.blobs.next_ms(now.mono_ms),
            self.joining.next_ms(now.mono_ms),
            self.wants_peers().then(dials).flatten(),
        ];
        next.into_iter().flatten().min()
    }

    /// Tells the application about something it can mend, not more often than is useful.
    fn warn(&mut self, problem: Problem, now: Now, out: &mut Vec<Effect>) {
        self.counters.count(problem.code);
        let last = self.warned.get(problem.code);
        if last.is_none_or(|last_ms| now.since_ms(*last_ms) >= limits::WARNING_INTERVAL_MS) {
            self.warned.insert(problem.code, now.mono_ms);
            out.push(Effect::Emit(Event::Warning(problem)));
        }
    }

    fn warn_ended(&mut self, seq: u64, now: Now, out: &mut Vec<Effect>) {
        let problem = Problem {
            code: "identity-ended",
            message: format!(
                "this identity signed two different vertices at position {seq}; nobody accepts \
                 anything new of it"
            ),
            hint: "create a new identity; never run one identity from two stores or a backup"
                .to_owned(),
        };
        self.warn(problem, now, out);
    }
}

impl From<dag::Error> for Problem {
    fn from(error: dag::Error) -> Self {
        Problem {
            code: error.code(),
            message: error.to_string(),
            hint: "change the specification accordingly".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
