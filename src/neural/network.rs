//! A network: a shared plan and its own packed parameters.

use std::sync::Arc;

use crate::crypto::hash;
use crate::limits;
use crate::neural::arena::Arena;
use crate::neural::dataset::{Dataset, Labels, Target};
use crate::neural::error::Error;
use crate::neural::execute;
use crate::neural::layer::Initial;
use crate::neural::loss;
use crate::neural::plan::Plan;
use crate::neural::specification::Specification;
use crate::neural::stream;
use crate::rng::Rng;
use crate::tensor::index;

/// Rows that are run together, if the arena has room for so many: enough for the tile kernel, few
/// enough to stay in the cache.
const CHUNK_ROWS: usize = 64;

/// A network that can be run, evaluated and trained.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) plan: Arc<Plan>,
    pub(crate) parameters: Vec<f32>,
}

/// How well a network does on some rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss per row.
    pub loss: f64,
    /// Share of the rows whose largest output is that of their class; `None` for a regression.
    pub accuracy: Option<f64>,
    /// Rows it is about.
    pub rows: usize,
}

impl Network {
    /// A network with initial weights drawn from `seed`, in canonical order; biases are 0.
    ///
    /// # Errors
    /// [`Error::Specification`] if the specification does not validate.
    pub fn new(specification: &Specification, seed: u64) -> Result<Self, Error> {
        let plan = Plan::of(specification)?;
        let mut rng = Rng::from_u64_stream(seed, stream::WEIGHTS);
        let mut weights = Vec::with_capacity(plan.parameter_count());
        for tensor in plan.tensors() {
            let len = weights.len() + tensor.len();
            match tensor.initial {
                Initial::Constant(value) | Initial::Statistic(value) => weights.resize(len, value),
                Initial::Uniform(limit) => {
                    weights.resize_with(len, || uniform(&mut rng, limit));
                }
            }
        }
        Self::of_plan(plan, &weights)
    }

    /// A network with the given canonical parameters.
    ///
    /// # Errors
    /// As [`Network::new`] and [`Network::set_weights`].
    pub fn from_weights(specification: &Specification, weights: &[f32]) -> Result<Self, Error> {
        Self::of_plan(Plan::of(specification)?, weights)
    }

    fn of_plan(plan: Arc<Plan>, weights: &[f32]) -> Result<Self, Error> {
        let mut network = Self { parameters: vec![0.0; plan.packed_len()], plan };
        network.set_weights(weights)?;
        Ok(network)
    }

    /// What the network is.
    pub fn specification(&self) -> &Specification {
        self.plan.specification()
    }

    /// Numbers of the canonical parameter vector.
    pub fn parameter_count(&self) -> usize {
        self.plan.parameter_count()
    }

    /// The parameters in canonical order: see [`Plan`].
    pub fn weights(&self) -> Vec<f32> {
        let mut weights = vec![0.0; self.parameter_count()];
        let mut rest = weights.as_mut_slice();
        for tensor in self.plan.tensors() {
            let (canonical, tail) = rest.split_at_mut(tensor.len());
            tensor.unpack(&self.parameters, canonical);
            rest = tail;
        }
        weights
    }

    /// Replaces the parameters by canonical ones.
    ///
    /// # Errors
    /// [`Error::WeightsLength`] or [`Error::WeightsNotFinite`]; the network is then unchanged.
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), Error> {
        let (expected, found) = (self.parameter_count(), weights.len());
        if found != expected {
            return Err(Error::WeightsLength { expected, found });
        }
        check_finite(weights)?;
        let mut rest = weights;
        for tensor in self.plan.tensors() {
            let (canonical, tail) = rest.split_at(tensor.len());
            tensor.pack(canonical, &mut self.parameters);
            rest = tail;
        }
        Ok(())
    }

    /// The weights blob: the canonical parameters as little-endian `f32`.
    pub fn weights_bytes(&self) -> Vec<u8> {
        bytes_of_weights(&self.weights())
    }

    /// The content id of [`Network::weights_bytes`].
    pub fn weights_cid(&self) -> String {
        hash::blob_cid_text(&self.weights_bytes())
    }

    /// Runs rows, `[rows, inputs]`, into `outputs`, `[rows, outputs]`.
    ///
    /// A row has the same bits alone and among others. Takes no memory once `arena` has grown.
    ///
    /// # Errors
    /// [`Error::Rows`] if the two are not the same number of whole rows; [`Error::Word`] if the
    /// network begins with an embedding and an input is not the number of a word.
    pub fn run(&self, arena: &mut Arena, inputs: &[f32], outputs: &mut [f32]) -> Result<(), Error> {
        let (columns_in, columns_out) = self.columns();
        let rows = inputs.len() / columns_in;
        if inputs.len() != rows * columns_in {
            let columns = self.plan.input().shape.count();
            return Err(Error::Rows { found: inputs.len(), rows, columns });
        }
        if outputs.len() != rows * columns_out {
            let columns = self.plan.output().shape.count();
            return Err(Error::Rows { found: outputs.len(), rows, columns });
        }
        check_words(self.specification(), inputs)?;
        if rows == 1 {
            return self.forward(arena, inputs, &mut |result| outputs.copy_from_slice(result));
        }
        let chunk_rows = self.chunk_rows();
        let chunks = inputs.chunks(chunk_rows * columns_in);
        for (inputs, outputs) in chunks.zip(outputs.chunks_mut(chunk_rows * columns_out)) {
            let mut outputs = outputs.chunks_exact_mut(columns_out);
            self.forward(arena, inputs, &mut |result| {
                if let Some(to) = outputs.next() {
                    to.copy_from_slice(result);
                }
            })?;
        }
        Ok(())
    }

    /// Loss and accuracy over a data set, which must be scaled as the network's data was.
    ///
    /// # Errors
    /// [`Error::NoRows`], or that of [`Network::check_fits`].
    pub fn evaluate(&self, arena: &mut Arena, data: &Dataset) -> Result<Evaluation, Error> {
        self.check_fits(data)?;
        if data.rows() == 0 {
            return Err(Error::NoRows);
        }
        let (columns_in, _) = self.columns();
        let (mut loss, mut right, mut row) = (0.0, 0_u32, 0);
        for inputs in data.values().chunks(self.chunk_rows() * columns_in) {
            self.forward(arena, inputs, &mut |outputs| {
                let target = data.labels().of_row(row);
                row += 1;
                loss += loss::of_row(self.specification(), outputs, target);
                if let Target::Class(class) = target {
                    right += u32::from(index_of_largest(outputs) == index(class));
                }
            })?;
        }
        let rows = u32::try_from(data.rows()).unwrap_or(u32::MAX);
        let share = |of: f64| of / f64::from(rows);
        let accuracy = match data.labels() {
            Labels::Classes(_) => Some(share(f64::from(right))),
            Labels::Numbers { .. } => None,
        };
        Ok(Evaluation { loss: share(loss), accuracy, rows: data.rows() })
    }

    /// Checks that a data set has as many features as the network has inputs, and as many classes
    /// (or numbers to predict per row) as the last layer has units.
    ///
    /// # Errors
    /// [`Error::InputsDoNotFit`], [`Error::ClassesDoNotFit`] or [`Error::TargetsDoNotFit`], which
    /// say what size the layer must have; [`Error::Word`] as in [`Network::run`].
    pub fn check_fits(&self, data: &Dataset) -> Result<(), Error> {
        fits(self.plan.input().shape.count(), self.plan.output().shape.count(), data)?;
        check_words(self.specification(), data.values())
    }

    /// As many rows as are run together.
    fn chunk_rows(&self) -> usize {
        let program = self.plan.forward();
        let room = limits::NEURAL_ARENA_NUMBERS_MAX.saturating_sub(program.numbers_fixed);
        (room / program.numbers_per_row.max(1)).clamp(1, CHUNK_ROWS)
    }

    /// Runs some rows together and hands each row of outputs to `each`, `[outputs]`.
    fn forward(
        &self,
        arena: &mut Arena,
        inputs: &[f32],
        each: &mut dyn FnMut(&[f32]),
    ) -> Result<(), Error> {
        let (columns_in, _) = self.columns();
        let mut pass = arena.pass(self.plan.forward(), inputs.len() / columns_in)?;
        execute::load(&self.plan, &mut pass, inputs.chunks_exact(columns_in));
        execute::forward(&self.plan, &self.parameters, &mut pass);
        execute::unload(&self.plan, &mut pass, each);
        Ok(())
    }

    /// The first layer, counted from 1, with a parameter that is not finite.
    pub(crate) fn first_not_finite(&self) -> Option<u32> {
        let bad = |range: &std::ops::Range<usize>| {
            let numbers = self.parameters.get(range.clone()).unwrap_or_default();
            !numbers.iter().all(|number| number.is_finite())
        };
        self.plan.tensors().iter().find(|tensor| bad(&tensor.range)).map(|tensor| tensor.layer)
    }

    /// Numbers of a row of inputs, and of outputs.
    pub fn columns(&self) -> (usize, usize) {
        let (input, output) = (self.plan.input().shape, self.plan.output().shape);
        (index(input.count()), index(output.count()))
    }
}

/// Checks that every weight is finite: all together first, many at once, because they mostly are.
///
/// # Errors
/// [`Error::WeightsNotFinite`] with the place of the first that is not.
pub(crate) fn check_finite(weights: &[f32]) -> Result<(), Error> {
    if weights.iter().fold(true, |all, weight| all & weight.is_finite()) {
        return Ok(());
    }
    let place = weights.iter().position(|weight| !weight.is_finite());
    Err(Error::WeightsNotFinite(place.unwrap_or_default()))
}

/// [`Network::check_fits`] before there is a network.
///
/// # Errors
/// As [`Network::check_fits`].
pub fn check_fits(specification: &Specification, data: &Dataset) -> Result<(), Error> {
    fits(specification.inputs(), specification.outputs(), data)?;
    check_words(specification, data.values())
}

/// Checks that inputs are numbers of words, if the network begins with an embedding.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "words are below 2^24")]
fn check_words(specification: &Specification, inputs: &[f32]) -> Result<(), Error> {
    let Some(vocabulary) = specification.vocabulary() else { return Ok(()) };
    let words = 0.0..vocabulary as f32;
    let is_word = |input: &f32| words.contains(input) && input.fract() == 0.0;
    match inputs.iter().position(|input| !is_word(input)) {
        Some(place) => Err(Error::Word { place, vocabulary }),
        None => Ok(()),
    }
}

fn fits(inputs: u32, units: u32, data: &Dataset) -> Result<(), Error> {
    if index(inputs) != data.features() {
        let features = data.features();
        let columns = if data.columns().is_empty() { features } else { data.columns().len() };
        return Err(Error::InputsDoNotFit { features, columns, inputs });
    }
    if data.has_gaps() {
        return Err(Error::Gaps);
    }
    match data.labels() {
        Labels::Classes(_) if data.classes().len() != index(units) => {
            Err(Error::ClassesDoNotFit { classes: data.classes().len(), units })
        }
        Labels::Numbers { width, .. } if *width != index(units) => {
            Err(Error::TargetsDoNotFit { targets: *width, units })
        }
        _ => Ok(()),
    }
}

/// Parameters, updates or deltas as a blob: little-endian `f32`, one after the other.
pub fn bytes_of_weights(weights: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(weights));
    for weight in weights {
        bytes.extend_from_slice(&weight.to_le_bytes());
    }
    bytes
}

/// Reads what [`bytes_of_weights`] writes; `None` unless there are exactly `count` numbers.
pub fn weights_of_bytes(bytes: &[u8], count: usize) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks::<4>();
    let whole = rest.is_empty() && numbers.len() == count;
    if !whole {
        return None;
    }
    let mut weights = Vec::with_capacity(count);
    for number in numbers {
        weights.push(f32::from_le_bytes(*number));
    }
    Some(weights)
}

/// The place of the largest number, the first of equals.
pub fn index_of_largest(numbers: &[f32]) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, number) in numbers.iter().enumerate() {
        if best.1 < *number {
            best = (place, *number);
        }
    }
    best.0
}

/// Uniform within `limit` of 0, rounded to `f32` once.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
fn uniform(rng: &mut Rng, limit: f64) -> f32 {
    ((2.0 * f64::from(rng.uniform_f32()) - 1.0) * limit) as f32
}
