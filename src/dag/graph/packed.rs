//! Stubs as bytes, for stores and snapshots.
//!
//! An id takes its 32 bytes. Everything else nearly always follows from what stands before: the
//! author's next position, a Lamport time close to the last, the same epoch, the same proofs. So
//! four bytes say it, as differences, each a number in as few bytes as it takes (LEB128, the sign
//! in the lowest bit). One order of stubs has one form.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serializer, de};
use serde_bytes::ByteBuf;

use super::floor::Stub;
use crate::crypto::hash::Digest;
use crate::dag::VertexId;

pub(super) fn serialize<S: Serializer>(stubs: &[Stub], out: S) -> Result<S::Ok, S::Error> {
    out.serialize_bytes(&pack(stubs))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Stub>, D::Error> {
    let bytes = ByteBuf::deserialize(from)?;
    unpack(&bytes).ok_or_else(|| de::Error::custom("stubs are cut, or a number is too large"))
}

/// What follows from the stubs before, if nothing changes.
#[derive(Default)]
struct Context {
    /// Of each author: the next position, the epoch, and the place of the accused.
    authors: BTreeMap<u32, (u64, u32, u32)>,
    lamport: u64,
}

impl Context {
    fn of(&self, author: u32) -> (u64, u32, u32) {
        self.authors.get(&author).copied().unwrap_or_default()
    }

    fn note(&mut self, stub: &Stub) {
        let next = stub.seq.wrapping_add(1);
        self.authors.insert(stub.author, (next, stub.epoch, stub.accused));
        self.lamport = stub.lamport;
    }
}

fn pack(stubs: &[Stub]) -> Vec<u8> {
    let (mut context, mut out) = (Context::default(), Vec::with_capacity(stubs.len() * 36));
    for stub in stubs {
        let (next, epoch, accused) = context.of(stub.author);
        let is_other = (stub.epoch, stub.accused) != (epoch, accused);
        out.extend(stub.id.0.0);
        put(u64::from(stub.author) << 1 | u64::from(is_other), &mut out);
        put(difference(stub.seq, next), &mut out);
        put(difference(stub.lamport, context.lamport), &mut out);
        if is_other {
            put(u64::from(stub.epoch), &mut out);
            put(u64::from(stub.accused), &mut out);
        }
        context.note(stub);
    }
    out
}

fn unpack(mut rest: &[u8]) -> Option<Vec<Stub>> {
    let (mut context, mut stubs) = (Context::default(), Vec::new());
    while !rest.is_empty() {
        let (id, after) = rest.split_first_chunk::<32>()?;
        rest = after;
        let author = take(&mut rest)?;
        let is_other = author & 1 == 1;
        let author = u32::try_from(author >> 1).ok()?;
        let (next, mut epoch, mut accused) = context.of(author);
        let seq = sum(next, take(&mut rest)?);
        let lamport = sum(context.lamport, take(&mut rest)?);
        if is_other {
            epoch = u32::try_from(take(&mut rest)?).ok()?;
            accused = u32::try_from(take(&mut rest)?).ok()?;
        }
        let stub = Stub { id: VertexId(Digest(*id)), author, seq, lamport, epoch, accused };
        context.note(&stub);
        stubs.push(stub);
    }
    Some(stubs)
}

/// What leads from `from` to `to`: small for numbers that are close, whichever is greater.
fn difference(to: u64, from: u64) -> u64 {
    let ahead = to.wrapping_sub(from);
    if ahead >> 63 == 0 { ahead << 1 } else { !ahead << 1 | 1 }
}

fn sum(from: u64, difference: u64) -> u64 {
    let half = difference >> 1;
    from.wrapping_add(if difference & 1 == 0 { half } else { !half })
}

fn put(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// The number at the beginning, in no more bytes than it takes.
fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits || (*byte == 0 && shift > 0) {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stub(number: u8, author: u32, seq: u64, lamport: u64, rest: (u32, u32)) -> Stub {
        let id = VertexId(Digest([number; 32]));
        Stub { id, author, seq, lamport, epoch: rest.0, accused: rest.1 }
    }

    #[test]
    fn what_follows_takes_four_bytes_at_most_and_the_bytes_are_these() {
        let stubs = [
            stub(1, 0, 7, 300, (0, 0)),
            stub(2, 1, 0, 299, (0, 1)),
            stub(3, 0, 8, 301, (0, 0)),
            stub(4, 1, 1, 301, (0, 1)),
        ];
        let tails: [&[u8]; 4] = [&[0, 14, 0xd8, 4], &[3, 0, 1, 0, 1], &[0, 0, 4], &[2, 0, 0]];
        let bytes: Vec<u8> = (1..)
            .zip(tails)
            .flat_map(|(number, tail)| [[number; 32].as_slice(), tail].concat())
            .collect();
        assert_eq!(pack(&stubs), bytes);
        assert_eq!(unpack(&bytes).unwrap(), stubs);
        let ends: Vec<usize> =
            (0..bytes.len()).filter(|at| unpack(&bytes[..*at]).is_some()).collect();
        assert_eq!(ends, [0, 36, 73, 108], "cut anywhere else it is refused");
    }

    #[test]
    fn numbers_that_are_too_large_or_too_long_are_refused() {
        let id = [1; 32].as_slice();
        let most: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(unpack(&[id, &[0], most, &[0]].concat()).unwrap()[0].seq, 1 << 63);
        for number in [&[0x80, 0][..], &[most, &[0]].concat(), &[&most[..9], &[2]].concat()] {
            assert_eq!(unpack(&[id, &[0], number, &[0]].concat()), None, "{number:?}");
        }
        let author: &[u8] = &[0x80, 0x80, 0x80, 0x80, 0x20];
        assert_eq!(unpack(&[id, author, &[0, 0]].concat()), None);
    }

    type Said = (u32, u64, u64, u32);

    proptest! {
        #[test]
        fn whatever_they_say_they_come_back(
            said in prop::collection::vec(any::<Said>(), 0..20)
        ) {
            let of = |(author, seq, lamport, rest): Said| {
                stub(9, author % 4, seq, lamport, (rest % 2, rest / 3))
            };
            let stubs: Vec<Stub> = said.into_iter().map(of).collect();
            prop_assert_eq!(unpack(&pack(&stubs)), Some(stubs));
        }
    }
}
