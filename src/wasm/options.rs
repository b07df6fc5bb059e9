//! What JavaScript passes in: the options of a node and of a run, and results of training.

use js_sys::BigInt;
use wasm_bindgen::{JsCast, JsValue};

use crate::dag::invite::{Refused, Ticket};
use crate::dag::{Reference, RunSpec};
use crate::effect::TrainedUpdate;
use crate::event::Problem;
use crate::genesis::{self, Genesis};
use crate::identity::{AuthorId, NetworkId, Secrets};
use crate::limits;
use crate::net::transport::address;
use crate::neural::{Scaling, Specification};
use crate::node::{Config, History};
use crate::runtime::Settings;
use crate::storage::indexed_db::IndexedDb;
use crate::storage::memory::Memory;
use crate::storage::sqlite::Sqlite;
use crate::storage::{self, Any};
use crate::wasm::error::Coded;
use crate::wasm::object::{self, Reader, bad};
use crate::wasm::onion;

/// Reads the options of a node and opens its store.
///
/// # Errors
/// What is wrong with them, by name, or what the store says.
pub(crate) async fn settings(options: JsValue) -> Result<Settings, Problem> {
    let reader = Reader::new("options", &options)?;
    let network: NetworkId = reader.text("network")?.parse().map_err(|_| Problem {
        code: "bad-network",
        message: "options.network is no network id".to_owned(),
        hint: "use the id of a join link, or make a new one with generateNetworkId()".to_owned(),
    })?;
    let genesis = reader.bytes_or_none("genesis")?.map(|bytes| genesis(&bytes)).transpose()?;
    let ticket = reader.bytes_or_none("invite")?;
    let ticket = ticket.map(|bytes| Ticket::decode(&bytes)).transpose().map_err(not_invite)?;
    let config = Config {
        network,
        genesis,
        ticket,
        name: reader.text_or_none("name")?.unwrap_or_default(),
        bootstrap: reader.texts("bootstrap")?,
        advertise: reader.texts("advertise")?,
        history: history(&reader)?,
        relaying: onion::relaying(&reader)?,
        generation_bytes: limits::SNAPSHOT_GENERATION_BYTES,
    };
    let secrets = secrets(&reader.bytes("secrets")?)?;
    let listen = listen(&reader)?;
    let host = reader.need("host")?;
    let store = store(&reader.need("storage")?).await?;
    let classical = classical(&reader)?;
    if classical && config.genesis.as_ref().is_some_and(|genesis| genesis.admission.is_some()) {
        return Err(Problem {
            code: "classical-permissioned",
            message: "a permissioned network takes no peers without the hybrid channel".to_owned(),
            hint: "set `classical` to `refuse`".to_owned(),
        });
    }
    let relays = relays(&reader)?;
    Ok(Settings { config, secrets, store, listen, classical, relays, host })
}

/// Reads how much of the history to keep.
fn history(reader: &Reader<'_>) -> Result<History, Problem> {
    match reader.text_or_none("history")?.as_deref() {
        None | Some("recent") => Ok(History::default()),
        Some("brief") => Ok(History::Newest(limits::HISTORY_VERTICES_KEPT_BRIEF)),
        Some("all") => Ok(History::All),
        Some(_) => Err(reader.must_be("history", "`recent`, `brief` or `all`")),
    }
}

/// Reads whether peers without the hybrid channel are taken.
fn classical(reader: &Reader<'_>) -> Result<bool, Problem> {
    match reader.text_or_none("classical")?.as_deref() {
        None | Some("refuse") => Ok(false),
        Some("allow") => Ok(true),
        Some(_) => Err(reader.must_be("classical", "`allow` or `refuse`")),
    }
}

/// Reads whether others may reach each other through the node.
fn relays(reader: &Reader<'_>) -> Result<bool, Problem> {
    match reader.text_or_none("relay")?.as_deref() {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(reader.must_be("relay", "`on` or `off`")),
    }
}

/// Reads the genesis of a network.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn genesis(bytes: &[u8]) -> Result<Genesis, Problem> {
    Genesis::decode(bytes).map_err(|error| not_genesis(&error))
}

/// A refused invite as an error for people.
pub(crate) fn not_invite(refused: Refused) -> Problem {
    let hint = "ask for a join link with an invite".to_owned();
    Problem { code: refused.code(), message: refused.to_string(), hint }
}

/// A refused genesis as an error for people.
pub(crate) fn not_genesis(error: &genesis::Error) -> Problem {
    let (code, hint) = (Coded::code(error), error.hint());
    Problem { code, message: error.to_string(), hint: hint.to_owned() }
}

/// Reads `[{id, weight?}]`, the members of a committee.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn members(reader: &Reader<'_>, name: &str) -> Result<Vec<(AuthorId, u32)>, Problem> {
    let members = reader.list(name)?;
    if members.len() > limits::COMMITTEE_MAX {
        return Err(reader.must_be(name, "4 to 100 members"));
    }
    let member = |member: &JsValue| {
        let member = Reader::new("members[]", member)?;
        let weight = match member.get("weight")? {
            Some(_) => member.whole("weight")?,
            None => 1,
        };
        Ok((author(&member)?, weight))
    };
    members.iter().map(member).collect()
}

/// Reads `{id}`, a node id.
pub(crate) fn author(reader: &Reader<'_>) -> Result<AuthorId, Problem> {
    author_of(&reader.text("id")?)
}

/// Reads a node id.
pub(crate) fn author_of(id: &str) -> Result<AuthorId, Problem> {
    id.parse().map_err(|error: crate::identity::Error| Problem {
        code: "bad-node-id",
        message: error.to_string(),
        hint: "use the node id that `synaptic-mesh status` shows".to_owned(),
    })
}

/// Reads an identity.
///
/// # Errors
/// What is wrong with it, without a byte of it.
pub(crate) fn secrets(bytes: &[u8]) -> Result<Secrets, Problem> {
    Secrets::decode(bytes).map_err(|error| Problem {
        code: "bad-secrets",
        message: format!("this is no identity: {error}"),
        hint: "use the bytes that generateSecrets() gave".to_owned(),
    })
}

fn listen(reader: &Reader<'_>) -> Result<Vec<String>, Problem> {
    let places = reader.list("listen")?;
    if places.len() > limits::LISTEN_MAX {
        return Err(reader.must_be("listen", &format!("{} places at most", limits::LISTEN_MAX)));
    }
    let places = places.iter().map(|place| {
        let place = Reader::new("options.listen[]", place)?;
        let host = place.text("host")?;
        let port = u16::try_from(place.whole("port")?)
            .map_err(|_| place.must_be("port", "a port from 0 to 65535"))?;
        address::listening(&host, port)
            .map(|address| address.to_string())
            .ok_or_else(|| place.must_be("host", "an IP address or a name"))
    });
    places.collect()
}

async fn store(option: &JsValue) -> Result<Any, Problem> {
    let reader = Reader::new("options.storage", option)?;
    match reader.text("kind")?.as_str() {
        "memory" => Ok(Any::Memory(Memory::new())),
        "indexeddb" => {
            let name = reader.text("name")?;
            IndexedDb::open(&name).await.map(Any::IndexedDb).map_err(|error| stored(&error))
        }
        "host" => {
            let store = reader.need("store")?;
            Sqlite::new(store).map(Any::Sqlite).map_err(|error| stored(&error))
        }
        _ => Err(reader.must_be("kind", "\"memory\", \"indexeddb\" or \"host\"")),
    }
}

/// A failed store as an error for people.
pub(crate) fn stored(error: &storage::Error) -> Problem {
    Problem { code: error.code(), message: error.to_string(), hint: error.hint().to_owned() }
}

/// Reads what a run is started with, and on how many samples this node trains.
///
/// # Errors
/// What is wrong with it, by name. Whether the numbers fit together, the node says.
pub(crate) fn run(options: &JsValue) -> Result<(RunSpec, u32), Problem> {
    let reader = Reader::new("options", options)?;
    let model: Specification = deserialised(&reader, "specification")?;
    let scaling: Scaling = deserialised(&reader, "scaling")?;
    let seed = reader.need("seed")?;
    let seed = seed
        .dyn_ref::<BigInt>()
        .and_then(|seed| u64::try_from(JsValue::from(seed.clone())).ok())
        .ok_or_else(|| reader.must_be("seed", "a bigint from 0 to 2^64 - 1"))?;
    let spec = RunSpec {
        name: reader.text("name")?,
        model,
        seed,
        classes: reader.texts("classes")?,
        scaling,
        rounds: reader.whole("rounds")?,
        epochs: reader.whole("epochs")?,
        batch: reader.whole("batch")?,
        learning_rate: reader.real("learningRate")?,
        momentum: reader.real("momentum")?,
        quorum: reader.whole("quorum")?,
        updates_min: reader.whole("updatesMin")?,
        deadline_ms: reader.whole("deadlineMs")?,
        aggregation: match reader.get("aggregation")? {
            Some(_) => Some(deserialised(&reader, "aggregation")?),
            None => None,
        },
        server_momentum: match reader.get("serverMomentum")? {
            Some(_) => Some(reader.real("serverMomentum")?),
            None => None,
        },
        compression: match reader.get("compression")? {
            Some(_) => Some(deserialised(&reader, "compression")?),
            None => None,
        },
        worker_momentum: match reader.get("workerMomentum")? {
            Some(_) => Some(reader.real("workerMomentum")?),
            None => None,
        },
        reference: match reader.get("reference")? {
            Some(reference) => Some(trusted(&reference)?),
            None => None,
        },
        privacy: match reader.get("privacy")? {
            Some(_) => Some(deserialised(&reader, "privacy")?),
            None => None,
        },
        commit_reveal: match reader.get("commitReveal")? {
            Some(_) => deserialised(&reader, "commitReveal")?,
            None => false,
        },
        masking: match reader.get("masking")? {
            Some(_) => Some(deserialised(&reader, "masking")?),
            None => None,
        },
    };
    Ok((spec, reader.whole("samples")?))
}

fn trusted(reference: &JsValue) -> Result<Reference, Problem> {
    let reader = Reader::new("options.reference", reference)?;
    Ok(Reference { inputs: reader.bytes("inputs")?, labels: reader.bytes("labels")? })
}

fn deserialised<T: serde::de::DeserializeOwned>(
    reader: &Reader<'_>,
    name: &str,
) -> Result<T, Problem> {
    serde_wasm_bindgen::from_value(reader.need(name)?)
        .map_err(|error| bad(format!("options.{name}: {error}")))
}

/// Reads `{samples}`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn samples(options: &JsValue) -> Result<u32, Problem> {
    Reader::new("options", options)?.whole("samples")
}

/// Reads what a training job gave: an update, or `{error}`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn trained(result: &JsValue) -> Result<Result<TrainedUpdate, String>, Problem> {
    let reader = Reader::new("result", result)?;
    if let Some(error) = reader.text_or_none("error")? {
        return Ok(Err(error));
    }
    let accuracy = match reader.get("accuracy")? {
        Some(_) => Some(reader.real("accuracy")?),
        None => None,
    };
    let (samples, loss) = (reader.whole("samples")?, reader.real("loss")?);
    Ok(Ok(TrainedUpdate { delta: reader.bytes("delta")?, samples, loss, accuracy }))
}

/// A job's name: a whole number as `train` events carry it.
///
/// # Errors
/// When it is none.
pub(crate) fn job(number: f64) -> Result<u64, Problem> {
    object::whole(number).ok_or_else(|| bad("job must be the number of a train event".to_owned()))
}
