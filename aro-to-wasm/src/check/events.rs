//! Events: emitted ones need a handler, and handlers must not emit in a circle.

use super::Scope;
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{Program, Raise, SYSTEM_EVENTS, Trigger, raised};
use crate::source::Span;
use crate::syntax::ast::Noun;
use crate::syntax::walk;
use indexmap::IndexSet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Most cycles that are drawn; each costs a search.
const CYCLES_MAX: usize = 20;

/// An event type that a handler of another may emit.
struct Edge<'a> {
    to: &'a str,
    /// Whether a guard or a block may prevent it.
    guarded: bool,
    emit: Span,
}

type Graph<'a> = FxHashMap<&'a str, Vec<Edge<'a>>>;

pub(super) fn check(program: &Program, scope: Scope, found: &mut Vec<Diagnostic>) {
    let mut graph = Graph::default();
    let mut order: IndexSet<&str> = IndexSet::new();
    let mut handled: FxHashSet<&str> = FxHashSet::default();
    let mut emitted: Vec<&Noun> = Vec::new();
    let mut named: FxHashSet<&str> = FxHashSet::default();
    for set in &program.feature_sets {
        let event = handled_event(&set.syntax.activity, &set.trigger);
        let domain = if let Trigger::Domain(event) = &set.trigger {
            Some(event.as_str())
        } else {
            None
        };
        handled.extend(event);
        order.extend(domain);
        let set_guarded = set.guard.is_some() || set.syntax.condition.is_some();
        walk::actions(&set.syntax.body, &mut |action, inner| {
            let Some((noun, raise)) = raised(action) else {
                return;
            };
            named.insert(&noun.base);
            if raise != Raise::Emit {
                return;
            }
            emitted.push(noun);
            if let Some(event) = domain {
                let guarded = set_guarded || inner || action.when.is_some();
                graph.entry(event).or_default().push(Edge {
                    to: &noun.base,
                    guarded,
                    emit: action.span,
                });
            }
        });
    }
    cycles(&order.into_iter().collect::<Vec<_>>(), &graph, found);
    if scope == Scope::Whole {
        unhandled(&emitted, &handled, found);
    }
    misspelt(program, &named, found);
}

/// Handlers of events whose names are nearly those of the system, and that the program does not raise.
fn misspelt(program: &Program, raised: &FxHashSet<&str>, found: &mut Vec<Diagnostic>) {
    let mut suggested = 0;
    for set in &program.feature_sets {
        let Trigger::Domain(event) = &set.trigger else {
            continue;
        };
        if raised.contains(event.as_str()) || suggested >= super::SUGGESTIONS_MAX {
            continue;
        }
        let Some(near) = super::nearest(event, SYSTEM_EVENTS.iter().copied()) else {
            continue;
        };
        suggested += 1;
        let message = format!("nothing emits `{event}`, and the system has no such event");
        found.push(
            Diagnostic::new(Code::UnknownEvent, set.syntax.header, message)
                .help(format!("did you mean `{near} Handler`?")),
        );
    }
}

fn handled_event<'a>(activity: &'a str, trigger: &'a Trigger) -> Option<&'a str> {
    if let Trigger::Domain(event) = trigger {
        return Some(event);
    }
    let named = matches!(
        trigger,
        Trigger::Tcp(_) | Trigger::Notification | Trigger::Evicted(_)
    );
    let event = activity
        .split_once(" Handler")
        .map(|(event, _)| event.trim());
    event.filter(|_| named)
}

/// E2, once for each type.
fn unhandled(emitted: &[&Noun], handled: &FxHashSet<&str>, found: &mut Vec<Diagnostic>) {
    let mut reported: FxHashSet<&str> = FxHashSet::default();
    let mut names: Vec<&str> = handled.iter().copied().collect();
    names.sort_unstable();
    for noun in emitted {
        let event = noun.base.as_str();
        if handled.contains(event) || !reported.insert(event) {
            continue;
        }
        let warning = Diagnostic::new(
            Code::NoHandler,
            noun.span,
            format!("event `{event}` is emitted but no handler exists"),
        )
        .label(noun.span, "nobody receives it");
        let suggest = reported.len() <= super::SUGGESTIONS_MAX;
        let near = names.iter().copied().take_while(|_| suggest);
        found.push(match super::nearest(event, near) {
            Some(near) => warning.help(format!(
                "there is a handler for `{near}`: event names must be equal letter by letter"
            )),
            None => warning.help(format!("add `(Name: {event} Handler) {{ … }}`")),
        });
    }
}

/// E1: an error if nothing guards the circle, else a warning; each event is reported once.
fn cycles(order: &[&str], graph: &Graph, found: &mut Vec<Diagnostic>) {
    let mut reported: FxHashSet<&str> = FxHashSet::default();
    let mut searches = 0;
    for guarded in [false, true] {
        let on_cycles = prune(order, graph, guarded);
        for start in order {
            if !on_cycles.contains(start) || reported.contains(start) || searches >= CYCLES_MAX {
                continue;
            }
            searches += 1;
            let Some(cycle) = shortest_cycle(start, graph, guarded) else {
                continue;
            };
            reported.extend(cycle.iter().map(|edge| edge.to));
            found.push(describe(start, &cycle, guarded));
        }
    }
}

fn describe(start: &str, cycle: &[&Edge], guarded: bool) -> Diagnostic {
    let mut names = vec![start];
    names.extend(cycle.iter().map(|edge| edge.to));
    let code = if guarded {
        Code::GuardedCycle
    } else {
        Code::EventCycle
    };
    let place = cycle.last().map_or_else(Span::default, |edge| edge.emit);
    let mut diagnostic = Diagnostic::new(
        code,
        place,
        format!("circular event chain: {}", names.join(" → ")),
    )
    .label(place, format!("this emits `{start}` again"));
    for edge in cycle.iter().rev().skip(1).rev() {
        diagnostic = diagnostic.label(edge.emit, format!("this emits `{}`", edge.to));
    }
    diagnostic.help(if guarded {
        "make sure that a guard ends the chain"
    } else {
        "guard one of the statements with `when`, or emit another event"
    })
}

/// The events that remain when those without successors are taken away again and again: cycles and what lies between them.
fn prune<'a>(order: &[&'a str], graph: &Graph<'a>, guarded: bool) -> FxHashSet<&'a str> {
    let mut left: FxHashMap<&str, usize> = FxHashMap::default();
    let mut sources: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
    for event in order {
        for edge in edges(graph, event, guarded) {
            *left.entry(event).or_default() += 1;
            sources.entry(edge.to).or_default().push(event);
        }
    }
    let known: FxHashSet<&str> = order.iter().copied().collect();
    let outside = sources
        .keys()
        .copied()
        .filter(|event| !known.contains(event));
    let mut ends: Vec<&str> = order
        .iter()
        .copied()
        .filter(|event| !left.contains_key(event))
        .chain(outside)
        .collect();
    ends.sort_unstable();
    let mut remaining = known.clone();
    while let Some(end) = ends.pop() {
        remaining.remove(end);
        for source in sources.get(end).into_iter().flatten() {
            let count = left.entry(source).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                ends.push(source);
            }
        }
    }
    remaining
}

fn edges<'g, 'a>(
    graph: &'g Graph<'a>,
    event: &str,
    guarded: bool,
) -> impl Iterator<Item = &'g Edge<'a>> {
    graph
        .get(event)
        .into_iter()
        .flatten()
        .filter(move |edge| guarded || !edge.guarded)
}

/// The shortest way from `start` back to it.
fn shortest_cycle<'g, 'a>(
    start: &str,
    graph: &'g Graph<'a>,
    guarded: bool,
) -> Option<Vec<&'g Edge<'a>>> {
    let mut came: FxHashMap<&str, (&str, &Edge)> = FxHashMap::default();
    let mut queue = VecDeque::from([start]);
    while let Some(event) = queue.pop_front() {
        for edge in edges(graph, event, guarded) {
            if came.contains_key(edge.to) {
                continue;
            }
            came.insert(edge.to, (event, edge));
            if edge.to == start {
                let mut way = Vec::new();
                let mut at = start;
                loop {
                    let (from, edge) = came.get(at)?;
                    way.push(*edge);
                    at = from;
                    if at == start {
                        way.reverse();
                        return Some(way);
                    }
                }
            }
            queue.push_back(edge.to);
        }
    }
    None
}
