//! What is fuzzed of WebRTC: frames of a data channel, and what a peer says while signalling.

use synaptic_mesh::limits;
use synaptic_mesh::webrtc::Error;
use synaptic_mesh::webrtc::frame::{self, Decoder, Flag, Frame};
use synaptic_mesh::webrtc::signal::{Input, Kind, Message, Output, Role, State};

/// A description of a data channel, as short as it may be.
const SDP: &str = "m=application 9\r\na=fingerprint:sha-256 AB\r\n";

/// The first byte says what the rest is.
pub(crate) fn webrtc(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 3 {
        0 => frames(bytes),
        1 => signalling(Role::Offerer, bytes),
        _ => signalling(Role::Answerer, bytes),
    }
}

/// The same frames come of the same bytes, however they arrive, and what was read can be written.
fn frames(bytes: &[u8]) {
    let (whole, end) = read(bytes, bytes.len().max(1));
    for piece in [1, 7] {
        assert_eq!(read(bytes, piece), (whole.clone(), end.clone()), "pieces of {piece}");
    }
    let mut again = Vec::new();
    for Frame { flag, data } in &whole {
        assert_eq!(frame::write(*flag, data, &mut again), data.len(), "a frame that was too long");
    }
    assert_eq!(read(&again, 64), (whole, None));
}

fn read(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<Error>) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.take() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// A host that does at once what it is asked. It is never told a candidate before a description,
/// nor more than is allowed, nor two descriptions.
fn signalling(role: Role, bytes: &[u8]) {
    let (mut state, mut bytes) = (State::new(role), bytes.to_vec());
    let (mut described, mut added) = (0, 0);
    let mut inputs = vec![Input::Candidate("null".to_owned())];
    if role == Role::Offerer {
        inputs.push(Input::Described(SDP.to_owned()));
    }
    loop {
        let mut out = Vec::new();
        for input in inputs.drain(..) {
            if state.handle(input, &mut out).is_err() {
                return;
            }
        }
        for output in out {
            match output {
                Output::Answer(_) | Output::Apply(_) => {
                    described += 1;
                    inputs.push(match role {
                        Role::Offerer => Input::Applied,
                        Role::Answerer => Input::Described(SDP.to_owned()),
                    });
                }
                Output::Add(candidate) => {
                    assert_eq!(described, 1, "a candidate before the description");
                    assert!(candidate.len() <= limits::ICE_CANDIDATE_BYTES_MAX);
                    added += 1;
                }
                Output::Send(_) | Output::Done => {}
            }
        }
        assert!(described <= 1 && added <= limits::SIGNAL_MESSAGES_MAX);
        if inputs.is_empty() {
            let Ok(Some(message)) = Message::take(&mut bytes) else { return };
            assert!(message.data.len() <= limits::SIGNAL_BYTES_MAX);
            let mut again = message.encode();
            assert_eq!(Message::take(&mut again), Ok(Some(message.clone())));
            inputs.push(Input::Message(message));
        }
    }
}

/// A stream with every flag, and what either side hears in a signalling.
pub(super) fn conversations() -> Vec<Vec<u8>> {
    let mut stream = vec![0];
    for flag in [Flag::StopSending, Flag::Fin, Flag::FinAck, Flag::Reset] {
        frame::write(None, b"what is said on a data channel", &mut stream);
        frame::write(Some(flag), &[], &mut stream);
    }
    let side = |byte, kind, first: &str| {
        let candidate = |data: &str| Message { kind: Kind::Candidate, data: data.to_owned() };
        let messages = [
            candidate("{\"candidate\":\"\"}"),
            Message { kind, data: first.to_owned() },
            candidate("{\"candidate\":\"candidate:1 1 udp 1 192.0.2.1 9 typ host\"}"),
            candidate("null"),
        ];
        let encoded = messages.iter().flat_map(Message::encode);
        std::iter::once(byte).chain(encoded).collect::<Vec<u8>>()
    };
    vec![stream, side(1, Kind::Answer, SDP), side(2, Kind::Offer, SDP)]
}
