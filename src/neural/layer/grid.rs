//! Where windows lie: the geometry of convolutions and pooling.
//!
//! A sequence is an image of one line, so that the taps of a window lie side by side in it as they
//! do in a line of pixels.

use super::{Slot, Value};
use crate::neural::specification::{Extent, Padding, Shape};
use crate::tensor::index;
use crate::tensor::windows::{Segment, Window, Windows};

/// A size downwards and across.
pub(super) type Pair = (usize, usize);

/// The sides of an image; a sequence is one line.
pub(super) fn sides(shape: Shape) -> Pair {
    match shape {
        Shape::Flat(_) => (1, 1),
        Shape::Sequence { steps, .. } => (1, index(steps)),
        Shape::Image { height, width, .. } => (index(height), index(width)),
    }
}

/// A size of windows, turned as [`sides`] are.
pub(super) fn pair(extent: Extent) -> Pair {
    match extent {
        Extent::Line(size) => (1, index(size)),
        Extent::Plane(down, across) => (index(down), index(across)),
    }
}

/// How windows slide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slide {
    pub(super) window: Pair,
    pub(super) stride: Pair,
    pub(super) dilation: Pair,
}

/// How a row of the batch lies: `width` positions per line, `step` numbers apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lie {
    pub(super) width: usize,
    pub(super) step: usize,
    pub(super) stride: usize,
}

impl Lie {
    pub(super) fn of(value: &Value) -> Self {
        Self { width: sides(value.shape).1, step: value.step, stride: value.stride }
    }
}

impl Slide {
    /// The windows whose results are of the shape `to`, with `len` numbers per tap. Taps become one
    /// segment where one follows the other, if `joined`.
    pub(super) fn windows(&self, lie: Lie, to: Shape, len: usize, joined: bool) -> Windows {
        let (down, across) = sides(to);
        let mut segments: Vec<Segment> = Vec::new();
        for y in 0..self.window.0 {
            for x in 0..self.window.1 {
                let position = y * self.dilation.0 * lie.width + x * self.dilation.1;
                let offset = position * lie.step;
                match segments.last_mut() {
                    Some(last) if joined && last.offset + last.len == offset => last.len += len,
                    _ => segments.push(Segment { offset, len }),
                }
            }
        }
        Windows {
            down,
            across,
            line: self.stride.0 * lie.width * lie.step,
            step: self.stride.1 * lie.step,
            stride: lie.stride,
            window: Window::new(segments),
        }
    }

    /// Positions of zeros before and behind along each side, for results of the shape `to`.
    pub(super) fn borders(&self, from: Shape, to: Shape, padding: Padding) -> (Pair, Pair) {
        let border = |size: usize, count: usize, window: usize, stride: usize, dilation: usize| {
            let reach = (count - 1) * stride + (window - 1) * dilation + 1;
            let all = reach.saturating_sub(size);
            (all / 2, all - all / 2)
        };
        if padding == Padding::Valid {
            return ((0, 0), (0, 0));
        }
        let (size, count) = (sides(from), sides(to));
        let Self { window, stride, dilation } = *self;
        let (top, bottom) = border(size.0, count.0, window.0, stride.0, dilation.0);
        let (left, right) = border(size.1, count.1, window.1, stride.1, dilation.1);
        ((top, left), (bottom, right))
    }
}

/// A copy of a value with zeros around it, or with its positions placed otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) slot: Slot,
    pub(super) lie: Lie,
    /// Zeros before the first position, downwards and across.
    pub(super) before: Pair,
}

impl Frame {
    /// Copies `from`, placed as `x`, into the frame.
    pub(super) fn enter(&self, from: &[f32], x: &Value, to: &mut [f32]) {
        to.fill(0.0);
        let (width, channels) = (sides(x.shape).1, x.channels());
        let rows = from.chunks_exact(x.stride).zip(to.chunks_exact_mut(self.lie.stride));
        for (from, to) in rows {
            let lines = to.chunks_mut(self.lie.width * self.lie.step).skip(self.before.0);
            let from = from.chunks_exact(width * x.step).take(sides(x.shape).0);
            for (to, from) in lines.zip(from) {
                if x.step == self.lie.step {
                    let to = to.iter_mut().skip(self.before.1 * x.step);
                    to.zip(from).for_each(|(to, from)| *to = *from);
                    continue;
                }
                let to = to.chunks_mut(self.lie.step).skip(self.before.1);
                for (to, from) in to.zip(from.chunks(x.step)) {
                    let from = from.iter().take(channels);
                    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    /// Copies what is inside the frame to `to`, placed as `x`.
    pub(super) fn leave(&self, from: &[f32], to: &mut [f32], x: &Value) {
        to.fill(0.0);
        let (width, channels) = (sides(x.shape).1, x.channels());
        let rows = from.chunks_exact(self.lie.stride).zip(to.chunks_exact_mut(x.stride));
        for (from, to) in rows {
            let lines = from.chunks(self.lie.width * self.lie.step).skip(self.before.0);
            let to = to.chunks_exact_mut(width * x.step).take(sides(x.shape).0);
            for (from, to) in lines.zip(to) {
                let from = from.chunks(self.lie.step).skip(self.before.1);
                for (from, to) in from.zip(to.chunks_mut(x.step)) {
                    let to = to.iter_mut().take(channels);
                    to.zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}
