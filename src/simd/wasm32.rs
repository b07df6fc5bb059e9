//! [`Lanes`] over WebAssembly's fixed-width SIMD (simd128), without its relaxed extension.
//!
//! Chosen instructions are those whose result the specification fixes for every input: `pmin` and
//! `pmax` are the plain comparisons of the oracle, `f32x4.sqrt` is correctly rounded.

use std::arch::wasm32::{
    f32x4_add, f32x4_div, f32x4_lt, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sqrt,
    f32x4_sub, i32x4_shl, v128, v128_bitselect, v128_load, v128_store,
};

use super::Lanes;

/// Four `f32`.
#[derive(Clone, Copy, Debug)]
pub struct F32x4(v128);

impl Lanes for F32x4 {
    #[inline]
    fn splat(value: f32) -> Self {
        Self(f32x4_splat(value))
    }

    #[inline]
    #[expect(unsafe_code, reason = "the intrinsic reads through a pointer")]
    fn load(from: &[f32; 4]) -> Self {
        // SAFETY: the reference is valid for reading 16 bytes, and v128.load needs no alignment.
        Self(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[inline]
    #[expect(unsafe_code, reason = "the intrinsic writes through a pointer")]
    fn store(self, to: &mut [f32; 4]) {
        // SAFETY: the reference is valid for writing 16 bytes, and v128.store needs no alignment.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(f32x4_add(self.0, other.0))
    }

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(f32x4_sub(self.0, other.0))
    }

    #[inline]
    fn mul(self, other: Self) -> Self {
        Self(f32x4_mul(self.0, other.0))
    }

    #[inline]
    fn div(self, other: Self) -> Self {
        Self(f32x4_div(self.0, other.0))
    }

    #[inline]
    fn sqrt(self) -> Self {
        Self(f32x4_sqrt(self.0))
    }

    #[inline]
    fn max(self, other: Self) -> Self {
        Self(f32x4_pmax(self.0, other.0))
    }

    #[inline]
    fn min(self, other: Self) -> Self {
        Self(f32x4_pmin(self.0, other.0))
    }

    #[inline]
    fn select_below(self, bound: Self, below: Self, otherwise: Self) -> Self {
        Self(v128_bitselect(below.0, otherwise.0, f32x4_lt(self.0, bound.0)))
    }

    #[inline]
    fn bits_into_exponent(self) -> Self {
        Self(i32x4_shl(self.0, 23))
    }
}
