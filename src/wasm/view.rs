//! What goes out: events, runs, models and status as plain objects.

use js_sys::{Array, Float32Array};
use wasm_bindgen::JsValue;

use crate::aggregation::Settings;
use crate::compression;
use crate::dag::RunSpec;
use crate::effect::Job;
use crate::event::{
    AddressView, Event, LinkInfo, ModelView, PeerView, RoundView, RunChange, RunState, RunView,
};
use crate::federated::run::committed::WhyNot;
use crate::federated::run::waiting::Waiting;
use crate::identity::AuthorId;
use crate::neural::{Scaling, Specification};
use crate::runtime::Notice;
use crate::runtime::handle::FullStatus;
use crate::wasm::finality;
use crate::wasm::number::count;
use crate::wasm::object::{bytes, object, texts};
use crate::wasm::onion;

/// A `MeshEvent`.
pub(crate) fn notice(notice: &Notice) -> JsValue {
    match notice {
        Notice::Train(job) => train(job),
        Notice::Event(event) => self::event(event),
    }
}

fn event(event: &Event) -> JsValue {
    match event {
        Event::Ready { addresses } => {
            object([("type", "ready".into()), ("addresses", texts(addresses))])
        }
        Event::PeerConnected { author, address, .. } => object([
            ("type", "peer".into()),
            ("id", author.to_string().into()),
            ("transport", transport(address).into()),
            ("state", "connected".into()),
            ("address", address.as_str().into()),
        ]),
        Event::PeerDisconnected { author, reason, .. } => object([
            ("type", "peer".into()),
            ("id", author.to_string().into()),
            ("transport", "ws".into()),
            ("state", "disconnected".into()),
            ("reason", reason.as_str().into()),
        ]),
        Event::Update { run, round, author, samples } => object([
            ("type", "update".into()),
            ("run", run.to_string().into()),
            ("round", (*round).into()),
            ("author", author.to_string().into()),
            ("samples", (*samples).into()),
        ]),
        Event::Round(view) => round(view),
        Event::Run { run, name, change } => object([
            ("type", "run".into()),
            ("run", run.to_string().into()),
            ("name", name.as_str().into()),
            ("state", changed(*change).into()),
        ]),
        Event::Finalised(view) => finality::finalised_event(view),
        Event::Epoch { epoch, members } => object([
            ("type", "epoch".into()),
            ("epoch", count(*epoch)),
            ("members", (*members).into()),
        ]),
        Event::Finality(state) => {
            object([("type", "finality".into()), ("state", finality::state(*state).into())])
        }
        Event::Cell(handled) => onion::handled(handled),
        Event::Warning(problem) => object([
            ("type", "warning".into()),
            ("code", problem.code.into()),
            ("message", problem.message.as_str().into()),
            ("hint", problem.hint.as_str().into()),
        ]),
        Event::Stopped => object([("type", "stopped".into())]),
    }
}

fn train(job: &Job) -> JsValue {
    let spec = &job.spec;
    object([
        ("type", "train".into()),
        ("job", count(job.job)),
        ("run", job.run.to_string().into()),
        ("name", spec.name.as_str().into()),
        ("round", job.round.into()),
        ("seed", job.seed.into()),
        ("epochs", spec.epochs.into()),
        ("batch", spec.batch.into()),
        ("learningRate", spec.learning_rate.into()),
        ("momentum", spec.momentum.into()),
        ("specification", specification(&spec.model)),
        ("scaling", scaling(&spec.scaling)),
        ("classes", texts(&spec.classes)),
        ("baseWeights", bytes(&job.base_weights)),
    ])
}

fn round(view: &RoundView) -> JsValue {
    object([
        ("type", "round".into()),
        ("run", view.run.to_string().into()),
        ("name", view.name.as_str().into()),
        ("round", view.round.into()),
        ("rounds", view.rounds.into()),
        ("updates", view.updates.into()),
        ("contributors", texts(&view.contributors)),
        ("leftOut", view.left_out.iter().map(left_out).collect::<Array>().into()),
        ("aggregate", view.aggregate.to_string().into()),
        ("weightsCid", view.weights.to_string().into()),
    ])
}

/// A `LeftOut`.
fn left_out((author, why): &(AuthorId, WhyNot)) -> JsValue {
    object([("author", author.to_string().into()), ("whyNot", why.code().into())])
}

/// A `RunView`.
pub(crate) fn run(view: &RunView) -> JsValue {
    let RunSpec { name, model, classes, rounds, epochs, batch, .. } = &view.spec;
    object([
        ("run", view.run.to_string().into()),
        ("name", name.as_str().into()),
        ("state", state(view.state).into()),
        ("round", view.round.into()),
        ("rounds", (*rounds).into()),
        ("founder", view.founder.to_string().into()),
        ("members", texts(&view.members)),
        ("contributing", view.contributing.into()),
        ("weightsCid", view.weights.map_or(JsValue::NULL, |cid| cid.to_string().into())),
        ("specification", specification(model)),
        ("classes", texts(classes)),
        ("scaling", scaling(&view.spec.scaling)),
        ("epochs", (*epochs).into()),
        ("batch", (*batch).into()),
        ("learningRate", view.spec.learning_rate.into()),
        ("momentum", view.spec.momentum.into()),
        ("aggregation", aggregation(view.spec.aggregation)),
        ("serverMomentum", view.spec.server_momentum.unwrap_or(0.0).into()),
        ("compression", compression(view.spec.compression)),
        ("privacy", privacy(view)),
        ("masking", masking(&view.spec)),
        ("workerMomentum", view.spec.worker_momentum.unwrap_or(0.0).into()),
        ("trustedRows", trusted_rows(&view.spec)),
        ("commitReveal", view.spec.commit_reveal.into()),
        ("waiting", view.waiting.as_ref().map_or(JsValue::NULL, waiting)),
    ])
}

/// A `Waiting`.
fn waiting(view: &Waiting) -> JsValue {
    object([
        ("step", view.step.code().into()),
        ("attempt", view.attempt.into()),
        ("members", texts(&view.members)),
    ])
}

/// How many rows of a run everybody trusts.
pub(crate) fn trusted_rows(spec: &RunSpec) -> JsValue {
    let rows = spec.reference.as_ref().and_then(|reference| reference.dataset(spec).ok());
    rows.map_or(0, |rows| rows.rows()).into()
}

/// A `PrivacyView`, or null for a run without noise.
fn privacy(view: &RunView) -> JsValue {
    let (Some(settings), Some(told)) = (view.spec.privacy, view.privacy) else {
        return JsValue::NULL;
    };
    object([
        ("clip", settings.clip.into()),
        ("noise", settings.noise.into()),
        ("delta", settings.delta.into()),
        ("spent", told.spent.into()),
        ("epsilon", told.epsilon.into()),
    ])
}

/// A `Masking`, or null for a run whose updates everybody sees.
pub(crate) fn masking(spec: &RunSpec) -> JsValue {
    let Some(settings) = spec.masking else { return JsValue::NULL };
    object([("clip", settings.clip.into()), ("threshold", settings.threshold.into())])
}

/// An `Aggregation`, or null for the mean.
pub(crate) fn aggregation(settings: Option<Settings>) -> JsValue {
    let Some(settings) = settings else { return JsValue::NULL };
    object([
        ("rule", settings.rule.name().into()),
        ("byzantine", settings.byzantine.into()),
        ("radius", settings.radius.into()),
        ("mixing", settings.mixing.into()),
    ])
}

/// A `Compression`, or null for none.
pub(crate) fn compression(settings: Option<compression::Settings>) -> JsValue {
    let Some(settings) = settings else { return JsValue::NULL };
    object([("bits", settings.bits.into()), ("keep", settings.keep.into())])
}

/// An array of `RunView`.
pub(crate) fn runs(views: &[RunView]) -> JsValue {
    views.iter().map(run).collect::<Array>().into()
}

/// A `RunModel`.
pub(crate) fn model(view: &ModelView) -> JsValue {
    object([
        ("run", view.run.to_string().into()),
        ("name", view.spec.name.as_str().into()),
        ("round", view.round.into()),
        ("weights", bytes(&view.weights)),
        ("specification", specification(&view.spec.model)),
        ("classes", texts(&view.spec.classes)),
        ("scaling", scaling(&view.spec.scaling)),
    ])
}

/// A `MeshStatus`.
pub(crate) fn status(full: &FullStatus) -> JsValue {
    let node = &full.node;
    let blobs = object([("count", count(node.blobs)), ("bytes", count(node.blob_bytes))]);
    let storage = object([
        ("kind", full.storage.into()),
        ("bytes", full.storage_bytes.map_or(JsValue::NULL, count)),
    ]);
    let counters = object([]);
    for (cause, number) in &node.counters {
        crate::platform::js::set(&counters, cause, &count(*number));
    }
    object([
        ("running", true.into()),
        ("nodeId", node.author.to_string().into()),
        ("network", node.network.to_string().into()),
        ("name", node.name.as_str().into()),
        ("addresses", texts(&node.addresses)),
        ("peers", node.peers.iter().map(peer).collect::<Array>().into()),
        (
            "banned",
            node.banned
                .iter()
                .map(|author| JsValue::from(author.to_string()))
                .collect::<Array>()
                .into(),
        ),
        ("vertices", count(node.vertices)),
        ("blobs", blobs),
        ("runs", runs(&node.runs)),
        ("finality", finality::numbers(&node.finality)),
        ("storage", storage),
        ("counters", counters),
    ])
}

/// A `PeerView`.
pub(crate) fn peer(view: &PeerView) -> JsValue {
    object([
        ("id", view.author.to_string().into()),
        ("transport", transport(&view.address).into()),
        ("path", path(&view.address).into()),
        ("address", view.address.as_str().into()),
        ("outbound", view.outbound.into()),
        ("channel", view.channel.name().into()),
        ("rttMs", view.rtt_ms.map_or(JsValue::NULL, Into::into)),
    ])
}

/// Each an `AddressView`.
pub(crate) fn addresses(views: &[AddressView]) -> JsValue {
    let view = |view: &AddressView| {
        object([
            ("address", view.address.as_str().into()),
            ("failures", view.failures.into()),
            ("reason", view.reason.as_str().into()),
            ("nextMs", count(view.next_ms)),
            ("dialling", view.dialling.into()),
        ])
    };
    views.iter().map(view).collect::<Array>().into()
}

/// A `LinkInfo`.
pub(crate) fn link(info: &LinkInfo) -> JsValue {
    object([
        ("network", info.network.to_string().into()),
        ("name", info.name.as_str().into()),
        ("genesis", info.genesis.as_deref().map_or(JsValue::NULL, bytes)),
        ("addresses", texts(&info.addresses)),
    ])
}

/// A `Specification`.
pub(crate) fn specification(model: &Specification) -> JsValue {
    // Plain data of numbers and names: this cannot fail, and `null` would be seen at once.
    serde_wasm_bindgen::to_value(model).unwrap_or(JsValue::NULL)
}

/// A `Scaling`.
pub(crate) fn scaling(scaling: &Scaling) -> JsValue {
    object([
        ("offset", Float32Array::from(scaling.offset.as_slice()).into()),
        ("scale", Float32Array::from(scaling.scale.as_slice()).into()),
    ])
}

/// Whether a multiaddr leads through a relay.
fn path(address: &str) -> &'static str {
    if address.contains("/p2p-circuit") { "relayed" } else { "direct" }
}

/// Which transport a multiaddr names.
fn transport(address: &str) -> &'static str {
    if address.starts_with("/webrtc") {
        "webrtc"
    } else if address.contains("/wss") || address.contains("/tls/") {
        "wss"
    } else {
        "ws"
    }
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Waiting => "waiting",
        RunState::Running => "running",
        RunState::Finished => "finished",
    }
}

fn changed(change: RunChange) -> &'static str {
    match change {
        RunChange::Started => "started",
        RunChange::Joined => "joined",
        RunChange::Left => "left",
        RunChange::Finished => "finished",
    }
}
