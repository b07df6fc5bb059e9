//! Checking an exported run from JavaScript: no node, no network, one file.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::federated::replay::{Mismatch, Report, replay};
use crate::wasm::number::count;
use crate::wasm::{object, view};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** The first thing in an exported run that is not as it says. */
export interface Mismatch {
  /** Stable name of the kind. */
  readonly code: string;
  /** The vertex it is about; null when the file is damaged outside of vertices. */
  readonly vertex: string | null;
  /** CID of the damaged block, if it is known. */
  readonly cid: string | null;
  /** The round it is about; 0 when it is about none. */
  readonly round: number;
  /** The byte of the file. */
  readonly byte: number;
  /** What does not fit, for people. */
  readonly what: string;
}

/** What recomputing an exported run came to. */
export interface VerifyReport {
  /** Whether everything was computed again and is equal. */
  readonly ok: boolean;
  /** Id and name of the run, once its first vertex was verified. */
  readonly run: string | null;
  readonly name: string | null;
  /** Rounds that were computed again, and the updates in them. */
  readonly rounds: number;
  readonly updates: number;
  /** Aggregates beside the chain whose updates are not in the file. */
  readonly skipped: number;
  /** The weights after the last of these rounds. */
  readonly weightsCid: string | null;
  readonly weights: Uint8Array;
  readonly specification: Specification | null;
  readonly classes: readonly string[];
  readonly scaling: Scaling | null;
  /** The rule of every round; null: the mean, weighed by samples. */
  readonly aggregation: Aggregation | null;
  readonly firstMismatch: Mismatch | null;
}
"#;

/// Recomputes an exported run from the bytes of its CAR file; see `federated::replay` for what is
/// checked. Whatever the bytes are, there is a report.
#[wasm_bindgen(js_name = verifyRun, unchecked_return_type = "VerifyReport")]
pub fn verify_run(car: &[u8]) -> JsValue {
    report(&replay(car))
}

fn report(report: &Report) -> JsValue {
    let spec = report.spec.as_ref();
    object::object([
        ("ok", report.ok.into()),
        ("run", text(report.run.as_ref())),
        ("name", text(spec.map(|spec| &spec.name))),
        ("rounds", report.rounds.into()),
        ("updates", count(report.updates)),
        ("skipped", report.skipped.into()),
        ("weightsCid", text(report.weights.as_ref())),
        ("weights", object::bytes(&report.weights_bytes)),
        ("specification", spec.map_or(JsValue::NULL, |spec| view::specification(&spec.model))),
        ("classes", object::texts(spec.map(|spec| &spec.classes).into_iter().flatten())),
        ("scaling", spec.map_or(JsValue::NULL, |spec| view::scaling(&spec.scaling))),
        ("aggregation", view::aggregation(spec.and_then(|spec| spec.aggregation))),
        ("firstMismatch", report.first_mismatch.as_ref().map_or(JsValue::NULL, mismatch)),
    ])
}

fn mismatch(mismatch: &Mismatch) -> JsValue {
    object::object([
        ("code", mismatch.code.into()),
        ("vertex", text(mismatch.vertex.as_ref())),
        ("cid", text(mismatch.cid.as_ref())),
        ("round", mismatch.round.into()),
        ("byte", count(mismatch.byte)),
        ("what", mismatch.what.as_str().into()),
    ])
}

fn text(value: Option<&impl ToString>) -> JsValue {
    value.map_or(JsValue::NULL, |value| value.to_string().into())
}
