//! [`Lanes`] in plain Rust: the oracle of the other implementation, and what native builds run.
//!
//! The optimiser turns these loops over four into vector instructions where the target has them;
//! it never fuses or reorders float operations.

use super::Lanes;

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub struct F32x4([f32; 4]);

impl F32x4 {
    /// Applies `f` to each pair of lanes.
    #[inline]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (self.0, other.0);
        Self([f(a0, b0), f(a1, b1), f(a2, b2), f(a3, b3)])
    }
}

impl Lanes for F32x4 {
    #[inline]
    fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline]
    fn load(from: &[f32; 4]) -> Self {
        Self(*from)
    }

    #[inline]
    fn store(self, to: &mut [f32; 4]) {
        *to = self.0;
    }

    #[inline]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }

    #[inline]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { b } else { a })
    }

    #[inline]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if b < a { b } else { a })
    }

    #[inline]
    fn select_below(self, bound: Self, below: Self, otherwise: Self) -> Self {
        let ([x0, x1, x2, x3], [b0, b1, b2, b3]) = (self.0, bound.0);
        let ([y0, y1, y2, y3], [n0, n1, n2, n3]) = (below.0, otherwise.0);
        Self([
            if x0 < b0 { y0 } else { n0 },
            if x1 < b1 { y1 } else { n1 },
            if x2 < b2 { y2 } else { n2 },
            if x3 < b3 { y3 } else { n3 },
        ])
    }

    #[inline]
    fn bits_into_exponent(self) -> Self {
        Self(self.0.map(|lane| f32::from_bits(lane.to_bits() << 23)))
    }
}
