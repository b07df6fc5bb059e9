//! Shows what layers make of their input and of a gradient, through the public interface alone.
//!
//! The rows of the input are the weights of a dense layer whose own inputs are the rows of the unit
//! matrix: what comes out of it is the input exactly, and the gradient of its weights is that of
//! the input. Any gradient of the outputs is asked for by targets of the mean square.

use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Shape, Specification,
};

/// Layers to be shown some rows.
pub(crate) struct Probe {
    pub(crate) from: Shape,
    pub(crate) layers: Vec<Layer>,
    pub(crate) rows: usize,
    pub(crate) network: Network,
}

/// The number of the probed layers' input among the values: see `Layer::with`.
pub(crate) const INPUT: u32 = 2;

impl Probe {
    pub(crate) fn new(from: Shape, layers: &[Layer], x: &[f32], parameters: &[f32]) -> Self {
        let count = index(from.count());
        let rows = x.len() / count;
        let mut all =
            vec![Layer::dense(from.count(), Activation::Linear), Layer::Reshape { shape: from }];
        all.extend(layers.iter().cloned());
        all.push(Layer::Flatten);
        let inputs = Shape::Flat(u32::try_from(rows).unwrap());
        let specification = Specification { inputs, layers: all, loss: Loss::Mse };
        let weights = [x, &vec![0.0; count], parameters].concat();
        let network = Network::from_weights(&specification, &weights)
            .unwrap_or_else(|error| panic!("{error}: {from:?} {layers:?}"));
        Self { from, layers: layers.to_vec(), rows, network }
    }

    /// The outputs in inference, `[rows, outputs]`.
    pub(crate) fn run(&self) -> Vec<f32> {
        run(&self.network, &unit(self.rows), self.rows)
    }

    /// The same without anything before the layers, and all rows one by one.
    pub(crate) fn run_alone(&self, x: &[f32], parameters: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let layers = self.layers.iter().map(without_prefix).chain([Layer::Flatten]).collect();
        let specification = Specification { inputs: self.from, layers, loss: Loss::Mse };
        let network = Network::from_weights(&specification, parameters).unwrap();
        let together = run(&network, x, self.rows);
        let rows = x.chunks(index(self.from.count()));
        (together, rows.flat_map(|row| run(&network, row, 1)).collect())
    }

    /// Data whose targets make `dy` the gradient of the outputs, if those are `y` in training.
    pub(crate) fn data(&self, y: &[f32], dy: &[f32]) -> Dataset {
        let half = y.len() as f64 / 2.0;
        let target = |(y, dy): (&f32, &f32)| (f64::from(*y) - half * f64::from(*dy)) as f32;
        let values = y.iter().zip(dy).map(target).collect();
        let labels = Labels::Numbers { values, width: y.len() / self.rows };
        Dataset::from_parts(self.rows, unit(self.rows), labels, Vec::new()).unwrap()
    }
}

/// The layer when nothing stands before the probed ones.
pub(crate) fn without_prefix(layer: &Layer) -> Layer {
    let moved = |with: &[u32]| with.iter().map(|value| value - INPUT).collect();
    match layer {
        Layer::Add { with } => Layer::Add { with: moved(with) },
        Layer::Gate { with } => Layer::Gate { with: moved(with) },
        Layer::Concat { with } => Layer::Concat { with: moved(with) },
        other => other.clone(),
    }
}

fn run(network: &Network, inputs: &[f32], rows: usize) -> Vec<f32> {
    let mut outputs = vec![f32::NAN; rows * index(network.specification().outputs())];
    network.run(&mut Arena::new(), inputs, &mut outputs).unwrap();
    outputs
}

fn unit(rows: usize) -> Vec<f32> {
    let mut unit = vec![0.0; rows * rows];
    (0..rows).for_each(|row| unit[row * rows + row] = 1.0);
    unit
}

pub(crate) fn index(count: u32) -> usize {
    usize::try_from(count).unwrap()
}
