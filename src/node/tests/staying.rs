//! Staying connected: who is lost is called again soon, and standing still is nobody's fault.

use super::mesh::Mesh;
use crate::limits;

/// Long enough for the longest waits between dials.
const OUTAGE_MS: u64 = 20 * limits::DIAL_RETRY_MS_MAX;
/// A standstill that ends long before an address is due that has failed for so long.
const STANDSTILL_MS: u64 = 15_000;

/// Two members, the second of which has dialled the first in vain for long, and may reach it now.
fn after_an_outage() -> Mesh {
    let mut mesh = Mesh::new(70, 2);
    mesh.start(0);
    mesh.faults.cut = Some([0].into());
    mesh.start_with(1, vec![mesh.address(0)]);
    mesh.run_for(OUTAGE_MS);
    assert!(mesh.members[1].links.is_empty());
    mesh.heal();
    mesh
}

/// A laptop that was opened again after hours waited for two more minutes.
#[test]
fn a_node_that_wakes_up_dials_at_once() {
    let mut awake = after_an_outage();
    awake.run_for(STANDSTILL_MS + 2 * limits::DIAL_RETRY_MS_MIN);
    assert!(awake.members[1].links.is_empty(), "the control: it waits");
    let mut asleep = after_an_outage();
    asleep.now_ms += STANDSTILL_MS;
    asleep.run_for(2 * limits::DIAL_RETRY_MS_MIN);
    assert_eq!(asleep.members[1].links, [0].into());
}

/// Everybody whom a suspended node had asked something looked silent to it.
#[test]
fn a_node_that_stood_still_blames_nobody() {
    let silent = |mesh: &Mesh| {
        let counted = mesh.node(0).counters.snapshot();
        counted.into_iter().any(|(name, _)| name == "peer-silent")
    };
    let with_open_requests = || {
        let mut mesh = Mesh::running(71, 2);
        mesh.faults.lost_per_mille = 1_000;
        mesh.run_for(2 * limits::EXCHANGE_INTERVAL_MS);
        assert!(mesh.node(0).peers.open_len() > 0);
        mesh
    };
    let mut awake = with_open_requests();
    awake.run_for(2 * limits::REQUEST_TIMEOUT_MS);
    assert!(silent(&awake), "the control");
    let mut asleep = with_open_requests();
    asleep.now_ms += 2 * limits::REQUEST_TIMEOUT_MS;
    asleep.run_for(100);
    assert!(!silent(&asleep));
    assert_eq!(asleep.node(0).peers.len(), 1);
}

/// A member that stood still for a minute was found again after up to two.
#[test]
fn a_lost_peer_is_found_within_five_seconds_of_its_return() {
    for outage_s in [10, 30, 60, 90, 170] {
        let mut mesh = Mesh::new(72, 2);
        mesh.members[1].listens = false;
        mesh.start(0);
        mesh.start_with(1, vec![mesh.address(0)]);
        mesh.run_for(20_000);
        mesh.cut(&[0]);
        mesh.run_for(outage_s * 1_000);
        mesh.heal();
        assert!(mesh.run_until(5_000, |mesh| !mesh.members[1].links.is_empty()), "{outage_s} s");
    }
}
