//! Four `f32` at a time, the same bits everywhere.
//!
//! Kernels are written once over [`Lanes`] and instantiated twice: with [`scalar::F32x4`], plain
//! Rust that is the oracle and the native implementation, and with `wasm32::F32x4`, WebAssembly
//! SIMD128. Both do the same IEEE 754 operations in the same order, multiply and add apart (a fused
//! multiply-add rounds once where these round twice), so both give the same bits. What cannot be
//! promised is the payload of a NaN, which is why weights that are not finite are never hashed.
//!
//! [`exp`], [`sigmoid`] and [`tanh`] are our own polynomials for the same reason. This is the only
//! module that asks which instructions the target has.

pub mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod wasm32;

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use scalar::F32x4;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm32::F32x4;

/// Four `f32` and the operations the kernels need; every one of them acts lane by lane.
pub trait Lanes: Copy {
    /// The same number in every lane.
    fn splat(value: f32) -> Self;
    /// Reads four numbers.
    fn load(from: &[f32; 4]) -> Self;
    /// Writes four numbers.
    fn store(self, to: &mut [f32; 4]);
    /// Sum.
    #[must_use]
    fn add(self, other: Self) -> Self;
    /// Difference.
    #[must_use]
    fn sub(self, other: Self) -> Self;
    /// Product.
    #[must_use]
    fn mul(self, other: Self) -> Self;
    /// Quotient.
    #[must_use]
    fn div(self, other: Self) -> Self;
    /// Square root, correctly rounded.
    #[must_use]
    fn sqrt(self) -> Self;
    /// `if self < other { other } else { self }`: a NaN in `self` stays.
    #[must_use]
    fn max(self, other: Self) -> Self;
    /// `if other < self { other } else { self }`: a NaN in `self` stays.
    #[must_use]
    fn min(self, other: Self) -> Self;
    /// `if self < bound { below } else { otherwise }`.
    #[must_use]
    fn select_below(self, bound: Self, below: Self, otherwise: Self) -> Self;
    /// The bits of each lane moved 23 places up: see [`exp`].
    #[must_use]
    fn bits_into_exponent(self) -> Self;

    /// The lanes as an array.
    fn to_array(self) -> [f32; 4] {
        let mut array = [0.0; 4];
        self.store(&mut array);
        array
    }

    /// The sum of the lanes, always as `(0 + 1) + (2 + 3)`.
    fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }
}

/// The smallest argument of [`exp`]: below it the result would be subnormal.
pub const EXP_MIN: f32 = -87.3;
/// The largest argument of [`exp`]: above it `2^128` would be needed.
pub const EXP_MAX: f32 = 88.3;

/// Exponential.
///
/// Domain: [`EXP_MIN`] to [`EXP_MAX`], outside of which it stays at the value of the nearer end.
/// Worst error: 1.1 ulp. NaN stays NaN.
///
/// `exp x = 2^n exp r` with `n` the integer nearest to `x / ln 2`. Adding `1.5 * 2^23` to a number
/// of this size leaves the nearest integer in the lowest bits of the sum; with 127 added as well,
/// moving them up by 23 places makes them the exponent of `2^n`. The polynomial for `exp r`,
/// `|r| <= 0.347`, is that of Cephes' `expf` (Moshier 1989).
#[inline]
pub fn exp<L: Lanes>(x: L) -> L {
    const INTEGER: f32 = 12_582_912.0;
    let x = x.max(L::splat(EXP_MIN)).min(L::splat(EXP_MAX));
    let shifted = x.mul(L::splat(std::f32::consts::LOG2_E)).add(L::splat(INTEGER + 127.0));
    let n = shifted.sub(L::splat(INTEGER + 127.0));
    // ln 2 in two parts: the first has few enough bits for its product with n to be exact.
    let r = x.sub(n.mul(L::splat(0.693_359_4))).sub(n.mul(L::splat(-2.121_944_4e-4)));
    let mut p = L::splat(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.mul(r).add(L::splat(coefficient));
    }
    let result = p.mul(r.mul(r)).add(r).add(L::splat(1.0));
    result.mul(shifted.bits_into_exponent())
}

/// `1 / (1 + exp(-x))`.
///
/// Domain: every number; worst error 2.5 ulp for `x > -87`, below which it stays at `1e-38`.
#[inline]
pub fn sigmoid<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    one.div(one.add(exp(L::splat(0.0).sub(x))))
}

/// Hyperbolic tangent.
///
/// Domain: every number; worst error 2 ulp. Below 0.625 in size Cephes' polynomial for `tanhf`,
/// above it `1 - 2 / (exp 2x + 1)`, where nothing cancels. `-0` gives `0`.
#[inline]
pub fn tanh<L: Lanes>(x: L) -> L {
    let (zero, one, two) = (L::splat(0.0), L::splat(1.0), L::splat(2.0));
    let minus = zero.sub(x);
    let size = minus.max(x);
    let square = x.mul(x);
    let mut p = L::splat(-5.704_988_7e-3);
    for coefficient in [2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1] {
        p = p.mul(square).add(L::splat(coefficient));
    }
    let near = size.add(size.mul(p.mul(square)));
    let far = one.sub(two.div(one.add(exp(size.add(size)))));
    let of_size = size.select_below(L::splat(0.625), near, far);
    x.select_below(zero, zero.sub(of_size), of_size)
}

/// `ln(1 + exp x)`.
///
/// Domain: every number; worst error 4 ulp, absolutely 1e-7 below -16. With `u = exp -|x|` it is
/// `max(x, 0) + ln(1 + u)`, and `ln(1 + u) = 2 artanh(u / (2 + u))`, whose series in odd powers of
/// a number of at most 1/3 ends below half an ulp of the sum after nine terms.
#[inline]
pub fn softplus<L: Lanes>(x: L) -> L {
    let (zero, two) = (L::splat(0.0), L::splat(2.0));
    let minus = zero.sub(x);
    let u = exp(minus.min(x));
    let s = u.div(two.add(u));
    let square = s.mul(s);
    let mut sum = L::splat(1.0 / 17.0);
    for odd in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum.mul(square).add(L::splat(1.0 / odd));
    }
    x.max(zero).add(two.mul(s.mul(sum)))
}

/// `x Phi(x)`, with the distribution function `Phi` of the normal distribution.
///
/// Domain: every number; worst error 7 ulp for `x > -3`, absolutely 1e-8 below, where the rounding
/// of `x^2` shows. Above 0 it is `x - x Phi(-x)`, so nothing cancels, as it does in `1 + erf`.
/// Below -13.2 it stays at about -1e-38.
#[inline]
pub fn gelu<L: Lanes>(x: L) -> L {
    let (size, tail, _) = normal_tail(x);
    x.max(L::splat(0.0)).sub(size.mul(tail))
}

/// The derivative of [`gelu`], `Phi(x) + x phi(x)` with the density `phi`; worst error 3e-7.
#[inline]
pub fn gelu_slope<L: Lanes>(x: L) -> L {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let (size, tail, bell) = normal_tail(x);
    // 1 / sqrt(2 pi)
    let density = bell.mul(L::splat(0.398_942_3)).mul(size);
    x.select_below(zero, tail.sub(density), one.sub(tail).add(density))
}

/// `|x|`, at most 13.2; `Phi(-|x|)`; and `exp(-x^2 / 2)`.
///
/// The tail is the exponential times a polynomial in `t = 1 / (1 + 0.35 |x|)`, the form of Hastings
/// (1955, sheets 43 to 45), with the degree raised to 8 and the coefficients fitted anew: relative
/// error 3.2e-8 from 0 to 13.3 before rounding.
#[inline]
fn normal_tail<L: Lanes>(x: L) -> (L, L, L) {
    let one = L::splat(1.0);
    let size = L::splat(0.0).sub(x).max(x).min(L::splat(13.2));
    let bell = exp(size.mul(size).mul(L::splat(-0.5)));
    let t = one.div(one.add(size.mul(L::splat(0.35))));
    let mut p = L::splat(-0.029_115_023);
    let coefficients = [
        0.143_818_45,
        -0.255_391_06,
        0.158_796_64,
        -0.022_843_47,
        0.105_392_165,
        0.119_863_085,
        0.139_857_56,
        0.139_621_66,
    ];
    for coefficient in coefficients {
        p = p.mul(t).add(L::splat(coefficient));
    }
    (size, bell.mul(p.mul(t)), bell)
}

#[cfg(test)]
mod tests;
