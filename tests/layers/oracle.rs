//! What layers are by their definitions, in `f64`, one row at a time and without any cleverness.

use synaptic_mesh::neural::Shape;
use synaptic_mesh::neural::specification::{
    Activation, Extent, Layer, Norm, Padding, Pooling, Position,
};

use crate::probe::index;

/// The output of `layer` for one row `x` of shape `from`, and its shape.
pub(crate) fn forward(
    layer: &Layer,
    from: Shape,
    x: &[f64],
    parameters: &[f64],
) -> (Vec<f64>, Shape) {
    match layer {
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
        other => panic!("no oracle for {other:?}"),
    }
}

/// A layer of several inputs: `x` and those that it names.
pub(crate) fn join(
    layer: &Layer,
    from: Shape,
    x: &[f64],
    joined: &[(Vec<f64>, Shape)],
) -> (Vec<f64>, Shape) {
    let at = |place: usize| joined.iter().map(move |(other, _)| other[place]);
    let each = x.iter().enumerate();
    match layer {
        Layer::Add { .. } => (each.map(|(place, x)| x + at(place).sum::<f64>()).collect(), from),
        Layer::Gate { .. } => {
            let gate = |place: usize| 1.0 / (1.0 + (-joined[0].0[place]).exp());
            (each.map(|(place, x)| x * gate(place)).collect(), from)
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

fn activate(activation: Activation, x: &[f64], channels: usize) -> Vec<f64> {
    let each: fn(f64) -> f64 = match activation {
        Activation::Relu => |x| x.max(0.0),
        Activation::Tanh => f64::tanh,
        Activation::Sigmoid => |x| 1.0 / (1.0 + (-x).exp()),
        Activation::Softmax => {
            let softmax = |x: &[f64]| {
                let sum: f64 = x.iter().map(|x| x.exp()).sum();
                x.iter().map(|x| x.exp() / sum).collect::<Vec<_>>()
            };
            return x.chunks(channels).flat_map(softmax).collect();
        }
        _ => |x| x,
    };
    x.iter().map(|x| each(*x)).collect()
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

fn conv(layer: &Layer, from: Shape, x: &[f64], parameters: &[f64]) -> (Vec<f64>, Shape) {
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
                sum += x[pixel * channels + channel] * weights[row * filters + filter];
            }
        }
        y.push(sum);
    }
    (activate(*activation, &y, filters), with_sizes(from, [out[0], out[1], filters]))
}

fn pool(
    kind: Pooling,
    window: Extent,
    stride: Extent,
    from: Shape,
    x: &[f64],
) -> (Vec<f64>, Shape) {
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
            Pooling::Max => taps.fold(f64::NEG_INFINITY, f64::max),
            Pooling::Average => taps.sum::<f64>() / (window[0] * window[1]) as f64,
        });
    }
    (y, with_sizes(from, [out[0], out[1], channels]))
}

fn layer_norm(from: Shape, x: &[f64], parameters: &[f64]) -> Vec<f64> {
    let channels = index(from.channels());
    let (gamma, beta) = parameters.split_at(channels);
    let normal = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / channels as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / channels as f64;
        let each = x.iter().zip(gamma).zip(beta);
        each.map(|((x, g), b)| (x - mean) / (variance + 1e-5).sqrt() * g + b).collect::<Vec<_>>()
    };
    x.chunks(channels).flat_map(normal).collect()
}

/// After training: scale, shift, mean and variance are parameters.
fn batch_norm(from: Shape, x: &[f64], parameters: &[f64]) -> Vec<f64> {
    let channels = index(from.channels());
    let [gamma, beta, mean, variance] = [0, 1, 2, 3].map(|part| &parameters[part * channels..]);
    let each = x.iter().enumerate().map(|(place, x)| (place % channels, x));
    each.map(|(c, x)| (x - mean[c]) / (variance[c] + 1e-5).sqrt() * gamma[c] + beta[c]).collect()
}

fn position(kind: Position, from: Shape, x: &[f64], parameters: &[f64]) -> Vec<f64> {
    let features = index(from.channels());
    let code = |(place, x): (usize, &f64)| {
        let (step, feature) = (place / features, place % features);
        let angle = step as f64 / 1e4_f64.powf((feature / 2 * 2) as f64 / features as f64);
        x + match kind {
            Position::Learned => parameters[place],
            Position::Sinusoidal if feature % 2 == 0 => angle.sin(),
            Position::Sinusoidal => angle.cos(),
        }
    };
    x.iter().enumerate().map(code).collect()
}
