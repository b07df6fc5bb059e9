//! Sealed messages of this node's owner: writing them, and reading what was sent to it.
//!
//! A message is looked up in the history when it is asked for and opened then: nothing of it is
//! stored a second time, and least of all its text. That costs one look at each vertex, and some
//! 150 us for each message that is shown.

use super::Node;
use super::commands::Intent;
use crate::clock::Now;
use crate::crypto::kem::{COINS_BYTES, DecapsulationKey};
use crate::dag::vote::ItemId;
use crate::dag::{Payload, SealedMessage, SignedVertex, VertexId};
use crate::event::{Problem, Reply};
use crate::identity::{AuthorId, Secrets};
use crate::sealed::{self, Page, Route, View};
use crate::{dag, limits};

/// The key with which this node reads.
#[derive(Debug)]
pub(super) struct Mailbox(DecapsulationKey);

impl Mailbox {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self(DecapsulationKey::from_seed(&secrets.sealing_seed()))
    }

    /// What reads what was made for [`Mailbox::key`]; never for two uses without their own `info`.
    pub(super) fn secret(&self) -> &DecapsulationKey {
        &self.0
    }

    /// What others seal with.
    pub(super) fn key(&self) -> [u8; dag::SEALING_KEY_BYTES] {
        self.0.public()
    }
}

impl Node {
    /// Seals a text for a node and queues it; answered when it is written.
    pub(super) fn send_message(
        &mut self,
        command: u64,
        to: &str,
        text: &str,
        now: Now,
    ) -> Option<Result<Reply, Problem>> {
        self.seal_message(command, to, text, now).err().map(Err)
    }

    fn seal_message(
        &mut self,
        command: u64,
        to: &str,
        text: &str,
        now: Now,
    ) -> Result<(), Problem> {
        let to = self.receiver(to)?;
        let key = self.sealing_key_of(&to)?;
        let mut coins = [0; COINS_BYTES];
        self.rng.fill(&mut coins);
        let route = Route { network: self.config.network, from: self.me, to };
        let message = sealed::seal(&route, &key, text, &coins).map_err(not_sealed)?;
        self.write(command, Payload::Sealed(message), Intent::Message, now)
    }

    /// The node of this name: a node id or, while it is connected, its peer id.
    fn receiver(&self, name: &str) -> Result<AuthorId, Problem> {
        let connected = || self.connected_as(name).map(|(_, author)| author);
        name.parse().ok().or_else(connected).ok_or_else(|| Problem {
            code: "bad-node-id",
            message: format!("{:?} is no node id", name.get(..64).unwrap_or(name)),
            hint: "use the node id that `synaptic-mesh peer list` shows".to_owned(),
        })
    }

    /// With what a message to somebody is sealed: from its identity vertex, whose signature was
    /// checked when it was accepted.
    pub(super) fn sealing_key_of(&self, to: &AuthorId) -> Result<Vec<u8>, Problem> {
        if self.graph.equivocated(to).is_some() {
            return Err(receiver_ended(to));
        }
        let identity = self.graph.author(to).and_then(|chain| self.graph.get(&chain.at(0)?));
        let Some(identity) = identity else { return Err(receiver_unknown(to)) };
        let key = identity.vertex().sealing_key().ok_or_else(|| no_key(to))?;
        Ok(key.to_vec())
    }

    /// The answer to a command whose payload is a message in this own vertex.
    pub(super) fn written_message(&self, vertex: &VertexId, place: u32) -> Result<Reply, Problem> {
        let signed = self.graph.get(vertex).ok_or_else(message_unknown)?;
        let mut messages = messages_in(signed).filter(|(id, _)| id.1 == place);
        let (id, message) = messages.next().ok_or_else(message_unknown)?;
        Ok(Reply::Message(self.message_view(signed, id, message)))
    }

    /// Messages from and to this node, newest first, before one of them or from the newest on.
    pub(super) fn messages(
        &self,
        before: Option<String>,
        count_max: usize,
    ) -> Result<Reply, Problem> {
        let count_max = count_max.clamp(1, limits::SEALED_PAGE_MAX);
        let before = before.map(|text| self.message_place(&text)).transpose()?;
        let mut found = Vec::new();
        for signed in self.graph.iter() {
            let vertex = signed.vertex();
            for (id, message) in messages_in(signed) {
                let place = (vertex.lamport, id);
                let is_mine = message.to == self.me || vertex.author == self.me;
                if is_mine && before.is_none_or(|before| place < before) {
                    found.push((place, signed, message));
                }
            }
        }
        found.sort_unstable_by_key(|(place, ..)| std::cmp::Reverse(*place));
        let next = found.get(count_max - 1).filter(|_| found.len() > count_max);
        let next = next.map(|((_, id), ..)| *id);
        let page = found.into_iter().take(count_max);
        let messages =
            page.map(|((_, id), signed, message)| self.message_view(signed, id, message));
        Ok(Reply::Messages(Page { messages: messages.collect(), next }))
    }

    /// Where a message stands in the order of pages.
    fn message_place(&self, text: &str) -> Result<(u64, ItemId), Problem> {
        let (vertex, place) = text.split_once('/').ok_or_else(message_unknown)?;
        let vertex: VertexId = vertex.parse().map_err(|_| message_unknown())?;
        let place: u32 = place.parse().map_err(|_| message_unknown())?;
        let signed = self.graph.get(&vertex).ok_or_else(message_unknown)?;
        Ok((signed.vertex().lamport, ItemId(vertex, place)))
    }

    fn message_view(&self, signed: &SignedVertex, id: ItemId, message: &SealedMessage) -> View {
        let vertex = signed.vertex();
        let (from, to) = (vertex.author, message.to);
        let route = Route { network: vertex.network, from, to: self.me };
        let read = || sealed::open(&route, &self.mailbox.0, message);
        let text = (to == self.me).then(read);
        View { id, from, to, time_ms: vertex.time_ms, text }
    }
}

/// The sealed messages of a vertex, with their places.
fn messages_in(signed: &SignedVertex) -> impl Iterator<Item = (ItemId, &SealedMessage)> {
    let places = (0..).zip(&signed.vertex().payloads);
    places.filter_map(|(place, payload)| match payload {
        Payload::Sealed(message) => Some((ItemId(signed.id(), place), message)),
        _ => None,
    })
}

fn not_sealed(error: sealed::Error) -> Problem {
    let hint = match error {
        sealed::Error::Key(_) => "ask its owner to make a new identity with a current version",
        _ => "nothing was written; send another text",
    };
    Problem { code: error.code(), message: error.to_string(), hint: hint.to_owned() }
}

fn receiver_unknown(to: &AuthorId) -> Problem {
    Problem {
        code: "sealed-unknown-node",
        message: format!("this node knows no node {to}, and so no key to seal for it"),
        hint: "it must have been in this network once; wait until its history has come".to_owned(),
    }
}

fn receiver_ended(to: &AuthorId) -> Problem {
    Problem {
        code: "sealed-receiver-ended",
        message: format!("{to} signed two different vertices and is over: nobody may read there"),
        hint: "ask its owner for the new identity, and write to that".to_owned(),
    }
}

fn no_key(to: &AuthorId) -> Problem {
    Problem {
        code: "sealed-no-key",
        message: format!("{to} has published no sealing key: an older version made its identity"),
        hint: "ask its owner to make a new identity with a current version".to_owned(),
    }
}

fn message_unknown() -> Problem {
    Problem {
        code: "message-unknown",
        message: "there is no such message in the history".to_owned(),
        hint: "use an id that `synaptic-mesh message list` shows".to_owned(),
    }
}
