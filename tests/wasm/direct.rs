//! Direct ways between two nets behind a relay, over peer connections in memory: how they come
//! about, and what becomes of the circuit when they do not.

use std::sync::Arc;

use futures::future::LocalBoxFuture;
use synaptic_mesh::dag::invite::{Rule, Terms, Ticket};
use synaptic_mesh::event::Channel;
use synaptic_mesh::identity::{AuthorId, NetworkId};
use synaptic_mesh::limits;
use synaptic_mesh::net::{Command, Event, Net, Takes};
use synaptic_mesh::node::Door;
use synaptic_mesh::platform;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::host;
use crate::net::{author, behind_a_relay_of, drive, gossip, net_with};

/// A relay and two nets, of which the second has dialled the first through it. Their hosts have
/// habits; that of the relay lends no peer connections.
fn circuit(hub: &JsValue, habits: [&str; 2]) -> LocalBoxFuture<'static, [Net; 3]> {
    circuit_of(hub, habits, [Takes::Hybrid, Takes::Hybrid, Takes::Hybrid])
}

/// The same, whoever each of them takes as a peer.
fn circuit_of(
    hub: &JsValue,
    habits: [&str; 2],
    takes: [Takes; 3],
) -> LocalBoxFuture<'static, [Net; 3]> {
    let net = |seed, habits, takes| net_with(seed, host::host(hub, habits), takes);
    let [relay, answerer, offerer] = takes;
    let nets = [net(1, "{}", relay), net(2, habits[0], answerer), net(3, habits[1], offerer)];
    Box::pin(async move {
        let (mut nets, addresses) = behind_a_relay_of(nets).await;
        nets[2].handle(Command::Dial { address: addresses[0].clone() });
        nets
    })
}

/// What became of a circuit, as one of its ends hears of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Told {
    /// Addresses of the other end, in the order of their connections.
    ways: Vec<String>,
    peer: Vec<u8>,
    replaced: usize,
    failed: Vec<&'static str>,
}

/// Drives until both ends have heard enough.
async fn hear(nets: &mut [Net; 3], what: &str, enough: impl Fn(&[Told; 2]) -> bool) -> [Told; 2] {
    let mut told = [Told::default(), Told::default()];
    let mut all: Vec<&mut Net> = nets.iter_mut().collect();
    drive(&mut all, what, |index, event| {
        let Some(told_by) = index.checked_sub(1).map(|index| &mut told[index]) else {
            return false;
        };
        match event {
            Event::Connected { address, peer, channel, .. } => {
                assert!(matches!(channel, Channel::Hybrid { .. }), "{channel:?}");
                told_by.ways.push(address.clone());
                told_by.peer.clone_from(peer);
            }
            Event::Disconnected { reason, .. } => {
                assert_eq!(reason, "replaced by a newer connection");
                told_by.replaced += 1;
            }
            Event::NoDirectWay { code, .. } => told_by.failed.push(code),
            _ => {}
        }
        enough(&told)
    })
    .await;
    told
}

/// Asks the first of the two ends something, and gets the answer.
async fn ask(nets: &mut [Net; 3], peer: &[u8], bytes: usize) {
    let request = Command::Request { peer: peer.to_vec(), request: 7, bytes: vec![1; 9] };
    nets[2].handle(request);
    for _ in 0..2 {
        let mut token = None;
        let mut all: Vec<&mut Net> = nets.iter_mut().collect();
        drive(&mut all, "a request and an answer", |index, event| match event {
            Event::Request { token: asker, .. } if index == 1 => {
                token = Some(*asker);
                true
            }
            Event::Response { result, .. } if index == 2 => {
                assert_eq!(result.as_ref().map(Vec::len), Ok(bytes));
                true
            }
            _ => false,
        })
        .await;
        if let Some(token) = token {
            nets[1].handle(Command::Respond { token, bytes: vec![2; bytes] });
        }
    }
}

fn count(hub: &JsValue, name: &str) -> u32 {
    let value = host::call(hub, name, &[]);
    (0..100).find(|count| value == *count).unwrap()
}

#[wasm_bindgen_test]
async fn a_circuit_becomes_a_direct_way_that_outlives_the_relay() {
    let hub = host::hub();
    let mut nets = circuit(&hub, ["{ peers: {} }"; 2]).await;
    let told =
        hear(&mut nets, "a direct way", |told| told.iter().all(|told| told.ways.len() == 2)).await;
    for (told, other) in told.iter().zip([2, 1]) {
        assert!(told.ways[0].contains("/p2p-circuit/p2p/"), "{told:?}");
        assert_eq!(told.ways[1], format!("/webrtc/p2p/{}", nets[other].peer_id()));
        assert_eq!((told.replaced, &told.failed[..]), (1, &[][..]));
    }
    ask(&mut nets, &told[1].peer, 300_000).await;
    let [relay, mut b, mut c] = nets;
    drop(relay);
    // What the relay's end tells of its own connections is none of this.
    gossip(&mut b, &mut c, b"without the relay").await;
    gossip(&mut c, &mut b, b"and back").await;
    assert_eq!((count(&hub, "peers"), count(&hub, "openPeers")), (2, 2));
    drop((b, c));
    // Connections are tasks of their own, which end after their nets.
    for _ in 0..100 {
        if count(&hub, "openPeers") == 0 {
            return;
        }
        platform::sleep(50).await;
    }
    panic!("peer connections outlive their nets");
}

#[wasm_bindgen_test]
async fn a_node_without_peer_connections_stays_on_the_circuit() {
    let hub = host::hub();
    for habits in [["{}", "{ peers: {} }"], ["{ peers: {} }", "{}"]] {
        let mut nets = circuit(&hub, habits).await;
        let told =
            hear(&mut nets, "a circuit", |told| told.iter().all(|told| told.ways.len() == 1)).await;
        ask(&mut nets, &told[1].peer, 3).await;
        assert_eq!(count(&hub, "openPeers"), 0);
    }
}

/// Peers that lie or are out of order. The second dials, so it is the offerer; what is told is told
/// by the one that is not at fault.
#[wasm_bindgen_test]
async fn a_peer_that_lies_gets_no_direct_way_and_the_circuit_stays() {
    let fine = "{ peers: {} }";
    let table = [
        // The answerer, the offerer, who hears of it, and what.
        ([fine, "{ peers: { sdp: 'nonsense' } }"], 0, "webrtc-description"),
        (["{ peers: { sdp: 'nonsense' } }", fine], 1, "webrtc-description"),
        ([fine, "{ peers: { lies: true } }"], 0, "webrtc-host"),
        (["{ peers: { lies: true } }", fine], 1, "webrtc-host"),
        ([fine, "{ peers: { throws: true } }"], 1, "webrtc-host"),
        (["{ peers: { throws: true } }", fine], 1, "webrtc-ended"),
        (["{ peers: { sdp: 'x'.repeat(20_000) } }", fine], 1, "webrtc-limit"),
    ];
    for (habits, hears, code) in table {
        let hub = host::hub();
        let mut nets = circuit(&hub, habits).await;
        let told = hear(&mut nets, code, |told| {
            told.iter().all(|told| told.ways.len() == 1) && !told[hears].failed.is_empty()
        })
        .await;
        assert_eq!(told[hears].failed, [code], "{habits:?}");
        assert_eq!([told[0].replaced, told[1].replaced], [0, 0], "{habits:?}");
        ask(&mut nets, &told[1].peer, 5).await;
    }
}

/// One that never answers costs a peer connection for a bounded time.
#[wasm_bindgen_test]
async fn a_peer_that_never_answers_is_given_up() {
    let hub = host::hub();
    let mut nets = circuit(&hub, ["{ peers: { silent: true } }", "{ peers: {} }"]).await;
    let told =
        hear(&mut nets, "a circuit", |told| told.iter().all(|told| told.ways.len() == 1)).await;
    ask(&mut nets, &told[1].peer, 5).await;
    assert_eq!(count(&hub, "openPeers"), 2);
    let begun = platform::now().mono_ms;
    let told = loop {
        let passed_ms = platform::now().mono_ms - begun;
        assert!(passed_ms < limits::SIGNALLING_TIMEOUT_MS + 5_000, "never given up");
        let mut all: Vec<&mut Net> = nets.iter_mut().collect();
        let mut failed = None;
        let wait = drive(&mut all, "it is given up", |index, event| {
            if let Event::NoDirectWay { code, .. } = event {
                failed = Some((index, *code));
            }
            failed.is_some()
        });
        let rest = std::pin::pin!(platform::sleep(5_000));
        let _ = futures::future::select(std::pin::pin!(wait), rest).await;
        if let Some(failed) = failed {
            break failed;
        }
    };
    assert_eq!(told.1, "webrtc-timeout");
    assert!(platform::now().mono_ms - begun > limits::SIGNALLING_TIMEOUT_MS - 2_000);
}

/// Own candidates above the bound are not told, so a machine with many interfaces finds its way.
#[wasm_bindgen_test]
async fn a_host_with_many_candidates_tells_as_many_as_are_taken() {
    let hub = host::hub();
    let mut nets = circuit(&hub, ["{ peers: { candidates: 100 } }"; 2]).await;
    hear(&mut nets, "a direct way", |told| told.iter().all(|told| told.ways.len() == 2)).await;
}

/// The door of a permissioned network stands before direct ways, too: what was said on the circuit
/// counts for the circuit alone.
#[wasm_bindgen_test]
async fn whoever_the_door_no_longer_lets_in_gets_no_direct_way() {
    let id = |seed| AuthorId::of(author(seed).public());
    let network = NetworkId::from_bytes([7; 32]);
    let rule = Rule::new(network, [id(1)], [id(2)]);
    let now_ms = platform::now().unix_ms;
    let terms = Terms { author: None, uses: 1, until_ms: now_ms + 2 * limits::LET_IN_MS_MAX };
    let ticket = Ticket::issue(network, &author(1), terms, ([8; 32], [9; 32])).unwrap();
    let door = |seed, pass| Arc::new(Door::new(rule.clone(), id(seed), pass));
    for is_shut in [false, true] {
        let doors = [door(1, None), door(2, None), door(3, Some(ticket.pass_of(&id(3))))];
        let hub = host::hub();
        let takes = doors.clone().map(Takes::Members);
        let mut nets = circuit_of(&hub, ["{ peers: {} }"; 2], takes).await;
        let (mut ways, mut refused) = ([0; 2], None);
        let mut all: Vec<&mut Net> = nets.iter_mut().collect();
        drive(&mut all, "a direct way or none", |index, event| {
            match event {
                Event::Connected { .. } if index > 0 => ways[index - 1] += 1,
                Event::Refused { stranger, .. } => refused = Some((index, *stranger)),
                _ => {}
            }
            let is_first = index == 1 && matches!(event, Event::Connected { .. }) && ways[0] == 1;
            if is_shut && is_first {
                // The identity of the offerer never comes, and somebody else uses up its invite.
                let later_ms = now_ms + limits::LET_IN_MS_MAX + 60_000;
                let pass = ticket.pass_of(&id(4));
                assert_eq!(doors[1].judge(&id(4), &pass, false, later_ms), Ok(()));
            }
            ways == [2, 2] || refused.is_some()
        })
        .await;
        let expected =
            if is_shut { ([1, 1], Some((1, Some("invite-used")))) } else { ([2, 2], None) };
        assert_eq!((ways, refused), expected);
    }
}
