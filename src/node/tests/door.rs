//! Permissioned networks: who is in the history, and whom the door lets in.

use super::mesh::Mesh;
use super::stranger::Stranger;
use crate::dag::invite::{InviteId, Order, Refused, Terms, Ticket};
use crate::effect::{Command, Verdict};
use crate::event::Reply;
use crate::genesis::{Admission, Engine, Genesis};
use crate::message::{Refusal, Request};

const DAY_MS: u64 = 86_400_000;

/// Members of a network in which the first may invite; none of them running.
fn permissioned(seed: u64, members: usize) -> Mesh {
    let mut mesh = Mesh::new(seed, members);
    let inviters = vec![mesh.members[0].secrets.author()];
    let admission = Some(Admission { inviters, allowed: Vec::new() });
    let (committee, balances) = (Vec::new(), Vec::new());
    let genesis =
        Genesis::with_admission(Engine::Quorum, committee, balances, [7; 32], admission).unwrap();
    assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis));
    mesh.network = genesis.network();
    mesh.genesis = Some(genesis);
    mesh
}

fn invite(mesh: &mut Mesh, uses: u32) -> Ticket {
    let until_ms = mesh.now(0).unix_ms + DAY_MS;
    let terms = Terms { author: None, uses, until_ms };
    match mesh.ask(0, Command::Invites(Order::Make(terms))) {
        Ok(Reply::Ticket(ticket)) => *ticket,
        other => panic!("{other:?}"),
    }
}

/// The inviter and others that came by one invite, all running.
fn entered(seed: u64, members: usize) -> (Mesh, Ticket) {
    let mut mesh = permissioned(seed, members);
    mesh.start(0);
    mesh.run_for(1_000);
    let ticket = invite(&mut mesh, 2);
    mesh.ticket = Some(ticket.clone());
    for member in 1..members {
        mesh.start(member);
    }
    mesh.run_for(10_000);
    (mesh, ticket)
}

/// Somebody with this ticket, or none.
fn stranger(seed: u64, mesh: &Mesh, ticket: Option<&Ticket>) -> Stranger {
    let mut stranger = Stranger::new(seed, mesh.network());
    let pass = ticket.map(|ticket| ticket.pass_of(&stranger.author()));
    stranger.identity = stranger.sign(&stranger.identity.vertex().clone().with_pass(pass));
    stranger
}

fn judged(
    mesh: &Mesh,
    member: usize,
    (stranger, ticket): (&Stranger, Option<&Ticket>),
    called: bool,
) -> Result<(), Refused> {
    let pass = ticket.map(|ticket| ticket.pass_of(&stranger.author())).unwrap_or_default();
    let door = mesh.node(member).door().unwrap();
    door.judge(&stranger.author(), &pass, called, mesh.now(member).unix_ms)
}

#[test]
fn a_network_has_a_door_when_its_genesis_says_so_and_none_otherwise() {
    let (mesh, _) = entered(1, 2);
    assert!(mesh.node(1).door().is_some());
    let mut open = Mesh::running(1, 1);
    assert!(open.node(0).door().is_none());
    assert_eq!(open.ask(0, Command::Invites(Order::List)).unwrap_err().code, "not-permissioned");
    // And nothing is ever final in it, although it has a genesis.
    assert!(mesh.node(0).consensus().unwrap().committee().is_none());
}

#[test]
fn without_an_invite_of_its_own_a_node_is_not_made() {
    let (mut mesh, ticket) = entered(2, 2);
    mesh.add_member(2);
    mesh.ticket = None;
    assert_eq!(mesh.make(2, Vec::new()).unwrap_err().code(), "uninvited");
    let foreign = invite(&mut permissioned_running(9), 1);
    mesh.ticket = Some(foreign);
    assert_eq!(mesh.make(2, Vec::new()).unwrap_err().code(), "invite-foreign");
    mesh.ticket = Some(ticket);
    assert!(mesh.make(2, Vec::new()).is_ok(), "control");
}

fn permissioned_running(seed: u64) -> Mesh {
    let mut mesh = permissioned(seed, 1);
    mesh.genesis.as_mut().unwrap().nonce = [8; 32];
    mesh.network = mesh.genesis.as_ref().unwrap().network();
    mesh.start(0);
    mesh.run_for(1_000);
    mesh
}

#[test]
fn who_entered_by_an_invite_is_a_member_for_all_and_after_a_restart_without_it() {
    let (mut mesh, _) = entered(3, 3);
    let authors: Vec<_> = mesh.members.iter().map(|member| member.secrets.author()).collect();
    for member in 0..3 {
        for author in &authors {
            assert!(mesh.node(member).graph().author(author).is_some());
        }
    }
    mesh.crash(1);
    mesh.ticket = None;
    mesh.start(1);
    mesh.run_for(5_000);
    assert!(mesh.node(1).peers.known().count() > 0);
}

/// With its own software and a member's carelessness, or its help, a stranger comes as far as the
/// sync protocol and gossip. Its vertices count nowhere; with an invite the same ones do.
#[test]
fn the_vertices_of_a_stranger_are_refused_however_they_come() {
    let (mut mesh, ticket) = entered(4, 3);
    let mut without = stranger(1, &mesh, None);
    without.connect(&mut mesh, 0);
    let hello = Request::Hello(without.hello());
    assert_eq!(without.refusal(&mut mesh, 0, &hello), Refusal::Identity);
    let mut with = stranger(2, &mesh, Some(&ticket));
    let (outside, inside) = (without.identity.encode(), with.identity.encode());
    with.greet(&mut mesh, 0);
    let gossip = |with: &mut Stranger, mesh: &mut Mesh, bytes: &[u8]| with.gossip(mesh, 0, bytes);
    assert_eq!(gossip(&mut with, &mut mesh, &outside), Verdict::Reject);
    let another = stranger(3, &mesh, Some(&ticket)).identity.encode();
    assert_eq!(gossip(&mut with, &mut mesh, &another), Verdict::Accept, "control");
    let node = mesh.node(0);
    assert!(node.graph().author(&without.author()).is_none());
    assert!(node.graph().author(&with.author()).is_some());
    assert_ne!(outside, inside);
    // Control: in an open network the same stranger is taken.
    let mut open = Mesh::running(4, 1);
    let mut without = stranger(1, &open, None);
    without.greet(&mut open, 0);
    assert!(open.node(0).graph().author(&without.author()).is_some());
}

#[test]
fn an_invite_lets_in_as_many_as_it_is_for_and_those_again() {
    let (mesh, ticket) = entered(5, 2);
    let (first, second) = (stranger(1, &mesh, None), stranger(2, &mesh, None));
    for _ in 0..2 {
        // One of two is a member already; this one has said no hello yet.
        assert_eq!(judged(&mesh, 0, (&first, Some(&ticket)), false), Ok(()));
    }
    assert_eq!(judged(&mesh, 0, (&second, Some(&ticket)), false), Err(Refused::Used));
    assert_eq!(judged(&mesh, 0, (&second, None), false), Err(Refused::Uninvited));
    // Calling somebody does not make a member of it.
    assert_eq!(judged(&mesh, 0, (&second, Some(&ticket)), true), Err(Refused::Used));
}

#[test]
fn an_invite_that_ran_out_lets_nobody_in_but_who_is_in_stays() {
    let (mut mesh, ticket) = entered(6, 2);
    let late = stranger(1, &mesh, None);
    mesh.members[0].clock_skew_ms = i64::try_from(2 * DAY_MS).unwrap();
    assert_eq!(judged(&mesh, 0, (&late, Some(&ticket)), false), Err(Refused::Expired));
    assert_eq!(judged(&mesh, 1, (&late, Some(&ticket)), false), Ok(()), "its clock is behind");
    let member = mesh.members[1].secrets.author();
    let door = mesh.node(0).door().unwrap();
    let now_ms = mesh.now(0).unix_ms;
    assert_eq!(door.judge(&member, &ticket.pass_of(&member), false, now_ms), Ok(()));
    // Who knows nobody yet cannot tell, and asks the rule alone of those that it calls.
    mesh.add_member(2);
    mesh.members[2].clock_skew_ms = i64::try_from(2 * DAY_MS).unwrap();
    mesh.ticket = Some(ticket.clone());
    mesh.start_with(2, Vec::new());
    mesh.run_for(100);
    let door = mesh.node(2).door().unwrap();
    assert_eq!(door.judge(&member, &ticket.pass_of(&member), true, now_ms), Ok(()));
    let refused = door.judge(&member, &ticket.pass_of(&member), false, now_ms);
    assert_eq!(refused, Err(Refused::Expired));
}

#[test]
fn an_invite_that_was_taken_back_lets_nobody_in_anywhere_and_survives_restarts() {
    let (mut mesh, ticket) = entered(7, 2);
    let late = stranger(1, &mesh, None);
    let id: InviteId = ticket.invite.id();
    let refused = mesh.ask(1, Command::Invites(Order::Revoke(id))).unwrap_err();
    assert_eq!(refused.code, "not-inviter");
    assert_eq!(judged(&mesh, 1, (&stranger(2, &mesh, None), Some(&ticket)), false), Ok(()));
    mesh.ask(0, Command::Invites(Order::Revoke(id))).unwrap();
    mesh.run_for(5_000);
    for member in 0..2 {
        let judged = judged(&mesh, member, (&late, Some(&ticket)), false);
        assert_eq!(judged, Err(Refused::Revoked), "{member}");
    }
    mesh.crash(1);
    mesh.start(1);
    assert_eq!(judged(&mesh, 1, (&late, Some(&ticket)), false), Err(Refused::Revoked));
    let Ok(Reply::Invites(page)) = mesh.ask(1, Command::Invites(Order::List)) else {
        panic!("no list")
    };
    assert_eq!(page.inviters, [mesh.members[0].secrets.author()]);
    let [view] = page.invites.as_slice() else { panic!("{page:?}") };
    assert_eq!((view.id, view.revoked), (id, true));
    assert_eq!(view.holders, [mesh.members[1].secrets.author()]);
}

/// What a revocation says counts by who says it: a member's word does not close a door.
#[test]
fn a_revocation_by_somebody_who_may_not_invite_says_nothing() {
    let (mut mesh, ticket) = entered(8, 2);
    let mut member = stranger(1, &mesh, Some(&ticket));
    member.greet(&mut mesh, 0);
    let mut vertex = member.vertex(&member.identity, &[], 0);
    vertex.payloads = vec![crate::dag::Payload::Revocation { invite: ticket.invite.id() }];
    let signed = member.sign(&vertex);
    assert_eq!(member.gossip(&mut mesh, 0, &signed.encode()), Verdict::Accept);
    let Ok(Reply::Invites(page)) = mesh.ask(0, Command::Invites(Order::List)) else {
        panic!("no list")
    };
    assert!(page.invites.iter().all(|view| !view.revoked));
}

#[test]
fn invites_that_last_for_nothing_or_too_long_are_not_made() {
    let (mut mesh, _) = entered(9, 2);
    let now_ms = mesh.now(0).unix_ms;
    for (uses, until_ms) in [(1, now_ms), (0, now_ms + DAY_MS), (1, now_ms + 400 * DAY_MS)] {
        let terms = Terms { author: None, uses, until_ms };
        assert_eq!(
            mesh.ask(0, Command::Invites(Order::Make(terms))).unwrap_err().code,
            "invite-terms"
        );
    }
    let terms = Terms { author: None, uses: 1, until_ms: now_ms + DAY_MS };
    assert_eq!(mesh.ask(1, Command::Invites(Order::Make(terms))).unwrap_err().code, "not-inviter");
}
