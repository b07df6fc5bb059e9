//! Groups for JavaScript: who is in them, and what is to be done.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effect::Command;
use crate::event::{GroupView, Problem, Reply};
use crate::group::{Operation, Task, TaskState};
use crate::identity::AuthorId;
use crate::wasm::node::{MeshNode, rejected};
use crate::wasm::number::count;
use crate::wasm::object::{Reader, bytes, object, texts};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A group: three to seven nodes that trust each other and share out tasks. Bears crashes only. */
export interface GroupView {
  readonly id: string;
  readonly name: string;
  /** What this node does in it; `none`: it is no member, not yet or not any more. */
  readonly role: "leader" | "follower" | "candidate" | "none";
  /** Node id of the leader, as far as this node knows; null without one. */
  readonly leader: string | null;
  /** Changes with every election. */
  readonly term: number;
  /** Entries of the log, and how many of them a majority has (count). */
  readonly last: number;
  readonly commit: number;
  /** Node ids. */
  readonly members: readonly string[];
  /** Tasks that it remembers (count). */
  readonly tasks: number;
}

/** Something to be done by one member. */
export interface GroupTask {
  readonly name: string;
  /** Node id of who alone may take it; null: anybody. */
  readonly assignee: string | null;
  /** What it is, up to 1024 bytes. */
  readonly payload: Uint8Array;
  readonly state: "open" | "taken" | "done";
  /** Node id of who took it or has done it. */
  readonly holder: string | null;
  /** Grows with every change. */
  readonly version: number;
}

/** A change of one task. With a version it is made only if that still is the task's. */
export type GroupTaskChange =
  | { readonly kind: "assign"; readonly task: string; readonly assignee?: string | null;
      readonly payload?: Uint8Array }
  | { readonly kind: "take" | "release" | "done"; readonly task: string;
      readonly version?: number };
"#;

#[wasm_bindgen]
impl MeshNode {
    /// Begins a group of this node and two to six others, by their node ids. They are members by
    /// being listed.
    #[wasm_bindgen(js_name = createGroup, unchecked_return_type = "Promise<GroupView>")]
    pub fn create_group(
        &self,
        #[wasm_bindgen(unchecked_param_type = "{ name: string; members: readonly string[] }")]
        options: &JsValue,
    ) -> Promise {
        match created(options) {
            Ok(command) => self.ask(command, group_view),
            Err(problem) => rejected(problem),
        }
    }

    /// The groups that this node is in.
    #[wasm_bindgen(unchecked_return_type = "Promise<GroupView[]>")]
    pub fn groups(&self) -> Promise {
        self.ask(Command::Groups, |reply| match reply {
            Reply::Groups(groups) => Some(groups.iter().map(group).collect::<Array>().into()),
            _ => None,
        })
    }

    /// The tasks of a group, by name or id, as a majority knows them at this moment.
    #[wasm_bindgen(js_name = groupTasks, unchecked_return_type = "Promise<GroupTask[]>")]
    pub fn group_tasks(&self, group: String) -> Promise {
        self.ask(Command::Tasks { group }, |reply| match reply {
            Reply::Tasks(tasks) => Some(tasks.iter().map(task).collect::<Array>().into()),
            _ => None,
        })
    }

    /// Changes a task; resolves when a majority has it, to the task as it is then, or null if the
    /// group has forgotten it by now.
    #[wasm_bindgen(js_name = changeTask, unchecked_return_type = "Promise<GroupTask | null>")]
    pub fn change_task(
        &self,
        group: String,
        #[wasm_bindgen(unchecked_param_type = "GroupTaskChange")] change: &JsValue,
    ) -> Promise {
        match operation(change) {
            Ok(operation) => self.ask(Command::ChangeTask { group, operation }, |reply| {
                let Reply::Task(changed) = reply else { return None };
                Some(changed.map_or(JsValue::NULL, |changed| task(&changed)))
            }),
            Err(problem) => rejected(problem),
        }
    }

    /// Adds a node to a group, or removes one; resolves when a majority has it.
    #[wasm_bindgen(js_name = changeMember, unchecked_return_type = "Promise<GroupView>")]
    pub fn change_member(&self, group: String, member: &str, joins: bool) -> Promise {
        match author(member) {
            Ok(member) => self.ask(Command::ChangeMember { group, member, joins }, group_view),
            Err(problem) => rejected(problem),
        }
    }
}

fn created(options: &JsValue) -> Result<Command, Problem> {
    let reader = Reader::new("options", options)?;
    let members = reader.texts("members")?;
    let members = members.iter().map(|member| author(member)).collect::<Result<_, _>>()?;
    Ok(Command::CreateGroup { name: reader.text("name")?, members })
}

fn operation(change: &JsValue) -> Result<Operation, Problem> {
    let reader = Reader::new("change", change)?;
    let task = reader.text("task")?;
    let version = match reader.get("version")? {
        Some(_) => Some(reader.exact("version")?),
        None => None,
    };
    Ok(match reader.text("kind")?.as_str() {
        "assign" => Operation::Assign {
            task,
            assignee: reader.text_or_none("assignee")?.map(|text| author(&text)).transpose()?,
            payload: reader.bytes_or_none("payload")?.unwrap_or_default(),
        },
        "take" => Operation::Take { task, version },
        "release" => Operation::Release { task, version },
        "done" => Operation::Done { task, version },
        _ => return Err(reader.must_be("kind", "assign, take, release or done")),
    })
}

fn author(text: &str) -> Result<AuthorId, Problem> {
    text.parse().map_err(|error: crate::identity::Error| Problem {
        code: "bad-node-id",
        message: error.to_string(),
        hint: "use the node id that `synaptic-mesh status` shows".to_owned(),
    })
}

fn group_view(reply: Reply) -> Option<JsValue> {
    match reply {
        Reply::Group(view) => Some(group(&view)),
        _ => None,
    }
}

fn group(view: &GroupView) -> JsValue {
    object([
        ("id", view.id.to_string().into()),
        ("name", view.name.as_str().into()),
        ("role", view.role.into()),
        ("leader", name_of(view.leader)),
        ("term", count(view.term)),
        ("last", count(view.last)),
        ("commit", count(view.commit)),
        ("members", texts(&view.members)),
        ("tasks", view.tasks.into()),
    ])
}

fn task(task: &Task) -> JsValue {
    let (state, holder) = match task.state {
        TaskState::Open => ("open", None),
        TaskState::Taken(holder) => ("taken", Some(holder)),
        TaskState::Done(holder) => ("done", Some(holder)),
    };
    object([
        ("name", task.name.as_str().into()),
        ("assignee", name_of(task.assignee)),
        ("payload", bytes(&task.payload)),
        ("state", state.into()),
        ("holder", name_of(holder)),
        ("version", count(task.version)),
    ])
}

fn name_of(author: Option<AuthorId>) -> JsValue {
    author.map_or(JsValue::NULL, |author| author.to_string().into())
}
