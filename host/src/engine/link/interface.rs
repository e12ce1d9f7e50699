//! The one place where host functions are linked: as they are, with a recording of what passes, or replaced by what was recorded.
//!
//! Which of these is known when a program is loaded. For one that is not recorded it costs a comparison with what the closure holds, and nothing is looked up.

use super::Pending;
use crate::engine::state::{GuestState, Refused};
use crate::engine::tape::{Kept, Told};
use crate::engine::trap;
use crate::record::pen::Pen;
use crate::record::recording::Answer;
use std::sync::Arc;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};
use wasmtime::{AsContextMut, Result, StoreContextMut};

/// How functions are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linking {
    /// As they are.
    Plain,
    /// As they are, and what passes is recorded.
    Recorded,
    /// Not at all: what was recorded answers.
    Replayed,
}

/// An interface whose functions are being linked.
pub(super) struct Interface<'a> {
    inner: LinkerInstance<'a, GuestState>,
    name: &'a str,
    linking: Linking,
}

impl<'a> Interface<'a> {
    pub(super) fn new(
        inner: LinkerInstance<'a, GuestState>,
        name: &'a str,
        linking: Linking,
    ) -> Self {
        Self {
            inner,
            name,
            linking,
        }
    }

    /// Links a function that never waits.
    pub(super) fn func_wrap<F, P, R>(&mut self, function: &str, call: F) -> Result<()>
    where
        F: Fn(StoreContextMut<'_, GuestState>, P) -> Result<R> + Send + Sync + 'static,
        P: ComponentNamedList + Lift + Told + 'static,
        R: ComponentNamedList + Lower + Kept + 'static,
    {
        let (linking, name) = (self.linking, self.called(function));
        self.inner.func_wrap(
            function,
            move |mut store: StoreContextMut<'_, GuestState>, params: P| match linking {
                Linking::Plain => call(store, params),
                Linking::Replayed => again(&mut store, &name, &params),
                Linking::Recorded => {
                    asked(&mut store, &name, &params)?;
                    let answer = call(store.as_context_mut(), params);
                    answered(&mut store, &answer);
                    answer
                }
            },
        )
    }

    /// Links a function that may wait.
    pub(super) fn func_wrap_async<F, P, R>(&mut self, function: &str, call: F) -> Result<()>
    where
        F: for<'s> Fn(StoreContextMut<'s, GuestState>, P) -> Pending<'s, R> + Send + Sync + 'static,
        P: ComponentNamedList + Lift + Told + Send + 'static,
        R: ComponentNamedList + Lower + Kept + Send + 'static,
    {
        let (linking, name, call) = (self.linking, self.called(function), Arc::new(call));
        self.inner.func_wrap_async(
            function,
            move |mut store: StoreContextMut<'_, GuestState>, params: P| match linking {
                Linking::Plain => call(store, params),
                Linking::Replayed => {
                    let answer = again(&mut store, &name, &params);
                    Box::new(std::future::ready(answer))
                }
                Linking::Recorded => {
                    let (name, call) = (Arc::clone(&name), Arc::clone(&call));
                    Box::new(async move {
                        asked(&mut store, &name, &params)?;
                        let running = call(store.as_context_mut(), params);
                        let answer = Box::into_pin(running).await;
                        answered(&mut store, &answer);
                        answer
                    })
                }
            },
        )
    }

    /// Links a function that is not part of what is recorded.
    pub(super) fn unrecorded<F, P>(&mut self, function: &str, call: F) -> Result<()>
    where
        F: Fn(StoreContextMut<'_, GuestState>, P) -> Result<()> + Send + Sync + 'static,
        P: ComponentNamedList + Lift + 'static,
    {
        self.inner.func_wrap(function, call)
    }

    fn called(&self, function: &str) -> Arc<str> {
        format!("{}.{function}", self.name).into()
    }
}

/// What was answered when the same was asked.
fn again<P: Told, R: Kept>(
    store: &mut StoreContextMut<'_, GuestState>,
    name: &str,
    params: &P,
) -> Result<R> {
    let arguments = told(store, params)?;
    let statement = trap::statement_now(&*store);
    store
        .data_mut()
        .replay()?
        .answer::<R>(name, arguments, statement)
}

fn told<P: Told>(store: &StoreContextMut<'_, GuestState>, params: &P) -> Result<Vec<u8>> {
    let mut arguments = Pen::default();
    params.tell(store, &mut arguments)?;
    Ok(arguments.into_bytes())
}

fn asked<P: Told>(
    store: &mut StoreContextMut<'_, GuestState>,
    name: &str,
    params: &P,
) -> Result<()> {
    if store.data_mut().recording().is_none() {
        return Ok(());
    }
    let arguments = told(store, params)?;
    if let Some(recording) = store.data_mut().recording() {
        recording.asked(name, &arguments);
    }
    Ok(())
}

fn answered<R: Kept>(store: &mut StoreContextMut<'_, GuestState>, answer: &Result<R>) {
    let Some(recording) = store.data_mut().recording() else {
        return;
    };
    match answer {
        Ok(answer) => {
            let mut value = Pen::default();
            answer.keep(&mut value);
            recording.answered(Answer::Value(value.as_slice()));
        }
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) => recording.answered(Answer::Refused(&refused.to_string())),
            None => recording.answered(Answer::Trap(&error.to_string())),
        },
    }
}
