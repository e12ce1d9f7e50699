//! What an operator allows a program beyond computing, connections and state; and what its command line says to it.

use crate::store::datum::Datum;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

mod range;
mod target;

pub(crate) use target::address;
pub use target::{Outbound, TargetError, Targets};

/// What a program may reach of the machine.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Environment variables it may read.
    pub environment: Environment,
    /// Whether it may read the standard input.
    pub input: bool,
    /// Hosts and ports it may connect to.
    pub outbound: Outbound,
    /// Directories whose contents it may read and change. Its relative paths begin at the first.
    pub directories: Vec<PathBuf>,
    /// Ports that it may listen on.
    pub ports: Ports,
}

/// Ports that a program may listen on. Those that the operator sets himself are granted with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ports {
    /// All of them.
    #[default]
    All,
    /// Those of these ranges.
    Some(Vec<RangeInclusive<u16>>),
}

impl Ports {
    /// Whether a port may be listened on.
    pub(crate) fn grants(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Some(ranges) => ranges.iter().any(|range| range.contains(&port)),
        }
    }
}

/// Environment variables that a program may read.
#[derive(Debug, Clone)]
pub enum Environment {
    /// All that the process has.
    All,
    /// Those of these names.
    Named(BTreeSet<String>),
}

impl Default for Environment {
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Environment {
    /// Whether a name may be read.
    pub(crate) fn grants(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// The value of a variable that may be read and is set.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        // The system's functions refuse such names by panicking or by answering something else.
        if name.is_empty() || name.contains(['=', '\0']) || !self.grants(name) {
            return None;
        }
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// All variables that may be read, encoded.
    pub(crate) fn all(&self) -> Vec<u8> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let value = Datum::Text(value.to_string_lossy().into_owned());
            self.grants(&name).then_some((name, value))
        });
        Datum::Map(variables.collect()).encode()
    }
}

/// What follows a program on the command line, by name (runtime.md 1.8).
#[derive(Debug, Clone)]
pub struct Parameters {
    encoded: Arc<[u8]>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self::parse(&[])
    }
}

impl Parameters {
    /// Reads arguments: `--key=value`, `--key value`, `--key`, `-abc`. Anything else is ignored; of equal names the last counts.
    #[must_use]
    pub fn parse(arguments: &[String]) -> Self {
        Self {
            encoded: Datum::Map(parse(arguments)).encode().into(),
        }
    }

    /// A map, as programs read it.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        self.encoded.to_vec()
    }
}

fn parse(arguments: &[String]) -> BTreeMap<String, Datum> {
    let mut parameters = BTreeMap::new();
    let mut arguments = arguments.iter().peekable();
    while let Some(argument) = arguments.next() {
        if let Some(long) = argument.strip_prefix("--") {
            if let Some((key, value)) = long.split_once('=') {
                parameters.insert(key.to_owned(), coerce(value));
            } else if let Some(value) = arguments.next_if(|next| !next.starts_with('-')) {
                parameters.insert(long.to_owned(), coerce(value));
            } else if !long.is_empty() {
                parameters.insert(long.to_owned(), Datum::Bool(true));
            }
        } else if let Some(short) = argument.strip_prefix('-') {
            parameters.extend(
                short
                    .chars()
                    .map(|key| (key.to_string(), Datum::Bool(true))),
            );
        }
    }
    parameters
}

/// Truth values, whole numbers that print as they were written, numbers with a point; else text.
fn coerce(text: &str) -> Datum {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Datum::Bool(text.eq_ignore_ascii_case("true"));
    }
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => return Datum::Int(number),
        _ => {}
    }
    match text.parse::<f64>() {
        Ok(number) if text.contains('.') => Datum::Float(number),
        _ => Datum::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_parameters() {
        let arguments = [
            "--port=9000",
            "--name",
            "Ida",
            "stray",
            "--debug",
            "-xy",
            "--zip",
            "007",
            "--rate=2.50",
            "--on",
            "TRUE",
            "--empty=",
            "--big=12345678901234567890",
        ];
        let found = parse(&arguments.map(str::to_owned));
        let text = |text: &str| Datum::Text(text.to_owned());
        let expected = [
            ("big", text("12345678901234567890")),
            ("debug", Datum::Bool(true)),
            ("empty", text("")),
            ("name", text("Ida")),
            ("on", Datum::Bool(true)),
            ("port", Datum::Int(9000)),
            ("rate", Datum::Float(2.5)),
            ("x", Datum::Bool(true)),
            ("y", Datum::Bool(true)),
            ("zip", text("007")),
        ];
        let expected: BTreeMap<String, Datum> = expected
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_granted_variables_are_seen() {
        let named = Environment::Named(["PATH".to_owned()].into());
        assert!(named.get("PATH").is_some());
        assert_eq!(named.get("HOME"), None);
        assert_eq!(Environment::All.get("A=B"), None);
        assert_eq!(Environment::All.get(""), None);
    }
}
