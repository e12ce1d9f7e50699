//! What `aro-host top` knows: two looks at a host, and what follows from them.

use crate::admin::status::{Buckets, Detail, One, Whole};
use aro_host::quantile;
use std::collections::BTreeMap;
use std::time::Duration;

/// Looks that the history of a tenant keeps.
const HISTORY: usize = 120;

/// What the tenants are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    #[default]
    Name,
    Events,
    Failures,
    Slowness,
    Connections,
    Cpu,
}

impl Order {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Name, "name"),
        (Self::Events, "events/s"),
        (Self::Failures, "errors/s"),
        (Self::Slowness, "p99"),
        (Self::Connections, "connections"),
        (Self::Cpu, "cpu"),
    ];

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(order, _)| *order == self);
        found.map_or("", |(_, name)| name)
    }

    fn next(self) -> Self {
        let mut all = Self::ALL.iter().cycle();
        all.find(|(order, _)| *order == self);
        all.next().map_or(self, |(order, _)| *order)
    }
}

/// A tenant between two looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) one: One,
    pub(super) events: f64,
    pub(super) failures: f64,
    pub(super) limits: f64,
    pub(super) received: f64,
    pub(super) sent: f64,
    /// Processors.
    pub(super) cpu: f64,
    pub(super) median: Option<Duration>,
    pub(super) p99: Option<Duration>,
}

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) now: Whole,
    before: Option<Whole>,
    pub(super) lines: Vec<Line>,
    /// Name of the tenant that is chosen; it may be gone.
    chosen: Option<String>,
    pub(super) order: Order,
    pub(super) paused: bool,
    is_detailed: bool,
    pub(super) detail: Option<Detail>,
    /// Events a second of each tenant, oldest first.
    pub(super) history: BTreeMap<String, Vec<u64>>,
    /// Why the numbers are old.
    pub(super) trouble: Option<String>,
}

impl View {
    /// Takes a look.
    pub(super) fn take(&mut self, now: Whole) {
        let before = std::mem::replace(&mut self.now, now);
        let has_restarted = before.uptime_ms >= self.now.uptime_ms;
        self.before = (before.uptime_ms > 0 && !has_restarted).then_some(before);
        let lines = self.now.tenants.iter().map(|one| self.line(one));
        self.lines = lines.collect();
        let names = self.now.tenants.iter().map(|one| one.tenant.as_str());
        let names: Vec<&str> = names.collect();
        self.history
            .retain(|name, _| names.contains(&name.as_str()));
        for line in &self.lines {
            let values = self.history.entry(line.one.tenant.clone()).or_default();
            values.push(line.events.round() as u64);
            if values.len() > HISTORY {
                values.remove(0);
            }
        }
        self.sort();
    }

    fn line(&self, one: &One) -> Line {
        let before = self.before.as_ref();
        let Some((before, old)) = before.and_then(|before| {
            let mut tenants = before.tenants.iter();
            Some((before, tenants.find(|old| old.tenant == one.tenant)?))
        }) else {
            return Line {
                one: one.clone(),
                ..Line::default()
            };
        };
        let seconds = (self.now.uptime_ms - before.uptime_ms) as f64 / 1000.0;
        let rate = |of: fn(&One) -> u64| of(one).saturating_sub(of(old)) as f64 / seconds;
        let counts = since(&one.durations, &old.durations);
        Line {
            one: one.clone(),
            events: rate(|one| one.events),
            failures: rate(|one| one.events_failed),
            limits: rate(|one| one.limits.values().sum()),
            received: rate(|one| one.protocols.values().map(|lane| lane.received).sum()),
            sent: rate(|one| one.protocols.values().map(|lane| lane.sent).sum()),
            cpu: rate(|one| one.cpu_ms) / 1000.0,
            median: quantile(&counts, 0.5),
            p99: quantile(&counts, 0.99),
        }
    }

    fn sort(&mut self) {
        let order = self.order;
        let key = |line: &Line| match order {
            Order::Name => 0.0,
            Order::Events => line.events,
            Order::Failures => line.failures,
            Order::Slowness => line.p99.unwrap_or_default().as_secs_f64(),
            Order::Connections => line.one.connections as f64,
            Order::Cpu => line.cpu,
        };
        self.lines.sort_by(|left, right| {
            let by_key = key(right).total_cmp(&key(left));
            by_key.then_with(|| left.one.tenant.cmp(&right.one.tenant))
        });
    }

    pub(super) fn sort_by_next(&mut self) {
        self.order = self.order.next();
        self.sort();
    }

    /// Place of the chosen tenant: the first where none is.
    pub(super) fn place(&self) -> usize {
        let is_chosen = |line: &Line| Some(&line.one.tenant) == self.chosen.as_ref();
        self.lines.iter().position(is_chosen).unwrap_or(0)
    }

    /// Chooses another tenant.
    pub(super) fn step(&mut self, by: isize) {
        let last = self.lines.len().saturating_sub(1);
        let place = self.place().saturating_add_signed(by).min(last);
        self.chosen = self.lines.get(place).map(|line| line.one.tenant.clone());
        if self.detailed() != self.detail.as_ref().map(|one| one.status.tenant.clone()) {
            self.detail = None;
        }
    }

    pub(super) fn toggle_detail(&mut self) {
        self.is_detailed = !self.is_detailed;
        self.detail = None;
    }

    /// The tenant that more is to be known of.
    pub(super) fn detailed(&self) -> Option<String> {
        let line = self.lines.get(self.place()).filter(|_| self.is_detailed)?;
        Some(line.one.tenant.clone())
    }
}

/// What has been counted between two looks, by bucket.
fn since(now: &Buckets, before: &Buckets) -> Vec<u64> {
    let mut counts = vec![0; now.first + now.counts.len()];
    for (count, now) in counts.iter_mut().skip(now.first).zip(&now.counts) {
        *count = *now;
    }
    for (count, before) in counts.iter_mut().skip(before.first).zip(&before.counts) {
        *count = count.saturating_sub(*before);
    }
    counts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::admin::status::Lane;

    pub(in crate::top) fn whole(uptime_ms: u64, tenants: &[(&str, u64, u64)]) -> Whole {
        let tenant = |(name, events, failed): &(&str, u64, u64)| One {
            tenant: (*name).to_owned(),
            running: true,
            version: Some(2),
            connections: 7,
            protocols: [(
                "tcp".to_owned(),
                Lane {
                    open: 7,
                    opened: 9,
                    received: events * 64,
                    sent: events * 32,
                },
            )]
            .into(),
            events: *events,
            events_failed: *failed,
            cpu_ms: events / 10,
            instance_bytes: 3 << 20,
            durations: Buckets {
                first: 14,
                counts: vec![*events],
                sum_us: 0,
            },
            limits: [("cpu_time_max".to_owned(), *failed)].into(),
            ..One::default()
        };
        Whole {
            uptime_ms,
            tenants: tenants.iter().map(tenant).collect(),
            ..Whole::default()
        }
    }

    #[test]
    fn rates_are_what_has_changed_in_the_time_between() {
        let mut view = View::default();
        view.take(whole(1000, &[("a", 100, 0), ("b", 500, 0)]));
        assert_eq!(view.lines[0].events, 0.0);
        view.take(whole(3000, &[("a", 300, 4), ("b", 500, 0)]));
        let line = &view.lines[0];
        assert_eq!((line.events, line.failures, line.limits), (100.0, 2.0, 2.0));
        assert_eq!((line.received, line.sent, line.cpu), (6400.0, 3200.0, 0.01));
        assert_eq!(view.lines[1].p99, None);
        let p99 = line.p99.unwrap();
        assert!(
            (Duration::from_micros(96)..=Duration::from_micros(128)).contains(&p99),
            "{p99:?}"
        );
        assert_eq!(view.history["a"], [0, 100]);
    }

    #[test]
    fn a_host_that_starts_again_gives_no_rates() {
        let mut view = View::default();
        view.take(whole(9000, &[("a", 900, 0)]));
        view.take(whole(100, &[("a", 3, 0)]));
        assert_eq!(view.lines[0].events, 0.0);
    }

    #[test]
    fn the_choice_follows_the_tenant_when_the_order_changes() {
        let mut view = View::default();
        view.take(whole(1000, &[("a", 0, 0), ("b", 0, 0), ("c", 0, 0)]));
        view.step(1);
        view.take(whole(2000, &[("a", 5, 0), ("b", 9, 0), ("c", 7, 0)]));
        view.sort_by_next();
        let names: Vec<&str> = view
            .lines
            .iter()
            .map(|line| line.one.tenant.as_str())
            .collect();
        assert_eq!((names.as_slice(), view.place()), (&["b", "c", "a"][..], 0));
        view.step(-1);
        view.step(9);
        assert_eq!(view.place(), 2);
        view.toggle_detail();
        assert_eq!(view.detailed().as_deref(), Some("a"));
    }
}
