//! Names of vertices and blobs: content ids with one codec and one hash each.
//!
//! In DAG-CBOR an id is a link (tag 42), so that tools can follow it; in text it is a `CIDv1` in
//! lower-case base32 (`bafyr...` for vertices, `bafkr...` for blobs). Decoding accepts nothing but
//! the one codec and BLAKE3-256: two names for one thing would be two vertices.

use std::fmt;
use std::str::FromStr;

use ipld_core::cid::Cid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::crypto::hash::{self, Codec, Digest};

macro_rules! content_id {
    ($(#[$doc:meta])* $id:ident, $codec:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $id(pub Digest);

        impl $id {
            /// The name of exactly these bytes.
            pub fn of(bytes: &[u8]) -> Self {
                Self(Digest::of(bytes))
            }

            /// The 36 bytes of the CID.
            pub fn to_cid_bytes(&self) -> [u8; hash::CID_BYTES] {
                self.0.cid_bytes($codec)
            }

            /// Reads the 36 bytes of a CID.
            ///
            /// # Errors
            /// When version, codec, hash or length is another.
            pub fn from_cid_bytes(bytes: &[u8]) -> Result<Self, hash::Error> {
                Digest::from_cid_bytes(bytes, $codec).map(Self)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.cid_text($codec))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self)
            }
        }

        impl FromStr for $id {
            type Err = hash::Error;

            fn from_str(text: &str) -> Result<Self, hash::Error> {
                Digest::from_cid_text(text, $codec).map(Self)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Cid::try_from(self.to_cid_bytes().as_slice())
                    .map_err(serde::ser::Error::custom)?
                    .serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let cid = Cid::deserialize(deserializer)?;
                Self::from_cid_bytes(&cid.to_bytes()).map_err(serde::de::Error::custom)
            }
        }
    };
}

content_id!(
    /// Name of a vertex: the CID (DAG-CBOR, BLAKE3-256) of its exact bytes, without signature.
    VertexId,
    Codec::DagCbor
);
content_id!(
    /// Name of a blob: the CID (raw, BLAKE3-256) of its bytes.
    BlobId,
    Codec::Raw
);
