//! Training: epochs over shuffled batches, and the local training of one member of a run.

use crate::limits;
use crate::neural::arena::Arena;
use crate::neural::dataset::Dataset;
use crate::neural::error::Error;
use crate::neural::execute;
use crate::neural::network::Network;
use crate::neural::optimiser::{self, Optimiser, State};
use crate::neural::schedule::Schedule;
use crate::neural::specification::Specification;
use crate::neural::stream;
use crate::rng::Rng;
use crate::tensor::index;

/// How to train. The default is what the command line uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Rows per step, 1 to [`limits::NEURAL_BATCH_MAX`].
    pub batch: u32,
    /// Size of a step, above 0.
    pub learning_rate: f32,
    /// How the gradient changes the weights.
    pub optimiser: Optimiser,
    /// How the learning rate changes on the way.
    pub schedule: Schedule,
    /// How much matrices shrink per step, in parts of the learning rate, apart from the gradient
    /// (Loshchilov and Hutter 2019); 0 to below 1. Biases and the like do not shrink.
    pub weight_decay: f32,
    /// The largest Euclidean norm of a step's gradient, above 0; infinity leaves it alone.
    pub clip_norm: f32,
    /// What a row of each class counts, above 0; empty if all count 1.
    pub class_weights: Vec<f32>,
    /// Where the order of the rows and the masks of dropout come from.
    pub seed: u64,
    /// Whether every epoch takes the rows in a new random order; otherwise in that of the data.
    pub shuffle: bool,
}

impl Default for Options {
    /// Adam, batches of 32, seed 0, shuffled. The rate is twice that of Adam's authors: with it 20
    /// epochs are enough for digits (64-128-10, 200 seeds: mean test accuracy 0.980, 187 of them at
    /// 0.97 or more).
    fn default() -> Self {
        Self {
            batch: 32,
            learning_rate: 2e-3,
            optimiser: Optimiser::Adam,
            schedule: Schedule::default(),
            weight_decay: 0.0,
            clip_norm: f32::INFINITY,
            class_weights: Vec::new(),
            seed: 0,
            shuffle: true,
        }
    }
}

/// What one epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Which epoch of the trainer it was, counted from 1.
    pub epoch: u64,
    /// Mean loss per row, each measured just before the step that its row took part in.
    pub loss: f64,
    /// Share of the rows that were told right at that moment; `None` without classes.
    pub accuracy: Option<f64>,
}

/// Everything a training remembers between steps; made once, so that a step takes no memory.
#[derive(Clone, Debug)]
pub struct Trainer {
    options: Options,
    state: State,
    gradient: Vec<f32>,
    /// The weights before the epoch, to go back to if it diverges.
    before: Vec<f32>,
    order: Vec<u32>,
    rng: Rng,
    epochs: u64,
    steps: u64,
}

/// Keeps the randomness of a step apart from that of another seed: an odd number without a pattern
/// (2^64 over the golden ratio, Knuth, volume 3, section 6.4).
const STEP_SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

const NO_CLASSES: &str = "class weights are for classes, and the data has numbers to predict";

impl Options {
    /// Checks the range of every option.
    ///
    /// # Errors
    /// [`Error::Batch`], [`Error::LearningRate`], [`Error::Momentum`] or [`Error::Option`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.batch == 0 || self.batch > limits::NEURAL_BATCH_MAX {
            return Err(Error::Batch(self.batch));
        }
        let rate = self.learning_rate;
        if !(rate > 0.0 && rate <= limits::NEURAL_LEARNING_RATE_MAX) {
            return Err(Error::LearningRate(rate));
        }
        match self.optimiser {
            Optimiser::Sgd { momentum } | Optimiser::Nesterov { momentum }
                if !(0.0..1.0).contains(&momentum) =>
            {
                return Err(Error::Momentum(momentum));
            }
            _ => {}
        }
        self.schedule.validate()?;
        if !(0.0..1.0).contains(&self.weight_decay) {
            return Err(Error::Option("weight decay is at least 0 and below 1"));
        }
        if self.clip_norm.is_nan() || self.clip_norm <= 0.0 {
            return Err(Error::Option("the largest norm of a gradient is above 0"));
        }
        let usable = |weight: &f32| *weight > 0.0 && weight.is_finite();
        if self.class_weights.iter().all(usable) {
            return Ok(());
        }
        Err(Error::Option("class weights are above 0 and finite"))
    }

    /// What the rows of a data set count, so that every class counts the same in sum and a row
    /// counts 1 on average; a class without rows counts 1.
    ///
    /// # Errors
    /// [`Error::Option`] for numbers to predict.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rows are below 2^24")]
    pub fn balanced(data: &Dataset) -> Result<Vec<f32>, Error> {
        if data.classes().is_empty() {
            return Err(Error::Option(NO_CLASSES));
        }
        let counts = data.class_counts();
        let classes = counts.iter().filter(|count| **count > 0).count() as f32;
        let rows = data.rows() as f32;
        let weight =
            |count: &usize| if *count == 0 { 1.0 } else { rows / (classes * *count as f32) };
        Ok(counts.iter().map(weight).collect())
    }
}

impl Trainer {
    /// A trainer for networks with the plan of `network`.
    ///
    /// # Errors
    /// Those of [`Options::validate`].
    pub fn new(network: &Network, options: Options) -> Result<Self, Error> {
        options.validate()?;
        let outputs = index(network.plan.output().shape.count());
        if !options.class_weights.is_empty() && options.class_weights.len() != outputs {
            return Err(Error::Option("there is one class weight for each output"));
        }
        let state = State::new(options.optimiser, network.plan.packed_len());
        let rng = Rng::from_u64_stream(options.seed, stream::SHUFFLE);
        let len = network.plan.packed_len();
        Ok(Self {
            options,
            state,
            gradient: vec![0.0; len],
            before: vec![0.0; len],
            order: Vec::new(),
            rng,
            epochs: 0,
            steps: 0,
        })
    }

    /// How it trains.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// One pass over `data`, a step per batch; the last batch may be smaller.
    ///
    /// The first epoch makes room for the order of the rows; later ones take no memory.
    ///
    /// # Errors
    /// [`Error::NoRows`], those of [`Network::check_fits`], [`Error::WeightsLength`] for a network
    /// of another plan, [`Error::ArenaTooLarge`]; [`Error::Diverged`] if weights or loss are not
    /// finite any more. After any error the network has its weights of before the epoch; after
    /// [`Error::Diverged`] the optimiser begins anew with the next one.
    pub fn epoch(
        &mut self,
        network: &mut Network,
        arena: &mut Arena,
        data: &Dataset,
    ) -> Result<Epoch, Error> {
        network.check_fits(data)?;
        if data.rows() == 0 {
            return Err(Error::NoRows);
        }
        if !self.options.class_weights.is_empty() && data.classes().is_empty() {
            return Err(Error::Option(NO_CLASSES));
        }
        if network.parameters.len() != self.gradient.len() {
            let (expected, found) = (self.gradient.len(), network.parameters.len());
            return Err(Error::WeightsLength { expected, found });
        }
        self.put_in_order(data.rows());
        self.before.copy_from_slice(&network.parameters);
        self.epochs += 1;
        let order = std::mem::take(&mut self.order);
        let loss = self.pass(network, arena, data, &order);
        self.order = order;
        let layer = network.first_not_finite();
        let failure = match loss {
            Ok((loss, right)) if layer.is_none() && loss.is_finite() => {
                let rows = f64::from(u32::try_from(data.rows()).unwrap_or(u32::MAX));
                let right = (!data.classes().is_empty()).then_some(f64::from(right));
                let accuracy = right.map(|right| right / rows);
                return Ok(Epoch { epoch: self.epochs, loss: loss / rows, accuracy });
            }
            Ok(_) => {
                // What the optimiser remembers is not finite either.
                self.state = State::new(self.options.optimiser, network.plan.packed_len());
                Error::Diverged { epoch: self.epochs, layer }
            }
            Err(error) => error,
        };
        network.parameters.copy_from_slice(&self.before);
        Err(failure)
    }

    /// The steps of an epoch, up to the first loss that is not finite; the sum of the losses, and
    /// how many rows were told right.
    fn pass(
        &mut self,
        network: &mut Network,
        arena: &mut Arena,
        data: &Dataset,
        order: &[u32],
    ) -> Result<(f64, u32), Error> {
        let (mut loss, mut right) = (0.0, 0);
        for rows in order.chunks(index(self.options.batch)) {
            loss += self.step(network, arena, data, rows, &mut right)?;
            if !loss.is_finite() {
                break;
            }
        }
        Ok((loss, right))
    }

    /// One step on some rows; the sum of their losses.
    fn step(
        &mut self,
        network: &mut Network,
        arena: &mut Arena,
        data: &Dataset,
        rows: &[u32],
        right: &mut u32,
    ) -> Result<f64, Error> {
        let plan = &*network.plan;
        let mut pass = arena.pass(plan.training(), rows.len())?;
        execute::load(plan, &mut pass, rows.iter().map(|row| data.row(index(*row))));
        self.steps += 1;
        let mut work = execute::Training {
            gradient: &mut self.gradient,
            labels: data.labels(),
            rows,
            class_weights: &self.options.class_weights,
            seed: self.options.seed.wrapping_add(self.steps.wrapping_mul(STEP_SPREAD)),
            right,
        };
        let loss = execute::training(plan, &mut network.parameters, &mut pass, &mut work);
        if !loss.is_finite() && network.first_not_finite().is_some() {
            // A step would spread what is not finite over all layers, and hide where it began.
            return Ok(loss);
        }
        if self.options.clip_norm < f32::INFINITY {
            optimiser::clip(self.options.clip_norm, &mut self.gradient);
        }
        let factor = self.options.schedule.factor(self.steps, self.epochs);
        let rate = self.options.learning_rate * factor;
        if self.options.weight_decay > 0.0 {
            let shrink = 1.0 - rate * self.options.weight_decay;
            for tensor in plan.tensors().iter().filter(|tensor| tensor.k > 0) {
                let range = tensor.range.clone();
                optimiser::decay(shrink, network.parameters.get_mut(range).unwrap_or_default());
            }
        }
        self.state.step(rate, &self.gradient, &mut network.parameters);
        Ok(loss)
    }

    /// The order of the rows in this epoch: each shuffle starts from the order before it.
    fn put_in_order(&mut self, rows: usize) {
        if self.order.len() != rows {
            self.order.clear();
            self.order.extend((0..u32::MAX).take(rows));
        }
        if self.options.shuffle {
            self.rng.shuffle(&mut self.order);
        }
    }
}

/// What a member of a run does with its own rows in one round: plain or heavy-ball descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalTraining {
    /// Passes over the member's rows, 1 to [`limits::NEURAL_EPOCHS_MAX`].
    pub epochs: u32,
    /// Rows per step.
    pub batch: u32,
    /// Size of a step.
    pub learning_rate: f32,
    /// 0 for plain descent.
    pub momentum: f32,
    /// Where the order of the rows comes from.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateResult {
    /// New minus base parameters, canonical.
    pub delta: Vec<f32>,
    /// Mean loss of the trained network on the member's rows.
    pub loss: f64,
    /// Its accuracy on them; `None` for a regression.
    pub accuracy: Option<f64>,
    /// Rows trained on.
    pub samples: u32,
}

/// Trains a copy of the base network on a member's rows.
///
/// # Errors
/// Those of [`Network::from_weights`], [`Options::validate`] and [`Trainer::epoch`];
/// [`Error::Epochs`] for none or too many.
pub fn train_update(
    specification: &Specification,
    base_weights: &[f32],
    data: &Dataset,
    training: LocalTraining,
) -> Result<UpdateResult, Error> {
    if training.epochs == 0 || training.epochs > limits::NEURAL_EPOCHS_MAX {
        return Err(Error::Epochs(training.epochs));
    }
    let mut network = Network::from_weights(specification, base_weights)?;
    let mut arena = Arena::new();
    let options = Options {
        batch: training.batch,
        learning_rate: training.learning_rate,
        optimiser: Optimiser::Sgd { momentum: training.momentum },
        seed: training.seed,
        ..Options::default()
    };
    let mut trainer = Trainer::new(&network, options)?;
    for _ in 0..training.epochs {
        trainer.epoch(&mut network, &mut arena, data)?;
    }
    let evaluation = network.evaluate(&mut arena, data)?;
    let weights = network.weights();
    Ok(UpdateResult {
        delta: weights.iter().zip(base_weights).map(|(new, base)| new - base).collect(),
        loss: evaluation.loss,
        accuracy: evaluation.accuracy,
        samples: u32::try_from(data.rows()).unwrap_or(u32::MAX),
    })
}
