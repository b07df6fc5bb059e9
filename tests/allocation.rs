//! A step of training and a run take no memory once everything has its place.

#![expect(unsafe_code, reason = "a global allocator is unsafe by its nature")]
#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use synaptic_mesh::neural::specification::{
    Cell as RecurrentCell, Extent, Kind, Norm, Padding, Pooling, Position, Record, Returns,
};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Decay, Labels, Layer, Loss, Network, Optimiser, Options, Schedule,
    Shape, Specification, Trainer,
};

/// The system's allocator, counting per thread: the test harness has threads of its own.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged; counting itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

/// How often `work` took memory.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Rows of six numbers of three, so that they may be words.
fn data(rows: u32) -> Dataset {
    let values = (0..rows * 6).map(|place| f32::from(u8::try_from(place * place % 3).unwrap()));
    let labels = Labels::Classes((0..rows).map(|row| row % 4).collect());
    let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
    Dataset::from_parts(6, values.collect(), labels, classes).unwrap()
}

fn network_of(mut layers: Vec<Layer>) -> Specification {
    layers.extend([Layer::Flatten, Layer::dense(4, Activation::Softmax)]);
    Specification { inputs: Shape::Flat(6), layers, loss: Loss::CrossEntropy }
}

fn specification() -> Specification {
    network_of(Activation::ALL.map(|activation| Layer::dense(9, activation)).to_vec())
}

fn conv(
    extent: fn(u32) -> Extent,
    size: u32,
    (filters, groups): (u32, u32),
    padding: Padding,
    activation: Activation,
) -> Layer {
    let (kernel, stride, dilation) = (extent(size), extent(1), extent(1));
    Layer::Conv { filters, kernel, stride, dilation, padding, groups, activation }
}

fn square(size: u32) -> Extent {
    Extent::Plane(size, size)
}

/// Convolutions and pools with windows of a kind; there are four channels.
fn windows(extent: fn(u32) -> Extent) -> Vec<Layer> {
    let conv = |filters, groups, padding, activation| {
        conv(extent, 2, (filters, groups), padding, activation)
    };
    let pool = |kind| Layer::Pool { kind, window: extent(2), stride: extent(1) };
    vec![
        conv(5, 1, Padding::Same, Activation::Relu),
        conv(16, 2, Padding::Valid, Activation::Gelu),
        conv(4, 4, Padding::Same, Activation::Softmax),
        pool(Pooling::Max),
        pool(Pooling::Average),
    ]
}

/// Layers that take steps of four numbers.
fn along_a_sequence() -> Vec<Layer> {
    let mut layers = windows(Extent::Line);
    layers.extend([Position::Sinusoidal, Position::Learned].map(|kind| Layer::Position { kind }));
    layers.extend(Activation::ALL.map(|activation| Layer::dense(7, activation)));
    layers.extend([false, true].map(|causal| Layer::Attention { heads: 2, causal }));
    for cell in [RecurrentCell::Rnn, RecurrentCell::Lstm, RecurrentCell::Gru] {
        for (bidirectional, returns) in [(false, Returns::Last), (true, Returns::All)] {
            layers.push(Layer::Recurrent { cell, units: 5, bidirectional, returns });
        }
    }
    layers
}

/// Layers that take anything; value 2 is that of the layer before.
fn anywhere() -> Vec<Layer> {
    let mut layers = vec![
        Layer::Norm { kind: Norm::Batch },
        Layer::Norm { kind: Norm::Layer },
        Layer::Dropout { rate_per_mille: 200 },
        Layer::Add { with: vec![2] },
        Layer::Gate { with: vec![2] },
        Layer::Concat { with: vec![2, 2] },
    ];
    layers.extend(Activation::ALL.map(|activation| Layer::Activation { activation }));
    layers
}

/// A network around each layer there is.
fn of_every_layer() -> Vec<Specification> {
    let after = |shape: Shape, layer| {
        // Four channels, and a gradient that is wanted.
        let before = match shape {
            Shape::Image { .. } => conv(square, 1, (4, 1), Padding::Same, Activation::Relu),
            _ => Layer::dense(4, Activation::Linear),
        };
        network_of(vec![Layer::Reshape { shape }, before, layer])
    };
    let sequence = Shape::Sequence { steps: 3, features: 2 };
    let image = Shape::Image { height: 3, width: 2, channels: 1 };
    let mut networks = vec![network_of(vec![Layer::Embedding { vocabulary: 3, units: 7 }])];
    let lines = along_a_sequence().into_iter().chain(anywhere());
    networks.extend(lines.map(|layer| after(sequence, layer)));
    let plane = windows(square).into_iter().chain(anywhere());
    networks.extend(plane.map(|layer| after(image, layer)));
    networks
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8]))), 1);
}

#[test]
fn no_layer_and_no_optimiser_takes_memory() {
    let (data, mut outputs) = (data(70), vec![0.0; 70 * 4]);
    let mut kinds = Vec::new();
    for specification in of_every_layer() {
        kinds.extend(specification.layers.iter().map(|layer| Record::from(layer.clone()).kind));
        for optimiser in [
            Optimiser::Sgd { momentum: 0.0 },
            Optimiser::Sgd { momentum: 0.9 },
            Optimiser::Nesterov { momentum: 0.9 },
            Optimiser::RmsProp,
            Optimiser::Adam,
        ] {
            let decay = Decay::Cosine { epochs: 3, least: 0.1 };
            let schedule = Schedule { warm_up_steps: 2, decay };
            let (weight_decay, clip_norm) = (0.1, 1.0);
            let defaults = Options::default();
            let options = Options { optimiser, schedule, weight_decay, clip_norm, ..defaults };
            let (mut network, mut arena) = (Network::new(&specification, 1).unwrap(), Arena::new());
            let mut trainer = Trainer::new(&network, options).unwrap();
            let mut work = || {
                trainer.epoch(&mut network, &mut arena, &data).unwrap();
                network.evaluate(&mut arena, &data).unwrap();
                network.run(&mut arena, data.values(), &mut outputs).unwrap();
                network.run(&mut arena, data.row(1), &mut outputs[..4]).unwrap();
            };
            work();
            assert_eq!(allocations(&mut work), 0, "{optimiser:?} {specification:?}");
        }
    }
    for (name, kind) in Kind::NAMES {
        assert!(kinds.contains(&kind), "no {name}");
    }
}

#[test]
fn running_takes_no_memory_and_the_arena_is_shared() {
    let data = data(130);
    let (one, other) =
        (Network::new(&specification(), 1).unwrap(), Network::new(&specification(), 2).unwrap());
    let mut outputs = vec![0.0; 130 * 4];
    let mut arena = Arena::new();
    one.run(&mut arena, data.values(), &mut outputs).unwrap();
    let size_bytes = arena.size_bytes();
    let taken = allocations(|| {
        one.run(&mut arena, data.values(), &mut outputs).unwrap();
        other.run(&mut arena, data.row(3), &mut outputs[..4]).unwrap();
        other.evaluate(&mut arena, &data).unwrap();
    });
    assert_eq!(taken, 0);
    assert_eq!(arena.size_bytes(), size_bytes);
}
