//! What finality costs one member, microseconds per vertex and payments per second, without
//! signatures and network; and what checking a proof of it costs, with them.
//!
//! `cargo bench --bench finality`. In `cargo test` it runs once with fewer payments, so that it
//! keeps working. `cargo bench --bench finality -- proof FOLDER` writes the proof and its genesis
//! instead, for `npm run bench` to check in wasm; two more words say of how many members and
//! epochs.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use synaptic_mesh::clock::Now;
use synaptic_mesh::consensus::{
    Certificate, Checkpoint, Committee, Config, Input, Item, Mmr, Output, Proof, Record, State,
    verify_proof,
};
use synaptic_mesh::crypto::sign::{PublicKey, SigningKey};
use synaptic_mesh::dag::VertexId;
use synaptic_mesh::dag::cbor;
use synaptic_mesh::dag::operation::{Operation, account_key};
use synaptic_mesh::dag::vote::{Decision, ItemId, Seats, Vote, Votes};
use synaptic_mesh::genesis::Genesis;
use synaptic_mesh::identity::{AuthorId, NetworkId};
use synaptic_mesh::ledger;
use synaptic_mesh::limits;
use synaptic_mesh::units::MicroCredits;

/// Members and epochs of the proof (count).
const PROOF_MEMBERS: u8 = 7;
const PROOF_EPOCHS: u8 = 10;

fn main() {
    let mut words = std::env::args().skip_while(|word| word != "proof").skip(1);
    if let Some(folder) = words.next() {
        let mut number = |otherwise: u8| {
            words.next().map_or(otherwise, |word| word.parse().expect("a number below 256"))
        };
        let (genesis, proof) = proven(number(PROOF_MEMBERS), number(PROOF_EPOCHS));
        for (name, bytes) in [("genesis", genesis.encode()), ("proof", proof)] {
            std::fs::write(Path::new(&folder).join(name), bytes).expect("a folder to write to");
        }
        return;
    }
    let full = std::env::args().any(|argument| argument == "--bench");
    check_proof(if full { 20 } else { 1 });
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

/// A decision behind certificates of so many epochs, each with the same committee.
fn proven(members: u8, epochs: u8) -> (Genesis, Vec<u8>) {
    let keys: Vec<SigningKey> =
        (1..=members).map(|number| SigningKey::from_seeds(&[number; 64])).collect();
    let members: BTreeMap<AuthorId, &PublicKey> =
        keys.iter().map(|key| (AuthorId::of(key.public()), key.public())).collect();
    let seats: Vec<_> = members.keys().map(|author| (*author, 1)).collect();
    let genesis = Genesis::new(seats.clone(), Vec::new(), [1; 32]).expect("a committee");
    let decision = Decision(account_key(&author(1), 0), ItemId(VertexId::of(b"item"), 0));
    let mut mmr = Mmr::default();
    for number in 0..1_000_u64 {
        mmr.append(&number.to_be_bytes());
    }
    let place = mmr.len();
    mmr.append(&cbor::encode(&decision).expect("it always encodes"));
    let mut prev = [0; 32];
    let mut certify = |epoch: u64, last: bool| {
        let checkpoint = Checkpoint {
            network: genesis.network(),
            epoch,
            height: epoch + 1,
            prev,
            state_root: [1; 32],
            decided: mmr.len(),
            decided_root: mmr.root(),
            frontier_root: [2; 32],
            next: (!last).then(|| Seats { epoch: epoch + 1, members: seats.clone() }),
            snapshot: [0; 32],
        };
        prev = checkpoint.id();
        let sign = |key: &SigningKey| (AuthorId::of(key.public()), checkpoint.sign(key, [0; 32]));
        let signatures = keys.iter().map(sign).collect();
        let committee = Committee::new(epoch, seats.clone()).expect("a committee");
        let key = |author: &AuthorId| members.get(author).copied();
        Certificate::collect(&checkpoint, &committee, key, &signatures).expect("all have signed")
    };
    let ended = (0..u64::from(epochs) - 1).map(|epoch| certify(epoch, false)).collect();
    let last = certify(u64::from(epochs) - 1, true);
    let keys = keys.iter().map(|key| key.public().as_bytes().to_vec().into()).collect();
    let path = mmr.prove(place).expect("it is there");
    (genesis, Proof { keys, epochs: ended, last, decision, path }.encode())
}

/// Prints how long a proof takes to check.
fn check_proof(rounds: u32) {
    let (genesis, proof) = proven(PROOF_MEMBERS, PROOF_EPOCHS);
    let trust = genesis.trust(0).expect("a committee");
    let start = Instant::now();
    for _ in 0..rounds {
        verify_proof(&trust, &proof).expect("a sound proof");
    }
    let ms = 1_000.0 * start.elapsed().as_secs_f64() / f64::from(rounds);
    println!(
        "a proof of {PROOF_EPOCHS} epochs, {PROOF_MEMBERS} members: {} bytes, {ms:.1} ms",
        proof.len(),
    );
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
    Record { id, author: author(ACCOUNTS), seq: 0, lamport: 1, items, votes: Vec::new() }
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
            Record { id, author: author(1), seq: 0, lamport: 1, items: Vec::new(), votes }
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
                    let (author, items) = (author(place), Vec::new());
                    round.push(Record { id, author, seq: 0, lamport: 1, items, votes });
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
