//! `aro-host top`: what a running host does, in the terminal, a line for each tenant.

mod draw;
mod model;

use crate::admin::client::{Session, Target};
use crate::{Failure, event_loop};
use anyhow::{Context, anyhow};
use aro_host::Outcome;
use model::View;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::time::{Duration, Instant};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a key asks for.
enum Wish {
    Leave,
    Up,
    Down,
    Detail,
    Sort,
    Pause,
}

/// Shows a running host until somebody leaves.
pub(crate) fn run(target: &Target) -> Result<Outcome, Failure> {
    let token = target.token().map_err(Failure::Environment)?;
    let runtime = event_loop()?;
    let session = Session::new(target.admin, token);
    let mut view = View::default();
    // Before the terminal is taken: whoever has mistyped the address sees the reason.
    runtime
        .block_on(look(&session, &mut view))
        .map_err(Failure::Environment)?;
    let mut terminal = ratatui::try_init()
        .context("this is no terminal")
        .map_err(Failure::Environment)?;
    let shown = runtime.block_on(async {
        let mut due = Instant::now() + INTERVAL;
        loop {
            terminal.draw(|frame| draw::draw(frame, &mut view))?;
            if let Some(wish) = wish(due.saturating_duration_since(Instant::now()))? {
                match wish {
                    Wish::Leave => return Ok(()),
                    Wish::Up => view.step(-1),
                    Wish::Down => view.step(1),
                    Wish::Sort => view.sort_by_next(),
                    Wish::Pause => view.paused = !view.paused,
                    Wish::Detail => {
                        view.toggle_detail();
                        look_closer(&session, &mut view).await;
                    }
                }
            }
            if Instant::now() >= due {
                due = Instant::now() + INTERVAL;
                if !view.paused {
                    view.trouble = match look(&session, &mut view).await {
                        Ok(()) => None,
                        Err(error) => Some(format!("{error:#}")),
                    };
                }
            }
        }
    });
    ratatui::restore();
    shown
        .map(|()| Outcome::Success)
        .map_err(Failure::Environment)
}

async fn look(session: &Session, view: &mut View) -> anyhow::Result<()> {
    let whole = session.status("/status").await?;
    view.take(whole.ok_or_else(|| anyhow!("the host answers something else than its status"))?);
    look_closer(session, view).await;
    Ok(())
}

/// What belongs to the chosen tenant; a failure shows with the next look.
async fn look_closer(session: &Session, view: &mut View) {
    let Some(name) = view.detailed() else {
        return;
    };
    if let Ok(detail) = session.status(&format!("/status/{name}")).await {
        view.detail = detail;
    }
}

/// The next wish within a time.
fn wish(time: Duration) -> anyhow::Result<Option<Wish>> {
    if !event::poll(time)? {
        return Ok(None);
    }
    let Event::Key(key) = event::read()? else {
        return Ok(None);
    };
    if key.kind == KeyEventKind::Release {
        return Ok(None);
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return Ok((key.code == KeyCode::Char('c')).then_some(Wish::Leave));
    }
    let wishes = [
        (KeyCode::Char('q'), Wish::Leave),
        (KeyCode::Esc, Wish::Leave),
        (KeyCode::Up, Wish::Up),
        (KeyCode::Char('k'), Wish::Up),
        (KeyCode::Down, Wish::Down),
        (KeyCode::Char('j'), Wish::Down),
        (KeyCode::Enter, Wish::Detail),
        (KeyCode::Char('s'), Wish::Sort),
        (KeyCode::Char('p'), Wish::Pause),
    ];
    let found = wishes.into_iter().find(|(code, _)| *code == key.code);
    Ok(found.map(|(_, wish)| wish))
}
