//! Sealed messages, for JavaScript: more methods of the class `MeshNode`.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effect::Command;
use crate::event::{Problem, Reply};
use crate::limits;
use crate::sealed::{Page, View};
use crate::wasm::node::{MeshNode, rejected};
use crate::wasm::number::count;
use crate::wasm::object::{Reader, object};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A sealed message in the history, as one of its two ends sees it. */
export interface SealedMessage {
  /** Id of its vertex and place of the payload in it: `bafy.../0`. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** The sender's clock, milliseconds since 1970: a claim. */
  readonly timeMs: number;
  /** What it says; null for the sender, who cannot read it, and where `problem` says why. */
  readonly text: string | null;
  /** Why the receiver cannot read it. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** Some sealed messages, newest first. */
export interface SealedPage {
  readonly messages: readonly SealedMessage[];
  /** The last one, to go on before it; null when there are no older ones. */
  readonly next: string | null;
}
"#;

#[wasm_bindgen]
impl MeshNode {
    /// Writes a message that only one node can read, wherever it is; resolves when it is written.
    #[wasm_bindgen(js_name = sendMessage, unchecked_return_type = "Promise<SealedMessage>")]
    pub fn send_message(
        &self,
        #[wasm_bindgen(unchecked_param_type = "{ to: string; text: string }")] options: &JsValue,
    ) -> Promise {
        match letter(options) {
            Ok(command) => self.ask(command, |reply| match reply {
                Reply::Message(view) => Some(message(&view)),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Sealed messages from and to this node, newest first, at most 128.
    #[wasm_bindgen(unchecked_return_type = "Promise<SealedPage>")]
    pub fn messages(
        &self,
        #[wasm_bindgen(unchecked_param_type = "{ before?: string; count?: number }")]
        options: &JsValue,
    ) -> Promise {
        match pages(options) {
            Ok(command) => self.ask(command, |reply| match reply {
                Reply::Messages(found) => Some(page(&found)),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }
}

fn letter(options: &JsValue) -> Result<Command, Problem> {
    let reader = Reader::new("options", options)?;
    Ok(Command::SendMessage { to: reader.text("to")?, text: reader.text("text")? })
}

fn pages(options: &JsValue) -> Result<Command, Problem> {
    let reader = Reader::new("options", options)?;
    let count_max = match reader.get("count")? {
        Some(_) => usize::try_from(reader.whole("count")?).unwrap_or(usize::MAX),
        None => limits::SEALED_PAGE_MAX,
    };
    Ok(Command::Messages { before: reader.text_or_none("before")?, count_max })
}

fn page(page: &Page) -> JsValue {
    let next = page.next.map_or(JsValue::NULL, |id| id.to_string().into());
    let messages = page.messages.iter().map(message).collect::<Array>();
    object([("messages", messages.into()), ("next", next)])
}

fn message(view: &View) -> JsValue {
    let text = view.text.as_ref().and_then(|text| text.as_ref().ok());
    let problem = view.text.as_ref().and_then(|text| text.as_ref().err()).map(|error| {
        let message = error.to_string();
        object([("code", error.code().into()), ("message", message.into())])
    });
    object([
        ("id", view.id.to_string().into()),
        ("from", view.from.to_string().into()),
        ("to", view.to.to_string().into()),
        ("timeMs", count(view.time_ms)),
        ("text", text.map_or(JsValue::NULL, |text| text.as_str().into())),
        ("problem", problem.unwrap_or(JsValue::NULL)),
    ])
}
