//! Between addresses in linear memory and references: the one place where a span that a caller names is trusted.
#![expect(
    unsafe_code,
    reason = "the exports get addresses; their caller is the code generator, which passes spans it owns"
)]

use core::cell::RefCell;
use core::{ptr, slice, str};

use aro_runtime::value::{Entry, Value};

/// The bytes at a span.
pub(crate) fn bytes(address: usize, length: usize) -> &'static [u8] {
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller of an export passes a span of its data or of an allocation, neither of which changes before `reset`.
    unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address), length) }
}

/// The text at a span.
pub(crate) fn text(address: usize, length: usize) -> &'static str {
    // SAFETY: as `bytes`; constants and what the canonical ABI lowered as `string` are UTF-8.
    unsafe { str::from_utf8_unchecked(bytes(address, length)) }
}

/// A list or map under construction: the value first, so that its address is the value's.
#[repr(C)]
pub(crate) struct Builder<T> {
    value: Value,
    items: RefCell<alloc::vec::Vec<T>>,
}

/// What a [`Builder`] builds from its items.
pub(crate) trait Built: Copy + 'static {
    /// The value that shows `items`.
    fn value(items: &'static [Self]) -> Value;
}

impl Built for Value {
    fn value(items: &'static [Self]) -> Value {
        Value::List(items)
    }
}

impl Built for Entry {
    fn value(items: &'static [Self]) -> Value {
        Value::Map(items)
    }
}

impl<T: Built> Builder<T> {
    /// An empty builder; answers the address of its value.
    pub(crate) fn begin(capacity: usize) -> usize {
        let items = alloc::vec::Vec::with_capacity(capacity);
        let builder = alloc::boxed::Box::new(Self {
            value: T::value(&[]),
            items: RefCell::new(items),
        });
        alloc::boxed::Box::into_raw(builder).expose_provenance()
    }

    /// Changes the items of the builder at `address`; its value shows them from now on.
    pub(crate) fn change(address: usize, change: impl FnOnce(&mut alloc::vec::Vec<T>)) {
        let builder: *mut Self = ptr::with_exposed_provenance_mut(address);
        // SAFETY: `address` comes from `begin`, and by the contract of `push` and `put` nobody reads the value before the last change, so this is the only reference. The items are never freed before `reset`.
        unsafe {
            let items = (*builder).items.get_mut();
            change(items);
            (*builder).value = T::value(slice::from_raw_parts(items.as_ptr(), items.len()));
        }
    }
}

/// Writes `part` behind a block that owns `spare` more bytes, and answers the block with it.
pub(crate) fn extend<T: Copy>(block: &'static [T], part: &[T]) -> &'static [T] {
    let start = block.as_ptr().expose_provenance();
    // SAFETY: `growing` made sure that the memory behind the block belongs to it, is large enough, and is not part of any slice yet.
    unsafe {
        let target: *mut T = ptr::with_exposed_provenance_mut(start + size_of_val(block));
        ptr::copy_nonoverlapping(part.as_ptr(), target, part.len());
        slice::from_raw_parts(
            ptr::with_exposed_provenance(start),
            block.len() + part.len(),
        )
    }
}

/// A text from bytes that are two texts.
pub(crate) fn joined_text(bytes: &'static [u8]) -> &'static str {
    // SAFETY: texts joined are a text.
    unsafe { str::from_utf8_unchecked(bytes) }
}
