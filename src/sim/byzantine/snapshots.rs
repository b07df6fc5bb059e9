//! Lies to those that come late: what is left of dropped vertices, forged, old or cut short.

use super::mute::{answer, phantom};
use super::{Action, Context, Strategy};
use crate::dag::VertexId;
use crate::dag::vote::ItemId;
use crate::effect::Effect;
use crate::message::{Refusal, Refused, Response, Snapshot};

/// Invented vertices that are called open (count). Arbitrary, sane.
const PHANTOMS: usize = 24;

/// Answers each question of a joiner with another lie.
#[derive(Debug, Default)]
pub(super) struct FalseSnapshots {
    /// The first snapshot that was told, which gets old.
    first: Option<Snapshot>,
}

impl FalseSnapshots {
    fn lie(&mut self, mut told: Snapshot, context: &mut Context<'_>) -> Response {
        let first = self.first.get_or_insert_with(|| told.clone());
        match context.rng.below(7) {
            0 => told = first.clone(),
            1 => flip(&mut told.manifest, context),
            2 => cut(&mut told.manifest, context),
            3 => flip(&mut told.certificate, context),
            // The manifest of one certificate with another.
            4 => told.certificate.clone_from(&first.certificate),
            // Nobody certified what is open: all of it is left out, or nothing of it exists.
            5 => {
                told.open.clear();
                told.commitments.clear();
            }
            _ => {
                let ids: Vec<VertexId> = (0..PHANTOMS).map(|_| phantom(context)).collect();
                told.open = ids.iter().flat_map(|id| id.0.0).collect();
                told.commitments = ids.iter().flat_map(|id| ItemId(*id, 0).to_bytes()).collect();
            }
        }
        Response::Snapshot(told)
    }
}

impl Strategy for FalseSnapshots {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        answer(effect, |response| match response {
            Response::Snapshot(told) => self.lie(told, context),
            // Chunks are asked for as blobs, and what is needed whole as vertices.
            Response::Blob(mut piece) => {
                match context.rng.below(3) {
                    0 => flip(&mut piece.bytes, context),
                    1 => cut(&mut piece.bytes, context),
                    _ => piece.total = piece.total.saturating_sub(1),
                }
                Response::Blob(piece)
            }
            Response::Vertices(mut some) => {
                if context.rng.below(2) == 0 {
                    some.vertices.truncate(some.vertices.len() / 2);
                    return Response::Vertices(some);
                }
                Response::Refused(Refused { reason: Refusal::Dropped })
            }
            other => other,
        })
    }
}

fn flip(bytes: &mut [u8], context: &mut Context<'_>) {
    let place = context.rng.below(u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(1));
    if let Some(byte) = bytes.get_mut(place as usize) {
        *byte ^= 1 << context.rng.below(8);
    }
}

fn cut(bytes: &mut Vec<u8>, context: &mut Context<'_>) {
    let length = context.rng.below(u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(1));
    bytes.truncate(length as usize);
}
