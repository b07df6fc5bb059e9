//! The network driver over sockets in memory: what libp2p needs of the transport, and what bad
//! sockets and bad peers do to it.

use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, LocalBoxFuture, select};
use synaptic_mesh::crypto::sign::{SEEDS_BYTES, SigningKey};
use synaptic_mesh::event::Channel;
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::limits;
use synaptic_mesh::net::{Command, Config, Event, Failure, Net, Switch, Takes, Verdict};
use synaptic_mesh::platform;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::host;

fn net(seed: u8, host: JsValue) -> Net {
    net_with(seed, host, Takes::Hybrid)
}

pub(crate) fn net_with(seed: u8, host: JsValue, takes: Takes) -> Net {
    let topic = "synaptic-mesh/test/1".to_owned();
    let protocols =
        ["/synaptic-mesh/test/1", "/synaptic-mesh/test-packets/1", "/synaptic-mesh/test-cells/1"];
    let signer = Arc::new(author(seed));
    let seed = [seed; 32];
    let advertised = Vec::new();
    let relays = Switch::new(true);
    let config = Config { seed, signer, takes, relays, topic, protocols, advertised, host };
    Net::new(config).unwrap()
}

/// The author behind a net of this seed.
pub(crate) fn author(seed: u8) -> SigningKey {
    SigningKey::from_seeds(&[seed; SEEDS_BYTES])
}

/// Drives all nets until `done` has seen what it waits for, ten seconds at most.
pub(crate) async fn drive(
    nets: &mut [&mut Net],
    what: &str,
    mut done: impl FnMut(usize, &Event) -> bool,
) {
    let run = std::future::poll_fn(|cx| {
        loop {
            let mut idle = true;
            for (index, net) in nets.iter_mut().enumerate() {
                while let std::task::Poll::Ready(event) = net.poll_next(cx) {
                    idle = false;
                    if done(index, &event) {
                        return std::task::Poll::Ready(());
                    }
                }
            }
            if idle {
                return std::task::Poll::Pending;
            }
        }
    });
    if let Either::Right(_) = select(pin!(run), pin!(platform::sleep(10_000))).await {
        panic!("ten seconds without: {what}");
    }
}

/// Listens and returns the address.
async fn listen(net: &mut Net) -> String {
    net.handle(Command::Listen { address: "/ip4/127.0.0.1/tcp/0/ws".to_owned() });
    let mut address = String::new();
    drive(&mut [net], "an address", |_, event| match event {
        Event::Listening { addresses } => {
            address.clone_from(&addresses[0]);
            true
        }
        _ => false,
    })
    .await;
    address
}

/// Two nets over hosts of these habits, connected: the listener first, with their peer ids.
async fn pair(hub: &JsValue, habits: &str) -> (Net, Net, [Vec<u8>; 2]) {
    let (mut a, mut b) = (net(1, host::host(hub, habits)), net(2, host::host(hub, habits)));
    let address = listen(&mut a).await;
    b.handle(Command::Dial { address });
    let mut ids = [Vec::new(), Vec::new()];
    drive(&mut [&mut a, &mut b], "both connected", |index, event| {
        if let Event::Connected { peer, outbound, .. } = event {
            assert_eq!(*outbound, index == 1);
            ids[1 - index].clone_from(peer);
        }
        ids.iter().all(|id| !id.is_empty())
    })
    .await;
    (a, b, ids)
}

/// Asks `count` times for an answer of `bytes` bytes, a few at a time, and checks each.
async fn transfer(a: &mut Net, b: &mut Net, to: &[u8], count: u64, bytes: usize) {
    let ask = |request| Command::Request { peer: to.to_vec(), request, bytes: vec![7; 10] };
    let mut next = 4.min(count);
    (0..next).for_each(|request| b.handle(ask(request)));
    let mut answered = 0;
    while answered < count {
        let mut token = None;
        drive(&mut [a, b], "requests and answers", |_, event| match event {
            Event::Request { token: asker, .. } => {
                token = Some(*asker);
                true
            }
            Event::Response { result, .. } => {
                let answer = result.as_ref().unwrap();
                assert_eq!(answer.len(), bytes);
                assert!(answer.iter().enumerate().all(|(i, byte)| *byte == pattern(i)));
                answered += 1;
                true
            }
            _ => false,
        })
        .await;
        if let Some(token) = token {
            a.handle(Command::Respond { token, bytes: (0..bytes).map(pattern).collect() });
        } else if next < count {
            b.handle(ask(next));
            next += 1;
        }
    }
}

fn pattern(index: usize) -> u8 {
    u8::try_from(index % 251).unwrap()
}

pub(crate) async fn gossip(from: &mut Net, to: &mut Net, text: &[u8]) {
    // Subscriptions are exchanged behind the connection; publishing before that reaches nobody.
    for attempt in 0_u8.. {
        let mut bytes = text.to_vec();
        bytes.push(attempt);
        from.handle(Command::Publish { bytes: bytes.clone() });
        let mut heard = None;
        let mut nets = [&mut *from, &mut *to];
        let hear = drive(&mut nets, "gossip", |index, event| match event {
            Event::Gossip { message, bytes: found, .. } if index == 1 => {
                assert!(found.starts_with(text));
                heard = Some(*message);
                true
            }
            _ => false,
        });
        let _ = select(pin!(hear), pin!(platform::sleep(300))).await;
        if let Some(message) = heard {
            to.handle(Command::Verdict { message, verdict: Verdict::Accept });
            return;
        }
        assert!(attempt < 20, "gossip does not arrive");
    }
}

#[wasm_bindgen_test]
async fn two_nets_ask_answer_and_gossip() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{}").await;
    transfer(&mut a, &mut b, &ids[0], 3, 100).await;
    gossip(&mut a, &mut b, b"from a").await;
    gossip(&mut b, &mut a, b"from b").await;
}

/// What dialler and listener are told of their connection, over hosts of these habits; the reason
/// when there is none.
async fn channels(habits: &str, classical: [bool; 2]) -> Result<[Channel; 2], String> {
    let hub = host::hub();
    let takes = classical.map(|allowed| if allowed { Takes::Classical } else { Takes::Hybrid });
    let mut nets =
        (1..).zip(takes).map(|(seed, takes)| net_with(seed, host::host(&hub, habits), takes));
    let (mut a, mut b) = (nets.next().unwrap(), nets.next().unwrap());
    let address = listen(&mut b).await;
    a.handle(Command::Dial { address });
    let (mut told, mut failed) = ([None; 2], None);
    drive(&mut [&mut a, &mut b], "a connection or none", |index, event| {
        match event {
            Event::Connected { channel, .. } => told[index] = Some(*channel),
            Event::DialFailed { reason, .. } => failed = Some(reason.clone()),
            _ => {}
        }
        failed.is_some() || told.iter().all(Option::is_some)
    })
    .await;
    failed.map_or_else(|| Ok(told.map(Option::unwrap)), Err)
}

#[wasm_bindgen_test]
async fn a_connection_proves_the_authors_of_both_sides() {
    let proved = |seed| Channel::Hybrid { author: AuthorId::of(author(seed).public()) };
    for classical in [[false; 2], [true; 2], [true, false], [false, true]] {
        let told = channels("{}", classical).await;
        assert_eq!(told, Ok([proved(2), proved(1)]), "hybrid comes before classical");
    }
}

/// The negotiation is not authenticated. Whoever strikes the hybrid channel out of it gets none,
/// unless both sides allow classical ones; then they know that it is one.
#[wasm_bindgen_test]
async fn a_struck_out_channel_is_not_replaced_by_a_weaker_one() {
    let struck = "{ strike: 'synaptic-mesh/hybrid/1' }";
    for classical in [[false; 2], [true, false], [false, true]] {
        let reason = channels(struck, classical).await.expect_err("settled for less");
        assert!(!reason.is_empty());
    }
    assert_eq!(channels(struck, [true; 2]).await, Ok([Channel::Classical; 2]), "the control");
}

#[wasm_bindgen_test]
async fn pings_measure_the_round_trip() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{}").await;
    drive(&mut [&mut a, &mut b], "a round trip", |index, event| {
        matches!(event, Event::Rtt { peer, rtt_ms } if *peer == ids[1 - index] && *rtt_ms < 5_000)
    })
    .await;
}

/// js-libp2p sends empty WebSocket messages; read as the end they kill the handshake.
#[wasm_bindgen_test]
async fn empty_messages_are_not_the_end() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{ emptyMessages: true }").await;
    transfer(&mut a, &mut b, &ids[0], 8, 100_000).await;
}

/// A browser's socket has no pause. Four megabytes at once must neither stall nor cut it off.
#[wasm_bindgen_test]
async fn a_socket_that_cannot_pause_carries_everything() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{ noPause: true }").await;
    transfer(&mut a, &mut b, &ids[0], 16, 256 << 10).await;
}

#[wasm_bindgen_test]
async fn a_socket_that_wants_to_drain_is_waited_for() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{ window: 1000 }").await;
    transfer(&mut a, &mut b, &ids[0], 8, 100_000).await;
}

#[wasm_bindgen_test]
async fn a_flood_pauses_the_socket_and_then_ends_it() {
    let hub = host::hub();
    let mut a = net(1, host::host(&hub, "{}"));
    let address = listen(&mut a).await;
    let port: f64 = address.split('/').nth(4).unwrap().parse().unwrap();
    let caller = host::call(&hub, "raw", &[port.into()]);
    // More than fits, in one turn of the event loop, so that nothing of it is read in between.
    let count = f64::from(u32::try_from(limits::SOCKET_RECEIVE_BYTES_MAX >> 16).unwrap()) + 2.0;
    host::call(&hub, "flood", &[caller, 65_536.into(), count.into()]);
    drive(&mut [&mut a], "the caller refused", |_, event| matches!(event, Event::Refused { .. }))
        .await;
    assert!(host::call(&hub, "pauses", &[]).as_f64().unwrap() >= 1.0);
    platform::sleep(20).await;
    assert_eq!(host::call(&hub, "open", &[]), JsValue::from(0));
}

/// Both dial at once. Both must keep the same connection, and gossip must survive the other's end:
/// gossipsub 0.50 loses its subscriptions with a first connection and sleeps on a second.
#[wasm_bindgen_test]
async fn crossing_dials_leave_one_connection_that_works() {
    let hub = host::hub();
    let (mut a, mut b) = (net(1, host::host(&hub, "{}")), net(2, host::host(&hub, "{}")));
    let to_b = listen(&mut b).await;
    let to_a = listen(&mut a).await;
    a.handle(Command::Dial { address: to_b });
    b.handle(Command::Dial { address: to_a });
    let mut ids = [Vec::new(), Vec::new()];
    let mut nets = [&mut a, &mut b];
    let settle = drive(&mut nets, "never", |index, event| {
        if let Event::Connected { peer, .. } = event {
            ids[1 - index].clone_from(peer);
        }
        false
    });
    let _ = select(pin!(settle), pin!(platform::sleep(1_000))).await;
    assert_eq!(host::call(&hub, "open", &[]), JsValue::from(2), "two ends of one connection");
    gossip(&mut a, &mut b, b"from a").await;
    gossip(&mut b, &mut a, b"from b").await;
    transfer(&mut a, &mut b, &ids[0], 2, 100).await;
}

/// A tab that was reloaded dials again while its old connection still looks alive.
#[wasm_bindgen_test]
async fn a_peer_that_comes_back_replaces_its_old_connection() {
    let hub = host::hub();
    let (mut a, mut b) = (net(1, host::host(&hub, "{}")), net(2, host::host(&hub, "{}")));
    let address = listen(&mut a).await;
    b.handle(Command::Dial { address: address.clone() });
    drive(&mut [&mut a, &mut b], "a connection", |index, event| {
        index == 0 && matches!(event, Event::Connected { .. })
    })
    .await;
    let mut again = net(2, host::host(&hub, "{}"));
    again.handle(Command::Dial { address });
    let mut told = Vec::new();
    drive(&mut [&mut a, &mut b, &mut again], "the old one replaced", |index, event| {
        match event {
            Event::Disconnected { reason, .. } if index == 0 => told.push(reason.clone()),
            Event::Connected { .. } if index == 0 => told.push("connected".to_owned()),
            _ => {}
        }
        told.len() == 2
    })
    .await;
    assert_eq!(told, ["replaced by a newer connection", "connected"]);
    gossip(&mut a, &mut again, b"to the new one").await;
    // Only if our subscriptions were told again: gossipsub sends them on first connections.
    gossip(&mut again, &mut a, b"from the new one").await;
}

/// A relay, and two nets that dialled it and listen nowhere but through it, with their addresses.
fn behind_a_relay(hub: &JsValue) -> LocalBoxFuture<'static, ([Net; 3], [String; 2])> {
    behind_a_relay_of([1, 2, 3].map(|seed| net(seed, host::host(hub, "{}"))))
}

/// The same of nets that are there: the first relays.
pub(crate) fn behind_a_relay_of(
    mut nets: [Net; 3],
) -> LocalBoxFuture<'static, ([Net; 3], [String; 2])> {
    Box::pin(async move {
        let address = listen(&mut nets[0]).await;
        for net in &mut nets[1..] {
            net.handle(Command::Dial { address: address.clone() });
        }
        let mut addresses = [String::new(), String::new()];
        let mut all: Vec<&mut Net> = nets.iter_mut().collect();
        drive(&mut all, "two reservations", |index, event| {
            if let (1.., Event::Listening { addresses: own }) = (index, event) {
                addresses[index - 1].clone_from(&own[0]);
            }
            addresses.iter().all(|address| !address.is_empty())
        })
        .await;
        (nets, addresses)
    })
}

#[wasm_bindgen_test]
async fn what_cannot_be_dialled_is_reached_through_a_relay() {
    let hub = host::hub();
    let ([mut relay, mut b, mut c], addresses) = behind_a_relay(&hub).await;
    let of = |net: &Net| format!("/p2p/{}", net.peer_id());
    for (address, net) in addresses.iter().zip([&b, &c]) {
        assert!(address.starts_with("/ip4/127.0.0.1/tcp/"), "{address}");
        assert!(address.ends_with(&format!("{}/p2p-circuit{}", of(&relay), of(net))), "{address}");
    }
    c.handle(Command::Dial { address: addresses[0].clone() });
    let mut ends = [Vec::new(), Vec::new()];
    drive(&mut [&mut relay, &mut b, &mut c], "a circuit", |index, event| {
        if let (1.., Event::Connected { peer, outbound, address, channel }) = (index, event) {
            assert_eq!(*outbound, index == 2);
            assert!(matches!(channel, Channel::Hybrid { .. }), "secured past the relay");
            assert!(address.contains("/p2p-circuit/p2p/"), "{address}");
            ends[index - 1].clone_from(peer);
        }
        ends.iter().all(|peer| !peer.is_empty())
    })
    .await;
    // More than a relay of libp2p's defaults would carry.
    c.handle(Command::Request { peer: ends[1].clone(), request: 7, bytes: vec![1; 9] });
    let mut token = None;
    drive(&mut [&mut relay, &mut b, &mut c], "a request", |index, event| match event {
        Event::Request { token: asker, .. } if index == 1 => {
            token = Some(*asker);
            true
        }
        _ => false,
    })
    .await;
    b.handle(Command::Respond { token: token.unwrap(), bytes: vec![2; 300_000] });
    drive(&mut [&mut relay, &mut b, &mut c], "an answer", |index, event| match event {
        Event::Response { result, .. } if index == 2 => {
            assert_eq!(result.as_ref().map(Vec::len), Ok(300_000));
            true
        }
        _ => false,
    })
    .await;
    // Without the relay there is no circuit, and both ends know at once.
    drop(relay);
    let mut gone = [0, 0];
    drive(&mut [&mut b, &mut c], "both ends told", |index, event| {
        gone[index] += usize::from(matches!(event, Event::Disconnected { .. }));
        gone == [2, 2]
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_relay_refuses_who_has_no_reservation() {
    let hub = host::hub();
    let ([mut relay, mut b, mut c], addresses) = behind_a_relay(&hub).await;
    let unknown = net(9, host::host(&hub, "{}")).peer_id();
    let (way, _) = addresses[0].rsplit_once('/').unwrap();
    c.handle(Command::Dial { address: format!("{way}/{unknown}") });
    drive(&mut [&mut relay, &mut b, &mut c], "a refusal", |index, event| match event {
        Event::DialFailed { reason, .. } if index == 2 => {
            assert!(reason.contains("reservation"), "{reason}");
            true
        }
        _ => false,
    })
    .await;
}

/// Two tabs of one house: a direct way is better than a circuit, whoever dialled and when.
#[wasm_bindgen_test]
async fn a_direct_connection_replaces_a_circuit() {
    let hub = host::hub();
    let ([mut relay, mut b, mut c], addresses) = behind_a_relay(&hub).await;
    c.handle(Command::Dial { address: addresses[0].clone() });
    drive(&mut [&mut relay, &mut b, &mut c], "a circuit", |index, event| {
        index == 1 && matches!(event, Event::Connected { .. })
    })
    .await;
    b.handle(Command::Listen { address: "/ip4/127.0.0.1/tcp/0/ws".to_owned() });
    let mut direct = String::new();
    drive(&mut [&mut relay, &mut b, &mut c], "an address", |index, event| match event {
        Event::Listening { addresses } if index == 1 => {
            let found = addresses.iter().find(|address| !address.contains("p2p-circuit"));
            direct = found.cloned().unwrap_or_default();
            !direct.is_empty()
        }
        _ => false,
    })
    .await;
    let (anonymous, _) = direct.split_once("/p2p/").unwrap();
    c.handle(Command::Dial { address: anonymous.to_owned() });
    drive(&mut [&mut relay, &mut b, &mut c], "the circuit replaced", |index, event| {
        index == 1
            && matches!(event, Event::Disconnected { reason, .. } if reason.contains("newer"))
    })
    .await;
    let mut nets = [&mut relay, &mut b, &mut c];
    let settle = drive(&mut nets, "never", |_, _| false);
    let _ = select(pin!(settle), pin!(platform::sleep(300))).await;
    gossip(&mut b, &mut c, b"directly").await;
    gossip(&mut c, &mut b, b"and back").await;
}

/// Whoever dials us most must not decide alone whom we know.
#[wasm_bindgen_test]
async fn inbound_connections_stop_at_their_bound() {
    let hub = host::hub();
    let mut a = net(1, host::host(&hub, "{}"));
    let address = listen(&mut a).await;
    let bound = u8::try_from(limits::CONNECTIONS_INBOUND_MAX).unwrap();
    let mut others: Vec<Net> = Vec::new();
    for seed in 0..=bound {
        let mut other = net(100 + seed, host::host(&hub, "{}"));
        other.handle(Command::Dial { address: address.clone() });
        let mut nets: Vec<&mut Net> = others.iter_mut().collect();
        nets.extend([&mut other, &mut a]);
        let last = nets.len() - 1;
        drive(&mut nets, "an answer to the caller", |index, event| match event {
            Event::Connected { .. } => index == last && seed < bound,
            Event::Refused { reason, stranger: None } => {
                assert_eq!((index, seed), (last, bound));
                assert!(reason.contains("limit exceeded"), "{reason}");
                true
            }
            _ => false,
        })
        .await;
        others.push(other);
    }
}

#[wasm_bindgen_test]
async fn dials_that_fail_say_why() {
    let hub = host::hub();
    let mut a = net(1, host::host(&hub, "{}"));
    let own = listen(&mut a).await;
    let table = [
        ("nonsense".to_owned(), "no multiaddr"),
        ("/ip4/127.0.0.1/udp/1/quic-v1".to_owned(), "no transport"),
        ("/ip4/127.0.0.1/tcp/1/ws".to_owned(), "nobody listens"),
        (own, "our own address"),
        (format!("/ip4/127.0.0.1/tcp/{}", "9".repeat(limits::ADDRESS_BYTES_MAX)), "no multiaddr"),
        ("/dns4/a%2fb@c/tcp/1/ws".to_owned(), "no transport"),
    ];
    for (address, expected) in table {
        a.handle(Command::Dial { address: address.clone() });
        drive(&mut [&mut a], "a failed dial", |_, event| match event {
            Event::DialFailed { address: failed, reason } => {
                assert_eq!(*failed, address);
                assert!(reason.contains(expected), "{address}: {reason}");
                true
            }
            _ => false,
        })
        .await;
    }
}

#[wasm_bindgen_test]
async fn a_host_that_throws_fails_the_dial() {
    let mut a = net(1, host::host(&host::hub(), "{ throws: true }"));
    a.handle(Command::Dial { address: "/ip4/127.0.0.1/tcp/1/ws".to_owned() });
    drive(&mut [&mut a], "a failed dial", |_, event| match event {
        Event::DialFailed { reason, .. } => {
            assert!(reason.contains("no dialling today"), "{reason}");
            true
        }
        _ => false,
    })
    .await;
}

#[wasm_bindgen_test]
async fn another_peer_behind_an_address_is_noticed() {
    let hub = host::hub();
    let (mut a, mut b) = (net(1, host::host(&hub, "{}")), net(2, host::host(&hub, "{}")));
    let address = listen(&mut a).await;
    let (place, _) = address.rsplit_once('/').unwrap();
    let wrong = format!("{place}/{}", net(9, host::host(&hub, "{}")).peer_id());
    b.handle(Command::Dial { address: wrong });
    drive(&mut [&mut b, &mut a], "a failed dial", |_, event| match event {
        Event::DialFailed { reason, .. } => {
            assert!(reason.contains("another peer answered"), "{reason}");
            true
        }
        _ => false,
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_port_that_is_taken_has_its_code() {
    let hub = host::hub();
    let (mut a, mut b) = (net(1, host::host(&hub, "{}")), net(2, host::host(&hub, "{}")));
    let address = listen(&mut a).await;
    let (place, _) = address.split_once("/p2p/").unwrap();
    b.handle(Command::Listen { address: place.to_owned() });
    drive(&mut [&mut b], "a refused port", |_, event| match event {
        Event::ListenFailed { code, reason, .. } => {
            assert_eq!(*code, "address-in-use");
            assert!(reason.contains("taken"), "{reason}");
            true
        }
        _ => false,
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_host_that_cannot_listen_says_so() {
    let hub = host::hub();
    let mut a = net(1, host::call(&hub, "dialOnly", &[host::value("{}")]));
    a.handle(Command::Listen { address: "/ip4/127.0.0.1/tcp/0/ws".to_owned() });
    drive(&mut [&mut a], "a refused listener", |_, event| match event {
        Event::ListenFailed { code, reason, .. } => {
            assert_eq!(*code, "listen");
            assert!(reason.contains("cannot listen"), "{reason}");
            true
        }
        _ => false,
    })
    .await;
}

#[wasm_bindgen_test]
async fn requests_beyond_the_bounds_fail_at_once() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{}").await;
    let ask = |request, bytes| Command::Request { peer: ids[0].clone(), request, bytes };
    // To nobody, too long, and one more than may be open to one peer.
    let nobody = Command::Request { peer: ids[1].clone(), request: 100, bytes: vec![] };
    b.handle(nobody);
    b.handle(ask(101, vec![0; limits::REQUEST_BYTES_MAX + 1]));
    let open = u64::try_from(limits::REQUESTS_PER_CONNECTION_MAX).unwrap();
    (0..open).for_each(|request| b.handle(ask(request, vec![1])));
    let mut failures = Vec::new();
    drive(&mut [&mut a, &mut b], "three failures", |_, event| {
        if let Event::Response { request, result: Err(failure) } = event {
            failures.push((*request, *failure));
        }
        failures.len() == 3
    })
    .await;
    failures.sort_by_key(|(request, _)| *request);
    assert_eq!(failures[0], (open - 1, Failure::Busy));
    assert_eq!(failures[1], (100, Failure::Disconnected));
    assert_eq!(failures[2].0, 101);
}

#[wasm_bindgen_test]
async fn an_answer_beyond_the_bound_is_malformed() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{}").await;
    b.handle(Command::Request { peer: ids[0].clone(), request: 1, bytes: vec![1] });
    let mut token = None;
    drive(&mut [&mut a, &mut b], "a request", |_, event| {
        if let Event::Request { token: asker, .. } = event {
            token = Some(*asker);
        }
        token.is_some()
    })
    .await;
    let bytes = vec![0; limits::RESPONSE_BYTES_MAX + 1];
    a.handle(Command::Respond { token: token.unwrap(), bytes });
    drive(&mut [&mut a, &mut b], "a failure", |_, event| {
        matches!(event, Event::Response { request: 1, result: Err(_) })
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_reason_to_disconnect_comes_back() {
    let (mut a, mut b, ids) = pair(&host::hub(), "{}").await;
    a.handle(Command::Disconnect { peer: ids[1].clone(), reason: "bad manners".to_owned() });
    let mut gone = 0;
    drive(&mut [&mut a, &mut b], "both disconnected", |index, event| {
        if let Event::Disconnected { reason, .. } = event {
            assert!(index == 1 || reason == "bad manners");
            gone += 1;
        }
        gone == 2
    })
    .await;
}

#[wasm_bindgen_test]
async fn closing_leaves_nothing_open() {
    let hub = host::hub();
    let (a, mut b, _) = pair(&hub, "{}").await;
    let started = platform::now();
    a.close().await;
    assert!(platform::now().since_ms(started.mono_ms) < 900, "goodbye took too long");
    drive(&mut [&mut b], "the goodbye", |_, event| matches!(event, Event::Disconnected { .. }))
        .await;
    platform::sleep(20).await;
    assert_eq!(host::call(&hub, "open", &[]), JsValue::from(0));
    assert_eq!(host::call(&hub, "listening", &[]), JsValue::from(0));
}
