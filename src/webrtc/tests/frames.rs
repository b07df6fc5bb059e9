//! Frames and messages against another implementation of protocol buffers.

use proptest::prelude::*;
use prost::Message as _;

use crate::limits;
use crate::webrtc::Error;
use crate::webrtc::frame::{self, BODY_BYTES_MAX, DATA_BYTES_MAX, Decoder, Flag, Frame};
use crate::webrtc::signal::{Kind, Message};

/// The frame as the specification writes it down.
#[derive(Clone, PartialEq, prost::Message)]
struct Oracle {
    #[prost(int32, optional, tag = "1")]
    flag: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    message: Option<Vec<u8>>,
}

/// The message of signalling as the specification writes it down.
#[derive(Clone, PartialEq, prost::Message)]
struct Signal {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    data: Option<String>,
}

const FLAGS: [(Flag, i32); 4] =
    [(Flag::Fin, 0), (Flag::StopSending, 1), (Flag::Reset, 2), (Flag::FinAck, 3)];

fn number(flag: Flag) -> i32 {
    FLAGS.iter().find(|(known, _)| *known == flag).unwrap().1
}

/// All frames in `bytes`, pushed in pieces.
fn frames(bytes: &[u8], piece: usize) -> Result<(Vec<Frame>, bool), Error> {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in bytes.chunks(piece) {
        decoder.push(piece);
        while let Some(frame) = decoder.take()? {
            frames.push(frame);
        }
    }
    Ok((frames, decoder.is_within()))
}

fn flag() -> impl Strategy<Value = Option<Flag>> {
    prop_oneof![Just(None), (0..4_usize).prop_map(|place| Some(FLAGS[place].0))]
}

proptest! {
    #[test]
    fn frames_are_what_another_implementation_writes_and_reads(
        sent in prop::collection::vec((flag(), prop::collection::vec(any::<u8>(), 0..40)), 1..6),
        piece in 1_usize..50,
    ) {
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        for (flag, data) in &sent {
            let taken = frame::write(*flag, data, &mut own);
            prop_assert_eq!(taken, data.len());
            let message = (!data.is_empty()).then(|| data.clone());
            let oracle = Oracle { flag: flag.map(number), message };
            theirs.extend(oracle.encode_length_delimited_to_vec());
        }
        prop_assert_eq!(&own, &theirs);
        let (found, within) = frames(&own, piece).unwrap();
        prop_assert!(!within);
        let found: Vec<_> = found.into_iter().map(|frame| (frame.flag, frame.data)).collect();
        prop_assert_eq!(found, sent);
    }

    /// Whatever arrives, what is read of it is what the other implementation reads.
    #[test]
    fn what_is_read_is_what_another_implementation_reads(
        body in prop::collection::vec(any::<u8>(), 0..24)
    ) {
        let mut bytes = vec![u8::try_from(body.len()).unwrap()];
        bytes.extend_from_slice(&body);
        let own = frames(&bytes, 7);
        if let (Ok((frames, within)), Ok(oracle)) = (&own, Oracle::decode(&body[..])) {
            prop_assert!(!within);
            let flag = oracle.flag.and_then(|flag| FLAGS.iter().find(|(_, at)| *at == flag));
            prop_assert_eq!(frames[0].flag, flag.map(|(flag, _)| *flag));
            prop_assert_eq!(&frames[0].data, &oracle.message.unwrap_or_default());
        }
    }

    #[test]
    fn messages_of_signalling_are_what_another_implementation_writes(
        kind in 0_i32..3, data in "\\PC{0,60}", cut in 0_usize..80,
    ) {
        let kinds = [Kind::Offer, Kind::Answer, Kind::Candidate];
        let own = Message { kind: kinds[usize::try_from(kind).unwrap()], data: data.clone() };
        let bytes = own.encode();
        let oracle = Signal { kind: Some(kind), data: Some(data) };
        prop_assert_eq!(&bytes, &oracle.encode_length_delimited_to_vec());
        let mut twice = [bytes.clone(), bytes.clone()].concat();
        prop_assert_eq!(Message::take(&mut twice), Ok(Some(own)));
        prop_assert_eq!(&twice, &bytes);
        let mut part = bytes[..cut.min(bytes.len() - 1)].to_vec();
        prop_assert_eq!(Message::take(&mut part), Ok(None));
    }
}

#[test]
fn the_largest_frame_is_as_large_as_the_specification_allows() {
    for flag in [None, Some(Flag::Fin)] {
        let mut bytes = Vec::new();
        let taken = frame::write(flag, &vec![7; 20_000], &mut bytes);
        assert_eq!(taken, DATA_BYTES_MAX);
        assert!(bytes.len() <= limits::DATA_CHANNEL_FRAME_BYTES_MAX, "{}", bytes.len());
        let (frames, _) = frames(&bytes, 1_000).unwrap();
        assert_eq!(frames, [Frame { flag, data: vec![7; DATA_BYTES_MAX] }]);
    }
}

#[test]
fn a_frame_above_the_bound_is_refused_by_its_length() {
    let body = Oracle { flag: None, message: Some(vec![0; BODY_BYTES_MAX - 2]) };
    assert_eq!(body.encode_length_delimited_to_vec().len(), BODY_BYTES_MAX + 3);
    let bytes = body.encode_length_delimited_to_vec();
    // The first two bytes suffice: nothing is kept of what comes behind them.
    assert!(matches!(frames(&bytes[..2], 2), Err(Error::Limit { found, .. }) if found == 16_383));
    let ten = [0xff; 10];
    assert!(matches!(frames(&ten, 10), Err(Error::Message(_))));
}

#[test]
fn damaged_frames_are_errors_and_later_versions_are_read() {
    let table: [(&[u8], bool); 7] = [
        (&[2, 0x10, 3], false),            // The bytes as a number.
        (&[2, 0x0a, 0], false),            // The flag as bytes.
        (&[2, 0x08, 0x80], false),         // A number that goes on behind the frame.
        (&[3, 0x12, 9, 1], false),         // Bytes that go on behind the frame.
        (&[2, 0x08, 77], true),            // A flag of a later version.
        (&[5, 0x1a, 1, 9, 0x08, 0], true), // A field of a later version before the flag.
        (&[1, 0x0b], false),               // A group, which no version has.
    ];
    for (bytes, sound) in table {
        assert_eq!(frames(bytes, 64).is_ok(), sound, "{bytes:x?}");
    }
    let (frames, _) = frames(&[5, 0x1a, 1, 9, 0x08, 0], 64).unwrap();
    assert_eq!(frames, [Frame { flag: Some(Flag::Fin), data: Vec::new() }]);
}

#[test]
fn long_and_odd_messages_of_signalling_are_refused() {
    let long = Message { kind: Kind::Offer, data: "a".repeat(limits::SIGNAL_BYTES_MAX) };
    assert!(matches!(Message::take(&mut long.encode()), Err(Error::Limit { .. })));
    for odd in [&[2, 0x08, 3][..], &[3, 0x12, 1, 0xff], &[2, 0x10, 1], &[1, 0x08]] {
        let taken = Message::take(&mut odd.to_vec());
        assert!(matches!(taken, Err(Error::Message(_))), "{odd:x?}: {taken:?}");
    }
}
