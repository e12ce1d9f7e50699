//! Operations of the program's contract: requests in, responses out.

use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::imports::aro::http::event_streams;
use crate::{Connection, Failure};

/// A request for the operation that a component answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As sent, upper case by convention.
    pub method: String,
    /// Without the query, percent-encoded as sent.
    pub path: String,
    /// What stands behind `?`, percent-encoded; empty if nothing does.
    pub query: String,
    /// Names in lower case; repeated ones once for each value.
    pub headers: Vec<(String, String)>,
    /// What the segments in braces of the operation's path stand for, percent-encoded as sent.
    pub parameters: Vec<(String, String)>,
    /// Whole, within the limits of the host.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A parameter of the path.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        find(&self.parameters, name)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = pairs.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, text)| text.as_str())
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// `content-length`, `connection` and the like are the host's.
    pub headers: Vec<(String, String)>,
    /// Not sent where the response stays open, see [`event_stream`].
    pub body: Vec<u8>,
}

impl Response {
    /// A response with a body of this media type.
    pub fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::from([("content-type".into(), media_type.into())]),
            body: body.into(),
        }
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &str, text: &str) -> Self {
        self.headers.push((name.into(), text.into()));
        self
    }
}

/// Answers an operation of the contract: the one whose `operationId` is the name of the component, save for letter case, hyphens and underscores.
pub trait HttpHandler {
    /// Answers a request. Export with [`export_http!`](crate::export_http).
    ///
    /// # Errors
    /// What the host is to log; the peer gets a 500.
    fn handle(request: Request) -> Result<Response, Failure>;
}

/// The connection that the response of the request becomes if its status is one of success: what is sent to it, now or later, is an event. None where the contract says nothing of a stream of events.
pub fn event_stream() -> Option<Connection> {
    event_streams::current().map(Connection)
}

/// Gives the next message that this handler sends, broadcasts or publishes a name and an identity where it becomes an event; an empty text is none.
///
/// # Errors
/// A sentence about what is not one line of at most 1 KiB.
pub fn label_event(event: &str, id: &str) -> Result<(), String> {
    event_streams::label(event, id)
}

/// Queues an event on every response that stays open; answers how many took it.
pub fn broadcast_event(data: &[u8]) -> u32 {
    // Without a filter there is nothing that could fail.
    event_streams::broadcast(&[], data).unwrap_or_default()
}

/// Exports [`HttpHandler::handle`] of a type.
#[macro_export]
macro_rules! export_http {
    ($handler:ty) => {
        const _: () = {
            use $crate::bindings::http as bindings;
            use bindings::exports::aro::http::handler as operation;

            struct Exported;

            impl operation::Guest for Exported {
                fn handle(
                    request: operation::Request,
                ) -> Result<operation::Response, operation::Failure> {
                    let request = $crate::Request {
                        method: request.method,
                        path: request.path,
                        query: request.query,
                        headers: request.headers,
                        parameters: request.parameters,
                        body: request.body,
                    };
                    match <$handler as $crate::HttpHandler>::handle(request) {
                        Ok(response) => Ok(operation::Response {
                            status: response.status,
                            headers: response.headers,
                            body: response.body,
                        }),
                        Err(failure) => Err(operation::Failure {
                            statement: None,
                            kind: operation::FailureKind::Action,
                            cause: failure.cause,
                            trace: ::core::default::Default::default(),
                        }),
                    }
                }
            }

            bindings::export_http!(Exported with_types_in $crate::bindings::http);
        };
    };
}
