//! What the owner wants with single peers, and what is said about those that are not reached.

use super::mesh::Mesh;
use crate::effect::{Command, Input, PeerOrder};
use crate::event::{Event, Problem, Reply};
use crate::limits;

fn connect(mesh: &mut Mesh, member: usize, address: String) -> Result<Reply, Problem> {
    let command = mesh.command(member, Command::Connect { address });
    mesh.run_for(limits::DIAL_TIMEOUT_MS + 1_000);
    mesh.members[member].replies.remove(&command).expect("every call ends")
}

fn order(mesh: &mut Mesh, member: usize, of: usize, order: PeerOrder) -> Result<Reply, Problem> {
    let peer = mesh.node(of).author().to_string();
    mesh.ask(member, Command::Peer { peer, order })
}

fn status(mesh: &mut Mesh, member: usize) -> crate::event::Status {
    match mesh.ask(member, Command::Status) {
        Ok(Reply::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

/// Two members of one network that know nothing of each other.
fn strangers(seed: u64) -> Mesh {
    let mut mesh = Mesh::new(seed, 2);
    mesh.start(0);
    mesh.start_with(1, Vec::new());
    mesh
}

#[test]
fn a_call_ends_with_the_peer_or_with_the_reason() {
    let mut mesh = strangers(80);
    let (address, author) = (mesh.address(1), mesh.node(1).author());
    match connect(&mut mesh, 0, address.clone()) {
        Ok(Reply::Peer(peer)) => assert_eq!((peer.author, &peer.address), (author, &address)),
        other => panic!("{other:?}"),
    }
    // Who is there already needs no call.
    assert!(matches!(
        mesh.ask(0, Command::Connect { address: address.clone() }),
        Ok(Reply::Peer(_))
    ));
    mesh.crash(1);
    mesh.run_for(10);
    let problem = connect(&mut mesh, 0, address.clone()).unwrap_err();
    assert_eq!(problem.code, "unreachable");
    assert!(problem.message.contains("unreachable") && problem.message.contains(&address));
    let nonsense = connect(&mut mesh, 0, "http://example.org".to_owned()).unwrap_err();
    assert_eq!(nonsense.code, "address-invalid");
    mesh.faults.deaf = true;
    let late = connect(&mut mesh, 0, address).unwrap_err();
    assert_eq!(late.code, "unreachable", "a driver that never answers");
}

#[test]
fn calls_that_wait_are_answered_when_the_node_stops() {
    let mut mesh = strangers(81);
    mesh.faults.deaf = true;
    let address = mesh.address(1);
    let call = mesh.command(0, Command::Connect { address });
    assert!(matches!(mesh.ask(0, Command::Stop), Ok(Reply::Done)));
    assert_eq!(mesh.members[0].replies[&call].as_ref().unwrap_err().code, "node-stopped");
}

#[test]
fn addresses_that_nobody_answers_at_are_listed_with_the_reason() {
    let mut mesh = strangers(82);
    let address = mesh.address(1);
    mesh.crash(1);
    mesh.ask(0, Command::Dial { address: address.clone() }).unwrap();
    mesh.run_for(60_000);
    let Ok(Reply::Addresses(views)) = mesh.ask(0, Command::Addresses) else { panic!() };
    let view = views.iter().find(|view| view.address == address).expect("it is known");
    assert!(view.failures > 2 && view.reason == "unreachable", "{view:?}");
    // Nobody at all is reached: that is said, and not again and again.
    let isolated = |event: &&Event| matches!(event, Event::Warning(p) if p.code == "isolated");
    assert_eq!(mesh.members[0].events.iter().filter(isolated).count(), 1);
}

#[test]
fn a_member_with_a_peer_is_not_called_isolated() {
    let mut mesh = Mesh::running(83, 2);
    mesh.ask(0, Command::Dial { address: mesh.address(0).replace("tcp", "udp") }).unwrap();
    mesh.run_for(60_000);
    let isolated = |event: &&Event| matches!(event, Event::Warning(p) if p.code == "isolated");
    assert_eq!(mesh.members[0].events.iter().filter(isolated).count(), 0);
}

#[test]
fn who_is_parted_from_stays_away_for_a_minute() {
    let mut mesh = Mesh::running(84, 2);
    assert_eq!(order(&mut mesh, 0, 1, PeerOrder::Disconnect), Ok(Reply::Done));
    mesh.run_for(limits::SILENCE_BAN_MS - 1_000);
    assert!(mesh.members[0].links.is_empty(), "whoever dials");
    let address = mesh.address(1);
    let refused = mesh.ask(0, Command::Connect { address }).unwrap_err();
    assert_eq!(refused.code, "unreachable");
    mesh.run_for(2 * limits::DIAL_RETRY_MS_MAX);
    assert_eq!(mesh.members[0].links, [1].into());
}

#[test]
fn who_is_banned_stays_away_over_a_restart_until_unbanned() {
    let mut mesh = Mesh::running(85, 3);
    let banned = mesh.node(1).author();
    assert_eq!(order(&mut mesh, 0, 1, PeerOrder::Ban), Ok(Reply::Done));
    mesh.run_for(30_000);
    assert_eq!(mesh.members[0].links, [2].into());
    assert_eq!(status(&mut mesh, 0).banned, [banned]);
    mesh.crash(0);
    mesh.start(0);
    mesh.run_for(30_000);
    assert_eq!(status(&mut mesh, 0).banned, [banned]);
    assert_eq!(mesh.members[0].links, [2].into(), "the control: the other one is there");
    assert!(mesh.node(0).graph().author(&banned).is_some(), "its history stays");
    assert_eq!(order(&mut mesh, 0, 1, PeerOrder::Unban), Ok(Reply::Done));
    mesh.run_for(2 * limits::DIAL_RETRY_MS_MAX);
    assert_eq!(mesh.members[0].links, [1, 2].into());
    let again = order(&mut mesh, 0, 1, PeerOrder::Unban).unwrap_err();
    assert_eq!(again.code, "peer-unknown");
}

#[test]
fn a_ping_takes_as_long_as_an_answer_does() {
    let mut mesh = Mesh::running(86, 2);
    match order(&mut mesh, 0, 1, PeerOrder::Ping) {
        Ok(Reply::Millis(ms)) => assert!((10..5_000).contains(&ms), "{ms} ms"),
        other => panic!("{other:?}"),
    }
    let peer = mesh.transport(1).to_string();
    let by_peer_id = mesh.ask(0, Command::Peer { peer, order: PeerOrder::Ping });
    assert!(matches!(by_peer_id, Ok(Reply::Millis(_))), "{by_peer_id:?}");
    mesh.faults.lost_per_mille = 1_000;
    let lost = order(&mut mesh, 0, 1, PeerOrder::Ping).unwrap_err();
    assert_eq!(lost.code, "unreachable");
    for (peer, order) in [
        ("nobody".to_owned(), PeerOrder::Ping),
        ("nobody".to_owned(), PeerOrder::Disconnect),
        ("nobody".to_owned(), PeerOrder::Ban),
        (mesh.node(0).author().to_string(), PeerOrder::Ban),
    ] {
        let unknown = mesh.ask(0, Command::Peer { peer, order }).unwrap_err();
        assert_eq!(unknown.code, "peer-unknown", "{order:?}");
    }
}

#[test]
fn bans_are_bounded() {
    let mut mesh = Mesh::running(87, 1);
    let ban = |mesh: &mut Mesh, number: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&u64::try_from(number).unwrap().to_le_bytes());
        let peer = crate::identity::AuthorId::from_bytes(bytes).to_string();
        mesh.ask(0, Command::Peer { peer, order: PeerOrder::Ban })
    };
    for number in 0..limits::BANS_MAX {
        assert_eq!(ban(&mut mesh, number), Ok(Reply::Done));
    }
    assert_eq!(ban(&mut mesh, limits::BANS_MAX).unwrap_err().code, "bans-full");
    mesh.poke(0, Input::Tick);
    assert_eq!(status(&mut mesh, 0).banned.len(), limits::BANS_MAX);
}

/// A node behind a router has its own interfaces first, and nobody outside can dial those.
#[test]
fn others_are_told_two_addresses_and_a_way_through_a_relay() {
    let all = ["/ip4/127.0.0.1/tcp/1/ws", "/ip4/10.0.0.2/tcp/1/ws", "/ip4/10.1.0.2/tcp/1/ws"];
    let circuit = "/ip4/203.0.113.1/tcp/1/ws/p2p/a/p2p-circuit/p2p/b";
    let other = "/ip4/203.0.113.9/tcp/1/ws/p2p/c/p2p-circuit/p2p/b";
    let table: [(&[&str], &[&str]); 4] = [
        (&[], &[]),
        (&all, &all[..2]),
        (&[all[0], all[1], all[2], circuit, other], &[all[0], all[1], circuit]),
        (&[circuit, other], &[circuit, other]),
    ];
    for (addresses, expected) in table {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let told: Vec<&String> = crate::node::greeting::passed_on(&addresses).collect();
        assert_eq!(told, expected, "{addresses:?}");
    }
}
