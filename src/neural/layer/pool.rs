//! The largest or the mean number of each window, channel by channel.

use super::grid::{Lie, Slide, pair};
use super::{Compiled, Step, Value};
use crate::neural::specification::{Extent, Pooling};
use crate::tensor::windows::Windows;

#[derive(Debug)]
struct Pool {
    kind: Pooling,
    windows: Windows,
    /// One over the numbers of a window.
    share: f32,
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "windows are small")]
pub(super) fn compile(
    kind: Pooling,
    (window, stride): (Extent, Extent),
    x: &Value,
    y: &Value,
) -> impl Compiled + use<> {
    let slide = Slide { window: pair(window), stride: pair(stride), dilation: (1, 1) };
    let windows = slide.windows(Lie::of(x), y.shape, x.channels(), false);
    let share = 1.0 / windows.window.segments().len() as f32;
    Pool { kind, windows, share }
}

impl Compiled for Pool {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        out.fill(0.0);
        for (out, start) in out.chunks_exact_mut(y.step).zip(self.windows.starts()) {
            let mut taps = self.taps(from, start);
            let first = taps.next().unwrap_or_default();
            out.iter_mut().zip(first).for_each(|(y, x)| *y = *x);
            for tap in taps {
                let pairs = out.iter_mut().zip(tap);
                match self.kind {
                    Pooling::Max => pairs.for_each(|(y, x)| *y = if *y < *x { *x } else { *y }),
                    Pooling::Average => pairs.for_each(|(y, x)| *y += *x),
                }
            }
            if self.kind == Pooling::Average {
                for y in out.iter_mut() {
                    *y *= self.share;
                }
            }
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        let wiring = step.wiring;
        let (x, y) = (wiring.x(), &wiring.y);
        let Some(dx) = wiring.dx() else { return };
        let ([from, out, d, dx], _) = step.pass.slots([x.slot, y.slot, wiring.dy, dx]);
        dx.fill(0.0);
        let positions = out.chunks_exact(y.step).zip(d.chunks_exact_mut(y.step));
        for ((out, d), start) in positions.zip(self.windows.starts()) {
            for segment in self.windows.window.segments() {
                let place = start + segment.offset;
                let Some(to) = dx.get_mut(place..place + segment.len) else { continue };
                match self.kind {
                    Pooling::Average => {
                        to.iter_mut().zip(&*d).for_each(|(dx, d)| *dx += *d * self.share);
                    }
                    Pooling::Max => {
                        let from = from.get(place..).unwrap_or_default();
                        give_to_first(to, from, out, d);
                    }
                }
            }
        }
    }
}

impl Pool {
    /// What each tap of a window sees.
    fn taps<'x>(&self, from: &'x [f32], start: usize) -> impl Iterator<Item = &'x [f32]> {
        let tap = move |(offset, len)| from.get(start + offset..start + offset + len);
        self.windows.window.segments().iter().map(|s| (s.offset, s.len)).filter_map(tap)
    }
}

/// Where the number is the largest of its window the gradient goes there, and is gone for the taps
/// that follow.
fn give_to_first(dx: &mut [f32], from: &[f32], largest: &[f32], d: &mut [f32]) {
    for (((dx, x), y), d) in dx.iter_mut().zip(from).zip(largest).zip(d) {
        let (here, left) = if *x < *y { (0.0, *d) } else { (*d, 0.0) };
        *dx += here;
        *d = left;
    }
}
