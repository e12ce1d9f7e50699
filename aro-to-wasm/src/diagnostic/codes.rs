//! The one table of diagnostic codes. A code never changes its meaning and is never given to another mistake.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Blocks compiling.
    Error,
    /// Does not.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($name:ident $id:literal $title:literal,)*) => {
        /// What a diagnostic is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// `E0001`, `W0001`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$name => $id,)* }
            }

            /// One line for lists and documentation.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    UnexpectedCharacter "E0001" "a character that starts nothing in ARO",
    UnterminatedText "E0002" "a string without its closing quote",
    InvalidEscape "E0003" "an unknown escape sequence",
    InvalidUnicodeEscape "E0004" "an escape that names no character",
    InvalidNumber "E0005" "a number that is malformed or out of range",
    InvalidBlockText "E0006" "text on the opening line of a block string",
    UnexpectedToken "E0007" "something else was expected here",
    MissingName "E0008" "a feature set without a name",
    MissingActivity "E0009" "a feature set without a business activity",
    TooDeep "E0010" "nested too deeply",
    Unclosed "E0011" "a bracket without its partner",
    ClauseOrder "E0012" "a clause that is repeated or stands in the wrong order",
    LowerCaseVerb "E0013" "a verb that starts with a small letter",
    UnsupportedForm "E0014" "a form that ARO does not have",
    FileTooLarge "E0015" "a source file that is too large",
    DuplicateFeatureSet "E0020" "two feature sets of the same name",
    Rebinding "E0021" "a name bound twice",
    PublishUndefined "E0022" "publishing a name that nothing defines",
    EventCycle "E0023" "events that emit each other without end",
    DuplicateUserAction "E0024" "two user-defined actions of the same name",
    UnknownUserAction "E0025" "a call of a user-defined action that does not exist",
    CallWithoutTakes "E0026" "a value passed to a user-defined action that takes none",
    FrameworkName "E0027" "a framework name inside a user-defined action",
    BreakOutsideWhile "E0028" "a break outside a while loop",
    NoStart "E0029" "a program without Application-Start",
    SeveralStarts "E0030" "a program with several Application-Start",
    InvalidPort "E0041" "a port that does not exist",
    Template "E0050" "a template that cannot be read",
    Contract "E0060" "a contract that is not valid",
    MissingOperation "E0061" "an operation of the contract that no feature set answers",
    ReversedRange "W0001" "a range whose start is greater than its end",
    Concurrency "W0002" "a concurrency limit below one",
    UndefinedName "W0003" "a name that nothing defines",
    UndefinedSubject "W0004" "a match on a name that nothing defines",
    UndefinedCollection "W0005" "a loop over a name that nothing defines",
    NotPublished "W0006" "a required name that nothing publishes",
    UnusedName "W0007" "a name that nothing uses",
    NoStatements "W0008" "a feature set without statements",
    Unreachable "W0009" "a statement that never runs",
    NoReturn "W0010" "a feature set without Return or Throw",
    GuardedCycle "W0011" "events that may emit each other without end",
    NoHandler "W0012" "an event that nothing handles",
    UnknownVerb "W0013" "a verb that is no built-in action",
    WrongPreposition "W0014" "a preposition that the action does not take",
    NotARepository "W0015" "storing into something that is no repository",
    CopiedComparison "W0016" "a comparison that is copied onto the next operand",
    NeverTriggered "W0017" "a handler whose name selects no event",
    IgnoredInterpolation "W0018" "an interpolation that contributes nothing",
    UnterminatedComment "W0019" "a comment without its end",
    UnknownOperation "W0021" "an operation that Compute does not have",
    CountsFromEnd "W0022" "an index that counts from the end of a list",
    UnknownSchema "W0023" "a type that the contract does not define",
    StoreFile "W0024" "a store file that cannot be read",
    UnknownRule "W0025" "a rule that Validate does not have",
    UnknownEvent "W0026" "a handler of an event that is nearly one of the system",
    NeverRun "W0030" "a feature set that nothing runs",
    LoopRebinding "W0020" "a name bound again inside a loop that counts",
}

impl Code {
    /// From the first letter of its id.
    pub fn severity(self) -> Severity {
        if self.id().starts_with('E') {
            Severity::Error
        } else {
            Severity::Warning
        }
    }
}
