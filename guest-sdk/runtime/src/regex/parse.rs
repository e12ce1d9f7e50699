//! From a pattern to a program: a recursive descent, bounded in depth, and the usual construction.

use alloc::vec;
use alloc::vec::Vec;
use core::iter::Peekable;
use core::str::Chars;

use super::{Anchor, INSTRUCTIONS_MAX, Instruction, Item, Set, is_line_break};

/// Deepest nesting of groups.
const NESTING_MAX: usize = 24;
/// Most turns of a counted repetition.
const COUNT_MAX: usize = 1000;

/// Flags in force at a place of the pattern.
#[derive(Clone, Copy)]
struct Flags {
    any_case: bool,
    dot_all: bool,
    lines: bool,
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    flags: Flags,
    depth: usize,
}

/// A part of a program whose jumps count from its own start.
type Code = Vec<Instruction>;

pub(super) fn compile(pattern: &str, flags: &str) -> Option<Code> {
    let flags = Flags {
        any_case: flags.contains('i'),
        dot_all: flags.contains('s'),
        lines: flags.contains('m'),
    };
    let mut parser = Parser {
        rest: pattern.chars().peekable(),
        flags,
        depth: 0,
    };
    let mut code = parser.alternatives()?;
    if parser.rest.next().is_some() {
        return None;
    }
    code.push(Instruction::Done);
    Some(code)
}

/// Appends `part`, its jumps moved to where it now is.
fn append(code: &mut Code, part: &[Instruction]) -> Option<()> {
    let start = code.len();
    if start + part.len() > INSTRUCTIONS_MAX {
        return None;
    }
    code.extend(part.iter().map(|instruction| match instruction {
        Instruction::Split(left, right) => Instruction::Split(left + start, right + start),
        Instruction::Jump(place) => Instruction::Jump(place + start),
        Instruction::Take(_) | Instruction::Assert(_) | Instruction::Done => instruction.clone(),
    }));
    Some(())
}

/// How often an atom is repeated.
#[derive(Clone, Copy)]
struct Bounds {
    min: usize,
    max: Option<usize>,
    /// Rather seldom than often.
    lazy: bool,
}

/// `part` as often as the bounds say.
fn repeat(part: &[Instruction], bounds: Bounds) -> Option<Code> {
    let Bounds { min, max, lazy } = bounds;
    let choose = |again, end| match lazy {
        false => Instruction::Split(again, end),
        true => Instruction::Split(end, again),
    };
    let mut code = Code::new();
    for _ in 0..min {
        append(&mut code, part)?;
    }
    match max {
        None => {
            // The way back goes to the part and not to the choice before it, so that an empty turn ends the loop, as it does in a backtracking engine.
            let start = code.len() + 1;
            let end = start + part.len() + 1;
            code.push(choose(start, end));
            append(&mut code, part)?;
            code.push(choose(start, end));
        }
        Some(max) => {
            let end = code.len() + (max - min) * (part.len() + 1);
            for _ in min..max {
                code.push(choose(code.len() + 1, end));
                append(&mut code, part)?;
            }
        }
    }
    Some(code)
}

impl Parser<'_> {
    fn take(&mut self, char: char) -> bool {
        self.rest.next_if_eq(&char).is_some()
    }

    fn alternatives(&mut self) -> Option<Code> {
        let mut code = self.sequence()?;
        while self.take('|') {
            let right = self.sequence()?;
            let mut joined = vec![Instruction::Split(1, code.len() + 2)];
            append(&mut joined, &code)?;
            joined.push(Instruction::Jump(joined.len() + 1 + right.len()));
            append(&mut joined, &right)?;
            code = joined;
        }
        Some(code)
    }

    fn sequence(&mut self) -> Option<Code> {
        let mut code = Code::new();
        while self
            .rest
            .peek()
            .is_some_and(|char| !matches!(char, '|' | ')'))
        {
            let part = self.atom()?;
            let part = match self.bounds()? {
                Some(bounds) => repeat(&part, bounds)?,
                None => part,
            };
            append(&mut code, &part)?;
        }
        Some(code)
    }

    /// The repetition behind an atom, if there is one; `None` if it is malformed.
    #[expect(clippy::option_option, reason = "the outer one is failure")]
    fn bounds(&mut self) -> Option<Option<Bounds>> {
        let (min, max) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                let min = self.number()?;
                let max = if !self.take(',') {
                    Some(min)
                } else if self.rest.peek() == Some(&'}') {
                    None
                } else {
                    Some(self.number()?)
                };
                if self.rest.peek() != Some(&'}') || max.is_some_and(|max| max < min) {
                    return None;
                }
                (min, max)
            }
            Some(_) | None => return Some(None),
        };
        self.rest.next();
        let lazy = self.take('?');
        if matches!(self.rest.peek(), Some('*' | '+' | '?' | '{')) {
            return None;
        }
        Some(Some(Bounds { min, max, lazy }))
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|char| char.to_digit(10)) {
            self.rest.next();
            number = Some(number.unwrap_or(0) * 10 + digit as usize)
                .filter(|number| *number <= COUNT_MAX);
            number?;
        }
        number
    }

    fn atom(&mut self) -> Option<Code> {
        let anchor = |anchor| Some(vec![Instruction::Assert(anchor)]);
        match self.rest.next()? {
            '(' => self.group(),
            '[' => self.class().map(|set| vec![Instruction::Take(set)]),
            '.' => Some(self.dot()),
            '^' => anchor(if self.flags.lines {
                Anchor::LineStart
            } else {
                Anchor::TextStart
            }),
            '$' => anchor(if self.flags.lines {
                Anchor::LineEnd
            } else {
                Anchor::TextEnd
            }),
            '*' | '+' | '?' | '{' => None,
            '\\' => match self.rest.peek()? {
                'b' => self.anchor_escape(Anchor::WordEdge),
                'B' => self.anchor_escape(Anchor::NoWordEdge),
                'A' => self.anchor_escape(Anchor::TextStart),
                'Z' => self.anchor_escape(Anchor::TextEnd),
                'z' => self.anchor_escape(Anchor::LastEnd),
                _ => self.escape().map(|item| self.one(item)),
            },
            char => Some(self.one(Item::Range(char, char))),
        }
    }

    fn anchor_escape(&mut self, anchor: Anchor) -> Option<Code> {
        self.rest.next();
        Some(vec![Instruction::Assert(anchor)])
    }

    fn one(&self, item: Item) -> Code {
        vec![Instruction::Take(Set {
            items: vec![item],
            negated: false,
            any_case: self.flags.any_case,
        })]
    }

    fn dot(&self) -> Code {
        let items = if self.flags.dot_all {
            Vec::new()
        } else {
            ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']
                .iter()
                .map(|char| Item::Range(*char, *char))
                .collect()
        };
        debug_assert!(is_line_break('\n'), "the same characters end lines");
        vec![Instruction::Take(Set {
            items,
            negated: true,
            any_case: false,
        })]
    }

    /// `( … )`, `(?: … )`, `(?<name> … )`, `(?i: … )`, `(?i)`.
    fn group(&mut self) -> Option<Code> {
        if self.depth >= NESTING_MAX {
            return None;
        }
        let outer = self.flags;
        if self.take('?') && !self.group_head()? {
            return Some(Code::new());
        }
        self.depth += 1;
        let code = self.alternatives()?;
        self.depth -= 1;
        self.flags = outer;
        self.take(')').then_some(code)
    }

    /// Reads what follows `(?`; answers whether a body follows.
    fn group_head(&mut self) -> Option<bool> {
        self.take('P');
        if self.take('<') {
            let mut name = 0;
            while !self.take('>') {
                self.rest
                    .next_if(|char| char.is_alphanumeric() || *char == '_')?;
                name += 1;
            }
            return (name > 0).then_some(true);
        }
        let mut on = true;
        loop {
            match self.rest.next()? {
                ':' => return Some(true),
                ')' => return Some(false),
                '-' => on = false,
                'i' => self.flags.any_case = on,
                's' => self.flags.dot_all = on,
                'm' => self.flags.lines = on,
                _ => return None,
            }
        }
    }

    /// What follows `[`.
    fn class(&mut self) -> Option<Set> {
        let mut set = Set {
            items: Vec::new(),
            negated: self.take('^'),
            any_case: self.flags.any_case,
        };
        loop {
            let item = match self.rest.next()? {
                ']' if !set.items.is_empty() => return Some(set),
                '[' => return None,
                '\\' => self.escape()?,
                char => Item::Range(char, char),
            };
            set.items.push(self.range(item)?);
        }
    }

    /// `item`, or the range that it begins.
    fn range(&mut self, item: Item) -> Option<Item> {
        let Item::Range(first, _) = item else {
            return Some(item);
        };
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.next()? == ']' {
            return Some(item);
        }
        self.rest.next();
        let last = match self.rest.next()? {
            '\\' => self.escape()?,
            '[' => return None,
            char => Item::Range(char, char),
        };
        match last {
            Item::Range(last, _) if first <= last => Some(Item::Range(first, last)),
            Item::Range(..)
            | Item::Digit
            | Item::NoDigit
            | Item::Word
            | Item::NoWord
            | Item::Space
            | Item::NoSpace => None,
        }
    }

    /// What follows a backslash, in and out of classes.
    fn escape(&mut self) -> Option<Item> {
        let char = match self.rest.next()? {
            'd' => return Some(Item::Digit),
            'D' => return Some(Item::NoDigit),
            'w' => return Some(Item::Word),
            'W' => return Some(Item::NoWord),
            's' => return Some(Item::Space),
            'S' => return Some(Item::NoSpace),
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            char if char.is_ascii_alphanumeric() => return None,
            char => char,
        };
        Some(Item::Range(char, char))
    }

    /// A code point of `digits` hexadecimal digits, or of up to six in braces.
    fn code(&mut self, digits: usize) -> Option<char> {
        let braced = self.take('{');
        let mut code = 0;
        for index in 0..if braced { 6 } else { digits } {
            match self.rest.next_if(char::is_ascii_hexdigit) {
                Some(digit) => code = code << 4 | digit.to_digit(16)?,
                None if braced && index > 0 => break,
                None => return None,
            }
        }
        if braced && !self.take('}') {
            return None;
        }
        char::from_u32(code)
    }
}
