//! Numbers that the definitions of layers are written over: `f64`, and `f64` that remembers how it
//! came about, so that its derivatives follow by the chain rule alone (reverse-mode automatic
//! differentiation, Griewank and Walther 2008, chapter 3).
//!
//! Nothing of it knows a layer: what the engine derives by hand is derived here operation by
//! operation. Each is checked against differences below.

use std::cell::{Cell, RefCell};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a definition needs of a number.
pub(crate) trait Number:
    Copy
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The number without its past.
    fn value(self) -> f64;
    /// A function of one number whose value and derivative are given.
    fn map(self, value: f64, slope: f64) -> Self;

    fn exp(self) -> Self {
        let exp = self.value().exp();
        self.map(exp, exp)
    }

    fn ln(self) -> Self {
        self.map(self.value().ln(), 1.0 / self.value())
    }

    fn ln_1p(self) -> Self {
        self.map(self.value().ln_1p(), 1.0 / (1.0 + self.value()))
    }

    fn exp_m1(self) -> Self {
        self.map(self.value().exp_m1(), self.value().exp())
    }

    fn tanh(self) -> Self {
        let tanh = self.value().tanh();
        self.map(tanh, 1.0 - tanh * tanh)
    }

    fn sqrt(self) -> Self {
        let root = self.value().sqrt();
        self.map(root, 0.5 / root)
    }

    /// The distribution function of the normal distribution.
    fn phi(self) -> Self {
        let x = self.value();
        let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        self.map(distribution(x, density), density)
    }

    fn sigmoid(self) -> Self {
        Self::from(1.0) / (Self::from(1.0) + (-self).exp())
    }

    /// `above x` above 0, `below x` below.
    fn bent(self, below: f64, above: f64) -> Self {
        note_bend(self.value());
        let slope = if self.value() < 0.0 { below } else { above };
        self.map(slope * self.value(), slope)
    }

    /// The larger of two numbers.
    fn larger(self, other: Self) -> Self {
        note_bend(self.value() - other.value());
        if self.value() < other.value() { other } else { self }
    }
}

/// The integral of the normal distribution's density up to `x`: the series of Abramowitz and Stegun
/// (1964), 26.2.11, near 0 and the continued fraction 26.2.14 far from it.
fn distribution(x: f64, density: f64) -> f64 {
    if x.abs() > 3.0 {
        let fraction = (1..200).rev().fold(0.0, |below, n| f64::from(n) / (x.abs() + below));
        let tail = density / (x.abs() + fraction);
        return if x < 0.0 { tail } else { 1.0 - tail };
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-18 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + density * sum
}

/// The sum of some numbers.
pub(crate) fn sum<N: Number>(numbers: impl IntoIterator<Item = N>) -> N {
    numbers.into_iter().fold(N::from(0.0), |sum, number| sum + number)
}

thread_local! {
    static SINGLE: Cell<Option<f64>> = const { Cell::new(None) };
    static BEND: Cell<f64> = const { Cell::new(f64::INFINITY) };
    static TAPE: RefCell<Vec<[(usize, f64); 2]>> = const { RefCell::new(Vec::new()) };
}

/// A distance of 0 is no coincidence: it is what relu or dropout put to 0, which has no gradient.
fn note_bend(distance: f64) {
    if distance != 0.0 {
        BEND.set(BEND.get().min(distance.abs()));
    }
}

/// What `work` gives, and how near to a bend of one of its functions it came.
pub(crate) fn bend<T>(work: impl FnOnce() -> T) -> (T, f64) {
    BEND.set(f64::INFINITY);
    let result = work();
    (result, BEND.get())
}

/// What `work` gives when every operation is rounded to `f32`, that of the chain rule as well: how
/// well `f32` can do with a plain definition, and no compiler's or kernel's doing. A `grid` other
/// than 1 shifts what is rounded up and what down (Parker 1997, "Monte Carlo arithmetic").
pub(crate) fn single<T>(grid: f64, work: impl FnOnce() -> T) -> T {
    SINGLE.set(Some(grid));
    let result = work();
    SINGLE.set(None);
    result
}

fn rounded(number: f64) -> f64 {
    match SINGLE.get() {
        Some(grid) => f64::from((number * grid) as f32) / grid,
        None => number,
    }
}

impl Number for f64 {
    fn value(self) -> f64 {
        self
    }

    fn map(self, value: f64, _slope: f64) -> Self {
        value
    }
}

/// A number and where it stands on the tape; `NOWHERE` for constants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traced {
    value: f64,
    at: usize,
}

const NOWHERE: usize = usize::MAX;

impl Traced {
    fn of(value: f64, parents: [(Traced, f64); 2]) -> Self {
        let value = rounded(value);
        let parents = parents.map(|(parent, slope)| (parent.at, rounded(slope)));
        if parents.iter().all(|(at, _)| *at == NOWHERE) {
            return Self { value, at: NOWHERE };
        }
        TAPE.with_borrow_mut(|tape| {
            tape.push(parents);
            Self { value, at: tape.len() - 1 }
        })
    }
}

/// The value of `f` at some numbers, and its derivative by each of them.
pub(crate) fn gradient(at: &[f64], f: impl FnOnce(&[Traced]) -> Traced) -> (f64, Vec<f64>) {
    TAPE.with_borrow_mut(|tape| {
        tape.clear();
        tape.resize(at.len(), [(NOWHERE, 0.0); 2]);
    });
    let leaves: Vec<Traced> =
        at.iter().enumerate().map(|(at, value)| Traced { value: *value, at }).collect();
    let result = f(&leaves);
    TAPE.with_borrow(|tape| {
        let mut slopes = vec![0.0; tape.len()];
        if let Some(slope) = slopes.get_mut(result.at) {
            *slope = 1.0;
        }
        for (at, parents) in tape.iter().enumerate().rev() {
            for (parent, slope) in parents.iter().filter(|(parent, _)| *parent != NOWHERE) {
                slopes[*parent] = rounded(slopes[*parent] + rounded(slopes[at] * slope));
            }
        }
        slopes.truncate(leaves.len());
        (result.value, slopes)
    })
}

/// The derivative of `f` at some numbers, by differences.
pub(crate) fn differences(at: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const EPSILON: f64 = 1e-6;
    let (count, mut at) = (at.len(), at.to_vec());
    let mut slope = |place: usize| {
        let here = at[place];
        let [above, below] = [here + EPSILON, here - EPSILON].map(|near| {
            at[place] = near;
            f(&at)
        });
        at[place] = here;
        (above - below) / (2.0 * EPSILON)
    };
    (0..count).map(&mut slope).collect()
}

impl From<f64> for Traced {
    fn from(value: f64) -> Self {
        Self { value, at: NOWHERE }
    }
}

impl Number for Traced {
    fn value(self) -> f64 {
        self.value
    }

    fn map(self, value: f64, slope: f64) -> Self {
        Self::of(value, [(self, slope), (Self::from(0.0), 0.0)])
    }
}

impl Add for Traced {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(self.value + other.value, [(self, 1.0), (other, 1.0)])
    }
}

impl Sub for Traced {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::of(self.value - other.value, [(self, 1.0), (other, -1.0)])
    }
}

impl Mul for Traced {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::of(self.value * other.value, [(self, other.value), (other, self.value)])
    }
}

impl Div for Traced {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let quotient = self.value / other.value;
        Self::of(quotient, [(self, 1.0 / other.value), (other, -quotient / other.value)])
    }
}

impl Neg for Traced {
    type Output = Self;

    fn neg(self) -> Self {
        self.map(-self.value, -1.0)
    }
}
