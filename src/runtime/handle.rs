//! What an application holds of a running node.

use std::cell::RefCell;
use std::collections::VecDeque;

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use wasm_bindgen::JsValue;

use crate::effect::{Command, Input, TrainedUpdate};
use crate::event::{Problem, Reply, Status};
use crate::identity::Secrets;
use crate::limits;
use crate::message;
use crate::net::{self, Net, Switch, Takes};
use crate::node::{self, Config, Node};
use crate::platform;
use crate::runtime::keeper::{self, Errand};
use crate::runtime::outbox::{Notice, Outbox};
use crate::runtime::pilot::{Ask, Desk, Pilot, Tallies, stopped};
use crate::storage::{self, Any, Store};

/// Everything a node is started with.
pub struct Settings {
    /// What its owner decides.
    pub config: Config,
    /// Who it is.
    pub secrets: Secrets,
    /// Its store, open.
    pub store: Any,
    /// Multiaddrs to listen at; empty for a node that only dials.
    pub listen: Vec<String>,
    /// Whether peers without the hybrid channel are taken.
    pub classical: bool,
    /// Whether others may reach each other through it, from the beginning.
    pub relays: bool,
    /// The host's object, as floor 7 describes it.
    pub host: JsValue,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the secrets.
        f.debug_struct("Settings").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why a node did not start. The store was closed again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store cannot be read.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The node refuses its settings or its history.
    #[error(transparent)]
    Node(#[from] node::Error),
    /// The network cannot be set up.
    #[error(transparent)]
    Net(#[from] net::Error),
    /// The host cannot listen where it was told to.
    #[error("cannot listen at {address}: {reason}")]
    Listen {
        /// Where.
        address: String,
        /// As in [`net::Event::ListenFailed`].
        code: &'static str,
        /// Why.
        reason: String,
    },
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] platform::EntropyMissing),
}

/// A running node, seen from the application.
#[derive(Debug)]
pub struct Handle {
    asks: RefCell<mpsc::Sender<Ask>>,
    errands: mpsc::Sender<Errand>,
    outbox: Outbox,
    tallies: Tallies,
    storage: &'static str,
    relays: Switch,
}

/// The node in numbers, with what the drivers know.
#[derive(Debug, Clone)]
pub struct FullStatus {
    /// What the node knows.
    pub node: Status,
    /// `memory`, `indexeddb` or `sqlite`.
    pub storage: &'static str,
    /// Bytes the store takes, if it can say.
    pub storage_bytes: Option<u64>,
}

impl Handle {
    /// Starts a node: reads its history, brings the network up, listens, and sets the loop going.
    ///
    /// # Errors
    /// What failed; nothing is left running.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings { config, secrets, mut store, listen, classical, relays, host } = settings;
        let relays = Switch::new(relays);
        let sockets = Sockets { listen, classical, relays: relays.clone(), host };
        match Box::pin(prepare(&config, &secrets, &store, sockets)).await {
            Ok((node, net, inputs)) => Ok(launch(node, net, inputs, store, relays)),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Carries out a command.
    ///
    /// # Errors
    /// What the node answers, `busy` when too many commands wait, `node-stopped` after the end.
    pub async fn ask(&self, command: Command) -> Result<Reply, Problem> {
        let stop = command == Command::Stop;
        let (reply, answer) = oneshot::channel();
        match self.put(Ask::Command(command, reply)) {
            Ok(()) => {
                answer.await.unwrap_or_else(|_| if stop { Ok(Reply::Done) } else { Err(stopped()) })
            }
            Err(problem) if stop && problem.code == stopped().code => Ok(Reply::Done),
            Err(problem) => Err(problem),
        }
    }

    /// Whether others may reach each other through this node.
    #[must_use]
    pub fn relays(&self) -> &Switch {
        &self.relays
    }

    /// The node in numbers.
    ///
    /// # Errors
    /// As [`Handle::ask`].
    pub async fn status(&self) -> Result<FullStatus, Problem> {
        let Reply::Status(mut node) = self.ask(Command::Status).await? else {
            return Err(unexpected());
        };
        let tallies = self.tallies.borrow().clone();
        for (cause, count) in tallies {
            *node.counters.entry(cause).or_default() += count;
        }
        if self.outbox.dropped() > 0 {
            node.counters.insert("events-dropped", self.outbox.dropped());
        }
        let (sender, bytes) = oneshot::channel();
        let mut errands = self.errands.clone();
        let sent = errands.send(Errand::Bytes(sender)).await;
        let storage_bytes = if sent.is_ok() { bytes.await.ok().flatten() } else { None };
        Ok(FullStatus { node: *node, storage: self.storage, storage_bytes })
    }

    /// Hands in what a training job gave.
    ///
    /// # Errors
    /// `busy` when too much waits, `node-stopped` after the end.
    pub fn trained(&self, job: u64, result: Result<TrainedUpdate, String>) -> Result<(), Problem> {
        self.put(Ask::Trained(job, result))
    }

    /// The next event or training job, as soon as there is one; `None` after the last.
    ///
    /// # Errors
    /// `busy` when too many readers wait.
    pub async fn next(&self) -> Result<Option<Notice>, Problem> {
        self.outbox.next().await.map_err(|error| Problem {
            code: "busy",
            message: error.to_string(),
            hint: "read events in one place, one after the other".to_owned(),
        })
    }

    fn put(&self, ask: Ask) -> Result<(), Problem> {
        self.asks.borrow_mut().try_send(ask).map_err(|error| {
            if error.is_disconnected() {
                return stopped();
            }
            Problem {
                code: "busy",
                message: format!("{} commands wait already", limits::COMMANDS_QUEUED_MAX),
                hint: "wait for the answers of earlier calls".to_owned(),
            }
        })
    }
}

/// What a command's answer can only be when the node is broken.
pub(crate) fn unexpected() -> Problem {
    Problem {
        code: "internal",
        message: "the node gave another answer than was asked for".to_owned(),
        hint: "this is a defect: report it".to_owned(),
    }
}

/// What of the settings concerns the network.
struct Sockets {
    listen: Vec<String>,
    classical: bool,
    relays: Switch,
    host: JsValue,
}

async fn prepare(
    config: &Config,
    secrets: &Secrets,
    store: &Any,
    sockets: Sockets,
) -> Result<(Node, Net, VecDeque<Input>), StartError> {
    let restored = keeper::restore(store).await?;
    let mut entropy = [0; 32];
    platform::entropy(&mut entropy)?;
    let topic = message::vertices_topic(&config.network);
    let node = Node::new(config.clone(), secrets, restored, entropy, platform::now())?;
    let takes = match (node.door(), sockets.classical) {
        (Some(door), _) => Takes::Members(door),
        (None, true) => Takes::Classical,
        (None, false) => Takes::Hybrid,
    };
    let mut net = Net::new(net::Config {
        seed: *secrets.transport_seed().expose(),
        signer: node.signer(),
        takes,
        relays: sockets.relays,
        topic,
        protocols: [message::SYNC_PROTOCOL, message::GROUP_PROTOCOL, message::ONION_PROTOCOL],
        advertised: config.advertise.clone(),
        host: sockets.host,
    })?;
    let addresses = match up(&mut net, sockets.listen).await {
        Ok(addresses) => addresses,
        Err(error) => {
            net.close().await;
            return Err(error);
        }
    };
    let inputs = VecDeque::from([Input::Started, Input::Listening { addresses }]);
    Ok((node, net, inputs))
}

/// Listens at every place, and returns the addresses when all are up.
async fn up(net: &mut Net, listen: Vec<String>) -> Result<Vec<String>, StartError> {
    let mut waiting = listen.len();
    for address in listen {
        net.handle(net::Command::Listen { address });
    }
    let mut addresses = Vec::new();
    // Someone may call before all places are up; the node hears of it when it has started.
    let mut early = Vec::new();
    let mut patience = std::pin::pin!(platform::sleep(limits::LISTEN_TIMEOUT_MS));
    while waiting > 0 {
        match select(std::pin::pin!(net.next()), patience.as_mut()).await {
            Either::Left((net::Event::Listening { addresses: all }, _)) => {
                addresses = all;
                waiting -= 1;
            }
            Either::Left((net::Event::ListenFailed { address, code, reason }, _)) => {
                return Err(StartError::Listen { address, code, reason });
            }
            Either::Left((event, _)) => early.push(event),
            Either::Right(_) => {
                return Err(StartError::Listen {
                    address: "the host".to_owned(),
                    code: "listen",
                    reason: format!("no answer for {} ms", limits::LISTEN_TIMEOUT_MS),
                });
            }
        }
    }
    net.put_back(early);
    Ok(addresses)
}

/// Sets the two tasks going.
fn launch(node: Node, net: Net, inputs: VecDeque<Input>, store: Any, relays: Switch) -> Handle {
    let storage = store.kind();
    let (errands, errands_in) = mpsc::channel(limits::ERRANDS_MAX);
    // As many answers as there can be errands on their way, so that the keeper seldom waits.
    let (answers, answers_in) = mpsc::channel(limits::ERRANDS_MAX);
    let (asks, asks_in) = mpsc::channel(limits::COMMANDS_QUEUED_MAX);
    let outbox = Outbox::default();
    let tallies = Tallies::default();
    platform::spawn(keeper::keep(store, errands_in, answers));
    let pilot = Pilot {
        node,
        net,
        errands: errands.clone(),
        answers: answers_in,
        asks: asks_in,
        outbox: outbox.clone(),
        tallies: tallies.clone(),
        inputs,
        desk: Desk::default(),
    };
    platform::spawn(pilot.fly());
    Handle { asks: RefCell::new(asks), errands, outbox, tallies, storage, relays }
}
