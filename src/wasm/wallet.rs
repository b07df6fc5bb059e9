//! Credits and names, for JavaScript: more methods of the class `MeshNode`.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effect::{Command, Intention};
use crate::event::{
    HoldView, MovementPage, MovementView, NameView, Problem, Reply, Reveal, WalletView,
};
use crate::identity::AuthorId;
use crate::limits;
use crate::units::MicroCredits;
use crate::wasm::node::{MeshNode, item_view, rejected};
use crate::wasm::number::count;
use crate::wasm::object::{Reader, object, texts};
use crate::wasm::options::author_of;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What an account has, in millionths of a credit. */
export interface WalletView {
  readonly account: string;
  /** Whether it was ever credited. */
  readonly open: boolean;
  /** By everything that is final. */
  readonly balance: number;
  /** What is left of that once the own payments under way are final. */
  readonly available: number;
  /** At the last checkpoint. */
  readonly certified: number;
  /** In how many holds its credits are set aside. */
  readonly holds: number;
  /** Position of what it spends next. */
  readonly nextSequence: number;
  /** Height of the last checkpoint. */
  readonly height: number;
}

/** A final operation that moved credits. */
export interface Movement {
  /** Its place in the order in which this node saw items become final, from 0. */
  readonly number: number;
  /** Id of its vertex and place of the payload in it: `bafy.../0`. */
  readonly item: string;
  readonly kind: "transfer" | "hold" | "release" | "refund";
  readonly from: string;
  readonly to: string;
  readonly microCredits: number;
  readonly memo: string;
}

/** Some of an account's history. */
export interface MovementPage {
  readonly movements: readonly Movement[];
  /** The number to go on from; null after the last. */
  readonly next: number | null;
}

/** Credits that are to be set aside for somebody. */
export interface HoldRequest extends Transfer {
  /** Node id of who else may release or refund. */
  readonly arbiter?: string;
  /** Height from which the payer may take them back alone; never without one. */
  readonly refundableFrom?: number;
}

/** Credits that are set aside. */
export interface Hold {
  /** Where it stands in the history: `bafy.../0`. */
  readonly item: string;
  readonly from: string;
  readonly to: string;
  readonly microCredits: number;
  readonly arbiter: string | null;
  readonly refundableFrom: number | null;
  /** Height of the last checkpoint. */
  readonly height: number;
}

/** How a hold is to end. */
export interface HoldEnd {
  /** Where it stands in the history. */
  readonly hold: string;
  readonly end: "release" | "refund";
}

/** A payment. */
export interface Transfer {
  /** The payee's node id. */
  readonly to: string;
  /** 1 to 2^53 - 1 millionths of a credit. */
  readonly microCredits: number;
  /** At most 128 bytes. */
  readonly memo?: string;
}

/** How a name stands. */
export interface NameView {
  /** Such as `mesh.dark`. */
  readonly name: string;
  /** Who has it; null when nobody has. */
  readonly owner: string | null;
  /** Changes so far; 0 when nobody has it. */
  readonly version: number;
  /**
   * Height from which somebody else may register it; 0 when nobody has it, and where decisions are
   * sampled: names do not expire there.
   */
  readonly expires: number;
  /** Where the owner can be reached, as multiaddrs. */
  readonly addresses: readonly string[];
  /** Whether this node has it. */
  readonly mine: boolean;
  /** How far this node's own registration is: `ready` when it can be revealed. */
  readonly reveal: "none" | "waiting" | "ready";
  /** Height of the last checkpoint. */
  readonly height: number;
}

/**
 * A change of a name. To register one, `commit` to it, wait until its `reveal` is `ready`, and
 * `register` it. Where decisions are sampled a free name is `ready` at once.
 */
export interface NameChange {
  readonly name: string;
  readonly change: "commit" | "register" | "update" | "renew" | "transfer";
  /** With `register` and `update`: at most 4 multiaddrs. */
  readonly addresses?: readonly string[];
  /** With `transfer`: the new owner's node id. */
  readonly to?: string;
}
"#;

#[wasm_bindgen]
impl MeshNode {
    /// What an account has; the own one unless another node id is given.
    #[wasm_bindgen(unchecked_return_type = "Promise<WalletView>")]
    pub fn wallet(&self, account: Option<String>) -> Promise {
        match account.map(|id| author_of(&id)).transpose() {
            Ok(account) => self.ask(Command::Wallet { account }, |reply| match reply {
                Reply::Wallet(view) => Some(wallet(&view)),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Final operations that moved credits of an account, from a number on.
    #[wasm_bindgen(js_name = walletHistory, unchecked_return_type = "Promise<MovementPage>")]
    pub fn wallet_history(
        &self,
        #[wasm_bindgen(
            unchecked_param_type = "{ account?: string; from?: number; count?: number }"
        )]
        options: &JsValue,
    ) -> Promise {
        match history(options) {
            Ok(command) => self.ask(command, |reply| match reply {
                Reply::WalletHistory(page) => Some(movements(&page)),
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Pays; resolves when that is written. It is final later: see `item`.
    #[wasm_bindgen(unchecked_return_type = "Promise<ItemView>")]
    pub fn transfer(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Transfer")] options: &JsValue,
    ) -> Promise {
        match payment(options) {
            Ok(pay) => self.ask(Command::Operate(pay), item_view),
            Err(problem) => rejected(problem),
        }
    }

    /// Sets credits aside for somebody; resolves when that is written.
    #[wasm_bindgen(unchecked_return_type = "Promise<ItemView>")]
    pub fn hold(
        &self,
        #[wasm_bindgen(unchecked_param_type = "HoldRequest")] options: &JsValue,
    ) -> Promise {
        match hold_request(options) {
            Ok(hold) => self.ask(Command::Operate(hold), item_view),
            Err(problem) => rejected(problem),
        }
    }

    /// Pays a hold out, or back; resolves when that is written.
    #[wasm_bindgen(js_name = endHold, unchecked_return_type = "Promise<ItemView>")]
    pub fn end_hold(
        &self,
        #[wasm_bindgen(unchecked_param_type = "HoldEnd")] options: &JsValue,
    ) -> Promise {
        match hold_end(options) {
            Ok(end) => self.ask(Command::Operate(end), item_view),
            Err(problem) => rejected(problem),
        }
    }

    /// Holds of an account that have not ended; the own one unless another node id is given.
    #[wasm_bindgen(unchecked_return_type = "Promise<Hold[]>")]
    pub fn holds(&self, account: Option<String>) -> Promise {
        match account.map(|id| author_of(&id)).transpose() {
            Ok(account) => self.ask(Command::Holds { account }, |reply| match reply {
                Reply::Holds(views) => {
                    Some(views.iter().map(hold_object).collect::<Array>().into())
                }
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// How a name stands.
    #[wasm_bindgen(unchecked_return_type = "Promise<NameView>")]
    pub fn name(&self, name: String) -> Promise {
        self.ask(Command::Name { label: name }, |reply| match reply {
            Reply::Name(view) => Some(name_object(&view)),
            _ => None,
        })
    }

    /// Names that have not expired, of this owner or of all.
    #[wasm_bindgen(unchecked_return_type = "Promise<NameView[]>")]
    pub fn names(&self, owner: Option<String>) -> Promise {
        match owner.map(|id| author_of(&id)).transpose() {
            Ok(owner) => self.ask(Command::Names { owner }, |reply| match reply {
                Reply::Names(views) => {
                    Some(views.iter().map(name_object).collect::<Array>().into())
                }
                _ => None,
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Changes a name; resolves when that is written. It is final later: see `item`.
    #[wasm_bindgen(js_name = changeName, unchecked_return_type = "Promise<ItemView>")]
    pub fn change_name(
        &self,
        #[wasm_bindgen(unchecked_param_type = "NameChange")] options: &JsValue,
    ) -> Promise {
        match name_change(options) {
            Ok(change) => self.ask(Command::Operate(change), item_view),
            Err(problem) => rejected(problem),
        }
    }
}

fn history(options: &JsValue) -> Result<Command, Problem> {
    let reader = Reader::new("options", options)?;
    let account = reader.text_or_none("account")?.map(|id| author_of(&id)).transpose()?;
    let from = if reader.get("from")?.is_some() { reader.exact("from")? } else { 0 };
    let count_max = match reader.get("count")? {
        Some(_) => usize::try_from(reader.whole("count")?).unwrap_or(usize::MAX),
        None => limits::FINALISED_PAGE_MAX,
    };
    Ok(Command::WalletHistory { account, from, count_max })
}

fn payment(options: &JsValue) -> Result<Intention, Problem> {
    let reader = Reader::new("options", options)?;
    let amount = MicroCredits(reader.exact("microCredits")?);
    let memo = reader.text_or_none("memo")?.unwrap_or_default();
    Ok(Intention::Pay { to: author(&reader)?, amount, memo })
}

fn hold_request(options: &JsValue) -> Result<Intention, Problem> {
    let reader = Reader::new("options", options)?;
    let amount = MicroCredits(reader.exact("microCredits")?);
    let memo = reader.text_or_none("memo")?.unwrap_or_default();
    let arbiter = reader.text_or_none("arbiter")?.map(|id| author_of(&id)).transpose()?;
    let refundable_from = match reader.get("refundableFrom")? {
        Some(_) => Some(reader.exact("refundableFrom")?),
        None => None,
    };
    Ok(Intention::Hold { to: author(&reader)?, amount, arbiter, refundable_from, memo })
}

fn hold_end(options: &JsValue) -> Result<Intention, Problem> {
    let reader = Reader::new("options", options)?;
    let hold = reader.text("hold")?;
    match reader.text("end")?.as_str() {
        "release" => Ok(Intention::Release { hold }),
        "refund" => Ok(Intention::Refund { hold }),
        _ => Err(reader.must_be("end", "release or refund")),
    }
}

fn name_change(options: &JsValue) -> Result<Intention, Problem> {
    let reader = Reader::new("options", options)?;
    let label = reader.text("name")?;
    Ok(match reader.text("change")?.as_str() {
        "commit" => Intention::CommitName { label },
        "register" => Intention::RegisterName { label, addresses: reader.texts("addresses")? },
        "update" => Intention::UpdateName { label, addresses: reader.texts("addresses")? },
        "renew" => Intention::RenewName { label },
        "transfer" => Intention::TransferName { label, to: author(&reader)? },
        _ => {
            let kinds = "commit, register, update, renew or transfer";
            return Err(reader.must_be("change", kinds));
        }
    })
}

fn author(reader: &Reader<'_>) -> Result<AuthorId, Problem> {
    author_of(&reader.text("to")?)
}

fn wallet(view: &WalletView) -> JsValue {
    object([
        ("account", view.account.to_string().into()),
        ("open", view.open.into()),
        ("balance", count(view.balance.0)),
        ("available", count(view.available.0)),
        ("certified", count(view.certified.0)),
        ("holds", view.holds.into()),
        ("nextSequence", count(view.next_sequence)),
        ("height", count(view.height)),
    ])
}

fn hold_object(view: &HoldView) -> JsValue {
    let HoldView { item, hold, height } = view;
    let arbiter = hold.arbiter.map_or(JsValue::NULL, |id| id.to_string().into());
    object([
        ("item", item.to_string().into()),
        ("from", hold.from.to_string().into()),
        ("to", hold.to.to_string().into()),
        ("microCredits", count(hold.amount.0)),
        ("arbiter", arbiter),
        ("refundableFrom", hold.refundable_from.map_or(JsValue::NULL, count)),
        ("height", count(*height)),
    ])
}

fn movements(page: &MovementPage) -> JsValue {
    let movement = |view: &MovementView| {
        object([
            ("number", count(view.number)),
            ("item", view.item.to_string().into()),
            ("kind", view.kind.into()),
            ("from", view.from.to_string().into()),
            ("to", view.to.to_string().into()),
            ("microCredits", count(view.amount.0)),
            ("memo", view.memo.as_str().into()),
        ])
    };
    object([
        ("movements", page.movements.iter().map(movement).collect::<Array>().into()),
        ("next", page.next.map_or(JsValue::NULL, count)),
    ])
}

/// A `NameView`.
pub(crate) fn name_object(view: &NameView) -> JsValue {
    let held = view.held.as_ref();
    let reveal = match view.reveal {
        Reveal::None => "none",
        Reveal::Waiting => "waiting",
        Reveal::Ready => "ready",
    };
    object([
        ("name", view.name.as_str().into()),
        ("owner", held.map_or(JsValue::NULL, |name| name.owner.to_string().into())),
        ("version", count(held.map_or(0, |name| name.version))),
        ("expires", count(held.map_or(0, |name| name.expires))),
        ("addresses", texts(held.map_or(&[][..], |name| &name.addresses))),
        ("mine", view.mine.into()),
        ("reveal", reveal.into()),
        ("height", count(view.height)),
    ])
}
