//! Logs and manifests, and what is refused of them.

use super::*;
use crate::consensus::{Certificate, Committee, Sealed};
use crate::crypto::sign::SigningKey;
use crate::identity::{AuthorId, NetworkId};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

/// Checkpoints on top of one another that decide nothing.
fn entries(count: u64) -> Vec<Entry> {
    let mut prev = [0; 32];
    let entry = |height| {
        let checkpoint = Checkpoint {
            network: NETWORK,
            epoch: 0,
            height,
            prev,
            state_root: [1; 32],
            decided: 0,
            decided_root: [2; 32],
            frontier_root: [3; 32],
            next: None,
            snapshot: [0; 32],
        };
        prev = checkpoint.id();
        let layer = Layer { tips: Vec::new(), lasting: Vec::new() };
        Entry { checkpoint, decisions: Vec::new(), items: Vec::new(), layer }
    };
    (1..=count).map(entry).collect()
}

fn onward() -> Onward {
    let (settled, items) = (Vec::new(), Vec::new());
    Onward { slot: 9, first_leader: 1, closing: None, settled, items }
}

fn logged(entries: &[Entry]) -> (Log, Vec<Vec<u8>>) {
    let mut log = Log::default();
    let chunks = entries.iter().filter_map(|entry| log.push(entry)).map(|(id, bytes)| {
        assert_eq!(BlobId::of(&bytes), id);
        bytes
    });
    let chunks = chunks.collect();
    (log, chunks)
}

#[test]
fn chunks_and_tail_are_all_entries_in_their_order() {
    let entries = entries(200);
    let (log, chunks) = logged(&entries);
    let manifest = log.manifest(onward());
    assert!(chunks.len() > 2 && chunks.len() == manifest.chunks.len());
    let size = |chunk: &Vec<u8>| chunk.len();
    assert!(chunks.iter().map(size).all(|bytes| bytes >= limits::SNAPSHOT_CHUNK_BYTES));
    let mut again = Vec::new();
    for chunk in &chunks {
        again.extend(entries_of(chunk).unwrap());
    }
    again.extend(manifest.tail.iter().map(|bytes| Entry::decode(bytes).unwrap()));
    assert_eq!(again, entries);
    // Chunks of long ago are closed for good, and whoever is handed a manifest goes on from it.
    let (earlier, _) = logged(&entries[..120]);
    let mut handed = Log::of(&earlier.manifest(onward()));
    assert!(manifest.chunks.starts_with(&handed.chunks));
    for entry in &entries[120..] {
        handed.push(entry);
    }
    assert_eq!(handed, log);
}

#[test]
fn a_manifest_is_the_one_that_was_signed_or_none() {
    let entries = entries(3);
    let (log, _) = logged(&entries);
    let bytes = log.manifest(onward()).encode();
    let last = &entries[2].checkpoint;
    let sealed = last.sealed(Manifest::digest_of(&bytes));
    assert_eq!(sealed.id(), last.id(), "the name does not depend on the snapshot");
    assert!(Manifest::open(&bytes, &sealed).is_ok());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        let error = Manifest::open(&other, &sealed).unwrap_err();
        assert_eq!((error.code(), error.blames_sender()), ("snapshot-digest", true));
    }
    // Members that sign nonsense are no peer's fault.
    let lower = entries[1].checkpoint.sealed(Manifest::digest_of(&bytes));
    let error = Manifest::open(&bytes, &lower).unwrap_err();
    assert_eq!((error.code(), error.blames_sender()), ("snapshot-broken", false));
    let sealed = last.sealed(Manifest::digest_of(b"nonsense"));
    assert_eq!(Manifest::open(b"nonsense", &sealed).unwrap_err().code(), "snapshot-broken");
}

#[test]
fn entries_are_one_chain_up_to_the_certified_checkpoint() {
    let entries = entries(5);
    let last = &entries[4].checkpoint;
    assert_eq!(check_chain(&entries, last), Ok(()));
    assert_eq!(check_chain(&entries, &last.sealed([9; 32])), Ok(()));
    assert!(check_chain(&entries[..4], last).is_err(), "one short");
    assert!(check_chain(&entries[1..], last).is_err(), "without the first");
    assert!(check_chain(&[], last).is_err());
    let mut swapped = entries.clone();
    swapped.swap(1, 2);
    assert!(check_chain(&swapped, last).is_err());
    let mut forged = entries.clone();
    forged[2].checkpoint.state_root[0] ^= 1;
    assert!(check_chain(&forged, last).is_err());
}

#[test]
fn a_certificate_holds_for_its_network_committee_and_content_alone() {
    let keys: Vec<SigningKey> = (1..9).map(|seed| SigningKey::from_seeds(&[seed; 64])).collect();
    let author = |key: &SigningKey| AuthorId::of(key.public());
    let committee = |epoch, keys: &[SigningKey]| {
        Committee::new(epoch, keys.iter().map(|key| (author(key), 1)).collect()).unwrap()
    };
    let (own, others) = (committee(0, &keys[..4]), committee(0, &keys[4..]));
    let checkpoint = entries(1).remove(0).checkpoint.sealed([5; 32]);
    let sign = |key: &SigningKey| (author(key), checkpoint.sign(key, [0; 32]));
    let signatures = keys[..4].iter().map(sign).collect();
    let key_of =
        |id: &AuthorId| keys.iter().map(SigningKey::public).find(|k| AuthorId::of(k) == *id);
    let certificate = Certificate::collect(&checkpoint, &own, key_of, &signatures).unwrap();
    let public = |key: &SigningKey| ByteBuf::from(key.public().as_bytes().to_vec());
    let sealed = Sealed { keys: keys[..3].iter().map(public).collect(), certificate };
    assert_eq!(sealed.certificate.signatures.len(), 3, "no more than a quorum");
    let bytes = sealed.encode();
    let sealed_again = || Sealed::decode(&bytes).unwrap();
    // The order of places is that of ids, so who signed first depends on them.
    let right: Vec<ByteBuf> = keys[..4].iter().map(public).collect();
    let with = |keys: &[ByteBuf]| Sealed { keys: keys.to_vec(), ..sealed_again() };
    let signers: Vec<ByteBuf> = sealed
        .certificate
        .signatures
        .iter()
        .map(|(place, _)| own.members()[usize::try_from(*place).unwrap()].0)
        .map(|id| public(keys.iter().find(|key| author(key) == id).unwrap()))
        .collect();
    assert_eq!(with(&signers).verify(&NETWORK, &own), Ok(checkpoint.clone()));
    assert!(with(&right).verify(&NETWORK, &own).is_err(), "more keys than signers");
    assert!(with(&signers[1..]).verify(&NETWORK, &own).is_err(), "a key is missing");
    assert!(with(&signers).verify(&NetworkId::from_bytes([8; 32]), &own).is_err());
    assert!(with(&signers).verify(&NETWORK, &others).is_err(), "another committee");
    assert!(with(&signers).verify(&NETWORK, &committee(1, &keys[..4])).is_err());
    let mut other = with(&signers);
    other.certificate.checkpoint.snapshot[0] ^= 1;
    assert!(other.verify(&NETWORK, &own).is_err(), "another snapshot");
    let mut few = with(&signers);
    few.certificate.signatures.pop();
    few.keys.pop();
    assert!(few.verify(&NETWORK, &own).is_err(), "no quorum");
}
