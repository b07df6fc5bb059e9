//! The class `MeshNode`, and what one needs before there is a node.
//!
//! All methods return promises and none blocks. The object is a thin hull around
//! [`crate::runtime::Handle`]; dropping it (`free`, or the garbage collector) stops the node.

use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effect::{Command, PeerOrder};
use crate::event::{Problem, Reply};
use crate::identity::{NetworkId, Secrets};
use crate::platform::{self, life};
use crate::runtime::handle::{self, Handle, StartError};
use crate::wasm::promise::{alive, promise};
use crate::wasm::{finality, number, object, options, view};

/// A whole node.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshNode {
    handle: Rc<Handle>,
    node_id: String,
    /// Notices traps that leave no message.
    _watch: Option<life::Watch>,
}

#[wasm_bindgen]
impl MeshNode {
    /// Starts a node: opens its store, reads its history, listens and dials. Resolves when it
    /// listens.
    #[wasm_bindgen(unchecked_return_type = "Promise<MeshNode>")]
    pub fn create(
        #[wasm_bindgen(unchecked_param_type = "MeshNodeOptions")] options: JsValue,
    ) -> Promise {
        life::install();
        promise(async move {
            let settings = options::settings(options).await.map_err(thrown)?;
            let node_id = settings.secrets.author().to_string();
            let handle = Box::pin(Handle::start(settings)).await;
            let handle = handle.map_err(|error| not_started(&error))?;
            let node = Self { handle: Rc::new(handle), node_id, _watch: life::watch() };
            Ok(node.into())
        })
    }

    /// The author id: what others know this node by.
    #[wasm_bindgen(getter, js_name = nodeId)]
    pub fn node_id(&self) -> String {
        self.node_id.clone()
    }

    /// Whether others may reach each other through this node, where it listens.
    #[wasm_bindgen(getter)]
    pub fn relays(&self) -> bool {
        self.handle.relays().is_on()
    }

    /// Lets others reach each other through this node, or refuses new ones of them.
    #[wasm_bindgen(js_name = setRelays)]
    pub fn set_relays(&self, on: bool) {
        self.handle.relays().turn(on);
    }

    /// The node in numbers.
    #[wasm_bindgen(unchecked_return_type = "Promise<MeshStatus>")]
    pub fn status(&self) -> Promise {
        let handle = self.handle.clone();
        promise(async move {
            let status = handle.status().await.map_err(thrown)?;
            Ok(view::status(&status))
        })
    }

    /// What a join link is made of.
    #[wasm_bindgen(js_name = linkInfo, unchecked_return_type = "Promise<LinkInfo>")]
    pub fn link_info(&self) -> Promise {
        self.ask(Command::LinkInfo, |reply| match reply {
            Reply::Link(info) => Some(view::link(&info)),
            _ => None,
        })
    }

    /// Opens a connection to a multiaddr and remembers it. Resolves at once; what comes of it is an
    /// event.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn dial(&self, address: String) -> Promise {
        self.ask(Command::Dial { address }, done)
    }

    /// Opens a connection to a multiaddr and waits for what comes of it. Rejects with
    /// `unreachable` and the reason.
    #[wasm_bindgen(unchecked_return_type = "Promise<PeerView>")]
    pub fn connect(&self, address: String) -> Promise {
        self.ask(Command::Connect { address }, |reply| match reply {
            Reply::Peer(peer) => Some(view::peer(&peer)),
            _ => None,
        })
    }

    /// Does something with a peer, named by its node id or, while it is connected, its peer id. Of
    /// `ping`: how long an answer took, in milliseconds.
    #[wasm_bindgen(unchecked_return_type = "Promise<number | null>")]
    pub fn peer(
        &self,
        #[wasm_bindgen(unchecked_param_type = "PeerOrder")] order: &str,
        peer: String,
    ) -> Promise {
        let order = match order {
            "disconnect" => PeerOrder::Disconnect,
            "ban" => PeerOrder::Ban,
            "unban" => PeerOrder::Unban,
            "ping" => PeerOrder::Ping,
            _ => {
                let message = "order must be disconnect, ban, unban or ping".to_owned();
                return rejected(object::bad(message));
            }
        };
        self.ask(Command::Peer { peer, order }, |reply| match reply {
            Reply::Millis(ms) => Some(number::count(ms)),
            Reply::Done => Some(JsValue::NULL),
            _ => None,
        })
    }

    /// Addresses at which nobody is connected, and why.
    #[wasm_bindgen(unchecked_return_type = "Promise<AddressView[]>")]
    pub fn addresses(&self) -> Promise {
        self.ask(Command::Addresses, |reply| match reply {
            Reply::Addresses(views) => Some(view::addresses(&views)),
            _ => None,
        })
    }

    /// Starts a run, and joins it when `samples` is above 0.
    #[wasm_bindgen(js_name = startRun, unchecked_return_type = "Promise<RunView>")]
    pub fn start_run(
        &self,
        #[wasm_bindgen(unchecked_param_type = "RunOptions")] options: &JsValue,
    ) -> Promise {
        match options::run(options) {
            Ok((spec, samples)) => {
                self.ask(Command::StartRun { spec: Box::new(spec), samples }, run_view)
            }
            Err(problem) => rejected(problem),
        }
    }

    /// Becomes a member of a run, by name or id.
    #[wasm_bindgen(js_name = joinRun, unchecked_return_type = "Promise<RunView>")]
    pub fn join_run(
        &self,
        run: String,
        #[wasm_bindgen(unchecked_param_type = "{ samples: number }")] options: &JsValue,
    ) -> Promise {
        match options::samples(options) {
            Ok(samples) => self.ask(Command::JoinRun { run, samples }, run_view),
            Err(problem) => rejected(problem),
        }
    }

    /// Stops contributing to a run.
    #[wasm_bindgen(js_name = leaveRun, unchecked_return_type = "Promise<void>")]
    pub fn leave_run(&self, run: String) -> Promise {
        self.ask(Command::LeaveRun { run }, done)
    }

    /// Every run in the history.
    #[wasm_bindgen(unchecked_return_type = "Promise<RunView[]>")]
    pub fn runs(&self) -> Promise {
        self.ask(Command::Runs, |reply| match reply {
            Reply::Runs(runs) => Some(view::runs(&runs)),
            _ => None,
        })
    }

    /// The current model of a run.
    #[wasm_bindgen(js_name = runModel, unchecked_return_type = "Promise<RunModel>")]
    pub fn run_model(&self, run: String) -> Promise {
        self.ask(Command::Model { run }, |reply| match reply {
            Reply::Model(model) => Some(view::model(&model)),
            _ => None,
        })
    }

    /// Everything needed to replay a run: a CAR file.
    #[wasm_bindgen(js_name = exportRun, unchecked_return_type = "Promise<Uint8Array>")]
    pub fn export_run(&self, run: String) -> Promise {
        self.ask(Command::ExportRun { run }, |reply| match reply {
            Reply::Car(bytes) => Some(object::bytes(&bytes)),
            _ => None,
        })
    }

    /// How an item stands: by the id of its vertex, or that with the place of the payload.
    #[wasm_bindgen(unchecked_return_type = "Promise<ItemView>")]
    pub fn item(&self, item: String) -> Promise {
        self.ask(Command::Item { item }, item_view)
    }

    /// Final items from a number on, in the order in which this node saw them become final.
    #[wasm_bindgen(unchecked_return_type = "Promise<FinalPage>")]
    pub fn finalised(&self, from: f64, count: u32) -> Promise {
        let Some(from) = object::whole(from) else {
            return rejected(object::bad("from must be a whole number below 2^53".to_owned()));
        };
        let count_max = usize::try_from(count).unwrap_or(usize::MAX);
        self.ask(Command::Finalised { from, count_max }, |reply| match reply {
            Reply::Finalised(page) => Some(finality::page(&page)),
            _ => None,
        })
    }

    /// The members that decide. Rejects with `no-committee` where nothing is ever final.
    #[wasm_bindgen(unchecked_return_type = "Promise<CommitteeView>")]
    pub fn committee(&self) -> Promise {
        self.ask(Command::Committee, |reply| match reply {
            Reply::Committee(committee) => Some(finality::committee(&committee)),
            _ => None,
        })
    }

    /// Says as a member who shall decide in the next epoch; resolves when that is written.
    #[wasm_bindgen(js_name = proposeCommittee, unchecked_return_type = "Promise<ItemView>")]
    pub fn propose_committee(
        &self,
        #[wasm_bindgen(unchecked_param_type = "{ members: readonly CommitteeMember[] }")]
        options: &JsValue,
    ) -> Promise {
        let reader = object::Reader::new("options", options);
        match reader.and_then(|reader| options::members(&reader, "members")) {
            Ok(members) => self.ask(Command::ProposeCommittee { members }, item_view),
            Err(problem) => rejected(problem),
        }
    }

    /// Proof that an item is final, for who has no history; see `verifyProof`.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
    pub fn prove(&self, item: String) -> Promise {
        self.ask(Command::Prove { item }, |reply| match reply {
            Reply::Proof(proof) => Some(object::bytes(&proof)),
            _ => None,
        })
    }

    /// The next event, as soon as there is one; null after the last. To be called in one place, one
    /// after the other. Events wait, but not without bound: hints give way first, older rounds of a
    /// run to newer ones, `train` never.
    #[wasm_bindgen(js_name = nextEvent, unchecked_return_type = "Promise<MeshEvent | null>")]
    pub fn next_event(&self) -> Promise {
        let handle = self.handle.clone();
        promise(async move {
            let notice = handle.next().await.map_err(thrown)?;
            Ok(notice.map_or(JsValue::NULL, |notice| view::notice(&notice)))
        })
    }

    /// Hands in what a training job gave.
    ///
    /// # Errors
    /// When the result is none, or the node has stopped.
    pub fn trained(
        &self,
        job: f64,
        #[wasm_bindgen(unchecked_param_type = "TrainedUpdate | { error: string }")]
        result: &JsValue,
    ) -> Result<(), JsValue> {
        alive()?;
        let job = options::job(job).map_err(thrown)?;
        let result = options::trained(result).map_err(thrown)?;
        self.handle.trained(job, result).map_err(thrown)
    }

    /// Ends: finishes what is being written, says goodbye, closes the store. Resolves when all of
    /// it is done. Stopping twice does nothing.
    #[wasm_bindgen(unchecked_return_type = "Promise<void>")]
    pub fn stop(&self) -> Promise {
        self.ask(Command::Stop, done)
    }

    /// A promise of a command's answer, as `convert` makes it a JavaScript value.
    pub(crate) fn ask(&self, command: Command, convert: fn(Reply) -> Option<JsValue>) -> Promise {
        let handle = self.handle.clone();
        promise(async move {
            let reply = handle.ask(command).await.map_err(thrown)?;
            convert(reply).ok_or_else(|| thrown(handle::unexpected()))
        })
    }
}

/// Makes an identity. Whoever has these bytes is this node: keep them as a secret.
///
/// # Errors
/// When the host has no cryptographic random source.
#[wasm_bindgen(js_name = generateSecrets)]
pub fn generate_secrets() -> Result<Vec<u8>, JsValue> {
    alive()?;
    let mut entropy = [0; 96];
    platform::entropy(&mut entropy).map_err(no_entropy)?;
    Ok(Secrets::from_entropy(entropy).encode().to_vec())
}

/// What others know an identity by.
///
/// # Errors
/// When the bytes are no identity.
#[wasm_bindgen(
    js_name = inspectSecrets,
    unchecked_return_type = "{ nodeId: string; peerId: string }"
)]
pub fn inspect_secrets(secrets: &[u8]) -> Result<JsValue, JsValue> {
    alive()?;
    let secrets = options::secrets(secrets).map_err(thrown)?;
    Ok(object::object([
        ("nodeId", secrets.author().to_string().into()),
        ("peerId", secrets.transport_id().to_string().into()),
    ]))
}

/// Makes the id of a new network.
///
/// # Errors
/// When the host has no cryptographic random source.
#[wasm_bindgen(js_name = generateNetworkId)]
pub fn generate_network_id() -> Result<String, JsValue> {
    alive()?;
    let mut bytes = [0; 32];
    platform::entropy(&mut bytes).map_err(no_entropy)?;
    Ok(NetworkId::from_bytes(bytes).to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "one of the converters of MeshNode::ask")]
fn done(_: Reply) -> Option<JsValue> {
    Some(JsValue::UNDEFINED)
}

fn run_view(reply: Reply) -> Option<JsValue> {
    match reply {
        Reply::Run(run) => Some(view::run(&run)),
        _ => None,
    }
}

pub(crate) fn item_view(reply: Reply) -> Option<JsValue> {
    match reply {
        Reply::Item(item) => Some(finality::item(&item)),
        _ => None,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn thrown(problem: Problem) -> JsValue {
    object::error(&problem, None)
}

pub(crate) fn rejected(problem: Problem) -> Promise {
    promise(async move { Err(thrown(problem)) })
}

pub(crate) fn no_entropy(error: platform::EntropyMissing) -> JsValue {
    thrown(Problem {
        code: "no-entropy",
        message: error.to_string(),
        hint: "use Node 20 or later, or a current browser".to_owned(),
    })
}

fn not_started(error: &StartError) -> JsValue {
    let (code, hint) = match error {
        StartError::Storage(error) => (error.code(), error.hint()),
        StartError::Node(error) => (error.code(), "see the message; the store was not changed"),
        StartError::Net(_) => ("bad-host", "see the interface Host of the type declarations"),
        StartError::Listen { code, .. } => (*code, "choose another address or port"),
        StartError::Entropy(_) => ("no-entropy", "use Node 20 or later, or a current browser"),
    };
    thrown(Problem { code, message: error.to_string(), hint: hint.to_owned() })
}
