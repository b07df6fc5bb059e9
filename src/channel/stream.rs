//! A channel as a byte stream over another: `AsyncRead + AsyncWrite`, whatever carries it.
//!
//! What is written is gathered until a frame is full, or until a flush. A peer that does not read
//! stops its writer with at most one frame here; a reader that does not read leaves what comes in
//! the transport below. Closing sends the end and then closes the transport; reading goes on until
//! the peer's own end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::handshake::{self, Initiator, Randomness, Responder, Session};
use super::record::{Opener, Sealer};
use super::{Credentials, Error, Peer};

/// A channel over `T`.
#[derive(Debug)]
pub struct Stream<T> {
    io: T,
    sealer: Sealer,
    opener: Opener,
    end: End,
    came: u64,
}

/// What has become of our end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// Closing: what was written goes out first.
    Closing,
    /// The end is sealed.
    Sealed,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream<T> {
    /// Shakes hands as the side that dialled.
    ///
    /// # Errors
    /// What the transport says, or an [`Error`] inside [`io::ErrorKind::InvalidData`].
    pub async fn initiate(
        mut io: T,
        credentials: &Credentials,
        randomness: &Randomness,
    ) -> io::Result<(Peer, Self)> {
        let (state, flight) = Initiator::start(randomness);
        send(&mut io, &flight).await?;
        let flight = receive(&mut io, handshake::SECOND_BYTES).await?;
        let (flight, session) = state.finish(credentials, &flight).map_err(invalid)?;
        send(&mut io, &flight).await?;
        Ok(Self::over(io, session))
    }

    /// Shakes hands as the side that was dialled.
    ///
    /// # Errors
    /// As [`Stream::initiate`].
    pub async fn respond(
        mut io: T,
        credentials: &Credentials,
        randomness: &Randomness,
    ) -> io::Result<(Peer, Self)> {
        let flight = receive(&mut io, handshake::FIRST_BYTES).await?;
        let (state, flight) =
            Responder::answer(credentials, &flight, randomness).map_err(invalid)?;
        send(&mut io, &flight).await?;
        let flight = receive(&mut io, handshake::THIRD_BYTES).await?;
        Ok(Self::over(io, state.finish(&flight).map_err(invalid)?))
    }

    /// Goes on with the session of a handshake that is done.
    pub fn over(io: T, session: Session) -> (Peer, Self) {
        let Session { send, receive, peer, .. } = session;
        (peer, Self::of(io, Sealer::new(send), Opener::new(receive)))
    }

    /// Bytes that have come from the transport since the handshake, whole frames or not (count).
    pub fn came(&self) -> u64 {
        self.came
    }

    pub(super) fn of(io: T, sealer: Sealer, opener: Opener) -> Self {
        Self { io, sealer, opener, end: End::Open, came: 0 }
    }

    /// Sends what is sealed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealer.unsent().is_empty() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, self.sealer.unsent()))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sealer.sent(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Seals and sends what was written.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        self.sealer.flush().map_err(invalid)?;
        self.poll_drain(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            if into.is_empty() {
                return Poll::Ready(Ok(0));
            }
            if let Some(count) = this.opener.read(into).map_err(invalid)? {
                return Poll::Ready(Ok(count));
            }
            let room = this.opener.room();
            let size = room.len();
            let outcome = Pin::new(&mut this.io).poll_read(cx, room);
            let count = match &outcome {
                Poll::Ready(Ok(count)) => *count,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            // Said in any case: the room is given back with it.
            let opened = this.opener.came(size, count);
            this.came += u64::try_from(count).unwrap_or(u64::MAX);
            if ready!(outcome)? == 0 {
                this.opener.over().map_err(invalid)?;
            }
            opened.map_err(invalid)?;
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.end != End::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // Makes room, if a full frame waits; what is not full waits for more or for a flush.
        ready!(self.poll_drain(cx))?;
        Poll::Ready(self.sealer.write(from).map_err(invalid))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end == End::Open {
            self.end = End::Closing;
        }
        ready!(self.poll_out(cx))?;
        if self.end == End::Closing {
            self.sealer.end().map_err(invalid)?;
            self.end = End::Sealed;
            ready!(self.poll_drain(cx))?;
        }
        Pin::new(&mut self.io).poll_close(cx)
    }
}

async fn send(io: &mut (impl AsyncWrite + Unpin), flight: &[u8]) -> io::Result<()> {
    io.write_all(flight).await?;
    io.flush().await
}

async fn receive(io: &mut (impl AsyncRead + Unpin), bytes: usize) -> io::Result<Vec<u8>> {
    let mut flight = vec![0; bytes];
    io.read_exact(&mut flight).await?;
    Ok(flight)
}

fn invalid(error: Error) -> io::Error {
    let kind = match error {
        Error::Truncated => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
