//! Where other nodes can be dialled, and when to try.
//!
//! Addresses come from a join link, from the application, and from peers that tell the addresses of
//! the peers they are connected to: that is what lets the mesh outlive its founder. A told address
//! is only a hint. It is dialled with back-off, and the connection has to prove the peer id at the
//! end of the address. An address that did so is worth more than any number of told ones: it is
//! kept before them, here and across restarts, and each teller has a share of the rest.

use std::collections::BTreeMap;

use crate::event::AddressView;
use crate::identity::TransportId;
use crate::limits;
use crate::rng::Rng;

/// Known addresses, by their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    entries: BTreeMap<String, Entry>,
    /// How many of them each peer told that have not led anywhere.
    told: BTreeMap<TransportId, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// The peer id at the end of the address, if it names one.
    peer: Option<TransportId>,
    /// Given by the owner: forgotten only for another such, and never if it led to its peer.
    pinned: bool,
    /// Led to its peer once.
    proved: bool,
    /// Who told it, if a peer did.
    teller: Option<TransportId>,
    /// When a connection to its peer was lost, if that peer has not been reached or refused since.
    lost_ms: Option<u64>,
    failures: u32,
    /// Why the last attempt came to nothing; empty when it did not, or there was none.
    why: String,
    /// Not before this time.
    next_ms: u64,
    /// Being dialled since.
    dialling_ms: Option<u64>,
}

impl Book {
    /// Remembers an address given by the owner and makes it due at once. Half of the book is for
    /// such, beyond which those go that failed most.
    pub(super) fn pin(&mut self, address: &str, now_ms: u64) {
        let pinned = self.entries.iter().filter(|(_, entry)| entry.pinned);
        if !self.knows(address) && pinned.clone().count() >= limits::BOOK_ENTRIES_MAX / 2 {
            let vain = pinned.filter(|(_, entry)| !entry.proved);
            let worst = vain.max_by_key(|(_, entry)| entry.failures);
            if let Some(worst) = worst.map(|(address, _)| address.clone()) {
                self.entries.remove(&worst);
            }
        }
        let entry = Entry::new(address, true, now_ms);
        let known = self.entries.entry(address.to_owned()).or_insert(entry);
        known.pinned = true;
        known.next_ms = now_ms;
        known.failures = 0;
    }

    /// Whether an address is remembered: asked often, as every peer tells addresses of others.
    pub(super) fn knows(&self, address: &str) -> bool {
        self.entries.contains_key(address)
    }

    /// Remembers an address that a peer told, or that was stored. Returns whether it was news.
    pub(super) fn hear(
        &mut self,
        address: &str,
        teller: Option<&TransportId>,
        now_ms: u64,
    ) -> bool {
        if self.knows(address) {
            return false;
        }
        let told = teller.and_then(|teller| self.told.get(teller)).copied().unwrap_or(0);
        if told >= limits::BOOK_ENTRIES_PER_TELLER_MAX {
            return false;
        }
        let Some(peer) = peer_of(address) else { return false };
        let entries = self.entries.values();
        let of_peer = entries.filter(|entry| entry.peer.as_ref() == Some(&peer)).count();
        if of_peer >= limits::ADDRESSES_PER_PEER_MAX
            || (self.entries.len() >= limits::BOOK_ENTRIES_MAX && !self.forget_one())
        {
            return false;
        }
        let teller = teller.cloned();
        if let Some(teller) = &teller {
            *self.told.entry(teller.clone()).or_default() += 1;
        }
        self.entries
            .insert(address.to_owned(), Entry { teller, ..Entry::new(address, false, now_ms) });
        true
    }

    /// The address worked. Returns whether it had not before.
    pub(super) fn connected(&mut self, address: &str, now_ms: u64) -> bool {
        let Some(entry) = self.entries.get_mut(address) else { return false };
        let is_news = !entry.proved;
        let teller = entry.teller.clone().filter(|_| is_news);
        entry.proved = true;
        entry.dialling_ms = None;
        entry.next_ms = now_ms.saturating_add(limits::DIAL_RETRY_MS_MIN);
        self.tell_less(teller);
        is_news
    }

    /// The peer at this address said hello: what failed before is forgotten. Until then it may turn
    /// this node away each time.
    pub(super) fn met(&mut self, peer: &TransportId, address: &str) {
        for (known, entry) in &mut self.entries {
            if known == address || entry.peer.as_ref() == Some(peer) {
                entry.lost_ms = None;
                entry.failures = 0;
                entry.why.clear();
            }
        }
    }

    /// A dial came to nothing.
    pub(super) fn failed(&mut self, address: &str, now_ms: u64, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.failures = entry.failures.saturating_add(1);
            entry.dialling_ms = None;
            let is_missed = entry
                .lost_ms
                .is_some_and(|lost_ms| now_ms.saturating_sub(lost_ms) < limits::PEER_MISSED_MS);
            let most_ms =
                if is_missed { limits::DIAL_MISSED_MS_MAX } else { limits::DIAL_RETRY_MS_MAX };
            entry.next_ms = now_ms.saturating_add(wait_ms(entry.failures, most_ms, rng));
        }
    }

    /// Somebody is there and did not want this node: it is left in peace for longer each time.
    pub(super) fn refused(&mut self, address: &str, now_ms: u64, rng: &mut Rng) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.lost_ms = None;
        }
        self.failed(address, now_ms, rng);
    }

    /// The connection to a peer was lost: its addresses are tried often for a while. Who stood
    /// still, or lost its network, is back within minutes or for good.
    pub(super) fn lost(&mut self, peer: &TransportId, now_ms: u64) {
        for entry in self.entries.values_mut() {
            if entry.peer.as_ref() == Some(peer) {
                entry.lost_ms = Some(now_ms);
            }
        }
    }

    /// This node stood still, and may be on another network now: whatever led somewhere once is due
    /// within a second.
    pub(super) fn wake(&mut self, now_ms: u64, rng: &mut Rng) {
        for entry in self.entries.values_mut().filter(|entry| entry.proved || entry.pinned) {
            let spread_ms = u32::try_from(limits::DIAL_RETRY_MS_MIN).unwrap_or(u32::MAX);
            let soon_ms = now_ms.saturating_add(u64::from(rng.below(spread_ms)));
            entry.failures = 0;
            entry.next_ms = entry.next_ms.min(soon_ms);
        }
    }

    /// The peer belongs to another network: neither this address nor any other of the peer is
    /// dialled for as long as a ban lasts, unless the owner asks for it again.
    pub(super) fn foreign(&mut self, peer: &TransportId, address: &str, now_ms: u64) {
        for (known, entry) in &mut self.entries {
            if known == address || entry.peer.as_ref() == Some(peer) {
                entry.dialling_ms = None;
                entry.next_ms = now_ms.saturating_add(limits::BAN_MS);
            }
        }
    }

    /// Marks an address as being dialled; `false` if it, or another one of its peer, is already.
    pub(super) fn begin(&mut self, address: &str, now_ms: u64) -> bool {
        let peer = peer_of(address);
        let mut dialled = self.entries.iter().filter(|(_, entry)| entry.dialling_ms.is_some());
        if dialled.any(|(text, entry)| text == address || peer.is_some() && entry.peer == peer) {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(address) {
            entry.dialling_ms = Some(now_ms);
        }
        true
    }

    /// Keeps why nobody was reached.
    pub(super) fn note(&mut self, address: &str, why: &str) {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.why = why.chars().take(limits::REASON_CHARS_MAX).collect();
        }
    }

    /// Whether there are addresses and each has failed at least so often.
    pub(super) fn all_failed(&self, failures: u32) -> bool {
        let failed = |entry: &Entry| entry.failures >= failures;
        !self.entries.is_empty() && self.entries.values().all(failed)
    }

    /// Addresses of peers that are not here, those first that are tried next.
    pub(super) fn unreached(
        &self,
        now_ms: u64,
        is_here: impl Fn(&TransportId) -> bool,
    ) -> Vec<AddressView> {
        let away = |entry: &Entry| !entry.peer.as_ref().is_some_and(&is_here);
        let away = self.entries.iter().filter(|(_, entry)| away(entry));
        let mut views: Vec<AddressView> = away
            .map(|(address, entry)| AddressView {
                address: address.clone(),
                failures: entry.failures,
                reason: entry.why.clone(),
                next_ms: entry.next_ms.saturating_sub(now_ms),
                dialling: entry.dialling_ms.is_some(),
            })
            .collect();
        views.sort_by_key(|view| view.next_ms);
        views
    }

    /// Addresses to dial now, marked as being dialled: due, not of an `excluded` peer, one for each
    /// peer, at most `count_max`.
    pub(super) fn due(
        &mut self,
        count_max: usize,
        now_ms: u64,
        excluded: impl Fn(&TransportId) -> bool,
        rng: &mut Rng,
    ) -> Vec<String> {
        self.choose(count_max, now_ms, excluded, rng, |entry| (entry.failures, !entry.pinned))
    }

    /// An address to dial now, marked as being dialled: any that is due, not of an `excluded` peer.
    pub(super) fn any(
        &mut self,
        now_ms: u64,
        excluded: impl Fn(&TransportId) -> bool,
        rng: &mut Rng,
    ) -> Option<String> {
        self.choose(1, now_ms, excluded, rng, |_| ()).pop()
    }

    /// Addresses that are due, those first that rank lowest.
    fn choose<R: Ord>(
        &mut self,
        count_max: usize,
        now_ms: u64,
        excluded: impl Fn(&TransportId) -> bool,
        rng: &mut Rng,
        rank: impl Fn(&Entry) -> R,
    ) -> Vec<String> {
        self.expire(now_ms, rng);
        let dialling = self.entries.values().filter(|entry| entry.dialling_ms.is_some());
        let mut peers: Vec<_> = dialling.map(|entry| entry.peer.clone()).collect();
        let room = limits::DIALS_MAX.saturating_sub(peers.len()).min(count_max);
        let mut due: Vec<_> = self
            .entries
            .iter_mut()
            .filter(|(_, entry)| entry.dialling_ms.is_none() && entry.next_ms <= now_ms)
            .filter(|(_, entry)| !entry.peer.as_ref().is_some_and(&excluded))
            .collect();
        rng.shuffle(&mut due);
        due.sort_by_key(|(_, entry)| rank(entry));
        let mut chosen = Vec::new();
        for (address, entry) in due {
            if chosen.len() < room && (entry.peer.is_none() || !peers.contains(&entry.peer)) {
                entry.dialling_ms = Some(now_ms);
                peers.push(entry.peer.clone());
                chosen.push(address.clone());
            }
        }
        chosen
    }

    /// When the next address of a peer that is not `excluded` becomes due, or a dial expires. What
    /// is due already and was not chosen waits for a dial to end.
    pub(super) fn next_ms(
        &self,
        now_ms: u64,
        excluded: impl Fn(&TransportId) -> bool,
    ) -> Option<u64> {
        let wanted =
            self.entries.values().filter(|entry| !entry.peer.as_ref().is_some_and(&excluded));
        let due = |entry: &Entry| match entry.dialling_ms {
            Some(since_ms) => since_ms.saturating_add(limits::DIAL_TIMEOUT_MS),
            None => entry.next_ms,
        };
        wanted.map(due).filter(|due_ms| *due_ms > now_ms).min()
    }

    /// Addresses worth trying after a restart, best first.
    pub(super) fn addresses(&self) -> Vec<&str> {
        let mut known: Vec<_> =
            self.entries.iter().filter(|(_, entry)| entry.peer.is_some()).collect();
        known.sort_by_key(|(_, entry)| (!entry.proved, entry.failures));
        known.into_iter().map(|(address, _)| address.as_str()).collect()
    }

    /// How many addresses are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Gives up dials that the driver never answered.
    fn expire(&mut self, now_ms: u64, rng: &mut Rng) {
        let lost = |since_ms: u64| now_ms.saturating_sub(since_ms) >= limits::DIAL_TIMEOUT_MS;
        let expired: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.dialling_ms.is_some_and(lost))
            .map(|(address, _)| address.clone())
            .collect();
        for address in expired {
            self.failed(&address, now_ms, rng);
        }
    }

    /// Forgets the address with the most failures, one that was only told before one that led
    /// somewhere; `false` when all are pinned or work.
    fn forget_one(&mut self) -> bool {
        let works = |entry: &Entry| entry.proved && entry.failures == 0;
        let known = self.entries.iter().filter(|(_, entry)| !entry.pinned && !works(entry));
        let rank = |entry: &Entry| (!entry.proved, entry.teller.is_some(), entry.failures);
        let worst = known.max_by_key(|(_, entry)| rank(entry));
        let worst = worst.map(|(address, _)| address.clone());
        let forgotten = worst.and_then(|address| self.entries.remove(&address));
        let is_forgotten = forgotten.is_some();
        let told = forgotten.filter(|entry| !entry.proved);
        self.tell_less(told.and_then(|entry| entry.teller));
        is_forgotten
    }

    /// One address that this peer told counts no longer.
    fn tell_less(&mut self, teller: Option<TransportId>) {
        if let Some(teller) = teller
            && let Some(count) = self.told.get_mut(&teller)
        {
            *count -= 1;
            if *count == 0 {
                self.told.remove(&teller);
            }
        }
    }
}

impl Entry {
    fn new(address: &str, pinned: bool, now_ms: u64) -> Self {
        let peer = peer_of(address);
        Self {
            peer,
            pinned,
            proved: false,
            teller: None,
            lost_ms: None,
            failures: 0,
            why: String::new(),
            next_ms: now_ms,
            dialling_ms: None,
        }
    }
}

/// The peer id at the end of a multiaddr.
pub(super) fn peer_of(address: &str) -> Option<TransportId> {
    let (_, peer) = address.rsplit_once("/p2p/")?;
    peer.parse().ok()
}

/// Doubles with each failure up to a limit; jittered, so that a mesh that lost a node does not
/// dial it in step.
fn wait_ms(failures: u32, most_ms: u64, rng: &mut Rng) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let wait_ms = (limits::DIAL_RETRY_MS_MIN << doublings).min(most_ms);
    let jitter_ms = u64::from(rng.below(u32::try_from(wait_ms / 2).unwrap_or(u32::MAX).max(1)));
    wait_ms / 2 + wait_ms / 4 + jitter_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> String {
        let peer = TransportId::from_bytes(&number.to_be_bytes()).unwrap();
        format!("/ip4/10.0.0.1/tcp/{number}/ws/p2p/{peer}")
    }

    #[test]
    fn failed_dials_are_retried_ever_more_rarely() {
        let mut rng = Rng::from_u64(1);
        let mut book = Book::default();
        book.pin(&address(1), 0);
        let (mut now_ms, mut dials) = (0, 0);
        while now_ms < 3_600_000 {
            for due in book.due(4, now_ms, |_| false, &mut rng) {
                dials += 1;
                book.failed(&due, now_ms, &mut rng);
            }
            now_ms = book.next_ms(now_ms, |_| false).unwrap();
        }
        assert!((20..60).contains(&dials), "{dials} dials in an hour");
    }

    /// When an address is dialled that fails each time, for an hour.
    fn dials(book: &mut Book, rng: &mut Rng) -> Vec<u64> {
        let (mut now_ms, mut dials) = (0, Vec::new());
        while now_ms < 3_600_000 {
            for due in book.due(4, now_ms, |_| false, rng) {
                dials.push(now_ms);
                book.failed(&due, now_ms, rng);
            }
            now_ms = book.next_ms(now_ms, |_| false).unwrap();
        }
        dials
    }

    #[test]
    fn a_missed_peer_is_dialled_often_for_a_while_unless_it_refuses() {
        let mut rng = Rng::from_u64(1);
        let peer = peer_of(&address(1)).unwrap();
        let waits = |dials: &[u64]| -> Vec<u64> {
            dials.windows(2).map(|pair| pair[1] - pair[0]).collect()
        };
        let mut missed = Book::default();
        missed.pin(&address(1), 0);
        missed.lost(&peer, 0);
        let dialled = dials(&mut missed, &mut rng);
        let early = dialled.iter().filter(|at_ms| **at_ms < limits::PEER_MISSED_MS).count();
        let longest = limits::DIAL_MISSED_MS_MAX + limits::DIAL_MISSED_MS_MAX / 4;
        assert!(waits(&dialled[..early]).iter().all(|wait_ms| *wait_ms <= longest));
        assert!(*waits(&dialled).iter().max().unwrap() > limits::DIAL_RETRY_MS_MAX / 2);
        let mut refused = missed.clone();
        refused.connected(&address(1), 0);
        refused.lost(&peer, 0);
        refused.refused(&address(1), 0, &mut rng);
        assert!(dials(&mut refused, &mut rng).len() < 60, "the control");
    }

    /// Who was banned had been dialled each second, with a whole handshake, for ever.
    #[test]
    fn who_turns_this_node_away_each_time_is_left_in_peace_for_longer_and_longer() {
        let mut rng = Rng::from_u64(1);
        let peer = peer_of(&address(1)).unwrap();
        let mut book = Book::default();
        book.pin(&address(1), 0);
        let (mut now_ms, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            assert_eq!(book.due(1, now_ms, |_| false, &mut rng), vec![address(1)]);
            book.connected(&address(1), now_ms);
            book.refused(&address(1), now_ms, &mut rng);
            let next_ms = book.next_ms(now_ms, |_| false).unwrap();
            waits.push(next_ms - now_ms);
            now_ms = next_ms;
        }
        assert!(waits[7] > 20 * waits[0], "{waits:?}");
        book.met(&peer, "");
        book.failed(&address(1), now_ms, &mut rng);
        let wait_ms = book.next_ms(now_ms, |_| false).unwrap() - now_ms;
        assert!(wait_ms < 2 * limits::DIAL_RETRY_MS_MIN, "{wait_ms}: a hello makes it good");
    }

    #[test]
    fn pinned_addresses_that_lead_nowhere_leave_room_for_others() {
        let (mut book, mut rng) = (Book::default(), Rng::from_u64(1));
        book.pin(&address(0), 0);
        book.connected(&address(0), 0);
        for number in 1..1_000 {
            book.pin(&address(number), 0);
            book.failed(&address(number), 0, &mut rng);
        }
        assert_eq!(book.len(), limits::BOOK_ENTRIES_MAX / 2);
        assert!(book.knows(&address(0)) && book.knows(&address(999)));
        assert!(book.hear(&address(1_000), None, 0));
    }

    #[test]
    fn told_addresses_are_bounded_and_never_displace_pinned_ones() {
        let mut book = Book::default();
        book.pin(&address(1), 0);
        for number in 2..2_000 {
            book.hear(&address(number), None, 0);
        }
        assert_eq!(book.len(), limits::BOOK_ENTRIES_MAX);
        assert!(book.addresses().contains(&address(1).as_str()));
        assert!(
            !book.hear("/ip4/10.0.0.1/tcp/1/ws", None, 0),
            "without a peer id it proves nothing"
        );
        let peer = peer_of(&address(1)).unwrap();
        let heard = |n: &i32| book.hear(&format!("/dns4/n{n}/p2p/{peer}"), None, 0);
        assert!((0..100).filter(heard).count() < limits::ADDRESSES_PER_PEER_MAX);
    }

    /// A peer that told invented addresses displaced those that had worked, and after a restart
    /// nothing was left that led back into the mesh.
    #[test]
    fn invented_addresses_never_displace_those_that_worked() {
        let mut rng = Rng::from_u64(1);
        let mut book = Book::default();
        let liar = peer_of(&address(9_999)).unwrap();
        for number in 1..=40 {
            book.hear(&address(number), None, 0);
            book.connected(&address(number), 0);
            book.failed(&address(number), 0, &mut rng);
        }
        for number in 100..2_000 {
            book.hear(&address(number), Some(&liar), 0);
        }
        assert_eq!(book.len(), 40 + limits::BOOK_ENTRIES_PER_TELLER_MAX);
        for teller in 10_000..10_100 {
            let teller = peer_of(&address(teller)).unwrap();
            (0..20).for_each(|number| {
                let number = u32::from(teller.as_bytes()[3]) * 100 + 20_000 + number;
                book.hear(&address(number), Some(&teller), 0);
            });
        }
        assert_eq!(book.len(), limits::BOOK_ENTRIES_MAX);
        let best = book.addresses();
        let worked: Vec<String> = (1..=40).map(address).collect();
        assert!(worked.iter().all(|address| best[..40].contains(&address.as_str())));
    }

    #[test]
    fn one_dial_per_peer_and_only_so_many_at_once() {
        let mut rng = Rng::from_u64(1);
        let mut book = Book::default();
        let peer = peer_of(&address(7)).unwrap();
        book.hear(&address(7), None, 0);
        book.hear(&format!("/dns4/other/p2p/{peer}"), None, 0);
        assert_eq!(book.due(9, 0, |_| false, &mut rng).len(), 1);
        for number in 10..30 {
            book.hear(&address(number), None, 0);
        }
        assert_eq!(book.due(9, 0, |_| false, &mut rng).len(), limits::DIALS_MAX - 1);
        assert!(book.due(9, 0, |_| false, &mut rng).is_empty());
        let late_ms = limits::DIAL_TIMEOUT_MS + limits::DIAL_RETRY_MS_MAX;
        assert!(book.due(9, limits::DIAL_TIMEOUT_MS, |_| false, &mut rng).len() <= 4);
        assert!(!book.due(9, 2 * late_ms, |other| *other == peer, &mut rng).is_empty());
    }
}
