//! Arbitrary values for property tests.

use alloc::string::String;
use alloc::vec::Vec;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::value::{Entry, Value};

fn text() -> impl Strategy<Value = &'static str> {
    any::<String>().prop_map(|text| &*text.leak())
}

fn nest(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::list),
            vec((text(), inner), 0..6).prop_map(|entries: Vec<Entry>| Value::map(entries)),
        ]
    })
}

/// Values that JSON keeps: no Bytes, dates or sockets, and no Float that is whole.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    nest(prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        text().prop_map(Value::Text),
        any::<f64>().prop_map(|number| Value::Float(
            if number.is_finite() && number % 1.0 != 0.0 {
                number
            } else {
                0.5
            }
        )),
    ])
}

/// Values of every kind.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    // Years 1 to 9999 are what date texts can say.
    let instants = -62_135_596_800_000i64..253_402_300_799_999;
    nest(prop_oneof![
        json(),
        any::<f64>().prop_map(|number| Value::Float(if number.is_nan() { 0.0 } else { number })),
        vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.leak())),
        (instants, -60i16..60).prop_map(|(millis, offset_minutes)| Value::Date {
            millis: millis.clamp(-62_135_500_000_000, 253_402_200_000_000),
            offset_minutes
        }),
        any::<[u8; 16]>()
            .prop_map(|id| Value::Socket(alloc::boxed::Box::leak(alloc::boxed::Box::new(id)))),
    ])
}
