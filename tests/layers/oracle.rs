//! What layers are by their definitions, in `f64`, one row at a time and without any cleverness.
//!
//! Written over [`Number`], so that the derivatives of what is written here follow by themselves.

use synaptic_mesh::neural::specification::{
    Activation, Extent, Layer, Norm, Padding, Pooling, Position,
};
use synaptic_mesh::neural::{Loss, Shape};
use synaptic_mesh::rng::Rng;

use crate::number::{Number, sum};
use crate::probe::index;
use crate::sequence;

/// The numbers of a row, and their shape.
pub(crate) type Value<N> = (Vec<N>, Shape);

/// The output of `layer` for one row `x` of shape `from`, and its shape; in inference, where that
/// differs from training.
pub(crate) fn forward<N: Number>(
    layer: &Layer,
    from: Shape,
    x: &[N],
    parameters: &[N],
) -> Value<N> {
    match layer {
        Layer::Dense { units, activation } => {
            let units = index(*units);
            let y = dense(x, index(from.channels()), parameters, units);
            (activate(*activation, &y, units), from.with_channels(u32::try_from(units).unwrap()))
        }
        Layer::Conv { .. } => conv(layer, from, x, parameters),
        Layer::Pool { kind, window, stride } => pool(*kind, *window, *stride, from, x),
        Layer::Norm { kind: Norm::Layer } => (layer_norm(from, x, parameters), from),
        Layer::Norm { kind: Norm::Batch } => (batch_norm(from, x, parameters), from),
        Layer::Activation { activation } => {
            (activate(*activation, x, index(from.channels())), from)
        }
        Layer::Position { kind } => (position(*kind, from, x, parameters), from),
        Layer::Flatten => (x.to_vec(), Shape::Flat(from.count())),
        Layer::Reshape { shape } => (x.to_vec(), *shape),
        Layer::Dropout { .. } => (x.to_vec(), from),
        Layer::Embedding { units, .. } => {
            let entry = |word: &N| {
                let word = index(word.value() as u32) * index(*units);
                parameters[word..word + index(*units)].to_vec()
            };
            let to = Shape::Sequence { steps: from.count(), features: *units };
            (x.iter().flat_map(entry).collect(), to)
        }
        Layer::Recurrent { .. } => sequence::recurrent(layer, from, x, parameters),
        Layer::Attention { heads, causal } => {
            (sequence::attention(index(*heads), *causal, from, x, parameters), from)
        }
        other => panic!("no oracle for {other:?}"),
    }
}

/// A layer of several inputs: `x` and those that it names.
pub(crate) fn join<N: Number>(
    layer: &Layer,
    from: Shape,
    x: &[N],
    joined: &[Value<N>],
) -> Value<N> {
    let at = |place: usize| joined.iter().map(move |(other, _)| other[place]);
    let each = x.iter().enumerate();
    match layer {
        Layer::Add { .. } => (each.map(|(place, x)| *x + sum(at(place))).collect(), from),
        Layer::Gate { .. } => {
            (each.map(|(place, x)| *x * joined[0].0[place].sigmoid()).collect(), from)
        }
        _ => {
            let mut all = vec![(x, index(from.channels()))];
            all.extend(joined.iter().map(|(x, shape)| (x.as_slice(), index(shape.channels()))));
            let channels: usize = all.iter().map(|(_, channels)| channels).sum();
            let mut y = Vec::new();
            for position in 0..index(from.positions()) {
                for (x, channels) in &all {
                    y.extend_from_slice(&x[position * channels..][..*channels]);
                }
            }
            (y, from.with_channels(u32::try_from(channels).unwrap()))
        }
    }
}

/// `x W + b` at each position, `W` row-major.
pub(crate) fn dense<N: Number>(x: &[N], k: usize, parameters: &[N], n: usize) -> Vec<N> {
    let (weights, bias) = parameters.split_at(k * n);
    let at =
        |x: &[N], unit: usize| bias[unit] + sum((0..k).map(|row| x[row] * weights[row * n + unit]));
    x.chunks(k).flat_map(|x| (0..n).map(|unit| at(x, unit)).collect::<Vec<_>>()).collect()
}

fn activate<N: Number>(activation: Activation, x: &[N], channels: usize) -> Vec<N> {
    let each: fn(N) -> N = match activation {
        Activation::Relu => |x| x.bent(0.0, 1.0),
        Activation::LeakyRelu => |x| x.bent(0.01, 1.0),
        Activation::Tanh => N::tanh,
        Activation::Sigmoid => N::sigmoid,
        Activation::Elu => |x| if x.value() < 0.0 { x.exp_m1() } else { x },
        Activation::Softplus => |x| x.exp().ln_1p(),
        Activation::Gelu => |x| x * x.phi(),
        Activation::Linear => |x| x,
        Activation::Softmax => return x.chunks(channels).flat_map(softmax).collect(),
    };
    x.iter().map(|x| each(*x)).collect()
}

pub(crate) fn softmax<N: Number>(x: &[N]) -> Vec<N> {
    let total = sum(x.iter().map(|x| x.exp()));
    x.iter().map(|x| x.exp() / total).collect()
}

/// Height, width and channels; a sequence is as high as it is long.
fn sizes(shape: Shape) -> [usize; 3] {
    match shape {
        Shape::Flat(features) => [1, 1, index(features)],
        Shape::Sequence { steps, features } => [index(steps), 1, index(features)],
        Shape::Image { height, width, channels } => [height, width, channels].map(index),
    }
}

fn with_sizes(like: Shape, [height, width, channels]: [usize; 3]) -> Shape {
    let [height, width, channels] = [height, width, channels].map(|n| u32::try_from(n).unwrap());
    match like {
        Shape::Image { .. } => Shape::Image { height, width, channels },
        _ => Shape::Sequence { steps: height, features: channels },
    }
}

fn pair(extent: Extent) -> [usize; 2] {
    match extent {
        Extent::Line(size) => [index(size), 1],
        Extent::Plane(down, across) => [index(down), index(across)],
    }
}

fn conv<N: Number>(layer: &Layer, from: Shape, x: &[N], parameters: &[N]) -> Value<N> {
    let Layer::Conv { filters, kernel, stride, dilation, padding, groups, activation } = layer
    else {
        unreachable!()
    };
    let ([height, width, channels], filters) = (sizes(from), index(*filters));
    let (kernel, stride, dilation) = (pair(*kernel), pair(*stride), pair(*dilation));
    let reach = [0, 1].map(|side| (kernel[side] - 1) * dilation[side] + 1);
    let size = [height, width];
    let out = [0, 1].map(|side| match padding {
        Padding::Valid => (size[side] - reach[side]) / stride[side] + 1,
        Padding::Same => size[side].div_ceil(stride[side]),
    });
    let before = [0, 1].map(|side| match padding {
        Padding::Valid => 0,
        Padding::Same => ((out[side] - 1) * stride[side] + reach[side]).saturating_sub(size[side]),
    });
    let before = before.map(|all| all / 2);
    let (inputs, outputs) = (channels / index(*groups), filters / index(*groups));
    let (weights, bias) = parameters.split_at(parameters.len() - filters);
    let mut y = Vec::new();
    for place in 0..out[0] * out[1] * filters {
        let (down, across) = (place / filters / out[1], place / filters % out[1]);
        let filter = place % filters;
        let mut sum = bias[filter];
        for row in 0..kernel[0] * kernel[1] * inputs {
            let (tap, channel) = (row / inputs, row % inputs + filter / outputs * inputs);
            let line = down * stride[0] + tap / kernel[1] * dilation[0];
            let column = across * stride[1] + tap % kernel[1] * dilation[1];
            let inside = (before[0]..before[0] + height).contains(&line)
                && (before[1]..before[1] + width).contains(&column);
            if inside {
                let pixel = (line - before[0]) * width + column - before[1];
                sum = sum + x[pixel * channels + channel] * weights[row * filters + filter];
            }
        }
        y.push(sum);
    }
    (activate(*activation, &y, filters), with_sizes(from, [out[0], out[1], filters]))
}

fn pool<N: Number>(
    kind: Pooling,
    window: Extent,
    stride: Extent,
    from: Shape,
    x: &[N],
) -> Value<N> {
    let ([height, width, channels], window, stride) = (sizes(from), pair(window), pair(stride));
    let out = [(height - window[0]) / stride[0] + 1, (width - window[1]) / stride[1] + 1];
    let mut y = Vec::new();
    for place in 0..out[0] * out[1] * channels {
        let (down, across) = (place / channels / out[1], place / channels % out[1]);
        let taps = (0..window[0] * window[1]).map(|tap| {
            let line = down * stride[0] + tap / window[1];
            let column = across * stride[1] + tap % window[1];
            x[(line * width + column) * channels + place % channels]
        });
        y.push(match kind {
            Pooling::Max => taps.reduce(N::larger).unwrap(),
            Pooling::Average => sum(taps) / N::from((window[0] * window[1]) as f64),
        });
    }
    (y, with_sizes(from, [out[0], out[1], channels]))
}

/// Mean and biased variance.
fn moments<N: Number>(x: &[N]) -> (N, N) {
    let count = N::from(x.len() as f64);
    let mean = sum(x.iter().copied()) / count;
    (mean, sum(x.iter().map(|x| (*x - mean) * (*x - mean))) / count)
}

fn normal<N: Number>(x: N, (mean, variance): (N, N), gamma: N, beta: N) -> N {
    (x - mean) / (variance + N::from(1e-5)).sqrt() * gamma + beta
}

fn layer_norm<N: Number>(from: Shape, x: &[N], parameters: &[N]) -> Vec<N> {
    let channels = index(from.channels());
    let (gamma, beta) = parameters.split_at(channels);
    let of_position = |x: &[N]| {
        let moments = moments(x);
        let each = x.iter().zip(gamma).zip(beta);
        each.map(|((x, g), b)| normal(*x, moments, *g, *b)).collect::<Vec<_>>()
    };
    x.chunks(channels).flat_map(of_position).collect()
}

/// After training: scale, shift, mean and variance are parameters.
fn batch_norm<N: Number>(from: Shape, x: &[N], parameters: &[N]) -> Vec<N> {
    let channels = index(from.channels());
    let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|part| &parameters[part * channels..]);
    let each = x.iter().enumerate().map(|(place, x)| (place % channels, x));
    each.map(|(c, x)| normal(*x, (mean[c], variance[c]), gamma[c], beta[c])).collect()
}

/// In training: over all positions of all rows.
fn batch_norm_in_training<N: Number>(rows: &[Value<N>], parameters: &[N]) -> Vec<Value<N>> {
    let channels = index(rows[0].1.channels());
    let moments: Vec<_> = (0..channels)
        .map(|c| {
            let of_channel = |(x, _): &Value<N>| -> Vec<N> {
                x.iter().copied().skip(c).step_by(channels).collect()
            };
            moments(&rows.iter().flat_map(of_channel).collect::<Vec<_>>())
        })
        .collect();
    let of_row = |(x, shape): &Value<N>| {
        let each = x.iter().enumerate().map(|(place, x)| (place % channels, x));
        let each =
            each.map(|(c, x)| normal(*x, moments[c], parameters[c], parameters[channels + c]));
        (each.collect(), *shape)
    };
    rows.iter().map(of_row).collect()
}

fn position<N: Number>(kind: Position, from: Shape, x: &[N], parameters: &[N]) -> Vec<N> {
    let features = index(from.channels());
    let code = |(place, x): (usize, &N)| {
        let (step, feature) = (place / features, place % features);
        let angle = step as f64 / 1e4_f64.powf((feature / 2 * 2) as f64 / features as f64);
        *x + match kind {
            Position::Learned => parameters[place],
            Position::Sinusoidal if feature % 2 == 0 => N::from(angle.sin()),
            Position::Sinusoidal => N::from(angle.cos()),
        }
    };
    x.iter().enumerate().map(code).collect()
}

/// How a network is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Inference,
    /// The first step of a training with the seed 0.
    Training,
}

/// Dropout of the first step of a training with the seed 0: one draw of 32 bits per number, of a
/// sequence of random numbers per layer.
fn dropout<N: Number>(rate_per_mille: u32, layer: usize, rows: &[Value<N>]) -> Vec<Value<N>> {
    let step_1 = 0x9e37_79b9_7f4a_7c15;
    let mut rng = Rng::from_u64_stream(step_1, (1 << 32) | layer as u64);
    let rate = f64::from(rate_per_mille) / 1e3;
    let mut draw = |x: &N| {
        let dropped = f64::from(rng.next_u32()) < (rate * 4_294_967_296.0).floor();
        *x * N::from(if dropped { 0.0 } else { 1.0 / (1.0 - rate) })
    };
    rows.iter().map(|(x, shape)| (x.iter().map(&mut draw).collect(), *shape)).collect()
}

/// All rows through all layers of a network; values that a layer joins are numbered from `input`.
pub(crate) fn network<N: Number>(
    (layers, input): (&[Layer], u32),
    rows: Vec<Value<N>>,
    parameters: &[N],
    counts: &[usize],
    mode: Mode,
) -> Vec<Value<N>> {
    let (mut values, mut rest) = (vec![rows], parameters);
    for (at, layer) in layers.iter().enumerate() {
        let rows = values.last().unwrap();
        let own;
        (own, rest) = rest.split_at(counts[at]);
        let next = match (layer, mode) {
            (Layer::Norm { kind: Norm::Batch }, Mode::Training) => {
                batch_norm_in_training(rows, own)
            }
            (Layer::Dropout { rate_per_mille }, Mode::Training) => {
                dropout(*rate_per_mille, at + 1, rows)
            }
            _ => {
                let of_row = |(row, (x, from)): (usize, &Value<N>)| match layer.with() {
                    [] => forward(layer, *from, x, own),
                    with => {
                        let joined = with.iter().map(|v| values[index(v - input)][row].clone());
                        join(layer, *from, x, &joined.collect::<Vec<_>>())
                    }
                };
                rows.iter().enumerate().map(of_row).collect()
            }
        };
        values.push(next);
    }
    values.pop().unwrap()
}

/// The loss of one row of outputs, after `last`.
pub(crate) fn loss<N: Number>(loss: Loss, last: Activation, y: &[N], targets: &[f64]) -> N {
    let surprise = |share: f64, y: N| {
        if share == 0.0 { N::from(0.0) } else { -(N::from(share) * y.ln()) }
    };
    let term = |(y, target): (&N, &f64)| {
        let difference = *y - N::from(*target);
        match loss {
            Loss::Mse => difference * difference,
            Loss::Mae => difference.bent(-1.0, 1.0),
            Loss::Huber if difference.value().abs() <= 1.0 => {
                difference * difference * N::from(0.5)
            }
            Loss::Huber => difference.bent(-1.0, 1.0) - N::from(0.5),
            Loss::Quantile(per_mille) => {
                let q = f64::from(per_mille) / 1e3;
                difference.bent(-q, 1.0 - q)
            }
            Loss::Bce | Loss::CrossEntropy if last == Activation::Sigmoid => {
                surprise(*target, *y) + surprise(1.0 - target, N::from(1.0) - *y)
            }
            Loss::CrossEntropy => surprise(*target, *y),
            other => panic!("no oracle for {other:?} after {last:?}"),
        }
    };
    let all = sum(y.iter().zip(targets).map(term));
    if loss == Loss::CrossEntropy { all } else { all / N::from(y.len() as f64) }
}
