//! The life of one version of a program: from its start until another version takes its place.
//!
//! What a start sets up belongs to the life: its listeners are closed and its timers ended when a later version does not set them up again. What handlers set up while the program runs belongs to the tenant and stays.
//!
//! A life whose predecessor still handles events is not admitted: what its start opens waits, and begins with the swap.

use crate::conn::id::SocketId;
use crate::engine::feature_set::Response;
use crate::failure::Failure;
use crate::files::monitor::Monitors;
use crate::net::websocket::Configuration;
use crate::route::Routes;
use crate::tenant::Tenant;
use crate::timer::Timers;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How far a start has come.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// It runs.
    Starting,
    /// It waits for the end of the program.
    Keeping,
    /// It has ended.
    Ended(Arc<Result<Response, Failure>>),
}

/// What a start does with a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has opened it.
    Opened,
    /// It has found it open and keeps it.
    TakenOver,
    /// Another listener of the start has its socket.
    Spent,
}

/// What a start has opened, or found open and taken over.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) listeners: BTreeMap<SocketId, Claim>,
    /// HTTP servers, by the address that was asked for.
    pub(crate) servers: BTreeMap<SocketAddr, Claim>,
    /// Events of streams that it follows.
    pub(crate) streams: Vec<Arc<str>>,
    /// Names of the directory that it has given to others, and what they stood for.
    renamed: Vec<(String, Option<SocketId>)>,
}

impl Claims {
    /// A start follows a stream, perhaps again.
    pub(crate) fn claim_stream(&mut self, event: &Arc<str>) {
        if !self.streams.contains(event) {
            self.streams.push(Arc::clone(event));
        }
    }
}

/// One life.
#[derive(Debug)]
pub(crate) struct Life {
    /// Whether a predecessor handles events until this is admitted.
    pub(crate) succeeds: bool,
    /// Timers that its start has started.
    pub(crate) timers: Timers,
    /// Directories that its start watches.
    pub(crate) monitors: Monitors,
    pub(crate) claims: Mutex<Claims>,
    /// What it has said of its WebSockets.
    pub(crate) websocket: Mutex<Configuration>,
    /// Whether a listener has taken the port that the operator set for the first one.
    pub(crate) port_override_used: AtomicBool,
    progress: watch::Sender<Progress>,
    admitted: CancellationToken,
    /// Replaced, refused, or the program drains: timers end, and what was not admitted never is.
    pub(crate) over: CancellationToken,
    /// Replaced or refused: a start that still waits is dropped.
    pub(crate) replaced: CancellationToken,
}

impl Life {
    pub(crate) fn new(tenant: &Tenant, succeeds: bool) -> Self {
        let life = Self {
            succeeds,
            timers: Timers::default(),
            monitors: Monitors::default(),
            claims: Mutex::default(),
            websocket: Mutex::default(),
            port_override_used: AtomicBool::new(false),
            progress: watch::Sender::new(Progress::Starting),
            admitted: CancellationToken::new(),
            over: tenant.draining.child_token(),
            replaced: CancellationToken::new(),
        };
        if !succeeds {
            life.admit();
        }
        life
    }

    /// Runs the start of `routes` beside everything else.
    pub(crate) fn launch(routes: &Arc<Routes>) {
        let Some(start) = routes.start.clone() else {
            return;
        };
        let routes = Arc::clone(routes);
        tokio::spawn(async move {
            let life = &routes.life;
            if let Some(ended) = life.replaced.run_until_cancelled(start.start()).await {
                life.progress.send_replace(Progress::Ended(Arc::new(ended)));
            }
        });
    }

    /// Whether its start has neither ended nor begun to wait.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::Starting)
    }

    /// Its start waits for the end of the program from now on.
    pub(crate) fn keep(&self) {
        self.progress.send_replace(Progress::Keeping);
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until its start has ended, or until it waits.
    pub(crate) async fn started(&self) -> Progress {
        self.reaches(|progress| !matches!(progress, Progress::Starting))
            .await
    }

    /// Waits until its start has ended.
    pub(crate) async fn ended(&self) -> Arc<Result<Response, Failure>> {
        let reached = self
            .reaches(|progress| matches!(progress, Progress::Ended(_)))
            .await;
        match reached {
            Progress::Ended(ended) => ended,
            // Only without a sender, which lives as long as this.
            Progress::Starting | Progress::Keeping => std::future::pending().await,
        }
    }

    async fn reaches(&self, wanted: impl FnMut(&Progress) -> bool) -> Progress {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(wanted).await;
        let reached = reached.map(|progress| progress.clone());
        match reached {
            Ok(progress) => progress,
            Err(_) => std::future::pending().await,
        }
    }

    /// What it has opened may begin.
    pub(crate) fn admit(&self) {
        self.admitted.cancel();
    }

    /// Waits until what its start has opened may begin; false if it never may.
    pub(crate) async fn is_admitted(&self) -> bool {
        tokio::select! {
            biased;
            () = self.admitted.cancelled() => true,
            () = self.over.cancelled() => false,
        }
    }

    /// Whether its start runs while a predecessor handles events.
    pub(crate) fn is_succeeding(&self) -> bool {
        self.succeeds && self.is_starting()
    }

    /// Notes that `name` stood for something else before the start.
    pub(crate) fn note_name(&self, tenant: &Tenant, name: &str) {
        if self.is_succeeding() {
            let before = tenant.sockets.named(name);
            self.claims.lock().renamed.push((name.to_owned(), before));
        }
    }

    /// It is replaced, or its start has failed.
    pub(crate) fn end(&self) {
        self.over.cancel();
        self.replaced.cancel();
    }

    /// Undoes what a refused start has done to names.
    pub(crate) fn restore_names(&self, tenant: &Tenant) {
        let renamed = std::mem::take(&mut self.claims.lock().renamed);
        for (name, before) in renamed.into_iter().rev() {
            if let Some(id) = before {
                // The name is in the directory, so there is room for it.
                drop(tenant.sockets.name(&name, id));
            }
        }
    }
}
