//! Two sides of a signalling, with every order in which hosts and the way between may do things.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::limits;
use crate::rng::Rng;
use crate::webrtc::Error;
use crate::webrtc::signal::{END_OF_CANDIDATES, Input, Kind, Message, Output, Role, State};

const OFFER: &str = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
                     a=fingerprint:sha-256 AB:CD\r\n";

fn handle(state: &mut State, input: Input) -> Result<Vec<Output>, Error> {
    let mut out = Vec::new();
    state.handle(input, &mut out)?;
    Ok(out)
}

fn said(kind: Kind, data: &str) -> Input {
    Input::Message(Message { kind, data: data.to_owned() })
}

/// One side with a host that does what it is asked in its own time.
struct Side {
    state: State,
    /// What the host is about to say.
    host: VecDeque<Input>,
    /// What it was told, in order: `set`, then candidates.
    told: Vec<String>,
    heard: VecDeque<Message>,
}

impl Side {
    fn new(role: Role, candidates: usize) -> Self {
        let mut host: VecDeque<_> =
            (0..candidates).map(|at| Input::Candidate(format!("{{\"{role:?}\":{at}}}"))).collect();
        host.push_back(Input::Candidate(END_OF_CANDIDATES.to_owned()));
        if role == Role::Offerer {
            host.push_front(Input::Described(OFFER.to_owned()));
        }
        let (told, heard) = (Vec::new(), VecDeque::new());
        Self { state: State::new(role), host, told, heard }
    }

    /// Lets one of the things happen that may; what is sent goes to `way`.
    fn step(&mut self, rng: &mut Rng, way: &mut VecDeque<Message>) -> bool {
        let input = match (self.host.is_empty(), self.heard.pop_front()) {
            (true, None) => return false,
            (false, heard) if rng.below(2) == 0 => {
                if let Some(message) = heard {
                    self.heard.push_front(message);
                }
                // Candidates are found in any order, and before or after a description is set.
                let at = rng.below(u32::try_from(self.host.len()).unwrap());
                self.host.remove(usize::try_from(at).unwrap()).unwrap()
            }
            (_, Some(message)) => Input::Message(message),
            (false, None) => return true,
        };
        for output in handle(&mut self.state, input).unwrap() {
            match output {
                Output::Send(message) => way.push_back(message),
                Output::Answer(offer) => {
                    assert_eq!(offer, OFFER);
                    self.told.push("set".to_owned());
                    self.host.push_back(Input::Described(OFFER.to_owned()));
                }
                Output::Apply(_) => {
                    self.told.push("set".to_owned());
                    self.host.push_back(Input::Applied);
                }
                Output::Add(candidate) => self.told.push(candidate),
                Output::Done => unreachable!("no channel opens here"),
            }
        }
        true
    }
}

proptest! {
    /// In whatever order things happen, each host is told the peer's description first, then every
    /// candidate of the peer, once each.
    #[test]
    fn every_candidate_comes_after_the_description(
        seed in any::<u64>(), first in 0_usize..=24, second in 0_usize..=24,
    ) {
        let mut rng = Rng::from_u64_stream(seed, 0);
        let mut offerer = Side::new(Role::Offerer, first);
        let mut answerer = Side::new(Role::Answerer, second);
        loop {
            let (mut to, mut back) = (VecDeque::new(), VecDeque::new());
            let busy = [offerer.step(&mut rng, &mut to), answerer.step(&mut rng, &mut back)];
            answerer.heard.extend(to);
            offerer.heard.extend(back);
            let waits = !offerer.heard.is_empty() || !answerer.heard.is_empty();
            if !busy.contains(&true) && !waits {
                break;
            }
        }
        for (side, count) in [(&offerer, second), (&answerer, first)] {
            prop_assert_eq!(&side.told[0], "set");
            let mut candidates = side.told[1..].to_vec();
            prop_assert_eq!(candidates.len(), count + 1);
            candidates.sort();
            candidates.dedup();
            prop_assert_eq!(candidates.len(), count + 1);
        }
    }
}

/// An answerer whose host has set an offer, and an offerer whose host has set an answer.
fn under_way() -> [State; 2] {
    let (mut offerer, mut answerer) = (State::new(Role::Offerer), State::new(Role::Answerer));
    handle(&mut offerer, Input::Described(OFFER.to_owned())).unwrap();
    handle(&mut answerer, said(Kind::Offer, OFFER)).unwrap();
    handle(&mut offerer, said(Kind::Answer, OFFER)).unwrap();
    handle(&mut answerer, Input::Described(OFFER.to_owned())).unwrap();
    handle(&mut offerer, Input::Applied).unwrap();
    [offerer, answerer]
}

#[test]
fn what_comes_out_of_turn_is_refused() {
    let mut fresh = State::new(Role::Offerer);
    // An answer to an offer that was not made yet.
    assert!(matches!(handle(&mut fresh, said(Kind::Answer, OFFER)), Err(Error::Order(_))));
    assert!(matches!(handle(&mut fresh, said(Kind::Offer, OFFER)), Err(Error::Order(_))));
    let mut fresh = State::new(Role::Answerer);
    assert!(matches!(handle(&mut fresh, said(Kind::Answer, OFFER)), Err(Error::Order(_))));
    for state in &mut under_way() {
        for kind in [Kind::Offer, Kind::Answer] {
            let refused = handle(state, said(kind, OFFER));
            assert!(matches!(refused, Err(Error::Order(_))), "{refused:?}");
        }
    }
}

#[test]
fn a_flood_of_candidates_ends_it_before_or_after_the_description() {
    let [offerer, answerer] = under_way();
    for mut state in [offerer, answerer, State::new(Role::Answerer)] {
        let mut taken = 0;
        let refused = loop {
            match handle(&mut state, said(Kind::Candidate, "{}")) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(taken, limits::ICE_CANDIDATES_MAX);
        assert_eq!(refused.code(), "webrtc-limit");
    }
    let [mut state, _] = under_way();
    let long = "x".repeat(limits::ICE_CANDIDATE_BYTES_MAX + 1);
    assert!(matches!(handle(&mut state, said(Kind::Candidate, &long)), Err(Error::Limit { .. })));
    // Saying that there are no more costs nothing to say, so that is counted too.
    let [mut state, _] = under_way();
    let ends = (0..100).find(|_| handle(&mut state, said(Kind::Candidate, "null")).is_err());
    assert_eq!(ends, Some(limits::SIGNAL_MESSAGES_MAX - 1));
}

#[test]
fn candidates_in_a_description_count_like_the_others() {
    let most = limits::ICE_CANDIDATES_MAX;
    let line = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    let lenient = ["a=Candidate:1\n", "a= candidate:1\n", "a=:candidate 1\n", "a=candidate:1\r"];
    for line in [line].into_iter().chain(lenient) {
        // What names none, and is not counted, stands beside them.
        let offer = |count| format!("{OFFER}a=end-of-candidates\r\n{}", line.repeat(count));
        let mut state = State::new(Role::Answerer);
        assert!(handle(&mut state, said(Kind::Offer, &offer(most))).is_ok(), "{line:?}");
        let refused = handle(&mut state, said(Kind::Candidate, "{}"));
        assert!(matches!(refused, Err(Error::Limit { found: 25, .. })), "{line:?}: {refused:?}");
        for early in [0, 3] {
            let mut state = State::new(Role::Answerer);
            for _ in 0..early {
                handle(&mut state, said(Kind::Candidate, "{}")).unwrap();
            }
            let refused = handle(&mut state, said(Kind::Offer, &offer(most + 1 - early)));
            assert!(matches!(refused, Err(Error::Limit { .. })), "{line:?}: {refused:?}");
        }
    }
    let mut offerer = State::new(Role::Offerer);
    handle(&mut offerer, Input::Described(OFFER.to_owned())).unwrap();
    let answer = format!("{OFFER}{}", line.repeat(250));
    let refused = handle(&mut offerer, said(Kind::Answer, &answer));
    assert!(matches!(refused, Err(Error::Limit { found: 250, .. })), "{refused:?}");
}

#[test]
fn own_candidates_stay_within_what_a_peer_takes() {
    let [mut state, _] = under_way();
    let mut sent = 0;
    for at in 0..100 {
        sent += handle(&mut state, Input::Candidate(format!("{{\"at\":{at}}}"))).unwrap().len();
    }
    assert_eq!(sent, limits::ICE_CANDIDATES_MAX);
}

#[test]
fn descriptions_are_about_one_data_channel_and_name_a_certificate() {
    let audio = OFFER.replace("v=0\r\n", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
    let old = OFFER.replace("sha-256", "sha-1");
    let bare = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n".to_owned();
    for sdp in [audio, old, bare, String::new(), "nonsense".to_owned()] {
        let refused = handle(&mut State::new(Role::Answerer), said(Kind::Offer, &sdp));
        assert!(matches!(refused, Err(Error::Description(_))), "{sdp}");
        let mut offerer = State::new(Role::Offerer);
        handle(&mut offerer, Input::Described(OFFER.to_owned())).unwrap();
        let refused = handle(&mut offerer, said(Kind::Answer, &sdp));
        assert!(matches!(refused, Err(Error::Description(_))), "{sdp}");
    }
}

#[test]
fn what_comes_after_the_channel_opened_changes_nothing() {
    let [mut state, _] = under_way();
    assert_eq!(handle(&mut state, Input::Opened), Ok(vec![Output::Done]));
    for input in [
        Input::Opened,
        said(Kind::Offer, "nonsense"),
        said(Kind::Candidate, &"x".repeat(10_000)),
        Input::Candidate("{}".to_owned()),
    ] {
        assert_eq!(handle(&mut state, input), Ok(Vec::new()));
    }
}
