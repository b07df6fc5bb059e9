//! Two or more replicas that catch up over a table instead of a network.

use proptest::prelude::*;

use super::*;
use crate::dag::tests::{Author, NOW, fork, graph_of, note};
use crate::dag::{Insert, SignedVertex, Source};
use crate::rng::Rng;

/// A node as far as catching up is concerned.
struct Replica {
    peer: TransportId,
    graph: Graph,
    state: State,
    /// Vertices that arrived and were there already.
    repeated: usize,
    /// Messages of reconciliations that were answered.
    ranges: usize,
}

impl Replica {
    fn new(number: u8, authors: &[&Author]) -> Self {
        Self {
            peer: TransportId::from_bytes(&[1, number]).unwrap(),
            graph: graph_of(authors),
            state: State::new(),
            repeated: 0,
            ranges: 0,
        }
    }

    fn hear_heads(&mut self, other: &Replica) {
        self.state.on_heads(&other.peer, &other.graph.heads(), &self.graph);
    }

    /// Takes in one vertex as a node does; says whether it was news.
    fn take(&mut self, vertex: &SignedVertex, from: &TransportId) -> bool {
        match self.graph.insert(vertex.clone(), &Source::Peer(from.clone()), NOW) {
            Ok(Insert::Accepted(_)) => true,
            Ok(Insert::Parked { missing }) => {
                self.state.on_missing(from, &missing);
                true
            }
            Ok(Insert::Duplicate) => {
                self.repeated += 1;
                false
            }
            Ok(Insert::Equivocated(_)) | Err(_) => {
                self.state.on_refused(vertex.id());
                false
            }
        }
    }

    /// Makes one request of `others` and takes in the answer; whether there was one to make.
    fn step(&mut self, others: &[&Replica], now: Now) -> bool {
        let Some(ask) = self.state.next(&self.graph, now) else { return false };
        let other = others.iter().find(|other| other.peer == ask.peer).unwrap();
        if let Want::Ranges { message } = &ask.want {
            let frame = Some(limits::RANGES_BYTES_MAX);
            let (reply, _) = negentropy::answer(other.graph.timeline(), message, frame).unwrap();
            self.ranges += 1;
            self.state.on_ranges(&ask.peer, &reply, &self.graph, now).unwrap();
            return true;
        }
        let served = serve(&other.graph, &ask.want);
        let received: Vec<VertexId> = served.vertices.iter().map(|signed| signed.id()).collect();
        let news = served.vertices.iter().filter(|signed| self.take(signed, &ask.peer)).count();
        let answer = Answer { received, news, more: served.more, held: false };
        self.state.on_answer(&ask.peer, &answer, &self.graph, now);
        true
    }

    /// Asks until there is nothing to ask; gives the number of requests.
    fn catch_up(&mut self, others: &[&Replica]) -> usize {
        let mut requests = 0;
        while self.step(others, NOW) {
            requests += 1;
            assert!(requests < 1_000, "it ends");
        }
        requests
    }
}

fn write(replica: &mut Replica, author: &Author, count: usize) {
    for number in 0..count {
        author.write(&mut replica.graph, vec![note(u8::try_from(number % 256).unwrap())]);
    }
}

#[test]
fn a_newcomer_gets_a_long_history_in_full_answers_and_nothing_twice() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut old = Replica::new(1, &[&a]);
    write(&mut old, &a, 500);
    let mut new = Replica::new(2, &[&b]);
    new.hear_heads(&old);
    let requests = new.catch_up(&[&old]);
    assert_eq!(new.graph.len(), 502);
    assert_eq!(requests, 501_usize.div_ceil(limits::RESPONSE_VERTICES_BYTES_MAX / 3_900));
    assert_eq!((new.repeated, new.state.wanted()), (0, 0));
}

#[test]
fn two_halves_that_wrote_apart_become_one() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut left = Replica::new(1, &[&a, &b]);
    write(&mut left, &a, 20);
    let mut right = Replica::new(2, &[&a, &b]);
    right.hear_heads(&left);
    right.catch_up(&[&left]);
    write(&mut left, &a, 300);
    write(&mut right, &b, 200);

    left.hear_heads(&right);
    right.hear_heads(&left);
    assert!(left.catch_up(&[&right]) <= 3);
    assert!(right.catch_up(&[&left]) <= 4);
    assert_eq!(left.graph.heads(), right.graph.heads());
    assert_eq!((left.graph.len(), right.graph.len()), (522, 522));
    // The sketch has samples at distances 1, 2, 4 ...: what lies between is sent again, no more.
    assert!(left.repeated + right.repeated < 40, "{} {}", left.repeated, right.repeated);
}

#[test]
fn nothing_is_asked_when_nothing_is_missing() {
    let a = Author::new(1);
    let one = Replica::new(1, &[&a]);
    let mut other = Replica::new(2, &[&a]);
    other.hear_heads(&one);
    assert_eq!(other.state.next(&other.graph, NOW), None);
    assert_eq!(other.state.wake_at_mono_ms(NOW), None);
}

#[test]
fn a_parent_that_gossip_overtook_is_asked_for_by_name_and_more_by_walking_back() {
    let a = Author::new(1);
    let mut old = Replica::new(1, &[&a]);
    write(&mut old, &a, 40);
    let history: Vec<SignedVertex> = old.graph.iter().cloned().collect();
    let mut new = Replica::new(2, &[&a]);
    // One generation behind: one request by name.
    assert!(new.take(&history[1], &old.peer));
    new.state.on_heads(&old.peer, &[], &new.graph);
    assert!(new.take(&history[3], &old.peer));
    let ask = new.state.next(&new.graph, NOW).unwrap();
    assert_eq!(ask.want, Want::Vertices { ids: vec![history[2].id()] });
    new.take(&history[2], &old.peer);
    let answer = Answer { received: vec![history[2].id()], news: 1, more: false, held: false };
    new.state.on_answer(&old.peer, &answer, &new.graph, NOW);
    assert_eq!((new.graph.len(), new.graph.parked()), (4, 0));
    // Many generations behind: one by name, one that walks back, not forty.
    assert!(new.take(&history[40], &old.peer));
    assert_eq!(new.catch_up(&[&old]), 2);
    assert_eq!(new.graph.heads(), old.graph.heads());
}

#[test]
fn a_peer_that_gives_nothing_is_left_alone_longer_each_time_and_another_is_asked() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let liar = Replica::new(0, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    new.state.on_heads(&liar.peer, &full.graph.heads(), &new.graph);
    let mut now = NOW;
    for wait_ms in [500, 1_000, 2_000, 4_000] {
        assert!(new.step(&[&liar], now));
        assert_eq!(new.state.next(&new.graph, now), None);
        assert_eq!(new.state.wake_at_mono_ms(now), Some(now.mono_ms + wait_ms));
        assert_eq!(new.state.next(&new.graph, now.plus_ms(wait_ms - 1)), None);
        now = now.plus_ms(wait_ms);
    }
    new.hear_heads(&full);
    while new.step(&[&liar, &full], now) {}
    assert_eq!(new.graph.heads(), full.graph.heads());
}

#[test]
fn what_nobody_gives_is_given_up() {
    let a = Author::new(1);
    let liar = Replica::new(1, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    new.state.on_heads(&liar.peer, &[VertexId::of(b"made up")], &new.graph);
    let mut now = NOW;
    let mut requests = 0;
    while new.state.wanted() > 0 {
        requests += u32::from(new.step(&[&liar], now));
        now = now.plus_ms(limits::SYNC_BACKOFF_MS_MAX);
    }
    assert_eq!(requests, limits::SYNC_ATTEMPTS_MAX);
}

#[test]
fn an_unanswered_request_times_out_and_goes_to_somebody_else() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let silent = Replica::new(0, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    new.state.on_heads(&silent.peer, &full.graph.heads(), &new.graph);
    new.hear_heads(&full);
    let first = new.state.next(&new.graph, NOW).unwrap();
    assert_eq!(first.peer, silent.peer);
    assert_eq!(new.state.next(&new.graph, NOW), None, "the same is not asked twice at once");
    let deadline_ms = new.state.wake_at_mono_ms(NOW).unwrap();
    let slow = NOW.plus_ms(limits::SYNC_SLOW_MS);
    assert_eq!(deadline_ms, slow.mono_ms);
    assert_eq!(new.state.next(&new.graph, NOW.plus_ms(limits::SYNC_SLOW_MS - 1)), None);
    let second = new.state.next(&new.graph, slow).unwrap();
    assert_eq!(second.peer, full.peer);
    assert_eq!(new.state.next(&new.graph, slow), None, "nor thrice");
}

#[test]
fn a_missing_parent_that_a_peer_lacks_does_not_hold_up_its_head() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let mut new = Replica::new(2, &[&a]);
    new.hear_heads(&full);
    let elsewhere = VertexId::of(b"on one side of a fork");
    new.state.on_missing(&full.peer, &[elsewhere]);
    let first = new.state.next(&new.graph, NOW).unwrap();
    assert_eq!(first.want, Want::Vertices { ids: vec![elsewhere] });
    new.state.on_answer(&full.peer, &Answer::default(), &new.graph, NOW);
    let later = NOW.plus_ms(limits::SYNC_BACKOFF_MS_MAX);
    let second = new.state.next(&new.graph, later).unwrap();
    assert!(matches!(second.want, Want::Ancestors { .. }), "{:?}", second.want);
}

#[test]
fn a_failed_or_vanished_peer_does_not_hold_up_the_others() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let gone = Replica::new(0, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    new.state.on_heads(&gone.peer, &full.graph.heads(), &new.graph);
    new.hear_heads(&full);
    assert_eq!(new.state.next(&new.graph, NOW).unwrap().peer, gone.peer);
    new.state.on_failed(&gone.peer, &new.graph, NOW);
    assert_eq!(new.state.next(&new.graph, NOW).unwrap().peer, full.peer);
    new.state.on_disconnected(&full.peer);
    new.state.on_disconnected(&gone.peer);
    assert_eq!((new.state.wanted(), new.state.wake_at_mono_ms(NOW)), (0, None));
}

#[test]
fn a_refused_vertex_is_not_asked_for_until_somebody_cites_it() {
    let (a, liar) = (Author::new(1), Author::new(2));
    let mut other = Replica::new(1, &[&a, &liar]);
    let mut me = Replica::new(2, &[&a, &liar]);
    me.take(&fork(&liar, 1), &TransportId::from_bytes(&[9]).unwrap());
    other.take(&fork(&liar, 2), &TransportId::from_bytes(&[9]).unwrap());
    me.hear_heads(&other);
    me.catch_up(&[&other]);
    assert!(!me.graph.contains(&fork(&liar, 2).id()));
    me.hear_heads(&other);
    assert_eq!(me.state.next(&me.graph, NOW.plus_ms(100_000)), None);

    write(&mut other, &a, 1);
    me.hear_heads(&other);
    let later = NOW.plus_ms(100_000);
    while me.step(&[&other], later) {}
    assert!(me.graph.contains(&fork(&liar, 2).id()));
    assert!(other.graph.heads().iter().all(|head| me.graph.contains(head)));
}

#[test]
fn an_answer_keeps_its_bounds_and_says_that_there_is_more() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 200);
    let ids: Vec<VertexId> = full.graph.iter().map(SignedVertex::id).collect();
    let by_name = serve(&full.graph, &Want::Vertices { ids: ids.clone() });
    assert_eq!(by_name.vertices.len(), limits::REQUEST_VERTICES_MAX, "a longer request is cut");
    let of = full.graph.heads();
    let served = serve(&full.graph, &Want::Ancestors { of, known: Vec::new() });
    assert!(served.more && served.vertices.len() <= limits::RESPONSE_VERTICES_MAX);
    let bytes: usize = served.vertices.iter().map(|signed| signed.encode().len()).sum();
    assert!(bytes <= limits::RESPONSE_VERTICES_BYTES_MAX);
    assert_eq!(served.vertices[0].id(), ids[0], "the oldest first");
    let nothing = serve(&full.graph, &Want::Vertices { ids: vec![VertexId::of(b"?"); 3] });
    assert_eq!((nothing.vertices.len(), nothing.more), (0, false));
}

#[test]
fn what_is_remembered_is_bounded() {
    let a = Author::new(1);
    let graph = graph_of(&[&a]);
    let mut state = State::new();
    let heads = |peer: u16| -> Vec<VertexId> {
        (0..200_u16)
            .map(|n| VertexId::of(&[peer.to_le_bytes(), n.to_le_bytes()].concat()))
            .collect()
    };
    for number in 0..300_u16 {
        let peer = TransportId::from_bytes(&number.to_le_bytes()).unwrap();
        state.on_heads(&peer, &heads(number), &graph);
        state.on_missing(&peer, &heads(number));
        for id in heads(number) {
            state.on_refused(id);
        }
        state.on_missing(&peer, &heads(number));
    }
    assert!(state.peers.len() <= limits::SYNC_PEERS_MAX);
    assert!(state.wanted() <= limits::SYNC_PEERS_MAX * limits::SYNC_WANTED_PER_PEER_MAX);
    assert!(state.refused.len() <= limits::SYNC_REFUSED_MAX);
}

/// Made-up heads, told again and again, filled the table of what is wanted; from then on nothing
/// that honest peers told was remembered.
#[test]
fn a_peer_that_makes_up_heads_stands_in_nobodys_way() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let liar = Replica::new(0, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    for message in 0..200_u16 {
        let heads: Vec<VertexId> = (0..64_u16)
            .map(|n| VertexId::of(&[message.to_le_bytes(), n.to_le_bytes()].concat()))
            .collect();
        new.state.on_heads(&liar.peer, &heads, &new.graph);
    }
    assert_eq!(new.state.wanted(), limits::HEADS_MAX, "a message replaces the one before");
    new.hear_heads(&full);
    new.catch_up(&[&liar, &full]);
    assert_eq!(new.graph.heads(), full.graph.heads());
    new.state.on_disconnected(&liar.peer);
    assert_eq!(new.state.wanted(), 0, "a liar that is gone is forgotten, others or not");
}

#[test]
fn a_peer_whose_answer_was_left_for_later_is_asked_again_then() {
    let a = Author::new(1);
    let mut full = Replica::new(1, &[&a]);
    write(&mut full, &a, 3);
    let mut new = Replica::new(2, &[&a]);
    new.hear_heads(&full);
    let mut now = NOW;
    for _ in 0..3 * limits::SYNC_ATTEMPTS_MAX {
        assert!(new.state.next(&new.graph, now).is_some());
        let answer = Answer { held: true, more: true, ..Answer::default() };
        new.state.on_answer(&full.peer, &answer, &new.graph, now);
        assert_eq!(new.state.next(&new.graph, now), None, "the same would come again");
        assert_eq!(new.state.wake_at_mono_ms(now), Some(now.mono_ms + limits::SYNC_HELD_MS));
        now = now.plus_ms(limits::SYNC_HELD_MS);
    }
    while new.step(&[&full], now) {}
    assert_eq!(new.graph.heads(), full.graph.heads());
}

#[test]
fn a_peer_that_repeats_itself_without_end_is_left_alone() {
    let a = Author::new(1);
    let old = Replica::new(1, &[&a]);
    let mut new = Replica::new(2, &[&a]);
    new.state.on_heads(&old.peer, &[VertexId::of(b"made up")], &new.graph);
    let known: Vec<VertexId> = new.graph.iter().map(SignedVertex::id).collect();
    let mut requests = 0;
    while new.state.next(&new.graph, NOW).is_some() {
        let answer = Answer { received: known.clone(), news: 0, more: true, held: false };
        new.state.on_answer(&old.peer, &answer, &new.graph, NOW);
        requests += 1;
        assert!(requests < 10_000, "it ends");
    }
    assert!(new.state.wake_at_mono_ms(NOW).is_some(), "after a while it has another chance");
}

/// Chains of authors who do not know one another, each so long.
fn chains(authors: &[Author], length: usize) -> Vec<Vec<SignedVertex>> {
    let chain = |author: &Author| {
        let mut graph = graph_of(&[author]);
        for number in 1..length {
            author.write(&mut graph, vec![note(u8::try_from(number).unwrap())]);
        }
        graph.iter().cloned().collect()
    };
    authors.iter().map(chain).collect()
}

fn put_back(replica: &mut Replica, vertices: &[SignedVertex]) {
    for vertex in vertices {
        replica.graph.restore(vertex.clone()).unwrap();
    }
}

/// More heads than one message has room for: those left out were never mentioned by anybody.
#[test]
fn more_heads_than_fit_a_message_are_found_by_comparing_histories() {
    let authors: Vec<Author> = (1..=90).map(Author::new).collect();
    let mut replicas = [Replica::new(1, &[]), Replica::new(2, &[])];
    for (number, chain) in chains(&authors, 6).iter().enumerate() {
        put_back(&mut replicas[number % 2], chain);
        put_back(&mut replicas[1 - number % 2], &chain[..2 + number % 3]);
    }
    let [mut left, mut right] = replicas;
    let missing = 540 - left.graph.len();
    assert!(missing > 50);
    left.hear_heads(&right);
    let requests = left.catch_up(&[&right]);
    right.hear_heads(&left);
    right.catch_up(&[&left]);
    assert_eq!((left.graph.len(), right.graph.len()), (540, 540));
    assert!(left.graph.timeline().iter().eq(right.graph.timeline().iter()));
    assert!(left.ranges <= 3, "{}", left.ranges);
    assert!(requests <= left.ranges + missing.div_ceil(limits::REQUEST_VERTICES_MAX) + 1);
    assert!(!left.state.is_reconciling() && left.repeated == 0);
}

/// The answerer's sketch knows nothing of what the asker wrote, so it sent all they share first.
#[test]
fn histories_that_grew_apart_for_long_are_compared_after_one_fruitless_answer() {
    let (a, b) = (Author::new(1), Author::new(2));
    let mut left = Replica::new(1, &[&a, &b]);
    write(&mut left, &a, 400);
    let shared: Vec<SignedVertex> = left.graph.iter().cloned().collect();
    let mut right = Replica::new(2, &[&a, &b]);
    put_back(&mut right, &shared);
    write(&mut left, &a, 700);
    write(&mut right, &b, 100);
    left.hear_heads(&right);
    let requests = left.catch_up(&[&right]);
    assert_eq!(left.graph.len(), 402 + 700 + 100);
    assert!(left.ranges > 0 && left.repeated <= limits::RESPONSE_VERTICES_MAX);
    assert!(requests <= 1 + left.ranges + 2, "{requests}, {} of them ranges", left.ranges);
    assert!(left.ranges <= 4, "{}", left.ranges);
}

/// A replica that hears so many heads that it compares histories with a peer.
fn comparing(peer: &TransportId) -> Replica {
    let a = Author::new(1);
    let mut replica = Replica::new(2, &[&a]);
    write(&mut replica, &a, 100);
    let known = replica.graph.heads();
    replica.state.on_heads(peer, &vec![known[0]; limits::HEADS_MAX], &replica.graph);
    replica
}

#[test]
fn a_peer_that_lists_what_it_does_not_have_is_asked_for_it_once() {
    let liar = TransportId::from_bytes(&[1, 9]).unwrap();
    let mut new = comparing(&liar);
    let ask = new.state.next(&new.graph, NOW).unwrap();
    assert!(matches!(ask.want, Want::Ranges { .. }));
    // Up to infinity, a list of 1,800 names that nothing has.
    let mut message = vec![0x61, 0, 0, 2, 0x8e, 0x08];
    (0..1_800_u16).for_each(|n| message.extend(VertexId::of(&n.to_le_bytes()).0.0));
    assert_eq!(new.state.on_ranges(&liar, &message, &new.graph, NOW), Ok(()));
    let Want::Vertices { ids } = new.state.next(&new.graph, NOW).unwrap().want else { panic!() };
    assert_eq!(ids.len(), limits::REQUEST_VERTICES_MAX);
    assert!(!new.state.on_answer(&liar, &Answer::default(), &new.graph, NOW), "it kept them back");
    assert!(!new.state.is_reconciling());
    assert_eq!(new.state.next(&new.graph, NOW.plus_ms(1 << 40)), None);
}

#[test]
fn a_peer_that_compares_without_end_is_left_alone() {
    let liar = TransportId::from_bytes(&[1, 9]).unwrap();
    let mut new = comparing(&liar);
    let mut rounds = 0;
    while let Some(ask) = new.state.next(&new.graph, NOW) {
        assert!(matches!(ask.want, Want::Ranges { .. }));
        // Another fingerprint of everything, whatever was asked.
        let message = [vec![0x61, 0, 0, 1], vec![7; 16]].concat();
        assert_eq!(new.state.on_ranges(&liar, &message, &new.graph, NOW), Ok(()));
        rounds += 1;
    }
    assert_eq!(rounds, limits::RANGES_ROUNDS_MAX);
    assert!(!new.state.is_reconciling());
    // And one that takes its time has only so much of it.
    let mut new = comparing(&liar);
    let (mut now, mut rounds) = (NOW, 0);
    while new.state.next(&new.graph, now).is_some() {
        now = now.plus_ms(limits::SYNC_REQUEST_MS_MAX - 1);
        let message = [vec![0x61, 0, 0, 1], vec![7; 16]].concat();
        assert_eq!(new.state.on_ranges(&liar, &message, &new.graph, now), Ok(()));
        rounds += 1;
    }
    assert!(rounds <= 3, "{rounds}");
}

#[test]
fn what_can_not_be_read_ends_a_comparison_and_so_does_silence() {
    let peer = TransportId::from_bytes(&[1, 9]).unwrap();
    let mut new = comparing(&peer);
    assert!(new.state.next(&new.graph, NOW).is_some() && new.state.is_reconciling());
    assert!(new.state.on_ranges(&peer, &[0x61, 0, 0, 9], &new.graph, NOW).is_err());
    assert!(!new.state.is_reconciling());
    let mut new = comparing(&peer);
    assert!(new.state.next(&new.graph, NOW).is_some());
    let late = NOW.plus_ms(limits::SYNC_REQUEST_MS_MAX);
    assert_eq!(new.state.next(&new.graph, late), None);
    assert!(!new.state.is_reconciling());
    let mut new = comparing(&peer);
    assert!(new.state.next(&new.graph, NOW).is_some());
    new.state.on_disconnected(&peer);
    assert!(!new.state.is_reconciling());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn replicas_that_exchange_heads_become_equal(seed: u64, lying: bool) {
        let mut rng = Rng::from_u64(seed);
        let authors: Vec<Author> = (1..=3).map(Author::new).collect();
        let everybody: Vec<&Author> = authors.iter().collect();
        let mut replicas: Vec<Replica> =
            (1..=3).map(|number| Replica::new(number, &everybody)).collect();
        for _ in 0..30 {
            let who = usize::try_from(rng.below(3)).unwrap();
            // Author 0 may write on two replicas: the same identity in two places.
            let at = if lying && who == 0 { usize::try_from(rng.below(3)).unwrap() } else { who };
            let vertex = replicas[at].graph.next_vertex(authors[who].id, vec![note(0)], NOW);
            if let Ok(vertex) = vertex {
                let vertex = authors[who].sign(&vertex);
                let peer = replicas[at].peer.clone();
                replicas[at].take(&vertex, &peer);
            }
            let (from, to) = (rng.below(3), rng.below(3));
            exchange(&mut replicas, usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        }
        // Every honest author says one last thing on top of what it knows, so that it is cited.
        for round in 0..2 {
            for (who, author) in authors.iter().enumerate().skip(1) {
                author.write(&mut replicas[who].graph, vec![note(round)]);
            }
            for (from, to) in [(1, 2), (2, 1), (1, 0), (2, 0), (0, 1), (0, 2), (1, 2), (2, 1)] {
                exchange(&mut replicas, from, to);
            }
        }
        let honest = replicas[1].graph.heads();
        prop_assert!(honest.iter().all(|head| replicas[2].graph.contains(head)));
        prop_assert!(honest.iter().all(|head| replicas[0].graph.contains(head)));
        if !lying {
            prop_assert_eq!(replicas[0].graph.heads(), honest);
        }
    }
}

/// `to` hears the heads of `from` and catches up, with time for every back-off.
fn exchange(replicas: &mut [Replica], from: usize, to: usize) {
    if from == to {
        return;
    }
    let empty = Replica::new(99, &[]);
    let mut taker = std::mem::replace(&mut replicas[to], empty);
    taker.hear_heads(&replicas[from]);
    taker.state.last = None;
    let mut now = NOW;
    for _ in 0..40 {
        let others: Vec<&Replica> = replicas.iter().collect();
        while taker.step(&others, now) {}
        now = now.plus_ms(limits::SYNC_BACKOFF_MS_MAX);
    }
    replicas[to] = taker;
}
