//! History files: the round trip, and what every kind of damage is called.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::*;
use crate::crypto::hash::Digest;
use crate::dag::tests::{Author, NETWORK, graph_of, note, spec};
use crate::dag::{Graph, Payload};

/// The history's file, written once for all tests.
fn file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| history().write())
}

struct History {
    graph: Graph,
    run: VertexId,
    blobs: BTreeMap<BlobId, Vec<u8>>,
}

fn history() -> History {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut graph = graph_of(&[&a, &b]);
    let run = a.write(&mut graph, vec![Payload::RunStart(spec())]).id();
    b.write(&mut graph, vec![note(1)]);
    let blobs = [vec![1; 100], vec![2; 300], Vec::new()];
    let blobs = blobs.into_iter().map(|bytes| (BlobId::of(&bytes), bytes)).collect();
    History { graph, run, blobs }
}

impl History {
    fn vertices(&self) -> Vec<&SignedVertex> {
        self.graph.iter().collect()
    }

    fn write(&self) -> Vec<u8> {
        write(NETWORK, self.run, &self.vertices(), &self.blobs).unwrap()
    }
}

#[test]
fn a_history_survives_the_file_and_gives_the_same_bytes_again() {
    let history = history();
    let file = history.write();
    let car = read(&file).unwrap();
    assert_eq!((car.network, car.run), (NETWORK, history.run));
    let read_back: Vec<&SignedVertex> = car.vertices.iter().map(|entry| &entry.value).collect();
    assert_eq!(read_back, history.vertices());
    for (id, bytes) in &history.blobs {
        let entry = &car.blobs[id];
        assert_eq!(entry.value, bytes.as_slice());
        assert_eq!(&file[entry.offset..entry.offset + bytes.len()], bytes.as_slice());
    }
    let blobs = car.blobs.iter().map(|(id, entry)| (*id, entry.value.to_vec())).collect();
    assert_eq!(write(car.network, car.run, &read_back, &blobs).unwrap(), file);
}

#[test]
fn a_file_never_changes_its_form() {
    // Whoever changes this changes VERSION, or breaks every file that was ever exported.
    assert_eq!(
        Digest::of(&history().write()).cid_text(crate::crypto::hash::Codec::Raw),
        "bafkr4ie4itkfzcxhsfxphklh25zqjzwhrbdmshinilcd7ywhjnojbmtzlm"
    );
}

#[test]
fn the_header_is_that_of_any_car_file_with_one_root() {
    let file = history().write();
    assert_eq!(file[0], 58, "a varint length");
    let header = &file[1..59];
    assert_eq!(header[..8], *b"\xa2\x65roots\x81", "{{roots: [link], version: 1}}");
    assert_eq!(header[header.len() - 9..], *b"\x67version\x01");
    assert_eq!(header[8..13], [0xd8, 0x2a, 0x58, 0x25, 0x00]);
    assert_eq!(header[13..49], file[61..97], "the first block is the root");
}

/// The block whose content or frame the byte belongs to.
fn block_of(file: &[u8], byte: usize) -> Option<usize> {
    let car = read(file).unwrap();
    if byte < 59 {
        return None;
    }
    let mut reader = Reader { file, offset: 0, block: 0 };
    let root = reader.header().unwrap();
    reader.manifest(&root).unwrap();
    let vertices = car.vertices.iter().map(|entry| (entry.offset, entry.value.bytes().len()));
    let blobs = car.blobs.values().map(|entry| (entry.offset, entry.value.len()));
    // A block's frame begins with its length (one or two bytes here) before its CID.
    let frame = |content: usize| if content + CID_BYTES < 128 { 1 } else { 2 };
    let start = |(offset, content)| offset - CID_BYTES - frame(content);
    let starts = [59, reader.offset].into_iter().chain(vertices.chain(blobs).map(start));
    starts.enumerate().filter(|(_, start)| byte >= *start).map(|(block, _)| block).last()
}

#[test]
fn a_changed_block_is_named_with_its_cid_and_byte() {
    let history = history();
    let file = history.write();
    let car = read(&file).unwrap();
    let entry = &car.vertices[2];
    let mut changed = file.clone();
    changed[entry.offset + 10] ^= 1;
    let error = read(&changed).unwrap_err();
    assert_eq!(error.cause, Cause::Hash);
    assert_eq!(error.place.block, Some(4));
    assert_eq!(error.place.cid, Some(history.run.to_string()));
    assert_eq!(error.place.offset, entry.offset);
    let text = error.to_string();
    assert!(text.contains("block 4") && text.contains(&history.run.to_string()), "{text}");
}

#[test]
fn every_kind_of_damage_has_a_name() {
    let file = history().write();
    let second = read(&file).unwrap().vertices[0].offset - CID_BYTES - 2;
    let cut = |length: usize| read(&file[..length]).unwrap_err().code();
    assert_eq!(cut(0), "not-a-history-file");
    assert_eq!(cut(20), "not-a-history-file");
    assert_eq!(cut(59), "car-truncated");
    assert_eq!(cut(second), "car-truncated");
    assert_eq!(cut(file.len() - 1), "car-truncated");
    let code = |bytes: Vec<u8>| read(&bytes).unwrap_err().code();
    assert_eq!(code([file.as_slice(), &[0]].concat()), "car-foreign-block");
    assert_eq!(code([&file[..59], &file[second..]].concat()), "car-foreign-block");
    let zip = b"PK\x03\x04 some zip file of another program ....".to_vec();
    assert_eq!(code(zip), "not-a-history-file");
    assert_eq!(code(vec![0x80; 30]), "not-a-history-file");
    assert_eq!(code(vec![0xff; 30]), "not-a-history-file");
    assert_eq!(code(vec![0; 30]), "not-a-history-file");
    assert_eq!(code([&file[..59], &[0x80; 12]].concat()), "car-malformed");
    let mut huge = file[..59].to_vec();
    huge.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(code(huge), "car-too-large");
}

/// A file around any manifest, with a true root.
fn with_manifest(history: &History, change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    with_index(history, |manifest, _| change(manifest))
}

/// The same, with other signatures too.
fn with_index(history: &History, change: impl FnOnce(&mut Manifest, &mut Vec<ByteBuf>)) -> Vec<u8> {
    let file = history.write();
    let start = 59 + 2 + CID_BYTES;
    let mut reader = Reader { file: &file, offset: 0, block: 0 };
    let root = reader.header().unwrap();
    let mut manifest = reader.manifest(&root).unwrap();
    assert!(reader.offset > start);
    let (before, vertices) = (manifest.signatures[0], manifest.vertices.len());
    let mut signatures = reader.signatures(&before, vertices).unwrap();
    let rest = reader.offset;
    change(&mut manifest, &mut signatures);
    let signatures = cbor::encode(&signatures).unwrap();
    let named = VertexId::of(&signatures);
    manifest.signatures.iter_mut().filter(|id| **id == before).for_each(|id| *id = named);
    let manifest = cbor::encode(&manifest).unwrap();
    let root = VertexId::of(&manifest);
    let header = cbor::encode(&Header { roots: vec![root], version: 1 }).unwrap();
    let mut out = Vec::new();
    put_varint(&mut out, header.len());
    out.extend(header);
    put_block(&mut out, &root.to_cid_bytes(), &manifest).unwrap();
    put_block(&mut out, &named.to_cid_bytes(), &signatures).unwrap();
    out.extend_from_slice(&file[rest..]);
    out
}

/// A lie that a forger puts into a manifest.
type Lie = fn(&mut Manifest);

#[test]
fn a_manifest_that_lies_is_refused() {
    let history = history();
    let cases: [(Lie, &str); 9] = [
        (|m| m.version = 1, "car-manifest"),
        (|m| m.run = VertexId::of(b"elsewhere"), "car-manifest"),
        (|m| m.signatures.clear(), "car-manifest"),
        (|m| m.signatures.push(m.signatures[0]), "car-manifest"),
        (|m| m.vertices.push(m.vertices[0]), "car-manifest"),
        (|m| m.blobs.reverse(), "car-manifest"),
        (|m| m.blobs.truncate(2), "car-foreign-block"),
        (|m| m.vertices.swap(0, 1), "car-foreign-block"),
        (|m| m.network = NetworkId::from_bytes([9; 32]), "car-vertex"),
    ];
    for (index, (change, code)) in cases.into_iter().enumerate() {
        let error = read(&with_manifest(&history, change)).unwrap_err();
        assert_eq!(error.code(), code, "row {index}: {error}");
    }
    assert!(read(&with_manifest(&history, |_| {})).is_ok());
}

#[test]
fn signatures_that_do_not_fit_their_vertices_are_refused() {
    let history = history();
    let code = |file: Vec<u8>| read(&file).unwrap_err().code();
    let short = with_index(&history, |_, signatures| signatures[2] = ByteBuf::from(vec![0; 7]));
    assert_eq!(code(short), "car-vertex");
    let fewer = with_index(&history, |_, signatures| signatures.truncate(1));
    assert_eq!(code(fewer), "car-manifest");
    let more = with_index(&history, |_, signatures| signatures.push(signatures[0].clone()));
    assert_eq!(code(more), "car-manifest");
}

/// A file held 8,192 vertices and a history eight times as many: late runs could not be exported.
#[test]
fn a_history_of_several_blocks_of_signatures_survives_the_file() {
    let author = Author::new(1);
    let mut graph = graph_of(&[&author]);
    let run = author.write(&mut graph, vec![Payload::RunStart(spec())]).id();
    for number in 2..2 * limits::CAR_SIGNATURES_PER_BLOCK + 3 {
        author.write(&mut graph, vec![note(u8::try_from(number % 256).unwrap())]);
    }
    let history = History { graph, run, blobs: BTreeMap::new() };
    let file = history.write();
    let car = read(&file).unwrap();
    let read_back: Vec<&SignedVertex> = car.vertices.iter().map(|entry| &entry.value).collect();
    assert_eq!(read_back, history.vertices());
    assert_eq!(car.vertices.last().unwrap().block, read_back.len() + 3);
    let most = bytes_max(&read_back, std::iter::empty());
    let file_bytes = u64::try_from(file.len()).unwrap();
    assert!((file_bytes..file_bytes + file_bytes / 20).contains(&most), "{most}: {file_bytes}");
}

#[test]
fn what_is_no_history_is_not_written() {
    let history = history();
    let vertices = history.vertices();
    let code = |result: Result<Vec<u8>, Error>| result.unwrap_err().code();
    let elsewhere = VertexId::of(b"elsewhere");
    assert_eq!(code(write(NETWORK, elsewhere, &vertices, &history.blobs)), "car-manifest");
    let other = NetworkId::from_bytes([9; 32]);
    assert_eq!(code(write(other, history.run, &vertices, &history.blobs)), "car-vertex");
    let twice = [vertices.as_slice(), &vertices].concat();
    assert_eq!(code(write(NETWORK, history.run, &twice, &history.blobs)), "car-manifest");
    let wrong = [(BlobId::of(b"name"), b"other bytes".to_vec())].into();
    assert_eq!(code(write(NETWORK, history.run, &vertices, &wrong)), "car-changed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_flipped_byte_anywhere_is_found_in_its_own_block(
        at in any::<proptest::sample::Index>(), xor in 1..=255_u8,
    ) {
        let file = file();
        let at = at.index(file.len());
        let block = block_of(file, at);
        let mut changed = file.to_vec();
        changed[at] ^= xor;
        let error = read(&changed).unwrap_err();
        // A changed root shows at the manifest, which it should name; a changed length of a block
        // shows where the next block should begin.
        match block {
            None => prop_assert!(error.place.block.unwrap_or(0) == 0, "{}", error),
            Some(block) => {
                let found = error.place.block.unwrap();
                prop_assert!(found == block || found == block + 1, "{at} in {block}: {error}");
            }
        }
        prop_assert!(error.place.offset <= file.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_truncated_file_never_panics(at in any::<proptest::sample::Index>()) {
        prop_assert!(read(&file()[..at.index(file().len())]).is_err());
    }
}
