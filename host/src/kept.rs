//! Work that goes on in a task of its own when whoever waits for it leaves.

use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Such work. A peer that leaves must not cut a handler in half.
pub(crate) struct Kept<F: Future<Output: Send> + Send + 'static> {
    /// There until it is done.
    work: Option<Pin<Box<F>>>,
    tasks: TaskTracker,
}

impl<F: Future<Output: Send> + Send + 'static> Kept<F> {
    /// Left alone, it is one of these tasks.
    pub(crate) fn new(tasks: &TaskTracker, work: F) -> Self {
        Self {
            work: Some(Box::pin(work)),
            tasks: tasks.clone(),
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Kept<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let own = self.get_mut();
        let Some(work) = &mut own.work else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            own.work = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Kept<F> {
    fn drop(&mut self) {
        // Without a runtime nothing goes on.
        if let Some(work) = self.work.take()
            && Handle::try_current().is_ok()
        {
            self.tasks.spawn(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn who_leaves_cuts_nothing() {
        let tasks = TaskTracker::new();
        let (go, gone) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let work = async move {
            gone.await.unwrap();
            done.send("done").unwrap();
        };
        let mut kept = Kept::new(&tasks, work);
        assert!(futures_util::poll!(&mut kept).is_pending());
        drop(kept);
        go.send(()).unwrap();
        assert_eq!(is_done.await, Ok("done"));
        tasks.close();
        tasks.wait().await;
    }
}
