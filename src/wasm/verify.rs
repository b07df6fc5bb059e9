//! Checking an exported run from JavaScript: no node, no network, one file.

use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::federated::replay::{LeftOut, Mismatch, Report, replay};
use crate::federated::retrain::{self, Checked, Error, Verdict};
use crate::wasm::error::{BadArgument, Coded, thrown};
use crate::wasm::neural::Dataset;
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
  /**
   * Parents that are cited and not in the file, as another vertex of their author has their
   * place: they never were, or their author signed two for it, and what only they followed may
   * be left out.
   */
  readonly beside: number;
  /** The weights after the last of these rounds. */
  readonly weightsCid: string | null;
  readonly weights: Uint8Array;
  readonly specification: Specification | null;
  readonly classes: readonly string[];
  readonly scaling: Scaling | null;
  /** The rule of every round; null: the mean, weighed by samples. */
  readonly aggregation: Aggregation | null;
  /** How many trusted rows each round is measured by; 0 for none. */
  readonly trustedRows: number;
  /** How updates were masked; null: not at all. Of masked ones only sums are verified. */
  readonly masking: Masking | null;
  /** Whether members committed to updates before they saw others'. */
  readonly commitReveal: boolean;
  /** Then whose updates these rounds do not have, and why: the first 512. */
  readonly leftOut: readonly (LeftOut & { readonly round: number })[];
  readonly firstMismatch: Mismatch | null;
}

/** A member and how many updates it sent. */
export interface SentUpdates {
  readonly author: string;
  readonly updates: number;
}

/** An update of a member, trained again from its rows. */
export interface RetrainedUpdate {
  /** The vertex of the update. */
  readonly update: string;
  readonly round: number;
  /**
   * "equal" to the bit; "differs": not trained on these rows as the run says; "rows": the update
   * says that it was trained on another number of rows; "no-base": the file lacks what it began
   * with.
   */
  readonly verdict: "equal" | "differs" | "rows" | "no-base";
  /** Rows that the update says it was trained on; null unless that is what differs. */
  readonly rowsSaid: number | null;
}
"#;

/// Recomputes an exported run from the bytes of its CAR file; see `federated::replay` for what is
/// checked. Whatever the bytes are, there is a report.
#[wasm_bindgen(js_name = verifyRun, unchecked_return_type = "VerifyReport")]
pub fn verify_run(car: &[u8]) -> JsValue {
    report(&replay(car))
}

/// An exported run whose updates can be trained again from the rows of their member, held in wasm
/// memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Retraining {
    report: Report,
    opened: Result<retrain::Retraining, Error>,
}

#[wasm_bindgen]
#[expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]
impl Retraining {
    /// Recomputes an exported run as `verifyRun` does; nothing else works with one that fails.
    pub fn open(car: &[u8]) -> Retraining {
        let (report, opened) = retrain::Retraining::open(car);
        Self { report, opened }
    }

    /// What recomputing it came to.
    #[wasm_bindgen(unchecked_return_type = "VerifyReport")]
    pub fn report(&self) -> JsValue {
        report(&self.report)
    }

    /// Who sent updates.
    #[wasm_bindgen(unchecked_return_type = "readonly SentUpdates[]")]
    pub fn members(&mut self) -> Result<JsValue, JsValue> {
        let sent = self.opened()?.members().into_iter();
        let plain = |sent: retrain::Sent| {
            object::object([
                ("author", sent.author.to_string().into()),
                ("updates", count(sent.updates)),
            ])
        };
        Ok(sent.map(plain).collect::<Array>().into())
    }

    /// Begins with the first update of a member, given by its whole id.
    pub fn begin(&mut self, author: &str) -> Result<(), JsValue> {
        let author = author.parse().map_err(|_| {
            thrown(BadArgument("author is no id of a member: use one that members() gives".into()))
        })?;
        self.opened()?.begin(author).map_err(thrown)?;
        Ok(())
    }

    /// Trains the next update of the member again, on rows scaled as the report says; `null` after
    /// the last one.
    #[wasm_bindgen(unchecked_return_type = "RetrainedUpdate | null")]
    pub fn next(&mut self, data: &Dataset) -> Result<JsValue, JsValue> {
        let checked = self.opened()?.next(&data.0).map_err(thrown)?;
        Ok(checked.map_or(JsValue::NULL, retrained))
    }

    fn opened(&mut self) -> Result<&mut retrain::Retraining, JsValue> {
        self.opened.as_mut().map_err(|error| thrown(error.clone()))
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        Error::code(self)
    }

    fn hint(&self) -> &'static str {
        self.hint()
    }
}

fn retrained(checked: Checked) -> JsValue {
    let (verdict, said) = match checked.verdict {
        Verdict::Equal => ("equal", None),
        Verdict::Differs => ("differs", None),
        Verdict::Rows { said, .. } => ("rows", Some(said)),
        Verdict::NoBase => ("no-base", None),
    };
    object::object([
        ("update", checked.update.to_string().into()),
        ("round", checked.round.into()),
        ("verdict", verdict.into()),
        ("rowsSaid", said.map_or(JsValue::NULL, JsValue::from)),
    ])
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
        ("beside", report.beside.into()),
        ("weightsCid", text(report.weights.as_ref())),
        ("weights", object::bytes(&report.weights_bytes)),
        ("specification", spec.map_or(JsValue::NULL, |spec| view::specification(&spec.model))),
        ("classes", object::texts(spec.map(|spec| &spec.classes).into_iter().flatten())),
        ("scaling", spec.map_or(JsValue::NULL, |spec| view::scaling(&spec.scaling))),
        ("aggregation", view::aggregation(spec.and_then(|spec| spec.aggregation))),
        ("trustedRows", spec.map_or(JsValue::from(0), view::trusted_rows)),
        ("masking", spec.map_or(JsValue::NULL, view::masking)),
        ("commitReveal", spec.is_some_and(|spec| spec.commit_reveal).into()),
        ("leftOut", report.left_out.iter().map(left_out).collect::<Array>().into()),
        ("firstMismatch", report.first_mismatch.as_ref().map_or(JsValue::NULL, mismatch)),
    ])
}

fn left_out(left_out: &LeftOut) -> JsValue {
    object::object([
        ("round", left_out.round.into()),
        ("author", left_out.author.to_string().into()),
        ("whyNot", left_out.why.code().into()),
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
