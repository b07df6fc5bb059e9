//! What a network begins with, who decides in it and what is final, for JavaScript.
//!
//! [`make_genesis`] and [`inspect_genesis`] need no node and no network.

use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::consensus::Finality;
use crate::dag::vote::ConflictKey;
use crate::event::{
    CommitteeView, FinalisedPage, FinalisedView, FinalityView, ItemState, ItemView, Problem,
    SamplingView,
};
use crate::genesis::{Admission, Engine, Genesis};
use crate::identity::AuthorId;
use crate::platform;
use crate::units::MicroCredits;
use crate::wasm::node::{no_entropy, thrown};
use crate::wasm::number::{count, hex};
use crate::wasm::object::{Reader, bytes, object, texts};
use crate::wasm::options;
use crate::wasm::promise::alive;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A member of a committee; its weight is 1 unless said otherwise. */
export interface CommitteeMember {
  /** Its node id. */
  readonly id: string;
  /** 1 to 1048576. */
  readonly weight?: number;
}

/**
 * How a network decides: `quorum` by quorums of a committee; `qr-avalanche` by repeated polls of a
 * few members, which is probable and is for what has no value.
 */
export type ConsensusEngine = "quorum" | "qr-avalanche";

/** What a network with finality is made of. */
export interface GenesisOptions {
  /** `quorum` unless given. */
  readonly consensus?: ConsensusEngine;
  /**
   * 4 to 100 members. Less than a third of their weight may be faulty; with `qr-avalanche` a tenth.
   */
  readonly committee?: readonly CommitteeMember[];
  /** First balances in millionths of a credit; the only source of credits. Only with `quorum`. */
  readonly balances?: readonly { readonly id: string; readonly microCredits: number }[];
  /**
   * Node ids of those who may invite others, at most 16. With any the network is permissioned:
   * only they, the committee, `allowed` and whoever has an invite may enter. Then there may be no
   * committee, and nothing is ever final.
   */
  readonly inviters?: readonly string[];
  /** Node ids of others that need no invite, at most 128. */
  readonly allowed?: readonly string[];
}

/** What a network with a genesis began with. */
export interface GenesisView {
  /** The network: its id is the hash of the genesis. */
  readonly network: string;
  /** How it decides. */
  readonly engine: ConsensusEngine;
  readonly committee: readonly Required<CommitteeMember>[];
  readonly balances: readonly { readonly id: string; readonly microCredits: number }[];
  /** Who may invite, where the network is permissioned; else null. */
  readonly inviters: readonly string[] | null;
  /** Others that need no invite. */
  readonly allowed: readonly string[];
}

/**
 * Whether there is finality: none in a network without a committee, decisions by quorums, decisions
 * by sampling, or decisions that wait because members with a third or more of the weight (a quarter
 * with sampling) are out of reach.
 */
export type FinalityState = "causal-only" | "quorum" | "sampled" | "no-quorum";

/** Decisions by sampling in numbers. */
export interface SamplingStatus {
  /** Seats of a poll, and how many of them change the preference and raise the confidence. */
  readonly k: number;
  readonly alphaPreference: number;
  readonly alphaConfidence: number;
  /** Polls in a row that decide, and polls of a key under way at once. */
  readonly beta: number;
  readonly concurrent: number;
  /** Milliseconds until an answer is late. */
  readonly pollMs: number;
  /** Polls of this node so far. */
  readonly polls: number;
  /** Polls in a row for the waiting key that has the fewest, of `beta`; null when none waits. */
  readonly confidence: number | null;
}

/** Finality in numbers. */
export interface FinalityStatus {
  readonly state: FinalityState;
  /** What decides; null in a network without a committee. */
  readonly engine: ConsensusEngine | null;
  /** The epoch of the committee that decides, and its members (count); 0 without one. */
  readonly epoch: number;
  readonly members: number;
  /** Weight of all members, and the least that decides; with sampling, that must be in reach. */
  readonly weight: number;
  readonly quorum: number;
  /** Whether this node is a member. */
  readonly votes: boolean;
  /** Height of the last checkpoint; 0 before the first. */
  readonly height: number;
  /** Decisions that checkpoints hold (count). */
  readonly certified: number;
  /** Conflict keys that are decided, and that wait (count). */
  readonly decided: number;
  readonly pending: number;
  /** Items that are final (count). */
  readonly finalised: number;
  /** More about it with the engine `qr-avalanche`; null with others. */
  readonly sampling: SamplingStatus | null;
}

/** Something final. */
export interface FinalItem {
  /** Its place in the order in which this node saw items become final, from 0. */
  readonly number: number;
  /** Id of its vertex and place of the payload in it: `bafy.../0`. */
  readonly item: string;
  /** Kind of the payload, such as `committee`. */
  readonly kind: string;
  readonly author: string;
  /** The conflict keys it has for good, in hexadecimal. */
  readonly keys: readonly string[];
}

/** Some final items, and how many there are. */
export interface FinalPage {
  readonly items: readonly FinalItem[];
  /** The number of the first item that this node remembers. */
  readonly first: number;
  readonly total: number;
}

/** How an item stands. */
export interface ItemView {
  readonly item: string;
  readonly kind: string;
  readonly author: string;
  /** The conflict keys it claims, in hexadecimal. */
  readonly keys: readonly string[];
  /**
   * `free`: nobody votes on it. `rejected`: another item has one of its keys for good.
   * `forgotten`: it was decided, one way or the other, before what this node remembers.
   */
  readonly state: "free" | "pending" | "final" | "rejected" | "forgotten";
  /** Height of the first checkpoint that holds it; null until one does. */
  readonly height: number | null;
}

/** The members that decide. */
export interface CommitteeView {
  readonly epoch: number;
  readonly weight: number;
  readonly quorum: number;
  readonly members: readonly {
    readonly id: string;
    readonly weight: number;
    /** Whether it is this node. */
    readonly self: boolean;
    /** Whether it is this node or connected to it; others may be reached through peers. */
    readonly connected: boolean;
  }[];
  /** Committees that some of them proposed for the next epoch. */
  readonly proposals: readonly {
    readonly members: readonly Required<CommitteeMember>[];
    readonly by: readonly string[];
    /** Weight of those; it is put to the vote when that is a quorum. */
    readonly weight: number;
  }[];
}
"#;

/// Makes a network with finality: its genesis, and its id, which is the hash of that.
///
/// # Errors
/// What is wrong with the members or the balances; when the host has no random source.
#[wasm_bindgen(
    js_name = makeGenesis,
    unchecked_return_type = "{ network: string; genesis: Uint8Array }"
)]
pub fn make_genesis(
    #[wasm_bindgen(unchecked_param_type = "GenesisOptions")] options: &JsValue,
) -> Result<JsValue, JsValue> {
    alive()?;
    let mut nonce = [0; 32];
    platform::entropy(&mut nonce).map_err(no_entropy)?;
    let genesis = made(options, nonce).map_err(thrown)?;
    Ok(object([
        ("network", genesis.network().to_string().into()),
        ("genesis", bytes(&genesis.encode())),
    ]))
}

fn made(options: &JsValue, nonce: [u8; 32]) -> Result<Genesis, Problem> {
    let reader = Reader::new("options", options)?;
    let committee = options::members(&reader, "committee")?;
    let balances = reader.list("balances")?.iter().map(balance).collect::<Result<_, _>>()?;
    let engine = reader.text_or_none("consensus")?.map_or(Ok(Engine::default()), |n| n.parse());
    let (inviters, allowed) = (authors(&reader, "inviters")?, authors(&reader, "allowed")?);
    let is_open = inviters.is_empty() && allowed.is_empty();
    let admission = (!is_open).then_some(Admission { inviters, allowed });
    let genesis =
        engine.and_then(|e| Genesis::with_admission(e, committee, balances, nonce, admission));
    genesis.map_err(|error| options::not_genesis(&error))
}

/// Reads a list of node ids.
fn authors(reader: &Reader<'_>, name: &str) -> Result<Vec<AuthorId>, Problem> {
    reader.texts(name)?.iter().map(|id| options::author_of(id)).collect()
}

fn balance(balance: &JsValue) -> Result<(AuthorId, MicroCredits), Problem> {
    let reader = Reader::new("options.balances[]", balance)?;
    Ok((options::author(&reader)?, MicroCredits(reader.exact("microCredits")?)))
}

/// What a network with finality began with.
///
/// # Errors
/// When the bytes are no genesis.
#[wasm_bindgen(js_name = inspectGenesis, unchecked_return_type = "GenesisView")]
pub fn inspect_genesis(genesis: &[u8]) -> Result<JsValue, JsValue> {
    alive()?;
    let genesis = options::genesis(genesis).map_err(thrown)?;
    let admission = genesis.admission.as_ref();
    let balance = |(author, amount): &(AuthorId, MicroCredits)| {
        object([("id", author.to_string().into()), ("microCredits", count(amount.0))])
    };
    Ok(object([
        ("network", genesis.network().to_string().into()),
        ("engine", genesis.engine.name().into()),
        ("committee", members(&genesis.committee)),
        ("balances", genesis.balances.iter().map(balance).collect::<Array>().into()),
        ("inviters", admission.map_or(JsValue::NULL, |lists| ids(&lists.inviters))),
        ("allowed", ids(admission.map_or(&[], |lists| &lists.allowed))),
    ]))
}

/// Node ids as texts.
pub(crate) fn ids(authors: &[AuthorId]) -> JsValue {
    authors.iter().map(|author| JsValue::from(author.to_string())).collect::<Array>().into()
}

/// A `FinalityState`.
pub(crate) fn state(state: Finality) -> &'static str {
    match state {
        Finality::CausalOnly => "causal-only",
        Finality::Quorum => "quorum",
        Finality::Sampled => "sampled",
        Finality::NoQuorum => "no-quorum",
    }
}

/// A `FinalityStatus`.
pub(crate) fn numbers(view: &FinalityView) -> JsValue {
    object([
        ("state", state(view.state).into()),
        ("engine", view.engine.map_or(JsValue::NULL, |engine| engine.name().into())),
        ("epoch", count(view.epoch)),
        ("members", view.members.into()),
        ("weight", count(view.total)),
        ("quorum", count(view.quorum)),
        ("votes", view.votes.into()),
        ("height", count(view.height)),
        ("certified", count(view.certified)),
        ("decided", count(view.decided)),
        ("pending", view.pending.into()),
        ("finalised", count(view.finalised)),
        ("sampling", view.sampling.as_ref().map_or(JsValue::NULL, sampling)),
    ])
}

fn sampling(view: &SamplingView) -> JsValue {
    let config = &view.config;
    object([
        ("k", config.k.into()),
        ("alphaPreference", config.alpha_preference.into()),
        ("alphaConfidence", config.alpha_confidence.into()),
        ("beta", config.beta.into()),
        ("concurrent", config.concurrent.into()),
        ("pollMs", count(config.poll_ms)),
        ("polls", count(view.polls)),
        ("confidence", view.confidence.map_or(JsValue::NULL, JsValue::from)),
    ])
}

/// A `finalised` event: a `FinalItem` with a type.
pub(crate) fn finalised_event(view: &FinalisedView) -> JsValue {
    let event = final_item(view);
    platform::js::set(&event, "type", &"finalised".into());
    event
}

fn final_item(view: &FinalisedView) -> JsValue {
    object([
        ("number", count(view.number)),
        ("item", view.item.to_string().into()),
        ("kind", view.kind.into()),
        ("author", view.author.to_string().into()),
        ("keys", keys(&view.keys)),
    ])
}

/// A `FinalPage`.
pub(crate) fn page(page: &FinalisedPage) -> JsValue {
    object([
        ("items", page.items.iter().map(final_item).collect::<Array>().into()),
        ("first", count(page.first)),
        ("total", count(page.total)),
    ])
}

/// An `ItemView`.
pub(crate) fn item(view: &ItemView) -> JsValue {
    let state = match view.state {
        ItemState::Free => "free",
        ItemState::Pending => "pending",
        ItemState::Final => "final",
        ItemState::Rejected => "rejected",
        ItemState::Forgotten => "forgotten",
    };
    object([
        ("item", view.item.to_string().into()),
        ("kind", view.kind.into()),
        ("author", view.author.to_string().into()),
        ("keys", keys(&view.keys)),
        ("state", state.into()),
        ("height", view.height.map_or(JsValue::NULL, count)),
    ])
}

/// A `CommitteeView`.
pub(crate) fn committee(view: &CommitteeView) -> JsValue {
    let seats = view.members.iter().map(|member| {
        object([
            ("id", member.author.to_string().into()),
            ("weight", member.weight.into()),
            ("self", member.is_me.into()),
            ("connected", member.connected.into()),
        ])
    });
    let proposals = view.wishes.iter().map(|wish| {
        object([
            ("members", members(&wish.members)),
            ("by", texts(&wish.by)),
            ("weight", count(wish.weight)),
        ])
    });
    object([
        ("epoch", count(view.epoch)),
        ("weight", count(view.total)),
        ("quorum", count(view.quorum)),
        ("members", seats.collect::<Array>().into()),
        ("proposals", proposals.collect::<Array>().into()),
    ])
}

fn members(members: &[(AuthorId, u32)]) -> JsValue {
    let member = |(author, weight): &(AuthorId, u32)| {
        object([("id", author.to_string().into()), ("weight", (*weight).into())])
    };
    members.iter().map(member).collect::<Array>().into()
}

fn keys(keys: &[ConflictKey]) -> JsValue {
    texts(keys.iter().map(|key| hex(key.as_bytes())))
}
