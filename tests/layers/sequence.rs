//! What layers along a sequence are by their definitions; see `oracle.rs`.

#![expect(clippy::many_single_char_names, reason = "the letters of the papers")]

use synaptic_mesh::neural::Shape;
use synaptic_mesh::neural::specification::{Cell, Layer, Returns};

use crate::number::{Number, sum};
use crate::oracle::{Value, dense, softmax};
use crate::probe::index;

/// `vector x matrix`: `[k] x [k, columns] -> [columns]`.
fn product<N: Number>(vector: &[N], matrix: &[N], columns: usize) -> Vec<N> {
    let at = |column: usize| {
        sum(vector.iter().enumerate().map(|(row, x)| *x * matrix[row * columns + column]))
    };
    (0..columns).map(at).collect()
}

/// One direction over the steps of one row in the order given, the outputs in the same order.
fn one_direction<N: Number>(
    cell: Cell,
    units: usize,
    parameters: &[N],
    steps: &[&[N]],
) -> Vec<Vec<N>> {
    let columns = units
        * match cell {
            Cell::Rnn => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        };
    let (w, rest) = parameters.split_at(steps[0].len() * columns);
    let (u, rest) = rest.split_at(units * columns);
    let (b, candidate) = rest.split_at(columns);
    let (mut h, mut c) = (vec![N::from(0.0); units], vec![N::from(0.0); units]);
    let mut outputs = Vec::new();
    for x in steps {
        let outer: Vec<N> =
            product(x, w, columns).iter().zip(b).map(|(sum, b)| *sum + *b).collect();
        let inner = product(&h, u, columns);
        let sum = |gate: usize, j: usize| outer[gate * units + j] + inner[gate * units + j];
        let mut next = h.clone();
        for j in 0..units {
            next[j] = match cell {
                Cell::Rnn => sum(0, j).tanh(),
                Cell::Lstm => {
                    c[j] = sum(1, j).sigmoid() * c[j] + sum(0, j).sigmoid() * sum(2, j).tanh();
                    sum(3, j).sigmoid() * c[j].tanh()
                }
                Cell::Gru => {
                    let (r, z) = (sum(0, j).sigmoid(), sum(1, j).sigmoid());
                    let inner = inner[2 * units + j] + candidate[j];
                    let n = (outer[2 * units + j] + r * inner).tanh();
                    (N::from(1.0) - z) * n + z * h[j]
                }
            };
        }
        h.clone_from(&next);
        outputs.push(next);
    }
    outputs
}

/// A recurrent layer over one row; a second direction has the second half of the parameters.
pub(crate) fn recurrent<N: Number>(
    layer: &Layer,
    from: Shape,
    x: &[N],
    parameters: &[N],
) -> Value<N> {
    let Layer::Recurrent { cell, units, bidirectional, returns } = layer else { unreachable!() };
    let directions = if *bidirectional { 2 } else { 1 };
    let features = units * directions;
    let halves: Vec<&[N]> = parameters.chunks(parameters.len() / index(directions)).collect();
    let mut steps: Vec<&[N]> = x.chunks(index(from.channels())).collect();
    let forwards = one_direction(*cell, index(*units), halves[0], &steps);
    let mut backwards = Vec::new();
    if *bidirectional {
        steps.reverse();
        backwards = one_direction(*cell, index(*units), halves[1], &steps);
        backwards.reverse();
    }
    let mut y = Vec::new();
    if *returns == Returns::Last {
        y.extend(forwards.last().unwrap());
        y.extend(backwards.first().into_iter().flatten());
        return (y, Shape::Flat(features));
    }
    for (at, forwards) in forwards.iter().enumerate() {
        y.extend(forwards);
        y.extend(backwards.get(at).into_iter().flatten());
    }
    (y, from.with_channels(features))
}

/// Multi-head self-attention over one row; query, key, value and output are dense layers in this
/// order.
pub(crate) fn attention<N: Number>(
    heads: usize,
    causal: bool,
    from: Shape,
    x: &[N],
    parameters: &[N],
) -> Vec<N> {
    let (steps, features) = (index(from.positions()), index(from.channels()));
    let width = features / heads;
    let parts: Vec<&[N]> = parameters.chunks(parameters.len() / 4).collect();
    let [q, k, v] = [0, 1, 2].map(|part| dense(x, features, parts[part], features));
    let mut context = Vec::new();
    for step in 0..steps {
        for first in (0..features).step_by(width) {
            let seen = if causal { step + 1 } else { steps };
            let score = |other: usize| {
                let (one, two) = (&q[step * features + first..], &k[other * features + first..]);
                sum((0..width).map(|at| one[at] * two[at])) / N::from((width as f64).sqrt())
            };
            let shares = softmax(&(0..seen).map(score).collect::<Vec<_>>());
            for column in first..first + width {
                let values = shares.iter().enumerate();
                context
                    .push(sum(values.map(|(other, share)| *share * v[other * features + column])));
            }
        }
    }
    dense(&context, features, parts[3], features)
}
