//! Slots: a peer's share, everybody's bound, and that what is given back can be taken again.

use crate::limits::{SIGNALLINGS_MAX, SIGNALLINGS_PER_PEER_MAX};
use crate::webrtc::slots::Slots;

#[test]
fn one_peer_does_not_keep_all_others_waiting() {
    let mut slots = Slots::default();
    let taken = (0..SIGNALLINGS_MAX).filter(|_| slots.take("greedy")).count();
    assert_eq!(taken, SIGNALLINGS_PER_PEER_MAX);
    assert!(slots.take("other"));
    slots.give_back(&"greedy");
    assert!(slots.take("greedy"), "what was given back can be taken again");
    assert!(!slots.take("greedy"));
}

#[test]
fn all_peers_together_stay_within_the_bound() {
    let mut slots = Slots::default();
    let taken = (0..100).filter(|peer| slots.take(*peer)).count();
    assert_eq!(taken, SIGNALLINGS_MAX);
    slots.give_back(&99);
    assert!(!slots.take(100), "nothing was taken by that peer");
    slots.give_back(&0);
    assert!(slots.take(100));
    assert!(!slots.take(101));
}
