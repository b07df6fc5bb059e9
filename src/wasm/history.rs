//! The class `History`: what a store holds, read without a node.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::dag::browse::{self, Answer, Damaged, Fault, Query, Shown, Stats, Unknown};
use crate::dag::{Graph, Payload, SignedVertex};
use crate::event::Problem;
use crate::wasm::number::count;
use crate::wasm::object::{self, Reader, bad, bytes, object, texts};
use crate::wasm::options;
use crate::{limits, node};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A vertex in a list. */
export interface DagEntry {
  readonly id: string;
  readonly author: string;
  /** Its place in the author's chain, from 0. */
  readonly seq: number;
  /** The author's vertex before it; null at the beginning of the chain. */
  readonly prev: string | null;
  readonly parents: readonly string[];
  readonly lamport: number;
  /** The author's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** What its payloads are, in their order. */
  readonly kinds: readonly string[];
  /** Bytes of the vertex and its signature. */
  readonly size: number;
}

/** A vertex with everything in it. */
export interface DagVertex extends DagEntry {
  /** Vertices that name it as a parent; 128 at most. */
  readonly children: readonly string[];
  /** Where its author equivocated; null if it did not. */
  readonly equivocated: number | null;
  /** Its canonical DAG-CBOR, whose hash is the id. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** One author's part of a history. */
export interface DagAuthor {
  readonly author: string;
  readonly vertices: number;
  readonly bytes: number;
  readonly latestMs: number;
  /** The position at which it signed two vertices; null if it did not. */
  readonly equivocated: number | null;
}

/** A history in figures. */
export interface DagStats {
  readonly vertices: number;
  readonly bytes: number;
  readonly heads: number;
  /** Vertices that wait for their parents, which a store does not have. */
  readonly orphans: number;
  /** Payloads by kind. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly authors: readonly DagAuthor[];
}

/** Something wrong with a vertex. */
export interface DagFault {
  /** Null where a record is no vertex. */
  readonly id: string | null;
  readonly code: string;
  readonly message: string;
}

/** A piece of a verification. */
export interface DagVerified {
  /** Vertices that are done, of all there are. */
  readonly done: number;
  readonly total: number;
  readonly faults: readonly DagFault[];
}
"#;

/// The vertices of a store, held in wasm memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct History {
    graph: Graph,
    damaged: Vec<Damaged>,
}

#[wasm_bindgen]
impl History {
    /// Reads records of the table `vertices`, in any order, and those of the table `meta` whose
    /// names begin with `pruned/`, in the order of their names. What is damaged is left out, and
    /// told by `damaged`. With the genesis of the network, `verify` also says whose identity it
    /// does not admit.
    pub fn read(
        network: &str,
        #[wasm_bindgen(unchecked_param_type = "readonly Uint8Array[]")] records: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "readonly Uint8Array[]")] pruned: &JsValue,
        genesis: Option<Vec<u8>>,
    ) -> Result<History, JsValue> {
        let network = network.parse().map_err(|_| thrown(&bad("this is no network id".into())))?;
        let coverage = node::coverage_of(&bytes_of(pruned)?);
        let (mut graph, damaged) = browse::read(network, &bytes_of(records)?, coverage);
        if let Some(bytes) = genesis {
            let genesis = options::genesis(&bytes).map_err(|problem| thrown(&problem))?;
            let checked = genesis.check_network(&network);
            checked.map_err(|error| thrown(&options::not_genesis(&error)))?;
            graph.admit_by(genesis.rule());
        }
        Ok(Self { graph, damaged })
    }

    /// Records that could not be read.
    #[wasm_bindgen(getter, unchecked_return_type = "DagFault[]")]
    pub fn damaged(&self) -> JsValue {
        let of = |damaged: &Damaged| {
            let id = damaged.id.map(|id| id.to_string());
            fault(id.as_deref(), damaged.code, &damaged.message)
        };
        self.damaged.iter().map(of).collect::<Array>().into()
    }

    /// Up to 128 vertices, newest first; `before` is the last one of the page before.
    #[wasm_bindgen(unchecked_return_type = "DagEntry[]")]
    pub fn log(
        &self,
        #[wasm_bindgen(
            unchecked_param_type = "{ before?: string; author?: string; limit?: number }"
        )]
        options: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let reader = Reader::new("options", options).map_err(|problem| thrown(&problem))?;
        let query = log_query(&reader).map_err(|problem| thrown(&problem))?;
        match self.ask(&query)? {
            Answer::Log(page) => Ok(page.iter().map(entry).collect::<Array>().into()),
            _ => Ok(JsValue::NULL),
        }
    }

    /// One vertex, by its id or as much of its beginning as is unique.
    #[wasm_bindgen(unchecked_return_type = "DagVertex")]
    pub fn show(&self, id: String) -> Result<JsValue, JsValue> {
        match self.ask(&Query::Show { id })? {
            Answer::Show(shown) => Ok(vertex(&shown)),
            _ => Ok(JsValue::NULL),
        }
    }

    /// The history in figures.
    #[wasm_bindgen(unchecked_return_type = "DagStats")]
    pub fn stats(&self) -> Result<JsValue, JsValue> {
        match self.ask(&Query::Stats)? {
            Answer::Stats(figures) => Ok(stats(&figures)),
            _ => Ok(JsValue::NULL),
        }
    }

    /// Verifies hashes, signatures and rules of the next vertices, 128 at most, after `from`.
    #[wasm_bindgen(unchecked_return_type = "DagVerified")]
    pub fn verify(&self, from: u32, limit: u32) -> Result<JsValue, JsValue> {
        let Answer::Verified(piece) = self.ask(&Query::Verify { from: from.into(), limit })? else {
            return Ok(JsValue::NULL);
        };
        let of = |found: &Fault| fault(Some(&found.id.to_string()), found.code, &found.message);
        Ok(object([
            ("done", count(piece.done)),
            ("total", count(piece.total)),
            ("faults", piece.faults.iter().map(of).collect::<Array>().into()),
        ]))
    }

    fn ask(&self, query: &Query) -> Result<Answer, JsValue> {
        browse::browse(&self.graph, query).map_err(|unknown| thrown(&problem_of(&unknown)))
    }
}

fn log_query(reader: &Reader<'_>) -> Result<Query, Problem> {
    let before = match reader.text_or_none("before")? {
        Some(text) => {
            Some(text.parse().map_err(|_| reader.must_be("before", "the id of a vertex"))?)
        }
        None => None,
    };
    let limit = match reader.get("limit")? {
        Some(_) => reader.whole("limit")?,
        None => u32::try_from(limits::DAG_PAGE_VERTICES_MAX).unwrap_or(u32::MAX),
    };
    Ok(Query::Log { before, author: reader.text_or_none("author")?, limit })
}

fn entry(signed: &SignedVertex) -> JsValue {
    let vertex = signed.vertex();
    object([
        ("id", signed.id().to_string().into()),
        ("author", vertex.author.to_string().into()),
        ("seq", count(vertex.seq)),
        ("prev", vertex.prev.map_or(JsValue::NULL, |prev| prev.to_string().into())),
        ("parents", texts(vertex.parent_ids())),
        ("lamport", count(vertex.lamport)),
        ("timeMs", count(vertex.time_ms)),
        ("kinds", texts(vertex.payloads.iter().map(Payload::kind))),
        ("size", count(u64::try_from(signed.size_bytes()).unwrap_or(u64::MAX))),
    ])
}

fn vertex(shown: &Shown) -> JsValue {
    let vertex = entry(&shown.vertex);
    for (name, value) in [
        ("children", texts(&shown.children)),
        ("equivocated", shown.equivocated.map_or(JsValue::NULL, count)),
        ("bytes", bytes(shown.vertex.bytes())),
        ("signature", bytes(shown.vertex.signature().as_bytes())),
    ] {
        crate::platform::js::set(&vertex, name, &value);
    }
    vertex
}

fn stats(stats: &Stats) -> JsValue {
    let kinds = object([]);
    for (kind, payloads) in &stats.kinds {
        crate::platform::js::set(&kinds, kind, &count(*payloads));
    }
    let authors = stats.authors.iter().map(|(author, share)| {
        object([
            ("author", author.to_string().into()),
            ("vertices", count(share.vertices)),
            ("bytes", count(share.bytes)),
            ("latestMs", count(share.latest_ms)),
            ("equivocated", share.equivocated.map_or(JsValue::NULL, count)),
        ])
    });
    object([
        ("vertices", count(stats.vertices)),
        ("bytes", count(stats.bytes)),
        ("heads", count(stats.heads)),
        ("orphans", count(stats.orphans)),
        ("kinds", kinds),
        ("authors", authors.collect::<Array>().into()),
    ])
}

fn fault(id: Option<&str>, code: &str, message: &str) -> JsValue {
    object([
        ("id", id.map_or(JsValue::NULL, JsValue::from)),
        ("code", code.into()),
        ("message", message.into()),
    ])
}

fn problem_of(unknown: &Unknown) -> Problem {
    let (code, hint) = (unknown.code(), unknown.hint().to_owned());
    Problem { code, message: unknown.to_string(), hint }
}

fn thrown(problem: &Problem) -> JsValue {
    object::error(problem, None)
}

/// A list of `Uint8Array`s.
fn bytes_of(list: &JsValue) -> Result<Vec<Vec<u8>>, JsValue> {
    let bytes = |record: JsValue| {
        let record = record.dyn_into::<Uint8Array>();
        let record = record.map_err(|_| thrown(&bad("records must be Uint8Arrays".into())))?;
        Ok(record.to_vec())
    };
    Array::from(list).iter().map(bytes).collect()
}
