//! Wire messages against golden bytes, and everything that is not one of them.

use std::fmt::Write as _;

use super::*;
use crate::crypto::sign::{SIGNATURE_BYTES, Signature};
use crate::dag::vote::{CheckpointSignature, ConflictKey, ItemId};
use crate::rng::Rng;
use crate::sampling::{Answer, Ballot, PollId, Question};

/// One line for each message: its name and its bytes in hex. Made by this program, version 0.1.0.
const GOLDEN: &str = include_str!("../../tests/vectors/wire.txt");

fn binding() -> Binding {
    Binding {
        transport: crate::identity::TransportId::from_bytes(&[9; 3]).unwrap(),
        epoch: 2,
        valid_from_ms: 3,
        valid_until_ms: 4,
        signature: Signature::from_bytes(&[5; SIGNATURE_BYTES]).unwrap(),
    }
}

fn heads() -> Heads {
    Heads {
        heads: vec![VertexId::of(b"head")],
        peers: vec!["/ip4/10.0.0.1/tcp/4100/ws/p2p/2".to_owned()],
    }
}

fn hello(binding: Option<Binding>) -> Hello {
    Hello {
        network: NetworkId::from_bytes([1; 32]),
        time_ms: 1_763_000_000_000,
        identity: vec![1, 2, 3],
        binding,
        addresses: vec!["/ip4/127.0.0.1/tcp/1/ws/p2p/3".to_owned()],
        heads: heads(),
    }
}

/// A question of a poll.
fn question() -> Vec<u8> {
    let key = ConflictKey::derive("name", &[b"mesh", &[0, 0, 0, 0, 0, 0, 0, 1]]);
    Question { poll: PollId::from_bytes([4; 16]), key }.encode()
}

/// An answer to it, with bytes in the place of a signature.
fn answer() -> Vec<u8> {
    let Question { poll, key } = Question::decode(&question()).unwrap();
    let preference = Some(ItemId(VertexId::of(b"head"), 0));
    let signature = CheckpointSignature(Signature::from_bytes(&[5; SIGNATURE_BYTES]).unwrap());
    Answer { ballot: Ballot { poll, key, preference }, signature }.encode()
}

fn requests() -> Vec<(&'static str, Request)> {
    let id = VertexId::of(b"head");
    vec![
        ("request-hello", Request::Hello(hello(None))),
        ("request-hello-binding", Request::Hello(hello(Some(binding())))),
        ("request-heads", Request::Heads(heads())),
        ("request-vertices", Request::Vertices(WantVertices { ids: vec![id], height: 300 })),
        ("request-ancestors", Request::Ancestors(WantAncestors { of: vec![id], known: vec![] })),
        ("request-ranges", Request::Ranges(Ranges { message: vec![0x61, 0, 0, 2, 0] })),
        ("request-blob", Request::Blob(WantBlob { blob: BlobId::of(b"blob"), offset: 300_000 })),
        ("request-polls", Request::Polls(Polls { questions: vec![question().into()] })),
        ("request-snapshot", Request::Snapshot(WantSnapshot { epoch: 3, height: 9 })),
    ]
}

fn snapshot(commitments: Vec<u8>) -> Snapshot {
    Snapshot { certificate: vec![1, 2], manifest: vec![3], open: vec![9; 32], commitments }
}

fn responses() -> Vec<(&'static str, Response)> {
    let vertices = vec![ByteBuf::from(vec![1, 2]), ByteBuf::from(vec![3])];
    let refusals = [
        ("response-refused-network", Refusal::Network),
        ("response-refused-identity", Refusal::Identity),
        ("response-refused-malformed", Refusal::Malformed),
        ("response-refused-busy", Refusal::Busy),
        ("response-refused-unknown", Refusal::Unknown),
        ("response-refused-ended", Refusal::Ended),
    ];
    let mut all = vec![
        ("response-hello", Response::Hello(hello(None))),
        ("response-heads", Response::Heads(Heads::default())),
        ("response-vertices", Response::Vertices(Vertices { vertices, more: true })),
        ("response-ranges", Response::Ranges(Ranges { message: vec![0x61] })),
        ("response-blob", Response::Blob(BlobPiece { total: 9, bytes: vec![7, 8, 9] })),
        ("response-ballots", Response::Ballots(Ballots { answers: vec![answer().into()] })),
        ("response-snapshot", Response::Snapshot(snapshot(vec![]))),
        ("response-snapshot-commitments", Response::Snapshot(snapshot(vec![8; 36]))),
    ];
    let refused = |(name, reason)| (name, Response::Refused(Refused { reason }));
    all.extend(refusals.map(refused));
    all
}

fn line(name: &str, bytes: &[u8]) -> String {
    let mut line = format!("{name} ");
    for byte in bytes {
        write!(line, "{byte:02x}").unwrap();
    }
    line
}

#[test]
fn messages_have_their_golden_bytes() {
    let requests = requests().into_iter().map(|(name, request)| line(name, &request.encode()));
    let responses = responses().into_iter().map(|(name, answer)| line(name, &answer.encode()));
    let now: Vec<String> = requests.chain(responses).collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    assert_eq!(now, golden, "a change of the wire needs a new protocol id");
}

#[test]
fn messages_come_back_as_they_were_sent() {
    for (name, request) in requests() {
        assert_eq!(Request::decode(&request.encode()), Ok(request), "{name}");
    }
    for (name, response) in responses() {
        assert_eq!(Response::decode(&response.encode()), Ok(response), "{name}");
    }
}

#[test]
fn bytes_that_are_no_message_are_refused_by_their_cause() {
    let valid = Request::Blob(WantBlob { blob: BlobId::of(b"x"), offset: 1 }).encode();
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "message-malformed"),
        ("truncated", valid[..valid.len() - 1].to_vec(), "message-malformed"),
        ("trailing byte", [valid.clone(), vec![0]].concat(), "message-malformed"),
        ("response as request", Response::Heads(heads()).encode(), ""),
        ("unknown kind", b"\xa1\x63new\xa0".to_vec(), "message-malformed"),
        ("unknown field", b"\xa1\x65heads\xa1\x61x\x01".to_vec(), "message-malformed"),
        ("too long", vec![0; limits::REQUEST_BYTES_MAX + 1], "message-oversized"),
        // {"blob": {"blob": ..., "offset": 1}} with the 1 in two bytes.
        ("long number", [&valid[..valid.len() - 1], &[0x18, 1]].concat(), ""),
    ];
    for (what, bytes, code) in rows {
        match Request::decode(&bytes) {
            Err(error) if code.is_empty() || error.code() == code => {}
            Ok(Request::Heads(_)) if what == "response as request" => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn lists_and_addresses_have_limits() {
    let id = VertexId::of(b"x");
    let many = |count: usize| vec![id; count];
    let address = |text: String| Heads { heads: vec![], peers: vec![text] };
    let polls = |count, bytes| Polls { questions: vec![ByteBuf::from(vec![0; bytes]); count] };
    let rows = [
        (Request::Vertices(WantVertices { ids: many(65), height: 0 }), "message-too-many"),
        (Request::Ancestors(WantAncestors { of: many(65), known: vec![] }), "message-too-many"),
        (Request::Ancestors(WantAncestors { of: vec![], known: many(65) }), "message-too-many"),
        (Request::Heads(Heads { heads: many(65), peers: vec![] }), "message-too-many"),
        (
            Request::Heads(Heads { heads: vec![], peers: vec![String::new(); 17] }),
            "message-too-many",
        ),
        (Request::Polls(polls(limits::POLL_QUESTIONS_MAX + 1, 1)), "message-too-many"),
        (Request::Polls(polls(1, limits::POLL_MESSAGE_BYTES_MAX + 1)), "message-too-many"),
        (Request::Heads(address("/".repeat(513))), "message-address"),
        (Request::Heads(address("/ip4/1 2".to_owned())), "message-address"),
        (Request::Heads(address("/dns4/\u{fc}".to_owned())), "message-address"),
    ];
    for (request, code) in rows {
        assert_eq!(Request::decode(&request.encode()).unwrap_err().code(), code);
    }
    let bytes = vec![0; limits::BLOB_PIECE_BYTES_MAX + 1];
    let piece = Response::Blob(BlobPiece { total: 1, bytes });
    assert_eq!(Response::decode(&piece.encode()).unwrap_err().code(), "message-too-many");
}

/// Half a million empty strings in an answer of half a megabyte took sixteen to read.
#[test]
fn a_message_of_many_little_things_is_refused_before_it_is_read() {
    let vertices = vec![ByteBuf::new(); 600_000];
    let page = Response::Vertices(Vertices { vertices, more: false }).encode();
    assert!(page.len() <= limits::RESPONSE_BYTES_MAX);
    let error = Response::decode(&page).unwrap_err();
    assert_eq!(error.code(), "message-malformed");
    assert!(error.to_string().contains("more items than allowed"), "{error}");
}

#[test]
fn the_largest_messages_fit_their_limits() {
    let id = VertexId::of(b"x");
    let address = "/".repeat(limits::ADDRESS_BYTES_MAX);
    let heads = Heads {
        heads: vec![id; limits::HEADS_MAX],
        peers: vec![address.clone(); limits::PEERS_TOLD_MAX],
    };
    let hello = Hello {
        identity: vec![0; limits::SIGNED_VERTEX_BYTES_MAX],
        addresses: vec![address; limits::ADDRESSES_PER_PEER_MAX],
        heads,
        ..hello(Some(binding()))
    };
    assert!(Request::decode(&Request::Hello(hello).encode()).is_ok());
    let want = WantAncestors {
        of: vec![id; limits::REQUEST_VERTICES_MAX],
        known: vec![id; limits::HEADS_MAX],
    };
    assert!(Request::decode(&Request::Ancestors(want).encode()).is_ok());
    let each = limits::RESPONSE_VERTICES_BYTES_MAX / limits::RESPONSE_VERTICES_MAX;
    let vertices = vec![ByteBuf::from(vec![0; each]); limits::RESPONSE_VERTICES_MAX];
    let page = Response::Vertices(Vertices { vertices, more: false });
    assert!(Response::decode(&page.encode()).is_ok());
    let answer = ByteBuf::from(vec![0; limits::POLL_MESSAGE_BYTES_MAX]);
    let ballots = Ballots { answers: vec![answer.clone(); limits::POLL_QUESTIONS_MAX] };
    assert!(Response::decode(&Response::Ballots(ballots).encode()).is_ok());
    let polls = Polls { questions: vec![answer; limits::POLL_QUESTIONS_MAX] };
    assert!(Request::decode(&Request::Polls(polls).encode()).is_ok());
}

#[test]
fn flipped_bits_never_give_a_second_reading() {
    let mut rng = Rng::from_u64(1);
    let all: Vec<Vec<u8>> = requests().into_iter().map(|(_, request)| request.encode()).collect();
    for _ in 0..20_000 {
        let pick = usize::try_from(rng.below(u32::try_from(all.len()).unwrap())).unwrap();
        let mut bytes = all[pick].clone();
        let place = usize::try_from(rng.below(u32::try_from(bytes.len()).unwrap())).unwrap();
        bytes[place] ^= 1 << rng.below(8);
        if let Ok(request) = Request::decode(&bytes) {
            assert_eq!(request.encode(), bytes);
        }
    }
}

#[test]
fn the_topic_names_the_network_and_the_version() {
    let topic = vertices_topic(&NetworkId::from_bytes([0; 32]));
    assert_eq!(topic, format!("synaptic-mesh/{}/vertices/1", "a".repeat(52)));
}
