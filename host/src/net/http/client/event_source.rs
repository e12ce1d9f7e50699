//! What a stream of events says (WHATWG HTML 9.2.6): bytes go in, events come out.

use std::time::Duration;

/// Longest identity of an event that is sent back.
const ID_BYTES_MAX: usize = 1024;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty for none.
    pub(super) name: String,
    /// Its lines of data, joined.
    pub(super) data: String,
}

/// An event, or a line, is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Reads a stream of events.
#[derive(Debug)]
pub(super) struct EventSource {
    bytes_max: usize,
    line: Vec<u8>,
    /// The last byte was a CR: an LF behind it belongs to the same end of line.
    after_return: bool,
    is_first_line: bool,
    event: Event,
    has_data: bool,
    /// What the lines so far say of the identity; it holds for later events, too.
    id: Option<String>,
    /// Identity of the last event that is complete, for the server to go on behind it.
    pub(super) last_id: Option<String>,
    /// What the server says of when to ask again.
    pub(super) retry: Option<Duration>,
}

impl EventSource {
    /// Reads a stream whose events have at most `bytes_max` bytes, behind the one of identity `last_id`.
    pub(super) fn new(bytes_max: usize, last_id: Option<String>) -> Self {
        Self {
            bytes_max,
            line: Vec::new(),
            after_return: false,
            is_first_line: true,
            event: Event::default(),
            has_data: false,
            id: last_id.clone(),
            last_id,
            retry: None,
        }
    }

    /// Takes the next event off the front of `input`; none when all of it has been taken and more must come.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, TooLong> {
        while !input.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = input.strip_prefix(b"\n")
            {
                *input = rest;
                continue;
            }
            let end = input.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let (part, rest) = input.split_at(end.unwrap_or(input.len()));
            if self.line.len() + part.len() + self.event.data.len() > self.bytes_max {
                return Err(TooLong);
            }
            self.line.extend(part);
            let Some((end, rest)) = rest.split_first() else {
                *input = rest;
                return Ok(None);
            };
            *input = rest;
            self.after_return = *end == b'\r';
            if let Some(event) = self.end_of_line() {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = &*String::from_utf8_lossy(&bytes);
        if std::mem::take(&mut self.is_first_line) {
            line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
        }
        if line.is_empty() {
            self.last_id.clone_from(&self.id);
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "id" if !value.contains('\0') && value.len() <= ID_BYTES_MAX => {
                self.id = (!value.is_empty()).then(|| value.to_owned());
            }
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                let milliseconds = value.parse().ok();
                self.retry = milliseconds.map(Duration::from_millis).or(self.retry);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, step: usize) -> (Vec<(String, String)>, EventSource) {
        let mut source = EventSource::new(100, None);
        let mut events = Vec::new();
        for mut piece in text.as_bytes().chunks(step) {
            while let Some(event) = source.next(&mut piece).unwrap() {
                events.push((event.name, event.data));
            }
        }
        (events, source)
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_read_however_they_arrive() {
        let text = "\u{FEFF}: hello\ndata: a\n\nevent: add\r\ndata:b\r\ndata:  c\r\nid: 7\r\n\r\nretry: 250\rdata\r\rdata: lost";
        for step in 1..text.len() {
            let (events, source) = read(text, step);
            let expected = [event("", "a"), event("add", "b\n c"), event("", "")];
            assert_eq!(events, expected, "{step}");
            assert_eq!(source.last_id.as_deref(), Some("7"));
            assert_eq!(source.retry, Some(Duration::from_millis(250)));
        }
    }

    #[test]
    fn an_identity_counts_with_the_end_of_its_event() {
        let (events, source) = read("id: 7\ndata: a\n\nid: 8\ndata: b\n", 4);
        assert_eq!(events, [event("", "a")]);
        assert_eq!(source.last_id.as_deref(), Some("7"));
        let (_, source) = read("id: 7\ndata: a\n\nid: 8\n\n", 4);
        assert_eq!(source.last_id.as_deref(), Some("8"));
        let mut source = EventSource::new(100, Some("6".to_owned()));
        assert_eq!(
            source.next(&mut &b"data: c\n\n"[..]).unwrap(),
            Some(Event {
                name: String::new(),
                data: "c".to_owned()
            })
        );
        assert_eq!(source.last_id.as_deref(), Some("6"));
    }

    #[test]
    fn what_has_no_data_is_no_event() {
        let (events, source) = read("event: x\n\nid\nretry: soon\nunknown: y\n\n\n", 5);
        assert!(events.is_empty(), "{events:?}");
        assert_eq!((source.last_id, source.retry), (None, None));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut source = EventSource::new(100, None);
        let long = "data: x\n".repeat(200);
        assert_eq!(source.next(&mut long.as_bytes()), Err(TooLong));
        let mut source = EventSource::new(100, None);
        assert_eq!(source.next(&mut [b'x'; 101].as_slice()), Err(TooLong));
    }
}
