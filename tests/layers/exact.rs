//! The gradient of a network against that of its definition in `f64`, tensor norm by tensor norm.

use std::ops::Range;

use synaptic_mesh::neural::specification::{Layer, Norm};
use synaptic_mesh::neural::{Dataset, Labels, Network, Specification};

use crate::number::{self, Number, sum};
use crate::oracle::{self, Mode, Value};
use crate::step;

/// Nearer to a bend than this, rounding may choose another side than the definition.
const BEND: f64 = 1e-4;
/// Below it a gradient proves nothing.
const FAINT: f64 = 1e-3;

/// Parameters of each layer.
pub(crate) fn counts(specification: &Specification) -> Vec<usize> {
    let up_to = |layers: usize| {
        let layers = specification.layers[..layers].to_vec();
        Specification { layers, ..specification.clone() }.parameter_count()
    };
    (0..specification.layers.len()).map(|layer| up_to(layer + 1) - up_to(layer)).collect()
}

/// What each row should give.
fn targets(data: &Dataset) -> Vec<Vec<f64>> {
    match data.labels() {
        Labels::Classes(classes) => {
            let one_hot = |class: &u32| {
                let is = |at: usize| f64::from(u8::from(at == crate::probe::index(*class)));
                (0..data.classes().len()).map(is).collect()
            };
            classes.iter().map(one_hot).collect()
        }
        Labels::Numbers { values, width } => {
            values.chunks(*width).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect()
        }
    }
}

/// The mean loss of a network in training, by its definition.
pub(crate) fn loss<N: Number>(
    specification: &Specification,
    data: &Dataset,
    parameters: &[N],
) -> N {
    let row = |row: usize| -> Value<N> {
        let x = data.row(row).iter().map(|x| N::from(f64::from(*x))).collect();
        (x, specification.inputs)
    };
    let rows = (0..data.rows()).map(row).collect();
    let counts = counts(specification);
    let layers = (specification.layers.as_slice(), 0);
    let outputs = oracle::network(layers, rows, parameters, &counts, Mode::Training);
    let last = specification.layers.last().unwrap().activation();
    let targets = targets(data);
    let losses = outputs.iter().zip(&targets);
    let all = losses.map(|((y, _), t)| oracle::loss(specification.loss, last, y, t));
    sum(all) / N::from(data.rows() as f64)
}

/// What the definition says of a network in training.
pub(crate) struct Defined {
    pub(crate) loss: f64,
    pub(crate) gradient: Vec<f64>,
    /// How near it came to a bend.
    bend: f64,
}

impl Defined {
    pub(crate) fn of(network: &Network, data: &Dataset) -> Self {
        let ((loss, gradient), bend) = number::bend(|| traced(network, data));
        Self { loss, gradient, bend }
    }

    /// Whether the sums, windows and differences all keep away from where a derivative jumps.
    pub(crate) fn is_straight(&self) -> bool {
        self.bend > BEND
    }

    /// Whether a gradient comes to every layer that has parameters, and a step along it stands out
    /// from them, so that it can be seen.
    pub(crate) fn is_telling(&self, network: &Network) -> bool {
        let (specification, weights) = (network.specification(), network.weights());
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let telling = |trained: Range<usize>| {
            let (weights, gradient) = (&weights[trained.clone()], &self.gradient[trained]);
            norm(gradient) > FAINT * norm(weights).max(norm(&self.gradient))
        };
        trained(specification).into_iter().all(telling)
    }

    /// The [`distance`] of the gradient when each operation of the definition is rounded to `f32`:
    /// large where numbers cancel.
    pub(crate) fn rounding(&self, network: &Network, data: &Dataset) -> f64 {
        let on = |grid: f64| {
            let (_, rounded) = number::single(grid, || traced(network, data));
            distance(network.specification(), &rounded, &self.gradient)
        };
        on(1.0).max(on(0.7))
    }
}

fn traced(network: &Network, data: &Dataset) -> (f64, Vec<f64>) {
    let at: Vec<f64> = network.weights().iter().map(|weight| f64::from(*weight)).collect();
    number::gradient(&at, |at| loss(network.specification(), data, at))
}

/// The Euclidean norm.
fn norm(numbers: &[f64]) -> f64 {
    numbers.iter().map(|number| number * number).sum::<f64>().sqrt()
}

/// Where the trained parameters of each layer lie that has some.
fn trained(specification: &Specification) -> Vec<Range<usize>> {
    let (mut start, mut trained) = (0, Vec::new());
    for (layer, count) in specification.layers.iter().zip(counts(specification)) {
        // Of a batch norm the second half is what was seen.
        let is_batch = *layer == (Layer::Norm { kind: Norm::Batch });
        trained.push(start..start + if is_batch { count / 2 } else { count });
        start += count;
    }
    trained.retain(|range| !range.is_empty());
    trained
}

/// The distance of two gradients, relative to the second, for the layer where it is largest; what
/// is next to nothing counts as a thousandth of the whole.
pub(crate) fn distance(specification: &Specification, ours: &[f64], defined: &[f64]) -> f64 {
    assert_eq!(ours.len(), defined.len());
    let whole = norm(defined);
    let of_layer = |trained: Range<usize>| {
        let (ours, defined) = (&ours[trained.clone()], &defined[trained]);
        let apart = ours.iter().zip(defined).map(|(ours, defined)| ours - defined);
        norm(&apart.collect::<Vec<_>>()) / norm(defined).max(FAINT * whole).max(f64::MIN_POSITIVE)
    };
    let distances = trained(specification).into_iter().map(of_layer);
    // Not `max`, which would pass over a NaN.
    distances.fold(0.0, |most, one| if one > most || one.is_nan() { one } else { most })
}

/// The [`distance`] of the gradient that a step of training takes; the loss that it reports has to
/// be that of the definition as well.
pub(crate) fn error(network: &Network, data: &Dataset, defined: &Defined) -> f64 {
    let (gradient, _, epoch) = step::gradient(network, data);
    let apart = (epoch.loss - defined.loss).abs() / defined.loss.abs().max(1.0);
    assert!(apart < 1e-5, "loss {} for {}", epoch.loss, defined.loss);
    distance(network.specification(), &gradient, &defined.gradient)
}
