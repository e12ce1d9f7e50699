//! Arithmetic and comparisons of numbers as instructions.

use wasm_encoder::{Function as Body, ValType};

use crate::ir::{Checked, Expr, Native, Number};

/// The core type of an operation's result.
pub(super) fn type_of(operator: Native) -> ValType {
    match operator {
        Native::ToFloat
        | Native::Add
        | Native::Subtract
        | Native::Multiply
        | Native::Divide
        | Native::Negate => ValType::F64,
        Native::Equal(_)
        | Native::Less(_)
        | Native::LessOrEqual(_)
        | Native::Greater(_)
        | Native::GreaterOrEqual(_) => ValType::I32,
    }
}

/// An operation whose operands are on the stack.
pub(super) fn native(body: &mut Body, operator: Native) {
    let mut sink = body.instructions();
    match operator {
        Native::ToFloat => sink.f64_convert_i64_s(),
        Native::Add => sink.f64_add(),
        Native::Subtract => sink.f64_sub(),
        Native::Multiply => sink.f64_mul(),
        Native::Divide => sink.f64_div(),
        Native::Negate => sink.f64_neg(),
        Native::Equal(Number::Int) => sink.i64_eq(),
        Native::Equal(Number::Float) => sink.f64_eq(),
        Native::Less(Number::Int) => sink.i64_lt_s(),
        Native::Less(Number::Float) => sink.f64_lt(),
        Native::LessOrEqual(Number::Int) => sink.i64_le_s(),
        Native::LessOrEqual(Number::Float) => sink.f64_le(),
        Native::Greater(Number::Int) => sink.i64_gt_s(),
        Native::Greater(Number::Float) => sink.f64_gt(),
        Native::GreaterOrEqual(Number::Int) => sink.i64_ge_s(),
        Native::GreaterOrEqual(Number::Float) => sink.f64_ge(),
    };
}

/// Leaves a flag: whether the operation fails. Sums and products have then been computed.
pub(super) fn compute(body: &mut Body, checked: &Checked) {
    let [left, right, result] = checked.temporaries.map(|local| local.0);
    let mut sink = body.instructions();
    match (checked.function, &checked.right) {
        // With a constant, a sum overflows exactly where it moves to the wrong side.
        ("add", Expr::Long(constant)) => {
            sink.local_get(left).local_get(right).i64_add();
            sink.local_tee(result).local_get(left);
            if *constant < 0 {
                sink.i64_gt_s()
            } else {
                sink.i64_lt_s()
            };
        }
        ("sub", Expr::Long(constant)) => {
            sink.local_get(left).local_get(right).i64_sub();
            sink.local_tee(result).local_get(left);
            if *constant < 0 {
                sink.i64_lt_s()
            } else {
                sink.i64_gt_s()
            };
        }
        // A sum has overflowed if its sign is that of neither operand.
        ("add", _) => {
            sink.local_get(left).local_get(right).i64_add();
            sink.local_tee(result).local_get(left).i64_xor();
            sink.local_get(result).local_get(right).i64_xor().i64_and();
            sink.i64_const(0).i64_lt_s();
        }
        ("sub", _) => {
            sink.local_get(left).local_get(right).i64_sub();
            sink.local_tee(result).local_get(left).i64_xor();
            sink.local_get(left).local_get(right).i64_xor().i64_and();
            sink.i64_const(0).i64_lt_s();
        }
        ("mul", _) => product(body, left, right, result),
        ("div", _) => {
            sink.local_get(right).i64_eqz();
            sink.local_get(left).i64_const(i64::MIN).i64_eq();
            sink.local_get(right).i64_const(-1).i64_eq();
            sink.i32_and().i32_or();
        }
        _ => {
            sink.local_get(right).i64_eqz();
        }
    }
}

/// Factors of 32 bits cannot overflow; for others the product is divided again.
fn product(body: &mut Body, left: u32, right: u32, result: u32) {
    let mut sink = body.instructions();
    sink.local_get(left)
        .local_get(right)
        .i64_mul()
        .local_set(result);
    for factor in [left, right] {
        sink.local_get(factor)
            .i64_extend32_s()
            .local_get(factor)
            .i64_ne();
    }
    sink.i32_or()
        .if_(wasm_encoder::BlockType::Result(ValType::I32));
    // left != 0 && ((left == -1 && right == MIN) || result / left != right); the division must not trap.
    sink.local_get(left)
        .i64_eqz()
        .if_(wasm_encoder::BlockType::Result(ValType::I32))
        .i32_const(0)
        .else_();
    sink.local_get(left)
        .i64_const(-1)
        .i64_eq()
        .if_(wasm_encoder::BlockType::Result(ValType::I32))
        .local_get(right)
        .i64_const(i64::MIN)
        .i64_eq()
        .else_();
    sink.local_get(result)
        .local_get(left)
        .i64_div_s()
        .local_get(right)
        .i64_ne()
        .end()
        .end()
        .else_()
        .i32_const(0)
        .end();
}

/// Leaves the result of an operation that does not fail.
pub(super) fn result(body: &mut Body, checked: &Checked) {
    let [left, right, result] = checked.temporaries.map(|local| local.0);
    let mut sink = body.instructions();
    match checked.function {
        "div" => sink.local_get(left).local_get(right).i64_div_s(),
        "rem" => sink.local_get(left).local_get(right).i64_rem_s(),
        _ => sink.local_get(result),
    };
}
