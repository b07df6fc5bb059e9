//! What travels on a data channel: a length, then a protobuf with a flag, some bytes, or both.
//!
//! ```text
//! message Message { optional Flag flag = 1; optional bytes message = 2; }
//! ```
//!
//! A data channel carries messages, but a frame is found by its length and not by where messages
//! end, as js-libp2p does. Memory: at most one frame and one piece that was pushed behind it.

use super::Error;
use super::protobuf::{self, Value};
use crate::limits::DATA_CHANNEL_FRAME_BYTES_MAX;

/// Bytes of the length before the largest frame.
const PREFIX_BYTES: usize = 2;
/// Bytes of a frame without its length (count).
pub const BODY_BYTES_MAX: usize = DATA_CHANNEL_FRAME_BYTES_MAX - PREFIX_BYTES;
/// Bytes that a frame can carry: without a flag (2), and the head of the bytes (3).
pub const DATA_BYTES_MAX: usize = BODY_BYTES_MAX - 5;

// Two bytes of seven bits each are enough for the length.
const _: () = assert!(BODY_BYTES_MAX < 1 << 14);

/// What the sender has to say besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// It sends no more.
    Fin,
    /// It reads no more.
    StopSending,
    /// It gives the stream up; what it sent may be dropped.
    Reset,
    /// It has read everything up to the peer's `Fin`.
    FinAck,
}

impl Flag {
    fn number(self) -> u8 {
        match self {
            Self::Fin => 0,
            Self::StopSending => 1,
            Self::Reset => 2,
            Self::FinAck => 3,
        }
    }

    /// `None` for one of a later version, which is as good as none.
    fn of(number: u64) -> Option<Self> {
        [Self::Fin, Self::StopSending, Self::Reset, Self::FinAck]
            .into_iter()
            .find(|flag| u64::from(flag.number()) == number)
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// What the sender says.
    pub flag: Option<Flag>,
    /// The bytes, often none.
    pub data: Vec<u8>,
}

/// Writes a frame behind its length. `data` is cut at [`DATA_BYTES_MAX`]: how much was taken.
pub fn write(flag: Option<Flag>, data: &[u8], out: &mut Vec<u8>) -> usize {
    let data = data.get(..DATA_BYTES_MAX).unwrap_or(data);
    let mut body = Vec::with_capacity(data.len() + 5);
    if let Some(flag) = flag {
        body.extend([1 << 3, flag.number()]);
    }
    if !data.is_empty() {
        body.push(2 << 3 | 2);
        protobuf::put_varint(data.len(), &mut body);
        body.extend_from_slice(data);
    }
    protobuf::put_varint(body.len(), out);
    out.extend_from_slice(&body);
    data.len()
}

/// Finds frames in what arrives.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// How many of them are done with.
    done: usize,
}

impl Decoder {
    /// Takes bytes in. To be followed by [`Decoder::take`] until that has no more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is here.
    ///
    /// # Errors
    /// When the peer does not speak the protocol; there is no way on from there.
    pub fn take(&mut self) -> Result<Option<Frame>, Error> {
        let bytes = self.bytes.get(self.done..).unwrap_or_default();
        let Some((length, rest)) = protobuf::varint(bytes)? else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > BODY_BYTES_MAX {
            let most = BODY_BYTES_MAX;
            return Err(Error::Limit { what: "a frame", found: length, most });
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = body_of(body)?;
        self.done = self.bytes.len() - (rest.len() - length);
        Ok(Some(frame))
    }

    /// Whether a frame has begun and is not complete.
    pub fn is_within(&self) -> bool {
        self.done < self.bytes.len()
    }
}

fn body_of(mut body: &[u8]) -> Result<Frame, Error> {
    let mut frame = Frame::default();
    while let Some(field) = protobuf::field(&mut body)? {
        match field {
            (1, Value::Number(number)) => frame.flag = Flag::of(number),
            (2, Value::Bytes(data)) => frame.data = data.to_vec(),
            (1 | 2, _) => return Err(Error::Message("a field of another kind than its own")),
            _ => {}
        }
    }
    Ok(frame)
}
