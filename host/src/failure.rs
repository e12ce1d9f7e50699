//! What a failed execution says to the people who run the program (runtime.md 2.7).

use crate::observe::executions::Ending;
use crate::observe::faults::Circumstances;
use aro_wit::manifest::{FeatureSet, Manifest, Statement};
use std::fmt::Write;

/// Where a failure came from; decides how it is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// An action failed.
    Action,
    /// An expression or guard failed.
    Expression,
    /// The runtime of the language failed.
    Runtime,
    /// What a test found is not what it expects.
    Assertion,
}

/// Why an execution ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Index into the statements of the feature set.
    pub(crate) statement: Option<u32>,
    pub(crate) kind: FailureKind,
    pub(crate) cause: String,
    /// Names that the statement mentions, with their text.
    pub(crate) trace: Vec<(String, String)>,
    /// How it ended the execution.
    pub(crate) ending: Ending,
    /// The event that it ended; none until the execution is over.
    pub(crate) circumstances: Option<Box<Circumstances>>,
}

impl Failure {
    /// A failure that the program found.
    pub(crate) fn of_program(
        statement: Option<u32>,
        kind: FailureKind,
        cause: String,
        trace: Vec<(String, String)>,
    ) -> Self {
        Self {
            statement,
            kind,
            cause,
            trace,
            ending: Ending::Failed,
            circumstances: None,
        }
    }

    /// A failure that the host found: a limit, a trap.
    pub(crate) fn of_host(statement: Option<u32>, cause: String, ending: Ending) -> Self {
        let kind = if statement.is_some() {
            FailureKind::Action
        } else {
            FailureKind::Runtime
        };
        Self {
            statement,
            kind,
            cause,
            trace: Vec::new(),
            ending,
            circumstances: None,
        }
    }

    /// The statement that failed, if it is known.
    pub(crate) fn statement_in<'a>(&self, feature_set: &'a FeatureSet) -> Option<&'a Statement> {
        let index = usize::try_from(self.statement?).ok()?;
        feature_set.statements.get(index)
    }

    /// The full description, without a prefix.
    pub(crate) fn describe(&self, manifest: &Manifest, feature_set: &FeatureSet) -> String {
        let statement = self.statement_in(feature_set);
        let mut text = match (self.kind, statement) {
            (FailureKind::Action, Some(statement)) => {
                format!("Runtime Error: {}", statement.sentence)
            }
            _ => self.cause.clone(),
        };
        line(&mut text, "Feature", &feature_set.name);
        if let Some(statement) = statement {
            let of_action = self.kind == FailureKind::Action;
            if of_action {
                line(&mut text, "Business Activity", &feature_set.activity);
            }
            line(&mut text, "Statement", &statement.text);
            if of_action && !self.cause.is_empty() {
                line(&mut text, "Cause", &self.cause);
            }
            if let Some(place) = place(manifest, statement) {
                line(&mut text, "Source", &place);
            }
        }
        if !self.trace.is_empty() {
            text.push_str("\n          Trace:");
            for (name, value) in &self.trace {
                write!(text, "\n            {name} = {value}")
                    .expect("writing to a string cannot fail");
            }
        }
        text
    }

    /// The first line of the description, without values and places.
    pub(crate) fn sentence(&self, feature_set: &FeatureSet) -> String {
        let statement = self.statement_in(feature_set);
        match (self.kind, statement) {
            (FailureKind::Action, Some(statement)) => statement.sentence.clone(),
            _ => format!("Cannot answer as {}.", feature_set.name),
        }
    }

    /// As printed when it ends the start of the program (runtime.md 2.7.4).
    pub(crate) fn uncaught(&self, manifest: &Manifest, feature_set: &FeatureSet) -> String {
        let prefix = match self.kind {
            FailureKind::Action | FailureKind::Runtime | FailureKind::Assertion => {
                "Runtime error: "
            }
            FailureKind::Expression => "Error: ",
        };
        format!("{prefix}{}", self.describe(manifest, feature_set))
    }

    /// As printed when a handler ends with it (runtime.md 3.8).
    pub(crate) fn in_handler(&self, manifest: &Manifest, feature_set: &FeatureSet) -> String {
        format!("Handler error: {}", self.describe(manifest, feature_set))
    }
}

/// Where a statement stands: `main.aro:12:5`.
pub(crate) fn place(manifest: &Manifest, statement: &Statement) -> Option<String> {
    let file = manifest.files.get(usize::try_from(statement.file).ok()?)?;
    Some(format!("{file}:{}:{}", statement.line, statement.column))
}

fn line(text: &mut String, label: &str, value: &str) {
    write!(text, "\n  {label}: {value}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::limit::Limit;
    use aro_wit::manifest::{FORMAT, Origin, Statement, Trigger};

    fn program() -> Manifest {
        let statement = Statement {
            file: 0,
            line: 12,
            column: 5,
            sentence: "Cannot retrieve the user from the user-repository.".into(),
            text: "<Retrieve> the <user> from the <user-repository>.".into(),
        };
        let feature_set = FeatureSet {
            component: "get-user".into(),
            name: "getUser".into(),
            activity: "User API".into(),
            triggers: vec![Trigger::TcpData],
            statements: vec![statement],
            code: vec![],
            origin: Origin::Aro,
            needs: vec![],
            ignores_headers: false,
        };
        Manifest {
            format: FORMAT,
            program: "users".into(),
            compiler: "test".into(),
            files: vec!["main.aro".into()],
            feature_sets: vec![feature_set],
            http: None,
            websockets: false,
            repositories: vec![],
        }
    }

    fn failure(kind: FailureKind, cause: &str) -> Failure {
        let trace = vec![("user".into(), "\"ann\"".into())];
        Failure::of_program(Some(0), kind, cause.into(), trace)
    }

    #[test]
    fn an_action_is_described_by_its_statement() {
        let manifest = program();
        insta::assert_snapshot!(failure(FailureKind::Action, "no such row").uncaught(&manifest, &manifest.feature_sets[0]), @r#"
        Runtime error: Runtime Error: Cannot retrieve the user from the user-repository.
          Feature: getUser
          Business Activity: User API
          Statement: <Retrieve> the <user> from the <user-repository>.
          Cause: no such row
          Source: main.aro:12:5
                  Trace:
                    user = "ann"
        "#);
    }

    #[test]
    fn an_expression_is_described_by_its_cause() {
        let manifest = program();
        let failure = Failure {
            trace: vec![],
            ..failure(FailureKind::Expression, "Undefined variable: x")
        };
        insta::assert_snapshot!(failure.uncaught(&manifest, &manifest.feature_sets[0]), @"
        Error: Undefined variable: x
          Feature: getUser
          Statement: <Retrieve> the <user> from the <user-repository>.
          Source: main.aro:12:5
        ");
    }

    #[test]
    fn handler_errors_start_with_their_own_words() {
        let manifest = program();
        let cause = "needs more than 64 MiB of memory".into();
        let failure = Failure::of_host(None, cause, Ending::Limited(Limit::Memory));
        insta::assert_snapshot!(failure.in_handler(&manifest, &manifest.feature_sets[0]), @"
        Handler error: needs more than 64 MiB of memory
          Feature: getUser
        ");
    }
}
