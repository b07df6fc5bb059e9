//! Requests in both directions, on all three protocols: each has exactly one answer, in time.

use libp2p::PeerId;
use libp2p::request_response::{self, InboundRequestId, OutboundRequestId, ResponseChannel};

use super::{Net, SWEEP_MS};
use crate::limits;
use crate::net::codec::Codec;
use crate::net::event::{Event, Failure};
use crate::net::reason;
use crate::platform;

/// Which of the protocols; each counts its requests for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    Requests,
    Packets,
    Cells,
}

/// A request that waits for its answer.
pub(super) struct OpenRequest {
    pub(super) request: u64,
    pub(super) peer: PeerId,
    pub(super) overdue_ms: u64,
}

/// A peer's request that waits for ours.
pub(super) struct Answer {
    pub(super) line: Line,
    pub(super) id: InboundRequestId,
    pub(super) peer: PeerId,
    pub(super) channel: ResponseChannel<Vec<u8>>,
}

impl Net {
    pub(super) fn request(&mut self, line: Line, peer: &[u8], request: u64, bytes: Vec<u8>) {
        let known = PeerId::from_bytes(peer).ok().filter(|peer| self.peers.contains_key(peer));
        let Some(peer) = known else {
            return self.respond_locally(request, Failure::Disconnected);
        };
        let to_peer = self.requests.values().filter(|open| open.peer == peer).count();
        if to_peer >= limits::REQUESTS_PER_CONNECTION_MAX
            || self.requests.len() >= limits::REQUESTS_OPEN_MAX
        {
            return self.respond_locally(request, Failure::Busy);
        }
        let id = self.line(line).send_request(&peer, bytes);
        // libp2p counts from when the stream is open, and drops a request without a word when all
        // of a connection's slots are taken; this deadline makes the answer certain.
        let overdue_ms = platform::now().mono_ms + limits::STREAM_TIMEOUT_MS + SWEEP_MS;
        self.requests.insert((line, id), OpenRequest { request, peer, overdue_ms });
    }

    /// What runs a protocol.
    pub(super) fn line(&mut self, line: Line) -> &mut request_response::Behaviour<Codec> {
        let behaviour = self.swarm.behaviour_mut();
        match line {
            Line::Requests => &mut behaviour.requests,
            Line::Packets => &mut behaviour.packets,
            Line::Cells => &mut behaviour.cells,
        }
    }

    fn respond_locally(&mut self, request: u64, failure: Failure) {
        self.pending.push_back(Event::Response { request, result: Err(failure) });
    }

    pub(super) fn give_up_overdue(&mut self) {
        let now_ms = platform::now().mono_ms;
        let mut overdue = Vec::new();
        self.requests.retain(|_, open| {
            let waits = open.overdue_ms > now_ms;
            if !waits {
                overdue.push(open.request);
            }
            waits
        });
        for request in overdue {
            self.respond_locally(request, Failure::Timeout);
        }
    }

    pub(super) fn on_request_response(
        &mut self,
        line: Line,
        event: request_response::Event<Vec<u8>, Vec<u8>>,
    ) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request_id, request, channel } => {
                    let answer = Answer { line, id: request_id, peer, channel };
                    self.on_request(answer, request);
                }
                request_response::Message::Response { request_id, response } => {
                    self.on_response((line, request_id), Ok(response));
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                self.on_response((line, request_id), Err(reason::failure(&error)));
            }
            request_response::Event::InboundFailure { request_id, .. } => {
                self.answers.retain(|_, answer| (answer.line, answer.id) != (line, request_id));
            }
            request_response::Event::ResponseSent { .. } => {}
        }
    }

    fn on_request(&mut self, answer: Answer, bytes: Vec<u8>) {
        let (line, peer) = (answer.line, answer.peer);
        let from_peer = self.answers.values().filter(|answer| answer.peer == peer).count();
        if from_peer >= limits::REQUESTS_PER_CONNECTION_MAX
            || self.answers.len() >= limits::ANSWERS_OPEN_MAX
        {
            // Dropping the channel resets the stream, which the asker sees at once.
            self.pending.push_back(Event::Refused {
                reason: "too many open requests".to_owned(),
                stranger: None,
            });
            return;
        }
        let token = self.name();
        self.answers.insert(token, answer);
        let peer = peer.to_bytes();
        self.pending.push_back(match line {
            Line::Requests => Event::Request { peer, token, bytes },
            Line::Packets => Event::Told { peer, token, bytes },
            Line::Cells => Event::Cell { peer, token, bytes },
        });
    }

    fn on_response(&mut self, id: (Line, OutboundRequestId), result: Result<Vec<u8>, Failure>) {
        if let Some(open) = self.requests.remove(&id) {
            self.pending.push_back(Event::Response { request: open.request, result });
        }
    }
}
