//! Streams: every short story of both ends against a plain oracle, and whole streams over a pipe.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::executor::block_on;
use futures::future::{join, poll_immediate};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::limits;
use crate::webrtc::frame::{self, Decoder, Flag, Frame};
use crate::webrtc::stream::{Reading, State, Stream, Writing};

/// What can happen to one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Heard(Option<Flag>),
    Finish,
}

const STEPS: [Step; 6] = [
    Step::Heard(None),
    Step::Heard(Some(Flag::Fin)),
    Step::Heard(Some(Flag::FinAck)),
    Step::Heard(Some(Flag::StopSending)),
    Step::Heard(Some(Flag::Reset)),
    Step::Finish,
];

/// The same from the whole story at once: what was heard and done before decides.
fn oracle(story: &[Step]) -> State {
    let at = |step: Step| story.iter().position(|other| *other == step);
    let (fin, reset) = (at(Step::Heard(Some(Flag::Fin))), at(Step::Heard(Some(Flag::Reset))));
    let before = |one: Option<usize>, other: Option<usize>| match (one, other) {
        (Some(one), Some(other)) => one < other,
        (one, None) => one.is_some(),
        (None, _) => false,
    };
    let reading = match (fin, reset) {
        (None, None) => Reading::Open,
        _ if before(fin, reset) => Reading::Finished,
        _ => Reading::Reset,
    };
    let stop = at(Step::Heard(Some(Flag::StopSending)));
    let finish =
        at(Step::Finish).filter(|at| ![stop, reset].into_iter().flatten().any(|other| other < *at));
    let acknowledged = finish.and_then(|finish| {
        story
            .iter()
            .enumerate()
            .position(|(place, step)| place > finish && *step == Step::Heard(Some(Flag::FinAck)))
    });
    let writing = match (reset, stop) {
        _ if before(acknowledged, reset) => Writing::Finished,
        (Some(_), _) => Writing::Reset,
        _ if finish.is_some() => Writing::Finishing,
        (None, Some(_)) => Writing::Stopped,
        (None, None) => Writing::Open,
    };
    State { reading, writing }
}

#[test]
fn every_story_of_six_steps_ends_as_the_oracle_says() {
    let mut stories = 0;
    for length in 0..=6_u32 {
        for number in 0..6_usize.pow(length) {
            let story: Vec<Step> =
                (0..length).map(|place| STEPS[number / 6_usize.pow(place) % 6]).collect();
            let (mut state, mut ended, mut acknowledged) = (State::default(), 0, 0);
            for (place, step) in story.iter().enumerate() {
                let was = oracle(&story[..place]);
                match step {
                    Step::Heard(flag) => {
                        let (is_read, answer) = state.on_frame(*flag);
                        let is_open = was.reading == Reading::Open;
                        assert_eq!(is_read, is_open && *flag != Some(Flag::Reset), "{story:?}");
                        assert!(answer.is_none() || answer == Some(Flag::FinAck), "{story:?}");
                        acknowledged += usize::from(answer.is_some());
                    }
                    Step::Finish => ended += usize::from(state.finish() == Some(Flag::Fin)),
                }
                assert_eq!(state, oracle(&story[..=place]), "{story:?}");
            }
            assert!(ended <= 1 && acknowledged <= 1, "each is said once: {story:?}");
            assert_eq!(acknowledged == 1, state.reading == Reading::Finished, "{story:?}");
            stories += 1;
        }
    }
    assert_eq!(stories, 55_987);
}

/// Messages on their way in one direction, as a data channel carries them.
#[derive(Default)]
struct Way {
    messages: VecDeque<Vec<u8>>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    largest: usize,
}

/// One end of a channel that holds a few messages and gives each in pieces.
struct End {
    from: Rc<RefCell<Way>>,
    to: Rc<RefCell<Way>>,
    piece: usize,
}

fn ends(piece: usize) -> (End, End) {
    let (one, other) = (Rc::<RefCell<Way>>::default(), Rc::<RefCell<Way>>::default());
    let end = |from: &Rc<_>, to: &Rc<_>| End { from: Rc::clone(from), to: Rc::clone(to), piece };
    (end(&one, &other), end(&other, &one))
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = self.from.borrow_mut();
        let Some(message) = way.messages.front_mut() else {
            way.reader = Some(cx.waker().clone());
            return if way.closed { Poll::Ready(Ok(0)) } else { Poll::Pending };
        };
        let count = message.len().min(into.len()).min(self.piece);
        into[..count].copy_from_slice(&message[..count]);
        message.drain(..count);
        if message.is_empty() {
            way.messages.pop_front();
        }
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = self.to.borrow_mut();
        if way.messages.len() >= 3 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.messages.push_back(from.to_vec());
        way.largest = way.largest.max(from.len());
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = self.to.borrow_mut();
        way.closed = true;
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

/// The frames that are on their way and were not read.
fn on_the_way(way: &Rc<RefCell<Way>>) -> Vec<Frame> {
    let mut decoder = Decoder::default();
    decoder.push(&way.borrow().messages.iter().flatten().copied().collect::<Vec<_>>());
    std::iter::from_fn(|| decoder.take().unwrap()).collect()
}

/// Puts frames of the peer on the way.
fn say(way: &Rc<RefCell<Way>>, frames: &[(Option<Flag>, &[u8])]) {
    for (flag, data) in frames {
        let mut bytes = Vec::new();
        frame::write(*flag, data, &mut bytes);
        way.borrow_mut().messages.push_back(bytes);
    }
}

#[test]
fn both_directions_arrive_whole_and_end_with_their_acknowledgement() {
    for piece in [1_000, 3, 100_000] {
        let (one, other) = ends(piece);
        let ways = [Rc::clone(&one.to), Rc::clone(&other.to)];
        let bytes: Vec<u8> = (0..90_001_u32).map(|at| at.to_le_bytes()[0] ^ 7).collect();
        let run = |end: End, bytes: Vec<u8>| async move {
            let mut stream = Stream::new(end);
            let (mut reader, mut writer) = (&mut stream).split();
            let mut heard = Vec::new();
            let writing = async {
                writer.write_all(&bytes).await.unwrap();
                writer.close().await.unwrap();
            };
            let ((), read) = join(writing, reader.read_to_end(&mut heard)).await;
            read.unwrap();
            assert_eq!(heard, bytes);
            drop((reader, writer));
            let state = stream.state();
            assert_eq!((state.reading, state.writing), (Reading::Finished, Writing::Finished));
        };
        block_on(join(run(one, bytes.clone()), run(other, bytes)));
        for way in ways {
            let largest = way.borrow().largest;
            assert!(largest <= limits::DATA_CHANNEL_FRAME_BYTES_MAX, "{largest}");
            assert!(largest > 16_000, "frames are not full: {largest}");
        }
    }
}

#[test]
fn a_channel_that_is_gone_without_an_end_is_an_error() {
    let (one, mut other) = ends(100);
    let (from, mut stream) = (Rc::clone(&one.from), Stream::new(one));
    say(&from, &[(None, b"begun")]);
    block_on(other.close()).unwrap();
    let mut heard = Vec::new();
    let error = block_on(stream.read_to_end(&mut heard)).unwrap_err();
    assert_eq!((error.kind(), &heard[..]), (io::ErrorKind::UnexpectedEof, &b"begun"[..]));
}

#[test]
fn what_a_peer_says_ends_the_direction_that_it_is_about() {
    let (one, _other) = ends(100);
    let (from, to, mut stream) = (Rc::clone(&one.from), Rc::clone(&one.to), Stream::new(one));
    say(&from, &[(Some(Flag::Fin), b"last"), (None, b"more"), (Some(Flag::Fin), b"again")]);
    let mut heard = Vec::new();
    block_on(stream.read_to_end(&mut heard)).unwrap();
    assert_eq!(heard, b"last");
    block_on(stream.write_all(b"still")).unwrap();
    let sent = on_the_way(&to);
    assert_eq!(sent[0], Frame { flag: Some(Flag::FinAck), data: Vec::new() });
    assert_eq!((sent.len(), &sent[1].data[..]), (2, &b"still"[..]));

    for (flag, read, write) in [
        (Flag::StopSending, None, io::ErrorKind::BrokenPipe),
        (Flag::Reset, Some(io::ErrorKind::ConnectionReset), io::ErrorKind::ConnectionReset),
    ] {
        let (one, _other) = ends(100);
        let (from, mut stream) = (Rc::clone(&one.from), Stream::new(one));
        say(&from, &[(Some(flag), b"")]);
        let heard = block_on(poll_immediate(stream.read(&mut [0; 9])));
        assert_eq!(heard.map(|read| read.unwrap_err().kind()), read, "{flag:?}");
        let error = block_on(stream.write_all(b"words")).unwrap_err();
        assert_eq!(error.kind(), write, "{flag:?}");
    }
}

#[test]
fn closing_waits_for_the_acknowledgement_and_for_what_must_be_read_before_it() {
    let (one, _other) = ends(100);
    let (from, to, mut stream) = (Rc::clone(&one.from), Rc::clone(&one.to), Stream::new(one));
    say(&from, &[(None, b"unread"), (Some(Flag::FinAck), b"")]);
    assert!(block_on(poll_immediate(stream.close())).is_none());
    assert_eq!(on_the_way(&to), [Frame { flag: Some(Flag::Fin), data: Vec::new() }]);
    let mut heard = [0; 6];
    block_on(stream.read_exact(&mut heard)).unwrap();
    assert_eq!(&heard, b"unread");
    block_on(stream.close()).unwrap();
    assert!(to.borrow().closed);
    let error = block_on(stream.write_all(b"more")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// A stream that has sent `before` and heard `heard`, and the ways of it.
fn stream_that(
    before: &[u8],
    heard: &[(Option<Flag>, &[u8])],
) -> (Stream<End>, [Rc<RefCell<Way>>; 2]) {
    let (one, _other) = ends(100_000);
    let ways = [Rc::clone(&one.from), Rc::clone(&one.to)];
    let mut stream = Stream::new(one);
    block_on(stream.write_all(before)).unwrap();
    say(&ways[0], heard);
    (stream, ways)
}

/// The closing side of a request waits for an answer, which may come before the acknowledgement:
/// a `close` that waited for that would wait for ever, as nobody reads meanwhile.
#[test]
fn a_direction_is_finished_without_waiting_for_what_the_peer_says() {
    let answer: &[(Option<Flag>, &[u8])] = &[(None, b"an answer"), (Some(Flag::FinAck), b"")];
    let (mut stream, [_, to]) = stream_that(b"a question", answer);
    let finish = std::future::poll_fn(|cx| stream.poll_finish(cx));
    assert!(matches!(block_on(poll_immediate(finish)), Some(Ok(()))));
    assert_eq!(on_the_way(&to)[1], Frame { flag: Some(Flag::Fin), data: Vec::new() });
    let mut heard = [0; 9];
    block_on(stream.read_exact(&mut heard)).unwrap();
    assert_eq!(&heard, b"an answer");
    // The control: closing has to wait.
    let (mut stream, _) = stream_that(b"a question", answer);
    assert!(block_on(poll_immediate(stream.close())).is_none());
}

#[test]
fn giving_up_says_what_the_peer_has_to_know_and_waits_for_the_acknowledgement_alone() {
    type Heard = &'static [(Option<Flag>, &'static [u8])];
    // What was heard and read, whether the own direction was finished, and what is said then.
    let table: [(Heard, bool, Option<Flag>); 5] = [
        (&[], false, Some(Flag::Reset)),
        (&[(Some(Flag::Fin), b"")], false, Some(Flag::Fin)),
        (&[], true, Some(Flag::StopSending)),
        (&[(Some(Flag::Fin), b"")], true, None),
        (&[(Some(Flag::Reset), b"")], false, None),
    ];
    for (heard, finishes, flag) in table {
        let (mut stream, [from, to]) = stream_that(b"", heard);
        drop(block_on(poll_immediate(stream.read(&mut [0; 9]))));
        if finishes {
            block_on(std::future::poll_fn(|cx| stream.poll_finish(cx))).unwrap();
        }
        to.borrow_mut().messages.clear();
        stream.give_up();
        say(&from, &[(None, b"dropped")]);
        let linger = |stream: &mut Stream<End>| {
            block_on(poll_immediate(std::future::poll_fn(|cx| stream.poll_linger(cx)))).is_some()
        };
        let waits = finishes || flag == Some(Flag::Fin);
        assert_eq!(linger(&mut stream), !waits, "{heard:?} {finishes}");
        let said: Vec<_> = on_the_way(&to).into_iter().filter_map(|frame| frame.flag).collect();
        let expected: Vec<_> = flag.into_iter().collect();
        assert_eq!(said, expected, "{heard:?} {finishes}");
        say(&from, &[(Some(Flag::FinAck), b"")]);
        assert!(linger(&mut stream), "{heard:?} {finishes}");
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn frames_that_bring_nothing_are_taken_in_turns_with_everything_else() {
    let most = limits::DATA_CHANNEL_FRAMES_PER_POLL;
    // As many as fit into one turn with the bytes behind them, one more, and several times as many.
    for (empty, turns) in [(1, 0), (most - 2, 0), (most - 1, 1), (5 * most + 3, 5)] {
        let (one, _other) = ends(100_000);
        let (from, mut stream) = (Rc::clone(&one.from), Stream::new(one));
        from.borrow_mut().messages.push_back(vec![0; empty]);
        say(&from, &[(None, b"at last")]);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let (mut polls, mut heard) = (0, [0; 7]);
        loop {
            let mut cx = Context::from_waker(&waker);
            match Pin::new(&mut stream).poll_read(&mut cx, &mut heard) {
                Poll::Ready(read) => break assert_eq!(read.unwrap(), 7),
                Poll::Pending => polls += 1,
            }
            assert_eq!(count.0.load(Ordering::Relaxed), polls, "it must be woken once a turn");
        }
        assert_eq!((polls, &heard), (turns, b"at last"), "behind {empty} frames");
        assert_eq!(count.0.load(Ordering::Relaxed), turns, "nobody else wakes it");
    }
}

#[test]
fn closing_does_not_listen_to_empty_frames_without_a_pause() {
    let (one, _other) = ends(100_000);
    let (from, mut stream) = (Rc::clone(&one.from), Stream::new(one));
    from.borrow_mut().messages.push_back(vec![0; limits::DATA_CHANNEL_FRAMES_PER_POLL]);
    say(&from, &[(Some(Flag::FinAck), b"")]);
    assert!(block_on(poll_immediate(stream.close())).is_none(), "the first turn");
    assert!(matches!(block_on(poll_immediate(stream.close())), Some(Ok(()))), "the second one");
}
