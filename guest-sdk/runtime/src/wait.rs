//! How long Sleep sleeps (actions.md 18.1).

use crate::value::Value;

/// What stands for an amount that is no number.
const DEFAULT_MILLIS: i64 = 1000;

/// Milliseconds of an amount in a unit of so many; never negative.
pub fn milliseconds(amount: Value, unit: i64) -> i64 {
    if let Value::Int(amount) = amount {
        return amount.saturating_mul(unit).max(0);
    }
    match amount.to_float() {
        Some(amount) if amount.is_finite() => {
            // The cast saturates, and nobody waits for as long as that.
            ((amount * unit as f64) as i64).max(0)
        }
        _ => DEFAULT_MILLIS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_numbers_in_their_unit() {
        for (amount, unit, expected) in [
            (Value::Int(2), 1000, 2000),
            (Value::Float(0.5), 1000, 500),
            (Value::Text("0.25"), 60_000, 15_000),
            (Value::Int(-1), 1000, 0),
            (Value::Int(i64::MAX), 1000, i64::MAX),
            (Value::Text("soon"), 1000, 1000),
            (Value::Null, 60_000, 1000),
        ] {
            assert_eq!(milliseconds(amount, unit), expected);
        }
    }
}
