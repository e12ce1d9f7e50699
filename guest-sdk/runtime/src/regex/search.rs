//! Running a program: all alternatives side by side, each instruction at most once for each character.

use alloc::vec;
use alloc::vec::Vec;

use super::{Anchor, Instruction, is_line_break, is_word};

/// The threads at one place of the text: instructions that wait for a character.
///
/// The buffers are made at their full size and dropped in the reverse order, so that an arena gets them back.
struct Threads<'a> {
    program: &'a [Instruction],
    /// Instructions still to follow.
    pending: Vec<usize>,
    /// Place at which an instruction was last reached, plus one.
    reached: Vec<usize>,
    /// Instructions that take a character, as they were reached.
    waiting: Vec<usize>,
}

/// The neighbourhood of a place in the text.
struct Place<'a> {
    before: Option<char>,
    rest: &'a str,
}

impl Place<'_> {
    fn after(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn is(&self, anchor: Anchor) -> bool {
        let at_edge = || self.before.is_some_and(is_word) != self.after().is_some_and(is_word);
        match anchor {
            Anchor::TextStart => self.before.is_none(),
            Anchor::LastEnd => self.rest.is_empty(),
            Anchor::TextEnd => matches!(self.rest, "" | "\n" | "\r\n" | "\r"),
            Anchor::LineStart => self.before.is_none_or(is_line_break),
            Anchor::LineEnd => self.after().is_none_or(is_line_break),
            Anchor::WordEdge => at_edge(),
            Anchor::NoWordEdge => !at_edge(),
        }
    }
}

impl Threads<'_> {
    /// Follows a thread from `start` to the instructions that wait; answers whether it is done.
    fn follow(&mut self, start: usize, mark: usize, place: &Place<'_>) -> bool {
        self.pending.push(start);
        while let Some(at) = self.pending.pop() {
            match self.reached.get_mut(at) {
                Some(reached) if *reached != mark => *reached = mark,
                Some(_) | None => continue,
            }
            match self.program.get(at) {
                Some(Instruction::Done) => return true,
                Some(Instruction::Take(_)) => self.waiting.push(at),
                Some(Instruction::Jump(place)) => self.pending.push(*place),
                Some(Instruction::Split(left, right)) => self.pending.extend([*right, *left]),
                Some(Instruction::Assert(anchor)) if place.is(*anchor) => self.pending.push(at + 1),
                Some(Instruction::Assert(_)) | None => {}
            }
        }
        false
    }
}

/// Whether the program matches anywhere in `text`.
pub(super) fn search(program: &[Instruction], text: &str) -> bool {
    let size = program.len();
    let waiting = Vec::with_capacity(size);
    let reached = vec![0; size];
    // Every instruction is followed once for each character, and adds two at most.
    let pending = Vec::with_capacity(2 * size + 1);
    let mut threads = Threads {
        program,
        pending,
        reached,
        waiting,
    };
    let mut current = Vec::with_capacity(size);
    let mut place = Place {
        before: None,
        rest: text,
    };
    let mut mark = 1;
    if threads.follow(0, mark, &place) {
        return true;
    }
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        core::mem::swap(&mut current, &mut threads.waiting);
        threads.waiting.clear();
        place = Place {
            before: Some(char),
            rest: chars.as_str(),
        };
        mark += 1;
        for at in &current {
            if matches!(program.get(*at), Some(Instruction::Take(set)) if set.has(char))
                && threads.follow(at + 1, mark, &place)
            {
                return true;
            }
        }
        if threads.follow(0, mark, &place) {
            return true;
        }
    }
    false
}
