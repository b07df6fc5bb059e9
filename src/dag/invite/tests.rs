//! Whose an invite is, what it says, and that nobody changes either.

use data_encoding::HEXLOWER;

use super::*;
use crate::dag::Payload;
use crate::identity::Secrets;

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const UNTIL_MS: u64 = 5_000;

fn secrets(number: u8) -> Secrets {
    Secrets::from_entropy([number; 96])
}

fn rule() -> Rule {
    Rule::new(NETWORK, [secrets(1).author()], [secrets(2).author()])
}

fn issued(author: Option<AuthorId>, uses: u32) -> Ticket {
    let terms = Terms { author, uses, until_ms: UNTIL_MS };
    Ticket::issue(NETWORK, &secrets(1).signing_key(), terms, ([8; 32], [9; 32])).unwrap()
}

fn refused(author: u8, pass: Option<&[u8]>) -> &'static str {
    rule().check(&secrets(author).author(), pass).unwrap_err().code()
}

#[test]
fn who_is_listed_needs_no_invite_and_others_do() {
    for listed in [1, 2] {
        assert_eq!(rule().check(&secrets(listed).author(), None), Ok(None));
    }
    assert_eq!(refused(3, None), "uninvited");
    assert_eq!(refused(3, Some(&[])), "invite-malformed");
}

#[test]
fn an_invite_for_whoever_has_the_link_is_entered_with_by_any_author_that_has_it() {
    let ticket = issued(None, 2);
    for number in [3, 4] {
        let author = secrets(number).author();
        let pass = ticket.pass_of(&author);
        assert!(pass.len() <= limits::INVITE_BYTES_MAX, "{}", pass.len());
        assert_eq!(rule().check(&author, Some(&pass)), Ok(Some(ticket.invite.clone())));
    }
}

/// Every member sees every pass, in the identity vertices.
#[test]
fn who_saw_a_pass_does_not_enter_with_it() {
    for ticket in [issued(None, 2), issued(Some(secrets(3).author()), 1)] {
        let pass = ticket.pass_of(&secrets(3).author());
        assert!(rule().check(&secrets(3).author(), Some(&pass)).is_ok(), "control");
        assert_eq!(refused(4, Some(&pass)), "invite-holder");
    }
    // With the link of another's invite, too.
    let pass = issued(Some(secrets(3).author()), 1).pass_of(&secrets(4).author());
    assert_eq!(refused(4, Some(&pass)), "invite-holder");
}

#[test]
fn an_invite_of_somebody_who_may_not_invite_and_one_to_another_network_are_refused() {
    let author = secrets(3).author();
    let terms = Terms { author: None, uses: 1, until_ms: UNTIL_MS };
    // Listed, and yet no inviter.
    let by_member = Ticket::issue(NETWORK, &secrets(2).signing_key(), terms, ([8; 32], [9; 32]));
    assert_eq!(refused(3, Some(&by_member.unwrap().pass_of(&author))), "invite-issuer");
    let foreign = NetworkId::from_bytes([6; 32]);
    let foreign = Ticket::issue(foreign, &secrets(1).signing_key(), terms, ([8; 32], [9; 32]));
    assert_eq!(refused(3, Some(&foreign.unwrap().pass_of(&author))), "invite-foreign");
}

#[test]
fn whatever_is_changed_in_an_invite_it_is_refused() {
    let author = secrets(3).author();
    let ticket = issued(None, 1);
    let changed = |change: &dyn Fn(&mut Ticket)| {
        let mut ticket = ticket.clone();
        change(&mut ticket);
        refused(3, Some(&ticket.pass_of(&author)))
    };
    assert_eq!(changed(&|ticket| ticket.invite.uses = 2), "invite-altered");
    assert_eq!(changed(&|ticket| ticket.invite.until_ms += 1), "invite-altered");
    let own = Holder::Author(author);
    assert_eq!(
        changed(&|ticket| (ticket.invite.holder, ticket.secret) = (own, Vec::new())),
        "invite-altered"
    );
    assert_eq!(
        changed(
            &|ticket| ticket.invite.issuer = secrets(2).signing_key().public().as_bytes().to_vec()
        ),
        "invite-issuer"
    );
    assert_eq!(changed(&|ticket| ticket.invite.issuer.truncate(9)), "invite-malformed");
    assert_eq!(changed(&|ticket| ticket.secret.clear()), "invite-malformed");
    assert_eq!(changed(&|ticket| ticket.secret = vec![5; 32]), "invite-holder");
    // Either half of the signature: ML-DSA-65 first, Ed25519 last.
    for at in [0, 3_372] {
        assert_eq!(changed(&|ticket| ticket.invite.signature[at] ^= 1), "invite-altered");
    }
    let pass = ticket.pass_of(&author);
    assert!(rule().check(&author, Some(&pass)).is_ok(), "control");
    // No byte of it is without effect.
    for at in (0..pass.len()).step_by(97) {
        let mut pass = pass.clone();
        pass[at] ^= 1;
        assert!(rule().check(&author, Some(&pass)).is_err(), "byte {at}");
    }
}

#[test]
fn a_ticket_is_read_as_it_was_written_and_its_secret_is_not_shown() {
    let ticket = issued(None, 1);
    assert_eq!(Ticket::decode(&ticket.encode()), Ok(ticket.clone()));
    let mut longer = ticket.encode();
    longer.push(0);
    assert_eq!(Ticket::decode(&longer), Err(Refused::Malformed));
    assert_eq!(ticket.invite.id().to_string().parse(), Ok(ticket.invite.id()));
    let pass = ticket.pass_of(&secrets(3).author());
    assert!(ticket.encode().windows(32).any(|window| window == [8; 32]), "control");
    assert!(!pass.windows(32).any(|window| window == [8; 32]));
    assert!(!format!("{ticket:?}").contains("8, 8"));
}

#[test]
fn invites_for_nobody_or_too_many_are_not_made() {
    let author = Some(secrets(3).author());
    for (author, uses) in [(None, 0), (None, limits::INVITE_USES_MAX + 1), (author, 2)] {
        let terms = Terms { author, uses, until_ms: UNTIL_MS };
        let made = Ticket::issue(NETWORK, &secrets(1).signing_key(), terms, ([8; 32], [9; 32]));
        assert_eq!(made, None);
    }
}

/// Somebody who may invite signs what no program of this kind would.
#[test]
fn invites_for_nobody_or_too_many_are_not_read_either() {
    let key = secrets(1).signing_key();
    let author = secrets(3).author();
    let signed = |holder: Option<Holder>, uses: u32| {
        let mut ticket = issued(None, 1);
        if let Some(holder) = holder {
            (ticket.invite.holder, ticket.secret) = (holder, Vec::new());
        }
        ticket.invite.uses = uses;
        let claim = ticket.invite.claim();
        ticket.invite.signature = key.sign(Context::Invite, &claim, [9; 32]).as_bytes().to_vec();
        let checked = rule().check(&author, Some(&ticket.pass_of(&author)));
        (Ticket::decode(&ticket.encode()).map(|_| ()), checked.map(|_| ()))
    };
    let own = Some(Holder::Author(author));
    for (holder, uses) in [(None, 1), (None, limits::INVITE_USES_MAX), (own, 1)] {
        assert_eq!(signed(holder, uses), (Ok(()), Ok(())), "control");
    }
    let none = (Err(Refused::Malformed), Err(Refused::Malformed));
    for (holder, uses) in [(None, 0), (None, limits::INVITE_USES_MAX + 1), (own, 0), (own, 2)] {
        assert_eq!(signed(holder, uses), none);
    }
}

/// Bytes that mean nothing would be a place for anything, in the history for good.
#[test]
fn who_is_listed_shows_no_invite() {
    let author = secrets(2).author();
    let pass = issued(None, 1).pass_of(&author);
    assert_eq!(refused(2, Some(&pass)), "invite-malformed");
    assert_eq!(rule().check(&author, None), Ok(None), "control");
}

#[test]
fn each_reason_has_a_number_of_its_own() {
    for (at, reason) in Refused::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(reason.number()), at + 1);
        assert_eq!(Refused::of_number(reason.number()), reason);
    }
    for unknown in [0, 12, 255] {
        assert_eq!(Refused::of_number(unknown), Refused::Uninvited);
    }
}

/// Made by this program, version 0.1.0; `GOLDEN=write` makes it again.
#[test]
fn the_bytes_of_invites_are_for_good() {
    const FILE: &str = "tests/vectors/invite.txt";
    let author = secrets(3).author();
    let line = |name: &str, bytes: &[u8]| format!("{name} {}\n", HEXLOWER.encode(bytes));
    let mut written = String::new();
    for (name, ticket) in [("key", issued(None, 2)), ("author", issued(Some(author), 1))] {
        written += &line(&format!("{name}-ticket"), &ticket.encode());
        written += &line(&format!("{name}-pass"), &ticket.pass_of(&author));
        written += &line(&format!("{name}-id"), &ticket.invite.id().0);
    }
    let revocation = Payload::Revocation { invite: issued(None, 2).invite.id() };
    written += &line("revocation", &cbor::encode(&revocation).unwrap());
    if std::env::var("GOLDEN").is_ok_and(|word| word == "write") {
        std::fs::write(FILE, &written).unwrap();
    }
    assert_eq!(written, std::fs::read_to_string(FILE).unwrap());
}
