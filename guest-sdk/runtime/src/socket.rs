//! The options of Listen, Connect and Start (runtime.md 6.1, 6.7; tcp-callback-api.md 10).

use alloc::format;

use crate::Error;
use crate::text;
use crate::value::Value;

/// Largest port (RFC 9293 3.1).
const PORT_MAX: i64 = 65_535;
/// Names of `aro:net/listeners.framing`, in its order.
const FRAMINGS: [&str; 3] = ["raw", "line", "length32"];
/// The options there are, as they are spelled.
const KNOWN: &str = "port, host, name, framing, frameBytes, reusePort, halfClose, timeout";

/// How a socket is opened. The layout is read by generated code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Options {
    /// Address to listen on; empty for the operator's default.
    pub host: &'static str,
    /// Name in the directory instead of that of the statement; empty for none.
    pub name: &'static str,
    /// Index into the names of framings.
    pub framing: u32,
    /// Longest frame; 0 for the default.
    pub frame_bytes: u32,
    /// Whether the port may be shared: 0 or 1.
    pub reuse_port: u32,
    /// Milliseconds; 0 for the default.
    pub timeout: u32,
    /// The port.
    pub port: u32,
    /// Whether a peer that finishes sending goes on receiving: 0 or 1.
    pub half_close: u32,
}

/// What a statement says besides its options.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    /// `on port n`
    pub port: Option<Value>,
    /// The port where none is given.
    pub port_default: u32,
    /// Whether there must be a port to connect to, so that 0 is none.
    pub connects: bool,
    /// Whether unknown options are mistakes.
    pub strict: bool,
}

impl Options {
    /// The options in a value: a map of them, a port, or nothing.
    ///
    /// # Errors
    /// A sentence about an option that is unknown or has a value that means nothing.
    pub fn read(value: Option<Value>, statement: Statement) -> Result<Options, Error> {
        let mut options = Options {
            host: "",
            name: "",
            framing: 0,
            frame_bytes: 0,
            reuse_port: 0,
            timeout: 0,
            port: statement.port_default,
            half_close: 0,
        };
        match value {
            Some(Value::Map(entries)) => {
                for (name, value) in entries {
                    options.set(name, *value, statement)?;
                }
            }
            Some(value @ (Value::Int(_) | Value::Float(_) | Value::Text(_))) => {
                options.port = port(value, statement.connects)?;
            }
            Some(_) | None => {}
        }
        if let Some(value) = statement.port {
            options.port = port(value, statement.connects)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &'static str, value: Value, statement: Statement) -> Result<(), Error> {
        match name {
            "port" => self.port = port(value, statement.connects)?,
            "host" => self.host = text::of(value),
            "name" => self.name = text::of(value),
            "framing" => self.framing = framing(value)?,
            "frameBytes" | "frame-bytes" => {
                self.frame_bytes = number(name, value, 1, i64::from(u32::MAX))?;
            }
            "reusePort" | "reuse-port" => {
                self.reuse_port = u32::from(crate::operate::truthy(value));
            }
            "halfClose" | "half-close" => {
                self.half_close = u32::from(crate::operate::truthy(value));
            }
            "timeout" => self.timeout = milliseconds(value)?,
            _ if statement.strict => {
                return Err(said(format!(
                    "there is no option \"{name}\": the options are {KNOWN}"
                )));
            }
            _ => {}
        }
        Ok(())
    }
}

fn said(message: alloc::string::String) -> Error {
    Error::Message(message.leak())
}

fn port(value: Value, connects: bool) -> Result<u32, Error> {
    let first = i64::from(connects);
    let fits = |port: &i64| (first..=PORT_MAX).contains(port);
    let port = value.to_int().filter(fits);
    port.and_then(|port| u32::try_from(port).ok())
        .ok_or_else(|| {
            said(format!(
                "a port is a whole number from {first} to {PORT_MAX}, not {}",
                text::of(value)
            ))
        })
}

fn framing(value: Value) -> Result<u32, Error> {
    let name = text::of(value);
    let known = (0..).zip(FRAMINGS).find(|(_, known)| *known == name);
    known.map(|(number, _)| number).ok_or_else(|| {
        said(format!(
            "there is no framing \"{name}\": it is raw, line or length32"
        ))
    })
}

fn number(name: &str, value: Value, least: i64, most: i64) -> Result<u32, Error> {
    let number = value
        .to_int()
        .filter(|number| (least..=most).contains(number));
    number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| {
            said(format!(
                "the option {name} is a number from {least} to {most}, not {}",
                text::of(value)
            ))
        })
}

/// Of seconds.
fn milliseconds(value: Value) -> Result<u32, Error> {
    let millis = value.to_float().map(|seconds| seconds * 1000.0);
    match millis {
        Some(millis) if (1.0..=f64::from(u32::MAX)).contains(&millis) => Ok(millis as u32),
        _ => Err(said(format!(
            "the option timeout is a number of seconds, not {}",
            text::of(value)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    const LISTEN: Statement = Statement {
        port: None,
        port_default: 9000,
        connects: false,
        strict: true,
    };

    #[test]
    fn options_are_read_by_name() {
        let map = Value::map(vec![
            ("framing", Value::Text("length32")),
            ("frameBytes", Value::Int(65_536)),
            ("host", Value::Text("::1")),
            ("reusePort", Value::Bool(true)),
            ("half-close", Value::Bool(true)),
            ("timeout", Value::Float(0.5)),
        ]);
        let port = Some(Value::Text("7000"));
        let options = Options::read(Some(map), Statement { port, ..LISTEN }).unwrap();
        assert_eq!(
            options,
            Options {
                host: "::1",
                name: "",
                framing: 2,
                frame_bytes: 65_536,
                reuse_port: 1,
                timeout: 500,
                port: 7000,
                half_close: 1,
            }
        );
        let port = |value| Options::read(value, LISTEN).unwrap().port;
        assert_eq!(port(None), 9000);
        assert_eq!(port(Some(Value::Int(0))), 0);
        assert_eq!(port(Some(Value::map(vec![("port", Value::Int(1))]))), 1);
    }

    #[test]
    fn mistakes_are_named() {
        let connect = Statement {
            connects: true,
            ..LISTEN
        };
        let said = |name: &'static str, value, statement| {
            let map = Value::map(vec![(name, value)]);
            Options::read(Some(map), statement).unwrap_err().to_string()
        };
        assert_eq!(
            said("port", Value::Int(0), connect),
            "a port is a whole number from 1 to 65535, not 0"
        );
        assert_eq!(
            said("port", Value::Text("http"), LISTEN),
            "a port is a whole number from 0 to 65535, not http"
        );
        assert_eq!(
            said("framing", Value::Text("lines"), LISTEN),
            "there is no framing \"lines\": it is raw, line or length32"
        );
        assert_eq!(
            said("fraeming", Value::Text("line"), LISTEN),
            "there is no option \"fraeming\": the options are port, host, name, framing, frameBytes, reusePort, halfClose, timeout"
        );
        assert_eq!(
            said("frameBytes", Value::Int(0), LISTEN),
            "the option frameBytes is a number from 1 to 4294967295, not 0"
        );
        assert_eq!(
            said("timeout", Value::Text("soon"), LISTEN),
            "the option timeout is a number of seconds, not soon"
        );
        let lenient = Statement {
            strict: false,
            ..LISTEN
        };
        let other = Value::map(vec![("backlog", Value::Int(5))]);
        assert!(Options::read(Some(other), lenient).is_ok());
    }
}
