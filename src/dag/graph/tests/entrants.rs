//! New authors of a permissioned network: who may be one, and how many by one invite.

use super::*;
use crate::dag::browse::{self, Answer, Query};
use crate::dag::invite::{Refused, Rule, Terms, Ticket};

const SHARE: usize = 1 + limits::INVITE_AUTHORS_SPARE;

/// The inviter is author 1, and author 2 is listed.
fn rule() -> Rule {
    Rule::new(NETWORK, [Author::new(1).id], [Author::new(2).id])
}

/// An invite for one.
fn ticket(seed: u8) -> Ticket {
    let terms = Terms { author: None, uses: 1, until_ms: NOW.unix_ms };
    Ticket::issue(NETWORK, &Author::new(1).key, terms, ([seed; 32], [9; 32])).unwrap()
}

/// The identity of an author that enters with this.
fn entering(author: &Author, ticket: &Ticket) -> SignedVertex {
    let vertex = author.identity().vertex().clone();
    author.sign(&vertex.with_pass(Some(ticket.pass_of(&author.id))))
}

/// Authors that somebody with the link makes up.
fn made_up(count: usize, ticket: &Ticket) -> Vec<(Author, SignedVertex)> {
    let authors = (100..).take(count).map(Author::new);
    authors.map(|author| (entering(&author, ticket), author)).map(|(by, of)| (of, by)).collect()
}

/// A graph with author 1 in it, to which new ones are admitted by the rule.
fn begun() -> Graph {
    let mut graph = Graph::new(NETWORK);
    graph.admit_by(Some(rule()));
    insert(&mut graph, &Author::new(1).identity()).unwrap();
    graph
}

fn is_full(result: &Result<Insert, Error>) -> bool {
    matches!(result, Err(error @ Error::InviteFull { held: SHARE, .. })
        if error.fault() == Fault::Full && !error.fault().blames_sender())
}

/// Whoever has the link of one invite could make up members until there is room for nobody else.
#[test]
fn authors_by_one_invite_take_their_share_and_lock_nobody_out() {
    let (mut graph, link) = (begun(), ticket(8));
    for (at, (_, identity)) in made_up(SHARE + 3, &link).iter().enumerate() {
        let inserted = insert(&mut graph, identity);
        assert!(if at < SHARE { inserted.is_ok() } else { is_full(&inserted) }, "{at}");
    }
    // Those who are listed, and those with another invite.
    insert(&mut graph, &Author::new(2).identity()).unwrap();
    insert(&mut graph, &entering(&Author::new(3), &ticket(7))).unwrap();
    // After a restart it is the same.
    let mut again = Graph::new(NETWORK);
    graph.iter().for_each(|signed| again.restore(signed.clone()).unwrap());
    again.admit_by(Some(rule()));
    assert_eq!(again.check_admitted(), Ok(()));
    assert!(is_full(&insert(&mut again, &entering(&Author::new(99), &link))));
}

/// Honest members that heard of different ones cite those, and agree all the same.
#[test]
fn what_different_members_heard_first_comes_to_the_same() {
    let link = ticket(8);
    let many = made_up(SHARE + 4, &link);
    let (mut one, mut other) = (begun(), begun());
    insert(&mut other, &Author::new(2).identity()).unwrap();
    insert(&mut one, &Author::new(2).identity()).unwrap();
    for (_, identity) in &many {
        let _ = insert(&mut one, identity);
    }
    for (_, identity) in many.iter().rev() {
        let _ = insert(&mut other, identity);
    }
    assert_ne!(
        one.timeline().iter().collect::<Vec<_>>(),
        other.timeline().iter().collect::<Vec<_>>()
    );
    // Twice, because a vertex has no more parents than 16.
    for number in 0..2 {
        Author::new(1).write(&mut one, vec![note(number)]);
        Author::new(2).write(&mut other, vec![note(number)]);
    }
    let exchange = |from: &Graph, to: &mut Graph| {
        // First what nobody is known to cite, then what waits for it, then that again.
        for _ in 0..3 {
            for signed in from.iter() {
                let _ = insert(to, signed);
            }
        }
    };
    exchange(&one, &mut other);
    exchange(&other, &mut one);
    exchange(&one, &mut other);
    assert_eq!((one.parked(), other.parked()), (0, 0));
    let names = |graph: &Graph| graph.iter().map(SignedVertex::id).collect::<BTreeSet<_>>();
    assert_eq!(names(&one), names(&other));
    assert_eq!(one.len(), SHARE + 4 + 6);
}

/// Those whom others lend a place leave half of the table to those who come honestly.
#[test]
fn places_that_are_lent_end_too() {
    let (mut graph, link) = (begun(), ticket(8));
    graph.entrants.lent_max = 2;
    let many = made_up(SHARE + 3, &link);
    for (_, identity) in many.iter().take(SHARE) {
        insert(&mut graph, identity).unwrap();
    }
    let lender = &many[0].0;
    for (at, (_, identity)) in many.iter().enumerate().skip(SHARE) {
        let tip = graph.get(&graph.author(&lender.id).unwrap().tip.id).unwrap().clone();
        let citing = resigned(lender, &tip, |vertex| {
            vertex.payloads = vec![note(1)];
            put_on(vertex, &[&tip, identity]);
        });
        assert!(is_parked(&insert(&mut graph, &citing)), "{at}");
        let inserted = insert(&mut graph, identity);
        let is_lent = at < SHARE + 2;
        assert_eq!(graph.contains(&identity.id()), is_lent, "{at}: {inserted:?}");
        assert_eq!(graph.contains(&citing.id()), is_lent, "{at}");
    }
    insert(&mut graph, &entering(&Author::new(3), &ticket(7))).unwrap();
}

fn is_parked(inserted: &Result<Insert, Error>) -> bool {
    matches!(inserted, Ok(Insert::Parked { .. }))
}

/// In an open network an invite means nothing, and whoever has room for bytes that mean nothing
/// carries them for good.
#[test]
fn an_open_network_has_neither_invites_nor_what_takes_them_back() {
    let author = Author::new(3);
    let (plain, invited) = (author.identity(), entering(&author, &ticket(8)));
    let revoking = |graph: &Graph| {
        author.next(graph, vec![Payload::Revocation { invite: ticket(8).invite.id() }])
    };
    let mut open = Graph::new(NETWORK);
    open.admit_by(None);
    let refused = insert(&mut open, &invited).unwrap_err();
    assert_eq!((refused.code(), refused.fault()), ("vertex-invite", Fault::Invalid));
    insert(&mut open, &plain).unwrap();
    let revocation = revoking(&open);
    assert_eq!(insert(&mut open, &revocation).unwrap_err().code(), "vertex-invite");
    // Controls: the members of a permissioned one, and who reads a history of some network.
    let mut members = begun();
    insert(&mut members, &invited).unwrap();
    let revocation = revoking(&members);
    insert(&mut members, &revocation).unwrap();
    let mut reader = Graph::new(NETWORK);
    insert(&mut reader, &invited).unwrap();
    let revocation = revoking(&reader);
    insert(&mut reader, &revocation).unwrap();
}

/// A store that was written while the network was taken for one of the other kind.
#[test]
fn what_was_let_in_by_another_rule_is_found() {
    let restored = |vertices: &[SignedVertex], rule: Option<Rule>| {
        let mut graph = Graph::new(NETWORK);
        for signed in vertices {
            graph.restore(signed.clone()).unwrap();
        }
        graph.admit_by(rule);
        graph.check_admitted()
    };
    let (stranger, listed) = (Author::new(3), Author::new(2).identity());
    let invited = entering(&stranger, &ticket(8));
    let refused = restored(&[listed.clone(), stranger.identity()], Some(rule()));
    let source = Refused::Uninvited;
    assert_eq!(refused, Err(Error::Stranger { author: stranger.id, source }));
    assert_eq!(restored(&[listed.clone(), invited.clone()], Some(rule())), Ok(()), "control");
    assert_eq!(restored(&[listed.clone(), invited], None).unwrap_err().code(), "vertex-invite");
    assert_eq!(restored(&[listed.clone(), stranger.identity()], None), Ok(()), "control");
    // Who reads a history finds it, too, if it knows what the network began with.
    let records = [listed.encode(), stranger.identity().encode()];
    let faults = |rule: Option<Option<Rule>>| {
        let (mut graph, damaged) = browse::read(NETWORK, &records, Coverage::default());
        assert_eq!(damaged, []);
        if let Some(rule) = rule {
            graph.admit_by(rule);
        }
        match browse::browse(&graph, &Query::Verify { from: 0, limit: 9 }) {
            Ok(Answer::Verified(verified)) => verified.faults.into_iter().map(|one| one.code),
            other => panic!("{other:?}"),
        }
        .collect::<Vec<_>>()
    };
    assert_eq!(faults(Some(Some(rule()))), ["uninvited"]);
    assert_eq!((faults(None), faults(Some(None))), (vec![], vec![]), "controls");
}
