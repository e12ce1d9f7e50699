//! The allocator: a bump pointer that only `reset` moves back, save for the block at the end, which grows, shrinks and goes in place.
#![expect(unsafe_code, reason = "an allocator hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;
use core::ptr;

/// Bytes in a page of linear memory.
const PAGE: usize = 65_536;
/// Alignment of the arena's base.
const BASE_ALIGN: usize = 16;

unsafe extern "C" {
    /// Placed by the linker: the first byte after the module's own data.
    static __heap_base: u8;
}

struct Arena {
    /// Where the arena begins; 0 until first used.
    base: Cell<usize>,
    /// The first free byte.
    next: Cell<usize>,
    /// Size of the memory in bytes.
    end: Cell<usize>,
}

#[global_allocator]
static ARENA: Arena = Arena {
    base: Cell::new(0),
    next: Cell::new(0),
    end: Cell::new(0),
};

// SAFETY: the module has no shared memory, so there is one thread.
unsafe impl Sync for Arena {}

impl Arena {
    /// Takes all bytes up to `end`, growing memory where it must: to twice its size, or as far as needed.
    #[inline]
    fn claim(&self, end: usize) {
        if end > self.end.get() {
            self.grow(end);
        }
        self.next.set(end);
    }

    #[cold]
    #[inline(never)]
    fn grow(&self, end: usize) {
        let pages = wasm32::memory_size(0);
        let missing = end.div_ceil(PAGE).saturating_sub(pages);
        if missing > 0
            && wasm32::memory_grow(0, missing.max(pages)) == usize::MAX
            && wasm32::memory_grow(0, missing) == usize::MAX
        {
            wasm32::unreachable();
        }
        self.end.set(wasm32::memory_size(0) * PAGE);
    }

    #[inline]
    fn allocate(&self, size: usize, align: usize) -> usize {
        if self.base.get() == 0 {
            self.begin((&raw const __heap_base).addr());
        }
        let address = (self.next.get() + align - 1) & !(align - 1);
        match address.checked_add(size) {
            Some(end) => self.claim(end),
            None => wasm32::unreachable(),
        }
        address
    }

    fn is_last(&self, block: *mut u8, size: usize) -> bool {
        block.addr() + size == self.next.get()
    }

    fn begin(&self, base: usize) {
        let base = base.next_multiple_of(BASE_ALIGN);
        self.base.set(base);
        self.next.set(base);
        self.end.set(wasm32::memory_size(0) * PAGE);
    }
}

// SAFETY: blocks lie in linear memory between the base and its end, are aligned, and do not overlap: `next` only passes over a block that is handed out, and moves back only over the last one.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.allocate(layout.size(), layout.align()))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout.size()) {
            self.next.set(block.addr());
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.is_last(block, layout.size()) {
            match block.addr().checked_add(new_size) {
                Some(end) => self.claim(end),
                None => wasm32::unreachable(),
            }
            return block;
        }
        if new_size <= layout.size() {
            return block;
        }
        let moved = ptr::with_exposed_provenance_mut(self.allocate(new_size, layout.align()));
        // SAFETY: the caller owns `layout.size()` bytes at `block`, the new block is larger and does not overlap it.
        unsafe { ptr::copy_nonoverlapping(block, moved, layout.size()) };
        moved
    }
}

/// Sets where the arena begins, and empties it: `base` is the end of the data that the caller laid out from `__heap_base` on.
#[unsafe(no_mangle)]
pub extern "C" fn start(base: usize) {
    ARENA.begin(base.max((&raw const __heap_base).addr()));
    crate::state::clear();
}

/// Frees everything at once.
#[unsafe(no_mangle)]
pub extern "C" fn reset() {
    ARENA.next.set(ARENA.base.get());
    crate::state::clear();
}

/// The first free byte.
#[inline]
pub(crate) fn end() -> usize {
    ARENA.next.get()
}

/// Where a block may begin that has any value in it.
pub(crate) fn aligned(address: usize) -> usize {
    address.next_multiple_of(BASE_ALIGN)
}

/// Aligns the first free byte, and answers it.
pub(crate) fn align_end() -> usize {
    ARENA.claim(aligned(ARENA.next.get()));
    ARENA.next.get()
}

/// A new block.
pub(crate) fn take(size: usize, align: usize) -> usize {
    ARENA.allocate(size, align)
}

/// Gives back everything from `end` on: nobody refers to it.
pub(crate) fn set_end(end: usize) {
    ARENA.next.set(end);
}

/// The canonical ABI's allocator: what the host lowers into the guest is placed here.
#[unsafe(no_mangle)]
pub extern "C" fn realloc(old: usize, old_size: usize, align: usize, new_size: usize) -> usize {
    if old == 0 || old_size == 0 {
        return if new_size == 0 {
            align
        } else {
            ARENA.allocate(new_size, align)
        };
    }
    let Ok(layout) = Layout::from_size_align(old_size, align) else {
        wasm32::unreachable()
    };
    // SAFETY: the canonical ABI passes back a block it got from here, with its size and alignment.
    unsafe { ARENA.realloc(ptr::with_exposed_provenance_mut(old), layout, new_size) }.addr()
}
