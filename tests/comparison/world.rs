//! Nodes on a seeded clock, seeded links and a processor each: the same for both engines.
//!
//! A message takes 20 to 30 ms, one in fifty up to 100 ms more: a round trip of 50 ms with jitter
//! and a tail. Nothing is lost and bandwidth is not modelled. Signatures cost what they are said to
//! cost and a node computes one after the other; everything else is free. Virtual time in
//! microseconds; the same seed gives the same run.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use synaptic_mesh::rng::Rng;

/// Up to so many nodes everybody is connected with everybody, and all of them are the committee.
pub(crate) const COMMITTEE: usize = 31;
/// Links that each node of a larger network opens; with those opened by others twice as many,
/// between what gossipsub wants, 6, and the most it keeps, 12.
const LINKS: usize = 4;
/// When a run ends at the latest, milliseconds: nobody waits for longer, and in the largest
/// networks two seconds are millions of messages.
pub(crate) fn horizon_ms(nodes: usize) -> u64 {
    if nodes < 1_000 { 5_000 } else { 2_000 }
}

/// Microseconds of making and of checking one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) sign_us: u64,
    pub(crate) check_us: u64,
}

/// What faulty nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    Silent,
    /// Everything against a decision: see the engines.
    Active,
}

/// One row of the comparison, whichever engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) nodes: usize,
    /// Share of faulty nodes, of a hundred, and what they do.
    pub(crate) faulty: (usize, Fault),
    /// Whether a second item claims the key at the same moment, which half of the nodes see first.
    pub(crate) contested: bool,
    pub(crate) cost: Cost,
    pub(crate) horizon_ms: u64,
}

/// What a node does when it hears something.
pub(crate) struct Actions<M> {
    /// To whom, what, how many bytes, and how long it is held back first (milliseconds).
    pub(crate) sends: Vec<(usize, M, usize, u64)>,
    pub(crate) wake_ms: Option<u64>,
    pub(crate) signed: u64,
    pub(crate) checked: u64,
    /// The number of the item that the node decided on.
    pub(crate) decided: Option<usize>,
}

/// The nodes of one engine.
pub(crate) trait Nodes {
    type Message;
    /// A message arrived, with who sent it, or it is time to wake up.
    fn handle(
        &mut self,
        node: usize,
        message: Option<(usize, Self::Message)>,
        now_ms: u64,
        act: &mut Actions<Self::Message>,
    );
}

/// What came of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// When each honest node decided, microseconds after the item was written.
    pub(crate) times_us: Vec<Option<u64>>,
    /// Everything that was sent (count, bytes), by all nodes together.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Signatures made and checked (count), by all nodes together.
    pub(crate) signed: u64,
    pub(crate) checked: u64,
    /// Whether two honest nodes decided differently.
    pub(crate) contradiction: bool,
}

/// Who is faulty, who is connected to whom, and which item each node sees first.
pub(crate) struct Plan {
    pub(crate) faulty: Vec<bool>,
    /// By node, members of the committee first; everybody, or whom it gossips with.
    pub(crate) links: Vec<Vec<usize>>,
    /// By node: the numbers of the items in the order in which it sees them.
    pub(crate) items: Vec<Vec<usize>>,
}

struct Entry<E> {
    at_us: u64,
    serial: u64,
    event: E,
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.serial).cmp(&(self.at_us, self.serial))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

/// A message with who sent it, or a node's own alarm.
type Arrival<M> = Option<(usize, M)>;

enum Event<M> {
    /// Something comes to a node.
    Arrive(usize, Arrival<M>),
    /// A node turns to what came first.
    Turn(usize),
}

pub(crate) struct World<'a, N: Nodes> {
    nodes: &'a mut N,
    case: Case,
    plan: &'a Plan,
    rng: Rng,
    events: BinaryHeap<Entry<Event<N::Message>>>,
    serial: u64,
    /// What came to each node and was not handled yet.
    inboxes: Vec<VecDeque<Arrival<N::Message>>>,
    busy_us: Vec<u64>,
    alarms_ms: Vec<u64>,
    items: Vec<Option<usize>>,
    outcome: Outcome,
}

impl Plan {
    pub(crate) fn new(case: &Case, seed: u64) -> Self {
        let mut rng = Rng::from_u64_stream(seed, 1);
        let members = case.nodes.min(COMMITTEE);
        let (percent, _) = case.faulty;
        let mut faulty = vec![false; case.nodes];
        // The committee has the same share of faulty members as the network.
        for (from, until) in [(0, members), (members, case.nodes)] {
            let mut places: Vec<usize> = (from..until).collect();
            rng.shuffle(&mut places);
            let share = if from == 0 { (until - from) * percent / 100 } else { rest(case) };
            places.iter().take(share).for_each(|place| faulty[*place] = true);
        }
        let mut links = vec![Vec::new(); case.nodes];
        for node in 0..case.nodes {
            if case.nodes <= COMMITTEE {
                links[node] = (0..case.nodes).filter(|other| *other != node).collect();
                continue;
            }
            for _ in 0..LINKS {
                let other = pick(case.nodes, &mut rng);
                if other != node && !links[node].contains(&other) {
                    links[node].push(other);
                    links[other].push(node);
                }
            }
        }
        let mut items = vec![vec![0]; case.nodes];
        let mut order: Vec<usize> = (0..case.nodes).filter(|node| !faulty[*node]).collect();
        rng.shuffle(&mut order);
        // The committee is split in halves, too.
        order.sort_by_key(|node| *node >= COMMITTEE);
        order.extend((0..case.nodes).filter(|node| faulty[*node]));
        for (at, node) in order.into_iter().enumerate().filter(|_| case.contested) {
            items[node] = vec![at % 2, 1 - at % 2];
        }
        Self { faulty, links, items }
    }
}

impl Plan {
    /// To whom a node passes on what came from this one: nobody, if its author reached everybody.
    pub(crate) fn gossip(&self, node: usize, from: usize) -> impl Iterator<Item = usize> {
        let all = self.links.len() > COMMITTEE;
        self.links[node].iter().copied().filter(move |to| all && *to != from)
    }
}

/// Faulty nodes outside the committee.
fn rest(case: &Case) -> usize {
    let (percent, _) = case.faulty;
    case.nodes * percent / 100 - COMMITTEE.min(case.nodes) * percent / 100
}

fn pick(count: usize, rng: &mut Rng) -> usize {
    usize::try_from(rng.below(u32::try_from(count).unwrap())).unwrap()
}

impl<'a, N: Nodes> World<'a, N> {
    pub(crate) fn new(nodes: &'a mut N, case: Case, plan: &'a Plan, seed: u64) -> Self {
        Self {
            nodes,
            case,
            plan,
            rng: Rng::from_u64_stream(seed, 2),
            events: BinaryHeap::new(),
            serial: 0,
            inboxes: (0..case.nodes).map(|_| VecDeque::new()).collect(),
            busy_us: vec![0; case.nodes],
            alarms_ms: vec![u64::MAX; case.nodes],
            items: vec![None; case.nodes],
            outcome: Outcome { times_us: vec![None; case.nodes], ..Outcome::default() },
        }
    }

    /// Runs until everybody has decided or time is up, and tells what came of it. Each node hears
    /// of the items from their authors, who are nobody here: of the first after one delay, of the
    /// second, if there is one, after two.
    pub(crate) fn run(mut self, items: &[N::Message]) -> Outcome
    where
        N::Message: Clone,
    {
        let plan = self.plan;
        for (node, numbers) in plan.items.iter().enumerate() {
            let mut at_us = 0;
            for number in numbers {
                at_us += self.delay_us();
                let message = items[*number].clone();
                self.post(at_us, Event::Arrive(node, Some((usize::MAX, message))));
            }
        }
        let honest = self.plan.faulty.iter().filter(|faulty| !**faulty).count();
        let mut left = honest;
        while let Some(Entry { at_us, event, .. }) = self.events.pop() {
            if left == 0 || at_us > self.case.horizon_ms * 1_000 {
                break;
            }
            match event {
                Event::Arrive(node, message) => {
                    self.inboxes[node].push_back(message);
                    if self.inboxes[node].len() == 1 {
                        self.post(at_us.max(self.busy_us[node]), Event::Turn(node));
                    }
                }
                Event::Turn(node) => left -= self.turn(node, at_us),
            }
        }
        let Self { mut outcome, items, plan, .. } = self;
        let honest = |node: &usize| !plan.faulty[*node];
        let times = (0..items.len()).filter(honest).map(|node| outcome.times_us[node]);
        outcome.times_us = times.collect();
        let mut decided: Vec<usize> = items.into_iter().flatten().collect();
        decided.sort_unstable();
        decided.dedup();
        outcome.contradiction = decided.len() > 1;
        outcome
    }

    /// Lets a node handle one message; how many honest nodes decided by it.
    fn turn(&mut self, node: usize, at_us: u64) -> usize {
        let Some(message) = self.inboxes[node].pop_front() else { return 0 };
        let now_ms = at_us / 1_000;
        if message.is_none() && self.alarms_ms[node] <= now_ms {
            self.alarms_ms[node] = u64::MAX;
        }
        let mut act =
            Actions { sends: vec![], wake_ms: None, signed: 0, checked: 0, decided: None };
        self.nodes.handle(node, message, now_ms, &mut act);
        let Cost { sign_us, check_us } = self.case.cost;
        let done_us = at_us + act.signed * sign_us + act.checked * check_us;
        self.busy_us[node] = done_us;
        self.outcome.signed += act.signed;
        self.outcome.checked += act.checked;
        for (to, message, bytes, held_ms) in act.sends {
            self.outcome.messages += 1;
            self.outcome.bytes += u64::try_from(bytes).unwrap();
            let delay_us = self.delay_us();
            let arrival = Event::Arrive(to, Some((node, message)));
            self.post(done_us + held_ms * 1_000 + delay_us, arrival);
        }
        if let Some(at_ms) = act.wake_ms.filter(|at_ms| *at_ms < self.alarms_ms[node]) {
            self.alarms_ms[node] = at_ms;
            self.post((at_ms * 1_000).max(done_us), Event::Arrive(node, None));
        }
        if !self.inboxes[node].is_empty() {
            self.post(done_us, Event::Turn(node));
        }
        let Some(item) = act.decided else { return 0 };
        let new = self.items[node].is_none() && !self.plan.faulty[node];
        self.items[node].get_or_insert(item);
        self.outcome.times_us[node].get_or_insert(done_us);
        usize::from(new)
    }

    fn post(&mut self, at_us: u64, event: Event<N::Message>) {
        self.serial += 1;
        self.events.push(Entry { at_us, serial: self.serial, event });
    }

    fn delay_us(&mut self) -> u64 {
        let tail = if self.rng.below(50) == 0 { self.rng.below(100_001) } else { 0 };
        u64::from(20_000 + self.rng.below(10_001) + tail)
    }
}
