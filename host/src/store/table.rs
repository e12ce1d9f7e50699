//! The rows of one repository, in insertion order (runtime.md 7.2 to 7.6). Nothing here waits, and nothing here knows of disks or events.
//!
//! A row is kept in its canonical encoding, which is what a program gets back.

use super::datum::{Datum, at_path, uuid_text};
use super::filter::Filter;
use super::index::{Index, Keys, PLAIN};
use super::{Budget, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a row costs beside its bytes and its entries in the index.
const ROW_OVERHEAD_BYTES: usize = 96;
/// Bytes of rows that are looked at in one go, whatever their number.
const SCAN_BYTES_MAX: usize = 1 << 20;
/// Rows that an index proposes for one search.
const PROPOSED_MAX: usize = 1 << 16;
/// Path of the identity of a row.
const ID: [&str; 1] = ["id"];

/// Milliseconds since 1970.
pub(crate) type Millis = u64;
/// An encoded row.
pub(crate) type RowBytes = Arc<[u8]>;

#[derive(Debug)]
struct Row {
    created: Millis,
    bytes: RowBytes,
}

/// The rows of one repository.
#[derive(Debug)]
pub(crate) struct Table {
    name: Arc<str>,
    rows: BTreeMap<u64, Row>,
    index: Index,
    next: u64,
    cost: usize,
    size_max: Option<usize>,
    time_to_live: Option<Millis>,
}

/// What a table may take.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) rows_max: usize,
    pub(crate) budget: &'a Budget,
}

/// What storing one row did.
#[derive(Debug)]
pub(crate) struct Put {
    /// The row as it is stored now.
    pub(crate) row: RowBytes,
    pub(crate) position: u64,
    pub(crate) created: Millis,
    pub(crate) effect: Effect,
    /// Rows that had to go.
    pub(crate) gone: Vec<Gone>,
}

/// What became of the row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Created,
    Replaced { old: RowBytes },
    Unchanged,
}

/// A row that was removed to make room.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) position: u64,
    pub(crate) row: RowBytes,
    /// Whether the program is told: an expired row is gone for it already.
    pub(crate) is_eviction: bool,
}

/// Which of the matching rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    First,
    Last,
    Random,
}

/// A search that goes on where it stopped.
#[derive(Debug)]
pub(crate) struct Scan {
    selection: Selection,
    now: Millis,
    /// Positions that the index proposes, in order; none where all rows are looked at.
    proposed: Option<Arc<[u64]>>,
    /// Position at which it goes on; none where there is nothing to look at.
    next: Option<u64>,
    found: Vec<u64>,
}

impl Table {
    /// An empty table with an index of these fields.
    pub(crate) fn new(name: Arc<str>, indexed: &[String]) -> Self {
        Self {
            name,
            rows: BTreeMap::new(),
            index: Index::new(indexed),
            next: 0,
            cost: 0,
            size_max: None,
            time_to_live: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Indexes these fields from now on; goes on as it is where there is no room for that, because an index changes only what a search costs.
    pub(crate) fn follow(&mut self, indexed: &[String], budget: &Budget) {
        let mut index = Index::new(indexed);
        if index.has_fields_of(&self.index) {
            return;
        }
        let mut new_cost = 0;
        for (position, row) in &self.rows {
            let keys = index.keys(&row.bytes);
            new_cost += cost(&row.bytes, &keys);
            index.insert(keys, *position);
        }
        if budget.exchange(new_cost, self.cost).is_ok() {
            self.cost = new_cost;
            self.index = index;
        }
    }

    /// Most rows, and how long rows live in milliseconds, where they are set.
    pub(crate) fn retention(&self) -> (Option<usize>, Option<Millis>) {
        (self.size_max, self.time_to_live)
    }

    pub(crate) fn set_size_max(&mut self, rows: usize) {
        self.size_max = Some(rows);
    }

    pub(crate) fn set_time_to_live(&mut self, time: Millis) {
        self.time_to_live = Some(time);
    }

    /// Puts a row that was read from a data file where it was.
    pub(crate) fn restore(
        &mut self,
        position: u64,
        created: Millis,
        bytes: RowBytes,
        budget: &Budget,
    ) -> Result<(), StoreError> {
        let keys = self.index.keys(&bytes);
        let cost = cost(&bytes, &keys);
        budget.reserve(cost)?;
        self.cost += cost;
        self.index.insert(keys, position);
        self.next = self.next.max(position + 1);
        self.rows.insert(position, Row { created, bytes });
        Ok(())
    }

    /// Stores one row by the rules of runtime.md 7.2.
    pub(crate) fn put(
        &mut self,
        value: Datum,
        now: Millis,
        bounds: &Bounds<'_>,
    ) -> Result<Put, StoreError> {
        let Datum::Map(mut map) = value else {
            let bytes: RowBytes = value.encode().into();
            let known = self.find_same(PLAIN, &[], &value);
            return match known {
                Some(position) => Ok(self.unchanged(position, bytes)),
                None => self.append(bytes, now, bounds),
            };
        };
        let (position, by_id) = match map.get("id") {
            Some(id @ (Datum::Text(_) | Datum::Int(_))) => (self.find_same(0, &ID, id), true),
            Some(_) => (None, true),
            None => {
                let position = self.find_named(&map);
                let kept =
                    position.and_then(|position| at_path(&self.rows.get(&position)?.bytes, &ID));
                let id = match kept {
                    Some(id) => id,
                    None => Datum::Text(new_id()?),
                };
                map.insert("id".to_owned(), id);
                (position, false)
            }
        };
        let bytes: RowBytes = Datum::Map(map).encode().into();
        let Some(position) = position else {
            return self.append(bytes, now, bounds);
        };
        if by_id
            && self
                .rows
                .get(&position)
                .is_some_and(|row| row.bytes == bytes)
        {
            return Ok(self.unchanged(position, bytes));
        }
        self.replace(position, bytes, bounds)
    }

    /// The first row that has the same `name`, or else `key`.
    fn find_named(&self, map: &BTreeMap<String, Datum>) -> Option<u64> {
        match (map.get("name"), map.get("key")) {
            (Some(name), _) => self.find_same(1, &["name"], name),
            (None, Some(key)) => self.find_same(2, &["key"], key),
            (None, None) => None,
        }
    }

    /// The first row that has this value, of the same kind, at `path`.
    fn find_same(&self, field: u8, path: &[&str], value: &Datum) -> Option<u64> {
        let is_same = |position: &u64| {
            self.rows
                .get(position)
                .and_then(|row| at_path(&row.bytes, path))
                .as_ref()
                == Some(value)
        };
        self.index
            .positions(field, &value.index_key())
            .find(is_same)
    }

    fn unchanged(&self, position: u64, row: RowBytes) -> Put {
        Put {
            row,
            position,
            created: 0,
            effect: Effect::Unchanged,
            gone: Vec::new(),
        }
    }

    fn replace(
        &mut self,
        position: u64,
        bytes: RowBytes,
        bounds: &Bounds<'_>,
    ) -> Result<Put, StoreError> {
        let keys = self.index.keys(&bytes);
        let new_cost = cost(&bytes, &keys);
        let row = self.rows.get_mut(&position);
        let row = row.expect("the index names only positions that have a row");
        let old_keys = self.index.keys(&row.bytes);
        let old_cost = cost(&row.bytes, &old_keys);
        bounds.budget.exchange(new_cost, old_cost)?;
        self.cost = self.cost + new_cost - old_cost;
        self.index.remove(old_keys, position);
        self.index.insert(keys, position);
        let old = std::mem::replace(&mut row.bytes, Arc::clone(&bytes));
        Ok(Put {
            row: bytes,
            position,
            created: row.created,
            effect: Effect::Replaced { old },
            gone: Vec::new(),
        })
    }

    fn append(
        &mut self,
        bytes: RowBytes,
        now: Millis,
        bounds: &Bounds<'_>,
    ) -> Result<Put, StoreError> {
        let mut gone = Vec::new();
        let evicts = self.size_max.is_some_and(|max| self.rows.len() >= max);
        if self.rows.len() >= bounds.rows_max && !evicts {
            // Expired rows are kept as long as there is room for them (runtime.md 7.6).
            gone.extend(self.remove_expired(now, bounds.budget));
            if gone.is_empty() {
                return Err(StoreError::Rows {
                    repository: self.name.to_string(),
                    max: bounds.rows_max,
                });
            }
        }
        let keys = self.index.keys(&bytes);
        let new_cost = cost(&bytes, &keys);
        let freed = match self.rows.first_key_value() {
            Some((_, oldest)) if evicts => cost(&oldest.bytes, &self.index.keys(&oldest.bytes)),
            _ => 0,
        };
        bounds.budget.exchange(new_cost, freed)?;
        self.cost += new_cost;
        let position = self.next;
        self.next += 1;
        self.index.insert(keys, position);
        let row = Row {
            created: now,
            bytes: Arc::clone(&bytes),
        };
        self.rows.insert(position, row);
        if evicts {
            let oldest = self.rows.first_key_value().map(|(position, _)| *position);
            gone.extend(oldest.and_then(|position| {
                let (row, cost) = self.take(position)?;
                // What it takes has been exchanged already, unless the new row is the only one.
                bounds.budget.release(cost - freed);
                Some(Gone {
                    position,
                    row,
                    is_eviction: true,
                })
            }));
        }
        Ok(Put {
            row: bytes,
            position,
            created: now,
            effect: Effect::Created,
            gone,
        })
    }

    /// Removes the oldest row if it has expired.
    fn remove_expired(&mut self, now: Millis, budget: &Budget) -> Option<Gone> {
        let (position, row) = self.rows.first_key_value()?;
        let position = *position;
        if self.is_alive(row, now) {
            return None;
        }
        let row = self.remove(position, budget)?;
        Some(Gone {
            position,
            row,
            is_eviction: false,
        })
    }

    /// Removes the row at a position.
    pub(crate) fn remove(&mut self, position: u64, budget: &Budget) -> Option<RowBytes> {
        let (row, cost) = self.take(position)?;
        budget.release(cost);
        Some(row)
    }

    /// Takes a row out; answers what it took.
    fn take(&mut self, position: u64) -> Option<(RowBytes, usize)> {
        let row = self.rows.remove(&position)?;
        let keys = self.index.keys(&row.bytes);
        let cost = cost(&row.bytes, &keys);
        self.index.remove(keys, position);
        self.cost -= cost;
        Some((row.bytes, cost))
    }

    /// Removes all rows; answers what they were, to be dropped where that may take time.
    pub(crate) fn clear(&mut self, budget: &Budget) -> impl Sized + Send + 'static + use<> {
        budget.release(self.cost);
        self.cost = 0;
        self.index.clear();
        std::mem::take(&mut self.rows)
    }

    /// Begins a search.
    pub(crate) fn scan(&self, filter: &Filter, selection: Selection, now: Millis) -> Scan {
        let probes = filter.probes(|path| self.index.number(path));
        let proposed = probes.and_then(|probes| self.proposed(&probes));
        let next = match selection {
            Selection::Last => self.rows.last_key_value(),
            Selection::All | Selection::First | Selection::Random => self.rows.first_key_value(),
        };
        Scan {
            selection,
            now,
            proposed,
            next: next.map(|(position, _)| *position),
            found: Vec::new(),
        }
    }

    /// Positions that an index proposes, in order; none if they are so many that looking at all rows is no worse.
    fn proposed(&self, probes: &[(u8, Box<[u8]>)]) -> Option<Arc<[u64]>> {
        let positions = probes
            .iter()
            .flat_map(|(field, key)| self.index.positions(*field, key));
        let mut positions: Vec<u64> = positions.take(PROPOSED_MAX + 1).collect();
        if positions.len() > PROPOSED_MAX {
            return None;
        }
        positions.sort_unstable();
        positions.dedup();
        Some(positions.into())
    }

    /// Looks at up to `rows` rows, at fewer if they are long; whether the search is over.
    pub(crate) fn advance(&self, scan: &mut Scan, filter: &Filter, rows: usize) -> bool {
        let one = matches!(scan.selection, Selection::First | Selection::Last);
        let (mut left, mut bytes) = (rows, 0);
        let mut ahead = self.ahead(scan);
        loop {
            let Some((position, row)) = ahead.next() else {
                return true;
            };
            if left == 0 || bytes > SCAN_BYTES_MAX {
                drop(ahead);
                scan.next = Some(position);
                return false;
            }
            left -= 1;
            bytes += row.bytes.len();
            if self.is_alive(row, scan.now) && filter.selects(&row.bytes) {
                scan.found.push(position);
                if one {
                    return true;
                }
            }
        }
    }

    /// The rows that are still to be looked at, in the order of the search.
    fn ahead<'a>(&'a self, scan: &Scan) -> Box<dyn Iterator<Item = (u64, &'a Row)> + 'a> {
        let is_backward = scan.selection == Selection::Last;
        let Some(next) = scan.next else {
            return Box::new(std::iter::empty());
        };
        if let Some(positions) = &scan.proposed {
            let positions = Arc::clone(positions);
            let before = positions.partition_point(|position| *position < next);
            let through = positions.partition_point(|position| *position <= next);
            let length = positions.len();
            let row = move |index: usize| {
                let position = *positions.get(index)?;
                Some((position, self.rows.get(&position)?))
            };
            return match is_backward {
                true => Box::new((0..through).rev().filter_map(row)),
                false => Box::new((before..length).filter_map(row)),
            };
        }
        if is_backward {
            let rows = self.rows.range(..=next).rev();
            Box::new(rows.map(|(position, row)| (*position, row)))
        } else {
            let rows = self.rows.range(next..);
            Box::new(rows.map(|(position, row)| (*position, row)))
        }
    }

    /// The rows that were found, with their positions.
    ///
    /// # Errors
    /// [`StoreError::Answer`] if they take more than `bytes_max`.
    pub(crate) fn found(
        &self,
        scan: Scan,
        bytes_max: usize,
    ) -> Result<Vec<(u64, RowBytes)>, StoreError> {
        let mut positions = scan.found;
        if scan.selection == Selection::Random && positions.len() > 1 {
            let number = random_below(positions.len())?;
            positions = positions.get(number).copied().into_iter().collect();
        }
        let mut left = bytes_max;
        let rows = positions.into_iter().filter_map(|position| {
            let row = self.rows.get(&position)?;
            Some((position, Arc::clone(&row.bytes)))
        });
        rows.map(|(position, row)| {
            left = left
                .checked_sub(row.len())
                .ok_or_else(|| StoreError::Answer {
                    repository: self.name.to_string(),
                    max: bytes_max,
                })?;
            Ok((position, row))
        })
        .collect()
    }

    /// All rows, expired ones included.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &RowBytes> {
        self.rows.values().map(|row| &row.bytes)
    }

    fn is_alive(&self, row: &Row, now: Millis) -> bool {
        self.time_to_live
            .is_none_or(|time| now.saturating_sub(row.created) <= time)
    }
}

/// What a row and its entries in the index take, in bytes.
fn cost(row: &[u8], keys: &Keys) -> usize {
    row.len() + ROW_OVERHEAD_BYTES + keys.cost()
}

fn new_id() -> Result<String, StoreError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| StoreError::Random)?;
    // Version 4, variant 10 (RFC 9562 5.4).
    let value = u128::from_be_bytes(id) & !(0xF << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
    Ok(uuid_text(value.to_be_bytes()))
}

/// A number below `end`; no bias that could be seen, because tables are small beside 2^64.
fn random_below(end: usize) -> Result<usize, StoreError> {
    let number = getrandom::u64().map_err(|_| StoreError::Random)?;
    Ok(usize::try_from(number % end as u64).unwrap_or_default())
}
