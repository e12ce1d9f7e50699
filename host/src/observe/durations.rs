//! How long something took, counted by size: fixed buckets of atomics, so that counting neither waits nor allocates.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Powers of two that are told apart, from 1 µs to 67 s; each has two buckets.
const OCTAVES: usize = 27;
/// One bucket for less than a microsecond, two for each octave, one for all that is longer.
pub(crate) const BUCKETS: usize = 2 * OCTAVES + 2;

/// A histogram that is counted into.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
    shortest: AtomicU64,
    longest: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            nanoseconds: AtomicU64::new(0),
            shortest: AtomicU64::new(u64::MAX),
            longest: AtomicU64::new(0),
        }
    }
}

/// The bucket of a number of microseconds: its octave, and which half of that.
fn bucket(microseconds: u64) -> usize {
    let Some(octave) = microseconds.checked_ilog2() else {
        return 0;
    };
    let octave = octave as usize;
    let half = match octave {
        0 => 0,
        _ => (microseconds >> (octave - 1)) as usize & 1,
    };
    (2 * octave + half + 1).min(BUCKETS - 1)
}

/// Where a bucket ends: what it counts is shorter. None for the last one.
fn end(bucket: usize) -> Option<Duration> {
    if bucket + 1 >= BUCKETS {
        return None;
    }
    let Some(place) = bucket.checked_sub(1) else {
        return Some(Duration::from_micros(1));
    };
    let begin = 1u64 << (place / 2);
    let half = begin * 500 * (1 + place as u64 % 2);
    Some(Duration::from_nanos(begin * 1000 + half))
}

impl Histogram {
    /// Counts one.
    pub(crate) fn count(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket(nanoseconds / 1000)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        // Both settle soon; from then on looking is enough.
        if nanoseconds < self.shortest.load(Ordering::Relaxed) {
            self.shortest.fetch_min(nanoseconds, Ordering::Relaxed);
        }
        if nanoseconds > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(nanoseconds, Ordering::Relaxed);
        }
    }

    /// What has been counted.
    pub(crate) fn read(&self) -> Durations {
        let counts: Vec<u64> = self.counts.iter().map(load).collect();
        let is_empty = counts.iter().all(|count| *count == 0);
        Durations {
            sum: Duration::from_nanos(load(&self.nanoseconds)),
            shortest: match is_empty {
                true => Duration::ZERO,
                false => Duration::from_nanos(load(&self.shortest)),
            },
            longest: Duration::from_nanos(load(&self.longest)),
            counts,
        }
    }
}

fn load(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

/// How long executions took: how many of which size.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// Executions by size: below 1 µs, then two buckets for each power of two, at last those of 134 s and more.
    pub counts: Vec<u64>,
    /// All of them together.
    pub sum: Duration,
    /// The shortest; zero where there is none.
    pub shortest: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Durations {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            sum: Duration::ZERO,
            shortest: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }
}

impl Durations {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.shortest = match (self.count(), other.count()) {
            (_, 0) => self.shortest,
            (0, _) => other.shortest,
            _ => self.shortest.min(other.shortest),
        };
        self.longest = self.longest.max(other.longest);
        self.sum += other.sum;
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
    }

    /// The ends of the octaves from `first` to the end, in seconds, each with how many are shorter and not in the one before; the last has no end.
    pub(crate) fn octaves(&self, first: Duration) -> Vec<(f64, u64)> {
        let mut octaves = Vec::new();
        let mut waiting = 0;
        for (place, count) in self.counts.iter().enumerate() {
            waiting += count;
            match end(place) {
                None => octaves.push((f64::INFINITY, waiting)),
                Some(end) if place % 2 == 0 && end >= first => {
                    octaves.push((end.as_secs_f64(), waiting));
                    waiting = 0;
                }
                Some(_) => {}
            }
        }
        octaves
    }
}

/// The duration that a part (0 to 1) of what these counts tell is shorter than, taking what is in a bucket as spread over it evenly. None where nothing is counted.
#[must_use]
pub fn quantile(counts: &[u64], part: f64) -> Option<Duration> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let wanted = part.clamp(0.0, 1.0) * all as f64;
    let mut below = 0.0;
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = *count as f64;
        if below + count >= wanted {
            let begin = place.checked_sub(1).and_then(end).unwrap_or_default();
            let end = end(place).unwrap_or(begin);
            return Some(begin + (end - begin).mul_f64((wanted - below) / count));
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn microseconds(number: u64) -> Duration {
        Duration::from_micros(number)
    }

    #[test]
    fn every_duration_is_in_the_bucket_that_ends_behind_it() {
        for number in (0..5000).chain((0..40).map(|power| 1 << power)) {
            let place = bucket(number);
            if let Some(end) = end(place) {
                assert!(microseconds(number) < end, "{number}");
            }
            if let Some(begin) = place.checked_sub(1).and_then(end) {
                assert!(microseconds(number) >= begin, "{number}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(end(BUCKETS - 2), Some(microseconds(1 << OCTAVES)));
    }

    #[test]
    fn quantiles_lie_where_the_durations_do() {
        let histogram = Histogram::default();
        for _ in 0..99 {
            histogram.count(microseconds(100));
        }
        histogram.count(microseconds(50_000));
        let read = histogram.read();
        let median = quantile(&read.counts, 0.5).unwrap();
        assert!(
            (microseconds(96)..microseconds(128)).contains(&median),
            "{median:?}"
        );
        let last = quantile(&read.counts, 0.995).unwrap();
        assert!(
            (microseconds(49_152)..microseconds(65_536)).contains(&last),
            "{last:?}"
        );
        assert_eq!(quantile(&Durations::default().counts, 0.5), None);
        assert_eq!(
            (read.shortest, read.longest),
            (microseconds(100), microseconds(50_000))
        );
        assert_eq!((read.count(), read.sum), (100, microseconds(59_900)));
    }

    #[test]
    fn octaves_count_everything_once() {
        let histogram = Histogram::default();
        for number in [0, 3, 8, 9, 5000, u64::MAX / 2000] {
            histogram.count(microseconds(number));
        }
        let octaves = histogram.read().octaves(microseconds(8));
        assert_eq!(octaves.iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert_eq!(octaves[0], (0.000_008, 2));
        assert_eq!(octaves[1], (0.000_016, 2));
        assert_eq!(octaves.last(), Some(&(f64::INFINITY, 1)));
    }

    #[test]
    fn sums_of_durations_keep_the_extremes() {
        let (one, two) = (Histogram::default(), Histogram::default());
        one.count(microseconds(5));
        two.count(microseconds(3));
        let mut sum = Durations::default();
        sum.add(&one.read());
        sum.add(&Durations::default());
        sum.add(&two.read());
        assert_eq!(
            (sum.shortest, sum.longest, sum.count()),
            (microseconds(3), microseconds(5), 2)
        );
    }
}
