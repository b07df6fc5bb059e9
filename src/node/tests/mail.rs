//! Sealed messages between members, over the history.

use super::mesh::Mesh;
use super::stranger::Stranger;
use crate::dag::{Payload, SealedMessage};
use crate::effect::Command;
use crate::event::{Problem, Reply};
use crate::identity::AuthorId;
use crate::limits;
use crate::sealed::{self, Page, View};

fn author(mesh: &Mesh, member: usize) -> AuthorId {
    mesh.members[member].secrets.author()
}

fn send(mesh: &mut Mesh, member: usize, to: String, text: &str) -> Result<View, Problem> {
    match mesh.ask(member, Command::SendMessage { to, text: text.to_owned() })? {
        Reply::Message(view) => Ok(view),
        other => panic!("{other:?}"),
    }
}

fn tell(mesh: &mut Mesh, member: usize, to: usize, text: &str) -> View {
    let to = author(mesh, to).to_string();
    send(mesh, member, to, text).unwrap()
}

fn page(mesh: &mut Mesh, member: usize, before: Option<String>, count_max: usize) -> Page {
    match mesh.ask(member, Command::Messages { before, count_max }).unwrap() {
        Reply::Messages(page) => page,
        other => panic!("{other:?}"),
    }
}

/// The texts that a member can read, newest first.
fn texts(mesh: &mut Mesh, member: usize) -> Vec<String> {
    let all = page(mesh, member, None, 100).messages;
    all.into_iter().filter_map(|view| view.text).map(Result::unwrap).collect()
}

#[test]
fn a_message_reaches_a_node_that_was_away_and_nobody_else_reads_it() {
    let mut mesh = Mesh::running(300, 3);
    mesh.crash(2);
    mesh.run_for(1_000);
    let sent = tell(&mut mesh, 0, 2, "see you at nine");
    assert_eq!((sent.from, sent.to), (author(&mesh, 0), author(&mesh, 2)));
    mesh.run_for(10_000);
    mesh.crash(0);
    // The sender is gone; the message comes from the third.
    mesh.start_with(2, vec![mesh.address(1)]);
    mesh.run_for(20_000);
    let read = page(&mut mesh, 2, None, 10);
    assert_eq!((read.messages.len(), read.next), (1, None));
    assert_eq!(read.messages[0].id, sent.id);
    assert_eq!(read.messages[0].text, Some(Ok("see you at nine".to_owned())));
    assert!(page(&mut mesh, 1, None, 10).messages.is_empty());
    for signed in mesh.node(1).graph().iter() {
        let encoded = signed.encode();
        assert!(!encoded.windows(8).any(|bytes| bytes == b"see you "), "{}", signed.id());
    }
}

#[test]
fn the_sender_sees_that_it_wrote_and_cannot_read_it_again() {
    let mut mesh = Mesh::running(301, 2);
    let sent = tell(&mut mesh, 0, 1, "hello");
    let own = page(&mut mesh, 0, None, 10).messages;
    assert_eq!(own, [View { text: None, ..sent }]);
}

#[test]
fn pages_go_back_in_time_without_a_gap() {
    let mut mesh = Mesh::running(302, 2);
    for number in 0..7 {
        tell(&mut mesh, 0, 1, &format!("{number}"));
        mesh.run_for(2_000);
    }
    assert_eq!(texts(&mut mesh, 1), ["6", "5", "4", "3", "2", "1", "0"]);
    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let page = page(&mut mesh, 1, before, 3);
        assert!(page.messages.len() <= 3);
        read.extend(page.messages.into_iter().map(|view| view.text.unwrap().unwrap()));
        let Some(next) = page.next else { break };
        before = Some(next.to_string());
    }
    assert_eq!(read, ["6", "5", "4", "3", "2", "1", "0"]);
    for wrong in ["", "bafy", "bafy/0"] {
        let before = Some(wrong.to_owned());
        let refused = mesh.ask(1, Command::Messages { before, count_max: 3 }).unwrap_err();
        assert_eq!(refused.code, "message-unknown");
    }
}

#[test]
fn what_cannot_be_sealed_is_refused_and_nothing_is_written() {
    let mut mesh = Mesh::running(303, 2);
    let vertices = mesh.node(0).graph().len();
    let bob = author(&mesh, 1).to_string();
    let long = "x".repeat(limits::SEALED_TEXT_BYTES_MAX + 1);
    let stranger = AuthorId::from_bytes([9; 32]).to_string();
    let cases = [
        (bob.clone(), "", "sealed-empty"),
        (bob, long.as_str(), "sealed-too-long"),
        (stranger, "text", "sealed-unknown-node"),
        ("nobody".to_owned(), "text", "bad-node-id"),
    ];
    for (to, text, code) in cases {
        let refused = send(&mut mesh, 0, to, text).unwrap_err();
        assert_eq!(refused.code, code);
        assert!(!refused.hint.is_empty());
    }
    assert_eq!(mesh.node(0).graph().len(), vertices);
    let transport = mesh.transport(1).to_string();
    assert_eq!(send(&mut mesh, 0, transport, "text").unwrap().to, author(&mesh, 1));
}

/// Its owner has gone over to another identity, and whoever has a copy of its keys reads there.
#[test]
fn nobody_writes_to_an_identity_that_has_ended() {
    let mut mesh = Mesh::running(306, 2);
    let mut stranger = Stranger::new(1, mesh.network());
    stranger.greet(&mut mesh, 0);
    let identity = stranger.identity.clone();
    let to = stranger.author().to_string();
    let code =
        |mesh: &mut Mesh| send(mesh, 0, to.clone(), "text").err().map(|refused| refused.code);
    assert_ne!(code(&mut mesh), Some("sealed-receiver-ended"));
    for tag in [1, 2] {
        let half = stranger.next(&identity, tag).encode();
        stranger.gossip(&mut mesh, 0, &half);
    }
    mesh.run_for(1_000);
    assert_eq!(code(&mut mesh), Some("sealed-receiver-ended"));
}

/// A member repeats bytes that another one sealed, and writes bytes that nobody sealed.
#[test]
fn a_copied_or_altered_message_is_listed_with_the_reason() {
    let mut mesh = Mesh::running(304, 3);
    let sent = tell(&mut mesh, 0, 2, "a promise");
    mesh.run_for(10_000);
    let signed = mesh.node(1).graph().get(&sent.id.0).unwrap().clone();
    let Some(Payload::Sealed(copied)) = signed.vertex().payloads.first().cloned() else {
        panic!("{signed:?}");
    };
    let mut altered = copied.sealed.clone();
    altered[1_200] ^= 1;
    let altered = SealedMessage { sealed: altered, ..copied.clone() };
    for message in [copied, altered] {
        let now = mesh.now(1).mono_ms;
        let node = mesh.members[1].node.as_mut().unwrap();
        assert!(node.writer.queue(Payload::Sealed(message), None, true, now));
        mesh.run_for(10_000);
    }
    let read = page(&mut mesh, 2, None, 10).messages;
    let codes: Vec<&str> = read
        .iter()
        .map(|view| {
            view.text.as_ref().unwrap().as_ref().map_or_else(sealed::Error::code, |_| "read")
        })
        .collect();
    assert_eq!(codes, ["sealed-altered", "sealed-altered", "read"]);
    assert_eq!(read[2].from, author(&mesh, 0));
}

#[test]
fn a_restarted_node_reads_what_it_was_sent_before() {
    let mut mesh = Mesh::running(305, 2);
    tell(&mut mesh, 0, 1, "before");
    mesh.run_for(10_000);
    mesh.crash(1);
    mesh.start_with(1, vec![mesh.address(0)]);
    mesh.run_for(5_000);
    tell(&mut mesh, 0, 1, "after");
    mesh.run_for(10_000);
    assert_eq!(texts(&mut mesh, 1), ["after", "before"]);
}
