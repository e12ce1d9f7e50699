//! The syntax tree as compact text without places: one statement a line, expressions in prefix form.

use aro_to_wasm::syntax::ast::*;
use std::fmt::Write as _;

pub(crate) fn tree(program: &Program) -> String {
    let mut out = String::new();
    for import in &program.imports {
        writeln!(out, "import {}", import.path).unwrap();
    }
    for set in &program.feature_sets {
        write!(out, "({} | {})", set.name, set.activity).unwrap();
        if let Some(takes) = &set.takes {
            write!(
                out,
                " takes {}{}",
                takes.field,
                takes
                    .ty
                    .as_ref()
                    .map_or(String::new(), |ty| format!(": {ty}"))
            )
            .unwrap();
        }
        if let Some(condition) = &set.condition {
            write!(out, " when {}", expression(condition)).unwrap();
        }
        out.push('\n');
        block(&mut out, &set.body, 1);
    }
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    writeln!(out, "{}{text}", "  ".repeat(depth)).unwrap();
}

fn block(out: &mut String, block: &Block, depth: usize) {
    for one in &block.statements {
        statement(out, one, depth);
    }
}

fn statement(out: &mut String, statement: &Statement, depth: usize) {
    match statement {
        Statement::Action(one) => line(out, depth, &action(one)),
        Statement::Pipeline(stages) => {
            line(out, depth, "pipeline");
            stages
                .iter()
                .for_each(|stage| line(out, depth + 1, &action(stage)));
        }
        Statement::Publish(publish) => line(
            out,
            depth,
            &format!(
                "publish {} as {}",
                publish.internal.text, publish.external.text
            ),
        ),
        Statement::Require(require) => line(
            out,
            depth,
            &format!("require {} from {}", require.name.text, require.source.text),
        ),
        Statement::Match(one) => {
            line(out, depth, &format!("match {}", expression(&one.subject)));
            for case in &one.cases {
                let guard = case.guard.as_ref().map_or(String::new(), |guard| {
                    format!(" where {}", expression(guard))
                });
                line(
                    out,
                    depth + 1,
                    &format!("case {}{guard}", pattern(&case.pattern)),
                );
                block(out, &case.body, depth + 2);
            }
            if let Some(otherwise) = &one.otherwise {
                line(out, depth + 1, "otherwise");
                block(out, otherwise, depth + 2);
            }
        }
        Statement::If(one) => {
            line(out, depth, &format!("if {}", expression(&one.condition)));
            block(out, &one.then, depth + 1);
            if let Some(otherwise) = &one.otherwise {
                line(out, depth, "else");
                block(out, otherwise, depth + 1);
            }
        }
        Statement::ForEach(one) => for_each(out, one, depth),
        Statement::Range(one) => {
            line(
                out,
                depth,
                &format!(
                    "for {} from {} to {}",
                    one.item.text,
                    expression(&one.from),
                    expression(&one.to)
                ),
            );
            block(out, &one.body, depth + 1);
        }
        Statement::While(one) => {
            line(out, depth, &format!("while {}", expression(&one.condition)));
            block(out, &one.body, depth + 1);
        }
        Statement::Break(_) => line(out, depth, "break"),
    }
}

fn for_each(out: &mut String, one: &ForEach, depth: usize) {
    let mut text = format!(
        "{}for each {}",
        if one.parallel { "parallel " } else { "" },
        one.item.text
    );
    if let Some(index) = &one.index {
        text += &format!(" at {}", index.text);
    }
    text += &format!(" in {}", noun(&one.collection));
    if let Some(limit) = one.concurrency {
        text += &format!(" concurrency {limit}");
    }
    if let Some(guard) = &one.guard {
        text += &format!(" where {}", expression(guard));
    }
    line(out, depth, &text);
    block(out, &one.body, depth + 1);
}

fn action(action: &Action) -> String {
    let mut text = action.verb.text.clone();
    match &action.result {
        Target::Noun(one) => text += &format!(" {}", noun(one)),
        Target::Sink(sink) => text += &format!(" sink {}", expression(sink)),
        Target::None => text += " -",
    }
    for one in action.object.iter() {
        text += &format!(" | {}", object(one));
    }
    for one in &action.extra {
        text += &format!(" | and {}", object(one));
    }
    for with in &action.clauses.with {
        let label = with
            .label
            .as_ref()
            .map_or(String::new(), |label| format!(" {}", label.text));
        text += &format!(" | clause with{label} ");
        match &with.value {
            WithValue::Expression(value) => text += &expression(value),
            WithValue::Duration { amount, unit } => {
                text += &format!("{} {}", expression(amount), unit.text)
            }
            WithValue::Aggregate { function, field } => {
                text += &format!("{function}({})", field.as_deref().unwrap_or(""))
            }
        }
    }
    if let Some(to) = &action.clauses.to {
        text += &format!(" | clause to {}", expression(to));
    }
    if let Some(filter) = &action.clauses.filter {
        text += &format!(" | where {}", condition(filter));
    }
    match &action.clauses.by {
        Some(By::Regex { pattern, flags }) => text += &format!(" | by /{pattern}/{flags}"),
        Some(By::Text(by)) => text += &format!(" | by {by:?}"),
        Some(By::Name(name)) => text += &format!(" | by <{}>", name.text),
        None => {}
    }
    if let Some(default) = &action.clauses.default {
        text += &format!(" | default {}", expression(default));
    }
    if let Some(alias) = &action.clauses.alias {
        text += &format!(" | as {}", noun(alias));
    }
    if let Some(when) = &action.when {
        text += &format!(" | when {}", expression(when));
    }
    text
}

fn object(object: &Object) -> String {
    let preposition = format!("{:?}", object.preposition).to_lowercase();
    let operand = match &object.operand {
        Operand::Noun(one) => format!("noun {}", noun(one)),
        Operand::Expression(value) => expression(value),
        Operand::Duration { amount, unit } => format!("{} {}", expression(amount), unit.text),
        Operand::Labelled { label, value } => format!("{} = {}", label.text, expression(value)),
    };
    format!("{preposition} {operand}")
}

fn noun(noun: &Noun) -> String {
    match &noun.qualifier {
        None => format!("<{}>", noun.base),
        Some(qualifier) => {
            let quote = if qualifier.quoted { "\"" } else { "" };
            format!(
                "<{}: {quote}{}{quote} {:?}>",
                noun.base, qualifier.text, qualifier.specifiers
            )
        }
    }
}

fn pattern(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Null => "null".to_owned(),
        Pattern::Bool(value) => value.to_string(),
        Pattern::Int(value) => value.to_string(),
        Pattern::Float(value) => format!("{value:?}"),
        Pattern::Text(value) => format!("{value:?}"),
        Pattern::Regex { pattern, flags } => format!("/{pattern}/{flags}"),
        Pattern::Any => "_".to_owned(),
        Pattern::Noun(one) => noun(one),
    }
}

fn condition(one: &Condition) -> String {
    match one {
        Condition::Compare {
            field,
            operator,
            value,
        } => format!("({operator:?} {} {})", field.text, expression(value)),
        Condition::And(left, right) => format!("(and {} {})", condition(left), condition(right)),
        Condition::Or(left, right) => format!("(or {} {})", condition(left), condition(right)),
    }
}

fn expression(one: &Expression) -> String {
    match &one.kind {
        ExpressionKind::Null => "null".to_owned(),
        ExpressionKind::Bool(value) => value.to_string(),
        ExpressionKind::Int(value) => value.to_string(),
        ExpressionKind::Float(value) => format!("{value:?}"),
        ExpressionKind::Text(value) => format!("{value:?}"),
        ExpressionKind::Regex { pattern, flags } => format!("/{pattern}/{flags}"),
        ExpressionKind::Interpolated(segments) => {
            let segments = segments.iter().map(|segment| match segment {
                Segment::Text(text) => format!("{text:?}"),
                Segment::Expression(value) => expression(value),
            });
            format!("(text {})", segments.collect::<Vec<_>>().join(" "))
        }
        ExpressionKind::Reference(one) => noun(one),
        ExpressionKind::Name(name) => name.clone(),
        ExpressionKind::List(items) => format!(
            "[{}]",
            items.iter().map(expression).collect::<Vec<_>>().join(", ")
        ),
        ExpressionKind::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", key.text, expression(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        ExpressionKind::Unary(operator, operand) => {
            format!("({operator:?} {})", expression(operand))
        }
        ExpressionKind::Binary(operator, left, right) => {
            format!("({operator:?} {} {})", expression(left), expression(right))
        }
        ExpressionKind::Member(object, name) => format!("(.{} {})", name.text, expression(object)),
        ExpressionKind::Index(object, index) => {
            format!("(at {} {})", expression(object), expression(index))
        }
        ExpressionKind::Exists(operand) => format!("(exists {})", expression(operand)),
        ExpressionKind::Is {
            subject,
            negated,
            test,
        } => {
            let test = match test {
                IsTest::Empty => "empty".to_owned(),
                IsTest::Word(word) => word.text.clone(),
            };
            format!(
                "({} {} {test})",
                if *negated { "is-not" } else { "is" },
                expression(subject)
            )
        }
    }
}
