//! The end of a handshake in a permissioned network: both sides show what they enter with.
//!
//! ```text
//! initiator                                        responder
//!   {length, pass}                                    ->
//!       <-  {0, length, pass}    or    {why not}, and the end
//!   {0}  or  {why not}, and the end                   ->
//! ```
//!
//! All of it is data of a channel that has proved both authors, so nobody else sees a pass, and the
//! responder shows its own only to who was let in. A length has two bytes, big-endian; what stands
//! for a reason is [`Refused::number`]. Before both have said 0 nothing else is read or written, so
//! whoever is not let in has reached no protocol at all.

use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::channel::Peer;
use crate::dag::invite::Refused;
use crate::limits;
use crate::node::Door;

/// A channel, whatever carries it: there are several kinds, and one program for all of them.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Duplex<'a> = dyn Stream + 'a;

/// What stands for "come in".
const ENTER: u8 = 0;

/// Why a handshake ended at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}: {who}: {why}", why.code())]
pub struct NotLetIn {
    /// Why.
    pub why: Refused,
    /// Who refused whom, in words.
    who: &'static str,
    /// Whether this side refused.
    pub by_us: bool,
}

impl NotLetIn {
    const fn by_us(why: Refused) -> Self {
        Self { why, who: "this node does not let the other in", by_us: true }
    }

    const fn by_them(why: Refused) -> Self {
        Self { why, who: "the member does not let this node in", by_us: false }
    }
}

/// Shows this side's pass and looks at the other's, as the side that dialled.
///
/// # Errors
/// What the stream says, or [`NotLetIn`] inside [`io::ErrorKind::PermissionDenied`].
pub async fn initiate(
    stream: &mut Duplex<'_>,
    door: &Door,
    peer: &Peer,
    unix_ms: u64,
) -> io::Result<()> {
    let mut shown = Vec::new();
    push(&mut shown, door.pass());
    say(stream, &shown).await?;
    hear_verdict(stream).await?;
    let called = door.calls(&peer.transport);
    let pass = hear(stream).await?;
    let judged = pass.and_then(|pass| door.judge(&peer.author, &pass, called, unix_ms));
    say_verdict(stream, judged, &[]).await
}

/// The same as the side that was dialled.
///
/// # Errors
/// As [`initiate`].
pub async fn respond(
    stream: &mut Duplex<'_>,
    door: &Door,
    peer: &Peer,
    unix_ms: u64,
) -> io::Result<()> {
    let pass = hear(stream).await?;
    let judged = pass.and_then(|pass| door.judge(&peer.author, &pass, false, unix_ms));
    let mut shown = Vec::new();
    push(&mut shown, door.pass());
    say_verdict(stream, judged, &shown).await?;
    hear_verdict(stream).await
}

fn push(shown: &mut Vec<u8>, pass: &[u8]) {
    let length = u16::try_from(pass.len()).expect("a pass is bounded when it is made");
    shown.extend_from_slice(&length.to_be_bytes());
    shown.extend_from_slice(pass);
}

async fn say(stream: &mut Duplex<'_>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// What the other shows. What is too long is read to its end and forgotten: a stream that is closed
/// with something unread may lose what was said last.
async fn hear(stream: &mut Duplex<'_>) -> io::Result<Result<Vec<u8>, Refused>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let length = usize::from(u16::from_be_bytes(length));
    let mut pass = vec![0; length.min(limits::INVITE_BYTES_MAX)];
    stream.read_exact(&mut pass).await?;
    let mut rest = length - pass.len();
    if rest == 0 {
        return Ok(Ok(pass));
    }
    while rest > 0 {
        let next = rest.min(pass.len());
        stream.read_exact(pass.get_mut(..next).unwrap_or_default()).await?;
        rest -= next;
    }
    Ok(Err(Refused::Malformed))
}

/// Says what was judged; after a yes also what follows it.
async fn say_verdict(
    stream: &mut Duplex<'_>,
    judged: Result<(), Refused>,
    then: &[u8],
) -> io::Result<()> {
    match judged {
        Ok(()) => say(stream, &[&[ENTER], then].concat()).await,
        Err(why) => {
            // In order, or the reason would be lost with the connection. Who is gone needs none.
            let _ = say(stream, &[why.number()]).await;
            let _ = stream.close().await;
            Err(denied(NotLetIn::by_us(why)))
        }
    }
}

async fn hear_verdict(stream: &mut Duplex<'_>) -> io::Result<()> {
    let mut verdict = [0; 1];
    stream.read_exact(&mut verdict).await?;
    let [verdict] = verdict;
    if verdict == ENTER {
        return Ok(());
    }
    Err(denied(NotLetIn::by_them(Refused::of_number(verdict))))
}

fn denied(why: NotLetIn) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
