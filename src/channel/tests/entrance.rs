//! The end of a handshake in a permissioned network, over real channels.

use futures::executor::block_on;
use futures::future::join;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};

use super::streams::{pipes, streams};
use super::*;
use crate::channel::entrance::{self, NotLetIn};
use crate::dag::invite::{Refused, Rule, Terms, Ticket};
use crate::identity::NetworkId;
use crate::limits;
use crate::node::Door;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const NOW_MS: u64 = 1_000;

/// The authors of both ends of [`streams`].
fn author(seed: u8) -> AuthorId {
    credentials(seed).own().author
}

/// The door of one who is the only inviter, and of one who has this ticket.
fn doors(ticket: Option<&Ticket>) -> (Door, Door) {
    let rule = Rule::new(NETWORK, [author(2)], []);
    let pass = ticket.map(|ticket| ticket.pass_of(&author(1)));
    (Door::new(rule.clone(), author(1), pass), Door::new(rule, author(2), None))
}

fn ticket(until_ms: u64) -> Ticket {
    let terms = Terms { author: None, uses: 1, until_ms };
    let key = SigningKey::from_seeds(&[2; SEEDS_BYTES]);
    Ticket::issue(NETWORK, &key, terms, ([8; 32], [9; 32])).unwrap()
}

/// What each side says came of it: that of the dialler, author 1, and that of author 2.
fn meet(ours: &Door, theirs: &Door) -> (Result<(), NotLetIn>, Result<(), NotLetIn>) {
    let (mut one, mut other) = streams(pipes(7_000, 900, 5), 100);
    let (one, other) = block_on(join(
        entrance::initiate(&mut one, ours, credentials(2).own(), NOW_MS),
        entrance::respond(&mut other, theirs, credentials(1).own(), NOW_MS),
    ));
    let why = |error: std::io::Error| {
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
        *error.get_ref().unwrap().downcast_ref::<NotLetIn>().unwrap()
    };
    (one.map_err(why), other.map_err(why))
}

#[test]
fn who_has_an_invite_is_let_in_and_who_has_none_is_told_why_on_both_sides() {
    let (ours, theirs) = doors(Some(&ticket(NOW_MS)));
    assert_eq!(meet(&ours, &theirs), (Ok(()), Ok(())));
    let expired = ticket(NOW_MS - 1);
    for (ticket, code) in [(None, "uninvited"), (Some(&expired), "invite-expired")] {
        let (ours, theirs) = doors(ticket);
        let (one, other) = meet(&ours, &theirs);
        let (one, other) = (one.unwrap_err(), other.unwrap_err());
        assert_eq!((one.why.code(), one.by_us), (code, false));
        assert_eq!((other.why.code(), other.by_us), (code, true));
        assert!(one.to_string().starts_with(&format!("{code}: the member")), "{one}");
    }
}

/// Whoever answers at the address of a link is asked, too.
#[test]
fn who_was_called_and_is_no_member_is_refused_as_well() {
    let rule = Rule::new(NETWORK, [author(1)], []);
    let ours = Door::new(rule, author(1), None);
    let (one, other) =
        meet(&ours, &Door::new(Rule::new(NETWORK, [author(1)], []), author(2), None));
    assert_eq!(one.map_err(|why| (why.why, why.by_us)), Err((Refused::Uninvited, true)));
    assert_eq!(other.map_err(|why| (why.why, why.by_us)), Err((Refused::Uninvited, false)));
}

/// A program of somebody else's: it says what it likes and goes on as if it were let in. After its
/// pass it hears one byte and the end, so there is nothing it could reach any protocol by.
#[test]
fn who_is_not_let_in_hears_one_byte_and_nothing_more() {
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes().to_vec();
    let foreign = ticket(NOW_MS).pass_of(&author(3));
    let too_long = vec![0; limits::INVITE_BYTES_MAX + 1];
    let longest = vec![0; usize::from(u16::MAX)];
    let cases = [(Vec::new(), 1), (foreign, 6), (vec![0; 9], 2), (too_long, 2), (longest, 2)];
    for (pass, number) in cases {
        let (mut stranger, mut stream) = streams(pipes(9_000, 900, 5), 100);
        let (_, theirs) = doors(None);
        let mut said = length(pass.len());
        said.extend_from_slice(&pass);
        said.extend_from_slice(b"\x00\x13/multistream/1.0.0\n");
        let (heard, refused) = block_on(join(
            async {
                stranger.write_all(&said).await.unwrap();
                stranger.flush().await.unwrap();
                let mut heard = Vec::new();
                stranger.read_to_end(&mut heard).await.unwrap();
                heard
            },
            entrance::respond(&mut stream, &theirs, credentials(1).own(), NOW_MS),
        ));
        assert_eq!(heard, [number]);
        assert!(refused.is_err());
    }
}

/// The same on the other side: whoever is called and shows too much is told so.
#[test]
fn who_was_called_and_shows_too_much_is_told_so() {
    let (ours, _) = doors(Some(&ticket(NOW_MS)));
    let (mut one, mut other) = streams(pipes(9_000, 900, 5), 100);
    let (refused, heard) =
        block_on(join(entrance::initiate(&mut one, &ours, credentials(2).own(), NOW_MS), async {
            let mut shown = vec![0; 2 + ours.pass().len()];
            other.read_exact(&mut shown).await.unwrap();
            let too_long = u16::try_from(limits::INVITE_BYTES_MAX + 1).unwrap();
            let said = [&[0], &too_long.to_be_bytes()[..], &vec![0; too_long.into()]].concat();
            other.write_all(&said).await.unwrap();
            other.flush().await.unwrap();
            let mut heard = Vec::new();
            other.read_to_end(&mut heard).await.unwrap();
            heard
        }));
    assert_eq!(heard, [Refused::Malformed.number()]);
    let refused = refused.unwrap_err();
    let why = refused.get_ref().unwrap().downcast_ref::<NotLetIn>().unwrap();
    assert_eq!((why.why, why.by_us), (Refused::Malformed, true));
}
