//! Running a program: all alternatives side by side, each instruction at most once for each character. Of several matches the leftmost is found, and of those that begin there the one that a backtracking engine would find.

use alloc::vec;
use alloc::vec::Vec;

use super::{Anchor, Instruction, is_line_break, is_word};

/// A search and its buffers, which serve any number of runs.
///
/// The buffers are made at their full size and dropped in the reverse order, so that an arena gets them back.
pub(super) struct Search<'a> {
    program: &'a [Instruction],
    /// Threads that take the next character, preferred ones first: instruction and where the match began.
    current: Vec<Thread>,
    /// Instructions still to follow.
    pending: Vec<usize>,
    /// Place at which an instruction was last reached.
    reached: Vec<usize>,
    /// Threads that wait for the next character, as they were reached.
    waiting: Vec<Thread>,
    /// Number of places visited so far.
    mark: usize,
}

type Thread = (usize, usize);

/// When a search is content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// As soon as there is some match.
    Found,
    /// When no better match can follow.
    Best,
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

impl<'a> Search<'a> {
    pub(super) fn new(program: &'a [Instruction]) -> Self {
        let size = program.len();
        let waiting = Vec::with_capacity(size);
        let reached = vec![0; size];
        // Every instruction is followed once for each character, and adds two at most.
        let pending = Vec::with_capacity(2 * size + 1);
        Search {
            program,
            current: Vec::with_capacity(size),
            pending,
            reached,
            waiting,
            mark: 0,
        }
    }

    /// First and last place of a match in `text` that begins at `from` or later.
    pub(super) fn run(&mut self, text: &str, from: usize, until: Until) -> Option<(usize, usize)> {
        let (before, rest) = text.split_at_checked(from)?;
        let mut found = None;
        let mut place = Place {
            before: before.chars().next_back(),
            rest,
        };
        let mut at = from;
        self.waiting.clear();
        self.mark += 1;
        if self.follow(0, at, &place) {
            found = Some((at, at));
        }
        let mut chars = rest.chars();
        while found.is_none() || until == Until::Best && !self.waiting.is_empty() {
            let Some(char) = chars.next() else {
                break;
            };
            place = Place {
                before: Some(char),
                rest: chars.as_str(),
            };
            at += char.len_utf8();
            self.mark += 1;
            found = self.advance(char, at, &place).or(found);
            // A match that begins here is worse than one that began before.
            if found.is_none() && self.follow(0, at, &place) {
                found = Some((at, at));
            }
        }
        found
    }

    /// Lets all threads take a character; answers the match that the most preferred of them completes, and forgets those behind it.
    fn advance(&mut self, char: char, at: usize, place: &Place<'_>) -> Option<(usize, usize)> {
        let mut threads = core::mem::take(&mut self.current);
        core::mem::swap(&mut threads, &mut self.waiting);
        self.waiting.clear();
        let found = threads
            .iter()
            .find(|(instruction, start)| {
                matches!(self.program.get(*instruction), Some(Instruction::Take(set)) if set.has(char))
                    && self.follow(instruction + 1, *start, place)
            })
            .map(|(_, start)| (*start, at));
        self.current = threads;
        found
    }

    /// Follows a thread from `first` to the instructions that wait; answers whether it is done, and then leaves out what it prefers less.
    fn follow(&mut self, first: usize, start: usize, place: &Place<'_>) -> bool {
        self.pending.push(first);
        while let Some(at) = self.pending.pop() {
            match self.reached.get_mut(at) {
                Some(reached) if *reached != self.mark => *reached = self.mark,
                Some(_) | None => continue,
            }
            match self.program.get(at) {
                Some(Instruction::Done) => {
                    self.pending.clear();
                    return true;
                }
                Some(Instruction::Take(_)) => self.waiting.push((at, start)),
                Some(Instruction::Jump(place)) => self.pending.push(*place),
                Some(Instruction::Split(left, right)) => self.pending.extend([*right, *left]),
                Some(Instruction::Assert(anchor)) if place.is(*anchor) => self.pending.push(at + 1),
                Some(Instruction::Assert(_)) | None => {}
            }
        }
        false
    }
}
