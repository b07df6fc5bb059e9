//! What convinces somebody without the history, and everything that must not.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::network::{NETWORK, key, vertex_id};
use crate::consensus::{
    Certificate, Checkpoint, Committee, Error, Genesis, Mmr, Proof, leaf, verify_proof,
};
use crate::crypto::hash::Digest;
use crate::crypto::sign::{PublicKey, SigningKey};
use crate::dag::vote::{Decision, ItemId, Seats};
use crate::identity::{AuthorId, NetworkId};

/// The root of a list by its definition: perfect trees of the sizes of its number's bits.
fn naive_root(leaves: &[Vec<u8>]) -> [u8; 32] {
    fn tree(leaves: &[Vec<u8>]) -> [u8; 32] {
        if let [leaf] = leaves {
            return Digest::derive("synaptic-mesh 2026 mmr leaf v1", &[leaf]).0;
        }
        let (left, right) = leaves.split_at(leaves.len() / 2);
        let (left, right) = (tree(left), tree(right));
        Digest::derive("synaptic-mesh 2026 mmr node v1", &[&left, &right]).0
    }
    let (mut rest, mut peaks) = (leaves, Vec::new());
    while !rest.is_empty() {
        let size = 1 << rest.len().ilog2();
        peaks.extend(tree(&rest[..size]));
        rest = &rest[size..];
    }
    let count = u64::try_from(leaves.len()).unwrap().to_be_bytes();
    Digest::derive("synaptic-mesh 2026 mmr root v1", &[&count, &peaks]).0
}

#[test]
fn a_mountain_range_agrees_with_its_definition_and_proves_every_leaf() {
    let (mut mmr, mut leaves) = (Mmr::default(), Vec::new());
    assert_eq!(mmr.root(), naive_root(&[]));
    for number in 0_u64..70 {
        let leaf = number.to_be_bytes().to_vec();
        mmr.append(&leaf);
        leaves.push(leaf);
        assert_eq!(mmr.root(), naive_root(&leaves), "{} leaves", leaves.len());
        assert_eq!(mmr.prove(mmr.len()), None);
        for (index, leaf) in (0_u64..).zip(&leaves) {
            let path = mmr.prove(index).unwrap();
            assert_eq!(path.root(leaf), Some(mmr.root()), "leaf {index} of {}", leaves.len());
            assert_ne!(path.root(b"another"), Some(mmr.root()));
            // Under another place or number the same hashes prove nothing.
            let mut moved = path.clone();
            moved.index ^= 1;
            assert_ne!(moved.root(leaf), Some(mmr.root()));
            let mut longer = path.clone();
            longer.beside.push([0; 32]);
            assert_eq!(longer.root(leaf), None);
            let mut more = path;
            more.leaves += 1;
            assert_ne!(more.root(leaf), Some(mmr.root()));
        }
    }
}

#[test]
fn a_mountain_range_goes_on_from_its_peaks_and_proves_what_it_remembers() {
    let leaf = |number: u64| number.to_be_bytes().to_vec();
    let range = |count: u64| {
        let mut mmr = Mmr::default();
        (0..count).for_each(|number| mmr.append(&leaf(number)));
        mmr
    };
    for base in 0..40_u64 {
        let known = range(base);
        let mut handed = Mmr::of_peaks(base, &known.peaks()).unwrap();
        let mut forgetful = known.clone();
        forgetful.forget(base);
        assert_eq!(handed, forgetful);
        assert_eq!(Mmr::of_peaks(base, &[&known.peaks()[..], &[[1; 32]]].concat()), None);
        for count in base..base + 40 {
            let whole = range(count);
            assert_eq!((handed.len(), handed.root()), (count, whole.root()));
            for index in base..count {
                assert_eq!(handed.prove(index), whole.prove(index), "{index} after {base}");
            }
            // What was forgotten later is as if it had never been there.
            let mut late = whole.clone();
            late.forget(base);
            assert_eq!(late, handed);
            assert!((0..base.saturating_sub(1)).all(|index| late.prove(index).is_none()));
            handed.append(&leaf(count));
        }
    }
}

struct Member {
    key: SigningKey,
    author: AuthorId,
}

/// Members whose keys grow from these numbers.
fn members(numbers: std::ops::Range<u8>) -> Vec<Member> {
    let member = |number: u8| {
        let key = SigningKey::from_seeds(&[number; 64]);
        let author = AuthorId::of(key.public());
        Member { key, author }
    };
    numbers.map(member).collect()
}

fn committee(epoch: u64, members: &[Member]) -> Committee {
    Committee::new(epoch, members.iter().map(|member| (member.author, 1)).collect()).unwrap()
}

fn certify(checkpoint: &Checkpoint, committee: &Committee, members: &[Member]) -> Certificate {
    let keys: BTreeMap<AuthorId, &PublicKey> =
        members.iter().map(|member| (member.author, member.key.public())).collect();
    let signed = |member: &Member| (member.author, checkpoint.sign(&member.key, [0; 32]));
    let signatures = members.iter().map(signed).collect();
    Certificate::collect(checkpoint, committee, |author| keys.get(author).copied(), &signatures)
        .unwrap()
}

struct Sound {
    genesis: Genesis,
    proof: Proof,
    members: Vec<Member>,
}

/// Two epochs: four members, then members 2 to 5; the decision is in the second.
fn sound() -> Sound {
    let everybody = members(1..7);
    let (first, second) = (committee(0, &everybody[..4]), committee(1, &everybody[1..5]));
    let mut mmr = Mmr::default();
    let decisions: Vec<Decision> =
        (1..6).map(|number| Decision(key("k"), ItemId(vertex_id(number), 0))).collect();
    for decision in &decisions {
        mmr.append(&leaf(decision));
    }
    let ends = Checkpoint {
        network: NETWORK,
        epoch: 0,
        height: 1,
        prev: [0; 32],
        state_root: [1; 32],
        decided: 0,
        decided_root: Mmr::default().root(),
        frontier_root: [3; 32],
        next: Some(Seats { epoch: 1, members: second.members().to_vec() }),
        snapshot: [0; 32],
    };
    let last = Checkpoint {
        epoch: 1,
        height: 2,
        prev: ends.id(),
        decided: mmr.len(),
        decided_root: mmr.root(),
        next: None,
        ..ends.clone()
    };
    let proof = Proof {
        keys: everybody.iter().map(|m| ByteBuf::from(m.key.public().as_bytes())).collect(),
        epochs: vec![certify(&ends, &first, &everybody[..4])],
        last: certify(&last, &second, &everybody[1..5]),
        decision: decisions[2],
        path: mmr.prove(2).unwrap(),
    };
    let genesis = Genesis { network: NETWORK, committee: first, height_min: 0 };
    Sound { genesis, proof, members: everybody }
}

#[test]
fn a_decision_is_proven_through_a_change_of_committee() {
    let Sound { genesis, proof, .. } = sound();
    let bytes = proof.encode();
    eprintln!("{} bytes for two certificates of four members", bytes.len());
    assert_eq!(proof.last.signatures.len(), 3, "no more signatures than a quorum");
    assert_eq!(Proof::decode(&bytes), Ok(proof.clone()));
    let (decision, checkpoint) = verify_proof(&genesis, &bytes).unwrap();
    assert_eq!((decision, checkpoint.height), (proof.decision, 2));
}

#[test]
fn proofs_that_are_forged_stale_or_foreign_are_refused_with_the_reason() {
    let Sound { genesis, proof, members } = sound();
    let refuse = |genesis: &Genesis, proof: &Proof, code: &str, word: &str| {
        let error = verify_proof(genesis, &proof.encode()).expect_err(word);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    let foreign = Genesis { network: NetworkId::from_bytes([8; 32]), ..genesis.clone() };
    refuse(&foreign, &proof, "proof-invalid", "another network");
    let later = Genesis { height_min: 3, ..genesis.clone() };
    refuse(&later, &proof, "proof-invalid", "older");

    let other = Decision(key("k"), ItemId(vertex_id(9), 0));
    let lie = Proof { decision: other, ..proof.clone() };
    refuse(&genesis, &lie, "proof-invalid", "not in the checkpoint");
    let skipped = Proof { epochs: Vec::new(), ..proof.clone() };
    refuse(&genesis, &skipped, "proof-invalid", "another epoch");
    let keyless = Proof { keys: proof.keys[..2].to_vec(), ..proof.clone() };
    refuse(&genesis, &keyless, "proof-invalid", "key of a signer");

    let mut few = proof.clone();
    few.last.signatures.pop();
    refuse(&genesis, &few, "certificate-weight", "weight 2 of 3");
    let mut twice = proof.clone();
    let again = twice.last.signatures[0].clone();
    twice.last.signatures.insert(0, again);
    refuse(&genesis, &twice, "proof-invalid", "ascending");
    let mut altered = proof.clone();
    altered.last.checkpoint.state_root = [9; 32];
    refuse(&genesis, &altered, "certificate-signature", "signature");
    let mut back = proof.clone();
    back.last.checkpoint.height = 1;
    refuse(&genesis, &back, "proof-invalid", "heights");

    // A quorum of the next committee that signs for the first epoch speaks for nobody.
    let mut usurped = proof.clone();
    let second = committee(0, &members[1..5]);
    usurped.epochs[0] = certify(&proof.epochs[0].checkpoint, &second, &members[2..5]);
    let error = verify_proof(&genesis, &usurped.encode()).unwrap_err();
    assert!(matches!(error, Error::Proof { .. } | Error::Signature { .. }), "{error}");
    let mut cut = proof.encode();
    cut.pop();
    assert!(matches!(verify_proof(&genesis, &cut), Err(Error::Encoding(_))));
}

#[test]
fn a_signature_for_a_vertex_is_none_for_a_checkpoint() {
    let Sound { proof, members, .. } = sound();
    let checkpoint = &proof.last.checkpoint;
    let bytes = crate::dag::cbor::encode(checkpoint).unwrap();
    let vertex = members[1].key.sign(crate::crypto::sign::Context::Vertex, &bytes, [0; 32]);
    assert!(checkpoint.verify(members[1].key.public(), &vertex).is_err());
    let own = checkpoint.sign(&members[1].key, [0; 32]);
    assert_eq!(checkpoint.verify(members[1].key.public(), &own), Ok(()));
}
