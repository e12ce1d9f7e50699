//! The limits that a configuration sets, by the keys that the host knows.

use anyhow::Context;
use aro_host::Limits;
use aro_to_wasm::nearest;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// `limits` of the defaults or of a tenant: numbers by keys that end with their unit.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, u64>")]
pub(super) struct LimitsTable(BTreeMap<String, u64>);

/// What is said of a key that is no limit.
fn unknown(key: &str) -> String {
    let known = Limits::KEYS.iter().map(|known| known.key);
    let meant = match nearest(key, known) {
        Some(meant) => format!(", did you mean {meant:?}?"),
        None => "; docs/reference/limits.md lists them".to_owned(),
    };
    format!("there is no limit {key:?}{meant}")
}

impl TryFrom<BTreeMap<String, u64>> for LimitsTable {
    type Error = String;

    fn try_from(table: BTreeMap<String, u64>) -> Result<Self, String> {
        let is_known = |key: &str| Limits::KEYS.iter().any(|known| known.key == key);
        match table.keys().find(|key| !is_known(key)) {
            Some(key) => Err(unknown(key)),
            None => Ok(Self(table)),
        }
    }
}

impl LimitsTable {
    /// How many instances are asked for.
    pub(super) fn instances(&self) -> Option<usize> {
        let instances = self.0.get("instances")?;
        usize::try_from(*instances).ok()
    }

    /// Whether it sets the limit of a key.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets what is listed.
    pub(super) fn apply(&self, limits: &mut Limits) -> anyhow::Result<()> {
        for (key, value) in &self.0 {
            limits.set(key, *value).context("limits")?;
        }
        Ok(())
    }
}

/// A limit on the command line: its key and a number.
#[derive(Debug, Clone)]
pub(crate) struct LimitArgument {
    key: String,
    value: u64,
}

impl LimitArgument {
    /// Sets it.
    pub(crate) fn apply(&self, limits: &mut Limits) -> anyhow::Result<()> {
        Ok(limits.set(&self.key, self.value)?)
    }
}

impl FromStr for LimitArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not KEY=NUMBER, such as memory_mib=16"))?;
        let value = value
            .parse()
            .map_err(|_| format!("{value:?} is no number"))?;
        let key = key.to_owned();
        let table = LimitsTable::try_from(BTreeMap::from([(key.clone(), value)]));
        table.map(|_| Self { key, value })
    }
}
