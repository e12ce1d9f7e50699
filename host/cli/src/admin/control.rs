//! Orders to tenants of a configuration: start, end, start again; and to read the configuration again.

use super::{Answer, refused, tenant, told};
use crate::hosting::Supervisor;
use anyhow::Context;
use aro_host::Outcome;
use hyper::StatusCode;
use serde_json::json;
use std::sync::Arc;

/// Who carries orders out, where the host serves a configuration.
pub(crate) type Control = Option<Arc<Supervisor>>;

const ONE_PROGRAM: &str =
    "this host serves one program and no configuration: end or start its process instead";

/// Carries an order out, and answers when that is done.
pub(super) async fn order(
    supervisor: Option<&Arc<Supervisor>>,
    name: &str,
    action: &str,
) -> Answer {
    let Some(supervisor) = supervisor else {
        return refused(StatusCode::CONFLICT, ONE_PROGRAM);
    };
    let id = match tenant(name) {
        Ok(id) => id,
        Err(error) => return refused(StatusCode::NOT_FOUND, &error.to_string()),
    };
    let (supervisor, action) = (Arc::clone(supervisor), action.to_owned());
    uncut(async move {
        let how = match action.as_str() {
            "start" => supervisor.start(&id).await.map(|()| "runs"),
            "restart" => supervisor.restart(&id).await.map(|()| "runs"),
            _ => supervisor.stop(&id).await.map(|outcome| match outcome {
                Some(Outcome::Success) => "has ended",
                Some(Outcome::Failure) => "has ended with a failure",
                None => "did not run",
            }),
        };
        how.map(|how| vec![format!("tenant {id} {how}")])
    })
    .await
}

/// Reads the configuration again.
pub(super) async fn reload(supervisor: Option<&Arc<Supervisor>>) -> Answer {
    let Some(supervisor) = supervisor else {
        return refused(StatusCode::CONFLICT, ONE_PROGRAM);
    };
    let supervisor = Arc::clone(supervisor);
    uncut(async move { supervisor.reload().await }).await
}

/// Carries an order out in a task of its own: a client that leaves must not leave a tenant half way.
async fn uncut(
    order: impl Future<Output = anyhow::Result<Vec<String>>> + Send + 'static,
) -> Answer {
    let done = tokio::spawn(order).await;
    match done.context("the order has ended early").flatten() {
        Ok(done) => told(StatusCode::OK, &json!({ "done": done })),
        Err(error) => refused(StatusCode::UNPROCESSABLE_ENTITY, &format!("{error:#}")),
    }
}
