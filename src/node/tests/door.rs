//! Permissioned networks: who is in the history, and whom the door lets in.

use super::mesh::{Mesh, tiny_run};
use super::pruning::{KEPT, SHORT, pay_around};
use super::stranger::Stranger;
use crate::dag::BlobId;
use crate::dag::invite::{InviteId, Order, Refused, Terms, Ticket};
use crate::effect::{Command, Input, Verdict};
use crate::event::Reply;
use crate::genesis::{Admission, Engine, Genesis};
use crate::limits;
use crate::message::{
    Heads, Refusal, Refused as NotServed, Request, Response, WantBlob, WantVertices,
};
use crate::node::History;
use crate::units::MicroCredits;

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

/// The bug: who went on from a snapshot knew of no member and no revocation until it was started
/// again, and so refused members of old and let in whoever had an invite that was taken back.
#[test]
fn the_door_knows_what_a_snapshot_brought() {
    let mut mesh = Mesh::new(10, 6);
    let author = |mesh: &Mesh, member: usize| mesh.members[member].secrets.author();
    let seats = (0..4).map(|member| (author(&mesh, member), 1)).collect();
    let balances = (0..4).map(|member| (author(&mesh, member), MicroCredits(1_000))).collect();
    let admission = Admission { inviters: vec![author(&mesh, 0)], allowed: Vec::new() };
    let genesis =
        Genesis::with_admission(Engine::Quorum, seats, balances, [7; 32], Some(admission)).unwrap();
    mesh.network = genesis.network();
    (mesh.genesis, mesh.generation_bytes) = (Some(genesis), SHORT);
    mesh.members.iter_mut().for_each(|member| member.history = History::Newest(KEPT));
    for member in 0..4 {
        mesh.start(member);
    }
    mesh.run_for(10_000);
    let (old, taken) = (invite(&mut mesh, 1), invite(&mut mesh, 1));
    mesh.ticket = Some(old.clone());
    mesh.start(4);
    mesh.ask(0, Command::Invites(Order::Revoke(taken.invite.id()))).unwrap();
    pay_around(&mut mesh, &[0, 1, 2, 3], 40);
    assert!(mesh.node(0).graph().dropped() > 0);
    mesh.ticket = Some(invite(&mut mesh, 1));
    mesh.start(5);
    mesh.run_for(60_000);
    assert_eq!(mesh.node(5).counters.snapshot().get("snapshot-taken"), Some(&1));
    let pass = old.pass_of(&author(&mesh, 4));
    let door = mesh.node(5).door().unwrap();
    let late_ms = old.invite.until_ms + 1;
    assert_eq!(door.judge(&author(&mesh, 4), &pass, false, late_ms), Ok(()));
    let late = stranger(1, &mesh, None);
    assert_eq!(judged(&mesh, 5, (&late, Some(&taken)), false), Err(Refused::Revoked));
    assert_eq!(judged(&mesh, 5, (&late, Some(&old)), false), Err(Refused::Used));
}

/// The bug: an invite for one was shown at the door, another, that nobody would be let in by, stood
/// in the identity; so the first was as good as new for the next one.
#[test]
fn who_was_let_in_by_one_invite_is_not_booked_under_another() {
    let (mut mesh, spent) = entered(11, 2);
    let fresh = invite(&mut mesh, 1);
    let mut first = stranger(1, &mesh, Some(&spent));
    assert_eq!(judged(&mesh, 0, (&first, Some(&fresh)), false), Ok(()));
    first.connect(&mut mesh, 0);
    let hello = Request::Hello(first.hello());
    assert_eq!(first.refusal(&mut mesh, 0, &hello), Refusal::Identity);
    // A member may bring its identity all the same, which is valid. Then both are used.
    let own = invite_for(&mut mesh, 3);
    let mut member = stranger(3, &mesh, Some(&own));
    member.greet(&mut mesh, 0);
    let verdict = member.gossip(&mut mesh, 0, &first.identity.encode());
    assert_eq!(verdict, Verdict::Accept);
    let next = stranger(2, &mesh, None);
    assert_eq!(judged(&mesh, 0, (&next, Some(&fresh)), false), Err(Refused::Used));
    assert_eq!(judged(&mesh, 0, (&next, Some(&spent)), false), Err(Refused::Used));
    // Control: who shows what it has.
    let another = invite(&mut mesh, 1);
    let mut honest = stranger(4, &mesh, Some(&another));
    assert_eq!(judged(&mesh, 0, (&honest, Some(&another)), false), Ok(()));
    honest.greet(&mut mesh, 0);
}

/// An invite for the stranger of this seed alone.
fn invite_for(mesh: &mut Mesh, seed: u64) -> Ticket {
    let author = Some(Stranger::new(seed, mesh.network()).author());
    let terms = Terms { author, uses: 1, until_ms: mesh.now(0).unix_ms + DAY_MS };
    match mesh.ask(0, Command::Invites(Order::Make(terms))) {
        Ok(Reply::Ticket(ticket)) => *ticket,
        other => panic!("{other:?}"),
    }
}

/// The bug: the identity was signed and kept before any door was asked, so whoever had begun with
/// an invite that ran out could not enter with a new one: an author has one identity.
#[test]
fn an_identity_is_not_written_before_a_door_lets_it_in() {
    let (mut mesh, first) = entered(12, 2);
    mesh.add_member(2);
    mesh.start_with(2, Vec::new());
    let stop = mesh.command(2, Command::Stop);
    mesh.run_for(60_000);
    assert!(mesh.members[2].replies.contains_key(&stop), "it ends with nobody there");
    assert!(mesh.members[2].store.vertices.is_empty());
    mesh.crash(2);
    let second = invite(&mut mesh, 1);
    mesh.ticket = Some(second.clone());
    mesh.start(2);
    mesh.run_for(10_000);
    let author = mesh.members[2].secrets.author();
    let identity = mesh.node(0).graph().author(&author).and_then(|chain| chain.at(0)).unwrap();
    let pass = mesh.node(0).graph().get(&identity).unwrap().vertex().pass().map(<[u8]>::to_vec);
    assert_eq!(pass, Some(second.pass_of(&author)));
    // Once it is written it is shown, whatever links come.
    mesh.crash(2);
    mesh.ticket = Some(first);
    mesh.start(2);
    assert_eq!(mesh.node(2).door().unwrap().pass(), second.pass_of(&author));
}

/// What the owner wants meanwhile waits until there is somebody to say it to.
#[test]
fn what_is_written_outside_waits_for_the_door() {
    let (mut mesh, _) = entered(13, 2);
    mesh.add_member(2);
    mesh.start_with(2, Vec::new());
    let (spec, samples) = (Box::new(tiny_run(2, 2)), mesh.samples(2));
    let said = mesh.command(2, Command::StartRun { spec, samples });
    mesh.run_for(60_000);
    assert!(!mesh.members[2].replies.contains_key(&said));
    let effects = mesh.members[2].effects;
    mesh.run_for(60_000);
    assert!(mesh.members[2].effects < effects + 1_000, "it is busy with waiting");
    mesh.link(2, 0);
    assert!(mesh.run_until(10_000, |mesh| mesh.members[2].replies.contains_key(&said)));
}

/// The bug: a link without the genesis made a home of an open network out of one that takes members
/// only. Its strangers stayed in the store, and nothing was said of it.
#[test]
fn a_store_of_a_network_of_the_other_kind_is_refused() {
    let (mut mesh, _) = entered(14, 2);
    mesh.genesis = None;
    // The invite alone says that there is a genesis.
    assert_eq!(mesh.make(1, Vec::new()).unwrap_err().code(), "network-open");
    mesh.ticket = None;
    // Its members have invites, which an open network has not.
    assert_eq!(mesh.make(1, Vec::new()).unwrap_err().code(), "store-foreign");
    // And the other way: strangers came while it was taken for open.
    let mut mesh = permissioned(14, 1);
    let genesis = mesh.genesis.take();
    mesh.start(0);
    mesh.run_for(1_000);
    mesh.genesis.clone_from(&genesis);
    assert!(mesh.make(0, Vec::new()).is_ok(), "control");
    mesh.genesis = None;
    stranger(1, &mesh, None).greet(&mut mesh, 0);
    mesh.run_for(5_000);
    mesh.crash(0);
    mesh.genesis = genesis;
    assert_eq!(mesh.make(0, Vec::new()).unwrap_err().code(), "store-foreign");
}

/// Those that a new member finds by other ways than its link are nobody it was told of.
#[test]
fn a_new_member_spares_the_clock_only_those_of_its_link() {
    let (mut mesh, ticket) = entered(15, 2);
    mesh.add_member(2);
    mesh.ticket = Some(ticket);
    let bootstrap = vec![mesh.address(1)];
    mesh.start_with(2, bootstrap);
    let door = mesh.node(2).door().unwrap();
    assert!(door.calls(&mesh.transport(1)));
    assert!(!door.calls(&mesh.transport(0)));
    // Found on the local network; and one that the owner names.
    let address = mesh.address(0);
    mesh.ask(2, Command::Dial { address: address.clone() }).unwrap();
    assert!(!door.calls(&mesh.transport(0)));
    mesh.command(2, Command::Connect { address });
    assert!(door.calls(&mesh.transport(0)));
}

/// The bug: a node that its genesis lists, without a history, refused all members of its link whose
/// invites had run out.
#[test]
fn a_listed_newcomer_takes_members_of_old_by_their_signatures() {
    let mut mesh = permissioned(16, 2);
    let mut genesis = mesh.genesis.take().unwrap();
    genesis.admission.as_mut().unwrap().allowed = vec![mesh.members[1].secrets.author()];
    mesh.network = genesis.network();
    mesh.genesis = Some(genesis);
    mesh.start(0);
    mesh.start_with(1, Vec::new());
    mesh.run_for(1_000);
    let ticket = invite(&mut mesh, 1);
    let old = stranger(1, &mesh, None);
    let (pass, late_ms) = (ticket.pass_of(&old.author()), ticket.invite.until_ms + 1);
    let judge = |member: usize, called: bool| {
        mesh.node(member).door().unwrap().judge(&old.author(), &pass, called, late_ms)
    };
    assert_eq!(judge(1, true), Ok(()));
    assert_eq!(judge(1, false), Err(Refused::Expired));
    assert_eq!(judge(0, true), Err(Refused::Expired), "who invites knows whom");
}

#[test]
fn who_was_let_in_and_does_not_come_gives_way_after_a_while() {
    let (mut mesh, _) = entered(17, 2);
    let ticket = invite(&mut mesh, 1);
    let door = mesh.node(0).door().unwrap();
    let now_ms = mesh.now(0).unix_ms;
    let comes = |seed: u64, ms: u64| {
        let author = stranger(seed, &mesh, None).author();
        door.judge(&author, &ticket.pass_of(&author), false, now_ms + ms)
    };
    assert_eq!(comes(1, 0), Ok(()));
    assert_eq!(comes(2, limits::LET_IN_MS_MAX), Err(Refused::Used));
    assert_eq!(comes(2, limits::LET_IN_MS_MAX + 1), Ok(()));
    assert_eq!(comes(1, limits::LET_IN_MS_MAX + 2), Err(Refused::Used));
}

/// The bug: hellos of somebody who contradicted itself were refused, and its connections were not:
/// until its hello it could listen to what is gossiped.
#[test]
fn who_signed_two_vertices_for_one_place_does_not_come_back_in() {
    let (mut mesh, ticket) = entered(18, 2);
    let mut member = stranger(1, &mesh, Some(&ticket));
    member.greet(&mut mesh, 0);
    assert_eq!(judged(&mesh, 0, (&member, Some(&ticket)), false), Ok(()), "control");
    let first = member.next(&member.identity, 1);
    member.gossip(&mut mesh, 0, &first.encode());
    let second = member.next(&member.identity, 2);
    member.gossip(&mut mesh, 0, &second.encode());
    assert_eq!(judged(&mesh, 0, (&member, Some(&ticket)), false), Err(Refused::Ended));
    mesh.run_for(10_000);
    for node in 0..2 {
        assert_eq!(judged(&mesh, node, (&member, Some(&ticket)), false), Err(Refused::Ended));
    }
    mesh.crash(0);
    mesh.start(0);
    assert_eq!(judged(&mesh, 0, (&member, Some(&ticket)), false), Err(Refused::Ended));
}

/// Whoever may invite can have a program of its own, which signs invites for ever.
#[test]
fn an_invite_that_lasts_longer_than_any_may_lets_nobody_in() {
    let (mesh, _) = entered(19, 2);
    let (now_ms, late) = (mesh.now(0).unix_ms, stranger(1, &mesh, None));
    let until = |until_ms: u64| {
        let terms = Terms { author: None, uses: 1, until_ms };
        let key = mesh.members[0].secrets.signing_key();
        let ticket = Ticket::issue(mesh.network(), &key, terms, ([1; 32], [2; 32])).unwrap();
        judged(&mesh, 1, (&late, Some(&ticket)), false)
    };
    assert_eq!(until(u64::MAX), Err(Refused::Overlong));
    assert_eq!(until(now_ms + limits::INVITE_SPAN_MS_MAX), Ok(()), "control");
}

/// What a stranger would come to that a member's careless program has let in: the hello is the
/// second door, before every protocol that the node answers. The control is a stranger with an
/// invite, which says the same things.
#[test]
fn who_is_no_member_comes_to_no_protocol_behind_the_door_either() {
    let (mut mesh, ticket) = entered(20, 2);
    let blob = BlobId::of(b"a blob that nobody has");
    let asked = [
        Request::Blob(WantBlob { blob, offset: 0 }),
        Request::Vertices(WantVertices { ids: mesh.node(0).graph().heads(), height: 0 }),
        Request::Heads(Heads::default()),
    ];
    let outside = |mesh: &mut Mesh, with: Option<&Ticket>, seed: u64| {
        let mut stranger = stranger(seed, mesh, with);
        stranger.connect(mesh, 0);
        let hello = Request::Hello(stranger.hello());
        let mut answers = vec![stranger.request(mesh, 0, &hello)];
        answers.extend(asked.iter().map(|request| stranger.request(mesh, 0, request)));
        let before = mesh.node(0).counters.snapshot();
        let (peer, bytes) = (stranger.transport.clone(), vec![0; 9]);
        mesh.poke(0, Input::Told { peer: peer.clone(), token: 1, bytes: bytes.clone() });
        mesh.poke(0, Input::Cell { peer, token: 2, bytes });
        let after = mesh.node(0).counters.snapshot();
        let names = ["group-packet-before-hello", "onion-before-hello"];
        let is_early = names.map(|name| after.get(name) > before.get(name));
        let refused = |answer: &Option<Response>| {
            let identity = NotServed { reason: Refusal::Identity };
            *answer == Some(Response::Refused(identity))
        };
        (answers.iter().map(refused).collect::<Vec<_>>(), is_early)
    };
    assert_eq!(outside(&mut mesh, None, 1), (vec![true; 4], [true; 2]));
    assert_eq!(outside(&mut mesh, Some(&ticket), 2), (vec![false; 4], [false; 2]), "control");
}
