//! Connections that change: parts of a network find together again, and there is room for others.

use super::mesh::Mesh;
use super::stranger::Stranger;
use crate::limits;

/// Members of each of two parts: as many as need nobody else.
const PART: usize = limits::PEERS_WANTED + 2;

/// Two parts that were cut from each other from the start on, and had members enough each, stayed
/// apart for ever once they could reach each other.
#[test]
fn parts_that_need_nobody_find_together() {
    let mut mesh = Mesh::new(60, 2 * PART);
    mesh.faults.cut = Some((PART..2 * PART).collect());
    mesh.start(0);
    for member in 1..2 * PART {
        let first = if member <= PART { 0 } else { PART };
        mesh.start_with(member, vec![mesh.address(first)]);
    }
    mesh.run_for(20_000);
    for member in 0..2 * PART {
        assert_eq!(mesh.node(member).graph().len(), PART, "member {member}");
        assert!(mesh.node(member).peers.len() >= limits::PEERS_WANTED, "member {member}");
    }
    mesh.heal();
    let whole = |mesh: &Mesh| (0..2 * PART).all(|at| mesh.node(at).graph().len() == 2 * PART);
    assert!(mesh.run_until(10 * limits::MIX_INTERVAL_MS, whole));
    // One address led from part to part; now everybody knows others.
    mesh.run_for(10 * limits::MIX_INTERVAL_MS);
    let crossing =
        |at: &usize| mesh.members[*at].links.iter().any(|to| (*to < PART) != (*at < PART));
    assert!((0..2 * PART).filter(crossing).count() > PART);
    let counts: Vec<usize> = (0..2 * PART).map(|at| mesh.node(at).peers.len()).collect();
    assert!(counts.iter().all(|count| *count >= limits::PEERS_WANTED), "{counts:?}");
    // Nobody goes on dialling: eight of one's own, as many of others, and one more for a while.
    let most = 2 * limits::PEERS_WANTED + 1;
    assert!(counts.iter().sum::<usize>() <= 2 * PART * most, "{counts:?}");
}

/// Who had a link to members without room for further connections never got in.
#[test]
fn a_node_keeps_room_for_newcomers_and_whom_it_chose() {
    let mut mesh = Mesh::running(61, 4);
    mesh.link(0, 1);
    let strangers = u64::try_from(limits::PEERS_INBOUND_EASY).unwrap() + 5;
    for seed in 0..strangers {
        mesh.run_for(1_000);
        Stranger::new(seed, mesh.network()).greet(&mut mesh, 0);
    }
    let inbound = |mesh: &Mesh| mesh.node(0).peers.iter().filter(|(_, p)| !p.outbound).count();
    let chosen = |mesh: &Mesh| mesh.node(0).peers.iter().filter(|(_, p)| p.outbound).count();
    let before = chosen(&mesh);
    mesh.run_for(limits::PEER_SETTLED_MS + 2 * limits::EXCHANGE_INTERVAL_MS);
    assert!(inbound(&mesh) <= limits::PEERS_INBOUND_EASY, "{}", inbound(&mesh));
    assert!(inbound(&mesh) + limits::PEERS_WANTED >= limits::PEERS_INBOUND_EASY);
    assert_eq!(chosen(&mesh), before);
}
