//! Frames of data, without IO: what a channel carries after its handshake.
//!
//! ```text
//! offset  bytes
//!      0      2   length of what follows, big-endian: 16 to 65,535
//!      2      n   data, encrypted
//!  2 + n     16   tag
//! ```
//!
//! A frame is a Noise transport message behind its length, as libp2p's noise has them. Two things
//! are added. A frame without data is the *end*: nothing follows it, and a stream that stops
//! without one was cut off, whoever did it. And after every [`limits::CHANNEL_REKEY_FRAMES`] frames
//! of a direction its key is replaced (Noise, section 11.3), so that a key that leaks from memory
//! does not open what was said long before.
//!
//! Each side holds at most one frame of either direction.

use std::ops::Range;

use super::Error;
use super::noise::{Cipher, TAG_BYTES};
use crate::limits;

/// Bytes of the length before a frame.
const HEAD_BYTES: usize = 2;
/// Bytes asked of the wire at a time: as much as most hosts deliver at once, and little to clear
/// when less comes.
const ROOM_BYTES_MAX: usize = 16 << 10;
/// Bytes of data that fit a frame.
pub const DATA_BYTES_MAX: usize = limits::CHANNEL_FRAME_BYTES_MAX - TAG_BYTES;

/// Makes frames of what is written.
#[derive(Debug)]
pub struct Sealer {
    cipher: Cipher,
    rekey_frames: u64,
    /// A head and data, or a sealed frame.
    frame: Vec<u8>,
    state: Sealing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    /// The frame takes data.
    Open,
    /// The frame is sealed; so many of its bytes are sent.
    Sealed(usize),
}

impl Sealer {
    /// Continues with the cipher of a session.
    pub fn new(cipher: Cipher) -> Self {
        Self::rekeying(cipher, limits::CHANNEL_REKEY_FRAMES)
    }

    pub(super) fn rekeying(cipher: Cipher, rekey_frames: u64) -> Self {
        Self { cipher, rekey_frames, frame: vec![0; HEAD_BYTES], state: Sealing::Open }
    }

    /// Takes as much of `data` as the frame holds and says how much; 0 while a sealed frame waits
    /// to be sent. A full frame is sealed.
    ///
    /// # Errors
    /// [`Error::Exhausted`].
    pub fn write(&mut self, data: &[u8]) -> Result<usize, Error> {
        if self.state != Sealing::Open {
            return Ok(0);
        }
        let room = HEAD_BYTES + DATA_BYTES_MAX - self.frame.len();
        let taken = data.get(..room).unwrap_or(data);
        self.frame.extend_from_slice(taken);
        if taken.len() == room {
            self.seal()?;
        }
        Ok(taken.len())
    }

    /// Seals what was written; nothing when there is nothing.
    ///
    /// # Errors
    /// [`Error::Exhausted`].
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.state == Sealing::Open && self.frame.len() > HEAD_BYTES {
            self.seal()?;
        }
        Ok(())
    }

    /// Seals the end, once all before it is sent.
    ///
    /// # Errors
    /// [`Error::Exhausted`].
    ///
    /// # Panics
    /// When something before it was not flushed and sent.
    pub fn end(&mut self) -> Result<(), Error> {
        assert!(self.is_idle(), "what was written is flushed and sent before the end");
        self.seal()
    }

    /// What is to be sent next; empty when nothing is.
    pub fn unsent(&self) -> &[u8] {
        match self.state {
            Sealing::Open => &[],
            Sealing::Sealed(sent) => self.frame.get(sent..).unwrap_or_default(),
        }
    }

    /// So many bytes of [`Sealer::unsent`] were sent.
    pub fn sent(&mut self, bytes: usize) {
        if let Sealing::Sealed(sent) = &mut self.state {
            *sent += bytes;
            if *sent >= self.frame.len() {
                self.frame.truncate(HEAD_BYTES);
                self.state = Sealing::Open;
            }
        }
    }

    /// Whether nothing waits to be sealed or sent.
    pub fn is_idle(&self) -> bool {
        self.state == Sealing::Open && self.frame.len() == HEAD_BYTES
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.cipher.seal(&[], &mut self.frame, HEAD_BYTES)?;
        let length = u16::try_from(self.frame.len() - HEAD_BYTES)
            .expect("data is taken up to what a frame of 16 bits holds");
        for (to, from) in self.frame.iter_mut().zip(length.to_be_bytes()) {
            *to = from;
        }
        self.state = Sealing::Sealed(0);
        rekey_after(&mut self.cipher, self.rekey_frames);
        Ok(())
    }
}

/// Reads frames.
#[derive(Debug)]
pub struct Opener {
    cipher: Cipher,
    rekey_frames: u64,
    /// What has come of a frame, or an opened one.
    frame: Vec<u8>,
    state: Opening,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Opening {
    /// The frame is coming.
    Coming,
    /// Where in the frame the data is that nobody has read yet.
    Data(Range<usize>),
    /// The end came.
    Ended,
    /// Something was wrong: nothing is read any more.
    Failed(Error),
}

impl Opener {
    /// Continues with the cipher of a session.
    pub fn new(cipher: Cipher) -> Self {
        Self::rekeying(cipher, limits::CHANNEL_REKEY_FRAMES)
    }

    pub(super) fn rekeying(cipher: Cipher, rekey_frames: u64) -> Self {
        Self { cipher, rekey_frames, frame: Vec::new(), state: Opening::Coming }
    }

    /// Where the next bytes of the wire belong; never empty while [`Opener::read`] asks for some.
    /// [`Opener::came`] says how many were put there.
    pub fn room(&mut self) -> &mut [u8] {
        if self.state != Opening::Coming {
            return &mut [];
        }
        let (came, missing) = (self.frame.len(), self.missing().min(ROOM_BYTES_MAX));
        self.frame.resize(came + missing, 0);
        self.frame.get_mut(came..).unwrap_or_default()
    }

    /// So many bytes were put into the room that was lent last, whose size was `room`.
    ///
    /// # Errors
    /// [`Error::Length`] for a frame that cannot be one, [`Error::Tag`] for one that does not
    /// authenticate, [`Error::Exhausted`]. All of them are final.
    pub fn came(&mut self, room: usize, bytes: usize) -> Result<(), Error> {
        let length = self.frame.len().saturating_sub(room.saturating_sub(bytes));
        self.frame.truncate(length);
        let outcome = self.advance();
        if let Err(error) = &outcome {
            self.state = Opening::Failed(error.clone());
        }
        outcome
    }

    /// Takes data out: how much, 0 at the end, `None` when bytes of the wire are needed first.
    ///
    /// # Errors
    /// What [`Opener::came`] found.
    pub fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>, Error> {
        match &mut self.state {
            Opening::Coming => Ok(None),
            Opening::Ended => Ok(Some(0)),
            Opening::Failed(error) => Err(error.clone()),
            Opening::Data(unread) => {
                let data = self.frame.get(unread.clone()).unwrap_or_default();
                let count = data.len().min(into.len());
                for (to, from) in into.iter_mut().zip(data) {
                    *to = *from;
                }
                unread.start += count;
                if unread.start >= unread.end {
                    self.frame.clear();
                    self.state = Opening::Coming;
                }
                Ok(Some(count))
            }
        }
    }

    /// The wire ended: whether the peer had said so.
    ///
    /// # Errors
    /// [`Error::Truncated`] if not.
    pub fn over(&mut self) -> Result<(), Error> {
        if self.state == Opening::Ended {
            return Ok(());
        }
        self.state = Opening::Failed(Error::Truncated);
        Err(Error::Truncated)
    }

    /// How many bytes the head or, behind it, the frame lacks.
    fn missing(&self) -> usize {
        let whole = match self.frame.split_first_chunk::<HEAD_BYTES>() {
            Some((head, _)) => HEAD_BYTES + usize::from(u16::from_be_bytes(*head)),
            None => HEAD_BYTES,
        };
        whole.saturating_sub(self.frame.len())
    }

    fn advance(&mut self) -> Result<(), Error> {
        let Some((head, sealed)) = self.frame.split_first_chunk_mut::<HEAD_BYTES>() else {
            return Ok(());
        };
        let found = usize::from(u16::from_be_bytes(*head));
        if found < TAG_BYTES {
            return Err(Error::Length { what: "a frame, at least,", expected: TAG_BYTES, found });
        }
        if sealed.len() < found {
            return Ok(());
        }
        let length = self.cipher.open(&[], sealed)?.len();
        rekey_after(&mut self.cipher, self.rekey_frames);
        self.state = match length {
            0 => Opening::Ended,
            _ => Opening::Data(HEAD_BYTES..HEAD_BYTES + length),
        };
        Ok(())
    }
}

/// Both sides count alike: the proofs of the handshake are the first messages of their ciphers.
fn rekey_after(cipher: &mut Cipher, frames: u64) {
    if cipher.used().is_multiple_of(frames) {
        cipher.rekey();
    }
}
