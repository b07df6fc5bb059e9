//! Many tiny networks of one shape, eight at a time.
//!
//! A network of a few dozen parameters leaves most lanes of a vector empty. Here eight networks
//! lie side by side, lane by lane, and one pass computes all of them: `[group][layer][output]`,
//! then the bias and the weights of that output, each number eight times, once for each network.
//! The order of operations is that of [`Network::run`], so that a network gives the same bits in
//! both.
//!
//! For dense layers only, and worth it up to some thousand parameters: above that a network's own
//! kernels fill the lanes, and a group of eight does not fit the cache.

use std::sync::Arc;

use crate::neural::activation;
use crate::neural::error::Error;
use crate::neural::network::{Network, check_finite};
use crate::neural::plan::Plan;
use crate::neural::specification::{Activation, Layer, Shape, Specification};
use crate::neural::stream;
use crate::rng::Rng;
use crate::simd::{self, F32x4, Lanes};
use crate::tensor::{LANES, Octet, index, octets, octets_mut};

/// Networks of one plan, with weights of their own.
#[derive(Clone, Debug)]
pub struct Population {
    plan: Arc<Plan>,
    layers: Vec<Dense>,
    count: usize,
    /// `[group][parameter][8]`; the last group may hold networks that nobody asked for.
    weights: Vec<f32>,
    /// The values of one group: the widest layer's inputs, then its outputs.
    values: Vec<f32>,
}

/// One layer of all networks.
#[derive(Clone, Copy, Debug)]
struct Dense {
    inputs: usize,
    units: usize,
    activation: Activation,
}

impl Population {
    /// `count` networks, each with the initial weights of its own seed: `seed`, `seed + 1`, ...
    ///
    /// # Errors
    /// Those of [`Network::new`]; [`Error::Option`] for layers that are not dense, for no networks,
    /// or for more numbers than an arena may hold.
    pub fn new(specification: &Specification, count: u32, seed: u64) -> Result<Self, Error> {
        let layers = dense_layers(specification)?;
        let plan = Plan::of(specification)?;
        let count = index(count);
        let groups = count.div_ceil(LANES);
        let numbers = groups.checked_mul(LANES * plan.parameter_count());
        let numbers = numbers.filter(|n| *n <= crate::limits::NEURAL_ARENA_NUMBERS_MAX && *n > 0);
        let numbers = numbers.ok_or(Error::Option("a population is 1 to 2^25 numbers large"))?;
        let width = layers.iter().map(|layer| layer.inputs.max(layer.units)).max().unwrap_or(0);
        let values = vec![0.0; 2 * width * LANES];
        let mut population = Self { plan, layers, count, weights: vec![0.0; numbers], values };
        for member in 0..count {
            let own = seed.wrapping_add(u64::try_from(member).unwrap_or(0));
            population.set_weights(member, &Network::new(specification, own)?.weights())?;
        }
        Ok(population)
    }

    /// Networks in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What each of them is.
    pub fn specification(&self) -> &Specification {
        self.plan.specification()
    }

    /// The canonical parameters of one network.
    ///
    /// # Errors
    /// [`Error::Member`] if there is no such network.
    pub fn weights(&self, member: usize) -> Result<Vec<f32>, Error> {
        self.check(member)?;
        let mut weights = vec![0.0; self.plan.parameter_count()];
        self.each_parameter(member, |canonical, packed| {
            if let Some((to, from)) = weights.get_mut(canonical).zip(self.weights.get(packed)) {
                *to = *from;
            }
        });
        Ok(weights)
    }

    /// Replaces the parameters of one network.
    ///
    /// # Errors
    /// [`Error::Member`], [`Error::WeightsLength`] or [`Error::WeightsNotFinite`].
    pub fn set_weights(&mut self, member: usize, weights: &[f32]) -> Result<(), Error> {
        self.check(member)?;
        let (expected, found) = (self.plan.parameter_count(), weights.len());
        if found != expected {
            return Err(Error::WeightsLength { expected, found });
        }
        check_finite(weights)?;
        let mut all = std::mem::take(&mut self.weights);
        self.each_parameter(member, |canonical, packed| {
            if let Some((to, from)) = all.get_mut(packed).zip(weights.get(canonical)) {
                *to = *from;
            }
        });
        self.weights = all;
        Ok(())
    }

    /// Gives one network the parameters of another.
    ///
    /// # Errors
    /// [`Error::Member`].
    pub fn copy(&mut self, from: usize, to: usize) -> Result<(), Error> {
        self.check(from)?;
        self.check(to)?;
        let shift = |member: usize| self.group_len() * (member / LANES) + member % LANES;
        let (from, to) = (shift(from), shift(to));
        for parameter in 0..self.plan.parameter_count() {
            if let Some(value) = self.weights.get(from + parameter * LANES).copied()
                && let Some(place) = self.weights.get_mut(to + parameter * LANES)
            {
                *place = value;
            }
        }
        Ok(())
    }

    /// Adds to every parameter of one network a normal number of deviation `sigma`, drawn from
    /// `seed`.
    ///
    /// # Errors
    /// [`Error::Member`]; [`Error::Option`] unless `sigma` is finite and at least 0.
    pub fn mutate(&mut self, member: usize, sigma: f32, seed: u64) -> Result<(), Error> {
        if !(sigma.is_finite() && sigma >= 0.0) {
            return Err(Error::Option("the deviation of a mutation is finite and at least 0"));
        }
        let mut rng = Rng::from_u64_stream(seed, stream::MUTATION);
        let mut weights = self.weights(member)?;
        for weight in &mut weights {
            *weight += sigma * rng.normal_f32();
        }
        self.set_weights(member, &weights)
    }

    /// One row through every network: `inputs` is one row for all of them, `[inputs]`, or a row for
    /// each, `[count, inputs]`; `outputs` is `[count, outputs]`.
    ///
    /// # Errors
    /// [`Error::Rows`] if the lengths do not fit.
    pub fn evaluate(&mut self, inputs: &[f32], outputs: &mut [f32]) -> Result<(), Error> {
        let (first, last) = (self.layers.first(), self.layers.last());
        let (columns, units) = (first.map_or(0, |l| l.inputs), last.map_or(0, |l| l.units));
        let shared = inputs.len() == columns;
        if !shared && inputs.len() != self.count * columns {
            return Err(rows(inputs.len(), self.count, columns));
        }
        if outputs.len() != self.count * units {
            return Err(rows(outputs.len(), self.count, units));
        }
        let group_len = self.group_len();
        let groups = self.weights.chunks_exact(group_len).zip(outputs.chunks_mut(LANES * units));
        for (group, (weights, outputs)) in groups.enumerate() {
            let rows = if shared {
                inputs
            } else {
                inputs.get(group * LANES * columns..).unwrap_or_default()
            };
            load(rows, columns, shared, octets_mut(&mut self.values));
            unload(run(&self.layers, octets(weights), octets_mut(&mut self.values)), outputs);
        }
        Ok(())
    }

    fn group_len(&self) -> usize {
        self.plan.parameter_count() * LANES
    }

    fn check(&self, member: usize) -> Result<(), Error> {
        if member < self.count { Ok(()) } else { Err(Error::Member { member, count: self.count }) }
    }

    /// Calls `each` with the canonical and the packed place of every parameter of one network.
    fn each_parameter(&self, member: usize, mut each: impl FnMut(usize, usize)) {
        let mut packed = self.group_len() * (member / LANES) + member % LANES;
        let mut start = 0;
        for Dense { inputs, units, .. } in &self.layers {
            for unit in 0..*units {
                each(start + inputs * units + unit, packed);
                packed += LANES;
                for input in 0..*inputs {
                    each(start + input * units + unit, packed);
                    packed += LANES;
                }
            }
            start += (inputs + 1) * units;
        }
    }
}

fn rows(found: usize, rows: usize, columns: usize) -> Error {
    Error::Rows { found, rows, columns: u32::try_from(columns).unwrap_or(u32::MAX) }
}

fn dense_layers(specification: &Specification) -> Result<Vec<Dense>, Error> {
    let Shape::Flat(inputs) = specification.inputs else {
        return Err(Error::Option("a population takes rows of numbers"));
    };
    let mut inputs = index(inputs);
    let mut layers = Vec::with_capacity(specification.layers.len());
    for layer in &specification.layers {
        let Layer::Dense { units, activation } = layer else {
            return Err(Error::Option("a population is of dense layers"));
        };
        let units = index(*units);
        layers.push(Dense { inputs, units, activation: *activation });
        inputs = units;
    }
    Ok(layers)
}

/// Puts up to eight rows side by side, `[columns][8]`, or one row eight times. What is in the lanes
/// without a row nobody reads.
fn load(rows: &[f32], columns: usize, shared: bool, values: &mut [Octet]) {
    let apart = if shared { 0 } else { columns };
    for (column, value) in values.iter_mut().take(columns).enumerate() {
        for (lane, to) in value.as_flattened_mut().iter_mut().enumerate() {
            *to = rows.get(lane * apart + column).copied().unwrap_or(0.0);
        }
    }
}

/// Takes the results of up to eight networks, `[units][8]`, apart again.
fn unload(result: &[Octet], outputs: &mut [f32]) {
    for (unit, value) in result.iter().enumerate() {
        for (lane, from) in value.as_flattened().iter().enumerate() {
            if let Some(to) = outputs.get_mut(lane * result.len() + unit) {
                *to = *from;
            }
        }
    }
}

/// All layers of one group; the values of the last one, `[units][8]`.
fn run<'v>(layers: &[Dense], weights: &[Octet], values: &'v mut [Octet]) -> &'v [Octet] {
    let (mut from, mut to) = values.split_at_mut(values.len() / 2);
    let (mut rest, mut units) = (weights, 0);
    for layer in layers {
        for to in to.iter_mut().take(layer.units) {
            let Some((bias, tail)) = rest.split_first() else { continue };
            let (weights, tail) = tail.split_at(layer.inputs);
            rest = tail;
            let mut acc = pair(bias);
            for (x, w) in from.iter().zip(weights) {
                let ([a, b], [x0, x1], [w0, w1]) = (acc, pair(x), pair(w));
                acc = [a.add(x0.mul(w0)), b.add(x1.mul(w1))];
            }
            put(acc, to);
        }
        units = layer.units;
        activate(layer.activation, to.get_mut(..units).unwrap_or_default());
        std::mem::swap(&mut from, &mut to);
    }
    from.get(..units).unwrap_or_default()
}

fn activate(which: Activation, values: &mut [Octet]) {
    match which {
        Activation::Relu => {
            let zero = F32x4::splat(0.0);
            for value in values {
                put(pair(value).map(|x| x.max(zero)), value);
            }
        }
        Activation::Softmax => softmax(values),
        other => activation::apply(other, values.as_flattened_mut().as_flattened_mut()),
    }
}

/// Softmax over the units, lane by lane, adding up in the order of [`activation::softmax`].
fn softmax(values: &mut [Octet]) {
    let lowest = [F32x4::splat(f32::NEG_INFINITY); 2];
    let largest = values.iter().fold(lowest, |[a, b], value| {
        let [x, y] = pair(value);
        [a.max(x), b.max(y)]
    });
    let mut sums = [[F32x4::splat(0.0); 2]; 4];
    for (unit, value) in values.iter_mut().enumerate() {
        let ([x, y], [a, b]) = (pair(value), largest);
        let [x, y] = [simd::exp(x.sub(a)), simd::exp(y.sub(b))];
        put([x, y], value);
        if let Some([a, b]) = sums.get_mut(unit % 4) {
            (*a, *b) = (a.add(x), b.add(y));
        }
    }
    let [s0, s1, s2, s3] = sums;
    let total = |half: fn([F32x4; 2]) -> F32x4| half(s0).add(half(s1)).add(half(s2).add(half(s3)));
    let (low, high) = (total(|[a, _]| a), total(|[_, b]| b));
    for value in values {
        let [x, y] = pair(value);
        put([x.div(low), y.div(high)], value);
    }
}

fn pair([low, high]: &Octet) -> [F32x4; 2] {
    [F32x4::load(low), F32x4::load(high)]
}

fn put([a, b]: [F32x4; 2], [low, high]: &mut Octet) {
    a.store(low);
    b.store(high);
}

#[cfg(test)]
mod tests;
