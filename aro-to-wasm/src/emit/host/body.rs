//! The body of a helper: instructions by what they do, so that a helper reads as what it sends and what it makes of the answer.

use wasm_encoder::{BlockType, Function, MemArg, ValType};

use super::super::code::{self, Symbols};
use super::I32;
use crate::ir::HostFunction;

/// A place without alignment.
pub(super) fn at(offset: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: 0,
        memory_index: 0,
    }
}

/// A function that is being written.
pub(super) struct Body<'a> {
    pub(super) function: Function,
    pub(super) symbols: &'a Symbols,
    pub(super) scratch: i32,
}

impl Body<'_> {
    /// Of `result<_, string>` in the scratch area: leaves whether it is an error, with the message set.
    pub(super) fn failed(&mut self) -> &mut Self {
        self.load8(0)
            .when(Some(I32))
            .load32(4)
            .load32(8)
            .runtime("raise")
            .number(1);
        self.otherwise().number(0).end()
    }

    /// `result<_, string>` as 1, or 0 and a message.
    pub(super) fn succeeded(&mut self) -> &mut Self {
        self.failed();
        self.function.instructions().i32_eqz();
        self
    }

    pub(super) fn local(&mut self, index: u32) -> &mut Self {
        self.function.instructions().local_get(index);
        self
    }

    pub(super) fn locals(&mut self, count: u32) -> &mut Self {
        (0..count).fold(self, Self::local)
    }

    pub(super) fn number(&mut self, number: i32) -> &mut Self {
        self.function.instructions().i32_const(number);
        self
    }

    pub(super) fn scratch(&mut self) -> &mut Self {
        self.number(self.scratch)
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let (address, length) = self.symbols.text_bytes(text.as_bytes());
        self.number(address).number(length)
    }

    /// Both halves of the socket in local 0.
    pub(super) fn halves(&mut self) -> &mut Self {
        self.local(0)
            .runtime("socket_high")
            .local(0)
            .runtime("socket_low")
    }

    pub(super) fn load8(&mut self, offset: u32) -> &mut Self {
        self.number(self.scratch);
        self.function.instructions().i32_load8_u(at(offset));
        self
    }

    /// Reads 16 bits from an address on the stack.
    pub(super) fn load16(&mut self, place: MemArg) -> &mut Self {
        self.function.instructions().i32_load16_u(place);
        self
    }

    pub(super) fn load32(&mut self, offset: u32) -> &mut Self {
        self.number(self.scratch);
        self.function.instructions().i32_load(at(offset));
        self
    }

    pub(super) fn load64(&mut self, offset: u32) -> &mut Self {
        self.number(self.scratch);
        self.function.instructions().i64_load(at(offset));
        self
    }

    /// Address and length from the packed slice in a 64-bit local.
    pub(super) fn slice(&mut self, local: u32) -> &mut Self {
        self.function.instructions().local_get(local);
        self.split(local)
    }

    /// Address and length from the packed slice on the stack, by way of a 64-bit local.
    pub(super) fn split(&mut self, local: u32) -> &mut Self {
        code::split(&mut self.function, local);
        self
    }

    /// A field of a record in the memory of the value runtime, whose address is in a local.
    pub(super) fn field(&mut self, record: u32, offset: u32) -> &mut Self {
        self.local(record);
        self.function.instructions().i32_load(at(offset));
        self
    }

    pub(super) fn tee(&mut self, local: u32) -> &mut Self {
        self.function.instructions().local_tee(local);
        self
    }

    pub(super) fn is_zero(&mut self) -> &mut Self {
        self.function.instructions().i32_eqz();
        self
    }

    pub(super) fn shift(&mut self) -> &mut Self {
        self.function.instructions().i32_shl();
        self
    }

    pub(super) fn select(&mut self) -> &mut Self {
        self.function.instructions().select();
        self
    }

    pub(super) fn long(&mut self, number: i64) -> &mut Self {
        self.function.instructions().i64_const(number);
        self
    }

    pub(super) fn extend(&mut self) -> &mut Self {
        self.function.instructions().i64_extend_i32_u();
        self
    }

    /// Whether the first of two unsigned 64-bit numbers is the greater one.
    pub(super) fn exceeds(&mut self) -> &mut Self {
        self.function.instructions().i64_gt_u();
        self
    }

    pub(super) fn wrap(&mut self) -> &mut Self {
        self.function.instructions().i32_wrap_i64();
        self
    }

    pub(super) fn discard(&mut self) -> &mut Self {
        self.function.instructions().drop();
        self
    }

    pub(super) fn when(&mut self, result: Option<ValType>) -> &mut Self {
        let ty = result.map_or(BlockType::Empty, BlockType::Result);
        self.function.instructions().if_(ty);
        self
    }

    pub(super) fn otherwise(&mut self) -> &mut Self {
        self.function.instructions().else_();
        self
    }

    pub(super) fn end(&mut self) -> &mut Self {
        self.function.instructions().end();
        self
    }

    pub(super) fn import(&mut self, interface: &'static str, function: &'static str) -> &mut Self {
        self.function
            .instructions()
            .call(self.symbols.import(interface, function));
        self
    }

    pub(super) fn runtime(&mut self, function: &'static str) -> &mut Self {
        self.function
            .instructions()
            .call(self.symbols.runtime(function));
        self
    }

    pub(super) fn helper(&mut self, function: HostFunction) -> &mut Self {
        self.function
            .instructions()
            .call(self.symbols.helper(function));
        self
    }

    /// Encodes a value into local 3; leaves whether that failed, with the message set.
    pub(super) fn encoded(&mut self, value: u32) -> &mut Self {
        self.local(value).runtime("encode");
        self.function.instructions().local_tee(3).i64_eqz();
        self
    }
}
