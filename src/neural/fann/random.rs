//! The random numbers that starting weights and candidates take.

use crate::rng::Rng;

/// A source of random numbers. The crate's own is [`Rng`]; another one can stand in for it, such as
/// the C library's, to start exactly where libfann starts.
pub trait Random {
    /// Uniform in `[0, 1)`.
    fn uniform(&mut self) -> f32;

    /// Uniform from `low` to `high`, rounded as libfann rounds it.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }
}

impl Random for Rng {
    fn uniform(&mut self) -> f32 {
        self.uniform_f32()
    }
}
