//! Where rows are, by the values of some of their fields. An index proposes rows; whoever asks compares them.

use super::datum::{Datum, at_path, is_map};
use std::collections::BTreeSet;

/// Fields that identify rows (runtime.md 7.2): every repository has them indexed, in this order.
pub(crate) const IDENTIFYING: [&str; 3] = ["id", "name", "key"];
/// Further fields of one repository that are indexed.
pub(crate) const FIELDS_MAX: usize = 16;
/// In the place of a field: the whole of a row that is no map.
pub(crate) const PLAIN: u8 = u8::MAX;
/// What an entry takes beside its key.
const ENTRY_OVERHEAD_BYTES: usize = 72;

/// The entries of one row: fields and the keys of their values.
#[derive(Debug)]
pub(crate) struct Keys(Vec<(u8, Box<[u8]>)>);

impl Keys {
    /// What it takes to have them in the index, in bytes.
    pub(crate) fn cost(&self) -> usize {
        let keys = self.0.iter();
        keys.map(|(_, key)| key.len() + ENTRY_OVERHEAD_BYTES).sum()
    }
}

/// The index of one repository. Ordered, and not hashed: whoever chooses the values of rows must not be able to make it slow.
#[derive(Debug)]
pub(crate) struct Index {
    /// Paths of the fields; an entry names them by position.
    fields: Vec<Vec<String>>,
    entries: BTreeSet<(u8, Box<[u8]>, u64)>,
}

impl Index {
    /// An index of the identifying fields and of these dotted ones; what is beyond [`FIELDS_MAX`] is not indexed.
    pub(crate) fn new(fields: &[String]) -> Self {
        let further = fields
            .iter()
            .filter(|field| !IDENTIFYING.contains(&field.as_str()))
            .take(FIELDS_MAX)
            .map(|field| field.split('.').map(str::to_owned).collect());
        let identifying = IDENTIFYING.iter().map(|field| vec![(*field).to_owned()]);
        Self {
            fields: identifying.chain(further).collect(),
            entries: BTreeSet::new(),
        }
    }

    /// Whether it indexes what another does, in the same order.
    pub(crate) fn has_fields_of(&self, other: &Self) -> bool {
        self.fields == other.fields
    }

    /// The number of an indexed field; an empty path is the row itself.
    pub(crate) fn number(&self, path: &[String]) -> Option<u8> {
        if path.is_empty() {
            return Some(PLAIN);
        }
        let position = self.fields.iter().position(|field| field == path)?;
        u8::try_from(position).ok()
    }

    /// Positions of the rows that may have this value, in order.
    pub(crate) fn positions(&self, field: u8, key: &[u8]) -> impl Iterator<Item = u64> {
        self.entries
            .range((field, key.into(), 0)..=(field, key.into(), u64::MAX))
            .map(|(_, _, position)| *position)
    }

    /// The entries of a row.
    pub(crate) fn keys(&self, row: &[u8]) -> Keys {
        if !is_map(row) {
            let value = Datum::decode(row).ok();
            return Keys(
                value
                    .map(|value| (PLAIN, value.index_key()))
                    .into_iter()
                    .collect(),
            );
        }
        let fields = self.fields.iter().zip(0_u8..);
        let keys =
            fields.filter_map(|(path, number)| Some((number, at_path(row, path)?.index_key())));
        Keys(keys.collect())
    }

    pub(crate) fn insert(&mut self, keys: Keys, position: u64) {
        let entries = keys.0.into_iter();
        self.entries
            .extend(entries.map(|(field, key)| (field, key, position)));
    }

    pub(crate) fn remove(&mut self, keys: Keys, position: u64) {
        for (field, key) in keys.0 {
            self.entries.remove(&(field, key, position));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries = BTreeSet::new();
    }
}
