//! Whole streams over pipes that deliver whatever they like, whenever they like.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::executor::block_on;
use futures::future::join;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use proptest::prelude::*;

use super::*;
use crate::channel::record::{DATA_BYTES_MAX, Opener, Sealer};
use crate::channel::stream::Stream;
use crate::rng::Rng;

/// Bytes on their way in one direction.
#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    closed: bool,
}

/// One end of a pipe that holds `room` bytes and passes on at most `chunk` of them at a time, with
/// refusals in between.
pub(super) struct Pipe {
    from: Arc<Mutex<Way>>,
    to: Arc<Mutex<Way>>,
    room: usize,
    chunk: usize,
    rng: Rng,
}

pub(super) fn pipes(room: usize, chunk: usize, seed: u64) -> (Pipe, Pipe) {
    let (one, other) = (Arc::<Mutex<Way>>::default(), Arc::<Mutex<Way>>::default());
    let pipe = |from: &Arc<_>, to: &Arc<_>, stream| Pipe {
        from: Arc::clone(from),
        to: Arc::clone(to),
        room,
        chunk,
        rng: Rng::from_u64_stream(seed, stream),
    };
    (pipe(&one, &other, 0), pipe(&other, &one, 1))
}

impl Pipe {
    /// How much passes this time; `None` for a refusal.
    fn moves(&mut self, possible: usize, cx: &Context<'_>) -> Option<usize> {
        if possible == 0 || self.rng.below(4) == 0 {
            cx.waker().wake_by_ref();
            return None;
        }
        let most = u32::try_from(possible.min(self.chunk)).unwrap();
        Some(usize::try_from(self.rng.below(most)).unwrap() + 1)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let from = Arc::clone(&self.from);
        let mut from = from.lock().unwrap();
        if from.bytes.is_empty() && from.closed {
            return Poll::Ready(Ok(0));
        }
        let Some(count) = self.moves(from.bytes.len().min(into.len()), cx) else {
            return Poll::Pending;
        };
        for to in &mut into[..count] {
            *to = from.bytes.pop_front().unwrap();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let to = Arc::clone(&self.to);
        let mut to = to.lock().unwrap();
        assert!(!to.closed, "written after the end");
        let possible = (self.room - to.bytes.len()).min(bytes.len());
        let Some(count) = self.moves(possible, cx) else {
            return Poll::Pending;
        };
        to.bytes.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.to.lock().unwrap().closed = true;
        Poll::Ready(Ok(()))
    }
}

/// The two ends of a channel whose handshake is done.
pub(super) fn streams(ends: (Pipe, Pipe), rekey_frames: u64) -> (Stream<Pipe>, Stream<Pipe>) {
    let Run { initiator, responder, .. } = run(&credentials(1), &credentials(2), 3).unwrap();
    let stream = |pipe, session: Session| {
        let sealer = Sealer::rekeying(session.send, rekey_frames);
        Stream::of(pipe, sealer, Opener::rekeying(session.receive, rekey_frames))
    };
    (stream(ends.0, initiator), stream(ends.1, responder))
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Rng::from_u64(seed).fill(&mut bytes);
    bytes
}

/// Writes in pieces, with flushes at the places that `flushes` says, and closes.
async fn say(stream: &mut Stream<Pipe>, data: &[u8], piece: usize, flushes: bool) {
    for part in data.chunks(piece) {
        stream.write_all(part).await.unwrap();
        if flushes {
            stream.flush().await.unwrap();
        }
    }
    stream.close().await.unwrap();
}

async fn hear(stream: &mut Stream<Pipe>, piece: usize) -> io::Result<Vec<u8>> {
    let (mut all, mut part) = (Vec::new(), vec![0; piece]);
    loop {
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Ok(all);
        }
        all.extend_from_slice(&part[..count]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read_whatever_the_pipe_does(
        room in 1_usize..200_000,
        chunk in 1_usize..100_000,
        piece in 1_usize..80_000,
        lengths in (0_usize..200_000, 0_usize..20_000),
        flushes in any::<bool>(),
        rekey_frames in 1_u64..5,
        seed in any::<u64>(),
    ) {
        let ends = pipes(room, chunk.max(lengths.0 / 2_000), seed);
        let (mut one, mut other) = streams(ends, rekey_frames);
        let (there, back) = (noise(lengths.0, seed), noise(lengths.1, !seed));
        let piece = piece.max(lengths.0 / 500);
        block_on(async {
            join(say(&mut one, &there, piece, flushes), async {
                // Half closed: the other way still carries everything.
                assert!(hear(&mut other, piece).await.unwrap() == there);
            }).await;
            join(say(&mut other, &back, piece, flushes), async {
                assert!(hear(&mut one, piece).await.unwrap() == back);
            }).await;
        });
    }
}

#[test]
fn a_handshake_and_data_go_through_a_pipe_of_single_bytes() {
    let (one, other) = pipes(1, 1, 5);
    let (alice, bob) = (credentials(1), credentials(2));
    let (alice_first, bob_first) = (randomness(3), randomness(4));
    block_on(async {
        let (one, other) = join(
            Stream::initiate(one, &alice, &alice_first),
            Stream::respond(other, &bob, &bob_first),
        )
        .await;
        let ((of_one, mut one), (of_other, mut other)) = (one.unwrap(), other.unwrap());
        assert_eq!((&of_one, &of_other), (bob.own(), alice.own()));
        let heard = join(say(&mut one, b"data", 4, false), hear(&mut other, 4)).await.1;
        assert_eq!(heard.unwrap(), b"data");
    });
}

#[test]
fn an_initiator_says_nothing_of_itself_to_a_responder_that_proves_nothing() {
    let (one, mut other) = pipes(1 << 20, 1 << 20, 5);
    let heard = block_on(async {
        other.write_all(&vec![0; SECOND_BYTES]).await.unwrap();
        other.close().await.unwrap();
        Stream::initiate(one, &credentials(1), &randomness(3)).await.map(|_| ()).unwrap_err();
        other.from.lock().unwrap().bytes.len()
    });
    assert_eq!(heard, FIRST_BYTES);
}

/// What goes over the wire for `data`, and an end that reads it.
fn sealed(data: &[u8], ends: bool) -> (Vec<u8>, Opener) {
    let Run { initiator, responder, .. } = run(&credentials(1), &credentials(2), 3).unwrap();
    let (mut sealer, mut wire) = (Sealer::new(initiator.send), Vec::new());
    let mut drain = |sealer: &mut Sealer| {
        wire.extend_from_slice(sealer.unsent());
        let sent = sealer.unsent().len();
        sealer.sent(sent);
    };
    let mut rest = data;
    while !rest.is_empty() {
        let taken = sealer.write(rest).unwrap();
        rest = &rest[taken..];
        drain(&mut sealer);
    }
    sealer.flush().unwrap();
    drain(&mut sealer);
    if ends {
        sealer.end().unwrap();
        drain(&mut sealer);
    }
    (wire, Opener::new(responder.receive))
}

/// All that an end reads of a wire that stops.
fn opened(wire: &[u8], mut opener: Opener) -> Result<Vec<u8>, Error> {
    let (mut rest, mut all, mut part) = (wire, Vec::new(), vec![0; 1_000]);
    loop {
        match opener.read(&mut part)? {
            Some(0) => return Ok(all),
            Some(count) => all.extend_from_slice(&part[..count]),
            None => {
                let room = opener.room();
                let (size, count) = (room.len(), room.len().min(rest.len()));
                assert!(size > 0, "an end that wants bytes has room for some");
                room[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                opener.came(size, count)?;
                if count == 0 {
                    opener.over()?;
                }
            }
        }
    }
}

#[test]
fn a_wire_cut_anywhere_is_noticed() {
    let data = noise(3 * DATA_BYTES_MAX / 2, 1);
    let (wire, opener) = sealed(&data, true);
    assert!(opened(&wire, opener) == Ok(data.clone()), "the control");
    let (without_end, opener) = sealed(&data, false);
    assert_eq!(opened(&without_end, opener), Err(Error::Truncated));
    for cut in [0, 1, 2, 3, 17, 65_536, 65_537, 65_538, wire.len() - 18, wire.len() - 1] {
        let (wire, opener) = sealed(&data, true);
        assert_eq!(opened(&wire[..cut], opener), Err(Error::Truncated), "cut at {cut}");
    }
}

#[test]
fn frames_changed_swapped_repeated_or_left_out_are_refused() {
    let data = noise(2 * DATA_BYTES_MAX, 1);
    let frame = 2 + DATA_BYTES_MAX + 16;
    let attempt = |change: &dyn Fn(&mut Vec<u8>)| {
        let (mut wire, opener) = sealed(&data, true);
        change(&mut wire);
        opened(&wire, opener)
    };
    assert!(attempt(&|_| {}) == Ok(data.clone()), "the control");
    assert_eq!(attempt(&|wire| wire[2] ^= 1), Err(Error::Tag));
    assert_eq!(attempt(&|wire| drop(wire.drain(..frame))), Err(Error::Tag));
    assert_eq!(attempt(&|wire| wire[..2 * frame].rotate_left(frame)), Err(Error::Tag));
    let repeated = attempt(&|wire| {
        let first = wire[..frame].to_vec();
        wire.splice(frame..frame, first);
    });
    assert_eq!(repeated, Err(Error::Tag));
    // The end in front of everything, and the shortest frame that is none.
    assert_eq!(attempt(&|wire| wire.rotate_right(18)), Err(Error::Tag));
    let short = attempt(&|wire| wire[..2].copy_from_slice(&[0, 15]));
    assert_eq!(short.map_err(|error| error.code()), Err("channel-length"));
}

#[test]
fn what_follows_a_frame_that_was_wrong_is_not_read() {
    let (mut wire, mut opener) = sealed(b"data", true);
    wire[2] ^= 1;
    opener.room().copy_from_slice(&wire[..2]);
    opener.came(2, 2).unwrap();
    let room = opener.room();
    let size = room.len();
    room.copy_from_slice(&wire[2..2 + size]);
    assert_eq!(opener.came(size, size), Err(Error::Tag));
    assert_eq!(opener.read(&mut [0; 4]), Err(Error::Tag));
    assert!(opener.room().is_empty(), "and nothing more is taken");
}

#[test]
fn a_reader_that_does_not_read_stops_the_writer_after_one_frame() {
    let (mut one, _other) = streams(pipes(1_000, 1_000, 1), 9);
    let data = noise(10 * DATA_BYTES_MAX, 1);
    let (mut taken, waker) = (0, futures::task::noop_waker());
    for _ in 0..10_000 {
        let mut cx = Context::from_waker(&waker);
        if let Poll::Ready(count) = Pin::new(&mut one).poll_write(&mut cx, &data[taken..]) {
            taken += count.unwrap();
        }
    }
    assert_eq!(taken, DATA_BYTES_MAX, "and the pipe holds the first thousand bytes of it");
}

#[test]
fn nothing_is_written_after_the_end() {
    let (mut one, _other) = streams(pipes(1_000, 1_000, 1), 9);
    block_on(async {
        one.close().await.unwrap();
        assert_eq!(one.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}
