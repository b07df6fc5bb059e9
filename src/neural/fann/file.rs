//! FANN's own text format, `FANN_FLO_2.1`: read with bounds, written as libfann writes it.
//!
//! A file of libfann 2.2.0 that is read and written again has the same bytes. What a reader may be
//! given is anything: every number is checked before it is used, and memory grows with what has
//! been read, never with what a file says is to come. Parameters are written with six digits, as
//! libfann does, so options lose precision in a file; weights and steepnesses do not. SARPROP's
//! parameters are not part of the format.

mod decimal;

mod read;

mod reader;

mod write;

use super::network::Network;
use crate::limits;

/// Why a file cannot be read. Places are counted in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Longer than any network that could be read.
    #[error("the file has {0} bytes, the limit is {max}", max = limits::FANN_FILE_BYTES_MAX)]
    TooLong(usize),
    /// Something else.
    #[error("this is not a FANN file: it does not begin with FANN_FLO_2.1 or FANN_FLO_2.0")]
    NotFann,
    /// A FANN file, but of another kind.
    #[error("FANN files of fixed-point numbers, and those before version 2.0, cannot be read")]
    Version,
    /// The file ends or goes on differently where something should stand.
    #[error("at byte {at}: expected {what}")]
    Expected {
        /// What should stand there.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A number that is not possible, or over a limit.
    #[error("at byte {at}: {what} is out of range")]
    Range {
        /// Which number.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A connection that libfann would not follow: from a later neuron, or out of order.
    #[error("at byte {at}: connection {connection} does not come from where it should")]
    Connection {
        /// Number of the connection.
        connection: usize,
        /// Where.
        at: usize,
    },
    /// Something behind the last connection.
    #[error("at byte {0}: the network has ended, the file has not")]
    Trailing(usize),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "file-too-large",
            Self::NotFann => "file-foreign",
            Self::Version => "file-version",
            Self::Expected { .. } | Self::Trailing(_) => "file-damaged",
            Self::Range { .. } | Self::Connection { .. } => "file-invalid",
        }
    }
}

impl Network {
    /// Reads a FANN file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn from_file(file: &[u8]) -> Result<Self, Error> {
        read::network(file)
    }

    /// The network as a FANN file, which libfann reads.
    pub fn to_file(&self) -> Vec<u8> {
        write::network(self).into_bytes()
    }
}
