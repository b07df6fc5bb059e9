//! What finality costs one member: microseconds per vertex and payments per second, without
//! signatures and network.
//!
//! `cargo bench --bench finality`. In `cargo test` it runs once with fewer payments, so that it
//! keeps working.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use synaptic_mesh::clock::Now;
use synaptic_mesh::consensus::{Committee, Config, Input, Item, Output, Record, State};
use synaptic_mesh::dag::VertexId;
use synaptic_mesh::dag::operation::{Operation, account_key};
use synaptic_mesh::dag::vote::{Decision, ItemId, Vote, Votes};
use synaptic_mesh::identity::{AuthorId, NetworkId};
use synaptic_mesh::ledger;
use synaptic_mesh::limits;
use synaptic_mesh::units::MicroCredits;

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    println!("one vote more, while so many payments wait for others (4 members)");
    println!("{:>8} {:>12}", "waiting", "us / vertex");
    for waiting in if full { [10, 1_000, 10_000] } else { [10, 100, 1_000] } {
        println!("{waiting:>8} {:>12.1}", one_vote_us(waiting));
    }
    println!("payments of 1,000 accounts, 128 to a vertex, until certified");
    println!("{:>8} {:>8} {:>14} {:>12}", "members", "paid", "payments / s", "us / vertex");
    for (members, payments) in [(4, 20_000), (16, 5_000), (31, 2_000)] {
        let payments = if full { payments } else { 256 };
        let (ms, vertices) = decided(members, payments);
        let each = f64::from(u32::try_from(payments).expect("a count"));
        let us = 1_000.0 * ms / vertices;
        println!("{members:>8} {payments:>8} {:>14.0} {us:>12.1}", 1_000.0 * each / ms);
    }
}

fn author(number: usize) -> AuthorId {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    AuthorId::from_bytes(bytes)
}

/// Members come first, then accounts.
const ACCOUNTS: usize = 1 << 16;

fn engine(members: usize, me: usize, accounts: usize) -> State {
    let seats = (0..members).map(|place| (author(place), 1)).collect();
    let committee = Committee::new(0, seats).expect("a committee");
    let balances =
        (0..accounts).map(|number| (author(ACCOUNTS + number), MicroCredits(1 << 32))).collect();
    let ledger = ledger::State::new(&ledger::Genesis { balances }).expect("few credits");
    let network = NetworkId::from_bytes([7; 32]);
    State::new(Config::default(), network, Some(committee), author(me), ledger)
}

/// Payments, of each account one after the other.
fn payments(vertex: usize, from: std::ops::Range<usize>, accounts: usize) -> Record {
    let id = VertexId::of(&vertex.to_be_bytes());
    let item = |(index, number): (u32, usize)| {
        let by = author(ACCOUNTS + number % accounts);
        let sequence = u64::try_from(number / accounts).expect("a count");
        let to = author(ACCOUNTS + (number + 1) % accounts);
        let operation =
            Operation::Transfer { sequence, to, amount: MicroCredits(1), memo: String::new() };
        let keys = vec![account_key(&by, sequence)];
        Item { id: ItemId(id, index), author: by, keys, seats: None, operation: Some(operation) }
    };
    let items = (0..).zip(from).map(item).collect();
    Record { id, author: author(ACCOUNTS), items, votes: Vec::new() }
}

/// Microseconds that one member takes for a vote of another.
fn one_vote_us(waiting: usize) -> f64 {
    let mut state = engine(4, 0, waiting);
    let (now, mut out) = (Now { mono_ms: 1, unix_ms: 0 }, Vec::new());
    let item = payments(0, 0..waiting, waiting);
    let decisions: Vec<Decision> = item
        .items
        .iter()
        .flat_map(|item| item.keys.iter().map(|key| Decision(*key, item.id)))
        .collect();
    state.handle(now, Input::Record(item), &mut out);
    let records: Vec<Record> = decisions
        .iter()
        .cycle()
        .zip(0_usize..1_000)
        .map(|(decision, number)| {
            let id = VertexId::of(&[&b"vote"[..], &number.to_be_bytes()].concat());
            let votes = vec![Votes { epoch: 0, votes: vec![Vote::Lock(*decision)] }];
            Record { id, author: author(1), items: Vec::new(), votes }
        })
        .collect();
    let start = Instant::now();
    for record in records {
        state.handle(now, Input::Record(record), &mut out);
    }
    start.elapsed().as_secs_f64() * 1_000_000.0 / 1_000.0
}

/// Milliseconds that one member of a committee in step takes until everything is paid and in
/// checkpoints, and the vertices it was told.
fn decided(members: usize, count: usize) -> (f64, f64) {
    const ACCOUNTS_PAYING: usize = 1_000;
    let mut engines: Vec<State> =
        (0..members).map(|place| engine(members, place, ACCOUNTS_PAYING)).collect();
    let (mut names, mut now_ms, mut told) = (0, 1, 0.0);
    let mut written = 0;
    let start = Instant::now();
    while engines.iter().any(|engine| engine.mmr().len() < u64::try_from(count).expect("a count")) {
        now_ms += 20;
        let now = Now { mono_ms: now_ms, unix_ms: 0 };
        let mut round = Vec::new();
        if written < count {
            let to = count.min(written + 128);
            names += 1;
            round.push(payments(names, written..to, ACCOUNTS_PAYING));
            written = to;
        }
        let mut inputs = vec![Input::Tick];
        while !inputs.is_empty() || !round.is_empty() {
            inputs.extend(round.drain(..).map(Input::Record));
            for (place, engine) in engines.iter_mut().enumerate() {
                let mut out = Vec::new();
                for input in &inputs {
                    told += 1.0;
                    engine.handle(now, input.clone(), &mut out);
                }
                for some in votes(out).chunks(limits::VOTES_MAX) {
                    names += 1;
                    let id = VertexId::of(&names.to_be_bytes());
                    let votes = vec![Votes { epoch: 0, votes: some.to_vec() }];
                    round.push(Record { id, author: author(place), items: Vec::new(), votes });
                }
            }
            inputs.clear();
        }
    }
    let each = f64::from(u32::try_from(members).expect("a committee"));
    (start.elapsed().as_secs_f64() * 1_000.0 / each, told / each)
}

fn votes(out: Vec<Output>) -> Vec<Vote> {
    let votes = out.into_iter().filter_map(|output| match output {
        Output::Vote { vote, .. } => Some(vote),
        _ => None,
    });
    votes.collect()
}
