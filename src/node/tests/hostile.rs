//! What peers can do wrong: each is dropped, counted and penalised, memory stays bounded, and the
//! node stays up.

use super::mesh::{Mesh, UNIX_MS, tiny_run};
use super::stranger::Stranger;
use crate::dag::tests::sign_anything;
use crate::dag::{BlobId, EquivocationProof, NetworkId, SignedVertex, VertexId};
use crate::effect::{Command, Effect, Input, RequestFailed, Verdict};
use crate::event::{Channel, Event, Reply};
use crate::limits;
use crate::message::{
    BlobPiece, Heads, Refusal, Refused, Request, Response, WantAncestors, WantBlob, WantVertices,
};
use crate::rng::Rng;

fn count(mesh: &Mesh, member: usize, cause: &str) -> u64 {
    mesh.node(member).counters.snapshot().get(cause).copied().unwrap_or(0)
}

fn is_connected(mesh: &Mesh, stranger: &Stranger) -> bool {
    mesh.node(0).peers.get(&stranger.transport).is_some()
}

/// The maps of a node are within their limits.
fn assert_bounded(mesh: &Mesh, member: usize) {
    let node = mesh.node(member);
    assert!(node.peers.len() <= limits::PEERS_MAX);
    assert!(node.peers.open_len() <= limits::PEERS_MAX * limits::REQUESTS_PER_PEER_MAX);
    assert!(node.penalties.len() <= limits::PENALTIES_MAX);
    assert!(node.author_rates.len() <= limits::AUTHOR_RATES_MAX);
    assert!(node.book.len() <= limits::BOOK_ENTRIES_MAX);
    assert!(node.blobs.cached_bytes() <= limits::BLOB_CACHE_BYTES_MAX + limits::BACKLOG_BYTES_MAX);
    assert!(node.blobs.wanted() <= limits::BLOBS_WANTED_MAX);
    assert!(node.serving.len() <= limits::PEERS_MAX * (limits::SERVING_PER_PEER_MAX + 1));
    assert!(node.graph.parked() <= limits::ORPHANS_MAX);
    assert!(node.sync.wanted() <= limits::PEERS_MAX * limits::SYNC_WANTED_PER_PEER_MAX);
    // What was under way when the backlog was full still arrives.
    let under_way = limits::BLOB_FETCHES_MAX * limits::BLOB_BYTES_MAX
        + limits::SYNC_REQUESTS_MAX * limits::RESPONSE_VERTICES_BYTES_MAX;
    assert!(node.writer.backlog_bytes() <= limits::BACKLOG_BYTES_MAX + under_way);
    assert!(node.commands.len() <= limits::COMMANDS_WAITING_MAX);
}

fn lone_node() -> Mesh {
    Mesh::running(50, 1)
}

#[test]
fn a_stranger_gets_nothing_before_its_hello() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    let refused = Request::Heads(Heads::default());
    assert_eq!(stranger.refusal(&mut mesh, 0, &refused), Refusal::Identity, "not even connected");
    stranger.connect(&mut mesh, 0);
    let id = mesh.node(0).graph().heads()[0];
    for request in [
        Request::Vertices(WantVertices { ids: vec![id], height: 0 }),
        Request::Ancestors(WantAncestors { of: vec![id], known: vec![] }),
    ] {
        assert_eq!(stranger.refusal(&mut mesh, 0, &request), Refusal::Identity);
    }
    assert_eq!(count(&mesh, 0, "peer-request-before-hello"), 2);
    assert!(!is_connected(&mesh, &stranger), "two such requests are enough");
    let effects = stranger.connect(&mut mesh, 0);
    assert!(stranger.is_sent_away(&effects), "banned");
    mesh.run_for(limits::BAN_MS);
    stranger.greet(&mut mesh, 0);
}

/// Streams of one connection overtake each other: a member that was dialled may ask before its
/// answer to the hello is there. Two such requests had honest members banned for ten minutes.
#[test]
fn a_request_that_overtakes_the_answer_to_a_hello_costs_nothing() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    let (peer, address) = (stranger.transport.clone(), foreign_address(&stranger));
    let channel = Channel::Classical;
    mesh.poke(0, Input::Connected { peer, address, outbound: true, channel });
    for _ in 0..10 {
        let early = Request::Heads(Heads::default());
        assert_eq!(stranger.refusal(&mut mesh, 0, &early), Refusal::Identity);
    }
    assert_eq!(count(&mesh, 0, "peer-request-before-hello"), 0);
    assert!(is_connected(&mesh, &stranger));
}

#[test]
fn who_keeps_silent_is_disconnected() {
    let mut mesh = lone_node();
    let stranger = Stranger::new(1, mesh.network());
    stranger.connect(&mut mesh, 0);
    mesh.run_for(limits::HELLO_TIMEOUT_MS + 100);
    assert!(!is_connected(&mesh, &stranger));
    assert_eq!(count(&mesh, 0, "peer-no-hello"), 1);
}

/// A connection that is gone fails every request at once, and its end may be told later: a
/// simulated member said hello 134,000 times in a second.
#[test]
fn a_hello_that_fails_is_not_repeated_at_once() {
    let mut mesh = lone_node();
    let stranger = Stranger::new(1, mesh.network());
    stranger.connect(&mut mesh, 0);
    let mut hellos = 0;
    for _ in 0..4 * limits::HELLO_SHY_MS / 100 {
        mesh.run_for(100);
        let requests = mesh.node(0).peers.requests_to(&stranger.transport);
        hellos += requests.len();
        for request in requests {
            let result = Err(RequestFailed::Disconnected);
            mesh.poke(0, Input::Response { request, result });
        }
    }
    assert!((2..=4).contains(&hellos), "{hellos} hellos in four times the wait");
}

#[test]
fn a_hello_must_fit_the_connection_and_the_network() {
    let mut mesh = lone_node();
    let network = mesh.network();
    let foreign = Stranger::new(1, NetworkId::from_bytes([9; 32]));
    let (one, other) = (Stranger::new(2, network), Stranger::new(3, network));
    let zeroed = |bytes: &[u8], from: usize, to: usize| {
        let mut bytes = bytes.to_vec();
        bytes[from..to].fill(0);
        bytes
    };
    // The signature is the end of an encoded vertex: 3309 bytes of ML-DSA-65, 64 of Ed25519.
    let encoded = one.identity.encode();
    let end = encoded.len();
    let mut rows = Vec::new();
    rows.push(("foreign network", foreign.hello(), Refusal::Network));
    rows.push(("another's identity", other.hello(), Refusal::Identity));
    let mut hello = one.hello();
    hello.identity = zeroed(&encoded, end - 64, end);
    rows.push(("Ed25519 half zeroed", hello, Refusal::Identity));
    let mut hello = one.hello();
    hello.identity = zeroed(&encoded, end - 3_373, end - 64);
    rows.push(("ML-DSA half zeroed", hello, Refusal::Identity));
    let mut hello = one.hello();
    hello.identity = encoded[..end / 2].to_vec();
    rows.push(("truncated identity", hello, Refusal::Identity));
    let mut hello = one.hello();
    hello.identity = one.next(&one.identity, 1).encode();
    rows.push(("a vertex that is no identity", hello, Refusal::Identity));
    let mut hello = one.hello();
    hello.identity = mesh.node(0).identity.encode();
    rows.push(("the node's own identity", hello, Refusal::Identity));
    for (what, hello, expected) in rows {
        // A fresh transport key for each row, so that no row inherits the ban of another.
        let mut stranger = Stranger::new(2, network);
        let mut bytes = stranger.transport.as_bytes().to_vec();
        let is_wrong_key = what == "another's identity";
        if is_wrong_key {
            *bytes.last_mut().unwrap() ^= 1;
        }
        stranger.transport = crate::identity::TransportId::from_bytes(&bytes).unwrap();
        let mut mesh = lone_node();
        stranger.connect(&mut mesh, 0);
        let refusal = stranger.refusal(&mut mesh, 0, &Request::Hello(hello));
        assert_eq!(refusal, expected, "{what}");
        if refusal == Refusal::Network {
            mesh.run_for(limits::HELLO_TIMEOUT_MS + 1_000);
        }
        assert!(!is_connected(&mesh, &stranger), "{what}");
    }
    let mut honest = Stranger::new(2, network);
    honest.greet(&mut mesh, 0);
}

/// Who knows more may take it.
#[test]
fn who_sends_what_is_far_ahead_of_all_times_is_not_blamed() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let unknown = stranger.next(&stranger.next(&stranger.identity, 1), 2);
    let mut future = stranger.vertex(&unknown, &[], 3);
    (future.lamport, future.parents[0].lamport) = (1 << 40, (1 << 40) - 1);
    let bytes = stranger.sign(&future).encode();
    assert_eq!(stranger.gossip(&mut mesh, 0, &bytes), Verdict::Ignore);
    assert_eq!(count(&mesh, 0, "vertex-future-lamport"), 1);
    assert_eq!(count(&mesh, 0, "peer-invalid-vertex"), 0);
    assert_eq!(mesh.node(0).graph().parked(), 0);
}

#[test]
fn vertices_that_break_a_rule_are_rejected_counted_and_end_in_a_ban() {
    let network = lone_node().network();
    let stranger = Stranger::new(1, network);
    let good = stranger.next(&stranger.identity, 1);
    let encoded = good.encode();
    let end = encoded.len();
    let zero = |from: usize, to: usize| {
        let mut bytes = encoded.clone();
        bytes[from..to].fill(0);
        bytes
    };
    let elsewhere = Stranger::new(1, NetworkId::from_bytes([9; 32]));
    let lamport = {
        let mut vertex = stranger.vertex(&stranger.identity, &[], 1);
        vertex.lamport += 1;
        sign_anything(&stranger.key, &vertex)
    };
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "vertex-malformed"),
        ("random", (0..300_u32).map(|n| (n * 37 % 251) as u8).collect(), "vertex-malformed"),
        ("truncated", encoded[..end - 1].to_vec(), "vertex-malformed"),
        ("oversized", vec![0x58; limits::SIGNED_VERTEX_BYTES_MAX + 1], "vertex-too-large"),
        ("Ed25519 half zeroed", zero(end - 64, end), "signature-ed25519"),
        ("ML-DSA half zeroed", zero(end - 3_373, end - 64), "signature-ml-dsa"),
        ("cross-network", elsewhere.identity.encode(), "vertex-wrong-network"),
        ("wrong Lamport time", lamport, "vertex-lamport"),
    ];
    for (what, bytes, cause) in rows {
        let mut mesh = lone_node();
        let mut stranger = Stranger::new(1, network);
        stranger.greet(&mut mesh, 0);
        let before = mesh.node(0).graph().len();
        assert_eq!(stranger.gossip(&mut mesh, 0, &bytes), Verdict::Reject, "{what}");
        let counters = mesh.node(0).counters.snapshot();
        assert_eq!(count(&mesh, 0, cause), 1, "{what}: {counters:?}");
        assert_eq!(count(&mesh, 0, "peer-invalid-vertex"), 1, "{what}");
        for _ in 0..3 {
            stranger.gossip(&mut mesh, 0, &bytes);
        }
        assert!(!is_connected(&mesh, &stranger), "{what}: banned after the fourth");
        assert_eq!(mesh.node(0).graph().len(), before, "{what}");
        assert_bounded(&mesh, 0);
    }
}

#[test]
fn replayed_vertices_cost_nothing_and_blame_nobody() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let vertex = stranger.next(&stranger.identity, 1).encode();
    assert_eq!(stranger.gossip(&mut mesh, 0, &vertex), Verdict::Accept);
    for _ in 0..100 {
        assert_eq!(stranger.gossip(&mut mesh, 0, &vertex), Verdict::Ignore);
    }
    assert!(is_connected(&mesh, &stranger));
    assert_eq!(mesh.node(0).graph().len(), 3);
}

#[test]
fn unknown_parents_are_parked_asked_for_and_forgotten() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let mut last = stranger.identity.clone();
    for tag in 0..100 {
        let hidden = stranger.next(&last, tag);
        last = stranger.next(&hidden, 200);
        if tag < 60 {
            assert_eq!(stranger.gossip(&mut mesh, 0, &last.encode()), Verdict::Ignore);
        }
    }
    assert!(mesh.node(0).graph().parked() >= 30);
    assert_bounded(&mesh, 0);
    assert!(is_connected(&mesh, &stranger));
    mesh.run_for(limits::ORPHAN_AGE_MS_MAX + 10_000);
    assert_eq!(mesh.node(0).graph().parked(), 0);
}

#[test]
fn floods_end_in_a_ban() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let vertex = stranger.next(&stranger.identity, 1).encode();
    let mut sent = 0;
    while is_connected(&mesh, &stranger) {
        stranger.gossip(&mut mesh, 0, &vertex);
        sent += 1;
        assert!(sent < 10_000);
    }
    assert!(sent >= limits::GOSSIP_BURST);
    let mut second = Stranger::new(2, mesh.network());
    second.greet(&mut mesh, 0);
    let mut sent = 0;
    while is_connected(&mesh, &second) {
        second.request(&mut mesh, 0, &Request::Heads(Heads::default()));
        sent += 1;
        assert!(sent < 10_000);
    }
    assert!(sent >= limits::REQUEST_BURST);
    assert_eq!(count(&mesh, 0, "peer-banned"), 2);
    assert_bounded(&mesh, 0);
}

/// A request of a hundred bytes cost a walk over the whole history.
#[test]
fn walks_over_the_history_are_paid_for_by_who_asks() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let of = mesh.node(0).graph().heads();
    let request = Request::Ancestors(WantAncestors { of, known: vec![] });
    let node = mesh.members[0].node.as_mut().unwrap();
    let from = node.peers.get_mut(&stranger.transport).unwrap();
    from.walks.spend(usize::try_from(limits::WALK_BURST).unwrap() - 1);
    let answer = stranger.request(&mut mesh, 0, &request);
    assert!(matches!(answer, Some(Response::Vertices(answer)) if answer.vertices.len() == 2));
    assert_eq!(stranger.refusal(&mut mesh, 0, &request), Refusal::Busy);
    mesh.run_for(100);
    assert!(matches!(stranger.request(&mut mesh, 0, &request), Some(Response::Vertices(_))));
    assert!(is_connected(&mesh, &stranger), "to ask is no offence");
}

#[test]
fn one_author_cannot_fill_the_history_at_once() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let mut last = stranger.identity.clone();
    let mut accepted = 0;
    for index in 0..200_u32 {
        last = stranger.next(&last, (index % 256) as u8);
        if stranger.gossip(&mut mesh, 0, &last.encode()) == Verdict::Accept {
            accepted += 1;
        }
    }
    assert!(accepted <= limits::AUTHOR_BURST, "{accepted}");
    assert!(count(&mesh, 0, "gossip-author-rate") > 0);
    assert!(is_connected(&mesh, &stranger), "a rate delays, it does not condemn");
}

/// A clock that is a century ahead, or an author who says so, delays its author and nobody else.
#[test]
fn an_author_who_is_ahead_of_time_is_slowed_down_and_not_refused() {
    let mut mesh = lone_node();
    let mut strangers = [1, 2].map(|seed| Stranger::new(seed, mesh.network()));
    let mut last = strangers.each_ref().map(|stranger| stranger.identity.clone());
    for stranger in &mut strangers {
        stranger.greet(&mut mesh, 0);
    }
    let mut accepted = [0, 0];
    let ahead_ms = [UNIX_MS + 4_000_000_000_000, mesh.now(0).unix_ms + 9_000];
    for index in 0..limits::AHEAD_BURST + 10 {
        for who in 0..2 {
            let mut vertex = strangers[who].vertex(&last[who], &[], (index % 256) as u8);
            vertex.time_ms = ahead_ms[who];
            let signed = strangers[who].sign(&vertex);
            if strangers[who].gossip(&mut mesh, 0, &signed.encode()) == Verdict::Accept {
                accepted[who] += 1;
                last[who] = signed;
            }
        }
    }
    assert_eq!(accepted, [limits::AHEAD_BURST, limits::AHEAD_BURST + 10]);
    assert_eq!(count(&mesh, 0, "vertex-ahead-of-time"), 10);
    mesh.run_for(1_000);
    let mut vertex = strangers[0].vertex(&last[0], &[], 0);
    vertex.time_ms = ahead_ms[0];
    let late = strangers[0].sign(&vertex).encode();
    assert_eq!(strangers[0].gossip(&mut mesh, 0, &late), Verdict::Accept);
    assert!(strangers.iter().all(|stranger| is_connected(&mesh, stranger)));
    // What this node writes on top of it stays with its own clock.
    mesh.start_run(0, tiny_run(2, 2));
    let own = mesh.node(0).author();
    let own = mesh.node(0).graph().iter().filter(|signed| signed.vertex().author == own);
    let newest_ms = own.map(|signed| signed.vertex().time_ms).max().unwrap();
    assert!(newest_ms <= mesh.now(0).unix_ms + limits::TIME_AHEAD_MS_MAX);
}

/// To a clock an hour behind everything is ahead; but that is what all peers say of it.
#[test]
fn a_node_whose_own_clock_is_slow_takes_the_word_of_its_peers() {
    let mut mesh = lone_node();
    mesh.members[0].clock_skew_ms = -3_600_000;
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let mut last = stranger.identity.clone();
    for index in 0..limits::AHEAD_BURST + 10 {
        last = stranger.next(&last, (index % 256) as u8);
        assert_eq!(stranger.gossip(&mut mesh, 0, &last.encode()), Verdict::Accept, "{index}");
    }
    assert_eq!(count(&mesh, 0, "vertex-ahead-of-time"), 0);
}

#[test]
fn malformed_messages_are_refused_and_counted() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let valid = Request::Blob(WantBlob { blob: BlobId::of(b"x"), offset: 0 }).encode();
    let rows = [
        vec![],
        vec![0xff; 10],
        valid[..valid.len() - 1].to_vec(),
        [valid.clone(), vec![0]].concat(),
        vec![0; limits::REQUEST_BYTES_MAX + 1],
    ];
    for bytes in rows {
        let mut mesh = lone_node();
        stranger.greet(&mut mesh, 0);
        let answer = stranger.request_bytes(&mut mesh, 0, bytes);
        assert!(matches!(answer, Some(Response::Refused(r)) if r.reason == Refusal::Malformed));
        assert_eq!(count(&mesh, 0, "peer-malformed-message"), 1);
    }
    assert_eq!(
        stranger.refusal(
            &mut mesh,
            0,
            &Request::Blob(WantBlob { blob: BlobId::of(b"x"), offset: 0 })
        ),
        Refusal::Unknown
    );
}

#[test]
fn an_equivocator_is_ended_everywhere() {
    let mut mesh = Mesh::running(51, 3);
    let mut stranger = Stranger::new(1, mesh.network());
    for member in 0..3 {
        stranger.greet(&mut mesh, member);
    }
    let identity = stranger.identity.clone();
    let [one, other] = [1, 2].map(|tag| stranger.next(&identity, tag));
    // Each side of the mesh sees another of the two first.
    assert_eq!(stranger.gossip(&mut mesh, 0, &one.encode()), Verdict::Accept);
    stranger.gossip(&mut mesh, 1, &other.encode());
    mesh.run_for(20_000);
    for member in 0..3 {
        let node = mesh.node(member);
        assert_eq!(node.graph().equivocated(&stranger.author()), Some(1), "member {member}");
        assert!(node.graph().has_proof(&stranger.author()), "member {member}");
        assert!(node.peers.get(&stranger.transport).is_none(), "member {member}");
    }
    // Whoever accepted a half before it knew cites it with its next vertex, and so all get it.
    let run = mesh.start_run(0, tiny_run(2, 3));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.join(2, &run);
    mesh.finish(&run, &[0, 1, 2], 60_000);
    mesh.run_for(5_000);
    let ids = |member: usize| {
        let mut ids: Vec<_> = mesh.node(member).graph().iter().map(SignedVertex::id).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(0), ids(1));
    assert_eq!(ids(0), ids(2));
    let kinds = mesh.node(0).graph().iter().flat_map(|signed| &signed.vertex().payloads);
    let proofs = kinds.filter(|payload| payload.kind() == "equivocation").count();
    assert!(proofs < 3, "not everybody writes the same proof");
    mesh.run_for(limits::BAN_MS);
    stranger.connect(&mut mesh, 2);
    let hello = Request::Hello(stranger.hello());
    assert_eq!(stranger.refusal(&mut mesh, 2, &hello), Refusal::Ended);
}

#[test]
fn wrong_blob_bytes_are_found_and_fetched_elsewhere() {
    let mut mesh = Mesh::running(52, 4);
    mesh.faults.liar = Some(1);
    let run = mesh.start_run(0, tiny_run(6, 4));
    mesh.run_for(500);
    for member in 1..4 {
        mesh.join(member, &run);
    }
    mesh.finish(&run, &[0, 2, 3], 120_000);
    let caught: u64 = [0, 2, 3].iter().map(|n| count(&mesh, *n, "peer-wrong-blob")).sum();
    assert!(caught >= 3, "{caught}");
    let heads = [0, 2, 3].map(|member| mesh.node(member).runs().get(&run).unwrap().head());
    assert!(heads.iter().all(|head| *head == heads[0]));
}

#[test]
fn a_peer_that_answers_something_else_is_penalised() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.connect(&mut mesh, 0);
    let mut hello = stranger.hello();
    hello.heads.heads = vec![VertexId::of(b"nothing")];
    stranger.request(&mut mesh, 0, &Request::Hello(hello));
    let peer = stranger.transport.clone();
    let answer = Response::Blob(BlobPiece { total: 3, bytes: vec![1, 2, 3] }).encode();
    let open: Vec<u64> = mesh.node(0).peers.requests_to(&peer);
    assert_eq!(open.len(), 1, "it asks for the head it does not know");
    mesh.poke(0, Input::Response { request: open[0], result: Ok(answer.clone()) });
    assert_eq!(count(&mesh, 0, "peer-useless-answer"), 1);
    mesh.poke(0, Input::Response { request: open[0], result: Ok(answer) });
    mesh.poke(0, Input::Response { request: 999, result: Err(RequestFailed::Timeout) });
    assert_eq!(count(&mesh, 0, "response-unexpected"), 2);
}

#[test]
fn a_wrong_clock_is_a_warning_and_nothing_more() {
    let mut mesh = Mesh::new(53, 2);
    mesh.members[1].clock_skew_ms = -3_600_000;
    mesh.start(0);
    mesh.start(1);
    mesh.run_for(3_000);
    let run = mesh.start_run(0, tiny_run(2, 2));
    mesh.run_for(500);
    mesh.join(1, &run);
    mesh.finish(&run, &[0, 1], 30_000);
    for member in 0..2 {
        let warned = |event: &&Event| matches!(event, Event::Warning(p) if p.code == "clock-skew");
        assert_eq!(mesh.members[member].events.iter().filter(warned).count(), 1);
    }
}

#[test]
fn random_bytes_at_every_door_never_stop_a_node() {
    let mut mesh = lone_node();
    let mut rng = Rng::from_u64(54);
    let mut stranger = Stranger::new(1, mesh.network());
    let good = stranger.next(&stranger.identity, 1).encode();
    let hello = Request::Hello(stranger.hello()).encode();
    for _ in 0..400 {
        if !is_connected(&mesh, &stranger) {
            mesh.run_for(limits::BAN_MS);
            stranger.connect(&mut mesh, 0);
            stranger.request_bytes(&mut mesh, 0, hello.clone());
        }
        let mut bytes = if rng.below(2) == 0 { good.clone() } else { hello.clone() };
        for _ in 0..=rng.below(3) {
            let place = rng.below(bytes.len() as u32) as usize;
            bytes[place] ^= 1 << rng.below(8);
        }
        bytes.truncate(bytes.len() - rng.below(2) as usize * rng.below(100) as usize);
        stranger.gossip(&mut mesh, 0, &bytes);
        stranger.request_bytes(&mut mesh, 0, bytes);
    }
    assert_bounded(&mesh, 0);
    assert!(matches!(mesh.ask(0, Command::Status), Ok(Reply::Status(_))));
}

/// The dialler heard nothing, as its connection was closed before the refusal was sent, and tried
/// again and again.
#[test]
fn a_dialler_is_told_that_a_member_belongs_to_another_network() {
    let foreign = Stranger::new(1, NetworkId::from_bytes([9; 32]));
    let refused = Response::Refused(Refused { reason: Refusal::Network });
    for answer in [refused, Response::Hello(foreign.hello())] {
        let mut mesh = lone_node();
        let (peer, address) = (foreign.transport.clone(), foreign_address(&foreign));
        mesh.ask(0, Command::Dial { address: address.clone() }).unwrap();
        let channel = Channel::Classical;
        let connected = Input::Connected { peer, address, outbound: true, channel };
        let asked = mesh.poke(0, connected).into_iter().find_map(|effect| match effect {
            Effect::Request { request, .. } => Some(request),
            _ => None,
        });
        let (request, result) = (asked.expect("it says hello"), Ok(answer.encode()));
        let effects = mesh.poke(0, Input::Response { request, result });
        assert!(foreign.is_sent_away(&effects));
        let warned = effects.iter().any(
            |effect| matches!(effect, Effect::Emit(Event::Warning(p)) if p.code == "wrong-network"),
        );
        assert!(warned, "{effects:?}");
        let next_ms = mesh.node(0).book.next_ms(mesh.now_ms, |_| false).unwrap();
        assert!(next_ms >= mesh.now_ms + limits::BAN_MS);
    }
}

#[test]
fn a_dialler_of_another_network_has_time_to_read_the_refusal() {
    let mut mesh = lone_node();
    let mut foreign = Stranger::new(1, NetworkId::from_bytes([9; 32]));
    foreign.connect(&mut mesh, 0);
    let hello = Request::Hello(foreign.hello());
    assert_eq!(foreign.refusal(&mut mesh, 0, &hello), Refusal::Network);
    assert!(mesh.node(0).peers.get(&foreign.transport).is_some());
    mesh.run_for(limits::HELLO_TIMEOUT_MS + 1_000);
    assert!(mesh.node(0).peers.get(&foreign.transport).is_none());
}

fn foreign_address(foreign: &Stranger) -> String {
    format!("/ip4/127.0.0.1/tcp/4999/ws/p2p/{}", foreign.transport)
}

/// A device without a battery for its clock wakes up in 1970. To it, everybody's binding lies in
/// the future; to everybody else its own has long ended. It banned all its peers, and they it.
#[test]
fn a_clock_at_its_beginning_bans_nobody() {
    let mut mesh = Mesh::new(55, 3);
    mesh.members[1].clock_skew_ms = -i64::try_from(UNIX_MS).unwrap();
    for member in 0..3 {
        mesh.start(member);
    }
    mesh.run_for(30_000);
    for member in 0..3 {
        assert_eq!(count(&mesh, member, "peer-banned"), 0, "member {member}");
        assert_eq!(count(&mesh, member, "peer-wrong-identity"), 0, "member {member}");
    }
    let warned = |event: &Event| matches!(event, Event::Warning(p) if p.code == "clock-skew");
    assert!(mesh.members[0].events.iter().any(warned));
    mesh.crash(1);
    mesh.members[1].clock_skew_ms = 0;
    mesh.start(1);
    mesh.run_for(10_000);
    assert_eq!(mesh.members[1].links.len(), 2, "with the right time it is a member like any other");
}

#[test]
fn gossip_before_a_hello_counts_for_nothing() {
    let mut mesh = lone_node();
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.connect(&mut mesh, 0);
    let before = mesh.node(0).graph().len();
    let identity = stranger.identity.encode();
    assert_eq!(stranger.gossip(&mut mesh, 0, &identity), Verdict::Ignore);
    assert_eq!(stranger.gossip(&mut mesh, 0, b"no vertex"), Verdict::Ignore);
    assert_eq!(mesh.node(0).graph().len(), before);
    assert_eq!(count(&mesh, 0, "peer-invalid-vertex"), 0, "nobody is judged by it");
    assert_eq!(count(&mesh, 0, "gossip-before-hello"), 2);
}

#[test]
fn who_learns_of_an_equivocation_from_its_proof_parts_from_the_author() {
    let mut mesh = lone_node();
    let mut liar = Stranger::new(1, mesh.network());
    let mut witness = Stranger::new(2, mesh.network());
    liar.greet(&mut mesh, 0);
    witness.greet(&mut mesh, 0);
    let [one, other] = [1, 2].map(|tag| liar.next(&liar.identity, tag));
    let proof = EquivocationProof::of(&one, &other, liar.key.public()).unwrap();
    let mut vertex = witness.vertex(&witness.identity, &[&liar.identity], 3);
    vertex.payloads = vec![proof.to_payload()];
    let accuses = witness.sign(&vertex).encode();
    assert_eq!(witness.gossip(&mut mesh, 0, &accuses), Verdict::Accept);
    assert!(!is_connected(&mesh, &liar));
    let before = mesh.node(0).graph().len();
    mesh.run_for(2 * u64::from(limits::ACCUSE_MS_MAX));
    assert_eq!(mesh.node(0).graph().len(), before, "and does not write it once more");
}

/// Whoever forged a member's transport key has everything else a hello takes: identity and binding
/// are public. What it lacks is the author's key, which the hybrid channel asks for.
#[test]
fn a_hello_must_be_of_the_author_that_the_channel_proved() {
    for forged in [true, false] {
        let mut mesh = lone_node();
        let mut member = Stranger::new(1, mesh.network());
        let thief = Stranger::new(2, mesh.network());
        let author = if forged { thief.author() } else { member.author() };
        member.connect_over(&mut mesh, 0, Channel::Hybrid { author });
        let answer = member.request(&mut mesh, 0, &Request::Hello(member.hello()));
        match answer {
            Some(Response::Refused(Refused { reason: Refusal::Identity })) => assert!(forged),
            Some(Response::Hello(_)) => assert!(!forged),
            other => panic!("{other:?}"),
        }
        assert_eq!(count(&mesh, 0, "peer-wrong-identity"), u64::from(forged));
    }
}
