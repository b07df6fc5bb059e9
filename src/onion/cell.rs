//! Cells: making one for a path, and taking one layer off.

use super::reply::{Back, HopKeys, Secrets};
use super::{
    CELL_BYTES, Error, HEADER_BYTES, HOPS, Hop, SEALED_BYTES, SLOT_BYTES, TAG_BYTES, info, padded,
    unpadded,
};
use crate::crypto::hpke;
use crate::crypto::kem::{self, CIPHERTEXT_BYTES, DecapsulationKey};
use crate::identity::{AuthorId, NetworkId};
use crate::limits::ONION_QUESTION_BYTES;

/// What a slot says: pass the cell on.
const FORWARD: u8 = 1;
/// What a slot says: answer the question.
const EXIT: u8 = 2;

/// A cell without its layer.
#[derive(Debug)]
pub struct Peeled {
    /// The period the asker made it in; see [`super::Seen`].
    pub period: u32,
    /// What to remember it by.
    pub seen: [u8; 16],
    /// What to do with it.
    pub step: Step,
    /// With what to answer it.
    pub keys: HopKeys,
}

/// What a hop is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Pass this cell on.
    Forward {
        /// To whom.
        next: AuthorId,
        /// A cell of [`CELL_BYTES`].
        cell: Vec<u8>,
    },
    /// Answer.
    Exit {
        /// The question, at most [`super::QUESTION_BYTES_MAX`] bytes.
        question: Vec<u8>,
    },
}

/// What the hops before left of a header, which is known before anything is sealed.
struct Tails {
    /// What the end of this hop's header is when it arrives.
    arriving: Vec<u8>,
    /// What that end is once the layer is off.
    opened: Vec<u8>,
}

/// Makes a cell for a path; `period` is the present one, `coins` are fresh randomness for each hop.
///
/// # Errors
/// [`Error::TooLong`].
///
/// # Panics
/// Never: all sizes are constants.
pub fn wrap(
    network: &NetworkId,
    path: &[Hop; HOPS],
    period: u32,
    question: &[u8],
    coins: &[[u8; kem::COINS_BYTES]; HOPS],
) -> Result<(Vec<u8>, Back), Error> {
    let too_long = Error::TooLong { bytes: question.len() };
    let mut body = padded(question, ONION_QUESTION_BYTES).ok_or(too_long)?;
    let [first, middle, exit] = path;
    let [a, b, c] = coins;
    let hops = [(first, a), (middle, b), (exit, c)].map(|(hop, coins)| {
        let info = info(network, &hop.author);
        let (ciphertext, exporter) = hpke::setup_sender(&hop.key, coins, &info);
        (hop.author, ciphertext, Secrets::new(&exporter))
    });
    let tails = tails(hops.each_ref().map(|(.., secrets)| secrets));
    let mut rest: Option<(AuthorId, Vec<u8>)> = None;
    for ((author, ciphertext, secrets), tail) in hops.iter().zip(&tails).rev() {
        let (slot, mut header) = match rest.take() {
            None => (slot(EXIT, period, None), Vec::new()),
            Some((next, cell)) => {
                let (head, sealed) = cell.split_at(CIPHERTEXT_BYTES + TAG_BYTES);
                let (header, question) = sealed.split_at(HEADER_BYTES);
                body = question.to_vec();
                // The last slot of it is this hop's filler, which is not sent.
                let kept = header.get(..HEADER_BYTES - SLOT_BYTES).unwrap_or_default();
                (slot(FORWARD, period, Some((&next, head))), kept.to_vec())
            }
        };
        let given = HEADER_BYTES - SLOT_BYTES - tail.opened.len();
        header.resize(given, 0);
        let mut sealed = [slot, header, tail.opened.clone(), std::mem::take(&mut body)].concat();
        assert_eq!(sealed.len(), SEALED_BYTES, "all parts have their sizes");
        let tag = secrets.cell.seal(ciphertext, &mut sealed);
        let end = sealed.get(HEADER_BYTES - tail.arriving.len()..HEADER_BYTES);
        assert_eq!(end, Some(&tail.arriving[..]), "the filler is what the hop before adds");
        rest = Some((*author, [&ciphertext[..], &tag, &sealed].concat()));
    }
    let (_, cell) = rest.expect("a path has hops");
    Ok((cell, Back(hops.map(|(.., secrets)| secrets.hop))))
}

/// What the headers end with, hop by hop: each hop decrypts the fillers of those before it, and
/// adds its own.
fn tails(secrets: [&Secrets; HOPS]) -> [Tails; HOPS] {
    let mut arriving = Vec::new();
    secrets.map(|secrets| {
        let mut stream = vec![0; HEADER_BYTES];
        let start = HEADER_BYTES - arriving.len();
        stream.get_mut(start..).unwrap_or_default().copy_from_slice(&arriving);
        secrets.cell.apply(&mut stream);
        let opened = stream.split_off(start);
        let next = [&opened[..], &secrets.filler[..]].concat();
        Tails { arriving: std::mem::replace(&mut arriving, next), opened }
    })
}

/// What a hop is told; `next` is who comes after it, with the ciphertext and the tag of its cell.
fn slot(kind: u8, period: u32, next: Option<(&AuthorId, &[u8])>) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.push(kind);
    slot.extend_from_slice(&period.to_be_bytes());
    if let Some((next, head)) = next {
        slot.extend_from_slice(next.as_bytes());
        slot.extend_from_slice(head);
    }
    slot.resize(SLOT_BYTES, 0);
    slot
}

/// Takes this hop's layer off. Total: any bytes give a step or an error.
///
/// # Errors
/// [`Error::Size`]; [`Error::Altered`] when one bit of the cell is not the asker's, or it was made
/// for another hop or network; [`Error::Content`] when the asker's program is faulty.
pub fn peel(
    network: &NetworkId,
    me: &AuthorId,
    key: &DecapsulationKey,
    cell: &[u8],
) -> Result<Peeled, Error> {
    let wrong_size = Error::Size { bytes: cell.len() };
    if cell.len() != CELL_BYTES {
        return Err(wrong_size);
    }
    let (ciphertext, rest) = cell.split_first_chunk::<CIPHERTEXT_BYTES>().ok_or(wrong_size)?;
    let (tag, sealed) = rest.split_first_chunk::<TAG_BYTES>().ok_or(wrong_size)?;
    let secrets = Secrets::new(&hpke::setup_receiver(key, ciphertext, &info(network, me)));
    let mut plain = sealed.to_vec();
    secrets.cell.open(ciphertext, &mut plain, tag)?;
    let Secrets { filler, seen, hop: keys, .. } = secrets;
    let (header, question) = plain.split_at_checked(HEADER_BYTES).ok_or(wrong_size)?;
    let (slot, header) = header.split_at_checked(SLOT_BYTES).ok_or(wrong_size)?;
    let (kind, rest) = slot.split_first().ok_or(wrong_size)?;
    let (period, rest) = rest.split_first_chunk().ok_or(wrong_size)?;
    let period = u32::from_be_bytes(*period);
    let step = match *kind {
        FORWARD => {
            let (next, head) = rest.split_first_chunk().ok_or(wrong_size)?;
            let cell = [head, header, &filler[..], question].concat();
            Step::Forward { next: AuthorId::from_bytes(*next), cell }
        }
        EXIT if rest.iter().all(|byte| *byte == 0) => {
            Step::Exit { question: unpadded(question).ok_or(Error::Content)?.to_vec() }
        }
        _ => return Err(Error::Content),
    };
    Ok(Peeled { period, seen, step, keys })
}
