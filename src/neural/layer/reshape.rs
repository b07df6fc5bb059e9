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

/// Copies all rows, `from` placed as `x` and `to` as `y`. The padding of `to` becomes 0, or what it
/// is in `from` where both are placed alike.
pub(super) fn copy(from: &[f32], x: &Value, to: &mut [f32], y: &Value) {
    if (x.step, x.stride, x.channels()) == (y.step, y.stride, y.channels()) {
        return to.copy_from_slice(from);
    }
    for (from, to) in from.chunks_exact(x.stride).zip(to.chunks_exact_mut(y.stride)) {
        if x.channels() == y.channels() {
            copy_positions(from, x, to, y);
        } else {
            copy_runs(from, x, to, y);
        }
    }
}

/// Copies a row of the same positions.
fn copy_positions(from: &[f32], x: &Value, to: &mut [f32], y: &Value) {
    let positions = from.chunks(x.step).zip(to.chunks_exact_mut(y.step));
    for (from, to) in positions.take(x.positions()) {
        let (numbers, padding) = to.split_at_mut(x.channels());
        numbers.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        padding.fill(0.0);
    }
}

/// Copies a row as long runs as both sides have.
fn copy_runs(from: &[f32], x: &Value, to: &mut [f32], y: &Value) {
    let count = x.positions() * x.channels();
    if y.step == y.channels() || y.channels() == count {
        to.iter_mut().skip(count).for_each(|padding| *padding = 0.0);
    } else {
        to.fill(0.0);
    }
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

/// Where the number `at` of a row lies, and how many lie there side by side.
fn place(value: &Value, at: usize, count: usize) -> (usize, usize) {
    let channels = value.channels();
    if value.step == channels || channels == count {
        return (at, count - at);
    }
    (at / channels * value.step + at % channels, channels - at % channels)
}
