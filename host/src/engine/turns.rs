//! Who computes when programs want more than the machine has: tenants take turns, by what they have used and their weights.
//!
//! An event that ends within a slice never waits, as long as its tenant has not used more than its part of the machine lately. Beyond that a guest needs a turn for every slice. There are as many turns as processors, and a free one goes to the tenant that has used least for its weight, whatever the number of its guests: the executor alone would share by guests.
//!
//! Use is counted in ticks of the clock while guests run. A host with one tenant has nobody to be fair to.

use super::clock::Clock;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::oneshot;

/// What a tenant that was quiet may use at once, in ticks.
const BURST_TICKS: u64 = 10;
/// How far a tenant that computes little may fall behind the others before it is forgotten, in ticks: what it may get ahead of them later.
const LAG_TICKS_MAX: u64 = 200;
/// Parts of a tick that accounts are kept in.
const PARTS: u64 = 1024;

/// The turns of an engine.
pub(crate) struct Turns {
    clock: Clock,
    turns_max: usize,
    table: Mutex<Table>,
    /// Tenants, and the sum of their weights.
    tenants: AtomicUsize,
    weights: AtomicU64,
}

#[derive(Default)]
struct Table {
    /// Turns that are taken.
    taken: usize,
    /// What the tenant that got the last turn had used for its weight: who comes back begins there.
    pace: u64,
    /// Those who have guests that wait.
    waiting: Vec<Arc<Account>>,
}

/// What one tenant has used, and its guests that wait.
struct Account {
    weight: u64,
    /// Parts of ticks for each unit of weight.
    used: AtomicU64,
    guests: Mutex<VecDeque<oneshot::Sender<Turn>>>,
}

/// One tenant's part of the machine.
pub(crate) struct Share {
    turns: Arc<Turns>,
    account: Arc<Account>,
    ticks: AtomicU64,
    /// What may be used before turns are needed.
    allowance: Mutex<Allowance>,
    in_debt: AtomicBool,
}

#[derive(Debug)]
struct Allowance {
    parts: u64,
    /// The tick at which it was looked at last.
    at: u64,
}

/// The right to compute; given on when dropped.
pub(crate) struct Turn {
    /// None once it is not to be given on.
    turns: Option<Arc<Turns>>,
}

impl Turns {
    pub(super) fn new(clock: Clock, turns_max: usize) -> Arc<Self> {
        Arc::new(Self {
            clock,
            turns_max: turns_max.max(1),
            table: Mutex::default(),
            tenants: AtomicUsize::new(0),
            weights: AtomicU64::new(0),
        })
    }

    /// Takes a turn if one is free and nobody waits.
    fn try_take(self: &Arc<Self>) -> Option<Turn> {
        let mut table = self.table.lock();
        let is_free = table.taken < self.turns_max && table.waiting.is_empty();
        is_free.then(|| {
            table.taken += 1;
            Turn {
                turns: Some(Arc::clone(self)),
            }
        })
    }

    /// Gives a turn that has become free to whoever has used least.
    fn pass(self: &Arc<Self>) {
        let mut table = self.table.lock();
        table.taken -= 1;
        while table.taken < self.turns_max {
            let used = |(_, account): &(usize, &Arc<Account>)| account.used.load(Ordering::Relaxed);
            let Some((place, account)) = table.waiting.iter().enumerate().min_by_key(used) else {
                return;
            };
            let account = Arc::clone(account);
            let mut guests = account.guests.lock();
            let next = guests.pop_front();
            if guests.is_empty() {
                table.waiting.swap_remove(place);
            }
            drop(guests);
            table.pace = table.pace.max(account.used.load(Ordering::Relaxed));
            let Some(next) = next else { continue };
            table.taken += 1;
            let turn = Turn {
                turns: Some(Arc::clone(self)),
            };
            if let Err(mut turn) = next.send(turn) {
                // Nobody waits there any more; giving it on from within would lock the table twice.
                turn.turns = None;
                table.taken -= 1;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.pass();
        }
    }
}

impl Share {
    /// The part of a tenant of this weight.
    pub(crate) fn new(turns: &Arc<Turns>, weight: u32) -> Self {
        let weight = u64::from(weight.max(1));
        turns.tenants.fetch_add(1, Ordering::AcqRel);
        turns.weights.fetch_add(weight, Ordering::AcqRel);
        Self {
            turns: Arc::clone(turns),
            account: Arc::new(Account {
                weight,
                used: AtomicU64::new(0),
                guests: Mutex::default(),
            }),
            ticks: AtomicU64::new(0),
            allowance: Mutex::new(Allowance {
                parts: BURST_TICKS * PARTS,
                at: turns.clock.now(),
            }),
            in_debt: AtomicBool::new(false),
        }
    }

    /// Ticks that its guests have used.
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Its guests have used ticks.
    pub(crate) fn charge(&self, ticks: u64) {
        if ticks == 0 {
            return;
        }
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
        let parts = ticks * PARTS;
        let used = parts / self.account.weight;
        self.account.used.fetch_add(used, Ordering::Relaxed);
        let mut allowance = self.allowance.lock();
        self.refill(&mut allowance);
        allowance.parts = allowance.parts.saturating_sub(parts);
        if allowance.parts == 0 {
            self.in_debt.store(true, Ordering::Release);
        }
    }

    fn refill(&self, allowance: &mut Allowance) {
        let now = self.turns.clock.now();
        let passed = now.saturating_sub(allowance.at);
        allowance.at = now;
        let weights = self.turns.weights.load(Ordering::Acquire).max(1);
        let machine = PARTS.saturating_mul(self.turns.turns_max as u64);
        let gained = passed.saturating_mul(machine) * self.account.weight / weights;
        allowance.parts = (allowance.parts + gained).min(BURST_TICKS * PARTS);
    }

    /// A turn for a new event, if its tenant has used more than its part lately and others are there.
    pub(crate) async fn admit(&self) -> Option<Turn> {
        if !self.in_debt.load(Ordering::Acquire) || !self.has_others() {
            return None;
        }
        let is_even = {
            let mut allowance = self.allowance.lock();
            self.refill(&mut allowance);
            // Only when it has been calm for a while: every event that is on its way may take a slice then.
            allowance.parts >= BURST_TICKS * PARTS / 2
        };
        if is_even {
            self.in_debt.store(false, Ordering::Release);
            return None;
        }
        Some(self.turn().await)
    }

    /// Whether there is anybody to be fair to.
    pub(crate) fn has_others(&self) -> bool {
        self.turns.tenants.load(Ordering::Acquire) > 1
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Turn {
        loop {
            if let Some(turn) = self.turns.try_take() {
                return turn;
            }
            let waiting = self.wait();
            // A turn that became free in between has been passed on to those who wait, this one included.
            if let Ok(turn) = waiting.await {
                return turn;
            }
        }
    }

    /// Stands in line for a turn.
    pub(crate) fn wait(&self) -> oneshot::Receiver<Turn> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.turns.table.lock();
        let mut guests = self.account.guests.lock();
        if guests.is_empty() {
            // Who has not computed for a while does not get all of that while at once.
            let pace = table.pace;
            let behind = LAG_TICKS_MAX * PARTS / self.account.weight;
            let used = pace.saturating_sub(behind);
            self.account.used.fetch_max(used, Ordering::Relaxed);
            table.waiting.push(Arc::clone(&self.account));
        }
        guests.push_back(sender);
        drop(guests);
        // Nobody might hold a turn and pass it on.
        let idle = table.taken < self.turns.turns_max;
        if idle {
            table.taken += 1;
        }
        drop(table);
        if idle {
            self.turns.pass();
        }
        receiver
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.turns.tenants.fetch_sub(1, Ordering::AcqRel);
        self.turns
            .weights
            .fetch_sub(self.account.weight, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Ticker;
    use super::*;

    #[tokio::test]
    async fn turns_go_to_who_has_used_least_for_its_weight() {
        let ticker = Ticker::start(|| ()).unwrap();
        let turns = Turns::new(ticker.clock(), 1);
        let light = Share::new(&turns, 1);
        let heavy = Share::new(&turns, 3);
        let first = light.turn().await;
        let mut waiting = Vec::new();
        for _ in 0..40 {
            waiting.push((true, light.wait()));
        }
        for _ in 0..40 {
            waiting.push((false, heavy.wait()));
        }
        drop(first);
        let mut got = Vec::new();
        for _ in 0..40 {
            let turns = waiting.iter_mut().map(|(_, waiting)| waiting.try_recv());
            let (place, turn) = turns
                .enumerate()
                .find_map(|(place, turn)| Some((place, turn.ok()?)))
                .unwrap();
            let (is_light, _) = waiting.remove(place);
            match is_light {
                true => light.charge(2),
                false => heavy.charge(2),
            }
            got.push(is_light);
            drop(turn);
        }
        let of_light = got.iter().filter(|is_light| **is_light).count();
        assert!((9..=11).contains(&of_light), "{of_light} of 40");
    }

    #[tokio::test]
    async fn a_turn_that_nobody_wants_any_more_goes_to_the_next() {
        let ticker = Ticker::start(|| ()).unwrap();
        let turns = Turns::new(ticker.clock(), 1);
        let (one, other) = (Share::new(&turns, 1), Share::new(&turns, 1));
        let held = one.turn().await;
        drop(other.wait());
        let waits = one.wait();
        drop(held);
        drop(waits.await.unwrap());
        drop(other.turn().await);
        assert_eq!(turns.table.lock().taken, 0);
    }
}
