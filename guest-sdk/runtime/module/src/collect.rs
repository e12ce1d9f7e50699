//! Freeing what a round of a loop or a call leaves behind, long before the event ends.
//!
//! The caller takes a `mark`, runs, and asks whether the arena is `crowded` since then. If so it names its `root`s, which are all the values made since the mark that it will read again, and `collect` moves what they reach down to the mark; `rooted` gives them back, last first. Nothing older than the mark is touched, so that callers up the stack need not know.
//!
//! A collection that would move more than half of what was allocated is given up: nothing changes, and the next one waits until twice as much has been allocated. So the work is linear in what is allocated, and memory is at most about three times of what is alive.
#![expect(
    unsafe_code,
    reason = "moves values: a copying collector is written in addresses"
)]

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::{ptr, slice, str};

use aro_runtime::value::{Entry, NESTING_MAX, Value};

use crate::arena;
use crate::state::{self, STATE};

/// Less than this is not worth collecting. It lies in the memory that an instance begins with.
const CROWDED_BYTES: usize = 24 << 10;
/// Deepest calls of user-defined actions within each other. Their frames fit the stack that the host gives.
const CALL_DEPTH_MAX: u32 = 200;
/// What a call that is nested deeper fails with.
const TOO_DEEP: &str = "Actions call each other more than 200 levels deep";

struct Collector {
    /// The values that the caller named.
    roots: RefCell<Vec<Option<&'static Value>>>,
    /// No collection before the arena has reached this address.
    retry: Cell<usize>,
    /// Open calls of user-defined actions.
    depth: Cell<u32>,
}

static COLLECTOR: Collector = Collector {
    roots: RefCell::new(Vec::new()),
    retry: Cell::new(0),
    depth: Cell::new(0),
};

// SAFETY: the module has no shared memory, so there is one thread.
unsafe impl Sync for Collector {}

/// Forgets everything, because the arena is gone.
pub(crate) fn clear() {
    core::mem::forget(COLLECTOR.roots.take());
    COLLECTOR.retry.set(0);
    COLLECTOR.depth.set(0);
}

/// The end of what is allocated so far.
#[unsafe(no_mangle)]
pub extern "C" fn mark() -> usize {
    arena::end()
}

/// Whether a collection is worth it: 0 or 1.
#[unsafe(no_mangle)]
pub extern "C" fn crowded(mark: usize) -> u32 {
    let end = arena::end();
    (end.saturating_sub(mark) > CROWDED_BYTES && end >= COLLECTOR.retry.get()).into()
}

/// Names a value that is read again; 0 is none.
#[unsafe(no_mangle)]
pub extern "C" fn root(value: Option<&'static Value>) {
    COLLECTOR.roots.borrow_mut().push(value);
}

/// The root that was named last and has not been given back, at its new place.
#[unsafe(no_mangle)]
pub extern "C" fn rooted() -> Option<&'static Value> {
    let mut roots = COLLECTOR.roots.borrow_mut();
    let root = roots.pop().flatten();
    if roots.is_empty() {
        // The block lies in memory that is free by now.
        core::mem::forget(core::mem::take(&mut *roots));
    }
    root
}

/// Frees what was allocated since `mark`, save for what the roots reach.
#[unsafe(no_mangle)]
pub extern "C" fn collect(mark: usize) {
    let mut roots = COLLECTOR.roots.borrow_mut();
    let end = arena::end();
    let target = arena::aligned(mark);
    let source = arena::align_end();
    let mut moving = Moving {
        mark,
        shift: source - target,
        budget: (end - mark) / 2,
        text_room: None,
        list_room: None,
    };
    let moved: Option<Vec<_>> = {
        let mut places = Vec::with_capacity(roots.len());
        roots
            .iter()
            .try_for_each(|root| {
                places.push(match root {
                    Some(value) => Some(moving.boxed(value)?),
                    None => None,
                });
                Some(())
            })
            .map(|()| places)
    };
    let Some(moved) = moved else {
        arena::set_end(end);
        COLLECTOR.retry.set(end.saturating_add(end - mark));
        return;
    };
    let length = arena::end() - source;
    state::forget(mark);
    if let Some((end, room)) = moving.text_room {
        STATE.text.moved(end, room);
    }
    if let Some((end, room)) = moving.list_room {
        STATE.list.moved(end, room);
    }
    for (root, place) in roots.iter_mut().zip(&moved) {
        *root = *place;
    }
    // The list of new places lies before the values that were moved, so it is still there.
    core::mem::forget(moved);
    // SAFETY: both blocks lie in the arena; `source` to its end is what was copied just now.
    unsafe {
        ptr::copy(
            ptr::with_exposed_provenance::<u8>(source),
            ptr::with_exposed_provenance_mut::<u8>(target),
            length,
        );
    }
    arena::set_end(target + length);
    COLLECTOR
        .retry
        .set(target.saturating_add(length.saturating_mul(2)));
}

/// Begins a call of a user-defined action: 1, or 0 and a message if too many are open.
#[unsafe(no_mangle)]
pub extern "C" fn enter() -> u32 {
    let depth = COLLECTOR.depth.get();
    if depth >= CALL_DEPTH_MAX {
        STATE.message.set((TOO_DEEP, false));
        return 0;
    }
    COLLECTOR.depth.set(depth + 1);
    1
}

/// Ends a call.
#[unsafe(no_mangle)]
pub extern "C" fn leave() {
    COLLECTOR.depth.set(COLLECTOR.depth.get().saturating_sub(1));
}

/// Copies what lies behind a mark to the end of the arena, with the addresses that it will have when it has been moved down by `shift`. `None` everywhere: more than the budget.
struct Moving {
    mark: usize,
    shift: usize,
    budget: usize,
    /// New end and room of the text and the list that can grow.
    text_room: Option<(usize, usize)>,
    list_room: Option<(usize, usize)>,
}

impl Moving {
    fn charge(&mut self, bytes: usize) -> Option<()> {
        self.budget = self.budget.checked_sub(bytes)?;
        Some(())
    }

    /// A block for `bytes`, copied from nowhere yet.
    fn block(&mut self, bytes: usize) -> Option<usize> {
        self.charge(bytes + size_of::<Value>())?;
        Some(arena::take(bytes, align_of::<Value>()))
    }

    fn boxed(&mut self, value: &'static Value) -> Option<&'static Value> {
        let moved = self.value(*value, 0)?;
        if ptr::from_ref(value).addr() < self.mark && moved == Moved::Stays {
            return Some(value);
        }
        let place = self.block(size_of::<Value>())?;
        // SAFETY: the block is new and large enough; its final address becomes valid when `collect` has moved it.
        unsafe {
            ptr::with_exposed_provenance_mut::<Value>(place).write(moved.or(*value));
            Some(&*ptr::with_exposed_provenance::<Value>(place - self.shift))
        }
    }

    fn bytes(&mut self, bytes: &'static [u8]) -> Option<Option<&'static [u8]>> {
        if bytes.is_empty() || bytes.as_ptr().addr() < self.mark {
            return Some(None);
        }
        let room = if self.text_room.is_none() {
            STATE.text.room(bytes.as_ptr_range().end.addr())
        } else {
            0
        };
        let place = self.block(bytes.len() + room)?;
        if room > 0 {
            self.text_room = Some((place - self.shift + bytes.len(), room));
        }
        // SAFETY: as in `boxed`.
        unsafe {
            ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                ptr::with_exposed_provenance_mut(place),
                bytes.len(),
            );
            Some(Some(slice::from_raw_parts(
                ptr::with_exposed_provenance(place - self.shift),
                bytes.len(),
            )))
        }
    }

    fn text(&mut self, text: &'static str) -> Option<Option<&'static str>> {
        // SAFETY: the bytes of a text.
        Some(
            self.bytes(text.as_bytes())?
                .map(|bytes| unsafe { str::from_utf8_unchecked(bytes) }),
        )
    }

    /// A value whose parts have been moved.
    fn value(&mut self, value: Value, depth: usize) -> Option<Moved> {
        if depth > NESTING_MAX {
            return None;
        }
        let moved = match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Date { .. } => {
                None
            }
            Value::Text(text) => self.text(text)?.map(Value::Text),
            Value::Bytes(bytes) => self.bytes(bytes)?.map(Value::Bytes),
            Value::Socket(id) => self
                .bytes(id)?
                .and_then(|bytes| bytes.try_into().ok())
                .map(Value::Socket),
            Value::List(items) => self
                .items(items, |moving, item| {
                    Some(match moving.value(*item, depth + 1)? {
                        Moved::Stays => None,
                        Moved::Goes(value) => Some(value),
                    })
                })?
                .map(Value::List),
            Value::Map(entries) => self
                .items(entries, |moving, entry| moving.entry(*entry, depth))?
                .map(Value::Map),
        };
        Some(moved.map_or(Moved::Stays, Moved::Goes))
    }

    fn entry(&mut self, (key, value): Entry, depth: usize) -> Option<Option<Entry>> {
        let name = self.text(key)?;
        let moved = self.value(value, depth + 1)?;
        Some(
            (name.is_some() || moved != Moved::Stays)
                .then(|| (name.unwrap_or(key), moved.or(value))),
        )
    }

    /// Items with what they refer to. Old ones are looked through as well: a list that had room behind it shows new items in an old block.
    fn items<T: Copy>(
        &mut self,
        items: &'static [T],
        mut item: impl FnMut(&mut Self, &T) -> Option<Option<T>>,
    ) -> Option<Option<&'static [T]>> {
        if items.is_empty() {
            return Some(None);
        }
        let mut place = None;
        if items.as_ptr().addr() >= self.mark {
            place = Some(self.copy(items)?);
        }
        for (index, old) in items.iter().enumerate() {
            self.charge(size_of::<T>())?;
            let Some(new) = item(self, old)? else {
                continue;
            };
            let start = match place {
                Some(start) => start,
                None => *place.insert(self.copy(items)?),
            };
            // SAFETY: inside of the block that `copy` made for these items.
            unsafe {
                ptr::with_exposed_provenance_mut::<T>(start)
                    .add(index)
                    .write(new);
            }
        }
        // SAFETY: as in `boxed`.
        Some(place.map(|start| unsafe {
            slice::from_raw_parts(
                ptr::with_exposed_provenance(start - self.shift),
                items.len(),
            )
        }))
    }

    fn copy<T: Copy>(&mut self, items: &'static [T]) -> Option<usize> {
        let size = size_of_val(items);
        let room = if self.list_room.is_none() {
            STATE.list.room(items.as_ptr_range().end.addr())
        } else {
            0
        };
        let place = self.block(size + room)?;
        if room > 0 {
            self.list_room = Some((place - self.shift + size, room));
        }
        // SAFETY: the block is new and as large as the items.
        unsafe {
            ptr::copy_nonoverlapping(
                items.as_ptr(),
                ptr::with_exposed_provenance_mut(place),
                items.len(),
            );
        }
        Some(place)
    }
}

/// What became of a value.
#[derive(Clone, Copy, PartialEq)]
enum Moved {
    /// Nothing in it lies behind the mark.
    Stays,
    /// The same with new addresses.
    Goes(Value),
}

impl Moved {
    fn or(self, old: Value) -> Value {
        match self {
            Moved::Stays => old,
            Moved::Goes(value) => value,
        }
    }
}
