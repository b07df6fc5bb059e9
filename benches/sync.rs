//! What it takes to find out how two histories differ: round trips, bytes, milliseconds.
//!
//! `cargo bench --bench sync`. In `cargo test` it runs once with smaller histories, so that it
//! keeps working; the bounds at its end are checked in either case.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Instant;

use synaptic_mesh::crypto::hash::Digest;
use synaptic_mesh::dag::{Key, Timeline, VertexId};
use synaptic_mesh::limits;
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sync::negentropy::{answer, initiate, reconcile};

/// Vertices of equal Lamport time (count): authors that write at once.
const ABREAST: u64 = 4;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let count = if full { 100_000 } else { 10_000 };
    let seed = 1;
    let (history, built_ms) = timed(|| history(count, seed));
    println!("{count} vertices, seed {seed}, frames of {} bytes", limits::RANGES_BYTES_MAX);
    println!("timeline built in {built_ms:.1} ms");
    println!("{:<34} {:>6} {:>9} {:>8} {:>8}", "one side lacks", "rounds", "bytes", "ms", "found");
    let recent = measure("the last 100", &history, |place| place >= count - 100);
    let rows: [(&str, usize); 2] = [("the last 1", 1), ("the last 1,000", 1_000)];
    for (what, lacks) in rows {
        measure(what, &history, |place| place >= count - lacks);
    }
    measure("nothing", &history, |_| false);
    measure("100 scattered", &history, |place| place % (count / 100) == 7);
    measure("1,000 scattered", &history, |place| place % (count / 1_000) == 7);
    measure("everything", &history, |_| true);
    assert!(recent.rounds <= 3, "{} round trips", recent.rounds);
    assert!(recent.bytes <= 10_000, "{} bytes", recent.bytes);
}

struct Figures {
    rounds: usize,
    bytes: usize,
}

/// Keys of a history: a few vertices abreast, each generation one Lamport time later.
fn history(count: usize, seed: u64) -> Timeline {
    let mut rng = Rng::from_u64(seed);
    let mut timeline = Timeline::new();
    for number in 0..u64::try_from(count).expect("a count") {
        let mut id = [0; 32];
        rng.fill(&mut id);
        timeline.insert(Key { lamport: number / ABREAST, id: VertexId(Digest(id)) });
    }
    timeline
}

/// Reconciles with one that lacks the vertices at these places, and prints a row.
fn measure(what: &str, whole: &Timeline, lacks: impl Fn(usize) -> bool) -> Figures {
    let mut part = Timeline::new();
    let mut missing = 0;
    for (place, key) in whole.iter().enumerate() {
        if lacks(place) {
            missing += 1;
        } else {
            part.insert(key);
        }
    }
    let frame = Some(limits::RANGES_BYTES_MAX);
    let ((figures, found), ms) = timed(|| {
        let mut figures = Figures { rounds: 0, bytes: 0 };
        let mut found = std::collections::BTreeSet::new();
        let mut next = Some(initiate(&part));
        while let Some(question) = next {
            let (reply, _) = answer(whole, &question, frame).expect("a sound question");
            let result = reconcile(&part, &reply, frame).expect("a sound answer");
            figures.rounds += 1;
            figures.bytes += question.len() + reply.len();
            found.extend(result.need.into_iter().map(|need| need.id));
            next = result.next;
        }
        (figures, found.len())
    });
    assert_eq!(found, missing, "everything that is missing was found");
    let Figures { rounds, bytes } = figures;
    println!("{what:<34} {rounds:>6} {bytes:>9} {ms:>8.1} {found:>8}");
    figures
}

#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed().as_secs_f64() * 1_000.0)
}
