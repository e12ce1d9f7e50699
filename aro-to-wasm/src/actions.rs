//! The one table of verbs. Parser, checker and lowering read it; what an action does is decided by whoever lowers its kind.

use crate::syntax::ast::{self, Preposition};

/// The built-in actions; several verbs may name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the verb it names")]
pub enum ActionKind {
    Extract,
    Receive,
    Create,
    Update,
    Merge,
    Delete,
    Compute,
    Transform,
    Include,
    Validate,
    Compare,
    Accept,
    Filter,
    Map,
    Reduce,
    Group,
    Sort,
    Split,
    Join,
    Parse,
    ParseHtml,
    Store,
    Retrieve,
    Emit,
    Notify,
    /// To a channel; the statement `Publish as` is not an action.
    Publish,
    Schedule,
    /// Stops a timer.
    Cancel,
    Listen,
    Stream,
    /// To a channel with `to`; a stream with `from`.
    Subscribe,
    Unsubscribe,
    Log,
    Return,
    Throw,
    Start,
    Stop,
    /// Stop and start.
    Restart,
    Keepalive,
    Connect,
    Send,
    Broadcast,
    Close,
    /// An HTTP request, or one on a socket.
    Request,
    Probe,
    Call,
    Read,
    Write,
    Append,
    List,
    Stat,
    Exists,
    Make,
    Copy,
    Move,
    Sleep,
    Given,
    When,
    Then,
    Assert,
    Execute,
    Prompt,
    Select,
    Clear,
    Show,
    Render,
    Repaint,
    /// The version-control verbs.
    Git,
    /// Not built in: copies its object unless the program defines the action.
    Process,
}

/// The static role of a verb: what data flow assumes about it (language appendix B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Fetches a value and binds its result.
    Request,
    /// Works on values and binds its result.
    Own,
    /// Works on services and binds its result.
    Server,
    /// Gives values away and binds nothing.
    Response,
    /// Makes values visible elsewhere.
    Export,
}

/// What happens if the object is an expression (language 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BareObject {
    /// The action runs.
    Runs,
    /// The action runs if the result has a qualifier, else the value is bound to the result.
    Qualified,
    /// The value is bound to the result.
    Binds,
}

/// One verb.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// In small letters.
    pub verb: &'static str,
    /// What it does.
    pub kind: ActionKind,
    /// What data flow assumes.
    pub role: Role,
    /// Prepositions it accepts.
    pub takes: &'static [Preposition],
    /// What an expression object means.
    pub bare_object: BareObject,
    /// Whether its result noun may name an existing value that it works on, so that this is no second binding.
    pub consumes: bool,
    /// Whether it may be written without a result, as in `Wait for 5 seconds.`
    pub omits_result: bool,
}

impl Action {
    const fn consuming(self) -> Action {
        Action {
            consumes: true,
            ..self
        }
    }

    const fn without_result(self) -> Action {
        Action {
            omits_result: true,
            ..self
        }
    }
}

/// Verbs whose result position is a value when no article precedes it (language 5.4).
pub const SINK_VERBS: &[&str] = &[
    "log", "print", "output", "debug", "write", "send", "dispatch",
];

/// The entry of a verb in any letter case; none for dotted and unknown verbs.
pub fn lookup(verb: &str) -> Option<&'static Action> {
    ACTIONS
        .iter()
        .find(|action| action.verb.eq_ignore_ascii_case(verb))
}

/// How the result noun of an action doubles as its object where a statement has none (EXT-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubling {
    /// With its qualifier: `Delete the <file: "p">.` means `… from the <file: "p">.`
    Whole,
    /// Without, because the qualifier says what to do: `Parse the <text: json>.`
    Base,
}

/// Whether, how, and behind which preposition the result noun of an action doubles as its object. Actions that are not listed know what to do without one, or need one.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a new action needs its object until it is said what stands for it"
)]
pub fn doubles(kind: ActionKind) -> Option<(Preposition, Doubling)> {
    Some(match kind {
        Kind::List | Kind::Read | Kind::Retrieve | Kind::Clear | Kind::Receive => {
            (P::From, Doubling::Whole)
        }
        Kind::Request | Kind::Probe | Kind::Call | Kind::Stream | Kind::Delete => {
            (P::From, Doubling::Whole)
        }
        Kind::Stat | Kind::Exists => (P::For, Doubling::Whole),
        Kind::Make => (P::To, Doubling::Whole),
        Kind::Extract | Kind::Compute | Kind::Transform | Kind::Parse | Kind::ParseHtml => {
            (P::From, Doubling::Base)
        }
        Kind::Filter | Kind::Map | Kind::Reduce | Kind::Group | Kind::Split | Kind::Join => {
            (P::From, Doubling::Base)
        }
        Kind::Sort => (P::For, Doubling::Base),
        _ => return None,
    })
}

/// How the result of a statement doubles as its object, if it has none: `with { … }` behind verbs that have options is the clause, and so is `by the <field>`.
pub fn doubling(action: &ast::Action) -> Option<(Preposition, Doubling)> {
    let known = lookup(&action.verb.text)?;
    let is_without = match &action.object {
        None => true,
        Some(object) if object.preposition == P::By => true,
        Some(object) => {
            takes_options(known.kind)
                && object.preposition == P::With
                && matches!(object.operand, ast::Operand::Expression(_))
        }
    };
    doubles(known.kind).filter(|_| is_without)
}

/// Whether a value behind `with` says how an action does what it does, and is not what it works on.
fn takes_options(kind: ActionKind) -> bool {
    let asks = matches!(
        kind,
        Kind::Request | Kind::Probe | Kind::Call | Kind::Stream | Kind::Read
    );
    asks || matches!(kind, Kind::Parse | Kind::Join)
}

/// The static role of any verb: dotted and unknown ones are `Own`.
pub fn role(verb: &str) -> Role {
    lookup(verb).map_or(Role::Own, |action| action.role)
}

/// The known verb that is spelled most like `verb`, capitalised, if one is near enough to be meant.
pub fn suggest(verb: &str) -> Option<String> {
    let near = crate::check::nearest(
        &verb.to_lowercase(),
        ACTIONS.iter().map(|action| action.verb),
    )?;
    let mut letters = near.chars();
    Some(
        letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(letters)
            .collect(),
    )
}

const fn row(
    verb: &'static str,
    kind: ActionKind,
    role: Role,
    takes: &'static [Preposition],
    bare_object: BareObject,
) -> Action {
    Action {
        verb,
        kind,
        role,
        takes,
        bare_object,
        consumes: false,
        omits_result: false,
    }
}

use self::ActionKind as Kind;
use self::BareObject as Bare;
use Preposition as P;

/// Every verb.
#[rustfmt::skip] // One verb a line.
pub const ACTIONS: &[Action] = &[
    row("extract", Kind::Extract, Role::Request, &[P::From, P::Via], Bare::Qualified),
    row("get", Kind::Extract, Role::Request, &[P::From, P::Via], Bare::Qualified),
    row("receive", Kind::Receive, Role::Request, &[P::From, P::Via], Bare::Binds),
    row("create", Kind::Create, Role::Own, &[P::With, P::From, P::For, P::To], Bare::Qualified),
    row("build", Kind::Create, Role::Own, &[P::With, P::From, P::For, P::To], Bare::Qualified),
    row("construct", Kind::Create, Role::Own, &[P::With, P::From, P::For, P::To], Bare::Qualified),
    row("update", Kind::Update, Role::Own, &[P::With, P::To, P::For, P::From], Bare::Runs).consuming(),
    row("modify", Kind::Update, Role::Own, &[P::With, P::To, P::For, P::From], Bare::Runs).consuming(),
    row("change", Kind::Update, Role::Own, &[P::With, P::To, P::For, P::From], Bare::Runs).consuming(),
    row("set", Kind::Update, Role::Own, &[P::With, P::To, P::For, P::From], Bare::Runs).consuming(),
    row("configure", Kind::Update, Role::Own, &[P::With, P::To, P::For, P::From], Bare::Runs).consuming(),
    row("merge", Kind::Merge, Role::Own, &[P::With, P::From], Bare::Runs).consuming(),
    row("combine", Kind::Merge, Role::Own, &[P::With, P::From], Bare::Runs).consuming(),
    row("concat", Kind::Merge, Role::Own, &[P::With, P::From], Bare::Runs).consuming(),
    row("delete", Kind::Delete, Role::Own, &[P::From, P::For], Bare::Binds).consuming(),
    row("remove", Kind::Delete, Role::Own, &[P::From, P::For], Bare::Binds).consuming(),
    row("destroy", Kind::Delete, Role::Own, &[P::From, P::For], Bare::Binds).consuming(),
    row("compute", Kind::Compute, Role::Own, &[P::From, P::For, P::With], Bare::Qualified),
    row("calculate", Kind::Compute, Role::Own, &[P::From, P::For, P::With], Bare::Qualified),
    row("derive", Kind::Compute, Role::Own, &[P::From, P::For, P::With], Bare::Qualified),
    row("transform", Kind::Transform, Role::Own, &[P::From, P::Into, P::To], Bare::Binds).consuming(),
    row("convert", Kind::Transform, Role::Own, &[P::From, P::Into, P::To], Bare::Binds).consuming(),
    row("include", Kind::Include, Role::Own, &[P::With, P::From], Bare::Runs),
    row("embed", Kind::Include, Role::Own, &[P::With, P::From], Bare::Runs),
    row("insert", Kind::Include, Role::Own, &[P::With, P::From], Bare::Runs),
    row("validate", Kind::Validate, Role::Own, &[P::For, P::Against, P::With], Bare::Binds).consuming(),
    row("verify", Kind::Validate, Role::Own, &[P::For, P::Against, P::With], Bare::Binds).consuming(),
    row("check", Kind::Validate, Role::Own, &[P::For, P::Against, P::With], Bare::Binds).consuming(),
    row("compare", Kind::Compare, Role::Own, &[P::Against, P::With, P::To], Bare::Binds).consuming(),
    row("accept", Kind::Accept, Role::Own, &[P::On], Bare::Binds).consuming(),
    row("filter", Kind::Filter, Role::Own, &[P::From], Bare::Runs),
    row("map", Kind::Map, Role::Own, &[P::From, P::To], Bare::Runs),
    row("reduce", Kind::Reduce, Role::Own, &[P::From, P::With], Bare::Runs),
    row("aggregate", Kind::Reduce, Role::Own, &[P::From, P::With], Bare::Runs),
    row("group", Kind::Group, Role::Own, &[P::From], Bare::Runs),
    row("sort", Kind::Sort, Role::Own, &[P::For, P::With, P::From, P::By], Bare::Binds).consuming(),
    row("order", Kind::Sort, Role::Own, &[P::For, P::With, P::From, P::By], Bare::Binds).consuming(),
    row("arrange", Kind::Sort, Role::Own, &[P::For, P::With, P::From, P::By], Bare::Binds).consuming(),
    row("split", Kind::Split, Role::Own, &[P::From, P::By], Bare::Runs),
    row("join", Kind::Join, Role::Own, &[P::From, P::With], Bare::Runs).consuming(),
    row("parse", Kind::Parse, Role::Request, &[P::From], Bare::Runs),
    row("parsehtml", Kind::ParseHtml, Role::Own, &[P::From, P::With], Bare::Runs),
    row("store", Kind::Store, Role::Response, &[P::Into, P::To], Bare::Runs),
    row("save", Kind::Store, Role::Response, &[P::Into, P::To], Bare::Runs),
    row("persist", Kind::Store, Role::Response, &[P::Into, P::To], Bare::Runs),
    row("retrieve", Kind::Retrieve, Role::Request, &[P::From], Bare::Runs),
    row("fetch", Kind::Retrieve, Role::Request, &[P::From], Bare::Runs),
    row("load", Kind::Retrieve, Role::Request, &[P::From], Bare::Binds),
    row("find", Kind::Retrieve, Role::Own, &[P::From], Bare::Binds),
    row("emit", Kind::Emit, Role::Response, &[P::With, P::To], Bare::Runs),
    row("notify", Kind::Notify, Role::Response, &[P::To, P::For, P::With], Bare::Runs),
    row("alert", Kind::Notify, Role::Response, &[P::To, P::For, P::With], Bare::Runs),
    row("signal", Kind::Notify, Role::Response, &[P::To, P::For, P::With], Bare::Runs),
    row("publish", Kind::Publish, Role::Export, &[P::To], Bare::Binds),
    row("export", Kind::Publish, Role::Export, &[P::To], Bare::Binds),
    row("expose", Kind::Publish, Role::Export, &[P::To], Bare::Binds),
    row("share", Kind::Publish, Role::Export, &[P::To], Bare::Binds),
    row("schedule", Kind::Schedule, Role::Own, &[P::With], Bare::Runs),
    row("cancel", Kind::Cancel, Role::Response, &[P::For, P::With], Bare::Binds),
    row("listen", Kind::Listen, Role::Server, &[P::On, P::For, P::To], Bare::Runs).without_result(),
    row("await", Kind::Listen, Role::Server, &[P::On, P::For, P::To], Bare::Binds).without_result(),
    row("stream", Kind::Stream, Role::Own, &[P::From, P::With], Bare::Runs),
    row("subscribe", Kind::Subscribe, Role::Response, &[P::From, P::With, P::To], Bare::Runs),
    row("unsubscribe", Kind::Unsubscribe, Role::Response, &[P::From], Bare::Binds),
    row("log", Kind::Log, Role::Response, &[P::For, P::To, P::With], Bare::Runs),
    row("print", Kind::Log, Role::Response, &[P::For, P::To, P::With], Bare::Runs),
    row("output", Kind::Log, Role::Response, &[P::For, P::To, P::With], Bare::Binds),
    row("debug", Kind::Log, Role::Response, &[P::For, P::To, P::With], Bare::Binds),
    row("return", Kind::Return, Role::Response, &[P::For, P::To, P::With], Bare::Binds),
    row("respond", Kind::Return, Role::Response, &[P::For, P::To, P::With], Bare::Binds),
    row("throw", Kind::Throw, Role::Response, &[P::For, P::With], Bare::Binds),
    row("raise", Kind::Throw, Role::Own, &[P::For, P::With], Bare::Binds),
    row("fail", Kind::Throw, Role::Own, &[P::For, P::With], Bare::Binds),
    row("start", Kind::Start, Role::Server, &[P::With, P::On], Bare::Runs).consuming(),
    row("stop", Kind::Stop, Role::Server, &[P::With], Bare::Runs).consuming(),
    row("restart", Kind::Restart, Role::Own, &[P::With], Bare::Runs).consuming(),
    row("keepalive", Kind::Keepalive, Role::Server, &[P::For], Bare::Runs).consuming().without_result(),
    row("wait", Kind::Keepalive, Role::Server, &[P::For], Bare::Binds).consuming().without_result(),
    row("block", Kind::Keepalive, Role::Server, &[P::For], Bare::Binds).consuming().without_result(),
    row("connect", Kind::Connect, Role::Server, &[P::To, P::With, P::On], Bare::Binds).without_result(),
    row("send", Kind::Send, Role::Response, &[P::To, P::Via, P::With], Bare::Runs),
    row("dispatch", Kind::Send, Role::Own, &[P::To, P::Via, P::With], Bare::Binds),
    row("broadcast", Kind::Broadcast, Role::Response, &[P::To, P::Via], Bare::Runs),
    row("close", Kind::Close, Role::Server, &[P::With, P::From, P::For], Bare::Binds).consuming(),
    row("disconnect", Kind::Close, Role::Server, &[P::With, P::From, P::For], Bare::Binds).consuming(),
    row("terminate", Kind::Close, Role::Server, &[P::With, P::From, P::For], Bare::Binds).consuming(),
    row("request", Kind::Request, Role::Own, &[P::From, P::To, P::Via, P::With], Bare::Runs),
    row("http", Kind::Request, Role::Own, &[P::From, P::To, P::Via, P::With], Bare::Binds),
    row("probe", Kind::Probe, Role::Own, &[P::From, P::With], Bare::Runs),
    row("call", Kind::Call, Role::Own, &[P::From, P::To, P::With, P::Via], Bare::Runs),
    row("invoke", Kind::Call, Role::Own, &[P::From, P::To, P::With, P::Via], Bare::Runs),
    row("read", Kind::Read, Role::Request, &[P::From], Bare::Runs),
    row("write", Kind::Write, Role::Response, &[P::To, P::Into], Bare::Runs),
    row("append", Kind::Append, Role::Own, &[P::To, P::Into], Bare::Runs).consuming(),
    row("list", Kind::List, Role::Own, &[P::From], Bare::Binds),
    row("stat", Kind::Stat, Role::Own, &[P::For], Bare::Binds),
    row("exists", Kind::Exists, Role::Own, &[P::For], Bare::Binds),
    row("make", Kind::Make, Role::Server, &[P::To, P::For, P::At], Bare::Qualified).consuming(),
    row("touch", Kind::Make, Role::Server, &[P::To, P::For, P::At], Bare::Binds).consuming(),
    row("createdirectory", Kind::Make, Role::Server, &[P::To, P::For, P::At], Bare::Binds).consuming(),
    row("mkdir", Kind::Make, Role::Server, &[P::To, P::For, P::At], Bare::Binds).consuming(),
    row("copy", Kind::Copy, Role::Server, &[P::To], Bare::Binds).consuming(),
    row("move", Kind::Move, Role::Server, &[P::To], Bare::Binds).consuming(),
    row("rename", Kind::Move, Role::Server, &[P::To], Bare::Binds).consuming(),
    row("sleep", Kind::Sleep, Role::Own, &[P::For, P::With], Bare::Runs).without_result(),
    row("delay", Kind::Sleep, Role::Own, &[P::For, P::With], Bare::Runs).without_result(),
    row("pause", Kind::Sleep, Role::Own, &[P::For, P::With], Bare::Runs).without_result(),
    row("given", Kind::Given, Role::Own, &[P::With], Bare::Binds),
    row("when", Kind::When, Role::Own, &[P::From], Bare::Binds),
    row("then", Kind::Then, Role::Own, &[P::With], Bare::Runs).consuming(),
    row("assert", Kind::Assert, Role::Own, &[P::For, P::With], Bare::Runs).consuming(),
    row("execute", Kind::Execute, Role::Own, &[P::On, P::With, P::For], Bare::Binds),
    row("exec", Kind::Execute, Role::Own, &[P::On, P::With, P::For], Bare::Binds),
    row("run", Kind::Execute, Role::Own, &[P::On, P::With, P::For], Bare::Binds),
    row("shell", Kind::Execute, Role::Own, &[P::On, P::With, P::For], Bare::Binds),
    row("prompt", Kind::Prompt, Role::Own, &[P::With, P::From], Bare::Binds),
    row("ask", Kind::Prompt, Role::Own, &[P::With, P::From], Bare::Binds),
    row("select", Kind::Select, Role::Own, &[P::With, P::From], Bare::Binds),
    row("choose", Kind::Select, Role::Own, &[P::With, P::From], Bare::Binds),
    row("clear", Kind::Clear, Role::Own, &[P::For, P::From], Bare::Binds).consuming(),
    row("show", Kind::Show, Role::Own, &[P::For], Bare::Binds).consuming(),
    row("render", Kind::Render, Role::Response, &[P::To], Bare::Binds),
    row("repaint", Kind::Repaint, Role::Response, &[P::At, P::To], Bare::Binds),
    row("patch", Kind::Repaint, Role::Response, &[P::At, P::To], Bare::Binds),
    row("stage", Kind::Git, Role::Own, &[P::To, P::For, P::With, P::From], Bare::Binds).consuming(),
    row("commit", Kind::Git, Role::Own, &[P::To, P::For, P::With, P::From], Bare::Binds).consuming(),
    row("pull", Kind::Git, Role::Own, &[P::From, P::For, P::To, P::With], Bare::Binds).consuming(),
    row("push", Kind::Git, Role::Own, &[P::To, P::For, P::From, P::With], Bare::Binds).consuming(),
    row("clone", Kind::Git, Role::Own, &[P::From, P::To, P::With], Bare::Binds).consuming(),
    row("checkout", Kind::Git, Role::Own, &[P::From, P::For, P::To, P::With], Bare::Binds).consuming(),
    row("tag", Kind::Git, Role::Own, &[P::For, P::With, P::To, P::From], Bare::Binds).consuming(),
    row("process", Kind::Process, Role::Own, &[P::From, P::With, P::For], Bare::Binds),
];
