//! History files: a `CARv1` archive that holds one run, complete and checkable.
//!
//! ```text
//! varint length | header: DAG-CBOR {roots: [manifest], version: 1}
//! varint length | CID | manifest: DAG-CBOR {version: 2, network, run, vertices: [links],
//!                                           signatures: [links], blobs: [links]}
//! varint length | CID | signatures: DAG-CBOR [bytes]   of the next 512 vertices
//! varint length | CID | vertex bytes      in the manifest's order, which is a causal order
//! ...                                     signatures and vertices in turn
//! varint length | CID | blob bytes        in the manifest's order, ascending
//! ```
//!
//! <https://ipld.io/specs/transport/car/carv1/>. Any CAR tool can list and extract the blocks, any
//! DAG-CBOR tool can walk from the root to every vertex and blob. A vertex's block is its exact
//! bytes; its signature stands in a block of signatures, so that no block grows with the history
//! but the manifest, by a link for each vertex and blob.
//!
//! [`read`] is total: it trusts no length, checks the CID of every block against its bytes, takes
//! exactly the blocks of the manifest in its order, and says of every fault which block it is in,
//! under which CID and at which byte of the file. There is one file for one history, so every byte
//! of it counts. Signatures, chains and weights are not checked here: replaying the history is.

mod error;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::cbor::{self, Bounds};
use super::{BlobId, NetworkId, SignedVertex, VertexId};
use crate::crypto::hash::CID_BYTES;
use crate::crypto::sign::Signature;
use crate::limits;

pub use error::{Cause, Error, Place};

/// The version of manifest this program writes and reads.
pub const VERSION: u8 = 3;

const HEADER_BOUNDS: Bounds =
    Bounds { bytes_max: limits::CAR_HEADER_BYTES_MAX, items_max: 6, depth_max: 2 };
const MANIFEST_BOUNDS: Bounds = Bounds {
    bytes_max: limits::CAR_BLOCK_BYTES_MAX,
    items_max: limits::CAR_LINKS_MAX + 16,
    depth_max: 2,
};
const SIGNATURES_BOUNDS: Bounds = Bounds {
    bytes_max: limits::CAR_BLOCK_BYTES_MAX,
    items_max: limits::CAR_SIGNATURES_PER_BLOCK + 1,
    depth_max: 1,
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// The manifest. It has the codec and hash of a vertex, so the type serves.
    roots: Vec<VertexId>,
    version: u8,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u8,
    network: NetworkId,
    run: VertexId,
    vertices: Vec<VertexId>,
    /// The blocks of signatures. They have the codec and hash of a vertex too.
    signatures: Vec<VertexId>,
    blobs: Vec<BlobId>,
}

/// A history that was read. Blobs are borrowed from the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Car<'a> {
    /// The network it comes from.
    pub network: NetworkId,
    /// The run it was exported for; one of the vertices.
    pub run: VertexId,
    /// The vertices in causal order, with unverified signatures.
    pub vertices: Vec<Entry<SignedVertex>>,
    /// The blobs.
    pub blobs: BTreeMap<BlobId, Entry<&'a [u8]>>,
}

/// The content of a block and where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// The content.
    pub value: T,
    /// Index of the block, the manifest being 0.
    pub block: usize,
    /// Byte at which the block's content begins.
    pub offset: usize,
}

/// Writes the history of `run`: the vertices in the order given, which must be causal, and the
/// blobs. The same input gives the same bytes.
///
/// # Errors
/// [`Cause::Limit`] for a history that is too large, [`Cause::Run`] when `run` is not among the
/// vertices, [`Cause::Network`] or [`Cause::Repeated`] for vertices that cannot be in one history,
/// [`Cause::Hash`] for a blob whose bytes do not have its name.
pub fn write(
    network: NetworkId,
    run: VertexId,
    vertices: &[&SignedVertex],
    blobs: &BTreeMap<BlobId, Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let whole = Place::default();
    let groups: Vec<_> = vertices.chunks(limits::CAR_SIGNATURES_PER_BLOCK).collect();
    let signatures = groups.iter().map(|group| signatures_of(group, &whole));
    let signatures: Vec<Vec<u8>> = signatures.collect::<Result<_, _>>()?;
    let manifest = Manifest {
        version: VERSION,
        network,
        run,
        vertices: vertices.iter().map(|signed| signed.id()).collect(),
        signatures: signatures.iter().map(|block| VertexId::of(block)).collect(),
        blobs: blobs.keys().copied().collect(),
    };
    check_manifest(&manifest, &whole)?;
    if vertices.iter().any(|signed| signed.vertex().network != network) {
        return Err(whole.error(Cause::Network));
    }
    if let Some((id, _)) = blobs.iter().find(|(id, bytes)| BlobId::of(bytes) != **id) {
        return Err(whole.of(id).error(Cause::Hash));
    }
    let manifest = encode(&manifest, &whole)?;
    let root = VertexId::of(&manifest);
    let header = encode(&Header { roots: vec![root], version: 1 }, &whole)?;

    let mut file = Vec::new();
    put_varint(&mut file, header.len());
    file.extend_from_slice(&header);
    put_block(&mut file, &root.to_cid_bytes(), &manifest)?;
    for (group, signatures) in groups.into_iter().zip(&signatures) {
        put_block(&mut file, &VertexId::of(signatures).to_cid_bytes(), signatures)?;
        for signed in group {
            put_block(&mut file, &signed.id().to_cid_bytes(), signed.bytes())?;
        }
    }
    for (id, bytes) in blobs {
        put_block(&mut file, &id.to_cid_bytes(), bytes)?;
    }
    Ok(file)
}

/// At most how many bytes the file of these vertices, and of blobs of these sizes, has.
pub fn bytes_max(vertices: &[&SignedVertex], blobs: impl Iterator<Item = u64>) -> u64 {
    // The block's length and CID, its link, and the frame of a signature.
    const FRAME_BYTES: u64 = 2 * 48 + 8;
    let wide = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let vertices = vertices.iter().map(|signed| wide(signed.size_bytes()));
    let blocks = vertices.chain(blobs).map(|bytes| bytes.saturating_add(FRAME_BYTES));
    let file = wide(limits::CAR_HEADER_BYTES_MAX).saturating_add(1 << 10);
    blocks.fold(file, u64::saturating_add)
}

fn signatures_of(group: &[&SignedVertex], place: &Place) -> Result<Vec<u8>, Error> {
    let bytes = |signed: &&SignedVertex| ByteBuf::from(signed.signature().as_bytes().to_vec());
    encode(&group.iter().map(bytes).collect::<Vec<_>>(), place)
}

/// Reads a history file.
///
/// # Errors
/// The first fault, with its block, CID and byte; see [`Error`].
pub fn read(file: &[u8]) -> Result<Car<'_>, Error> {
    let whole = Place::default();
    if file.len() > limits::CAR_BYTES_MAX {
        let (found, max) = (file.len(), limits::CAR_BYTES_MAX);
        return Err(whole.error(Cause::Limit { what: "bytes of the file", found, max }));
    }
    let mut reader = Reader { file, offset: 0, block: 0 };
    let root = reader.header().map_err(|error| error.place.error(Cause::NotHistory))?;
    let manifest = reader.manifest(&root)?;
    let mut vertices = Vec::with_capacity(manifest.vertices.len());
    let groups = manifest.vertices.chunks(limits::CAR_SIGNATURES_PER_BLOCK);
    for (group, block) in groups.zip(&manifest.signatures) {
        let signatures = reader.signatures(block, group.len())?;
        for (id, signature) in group.iter().zip(&signatures) {
            vertices.push(reader.vertex(id, signature, &manifest.network)?);
        }
    }
    let mut blobs = BTreeMap::new();
    for id in &manifest.blobs {
        let (content, place) = reader.block(&id.to_cid_bytes(), &id.to_string())?;
        if BlobId::of(content) != *id {
            return Err(place.error(Cause::Hash));
        }
        blobs.insert(*id, Entry { value: content, block: place.block(), offset: place.offset });
    }
    if reader.offset < file.len() {
        return Err(reader.place().error(Cause::Extra { bytes: file.len() - reader.offset }));
    }
    Ok(Car { network: manifest.network, run: manifest.run, vertices, blobs })
}

/// The rules of a manifest that need nothing else.
fn check_manifest(manifest: &Manifest, place: &Place) -> Result<(), Error> {
    let wrong = |cause| Err(place.clone().error(cause));
    let limit = |what, found: usize, max: usize| {
        if found > max { wrong(Cause::Limit { what, found, max }) } else { Ok(()) }
    };
    if manifest.version != VERSION {
        return wrong(Cause::Version { found: manifest.version });
    }
    limit("vertices", manifest.vertices.len(), limits::CAR_VERTICES_MAX)?;
    limit("blobs", manifest.blobs.len(), limits::CAR_BLOBS_MAX)?;
    let expected = manifest.vertices.len().div_ceil(limits::CAR_SIGNATURES_PER_BLOCK);
    if manifest.signatures.len() != expected {
        return wrong(Cause::Signatures { found: manifest.signatures.len(), expected });
    }
    if !manifest.vertices.contains(&manifest.run) {
        return wrong(Cause::Run);
    }
    let mut sorted = manifest.vertices.clone();
    sorted.sort_unstable();
    let repeated = sorted.iter().zip(sorted.iter().skip(1)).any(|(one, other)| one == other);
    let blobs = manifest.blobs.iter().zip(manifest.blobs.iter().skip(1));
    if repeated || blobs.into_iter().any(|(one, other)| one >= other) {
        return wrong(Cause::Repeated);
    }
    Ok(())
}

struct Reader<'a> {
    file: &'a [u8],
    offset: usize,
    block: usize,
}

impl<'a> Reader<'a> {
    /// Reads the header; gives the CID of the manifest.
    fn header(&mut self) -> Result<VertexId, Error> {
        let length = self.varint("the header's length")?;
        if length > limits::CAR_HEADER_BYTES_MAX {
            let max = limits::CAR_HEADER_BYTES_MAX;
            let cause = Cause::Limit { what: "bytes of the header", found: length, max };
            return Err(Place::at(self.offset).error(cause));
        }
        let place = Place::at(self.offset);
        let bytes = self.take(length, "the header")?;
        let header = cbor::decode::<Header>(bytes, &HEADER_BOUNDS)
            .map_err(|_| place.clone().error(Cause::NotHistory))?;
        match header.roots.as_slice() {
            [root] if header.version == 1 => Ok(*root),
            _ => Err(place.error(Cause::NotHistory)),
        }
    }

    fn manifest(&mut self, root: &VertexId) -> Result<Manifest, Error> {
        let (content, place) = self.block(&root.to_cid_bytes(), &root.to_string())?;
        if VertexId::of(content) != *root {
            return Err(place.error(Cause::Hash));
        }
        let manifest: Manifest = cbor::decode(content, &MANIFEST_BOUNDS)
            .map_err(|source| place.clone().error(Cause::Manifest { source }))?;
        check_manifest(&manifest, &place)?;
        Ok(manifest)
    }

    /// Reads a block of signatures, one for each of the `expected` vertices behind it.
    fn signatures(&mut self, id: &VertexId, expected: usize) -> Result<Vec<ByteBuf>, Error> {
        let (content, place) = self.block(&id.to_cid_bytes(), &id.to_string())?;
        if VertexId::of(content) != *id {
            return Err(place.error(Cause::Hash));
        }
        let signatures: Vec<ByteBuf> = cbor::decode(content, &SIGNATURES_BOUNDS)
            .map_err(|source| place.clone().error(Cause::Manifest { source }))?;
        if signatures.len() != expected {
            return Err(place.error(Cause::Signatures { found: signatures.len(), expected }));
        }
        Ok(signatures)
    }

    fn vertex(
        &mut self,
        id: &VertexId,
        signature: &[u8],
        network: &NetworkId,
    ) -> Result<Entry<SignedVertex>, Error> {
        let (content, place) = self.block(&id.to_cid_bytes(), &id.to_string())?;
        if VertexId::of(content) != *id {
            return Err(place.error(Cause::Hash));
        }
        let signature = Signature::from_bytes(signature)
            .map_err(|source| place.clone().error(Cause::Signature { source }))?;
        let vertex = SignedVertex::from_parts(content.to_vec(), signature)
            .map_err(|source| place.clone().error(Cause::Vertex(Box::new(source))))?;
        if vertex.vertex().network != *network {
            return Err(place.error(Cause::Network));
        }
        Ok(Entry { value: vertex, block: place.block(), offset: place.offset })
    }

    /// Reads the next block, which has to be the one named `expected`; gives its content, not yet
    /// compared with its name, and the place of the content.
    fn block(
        &mut self,
        expected: &[u8; CID_BYTES],
        text: &str,
    ) -> Result<(&'a [u8], Place), Error> {
        let start = self.place().of(text);
        if self.offset == self.file.len() {
            return Err(start.error(Cause::Missing));
        }
        let length = self.varint("a block's length").map_err(|error| error.of(text))?;
        let max = limits::CAR_BLOCK_BYTES_MAX + CID_BYTES;
        if length > max {
            let cause = Cause::Limit { what: "bytes of the block", found: length, max };
            return Err(start.error(cause));
        }
        let cid_place = self.place().of(text);
        if length < CID_BYTES {
            return Err(cid_place.error(Cause::Truncated { what: "a block's CID" }));
        }
        let cid = self.take(CID_BYTES, "a block's CID").map_err(|error| error.of(text))?;
        if cid != expected {
            return Err(cid_place.error(Cause::Unexpected));
        }
        let place = self.place().of(text);
        let content = self.take(length - CID_BYTES, "a block").map_err(|error| error.of(text))?;
        self.block += 1;
        Ok((content, place))
    }

    fn place(&self) -> Place {
        Place { block: Some(self.block), ..Place::at(self.offset) }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Error> {
        let range = Range { start: self.offset, end: self.offset.saturating_add(length) };
        match self.file.get(range) {
            Some(bytes) => {
                self.offset += length;
                Ok(bytes)
            }
            None => Err(self.place().error(Cause::Truncated { what })),
        }
    }

    /// Reads an unsigned LEB128 number in its shortest form, at most 9 bytes as multiformats say.
    fn varint(&mut self, what: &'static str) -> Result<usize, Error> {
        let place = self.place();
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = match self.take(1, what)? {
                [byte] => *byte,
                _ => 0,
            };
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    break;
                }
                return usize::try_from(value).map_err(|_| place.error(Cause::Varint));
            }
        }
        Err(place.error(Cause::Varint))
    }
}

fn encode<T: Serialize>(value: &T, place: &Place) -> Result<Vec<u8>, Error> {
    cbor::encode(value).map_err(|source| place.clone().error(Cause::Manifest { source }))
}

fn put_block(file: &mut Vec<u8>, cid: &[u8; CID_BYTES], content: &[u8]) -> Result<(), Error> {
    let place = Place::at(file.len());
    let limit = |what, found, max| Err(place.clone().error(Cause::Limit { what, found, max }));
    if content.len() > limits::CAR_BLOCK_BYTES_MAX {
        return limit("bytes of the block", content.len(), limits::CAR_BLOCK_BYTES_MAX);
    }
    let size = file.len() + content.len() + CID_BYTES + 9;
    if size > limits::CAR_BYTES_MAX {
        return limit("bytes of the file", size, limits::CAR_BYTES_MAX);
    }
    put_varint(file, CID_BYTES + content.len());
    file.extend_from_slice(cid);
    file.extend_from_slice(content);
    Ok(())
}

fn put_varint(file: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            file.push(low);
            return;
        }
        file.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests;
