//! Joining in a loop: a text or list that was joined before has room behind it, so that `n` joins copy O(n) and not O(n²) items.
//!
//! The room belongs to whoever extends the longest version first; an older version that is extended later is copied.

use alloc::vec::Vec;
use core::cell::Cell;

use crate::memory;

/// Shorter results are copied: they are cheap, and room would waste memory.
const ROOM_FROM: usize = 128;

/// The block that can grow.
pub(crate) struct Growing {
    /// Address behind the longest version.
    end: Cell<usize>,
    /// Address behind its room.
    limit: Cell<usize>,
}

impl Growing {
    pub(crate) const fn new() -> Self {
        Self {
            end: Cell::new(0),
            limit: Cell::new(0),
        }
    }

    /// Forgets the block.
    pub(crate) fn clear(&self) {
        self.end.set(0);
        self.limit.set(0);
    }

    /// Bytes of room behind the longest version, if that ends at `end`.
    pub(crate) fn room(&self, end: usize) -> usize {
        if end == self.end.get() {
            self.limit.get() - end
        } else {
            0
        }
    }

    /// The block is now another, with its longest version up to `end` and `room` bytes behind it.
    pub(crate) fn moved(&self, end: usize, room: usize) {
        self.end.set(end);
        self.limit.set(end + room);
    }

    /// Forgets the block if it reaches behind `mark`.
    pub(crate) fn forget(&self, mark: usize) {
        if self.limit.get() > mark {
            self.clear();
        }
    }

    /// `left` followed by `right`.
    pub(crate) fn join<T: Copy>(&self, left: &'static [T], right: &[T]) -> &'static [T] {
        let added = size_of_val(right);
        let end = left.as_ptr().addr() + size_of_val(left);
        if !left.is_empty() && end == self.end.get() && added <= self.limit.get() - end {
            self.end.set(end + added);
            return memory::extend(left, right);
        }
        let length = left.len() + right.len();
        let roomy = length * size_of::<T>() >= ROOM_FROM;
        let mut items = Vec::with_capacity(if roomy {
            length.saturating_mul(2)
        } else {
            length
        });
        items.extend_from_slice(left);
        items.extend_from_slice(right);
        let capacity = items.capacity();
        let joined: &'static [T] = items.leak();
        if roomy {
            let start = joined.as_ptr().addr();
            self.end.set(start + size_of_val(joined));
            self.limit.set(start + capacity * size_of::<T>());
        }
        joined
    }
}
