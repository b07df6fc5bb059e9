//! Attention alone: the contracts of a layer, and PyTorch's numbers. `tests/layers` holds it
//! against its definition.

use super::*;
use crate::neural::layer::testing::{
    Single, assert_close, assert_rows_are_apart, exact, numbers,
    torch::{Case, cases},
};
use crate::neural::specification::{Layer, Shape};

/// A layer over `[steps, features]`.
#[derive(Clone, Copy, Debug)]
struct Setting {
    steps: u32,
    features: u32,
    heads: u32,
    causal: bool,
}

impl Setting {
    fn single(self) -> Single {
        let layer = Layer::Attention { heads: self.heads, causal: self.causal };
        Single::new(&layer, Shape::Sequence { steps: self.steps, features: self.features })
    }

    fn columns(self) -> usize {
        index(self.steps * self.features)
    }
}

/// Sizes that are no multiples of anything, and some that are.
fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    let sizes = [(4, 6, 2), (1, 1, 1), (1, 10, 5), (9, 3, 3), (5, 16, 2), (8, 9, 1), (2, 20, 2)];
    for (steps, features, heads) in sizes {
        for causal in [false, true] {
            settings.push(Setting { steps, features, heads, causal });
        }
    }
    settings
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    for setting in settings() {
        let x = numbers(4, 7 * setting.columns(), 1.5);
        assert_rows_are_apart(&setting.single(), &x, setting.columns());
    }
}

#[test]
fn a_causal_step_does_not_see_those_after_it() {
    let setting = Setting { steps: 5, features: 6, heads: 2, causal: true };
    let (single, mut x) = (setting.single(), numbers(5, 30, 1.5));
    let before = single.run(&x);
    x[4 * 6..].fill(9.0);
    let after = single.run(&x);
    assert_eq!(before[..24], after[..24]);
    assert_ne!(before[24..], after[24..]);
}

/// Parameters or gradients of PyTorch in our order: its in-projection is one matrix
/// `[3 * features][features]` of query, key and value, ours are three `[features][features]` the
/// other way round, each followed by its bias. NaN where a case has no biases.
fn of_torch(case: &Case, what: &str) -> Vec<f32> {
    let features = index(case.count("embed_dim"));
    let absent = if what == "parameters" { 0.0 } else { f32::NAN };
    let bias = |name, len| case.tensor(what, name).unwrap_or_else(|| vec![absent; len]);
    let weights = case.turned(what, "in_proj_weight").unwrap();
    let biases = bias("in_proj_bias", 3 * features);
    let mut ours = Vec::new();
    for part in 0..3 {
        for row in weights.chunks(3 * features) {
            ours.extend(&row[part * features..][..features]);
        }
        ours.extend(&biases[part * features..][..features]);
    }
    ours.extend(case.turned(what, "out_proj.weight").unwrap());
    ours.extend(bias("out_proj.bias", features));
    ours
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let cases = cases(include_str!("../../../../tests/vectors/torch/attention.json"));
    for case in &cases {
        let ((steps, features), heads) = (case.sequence(), case.count("num_heads"));
        let causal = case.flag("causal");
        let mut single = Setting { steps, features, heads, causal }.single();
        single.set(&of_torch(case, "parameters"));
        let learned = single.learn(&case.numbers("x"), &case.numbers("dy"));
        for (what, ours, expected) in [
            ("y", learned.y, case.numbers("y")),
            ("dx", learned.dx, case.numbers("dx")),
            ("gradient", learned.gradient, of_torch(case, "gradients")),
        ] {
            let what = format!("{} {what}", case.name());
            assert_close(&ours, &exact(&expected), 1e-5, &what);
        }
    }
    assert_eq!(cases.len(), 4);
}
