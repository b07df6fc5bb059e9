//! A data channel as a byte stream that can be closed in one direction and reset.
//!
//! `RTCDataChannel.close()` ends both directions and may drop what is under way, so ends are said
//! in frames: `FIN` and its `FIN_ACK`, `STOP_SENDING`, `RESET`. [`State`] says what follows from
//! them, without IO; [`Stream`] puts it over whatever carries the frames.
//!
//! A stream is closed when the peer has acknowledged the own `FIN`, so that the channel below can
//! be closed without losing anything. How long to wait for that is the caller's to say.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures::{AsyncRead, AsyncWrite};

use super::Error;
use super::frame::{self, Decoder, Flag, Frame};
use crate::limits;

/// Bytes read at a time from below.
const READ_BYTES: usize = 16 << 10;

/// The direction towards this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reading {
    /// More may come.
    #[default]
    Open,
    /// The peer sends no more.
    Finished,
    /// The peer gave the stream up.
    Reset,
}

/// The direction from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Writing {
    /// More may be sent.
    #[default]
    Open,
    /// `FIN` was sent.
    Finishing,
    /// And acknowledged.
    Finished,
    /// The peer reads no more.
    Stopped,
    /// The peer gave the stream up.
    Reset,
}

/// Both directions of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Towards this side.
    pub reading: Reading,
    /// From this side.
    pub writing: Writing,
}

impl State {
    /// What follows from a frame: whether its bytes are to be read, and the flag to answer with.
    pub fn on_frame(&mut self, flag: Option<Flag>) -> (bool, Option<Flag>) {
        let is_read = self.reading == Reading::Open;
        let mut answer = None;
        match flag {
            Some(Flag::Fin) if is_read => {
                self.reading = Reading::Finished;
                answer = Some(Flag::FinAck);
            }
            Some(Flag::FinAck) if self.writing == Writing::Finishing => {
                self.writing = Writing::Finished;
            }
            Some(Flag::StopSending) if self.writing == Writing::Open => {
                self.writing = Writing::Stopped;
            }
            // Implementations give up both directions, whatever the specification says of one.
            Some(Flag::Reset) => {
                if is_read {
                    self.reading = Reading::Reset;
                }
                if self.writing != Writing::Finished {
                    self.writing = Writing::Reset;
                }
            }
            // Nothing, or what was said before. To answer a second `FIN` would let a peer make us
            // send as often as it likes.
            _ => {}
        }
        (is_read && flag != Some(Flag::Reset), answer)
    }

    /// Ends the direction from this side: the flag to send, once.
    pub fn finish(&mut self) -> Option<Flag> {
        if self.writing != Writing::Open {
            return None;
        }
        self.writing = Writing::Finishing;
        Some(Flag::Fin)
    }
}

/// A stream over `T`, which carries each write as one message.
#[derive(Debug)]
pub struct Stream<T> {
    io: T,
    state: State,
    decoder: Decoder,
    /// What was read and not yet asked for, and how much of it was.
    data: Vec<u8>,
    taken: usize,
    /// Frames to send, and how much of the first ones was.
    unsent: Vec<u8>,
    sent: usize,
    /// Waits for bytes, which may come while something else reads on.
    reader: Option<Waker>,
    /// Waits for what is here to be read.
    closer: Option<Waker>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream<T> {
    /// A new stream.
    pub fn new(io: T) -> Self {
        Self {
            io,
            state: State::default(),
            decoder: Decoder::default(),
            data: Vec::new(),
            taken: 0,
            unsent: Vec::new(),
            sent: 0,
            reader: None,
            closer: None,
        }
    }

    /// How its directions stand.
    pub fn state(&self) -> State {
        self.state
    }

    /// Ends the direction from this side, and waits for no acknowledgement: whoever multiplexes
    /// by data channels goes on reading afterwards, and [`Stream::poll_linger`] waits instead.
    ///
    /// # Errors
    /// Those of what is below.
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(flag) = self.state.finish() {
            frame::write(Some(flag), &[], &mut self.unsent);
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Says that nobody is here any more: to be followed by [`Stream::poll_linger`]. Where the peer
    /// has ended its direction this ends the other one; where it has not, the stream is given up.
    pub fn give_up(&mut self) {
        let flag = match (self.state.reading, self.state.writing) {
            (Reading::Finished, Writing::Open) => self.state.finish(),
            (Reading::Open, Writing::Open) => {
                self.state.writing = Writing::Reset;
                Some(Flag::Reset)
            }
            (Reading::Open, Writing::Finishing | Writing::Finished | Writing::Stopped) => {
                Some(Flag::StopSending)
            }
            _ => None,
        };
        if flag.is_some() {
            frame::write(flag, &[], &mut self.unsent);
        }
    }

    /// Drops what still comes, until the peer has acknowledged the own end, if there is one to be
    /// acknowledged. Then the channel below can be closed without losing anything.
    ///
    /// # Errors
    /// Those of what is below, and when the peer does not speak the protocol.
    pub fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        for _ in 0..limits::DATA_CHANNEL_FRAMES_PER_POLL {
            ready!(self.poll_drain(cx))?;
            if self.state.writing != Writing::Finishing {
                return Poll::Ready(Ok(()));
            }
            self.data.clear();
            self.taken = 0;
            ready!(self.poll_frame(cx))?;
        }
        let_others_run(cx)
    }

    /// Sends what waits. Each frame goes to `io` in one write.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.io).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        self.unsent.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Takes frames in, until there are bytes to read or a direction has ended.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(Frame { flag, data }) = self.decoder.take().map_err(invalid)? {
                self.on_frame(flag, data);
                return Poll::Ready(Ok(()));
            }
            let mut room = [0; READ_BYTES];
            let count = ready!(Pin::new(&mut self.io).poll_read(cx, &mut room))?;
            if count == 0 {
                // The channel below is gone without a word.
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    Error::Ended,
                )));
            }
            self.decoder.push(room.get(..count).unwrap_or_default());
        }
    }

    fn on_frame(&mut self, flag: Option<Flag>, data: Vec<u8>) {
        let (is_read, answer) = self.state.on_frame(flag);
        if is_read {
            self.data = data;
            self.taken = 0;
        }
        if answer.is_some() {
            frame::write(answer, &[], &mut self.unsent);
        }
        wake(&mut self.reader);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        for _ in 0..limits::DATA_CHANNEL_FRAMES_PER_POLL {
            let rest = this.data.get(this.taken..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(into.len());
                for (to, from) in into.iter_mut().zip(rest) {
                    *to = *from;
                }
                this.taken += count;
                if this.taken == this.data.len() {
                    wake(&mut this.closer);
                }
                return Poll::Ready(Ok(count));
            }
            if !this.unsent.is_empty() {
                // An answer that does not get out now goes with the next write or read.
                let _ = this.poll_drain(cx)?;
            }
            match this.state.reading {
                Reading::Open => {
                    let Poll::Ready(taken) = this.poll_frame(cx) else {
                        this.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    };
                    taken?;
                }
                Reading::Finished => return Poll::Ready(Ok(0)),
                Reading::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        }
        let_others_run(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx))?;
        match this.state.writing {
            Writing::Open => {}
            Writing::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            _ => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = frame::write(None, from, &mut this.unsent);
        // What does not get out now goes with the next write or flush.
        let _ = this.poll_drain(cx)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Says `FIN` and waits for its acknowledgement. Bytes that arrive before it have to be read
    /// first.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(flag) = this.state.finish() {
            frame::write(Some(flag), &[], &mut this.unsent);
        }
        for _ in 0..limits::DATA_CHANNEL_FRAMES_PER_POLL {
            ready!(this.poll_drain(cx))?;
            if this.state.writing != Writing::Finishing {
                return Pin::new(&mut this.io).poll_close(cx);
            }
            if this.taken < this.data.len() {
                this.closer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            ready!(this.poll_frame(cx))?;
        }
        let_others_run(cx)
    }
}

/// Goes on later. Frames that bring nothing to read cost their sender a byte each, and whoever
/// takes them in without a pause lets nothing else run.
fn let_others_run<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
