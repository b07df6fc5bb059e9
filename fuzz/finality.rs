//! What is fuzzed of finality: engines that hear anything, proofs, and beginnings of networks.

use std::collections::BTreeMap;

use synaptic_mesh::consensus::{
    self, Certificate, Checkpoint, Committee, Item, Mmr, Output, Proof, Record, State,
};
use synaptic_mesh::crypto::sign::SigningKey;
use synaptic_mesh::dag::operation::{Label, Operation};
use synaptic_mesh::dag::vote::{Block, ConflictKey, Decision, ItemId, Locked, Vote, Votes};
use synaptic_mesh::dag::{NetworkId, VertexId, cbor};
use synaptic_mesh::genesis::{Engine, Genesis};
use synaptic_mesh::identity::AuthorId;
use synaptic_mesh::ledger;
use synaptic_mesh::rng::Rng;
use synaptic_mesh::sampling::{self, Answer, Ballot, Members, PollId, Question};
use synaptic_mesh::units::MicroCredits;

use super::{NETWORK, NOW, fixture, framed};

/// Bounds of one payload of votes, as in a vertex.
const VOTES_BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: 1 << 16, items_max: 16_384, depth_max: 12 };

/// Payloads of votes, each behind its author and its length in two bytes, given to an engine that
/// votes itself; whatever comes, it never decides a key twice on one member's word.
pub(crate) fn consensus_state(data: &[u8]) {
    let member = |place: u8| AuthorId::from_bytes([place; 32]);
    let members = (0..4).map(|place| (member(place), 1)).collect();
    let committee = Committee::new(0, members).expect("four members");
    let config = consensus::Config::default();
    let balances = (1..4).map(|place| (member(place), MicroCredits(100))).collect();
    let ledger = ledger::State::new(&ledger::Genesis { balances }).expect("a small genesis");
    let mut state = State::new(config, NETWORK, Some(committee), member(0), ledger);
    let (mut rest, mut now, mut decided) = (data, NOW, BTreeMap::new());
    while let Some(([author, high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, next) = after.split_at(length);
        rest = next;
        now = now.plus_ms(u64::from(*author));
        let id = VertexId::of(bytes);
        let by = member(1 + author % 3);
        let operation = cbor::decode::<Operation>(bytes, &VOTES_BOUNDS).ok();
        let plain = || vec![ConflictKey::derive("fuzz", &[&[author % 2]])];
        let keys =
            operation.as_ref().map_or_else(plain, |operation| operation.keys(&by, &ItemId(id, 0)));
        let items = vec![Item { id: ItemId(id, 0), author: by, keys, seats: None, operation }];
        let votes = cbor::decode(bytes, &VOTES_BOUNDS).into_iter().collect();
        let record = Record { id, author: by, seq: 0, lamport: 1, items, votes };
        let mut out = Vec::new();
        state.handle(now, consensus::Input::Record(record), &mut out);
        for output in out {
            if let Output::Decided(Decision(key, item)) = output {
                assert_eq!(decided.insert(key, item), None, "decided twice");
            }
        }
    }
    assert_eq!(state.decisions().len(), decided.len());
    assert_eq!(state.ledger().total(), 300, "credits are conserved");
}

/// A proof for somebody without the history.
pub(crate) fn proof_verify(data: &[u8]) {
    let fixture = fixture();
    if let Ok(proof) = Proof::decode(data) {
        assert_eq!(proof.encode(), data);
    }
    if let Ok((decision, checkpoint)) = consensus::verify_proof(&fixture.genesis, data) {
        let (sound, last) = (&fixture.proof.decision, &fixture.proof.last.checkpoint);
        assert_eq!((&decision, &checkpoint), (sound, last), "proven, and never signed");
    }
}

/// The beginning of a network, as it stands in join links: what is read is written as the same
/// bytes, and is one that can be made.
pub(crate) fn genesis(data: &[u8]) {
    let Ok(genesis) = Genesis::decode(data) else { return };
    assert_eq!(genesis.encode(), data);
    assert_eq!(genesis.network(), NetworkId::of_genesis(data));
    let Genesis { engine, committee, balances, nonce, .. } = genesis.clone();
    assert_eq!(Genesis::with_engine(engine, committee, balances, nonce), Ok(genesis));
}

/// Messages of polls, each behind its length in two bytes, given to an engine that asks; nobody
/// forges an answer, so nothing is ever counted for anybody, and nothing is decided.
pub(crate) fn sampling_state(data: &[u8]) {
    let member = |place: u8| AuthorId::from_bytes([place; 32]);
    let members = Members::new((0..4).map(|place| (member(place), 1)).collect());
    let config = sampling::Config::default();
    let (members, rng) = (members.expect("four members"), Rng::from_u64(1));
    let engine = sampling::State::new(config, NETWORK, members, member(9), rng);
    let mut state = engine.expect("sound parameters");
    let (mut rest, mut now, mut out) = (data, NOW, Vec::new());
    while let Some(([high, low], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (bytes, next) = after.split_at(length);
        rest = next;
        now = now.plus_ms(u64::from(*low));
        if let Ok(question) = Question::decode(bytes) {
            assert_eq!(question.encode(), bytes);
            state.handle(now, sampling::Input::Question(member(1), question), &mut out);
            let item = ItemId(VertexId::of(bytes), 0);
            state.handle(now, sampling::Input::Item(question.key, item), &mut out);
        }
        if let Ok(answer) = Answer::decode(bytes) {
            assert_eq!(answer.encode(), bytes);
            state.handle(now, sampling::Input::Answer(member(low % 5), answer), &mut out);
        }
    }
    state.handle(now.plus_ms(1_000), sampling::Input::Tick, &mut out);
    assert!(!out.iter().any(|output| matches!(output, sampling::Output::Decided(_))));
}

/// Small committees and large ones, and a network that samples.
pub(super) fn beginnings() -> Vec<Vec<u8>> {
    let author = |number: u8| (AuthorId::from_bytes([number; 32]), 1);
    let engine = Engine::QrAvalanche;
    let sampled = Genesis::with_engine(engine, (0..4).map(author).collect(), vec![], [7; 32]);
    [small_genesis(4), small_genesis(31), sampled.expect("a sound beginning").encode()].into()
}

fn small_genesis(members: u8) -> Vec<u8> {
    let author = |number: u8| AuthorId::from_bytes([number; 32]);
    let committee = (0..members).map(|number| (author(number), 1 + u32::from(number))).collect();
    let balances = vec![(author(1), MicroCredits(5)), (author(2), MicroCredits(1 << 40))];
    Genesis::new(committee, balances, [7; 32]).expect("a sound beginning").encode()
}

/// Votes of every kind by three members, which decide both keys.
pub(super) fn votes() -> Vec<u8> {
    let mut all = Vec::new();
    let item = ItemId(VertexId::of(&[]), 0);
    for author in 0..6 {
        let key = ConflictKey::derive("fuzz", &[&[author % 2]]);
        let decision = Decision(key, item);
        let proposer = AuthorId::from_bytes([1; 32]);
        let block =
            Block { slot: 0, view: 1, proposer, items: vec![item], cut: None, closers: vec![] };
        let id = block.id();
        let votes = vec![
            Vote::Lock(decision),
            Vote::Commit(decision),
            Vote::Contested(key, Some(item)),
            Vote::Enter(0, 1, None),
            Vote::Enter(0, 2, Some(Locked(1, id))),
            Vote::Propose(1, block),
            Vote::LockBlock(0, 1, id),
            Vote::CommitBlock(0, 1, id),
            Vote::Close(vec![decision]),
        ];
        let votes = cbor::encode(&Votes { epoch: 0, votes }).expect("votes encode");
        all.extend([[author].to_vec(), framed(Vec::new()), [author].to_vec(), framed(votes)]);
    }
    all.concat()
}

/// Operations of three wallets, and votes of three members that decide the first.
pub(super) fn payments() -> Vec<u8> {
    let mut all = Vec::new();
    for author in 0..3_u8 {
        let by = AuthorId::from_bytes([1 + author; 32]);
        let (to, memo) = (AuthorId::from_bytes([1 + (author + 1) % 3; 32]), String::new());
        let amount = MicroCredits(60 + 30 * u64::from(author));
        let pay = Operation::Transfer { sequence: 0, to, amount, memo };
        let renew =
            Operation::NameRenew { label: Label::new("mesh").expect("a label"), version: 1 };
        let bytes = cbor::encode(&pay).expect("an operation encodes");
        let paid = ItemId(VertexId::of(&bytes), 0);
        let renew = cbor::encode(&renew).expect("an operation encodes");
        all.extend([vec![author], framed(bytes), vec![author], framed(renew)]);
        for member in 0..3 {
            let decisions = pay.keys(&by, &paid).into_iter().map(|key| Decision(key, paid));
            let votes = decisions.flat_map(|d| [Vote::Lock(d), Vote::Commit(d)]).collect();
            let votes = cbor::encode(&Votes { epoch: 0, votes }).expect("votes encode");
            all.extend([vec![member], framed(votes)]);
        }
    }
    all.concat()
}

/// A question, and answers to it with and without a preference.
pub(super) fn poll_messages() -> Vec<u8> {
    let (poll, key) = (PollId::from_bytes([3; 16]), ConflictKey::derive("fuzz", &[]));
    let (asker, signer) = (AuthorId::from_bytes([9; 32]), SigningKey::from_seeds(&[1; 64]));
    let answer = |preference| {
        let ballot = Ballot { poll, key, preference };
        framed(ballot.sign(&NETWORK, &asker, &signer, [0; 32]).encode())
    };
    let item = ItemId(VertexId::of(&[]), 0);
    [framed(Question { poll, key }.encode()), answer(Some(item)), answer(None)].concat()
}

/// A proof by a committee of four.
pub(super) fn sound_proof() -> (consensus::Genesis, Proof) {
    let keys: Vec<SigningKey> = (1..5).map(|seed| SigningKey::from_seeds(&[seed; 64])).collect();
    let author = |key: &SigningKey| AuthorId::of(key.public());
    let members = keys.iter().map(|key| (author(key), 1)).collect();
    let committee = Committee::new(0, members).expect("four members");
    let decision = Decision(ConflictKey::derive("fuzz", &[]), ItemId(VertexId::of(&[]), 0));
    let mut mmr = Mmr::default();
    mmr.append(&cbor::encode(&decision).expect("a decision encodes"));
    let checkpoint = Checkpoint {
        network: NETWORK,
        epoch: 0,
        height: 1,
        prev: [0; 32],
        state_root: [0; 32],
        decided: mmr.len(),
        decided_root: mmr.root(),
        frontier_root: [0; 32],
        next: None,
        snapshot: [0; 32],
    };
    let signatures = keys.iter().map(|key| (author(key), checkpoint.sign(key, [0; 32]))).collect();
    let find = |id: &AuthorId| keys.iter().map(SigningKey::public).find(|k| AuthorId::of(k) == *id);
    let last = Certificate::collect(&checkpoint, &committee, find, &signatures).expect("a quorum");
    let public = keys.iter().map(|key| key.public().as_bytes().to_vec().into()).collect();
    let path = mmr.prove(0).expect("a leaf");
    let proof = Proof { keys: public, epochs: Vec::new(), last, decision, path };
    (consensus::Genesis { network: NETWORK, committee, height_min: 0 }, proof)
}
