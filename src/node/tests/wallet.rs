//! Owners pay and take names through their nodes, across restarts and in conflict.

use super::mesh::Mesh;
use crate::effect::{Command, Intention};
use crate::event::{
    ItemState, ItemView, MovementPage, NameView, Problem, Reply, Reveal, WalletView,
};
use crate::identity::AuthorId;
use crate::units::MicroCredits;

/// What every author has in the genesis of [`Mesh::deciding`].
const MINTED: u64 = 1_000;

fn running(seed: u64) -> Mesh {
    let mut mesh = Mesh::deciding(seed, 5, &[1; 4]);
    for member in 0..5 {
        mesh.start(member);
    }
    mesh.run_for(10_000);
    mesh
}

fn author(mesh: &Mesh, member: usize) -> AuthorId {
    mesh.members[member].secrets.author()
}

fn operate(mesh: &mut Mesh, member: usize, wish: Intention) -> Result<ItemView, Problem> {
    match mesh.ask(member, Command::Operate(wish))? {
        Reply::Item(view) => Ok(view),
        other => panic!("{other:?}"),
    }
}

fn pay(mesh: &mut Mesh, member: usize, to: usize, amount: u64) -> Result<ItemView, Problem> {
    let (to, memo) = (author(mesh, to), "tea".to_owned());
    operate(mesh, member, Intention::Pay { to, amount: MicroCredits(amount), memo })
}

fn wallet(mesh: &mut Mesh, member: usize, account: Option<AuthorId>) -> WalletView {
    match mesh.ask(member, Command::Wallet { account }) {
        Ok(Reply::Wallet(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn history(mesh: &mut Mesh, member: usize, from: u64, count_max: usize) -> MovementPage {
    match mesh.ask(member, Command::WalletHistory { account: None, from, count_max }) {
        Ok(Reply::WalletHistory(page)) => page,
        other => panic!("{other:?}"),
    }
}

fn name(mesh: &mut Mesh, member: usize, label: &str) -> NameView {
    match mesh.ask(member, Command::Name { label: label.to_owned() }) {
        Ok(Reply::Name(view)) => view,
        other => panic!("{other:?}"),
    }
}

fn balances(mesh: &mut Mesh, member: usize) -> Vec<u64> {
    let authors: Vec<AuthorId> = (0..5).map(|other| author(mesh, other)).collect();
    authors.iter().map(|author| wallet(mesh, member, Some(*author)).balance.0).collect()
}

fn commit(label: &str) -> Intention {
    Intention::CommitName { label: label.to_owned() }
}

fn register(label: &str) -> Intention {
    let addresses = vec!["/dns/example.org/tcp/1/ws".to_owned()];
    Intention::RegisterName { label: label.to_owned(), addresses }
}

#[test]
fn payments_follow_one_another_without_waiting_and_arrive_everywhere() {
    let mut mesh = running(1);
    let before = wallet(&mut mesh, 4, None);
    assert_eq!(
        (before.open, before.balance, before.next_sequence),
        (true, MicroCredits(MINTED), 0)
    );
    // Five in a row, of which none waits for the one before; the sixth would be too much.
    let item = pay(&mut mesh, 4, 0, 200).unwrap().item;
    for _ in 0..4 {
        pay(&mut mesh, 4, 0, 200).unwrap();
    }
    let refused = pay(&mut mesh, 4, 0, 1).unwrap_err();
    assert_eq!(refused.code, "overdraft");
    let under_way = wallet(&mut mesh, 4, None);
    assert_eq!(under_way.available, MicroCredits::ZERO);
    mesh.run_for(30_000);
    for member in 0..5 {
        assert_eq!(balances(&mut mesh, member), [2_000, 1_000, 1_000, 1_000, 0], "member {member}");
    }
    let after = wallet(&mut mesh, 4, None);
    assert_eq!((after.certified, after.next_sequence), (MicroCredits::ZERO, 5));
    let page = history(&mut mesh, 0, 0, 3);
    assert_eq!((page.movements.len(), page.movements[0].kind), (3, "transfer"));
    let rest = history(&mut mesh, 0, page.next.unwrap(), 3);
    assert_eq!((rest.movements.len(), rest.next), (2, None));
    let mut all = page.movements.iter().chain(&rest.movements);
    assert!(all.clone().all(|moved| moved.amount.0 == 200 && moved.memo == "tea"));
    assert!(all.any(|moved| moved.item == item));
    assert!(history(&mut mesh, 1, 0, 9).movements.is_empty(), "it neither paid nor was paid");
}

/// A start finds them again by the hashes of their keys.
#[test]
fn a_restarted_node_lists_payments_in_the_order_in_which_they_were_made() {
    let mut mesh = running(208);
    for amount in 1..=12 {
        pay(&mut mesh, 0, 1, amount).unwrap();
        // A checkpoint between them.
        mesh.run_for(15_000);
    }
    let amounts = |mesh: &mut Mesh| -> Vec<u64> {
        let movements = history(mesh, 1, 0, 100).movements;
        movements.iter().map(|movement| movement.amount.0).collect()
    };
    assert_eq!(amounts(&mut mesh), (1..=12).collect::<Vec<u64>>());
    mesh.crash(1);
    mesh.start(1);
    mesh.run_for(5_000);
    assert_eq!(amounts(&mut mesh), (1..=12).collect::<Vec<u64>>());
}

#[test]
fn what_cannot_be_done_is_refused_and_nothing_is_written() {
    let mut mesh = running(2);
    let vertices = |mesh: &mut Mesh| match mesh.ask(4, Command::Status) {
        Ok(Reply::Status(status)) => status.vertices,
        other => panic!("{other:?}"),
    };
    let before = vertices(&mut mesh);
    let me = author(&mesh, 4);
    let rows = [
        (
            Intention::Pay { to: me, amount: MicroCredits(1), memo: String::new() },
            "payment-to-oneself",
        ),
        (
            Intention::Pay { to: author(&mesh, 0), amount: MicroCredits(0), memo: String::new() },
            "amount-invalid",
        ),
        (
            Intention::Pay {
                to: author(&mesh, 0),
                amount: MicroCredits(u64::MAX),
                memo: String::new(),
            },
            "amount-invalid",
        ),
        (commit("No Name"), "name-invalid"),
        (register("mesh"), "name-commitment"),
        (Intention::RenewName { label: "mesh".to_owned() }, "name-free"),
    ];
    for (wish, code) in rows {
        assert_eq!(operate(&mut mesh, 4, wish).unwrap_err().code, code);
    }
    assert_eq!(vertices(&mut mesh), before);
    let mut causal = Mesh::running(3, 1);
    assert_eq!(pay(&mut causal, 0, 0, 1).unwrap_err().code, "no-committee");
}

#[test]
fn a_name_is_taken_in_two_steps_and_a_restart_between_them_forgets_nothing() {
    let mut mesh = running(4);
    operate(&mut mesh, 4, commit("mesh.dark")).unwrap();
    assert_eq!(name(&mut mesh, 4, "mesh").reveal, Reveal::Waiting);
    assert_eq!(operate(&mut mesh, 4, commit("mesh")).unwrap_err().code, "name-committed");
    mesh.crash(4);
    mesh.start(4);
    assert!(mesh.run_until(60_000, |mesh| {
        let engine = mesh.node(4).deciding.engine.quorum().unwrap();
        engine.last_checkpoint().is_some_and(|last| last.height == 1)
    }));
    assert_eq!(name(&mut mesh, 4, "mesh").reveal, Reveal::Ready);
    // Who learns of the name now is too late: its own commitment would be too young.
    operate(&mut mesh, 0, commit("mesh")).unwrap();
    let item = operate(&mut mesh, 4, register("mesh")).unwrap().item;
    mesh.run_for(30_000);
    for member in 0..5 {
        let view = name(&mut mesh, member, "mesh");
        let held = view.held.unwrap();
        assert_eq!((held.owner, held.version), (author(&mesh, 4), 1), "member {member}");
        assert_eq!(view.mine, member == 4);
        let shown = mesh.ask(member, Command::Item { item: item.to_string() });
        assert!(matches!(shown, Ok(Reply::Item(view)) if view.state == ItemState::Final));
    }
    assert_eq!(operate(&mut mesh, 0, register("mesh")).unwrap_err().code, "name-taken");
    let expires = name(&mut mesh, 0, "mesh").held.unwrap().expires;
    operate(&mut mesh, 4, Intention::RenewName { label: "mesh".to_owned() }).unwrap();
    mesh.run_for(10_000);
    assert!(name(&mut mesh, 0, "mesh").held.unwrap().expires > expires);
    let to = author(&mesh, 1);
    operate(&mut mesh, 4, Intention::TransferName { label: "mesh".to_owned(), to }).unwrap();
    mesh.run_for(10_000);
    let Ok(Reply::Names(names)) = mesh.ask(1, Command::Names { owner: Some(to) }) else {
        panic!("no names");
    };
    assert_eq!(
        names.iter().map(|view| (&*view.name, view.mine)).collect::<Vec<_>>(),
        [("mesh.dark", true)]
    );
}
