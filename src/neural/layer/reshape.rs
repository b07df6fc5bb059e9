//! The same numbers, cut in another way: `[rows, ..] -> [rows, ..]` with as many numbers per row.
//!
//! Numbers keep their canonical order, channels last. Only the padding behind positions moves them,
//! so a reshape copies runs as long as both sides have no padding in between.

use super::{Compiled, Step, Value};

/// Flatten and reshape.
#[derive(Debug)]
pub(super) struct Reshape;

impl Compiled for Reshape {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, to], _) = step.pass.slots([x.slot, y.slot]);
        copy(from, x, to, y);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        if let Some(dx) = step.wiring.dx() {
            let ([d, dx], _) = step.pass.slots([step.wiring.dy, dx]);
            copy(d, y, dx, x);
        }
    }
}

/// Copies all rows, `from` placed as `x` and `to` as `y`; the padding of `to` becomes 0.
pub(super) fn copy(from: &[f32], x: &Value, to: &mut [f32], y: &Value) {
    let count = x.positions() * x.channels();
    for (from, to) in from.chunks_exact(x.stride).zip(to.chunks_exact_mut(y.stride)) {
        to.fill(0.0);
        let mut at = 0;
        while at < count {
            let ((source, left), (target, room)) = (place(x, at, count), place(y, at, count));
            let run = left.min(room);
            if let (Some(from), Some(to)) =
                (from.get(source..source + run), to.get_mut(target..target + run))
            {
                to.copy_from_slice(from);
            }
            at += run;
        }
    }
}

/// Where the number `at` of a row lies, and how many lie there side by side.
fn place(value: &Value, at: usize, count: usize) -> (usize, usize) {
    let channels = value.channels();
    if value.step == channels {
        return (at, count - at);
    }
    (at / channels * value.step + at % channels, channels - at % channels)
}
