//! What gives way when an application does not read its events, and what never does.

use std::task::{Context, Poll, Waker};

use synaptic_mesh::crypto::hash::Digest;
use synaptic_mesh::dag::{BlobId, RunSpec, VertexId};
use synaptic_mesh::effect::Job;
use synaptic_mesh::event::{Event, RoundView};
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::limits::EVENTS_MAX;
use synaptic_mesh::neural::{Activation, Layer, Loss, Scaling, Shape, Specification};
use synaptic_mesh::runtime::{Notice, Outbox};
use wasm_bindgen_test::wasm_bindgen_test;

fn hint(samples: u32) -> Notice {
    let (run, author) = (id(0), AuthorId::from_bytes([1; 32]));
    Notice::Event(Event::Update { run, round: 1, author, samples })
}

fn round(run: u8, round: u32) -> Notice {
    Notice::Event(Event::Round(RoundView {
        run: id(run),
        name: "run".to_owned(),
        round,
        rounds: 9_999,
        updates: 1,
        contributors: Vec::new(),
        left_out: Vec::new(),
        aggregate: id(9),
        weights: BlobId(Digest([0; 32])),
    }))
}

fn job(job: u64) -> Notice {
    let layers = vec![Layer::dense(1, Activation::Linear)];
    let spec = RunSpec {
        name: "run".to_owned(),
        model: Specification { inputs: Shape::Flat(1), layers, loss: Loss::Mse },
        seed: 0,
        classes: Vec::new(),
        scaling: Scaling { offset: vec![0.0], scale: vec![1.0] },
        rounds: 1,
        epochs: 1,
        batch: 1,
        learning_rate: 0.1,
        momentum: 0.0,
        quorum: 1,
        updates_min: 1,
        deadline_ms: 1_000,
        aggregation: None,
        server_momentum: None,
        compression: None,
        privacy: None,
        masking: None,
        worker_momentum: None,
        reference: None,
        commit_reveal: false,
    };
    let run = id(0);
    Notice::Train(Box::new(Job { job, run, round: 1, spec, base_weights: vec![], seed: 0 }))
}

fn id(byte: u8) -> VertexId {
    VertexId(Digest([byte; 32]))
}

/// Everything that waits, read without waiting.
fn drained(outbox: &Outbox) -> Vec<Notice> {
    let mut all = Vec::new();
    loop {
        let mut next = Box::pin(outbox.next());
        match next.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(notice))) => all.push(notice),
            _ => return all,
        }
    }
}

fn full(of: impl Fn(u32) -> Notice) -> Outbox {
    let outbox = Outbox::default();
    (0..u32::try_from(EVENTS_MAX).unwrap()).for_each(|index| outbox.push(of(index)));
    outbox
}

#[wasm_bindgen_test]
fn notices_come_in_their_order() {
    let outbox = Outbox::default();
    (0..3).for_each(|samples| outbox.push(hint(samples)));
    let samples = drained(&outbox).into_iter().map(|notice| match notice {
        Notice::Event(Event::Update { samples, .. }) => samples,
        other => panic!("{other:?}"),
    });
    assert_eq!(samples.collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(outbox.dropped(), 0);
}

#[wasm_bindgen_test]
fn hints_give_way_first_and_the_oldest_of_them() {
    let outbox = full(|index| if index == 0 { round(1, 1) } else { hint(index) });
    outbox.push(round(1, 2));
    let left = drained(&outbox);
    assert_eq!((left.len(), outbox.dropped()), (EVENTS_MAX, 1));
    assert!(matches!(&left[0], Notice::Event(Event::Round(view)) if view.round == 1));
    assert!(matches!(&left[1], Notice::Event(Event::Update { samples: 2, .. })));
}

#[wasm_bindgen_test]
fn an_older_round_gives_way_to_a_newer_one_of_its_run() {
    // Run 1 has one round, run 2 all others.
    let outbox = full(|index| if index == 0 { round(1, 1) } else { round(2, index) });
    outbox.push(round(2, 9_000));
    let left = drained(&outbox);
    assert_eq!((left.len(), outbox.dropped()), (EVENTS_MAX, 1));
    assert!(matches!(&left[0], Notice::Event(Event::Round(view)) if view.run == id(1)));
    assert!(matches!(&left[1], Notice::Event(Event::Round(view)) if view.round == 2));
    assert!(matches!(left.last(), Some(Notice::Event(Event::Round(v))) if v.round == 9_000));
}

#[wasm_bindgen_test]
fn training_jobs_and_the_end_never_give_way() {
    let outbox = full(|index| job(index.into()));
    outbox.push(hint(1));
    outbox.push(Notice::Event(Event::Stopped));
    let left = drained(&outbox);
    let jobs = left.iter().filter(|notice| matches!(notice, Notice::Train(_))).count();
    assert_eq!(jobs, EVENTS_MAX);
    assert!(matches!(left.last(), Some(Notice::Event(Event::Stopped))));
}

#[wasm_bindgen_test]
fn a_closed_outbox_gives_what_it_has_and_then_nothing() {
    let outbox = Outbox::default();
    outbox.push(hint(1));
    outbox.close();
    outbox.push(hint(2));
    assert_eq!(drained(&outbox).len(), 1);
}
