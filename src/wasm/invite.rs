//! Invites of permissioned networks, for JavaScript: more methods of the class `MeshNode`.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::dag::invite::{Order, Page, Terms, Ticket, View};
use crate::effect::Command;
use crate::event::{Problem, Reply};
use crate::wasm::finality::ids;
use crate::wasm::node::{MeshNode, rejected, thrown};
use crate::wasm::number::count;
use crate::wasm::object::{Reader, bytes, object};
use crate::wasm::options;
use crate::wasm::promise::alive;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What an invite is made of. */
export interface InviteTerms {
  /** Node id of the only one it is for; for whoever has the link, if absent. */
  readonly node?: string;
  /** How many may enter with it, 1 to 1000; 1 unless given. */
  readonly uses?: number;
  /** Until when, in Unix milliseconds; at most a year away. */
  readonly untilMs: number;
}

/** An invite. */
export interface InviteInfo {
  /** Its id. */
  readonly id: string;
  /** Id of the network. */
  readonly network: string;
  readonly uses: number;
  readonly untilMs: number;
}

/** Invites that somebody entered with, or that were taken back. */
export interface InvitesView {
  readonly invites: readonly {
    readonly id: string;
    /** Node ids of those who entered with it. */
    readonly holders: readonly string[];
    readonly revoked: boolean;
  }[];
  /** Node ids of those who may invite. */
  readonly inviters: readonly string[];
}
"#;

#[wasm_bindgen]
impl MeshNode {
    /// Makes an invite, for the part `invite` of a join link: a secret of whoever gets it. Rejects
    /// with `not-permissioned`, `not-inviter`, `invite-terms`.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array>")]
    pub fn invite(
        &self,
        #[wasm_bindgen(unchecked_param_type = "InviteTerms")] options: &JsValue,
    ) -> Promise {
        match terms(options) {
            Ok(terms) => self.ask(Command::Invites(Order::Make(terms)), |reply| match reply {
                Reply::Ticket(ticket) => Some(bytes(&ticket.encode())),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Takes an invite back, by its id; resolves when that is written. Who has entered stays.
    #[wasm_bindgen(js_name = revokeInvite, unchecked_return_type = "Promise<void>")]
    pub fn revoke_invite(&self, id: &str) -> Promise {
        match id.parse() {
            Ok(invite) => {
                self.ask(Command::Invites(Order::Revoke(invite)), |_| Some(JsValue::UNDEFINED))
            }
            Err(_) => rejected(Problem {
                code: "bad-invite-id",
                message: "this is no id of an invite: it takes 52 characters".to_owned(),
                hint: "use one that `synaptic-mesh invite list` shows".to_owned(),
            }),
        }
    }

    /// Invites in use. Rejects with `not-permissioned`.
    #[wasm_bindgen(unchecked_return_type = "Promise<InvitesView>")]
    pub fn invites(&self) -> Promise {
        self.ask(Command::Invites(Order::List), |reply| match reply {
            Reply::Invites(page) => Some(page_view(&page)),
            _ => None,
        })
    }
}

/// What an invite in a join link says of itself; nobody has checked it.
///
/// # Errors
/// When the bytes are no invite.
#[wasm_bindgen(js_name = inspectInvite, unchecked_return_type = "InviteInfo")]
pub fn inspect_invite(invite: &[u8]) -> Result<JsValue, JsValue> {
    alive()?;
    let ticket = Ticket::decode(invite).map_err(options::not_invite).map_err(thrown)?;
    Ok(object([
        ("id", ticket.invite.id().to_string().into()),
        ("network", ticket.invite.network.to_string().into()),
        ("uses", ticket.invite.uses.into()),
        ("untilMs", count(ticket.invite.until_ms)),
    ]))
}

fn terms(options: &JsValue) -> Result<Terms, Problem> {
    let reader = Reader::new("options", options)?;
    let author = reader.text_or_none("node")?.map(|id| options::author_of(&id)).transpose()?;
    let uses = match reader.get("uses")? {
        Some(_) => reader.whole("uses")?,
        None => 1,
    };
    Ok(Terms { author, uses, until_ms: reader.exact("untilMs")? })
}

fn page_view(page: &Page) -> JsValue {
    let view = |view: &View| {
        object([
            ("id", view.id.to_string().into()),
            ("holders", ids(&view.holders)),
            ("revoked", view.revoked.into()),
        ])
    };
    let invites = page.invites.iter().map(view).collect::<Array>();
    object([("invites", invites.into()), ("inviters", ids(&page.inviters))])
}
