//! What passes between a guest and the host, as CBOR: what a function is asked, and what it answers.

use super::state::GuestState;
use super::types::{
    WitAmount, WitAnswer, WitAsk, WitComparison, WitConnectCode, WitConnectError,
    WitConnectOptions, WitDatetime, WitDescription, WitFraming, WitListenOptions, WitMessageKind,
    WitOperator, WitRequestCode, WitRequestError, WitSelection, WitSendError, WitSocketKind,
    WitStored, WitStream, WitWanted,
};
use crate::record::pen::Pen;
use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;
use wasmtime::component::{WasmList, WasmStr};
use wasmtime::{Result, StoreContextMut};

/// Elements of a recorded list that room is made for before they have been seen.
const PREALLOCATED_MAX: u64 = 64;

/// What a guest passes to a host function. Some of it lies in the guest's memory.
pub(super) trait Told: Sized {
    fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()>;

    fn tell_list(
        list: &[Self],
        store: &StoreContextMut<'_, GuestState>,
        to: &mut Pen,
    ) -> Result<()> {
        to.array(list.len());
        list.iter().try_for_each(|item| item.tell(store, to))
    }
}

/// What a host function answers.
pub(crate) trait Kept: Sized {
    fn keep(&self, to: &mut Pen);

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error>;

    fn keep_list(list: &[Self], to: &mut Pen) {
        to.array(list.len());
        list.iter().for_each(|item| item.keep(to));
    }

    fn read_list(from: &mut Decoder<'_>) -> std::result::Result<Vec<Self>, Error> {
        let count = from.array()?.ok_or_else(malformed)?;
        let room = count.min(PREALLOCATED_MAX);
        let mut list = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
        for _ in 0..count {
            list.push(Self::read(from)?);
        }
        Ok(list)
    }
}

fn malformed() -> Error {
    Error::message("a recorded answer is malformed")
}

/// The elements of an array of that many.
fn elements(from: &mut Decoder<'_>, count: u64) -> std::result::Result<(), Error> {
    match from.array()? {
        Some(found) if found == count => Ok(()),
        _ => Err(malformed()),
    }
}

impl Told for WasmStr {
    fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        to.text(&self.to_str(store)?);
        Ok(())
    }
}

impl Told for WasmList<u8> {
    fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        to.bytes(self.as_le_slice(store));
        Ok(())
    }
}

/// Whole numbers.
macro_rules! numbers {
    ($($ty:ident),*) => {$(
        impl Told for $ty {
            fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
                self.keep(to);
                Ok(())
            }
        }

        impl Kept for $ty {
            fn keep(&self, to: &mut Pen) {
                to.number((*self).into());
            }

            fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
                from.$ty()
            }
        }
    )*};
}

numbers!(u16, u32, u64);

impl Told for u8 {
    fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        self.keep(to);
        Ok(())
    }

    fn tell_list(list: &[u8], _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        to.bytes(list);
        Ok(())
    }
}

impl Kept for u8 {
    fn keep(&self, to: &mut Pen) {
        to.number((*self).into());
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        from.u8()
    }

    fn keep_list(list: &[u8], to: &mut Pen) {
        to.bytes(list);
    }

    fn read_list(from: &mut Decoder<'_>) -> std::result::Result<Vec<u8>, Error> {
        from.bytes().map(<[u8]>::to_vec)
    }
}

impl Told for bool {
    fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        self.keep(to);
        Ok(())
    }
}

impl Kept for bool {
    fn keep(&self, to: &mut Pen) {
        to.flag(*self);
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        from.bool()
    }
}

impl Told for String {
    fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        self.keep(to);
        Ok(())
    }
}

impl Kept for String {
    fn keep(&self, to: &mut Pen) {
        to.text(self);
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        from.str().map(str::to_owned)
    }
}

impl<T: Told> Told for Vec<T> {
    fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        T::tell_list(self, store, to)
    }
}

impl<T: Kept> Kept for Vec<T> {
    fn keep(&self, to: &mut Pen) {
        T::keep_list(self, to);
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        T::read_list(from)
    }
}

impl<T: Told> Told for Option<T> {
    fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        match self {
            None => {
                to.null();
                Ok(())
            }
            Some(value) => {
                to.array(1);
                value.tell(store, to)
            }
        }
    }
}

impl<T: Kept> Kept for Option<T> {
    fn keep(&self, to: &mut Pen) {
        match self {
            None => drop(to.null()),
            Some(value) => value.keep(to.array(1)),
        }
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        if from.datatype()? == Type::Null {
            return from.null().map(|()| None);
        }
        elements(from, 1)?;
        T::read(from).map(Some)
    }
}

impl<T: Kept, E: Kept> Kept for std::result::Result<T, E> {
    fn keep(&self, to: &mut Pen) {
        to.array(2);
        match self {
            Ok(value) => value.keep(to.text("ok")),
            Err(error) => error.keep(to.text("error")),
        }
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        elements(from, 2)?;
        match from.str()? {
            "ok" => T::read(from).map(Ok),
            "error" => E::read(from).map(Err),
            _ => Err(malformed()),
        }
    }
}

impl Told for () {
    fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
        self.keep(to);
        Ok(())
    }
}

impl Kept for () {
    fn keep(&self, to: &mut Pen) {
        to.array(0);
    }

    fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
        elements(from, 0)
    }
}

/// Tuples, parameters and results among them.
macro_rules! tuples {
    ($($count:literal ($($ty:ident $place:tt),*))*) => {$(
        impl<$($ty: Told),*> Told for ($($ty,)*) {
            fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
                to.array($count);
                $(self.$place.tell(store, to)?;)*
                Ok(())
            }
        }

        impl<$($ty: Kept),*> Kept for ($($ty,)*) {
            fn keep(&self, to: &mut Pen) {
                to.array($count);
                $(self.$place.keep(to);)*
            }

            fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
                elements(from, $count)?;
                Ok(($($ty::read(from)?,)*))
            }
        }
    )*};
}

tuples! {
    1 (A 0)
    2 (A 0, B 1)
    3 (A 0, B 1, C 2)
    4 (A 0, B 1, C 2, D 3)
}

/// Enums, by the names of their cases.
macro_rules! choices {
    ($($name:ident { $($case:ident),* })*) => {$(
        impl Told for $name {
            fn tell(&self, _: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
                self.keep(to);
                Ok(())
            }
        }

        impl Kept for $name {
            fn keep(&self, to: &mut Pen) {
                to.text(match self {
                    $(Self::$case => stringify!($case),)*
                });
            }

            fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
                match from.str()? {
                    $(stringify!($case) => Ok(Self::$case),)*
                    _ => Err(malformed()),
                }
            }
        }
    )*};
}

choices! {
    WitMessageKind { Text, Binary }
    WitAmount { Line, Rest }
    WitWanted { Any, File, Directory }
    WitRequestCode { Invalid, Denied, Unreachable, Insecure, TimedOut, TooLarge, Broken, Exhausted }
    WitStream { Output, Error }
    WitSendError { Closed, Full }
    WitFraming { Raw, Line, Length32 }
    WitConnectCode { Refused, NotFound, TimedOut, Denied, Exhausted, Failed }
    WitSocketKind { Listener, Inbound, Outbound, WebSocket, EventStream }
    WitSelection { All, First, Last, Random }
    WitOperator {
        Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual, Contains, StartsWith, EndsWith,
        Matches, OneOf, NotOneOf
    }
}

/// Records that guests pass, as their fields in order.
macro_rules! asked {
    ($($name:ident $count:literal { $($field:ident),* })*) => {$(
        impl Told for $name {
            fn tell(&self, store: &StoreContextMut<'_, GuestState>, to: &mut Pen) -> Result<()> {
                to.array($count);
                $(self.$field.tell(store, to)?;)*
                Ok(())
            }
        }
    )*};
}

asked! {
    WitListenOptions 5 { host, framing, frame_bytes_max, reuse_port, half_close }
    WitConnectOptions 4 { framing, frame_bytes_max, timeout, half_close }
    WitComparison 3 { field, operator, value }
    WitAsk 5 { method, url, headers, body, timeout }
}

/// Records that guests get, as their fields in order.
macro_rules! answered {
    ($($name:ident $count:literal { $($field:ident),* })*) => {$(
        impl Kept for $name {
            fn keep(&self, to: &mut Pen) {
                to.array($count);
                $(self.$field.keep(to);)*
            }

            fn read(from: &mut Decoder<'_>) -> std::result::Result<Self, Error> {
                elements(from, $count)?;
                Ok(Self { $($field: Kept::read(from)?,)* })
            }
        }
    )*};
}

answered! {
    WitAnswer 4 { status, headers, body, latency }
    WitRequestError 2 { code, message }
    WitConnectError 2 { code, message }
    WitDescription 5 { kind, remote_address, name, port, open }
    WitDatetime 2 { seconds, nanoseconds }
    WitStored 2 { row, created }
}
