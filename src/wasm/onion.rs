//! Anonymous questions, for JavaScript: one more method of the class `MeshNode`.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effect::Command;
use crate::event::{NameView, Problem, Reply, Reveal};
use crate::ledger::Name;
use crate::node::Relaying;
use crate::onion::{Answer, Handled, NameState, Outcome, Question, Way};
use crate::wasm::node::{MeshNode, rejected};
use crate::wasm::number::{count, hex};
use crate::wasm::object::{Reader, bytes, object};
use crate::wasm::wallet::name_object;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What is asked without showing who asks: one of the two. Experimental. */
export interface AnonymousQuestion {
  /** Proof that this item is final; it is verified before it is given out. */
  readonly proof?: string;
  /** How this name stands; two exits must say the same, and nothing proves it. */
  readonly name?: string;
}

/** What came of it. */
export interface AnonymousAnswer {
  readonly proof: Uint8Array | null;
  readonly name: NameView | null;
  /** Relays of each path (count), the exit included. */
  readonly relays: number;
  /** Exits that answered and agree (count). */
  readonly exits: number;
  /** Milliseconds from the question to the answer. */
  readonly ms: number;
}

/** What a node does with anonymous questions of others; `log` makes an event of each cell. */
export type Relaying = "on" | "log" | "off";

/** Everything that a relay knows of one cell or reply. */
export interface HandledCell {
  readonly type: "cell";
  /** `forward` and `exit`: a cell; `back`: a reply; `dropped`: why, in `code`. */
  readonly way: "forward" | "exit" | "back" | "dropped";
  readonly code: string | null;
  /** Node ids of who handed it over, and of whom it was handed to. */
  readonly from: string;
  readonly to: string | null;
  /** As it came, and as it went on or what it asks; in hexadecimal. */
  readonly received: string;
  readonly sent: string;
}
"#;

#[wasm_bindgen]
impl MeshNode {
    /// Asks other members something over three relays, none of which learns both who asks and what.
    #[wasm_bindgen(
        js_name = askAnonymously,
        unchecked_return_type = "Promise<AnonymousAnswer>"
    )]
    pub fn ask_anonymously(
        &self,
        #[wasm_bindgen(unchecked_param_type = "AnonymousQuestion")] question: &JsValue,
    ) -> Promise {
        match self::question(question) {
            Ok(question) => self.ask(Command::AskAnonymously(question), |reply| match reply {
                Reply::Anonymous(outcome) => answer(*outcome),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }
}

fn question(question: &JsValue) -> Result<Question, Problem> {
    let reader = Reader::new("question", question)?;
    match (reader.text_or_none("proof")?, reader.text_or_none("name")?) {
        (Some(item), None) => Ok(Question::Proof { item }),
        (None, Some(label)) => Ok(Question::Name { label }),
        _ => Err(reader.must_be("proof", "an item, or `name` a name, and not both")),
    }
}

/// Reads what the node does with cells of others.
///
/// # Errors
/// When it is none of the three words.
pub(crate) fn relaying(reader: &Reader<'_>) -> Result<Relaying, Problem> {
    match reader.text_or_none("relaying")?.as_deref() {
        None | Some("on") => Ok(Relaying::On),
        Some("log") => Ok(Relaying::Log),
        Some("off") => Ok(Relaying::Off),
        Some(_) => Err(reader.must_be("relaying", "`on`, `log` or `off`")),
    }
}

fn answer(outcome: Outcome) -> Option<JsValue> {
    let (proof, name) = match outcome.answer {
        Answer::Proof { proof } => (bytes(&proof), JsValue::NULL),
        Answer::Name(state) => (JsValue::NULL, name_object(&name_view(state, outcome.mine))),
        Answer::Refused { .. } | Answer::Lost => return None,
    };
    Some(object([
        ("proof", proof),
        ("name", name),
        ("relays", outcome.relays.into()),
        ("exits", outcome.exits.into()),
        ("ms", count(outcome.took_ms)),
    ]))
}

fn name_view(state: NameState, mine: bool) -> NameView {
    let NameState { name, owner, version, expires, addresses, height } = state;
    let held = owner.map(|owner| Name { owner, version, expires, addresses });
    NameView { name, held, mine, reveal: Reveal::None, height }
}

/// A `HandledCell`.
pub(crate) fn handled(handled: &Handled) -> JsValue {
    let (way, code) = match handled.way {
        Way::Forward => ("forward", None),
        Way::Exit => ("exit", None),
        Way::Back => ("back", None),
        Way::Dropped(code) => ("dropped", Some(code)),
    };
    let to = handled.to.map_or(JsValue::NULL, |to| to.to_string().into());
    object([
        ("type", "cell".into()),
        ("way", way.into()),
        ("code", code.map_or(JsValue::NULL, Into::into)),
        ("from", handled.from.to_string().into()),
        ("to", to),
        ("received", hex(&handled.received).into()),
        ("sent", hex(&handled.sent).into()),
    ])
}
