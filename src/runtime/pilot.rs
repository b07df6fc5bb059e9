//! The task that owns the node and the network.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use futures_timer::Delay;

use crate::effect::{Command, Effect, Input, RequestFailed, TrainedUpdate, Verdict};
use crate::event::{Event, Problem, Reply};
use crate::identity::TransportId;
use crate::limits;
use crate::net::{self, Net};
use crate::node::Node;
use crate::platform;
use crate::runtime::keeper::Errand;
use crate::runtime::outbox::{Notice, Outbox};

/// The answer to a command.
pub(crate) type Answer = Result<Reply, Problem>;

/// Something the application wants.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Carry out a command and answer it.
    Command(Command, oneshot::Sender<Answer>),
    /// A training job ended.
    Trained(u64, Result<TrainedUpdate, String>),
}

/// What drivers refused or dropped, by cause; shown by `status` beside the node's own counters.
pub(crate) type Tallies = Rc<RefCell<BTreeMap<&'static str, u64>>>;

/// The node under way.
#[derive(Debug)]
pub(crate) struct Pilot {
    pub(crate) node: Node,
    pub(crate) net: Net,
    pub(crate) errands: mpsc::Sender<Errand>,
    pub(crate) answers: mpsc::Receiver<Input>,
    pub(crate) asks: mpsc::Receiver<Ask>,
    pub(crate) outbox: Outbox,
    pub(crate) tallies: Tallies,
    /// Inputs that are there already, to be taken first.
    pub(crate) inputs: VecDeque<Input>,
    pub(crate) desk: Desk,
}

/// What is open between the application and the node.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    next: u64,
    replies: BTreeMap<u64, oneshot::Sender<Answer>>,
    /// Commands to stop: answered when everything is closed, not when the node says so.
    stops: Vec<(u64, oneshot::Sender<Answer>)>,
    timer: Option<Delay>,
    /// Set when stopping was asked for: when to stop waiting for the node.
    patience: Option<Delay>,
    stopped: bool,
    /// When a stranger was last told of.
    stranger_ms: Option<u64>,
    busy_since_ms: Option<u64>,
}

impl Pilot {
    /// Runs the node until it has stopped, then closes the network and the store.
    pub(crate) async fn fly(mut self) {
        while !self.desk.stopped {
            match std::future::poll_fn(|cx| self.poll_input(cx)).await {
                Some(input) => self.handle(input).await,
                None => break,
            }
            self.breathe().await;
        }
        Box::pin(self.land()).await;
    }

    /// The next input; `None` when stopping took too long.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        if let Some(input) = self.inputs.pop_front() {
            return Poll::Ready(Some(input));
        }
        if let Poll::Ready(Some(input)) = self.answers.poll_next_unpin(cx) {
            return Poll::Ready(Some(input));
        }
        if let Poll::Ready(ask) = self.asks.poll_next_unpin(cx)
            && let Some(input) = self.take_in(ask)
        {
            return Poll::Ready(Some(input));
        }
        if fired(&mut self.desk.timer, cx) {
            return Poll::Ready(Some(Input::Tick));
        }
        if fired(&mut self.desk.patience, cx) {
            return Poll::Ready(None);
        }
        while let Poll::Ready(event) = self.net.poll_next(cx) {
            if let Some(input) = self.translate(event) {
                return Poll::Ready(Some(input));
            }
        }
        self.desk.busy_since_ms = None;
        Poll::Pending
    }

    /// Makes an input of what the application wants. An application that is gone wants to stop.
    fn take_in(&mut self, ask: Option<Ask>) -> Option<Input> {
        match ask {
            Some(Ask::Trained(job, result)) => Some(Input::Trained { job, result }),
            Some(Ask::Command(Command::Stop, reply)) => {
                let command = self.desk.name();
                self.desk.stops.push((command, reply));
                self.stop(command)
            }
            Some(Ask::Command(request, reply)) => {
                let command = self.desk.name();
                self.desk.replies.insert(command, reply);
                Some(Input::Command { command, request })
            }
            None => {
                let command = self.desk.name();
                self.stop(command)
            }
        }
    }

    /// Stops once, whoever asks how often.
    fn stop(&mut self, command: u64) -> Option<Input> {
        if self.desk.patience.is_some() {
            return None;
        }
        self.desk.patience = Some(Delay::new(Duration::from_millis(limits::STOP_TIMEOUT_MS)));
        Some(Input::Command { command, request: Command::Stop })
    }

    async fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.node.handle(platform::now(), input, &mut effects);
        for effect in effects {
            self.perform(effect).await;
        }
    }

    /// Carries out one effect.
    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Persist(write) => self.send(Errand::Persist(write)).await,
            Effect::LoadBlob { blob } => self.send(Errand::Load(blob)).await,
            Effect::Train(job) => self.outbox.push(Notice::Train(job)),
            Effect::Reply { command, result } => {
                if let Some(reply) = self.desk.replies.remove(&command) {
                    // Fails when nobody waits any more.
                    let _ = reply.send(result);
                }
            }
            Effect::Emit(event) => {
                self.desk.stopped |= matches!(event, Event::Stopped);
                self.outbox.push(Notice::Event(event));
            }
            Effect::SetTimer { at_mono_ms } => {
                let wait_ms = at_mono_ms.saturating_sub(platform::now().mono_ms);
                // A timer of the host is 32 bits wide; ticks that come early are harmless.
                let wait_ms = wait_ms.min(60_000);
                self.desk.timer = Some(Delay::new(Duration::from_millis(wait_ms)));
            }
            network => self.transmit(network),
        }
    }

    /// Carries out an effect that concerns the network.
    fn transmit(&mut self, effect: Effect) {
        let command = match effect {
            Effect::Dial { address } => net::Command::Dial { address },
            Effect::Disconnect { peer, reason } => {
                net::Command::Disconnect { peer: peer.as_bytes().to_vec(), reason }
            }
            Effect::Request { peer, request, bytes } => {
                net::Command::Request { peer: peer.as_bytes().to_vec(), request, bytes }
            }
            Effect::Tell { peer, request, bytes } => {
                net::Command::Tell { peer: peer.as_bytes().to_vec(), request, bytes }
            }
            Effect::Cell { peer, request, bytes } => {
                net::Command::Cell { peer: peer.as_bytes().to_vec(), request, bytes }
            }
            Effect::Respond { token, bytes } => net::Command::Respond { token, bytes },
            Effect::Publish { bytes } => net::Command::Publish { bytes },
            Effect::Verdict { message, verdict, .. } => {
                let verdict = match verdict {
                    Verdict::Accept => net::Verdict::Accept,
                    Verdict::Ignore => net::Verdict::Ignore,
                    Verdict::Reject => net::Verdict::Reject,
                };
                net::Command::Verdict { message, verdict }
            }
            // All others were carried out by the caller.
            _ => return,
        };
        self.net.handle(command);
    }

    /// Makes an input of what happened on the network, if the node is to know.
    fn translate(&mut self, event: net::Event) -> Option<Input> {
        let peer_of = |peer: Vec<u8>| TransportId::from_bytes(&peer).ok();
        Some(match event {
            net::Event::Listening { addresses } => Input::Listening { addresses },
            net::Event::Connected { peer, address, outbound, channel } => {
                Input::Connected { peer: peer_of(peer)?, address, outbound, channel }
            }
            net::Event::Disconnected { peer, reason } => {
                Input::Disconnected { peer: peer_of(peer)?, reason }
            }
            net::Event::DialFailed { address, reason } => Input::DialFailed { address, reason },
            net::Event::Rtt { peer, rtt_ms } => Input::Rtt { peer: peer_of(peer)?, rtt_ms },
            net::Event::Request { peer, token, bytes } => {
                Input::Request { peer: peer_of(peer)?, token, bytes }
            }
            net::Event::Told { peer, token, bytes } => {
                Input::Told { peer: peer_of(peer)?, token, bytes }
            }
            net::Event::Cell { peer, token, bytes } => {
                Input::Cell { peer: peer_of(peer)?, token, bytes }
            }
            net::Event::Response { request, result } => {
                Input::Response { request, result: result.map_err(failed) }
            }
            net::Event::Gossip { peer, message, bytes } => {
                Input::Gossip { peer: peer_of(peer)?, message, bytes }
            }
            net::Event::Refused { reason, stranger } => {
                *self.tallies.borrow_mut().entry("net-refused").or_default() += 1;
                if let Some(code) = stranger {
                    *self.tallies.borrow_mut().entry(code).or_default() += 1;
                    self.warn_of_stranger(&reason);
                }
                return None;
            }
            net::Event::Relaying { reservations, circuits } => {
                let mut tallies = self.tallies.borrow_mut();
                tallies.insert("relay-reservations", count(reservations));
                tallies.insert("relay-circuits", count(circuits));
                return None;
            }
            // Of no account to the node: it has the peer, by the circuit.
            net::Event::NoDirectWay { code, .. } => {
                *self.tallies.borrow_mut().entry(code).or_default() += 1;
                return None;
            }
            net::Event::ListenFailed { address, reason, .. } => {
                self.outbox.push(Notice::Event(Event::Warning(Problem {
                    code: "listen-failed",
                    message: format!("{address} is not listened at any more: {reason}"),
                    hint: "others cannot call this node there; restart it to try again".to_owned(),
                })));
                return None;
            }
        })
    }

    /// Tells the application that somebody was not let in; not each time.
    fn warn_of_stranger(&mut self, reason: &str) {
        let now_ms = platform::now().mono_ms;
        let last_ms = self.desk.stranger_ms.replace(now_ms);
        if last_ms.is_some_and(|last_ms| now_ms - last_ms < limits::STRANGER_WARNING_MS) {
            self.desk.stranger_ms = last_ms;
            return;
        }
        self.outbox.push(Notice::Event(Event::Warning(Problem {
            code: "stranger-refused",
            message: format!("a node that called was refused: {reason}"),
            hint: "make it an invite with `synaptic-mesh invite create` if it is to be a member"
                .to_owned(),
        })));
    }

    /// Gives the store an errand, waiting for room if need be. The store's answers are read
    /// meanwhile: it may be waiting for room itself.
    async fn send(&mut self, errand: Errand) {
        let ready = std::future::poll_fn(|cx| {
            while let Poll::Ready(Some(input)) = self.answers.poll_next_unpin(cx) {
                self.inputs.push_back(input);
            }
            self.errands.poll_ready(cx)
        })
        .await;
        if ready.is_ok() {
            // There is room, and this task alone uses this sender.
            drop(self.errands.start_send(errand));
        }
    }

    /// Lets the host's own tasks run when this one has worked for long.
    async fn breathe(&mut self) {
        let now = platform::now();
        let since_ms = *self.desk.busy_since_ms.get_or_insert(now.mono_ms);
        if now.since_ms(since_ms) >= limits::BUSY_MS_MAX {
            platform::sleep(0).await;
            self.desk.busy_since_ms = None;
        }
    }

    /// Closes everything and answers everyone.
    async fn land(mut self) {
        self.asks.close();
        self.net.close().await;
        let (closed, wait) = oneshot::channel();
        if self.errands.send(Errand::Close(closed)).await.is_ok() {
            // Fails when the keeper is gone; then the store is closed.
            let _ = wait.await;
        }
        while let Some(ask) = self.asks.next().await {
            if let Ask::Command(request, reply) = ask {
                let answer = match request {
                    Command::Stop => Ok(Reply::Done),
                    _ => Err(stopped()),
                };
                let _ = reply.send(answer);
            }
        }
        for reply in std::mem::take(&mut self.desk.replies).into_values() {
            let _ = reply.send(Err(stopped()));
        }
        if !self.desk.stopped {
            self.outbox.push(Notice::Event(Event::Stopped));
        }
        self.outbox.close();
        for (_, reply) in self.desk.stops {
            let _ = reply.send(Ok(Reply::Done));
        }
    }
}

impl Desk {
    /// The next name for a command.
    fn name(&mut self) -> u64 {
        let name = self.next;
        self.next += 1;
        name
    }
}

/// What every call on a stopped node gets.
pub(crate) fn stopped() -> Problem {
    Problem {
        code: "node-stopped",
        message: "the node has stopped".to_owned(),
        hint: "create a new node".to_owned(),
    }
}

/// Whether the timer went off; it is gone then.
fn fired(timer: &mut Option<Delay>, cx: &mut Context<'_>) -> bool {
    let fired = timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready());
    if fired {
        *timer = None;
    }
    fired
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn failed(failure: net::Failure) -> RequestFailed {
    match failure {
        net::Failure::Timeout | net::Failure::Busy => RequestFailed::Timeout,
        net::Failure::Disconnected => RequestFailed::Disconnected,
        net::Failure::Unsupported => RequestFailed::Unsupported,
        net::Failure::Malformed => RequestFailed::Malformed,
    }
}
