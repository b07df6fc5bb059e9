//! Attacks that leave out, hold back or change what the core says.

use super::{Action, Context, Strategy};
use crate::crypto::hash::Digest;
use crate::dag::VertexId;
use crate::effect::{Effect, Verdict};
use crate::message::{Heads as HeadsMessage, Refusal, Refused, Request, Response};

/// Says nothing.
#[derive(Debug)]
pub(super) struct Silent;

impl Strategy for Silent {
    fn on_effect(&mut self, effect: Effect, _: &mut Context<'_>) -> Vec<Action> {
        match effect {
            Effect::Publish { .. } | Effect::Respond { .. } | Effect::Request { .. } => Vec::new(),
            Effect::Verdict { message, peer, .. } => {
                let verdict = Verdict::Ignore;
                vec![Action::Do(Effect::Verdict { message, peer, verdict })]
            }
            other => vec![Action::Do(other)],
        }
    }
}

/// Sends late, and so in another order.
#[derive(Debug)]
pub(super) struct Delay {
    pub(super) ms: u32,
}

impl Strategy for Delay {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        match effect {
            Effect::Publish { .. } | Effect::Respond { .. } | Effect::Request { .. } => {
                let ms = u64::from(context.rng.below(self.ms));
                vec![Action::Later { ms, effect }]
            }
            other => vec![Action::Do(other)],
        }
    }
}

/// Changes an answer, if it is one.
pub(super) fn answer(effect: Effect, change: impl FnOnce(Response) -> Response) -> Vec<Action> {
    let effect = match effect {
        Effect::Respond { token, bytes } => {
            let bytes = match Response::decode(&bytes) {
                Ok(response) => change(response).encode(),
                Err(_) => bytes,
            };
            Effect::Respond { token, bytes }
        }
        other => other,
    };
    vec![Action::Do(effect)]
}

/// Answers as if it had nothing.
#[derive(Debug)]
pub(super) struct Withhold {
    pub(super) blobs: bool,
}

impl Strategy for Withhold {
    fn on_effect(&mut self, effect: Effect, _: &mut Context<'_>) -> Vec<Action> {
        let blobs = self.blobs;
        answer(effect, |response| match response {
            Response::Blob(_) if blobs => Response::Refused(Refused { reason: Refusal::Unknown }),
            Response::Vertices(_) if !blobs => {
                Response::Refused(Refused { reason: Refusal::Unknown })
            }
            other => other,
        })
    }
}

/// Answers with other bytes.
#[derive(Debug)]
pub(super) struct WrongBlobs;

impl Strategy for WrongBlobs {
    fn on_effect(&mut self, effect: Effect, _: &mut Context<'_>) -> Vec<Action> {
        answer(effect, |response| match response {
            Response::Blob(mut piece) => {
                piece.bytes.iter_mut().for_each(|byte| *byte ^= 1);
                Response::Blob(piece)
            }
            other => other,
        })
    }
}

/// Tells other heads than it has.
#[derive(Debug)]
pub(super) struct Heads {
    pub(super) phantom: bool,
}

impl Heads {
    fn heads(&self, heads: HeadsMessage, context: &mut Context<'_>) -> HeadsMessage {
        let told = if self.phantom {
            let mut told: Vec<VertexId> = (0..8).map(|_| phantom(context)).collect();
            told.sort_unstable();
            told
        } else {
            let chain = context.state.graph().author(&context.author);
            chain.and_then(|chain| chain.at(0)).into_iter().collect()
        };
        HeadsMessage { heads: told, peers: heads.peers }
    }
}

impl Strategy for Heads {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        if let Effect::Request { peer, request, bytes } = &effect
            && let Ok(Request::Heads(heads)) = Request::decode(bytes)
        {
            let bytes = Request::Heads(self.heads(heads, context)).encode();
            return vec![Action::Do(Effect::Request {
                peer: peer.clone(),
                request: *request,
                bytes,
            })];
        }
        answer(effect, |response| match response {
            Response::Heads(heads) => Response::Heads(self.heads(heads, context)),
            other => other,
        })
    }
}

/// The name of nothing.
pub(super) fn phantom(context: &mut Context<'_>) -> VertexId {
    let mut bytes = [0; 32];
    context.rng.fill(&mut bytes);
    VertexId(Digest(bytes))
}
