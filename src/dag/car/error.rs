//! Where and why a history file was refused.

use std::fmt;

use crate::crypto::sign;
use crate::dag::cbor;

/// A place in a history file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of the block, the manifest being 0; `None` in the header and for the whole file.
    pub block: Option<usize>,
    /// Text of the CID of the block that is, or should be, there.
    pub cid: Option<String>,
    /// Byte of the file.
    pub offset: usize,
}

impl Place {
    pub(super) fn at(offset: usize) -> Self {
        Self { block: None, cid: None, offset }
    }

    pub(super) fn of(mut self, cid: &(impl fmt::Display + ?Sized)) -> Self {
        self.cid = Some(cid.to_string());
        self
    }

    pub(super) fn block(&self) -> usize {
        self.block.unwrap_or_default()
    }

    pub(super) fn error(self, cause: Cause) -> Error {
        Error { place: self, cause }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.block, &self.cid) {
            (Some(block), Some(cid)) => write!(f, "block {block} ({cid}) at byte {}", self.offset),
            (Some(block), None) => write!(f, "block {block} at byte {}", self.offset),
            (None, Some(cid)) => write!(f, "{cid}"),
            (None, None) => write!(f, "byte {}", self.offset),
        }
    }
}

/// A fault of a history file and its place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("history file refused at {place}: {cause}")]
pub struct Error {
    /// Where.
    pub place: Place,
    /// Why.
    #[source]
    pub cause: Cause,
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match &self.cause {
            Cause::Limit { .. } => "car-too-large",
            Cause::NotHistory => "not-a-history-file",
            Cause::Varint => "car-malformed",
            Cause::Truncated { .. } | Cause::Missing => "car-truncated",
            Cause::Unexpected | Cause::Extra { .. } => "car-foreign-block",
            Cause::Hash => "car-changed",
            Cause::Manifest { .. }
            | Cause::Version { .. }
            | Cause::Signatures { .. }
            | Cause::Run
            | Cause::Repeated => "car-manifest",
            Cause::Signature { .. } | Cause::Vertex(_) | Cause::Network => "car-vertex",
        }
    }

    pub(super) fn of(mut self, cid: &str) -> Self {
        self.place.cid = Some(cid.to_owned());
        self
    }
}

/// Why a history file was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Larger than this program takes.
    #[error("{what}: {found}, at most {max} are taken")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are taken.
        max: usize,
    },
    /// The header is not that of a history file: not CAR version 1 with one root, or no CAR at all.
    #[error("this is not a history file")]
    NotHistory,
    /// A number that is not in its shortest form or too large.
    #[error("a length is not a varint in its shortest form; the file was changed or is no CAR")]
    Varint,
    /// The file ends inside something.
    #[error("the file ends inside {what}; get a complete copy")]
    Truncated {
        /// What is incomplete.
        what: &'static str,
    },
    /// The file ends before this block.
    #[error("the file ends before this block; get a complete copy")]
    Missing,
    /// Another block than the manifest says.
    #[error("another block stands here than the manifest names")]
    Unexpected,
    /// Bytes after the last block.
    #[error("{bytes} bytes follow the last block that the manifest names")]
    Extra {
        /// How many.
        bytes: usize,
    },
    /// The content does not have the CID it stands under.
    #[error("the content was changed: it does not have this CID")]
    Hash,
    /// The manifest or a block of signatures cannot be read, or not be written.
    #[error("the index of the file cannot be read: {source}")]
    Manifest {
        /// Where in the manifest and why.
        source: cbor::Error,
    },
    /// A manifest of another version.
    #[error("the manifest has version {found}, this program reads {}; update it", super::VERSION)]
    Version {
        /// The version that was there.
        found: u8,
    },
    /// Not one signature per vertex, or not one block for so many of them.
    #[error("{found} signatures or blocks of signatures where the vertices make it {expected}")]
    Signatures {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The run is not part of its own history.
    #[error("the run's vertex is not among the vertices of the history")]
    Run,
    /// A vertex is named twice, or blobs are not in order.
    #[error("a vertex is named twice, or the blobs are not in ascending order")]
    Repeated,
    /// The signature for this vertex has a wrong length.
    #[error("the vertex's signature is malformed: {source}")]
    Signature {
        /// Why.
        source: sign::Error,
    },
    /// A block that should be a vertex is none.
    #[error("this is no valid vertex: {0}")]
    Vertex(#[source] Box<crate::dag::Error>),
    /// A vertex of another network.
    #[error("a vertex belongs to another network than the history")]
    Network,
}
