//! Groups of nodes: invitations, commands, crashes, strangers.

use super::mesh::Mesh;
use crate::effect::Effect;
use crate::effect::{Command, Input};
use crate::event::{GroupView, Problem, Reply};
use crate::group::{Body, Genesis, Message, Operation, Packet, Receipt, Task, TaskState};
use crate::identity::AuthorId;
use crate::rng::Rng;

fn author(mesh: &Mesh, member: usize) -> AuthorId {
    mesh.members[member].secrets.author()
}

/// Nodes of which the first three are a group of the name `work`.
fn group(seed: u64, nodes: usize) -> Mesh {
    let mut mesh = Mesh::running(seed, nodes);
    mesh.run_for(5_000);
    let members = vec![author(&mesh, 1), author(&mesh, 2)];
    let created = mesh.ask(0, Command::CreateGroup { name: "work".to_owned(), members });
    assert!(matches!(created, Ok(Reply::Group(_))), "{created:?}");
    mesh.run_for(8_000);
    mesh
}

fn views(mesh: &mut Mesh, member: usize) -> Vec<GroupView> {
    match mesh.ask(member, Command::Groups) {
        Ok(Reply::Groups(views)) => views,
        other => panic!("{other:?}"),
    }
}

fn leader(mesh: &mut Mesh, among: &[usize]) -> usize {
    let leads = |at: &&usize| views(mesh, **at)[0].role == "leader";
    *among.iter().find(leads).expect("somebody leads")
}

fn change(mesh: &mut Mesh, member: usize, operation: Operation) -> Result<Reply, Problem> {
    let command = mesh.command(member, Command::ChangeTask { group: "work".to_owned(), operation });
    mesh.run_until(20_000, |mesh| mesh.members[member].replies.contains_key(&command));
    mesh.members[member].replies[&command].clone()
}

fn assign(task: &str) -> Operation {
    Operation::Assign { task: task.to_owned(), assignee: None, payload: vec![1] }
}

fn take(task: &str) -> Operation {
    Operation::Take { task: task.to_owned(), version: None }
}

fn tasks(mesh: &mut Mesh, member: usize) -> Vec<Task> {
    let command = mesh.command(member, Command::Tasks { group: "work".to_owned() });
    mesh.run_until(20_000, |mesh| mesh.members[member].replies.contains_key(&command));
    match &mesh.members[member].replies[&command] {
        Ok(Reply::Tasks(tasks)) => tasks.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_listed_is_in_the_group_and_nobody_else() {
    let mut mesh = group(1, 4);
    for member in 0..3 {
        let views = views(&mut mesh, member);
        assert_eq!((views.len(), views[0].name.as_str()), (1, "work"));
        assert_eq!(views[0].members.len(), 3);
        assert!(views[0].leader.is_some());
    }
    assert_eq!(views(&mut mesh, 3), []);
}

#[test]
fn a_task_is_taken_by_one_member_and_all_see_it() {
    let mut mesh = group(2, 3);
    assert!(change(&mut mesh, 1, assign("one")).is_ok());
    assert!(change(&mut mesh, 2, take("one")).is_ok());
    let late = change(&mut mesh, 0, take("one")).expect_err("it is taken");
    assert_eq!(late.code, "task-holder");
    let holder = TaskState::Taken(author(&mesh, 2));
    for member in 0..3 {
        let tasks = tasks(&mut mesh, member);
        assert_eq!((tasks.len(), tasks[0].state), (1, holder));
    }
}

#[test]
fn the_leader_crashes_and_nothing_acknowledged_is_lost() {
    let mut mesh = group(3, 3);
    let first = leader(&mut mesh, &[0, 1, 2]);
    for number in 0..5 {
        assert!(change(&mut mesh, first, assign(&format!("before {number}"))).is_ok());
    }
    mesh.crash(first);
    mesh.run_for(10_000);
    let rest: Vec<usize> = (0..3).filter(|at| *at != first).collect();
    let next = leader(&mut mesh, &rest);
    assert!(change(&mut mesh, next, assign("after")).is_ok());
    assert_eq!(tasks(&mut mesh, rest[0]).len(), 6);
    mesh.start(first);
    mesh.run_for(10_000);
    assert_eq!(tasks(&mut mesh, first).len(), 6, "its store brought it back into the group");
}

#[test]
fn a_member_that_is_added_learns_of_the_group_and_takes_part() {
    let mut mesh = group(4, 4);
    assert!(change(&mut mesh, 0, assign("one")).is_ok());
    let added =
        Command::ChangeMember { group: "work".to_owned(), member: author(&mesh, 3), joins: true };
    let command = mesh.command(1, added);
    mesh.run_for(10_000);
    assert!(matches!(&mesh.members[1].replies[&command], Ok(Reply::Group(group))
        if group.members.len() == 4));
    assert!(change(&mut mesh, 3, take("one")).is_ok());
    assert_eq!(tasks(&mut mesh, 0)[0].state, TaskState::Taken(author(&mesh, 3)));
}

#[test]
fn without_a_majority_a_command_says_so_in_the_end() {
    let mut mesh = group(5, 3);
    mesh.crash(1);
    mesh.crash(2);
    let refused = change(&mut mesh, 0, assign("one")).expect_err("nobody else is there");
    assert_eq!(refused.code, "group-timeout");
    let unknown = Command::Tasks { group: "play".to_owned() };
    assert_eq!(mesh.ask(0, unknown).expect_err("no such group").code, "group-unknown");
}

/// A member of another group with the same members, who does not know this one's secret.
#[test]
fn a_packet_with_another_secret_changes_nothing() {
    let mut mesh = group(6, 4);
    let (network, members) = (mesh.network(), (0..3).map(|at| author(&mesh, at)).collect());
    let foreign = Genesis::new(network, "work", members, &mut Rng::from_u64(9)).unwrap();
    let term = views(&mut mesh, 0)[0].term;
    let group = views(&mut mesh, 0)[0].id;
    let message = Message { term: 99, body: Body::Voted { granted: true } };
    let Packet::Message { secret, message, .. } = Packet::new(&foreign, message) else { panic!() };
    let bytes = Packet::Message { group, secret, message }.encode();
    let peer = mesh.transport(3);
    let effects = mesh.poke(0, Input::Told { peer, token: 77, bytes });
    let receipt = effects.iter().find_map(|effect| match effect {
        Effect::Respond { token: 77, bytes } => Receipt::decode(bytes).ok(),
        _ => None,
    });
    assert_eq!(receipt, Some(Receipt::Refused));
    assert_eq!(views(&mut mesh, 0)[0].term, term);
}

/// A host's timer fired a millisecond early: nothing was due, no other timer was set, and the node
/// slept until somebody said something. Groups then had an election in a minute.
#[test]
fn a_timer_that_fires_early_is_set_again() {
    let mut mesh = group(7, 3);
    let early = mesh.poke(0, Input::Tick);
    assert!(early.iter().any(|effect| matches!(effect, Effect::SetTimer { .. })), "{early:?}");
}
