//! Convolutions of sequences and images, channels last: `[rows, height, width, in] ->
//! [rows, down, across, filters]`, `y = activation(windows of x W + b)`.
//!
//! The weights are one matrix `[taps][in / groups][filters]`. The windows are read where they lie.
//! Only zeros around the input, or positions whose padding would cut a window into short pieces,
//! make a copy of it, which training keeps for the gradient of the weights and then uses for that
//! of the input.

use std::ops::Range;

use super::dense::initial;
use super::finish::Finish;
use super::grid::{Frame, Lie, Slide, pair, sides};
use super::{Builder, Compiled, Initial, Step, Value};
use crate::neural::specification::Layer;
use crate::simd::F32x4;
use crate::tensor::grouped::{self, Groups};
use crate::tensor::windows::{self, Columns, Windows};
use crate::tensor::{LANES, index, matmul, pack, padded};

#[derive(Debug)]
struct Conv {
    finish: Finish,
    weights: Range<usize>,
    bias: Range<usize>,
    frame: Option<Frame>,
    windows: Windows,
    kernel: Kernel,
}

/// How the filters are computed.
#[derive(Debug)]
enum Kernel {
    /// Group by group in whole panels.
    Tiles { groups: usize, channels: usize, filters: usize },
    /// In panels whose filters see different channels.
    Lanes(Groups),
}

/// # Panics
/// If the layer is not a convolution.
pub(super) fn compile(
    layer: &Layer,
    x: &Value,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let Layer::Conv { kernel, stride, dilation, padding, groups, activation, .. } = layer else {
        panic!("`layer::compile` hands only convolutions here");
    };
    let (groups, activation) = (index(*groups), *activation);
    let slide = Slide { window: pair(*kernel), stride: pair(*stride), dilation: pair(*dilation) };
    let (channels, filters) = (x.channels() / groups, y.channels() / groups);
    let taps = slide.window.0 * slide.window.1;
    let k = taps * channels;
    let weights = builder.matrix(k, y.channels(), initial(activation, k, taps * filters));
    let bias = builder.vector(y.channels(), Initial::Constant(0.0));
    let tiles = groups == 1 || filters.is_multiple_of(LANES);
    let borders = slide.borders(x.shape, y.shape, *padding);
    let step = match (tiles, groups == 1 && slide.dilation.1 == 1 && slide.window.1 > 1) {
        (false, _) => padded(x.channels()),
        (true, true) => x.channels(),
        (true, false) => x.step,
    };
    let frame = frame(x, step, borders, builder);
    let lie = frame.map_or(Lie::of(x), |frame| frame.lie);
    let (windows, kernel) = if tiles {
        // The transposed weights of a group, and what its gradient passes through.
        builder.fixed(pack::packed_len(filters, k) + windows::room(k));
        let windows = slide.windows(lie, y.shape, channels, true);
        (windows, Kernel::Tiles { groups, channels, filters })
    } else {
        let windows = slide.windows(lie, y.shape, step, false);
        (windows, Kernel::Lanes(Groups::new(groups, channels, filters)))
    };
    let finish = Finish::new(activation, y, builder);
    Conv { finish, weights, bias, frame, windows, kernel }
}

/// A copy of `x` with positions of `step` numbers and zeros around, unless it is like that itself.
fn frame(
    x: &Value,
    step: usize,
    (before, behind): ((usize, usize), (usize, usize)),
    builder: &mut Builder,
) -> Option<Frame> {
    if step == x.step && before == (0, 0) && behind == (0, 0) {
        return None;
    }
    let (height, width) = sides(x.shape);
    let (height, width) = (height + before.0 + behind.0, width + before.1 + behind.1);
    let numbers = height * width * step;
    let lie = Lie { width, step, stride: padded(numbers) };
    Some(Frame { slot: builder.kept(numbers), lie, before })
}

impl Compiled for Conv {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        if let Some(frame) = &self.frame {
            let ([from, to], _) = step.pass.slots([x.slot, frame.slot]);
            frame.enter(from, x, to);
        }
        let slot = self.frame.map_or(x.slot, |frame| frame.slot);
        let ([from, out], _) = step.pass.slots([slot, y.slot]);
        let weights = step.parameters.get(&self.weights);
        let bias = step.parameters.get(&self.bias);
        let floor = self.finish.floor();
        match &self.kernel {
            Kernel::Lanes(groups) => {
                let weights = (weights, bias);
                grouped::product::<F32x4>(from, &self.windows, groups, weights, out, floor);
            }
            Kernel::Tiles { .. } => {
                for part in self.parts(y.step) {
                    let from = from.get(part.channel..).unwrap_or_default();
                    let weights = weights.get(part.weights).unwrap_or_default();
                    let bias = bias.get(part.filters).unwrap_or_default();
                    let out = (&mut *out, part.columns);
                    windows::product::<F32x4>(from, &self.windows, weights, bias, out, floor);
                }
            }
        }
        self.finish.forward(step);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let wiring = step.wiring;
        let (x, y) = (wiring.x(), &wiring.y);
        let slot = self.frame.map_or(x.slot, |frame| frame.slot);
        self.finish.backward(step);
        let ([from, d], _) = step.pass.slots([slot, wiring.dy]);
        let bias = step.gradient.get_mut(self.bias.clone()).unwrap_or_default();
        matmul::column_sums::<F32x4>(d, bias);
        let weights = step.gradient.get_mut(self.weights.clone()).unwrap_or_default();
        self.weight_gradient(from, (d, y.step), weights);
        let Some(dx) = wiring.dx() else { return };
        let weights = step.parameters.get(&self.weights);
        let target = self.frame.map_or(dx, |frame| frame.slot);
        let ([d, to], fixed) = step.pass.slots([wiring.dy, target]);
        to.fill(0.0);
        self.input_gradient((d, y.step), weights, fixed, to);
        if let Some(frame) = &self.frame {
            let ([from, dx], _) = step.pass.slots([frame.slot, dx]);
            frame.leave(from, dx, x);
        }
    }
}

/// One group of a convolution in tiles.
struct Part {
    /// Its first channel.
    channel: usize,
    /// Its filters among the biases.
    filters: Range<usize>,
    /// Its share of the packed weights.
    weights: Range<usize>,
    /// Its columns of the output.
    columns: Columns,
}

impl Conv {
    /// The groups of a convolution in tiles, whose output has positions of `stride`.
    fn parts(&self, stride: usize) -> impl Iterator<Item = Part> + use<> {
        let (groups, channels, filters) = match self.kernel {
            Kernel::Tiles { groups, channels, filters } => (groups, channels, filters),
            Kernel::Lanes(_) => (0, 0, 0),
        };
        let (k, n) = (self.windows.window.len(), padded(filters));
        (0..groups).map(move |group| Part {
            channel: group * channels,
            filters: group * n..(group + 1) * n,
            weights: group * k * n..(group + 1) * k * n,
            columns: Columns { first: group * n, stride },
        })
    }

    fn weight_gradient(&self, from: &[f32], (d, stride): (&[f32], usize), weights: &mut [f32]) {
        if let Kernel::Lanes(groups) = &self.kernel {
            let d = (d, stride);
            grouped::weight_gradient::<F32x4>(from, &self.windows, groups, d, weights);
        }
        for part in self.parts(stride) {
            let from = from.get(part.channel..).unwrap_or_default();
            let weights = weights.get_mut(part.weights).unwrap_or_default();
            windows::weight_gradient::<F32x4>(from, &self.windows, (d, part.columns), weights);
        }
    }

    fn input_gradient(
        &self,
        (d, stride): (&[f32], usize),
        weights: &[f32],
        fixed: &mut [f32],
        dx: &mut [f32],
    ) {
        let (filters, k) = match &self.kernel {
            Kernel::Tiles { filters, .. } => (*filters, self.windows.window.len()),
            Kernel::Lanes(groups) => {
                let d = (d, stride);
                return grouped::input_gradient::<F32x4>(d, weights, &self.windows, groups, dx);
            }
        };
        let (transposed, rest) = fixed.split_at_mut(pack::packed_len(filters, k));
        let (room, _) = rest.split_at_mut(windows::room(k));
        for part in self.parts(stride) {
            pack::transpose(weights.get(part.weights).unwrap_or_default(), k, filters, transposed);
            let dx = dx.get_mut(part.channel..).unwrap_or_default();
            let (d, b) = ((d, part.columns), (&*transposed, filters));
            windows::input_gradient::<F32x4>(d, b, &self.windows, room, dx);
        }
    }
}
