//! A step of training and a run take no memory once everything has its place.

#![expect(unsafe_code, reason = "a global allocator is unsafe by its nature")]
#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use synaptic_mesh::neural::specification::{Cell as RecurrentCell, Returns};
use synaptic_mesh::neural::specification::{Extent, Norm, Padding, Pooling, Position};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer,
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

fn data(rows: u32) -> Dataset {
    let values = (0..rows * 6).map(|place| f32::from(u8::try_from(place % 17).unwrap()) / 17.0);
    let labels = Labels::Classes((0..rows).map(|row| row % 4).collect());
    let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
    Dataset::from_parts(6, values.collect(), labels, classes).unwrap()
}

fn specification() -> Specification {
    let layer = Layer::dense;
    let layers = vec![
        layer(33, Activation::Relu),
        layer(20, Activation::Tanh),
        layer(9, Activation::Sigmoid),
        layer(7, Activation::Softmax),
        layer(4, Activation::Softmax),
    ];
    Specification { inputs: Shape::Flat(6), layers, loss: Loss::CrossEntropy }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8]))), 1);
}

#[test]
fn epochs_after_the_first_take_no_memory() {
    for optimiser in [Optimiser::Adam, Optimiser::Sgd { momentum: 0.9 }] {
        let data = data(203);
        let mut network = Network::new(&specification(), 1).unwrap();
        let mut arena = Arena::new();
        let options = Options { optimiser, ..Options::default() };
        let mut trainer = Trainer::new(&network, options).unwrap();
        trainer.epoch(&mut network, &mut arena, &data).unwrap();
        let taken = allocations(|| {
            for _ in 0..5 {
                trainer.epoch(&mut network, &mut arena, &data).unwrap();
            }
        });
        assert_eq!(taken, 0, "{optimiser:?}");
    }
}

#[test]
fn layers_along_a_sequence_take_no_memory() {
    let recurrent =
        |cell, bidirectional, returns| Layer::Recurrent { cell, units: 5, bidirectional, returns };
    let layers = vec![
        recurrent(RecurrentCell::Lstm, true, Returns::All),
        Layer::Attention { heads: 2, causal: true },
        recurrent(RecurrentCell::Gru, true, Returns::All),
        recurrent(RecurrentCell::Rnn, false, Returns::Last),
        Layer::dense(4, Activation::Softmax),
    ];
    let inputs = Shape::Sequence { steps: 3, features: 2 };
    let specification = Specification { inputs, layers, loss: Loss::CrossEntropy };
    let (data, mut arena) = (data(70), Arena::new());
    let mut network = Network::new(&specification, 1).unwrap();
    let mut trainer = Trainer::new(&network, Options::default()).unwrap();
    trainer.epoch(&mut network, &mut arena, &data).unwrap();
    network.evaluate(&mut arena, &data).unwrap();
    let taken = allocations(|| {
        for _ in 0..3 {
            trainer.epoch(&mut network, &mut arena, &data).unwrap();
            network.evaluate(&mut arena, &data).unwrap();
        }
    });
    assert_eq!(taken, 0);
}

/// Every kind of convolution, pool, norm and join, and dropout.
fn of_many_kinds() -> Specification {
    let conv = |filters, groups, padding| Layer::Conv {
        filters,
        kernel: Extent::Line(2),
        stride: Extent::Line(1),
        dilation: Extent::Line(1),
        padding,
        groups,
        activation: Activation::Relu,
    };
    let pool = |kind| Layer::Pool { kind, window: Extent::Line(2), stride: Extent::Line(1) };
    let layers = vec![
        Layer::Reshape { shape: Shape::Sequence { steps: 6, features: 1 } },
        conv(5, 1, Padding::Same),
        conv(10, 5, Padding::Same),
        conv(16, 2, Padding::Valid),
        Layer::Norm { kind: Norm::Batch },
        Layer::Activation { activation: Activation::Tanh }, // 6
        Layer::Norm { kind: Norm::Layer },
        Layer::Add { with: vec![6] },
        Layer::Gate { with: vec![7] },
        Layer::Position { kind: Position::Learned },
        Layer::Concat { with: vec![6] },
        pool(Pooling::Max),
        pool(Pooling::Average),
        Layer::Dropout { rate_per_mille: 200 },
        Layer::Flatten,
        Layer::dense(4, Activation::Softmax),
    ];
    Specification { inputs: Shape::Flat(6), layers, loss: Loss::CrossEntropy }
}

fn of_words() -> Specification {
    let layers = vec![
        Layer::Embedding { vocabulary: 1, units: 7 },
        Layer::Position { kind: Position::Sinusoidal },
        Layer::Flatten,
        Layer::dense(4, Activation::Softmax),
    ];
    Specification { inputs: Shape::Flat(6), layers, loss: Loss::CrossEntropy }
}

#[test]
fn no_layer_takes_memory() {
    let data = data(203);
    let zeros = vec![0.0; data.values().len()];
    let classes = data.classes().to_vec();
    let zeros = Dataset::from_parts(6, zeros, data.labels().clone(), classes).unwrap();
    for (specification, data) in [(of_many_kinds(), data), (of_words(), zeros)] {
        let mut network = Network::new(&specification, 1).unwrap();
        let mut arena = Arena::new();
        let mut trainer = Trainer::new(&network, Options::default()).unwrap();
        let mut outputs = vec![0.0; 203 * 4];
        let mut work = || {
            trainer.epoch(&mut network, &mut arena, &data).unwrap();
            network.run(&mut arena, data.values(), &mut outputs).unwrap();
        };
        work();
        assert_eq!(allocations(work), 0);
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
