//! Logs and manifests, and what is refused of them.

use std::collections::BTreeMap;

use super::*;
use crate::consensus::{Certificate, Committee, Sealed};
use crate::crypto::sign::SigningKey;
use crate::identity::{AuthorId, NetworkId};
use crate::ledger;

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

/// What entries up to a height lead to. Nothing looks into it here.
fn start(checkpoint: &Checkpoint) -> Start {
    let ledger = ledger::State::new(&ledger::Genesis::default()).unwrap().to_records();
    let (ends, peaks) = (Vec::new(), vec![[7; 32]; 2_000]);
    let base = Base { checkpoint: checkpoint.clone(), ends, peaks, ledger };
    Start { base, coverage: Coverage::default(), lasting: Vec::new() }
}

/// A log of these, and every part that was made on the way; a generation has so many bytes.
fn logged(entries: &[Entry], bytes_max: u64) -> (Log, BTreeMap<BlobId, Vec<u8>>) {
    let (mut log, mut parts) = (Log::default(), BTreeMap::new());
    for entry in entries {
        let mut new: Vec<Part> = log.push(entry).into_iter().collect();
        if log.is_full(bytes_max) {
            new.extend(log.begin(&start(&entry.checkpoint)));
        }
        assert!(new.iter().all(|(id, bytes)| BlobId::of(bytes) == *id));
        parts.extend(new);
    }
    (log, parts)
}

fn contents(log: &Log, parts: &BTreeMap<BlobId, Vec<u8>>) -> Vec<Vec<u8>> {
    log.needed().iter().map(|id| parts[id].clone()).collect()
}

#[test]
fn chunks_and_tail_are_all_entries_in_their_order() {
    let entries = entries(200);
    let (log, parts) = logged(&entries, u64::MAX);
    assert!(parts.len() > 2 && log.needed().len() == parts.len());
    assert!(parts.values().all(|bytes| bytes.len() >= limits::SNAPSHOT_CHUNK_BYTES));
    assert_eq!(log.read(&contents(&log, &parts)), Ok((None, entries.clone())));
    let mut damaged = contents(&log, &parts);
    damaged[1][9] ^= 1;
    assert!(log.read(&damaged).is_err());
    assert!(log.read(&damaged[..1]).is_err());
    // Chunks of long ago are closed for good, and whoever is handed a manifest goes on from it.
    let (mut handed, _) = logged(&entries[..120], u64::MAX);
    assert!(log.needed().starts_with(&handed.needed()));
    for entry in &entries[120..] {
        handed.push(entry);
    }
    assert_eq!(handed, log);
}

#[test]
fn what_is_remembered_is_one_to_two_generations_whatever_happened_before() {
    let bytes_max = 40_000;
    let entries = entries(1_000);
    let (mut forgot, mut least, mut most) = (0, usize::MAX, 0);
    for until in (1..entries.len()).step_by(7) {
        let (log, parts) = logged(&entries[..until], bytes_max);
        let (start, held) = log.read(&contents(&log, &parts)).unwrap();
        let from = until - held.len();
        assert_eq!(held, entries[from..until]);
        let begins = start.map_or(0, |start| start.base.checkpoint.height);
        assert_eq!(begins, u64::try_from(from).unwrap());
        assert_eq!(log.begins().next(), Some(begins));
        assert_eq!(log.check(), Ok(()));
        if from > 0 {
            let bytes = held.iter().map(|entry| entry.encode().len()).sum();
            forgot += 1;
            (least, most) = (least.min(bytes), most.max(bytes));
        }
    }
    let bytes_max = usize::try_from(bytes_max).unwrap();
    assert!(forgot > 10 && least >= bytes_max && most < 2 * bytes_max + 1_000);
    // Parts are few, and everything that a log names was made.
    let (log, parts) = logged(&entries, 40_000);
    assert!(log.parts().all(|part| parts.contains_key(&part)));
    assert!(log.parts().count() < parts.len());
    assert!(log.parts().count() > log.needed().len(), "the second start is stored and not read");
}

#[test]
fn generations_that_do_not_follow_one_another_are_refused() {
    let entries = entries(1_000);
    let (log, _) = logged(&entries, 40_000);
    let last = entries.last().unwrap();
    let open = |log: &Log| {
        let bytes = log.manifest(onward()).encode();
        Manifest::open(&bytes, &last.checkpoint.sealed(Manifest::digest_of(&bytes)))
    };
    assert!(open(&log).is_ok());
    let changed = |change: &dyn Fn(&mut Vec<Generation>)| {
        let mut other = log.clone();
        change(&mut other.generations);
        open(&other).unwrap_err().code()
    };
    assert_eq!(changed(&Vec::clear), "snapshot-broken");
    assert_eq!(changed(&|of| of.push(of[0].clone())), "snapshot-broken");
    assert_eq!(changed(&|of| of.reverse()), "snapshot-broken");
    assert_eq!(changed(&|of| of[0].start.clear()), "snapshot-broken");
    assert_eq!(changed(&|of| of[0].height = 0), "snapshot-broken");
    assert_eq!(changed(&|of| of[1].height = 1_001), "snapshot-broken");
}

#[test]
fn a_manifest_is_the_one_that_was_signed_or_none() {
    let entries = entries(3);
    let (log, _) = logged(&entries, u64::MAX);
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
    assert_eq!(check_chain(None, &entries, last), Ok(()));
    assert_eq!(check_chain(None, &entries, &last.sealed([9; 32])), Ok(()));
    assert!(check_chain(None, &entries[..4], last).is_err(), "one short");
    assert!(check_chain(None, &entries[1..], last).is_err(), "without the first");
    assert!(check_chain(None, &[], last).is_err());
    // From a start on, what comes after it.
    let from = start(&entries[1].checkpoint);
    assert_eq!(check_chain(Some(&from), &entries[2..], last), Ok(()));
    assert_eq!(check_chain(Some(&start(last)), &[], last), Ok(()));
    assert!(check_chain(Some(&from), &entries[1..], last).is_err());
    assert!(check_chain(Some(&from), &entries[3..], last).is_err());
    let mut swapped = entries.clone();
    swapped.swap(1, 2);
    assert!(check_chain(None, &swapped, last).is_err());
    let mut forged = entries.clone();
    forged[2].checkpoint.state_root[0] ^= 1;
    assert!(check_chain(None, &forged, last).is_err());
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
