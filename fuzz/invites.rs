//! Invites: what a join link carries and what is shown at a door.

use std::sync::OnceLock;

use synaptic_mesh::dag::NetworkId;
use synaptic_mesh::dag::invite::{Pass, Rule, Terms, Ticket};
use synaptic_mesh::identity::{AuthorId, Secrets};

const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

struct Fixture {
    rule: Rule,
    holder: AuthorId,
    tickets: Vec<Vec<u8>>,
    passes: Vec<Vec<u8>>,
}

fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let key = Secrets::from_entropy([2; 96]).signing_key();
        let inviter = AuthorId::of(key.public());
        let holder = AuthorId::from_bytes([3; 32]);
        let issued = |author, uses| {
            let terms = Terms { author, uses, until_ms: 1_763_000_000_000 };
            Ticket::issue(NETWORK, &key, terms, ([4; 32], [5; 32])).expect("sound terms")
        };
        let tickets = [issued(None, 20), issued(Some(holder), 1)];
        Fixture {
            rule: Rule::new(NETWORK, [inviter], []),
            holder,
            passes: tickets.iter().map(|ticket| ticket.pass_of(&holder)).collect(),
            tickets: tickets.iter().map(Ticket::encode).collect(),
        }
    })
}

/// Tickets and passes, for whoever has the link and for one.
pub(crate) fn shown() -> Vec<Vec<u8>> {
    let fixture = fixture();
    fixture.tickets.iter().chain(&fixture.passes).cloned().collect()
}

/// What is read is written as the same bytes, and lets in only as it was signed: nobody makes
/// another pass of one.
pub(crate) fn invite(data: &[u8]) {
    let fixture = fixture();
    if let Ok(ticket) = Ticket::decode(data) {
        assert_eq!(ticket.encode(), data);
    }
    if let Ok(pass) = Pass::decode(data) {
        assert_eq!(pass.encode(), data);
    }
    if fixture.rule.check(&fixture.holder, Some(data)).is_ok() {
        assert!(fixture.passes.iter().any(|sound| sound == data));
    }
}
