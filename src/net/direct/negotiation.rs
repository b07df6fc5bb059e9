//! One signalling, from a fresh stream to an open data channel, or to a connection that has none
//! yet.
//!
//! It drives [`State`] with what the peer says on the stream and what the host says of its peer
//! connection, within [`limits::SIGNALLING_TIMEOUT_MS`].

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures::future::{Either, poll_immediate, select};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::limits;
use crate::net::transport::peer::Peer;
use crate::net::transport::socket::Socket;
use crate::platform;
use crate::webrtc::Error;
use crate::webrtc::signal::{Input, Message, Output, Role, State};

/// Bytes read at a time.
const READ_BYTES: usize = 4 << 10;

/// The stream, and what came of it.
struct Heard {
    stream: libp2p::Stream,
    bytes: Vec<u8>,
    /// The peer says no more.
    ended: bool,
}

/// Signals until the data channel is open or, where each stream has one, `peer` is connected.
pub(super) async fn run(
    role: Role,
    stream: libp2p::Stream,
    peer: &Peer,
    socket: Option<&Socket>,
) -> Result<(), Error> {
    let patience = pin!(platform::sleep(limits::SIGNALLING_TIMEOUT_MS));
    let signalling = signal(role, stream, peer, socket);
    match select(pin!(signalling), patience).await {
        Either::Left((outcome, _)) => outcome?,
        Either::Right(_) => return Err(Error::Timeout(limits::SIGNALLING_TIMEOUT_MS)),
    }
    peer.listen_no_more();
    Ok(())
}

async fn signal(
    role: Role,
    stream: libp2p::Stream,
    peer: &Peer,
    socket: Option<&Socket>,
) -> Result<(), Error> {
    let mut state = State::new(role);
    let mut heard = Heard { stream, bytes: Vec::new(), ended: false };
    if role == Role::Offerer {
        peer.offer();
    }
    loop {
        let agreed = state.is_agreed();
        let input = std::future::poll_fn(|cx| next(peer, socket, &mut heard, agreed, cx)).await?;
        let mut out = Vec::new();
        state.handle(input, &mut out)?;
        let mut bytes = Vec::new();
        for output in out {
            match output {
                Output::Send(message) => bytes.append(&mut message.encode()),
                Output::Answer(offer) => peer.answer(&offer),
                Output::Apply(answer) => peer.apply(&answer),
                Output::Add(candidate) => peer.add(&candidate),
                Output::Done if socket.is_none() => {
                    let patience = pin!(platform::sleep(limits::SIGNALLING_GOODBYE_MS));
                    select(pin!(part(heard.stream)), patience).await;
                    return Ok(());
                }
                Output::Done => {
                    // The way is there; that the peer does not hear of the end changes nothing. So
                    // nobody waits for a circuit that is stuck.
                    drop(poll_immediate(heard.stream.close()).await);
                    return Ok(());
                }
            }
        }
        if !bytes.is_empty() {
            heard.stream.write_all(&bytes).await.map_err(|_| Error::Ended)?;
            heard.stream.flush().await.map_err(|_| Error::Ended)?;
        }
    }
}

/// Ends signalling together with the peer. js-libp2p gives up a way that it has found when it
/// cannot end the signalling, and the circuit goes as soon as the way is there.
async fn part(mut stream: libp2p::Stream) {
    // Nobody waits longer for a circuit that is stuck.
    drop(stream.close().await);
    let mut room = [0; READ_BYTES];
    while stream.read(&mut room).await.is_ok_and(|count| count > 0) {}
}

/// What happens next.
fn next(
    peer: &Peer,
    socket: Option<&Socket>,
    heard: &mut Heard,
    agreed: bool,
    cx: &mut Context<'_>,
) -> Poll<Result<Input, Error>> {
    match socket.map_or(Poll::Pending, |socket| socket.poll_open(cx)) {
        Poll::Ready(Ok(())) => return Poll::Ready(Ok(Input::Opened)),
        Poll::Ready(Err(error)) => return Poll::Ready(Err(Error::Host(error.to_string()))),
        Poll::Pending => {}
    }
    if let Poll::Ready(said) = peer.poll_said(cx) {
        return Poll::Ready(said);
    }
    loop {
        if let Some(message) = Message::take(&mut heard.bytes)? {
            return Poll::Ready(Ok(Input::Message(message)));
        }
        if heard.ended {
            // Once both have described themselves, the rest is between the hosts.
            return if agreed { Poll::Pending } else { Poll::Ready(Err(Error::Ended)) };
        }
        let mut room = [0; READ_BYTES];
        match Pin::new(&mut heard.stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(0) | Err(_)) => heard.ended = true,
            Poll::Ready(Ok(count)) => {
                heard.bytes.extend_from_slice(room.get(..count).unwrap_or_default());
            }
            Poll::Pending => return Poll::Pending,
        }
    }
}
