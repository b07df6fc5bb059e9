//! One head of one row: `softmax(q k^T / sqrt d) v`, forwards and backwards.
//!
//! Its `q`, `k` and `v` are columns of rows that hold all heads side by side, so they are gathered
//! into scratch memory first, from which the kernels take them.

use crate::neural::activation;
use crate::simd::{F32x4, Lanes};
use crate::tensor::{matmul, pack, padded, strided};

/// How large a head is, and what it sees.
#[derive(Debug)]
pub(super) struct Head {
    steps: usize,
    /// Its columns, `d` above.
    width: usize,
    /// `1 / sqrt d`.
    scale: f32,
    causal: bool,
}

/// The scratch memory of one head.
struct Scratch<'a> {
    /// `[steps][padded(width)]`: columns of one of the three.
    rows: &'a mut [f32],
    /// The same, as a packed matrix.
    packed: &'a mut [f32],
    /// Its transpose, packed `[width][steps]`.
    turned: &'a mut [f32],
    /// `[steps][padded(width)]`: a result.
    result: &'a mut [f32],
    /// `[steps][padded(steps)]`: how much each step takes of each other.
    shares: &'a mut [f32],
    /// Its gradient.
    d: &'a mut [f32],
}

impl Head {
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "sizes are exact in f64; the scale is rounded once"
    )]
    pub(super) fn new(steps: usize, width: usize, causal: bool) -> Self {
        let scale = (1.0 / (width as f64).sqrt()) as f32;
        Self { steps, width, scale, causal }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Scratch memory of `forward`.
    pub(super) fn numbers_forward(&self) -> usize {
        let (columns, square) = (self.steps * padded(self.width), self.steps * padded(self.steps));
        3 * columns + self.width * padded(self.steps) + square
    }

    /// Scratch memory of `backward`.
    pub(super) fn numbers_backward(&self) -> usize {
        self.numbers_forward() + self.steps * padded(self.steps)
    }

    fn scratch<'a>(&self, fixed: &'a mut [f32]) -> Scratch<'a> {
        let columns = self.steps * padded(self.width);
        let (rows, rest) = fixed.split_at_mut(columns);
        let (packed, rest) = rest.split_at_mut(columns);
        let (result, rest) = rest.split_at_mut(columns);
        let (turned, rest) = rest.split_at_mut(self.width * padded(self.steps));
        let (shares, rest) = rest.split_at_mut(self.steps * padded(self.steps));
        // In inference there may be nothing behind the shares, and nothing is asked for.
        let d = rest.get_mut(..shares.len()).unwrap_or_default();
        Scratch { rows, packed, turned, result, shares, d }
    }

    /// `context` from `[q, k, v]`; each begins with the head's columns, rows are `stride` apart.
    pub(super) fn forward(
        &self,
        [q, k, v]: [&[f32]; 3],
        context: &mut [f32],
        stride: usize,
        fixed: &mut [f32],
    ) {
        let mut scratch = self.scratch(fixed);
        self.shares(q, k, stride, &mut scratch);
        self.pack(v, stride, &mut scratch);
        let Scratch { packed, result, shares, .. } = scratch;
        self.product(shares, packed, result);
        strided::scatter(result, self.width, context, stride);
    }

    /// `[q, k, v]` become their gradients, from `d`, that of the context.
    pub(super) fn backward(
        &self,
        [q, k, v]: [&mut [f32]; 3],
        d: &[f32],
        stride: usize,
        fixed: &mut [f32],
    ) {
        let (steps, width) = (self.steps, self.width);
        let mut scratch = self.scratch(fixed);
        self.shares(q, k, stride, &mut scratch);
        // v = shares^T d, and the gradient of the shares, d v^T.
        self.pack(v, stride, &mut scratch);
        pack::transpose(scratch.packed, steps, width, scratch.turned);
        scratch.d.fill(0.0);
        let square = padded(steps);
        strided::accumulate::<F32x4>(d, stride, width, scratch.turned, scratch.d, square);
        strided::gather(d, stride, width, scratch.rows);
        self.transposed_product(scratch.shares, scratch.rows, scratch.packed, scratch.result);
        strided::scatter(scratch.result, width, v, stride);
        // Through softmax; then q = d k and k = d^T q, with the scale that stood before softmax.
        activation::softmax_gradient(scratch.shares, scratch.d, square);
        scale(scratch.d, self.scale);
        self.pack(k, stride, &mut scratch);
        self.product(scratch.d, scratch.packed, scratch.result);
        strided::gather(q, stride, width, scratch.rows);
        strided::scatter(scratch.result, width, q, stride);
        self.transposed_product(scratch.d, scratch.rows, scratch.packed, scratch.result);
        strided::scatter(scratch.result, width, k, stride);
    }

    /// `softmax(q k^T / sqrt d)`: what a step does not see has a share of 0.
    fn shares(&self, q: &[f32], k: &[f32], stride: usize, scratch: &mut Scratch<'_>) {
        self.pack(k, stride, scratch);
        pack::transpose(scratch.packed, self.steps, self.width, scratch.turned);
        let (shares, square) = (&mut *scratch.shares, padded(self.steps));
        shares.fill(0.0);
        strided::accumulate::<F32x4>(q, stride, self.width, scratch.turned, shares, square);
        scale(shares, self.scale);
        for (step, shares) in shares.chunks_exact_mut(square).enumerate() {
            let seen = if self.causal { step + 1 } else { self.steps };
            activation::softmax(shares, square, seen);
        }
    }

    /// The head's columns as a matrix `[steps][width]`.
    fn pack(&self, from: &[f32], stride: usize, scratch: &mut Scratch<'_>) {
        strided::gather(from, stride, self.width, scratch.rows);
        strided::pack_rows(scratch.rows, self.steps, self.width, scratch.packed);
    }

    /// `result = square x packed`: `[steps, steps] x [steps, width]`.
    fn product(&self, square: &[f32], packed: &[f32], result: &mut [f32]) {
        let (stride, width) = (padded(self.steps), padded(self.width));
        result.fill(0.0);
        strided::accumulate::<F32x4>(square, stride, self.steps, packed, result, width);
    }

    /// `result = square^T x rows`, by way of `packed`.
    fn transposed_product(
        &self,
        square: &[f32],
        rows: &[f32],
        packed: &mut [f32],
        result: &mut [f32],
    ) {
        let (steps, width) = (self.steps, self.width);
        matmul::weight_gradient::<F32x4>(square, padded(steps), steps, rows, width, packed);
        strided::unpack_rows(packed, steps, width, result);
    }
}

/// `numbers *= by`.
fn scale(numbers: &mut [f32], by: f32) {
    for part in numbers.as_chunks_mut::<4>().0 {
        F32x4::load(part).mul(F32x4::splat(by)).store(part);
    }
}
