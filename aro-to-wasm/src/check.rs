//! Static rules: names, data flow, events.

mod spelling;

pub(crate) use spelling::nearest;
