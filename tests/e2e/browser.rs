//! Pages of the examples in a real browser.

use harness::{Browser, Page, Serving, aro_host};
use std::path::PathBuf;
use tokio::process::Command;

/// Where screenshots are kept for whoever wants to look at them.
fn artefact(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

async fn post(browser: &mut Browser, page: &Page, text: &str) {
    browser.type_into(page, "#text", text).await;
    browser
        .evaluate(page, "document.querySelector('form button').click()")
        .await;
}

fn shows(text: &str) -> String {
    format!("[...document.querySelectorAll('.what')].some((what) => what.textContent === '{text}')")
}

const IS_LIVE: &str = "document.querySelector('#link').textContent.startsWith('live')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_board_shows_everybody_what_one_posts_and_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let serve = |port: u16| -> Command {
        let data = data.path().to_str().unwrap();
        let mut command = aro_host(&["serve", "--bind", "127.0.0.1", "--data", data]);
        command.arg("examples/status-board");
        command.env("ARO_HTTP_PORT", port.to_string());
        command
    };
    let server = Serving::start_with(serve(0)).await;
    let address = server.address;
    let mut browser = Browser::start().await;
    let url = format!("http://{address}/");
    let wide = browser.open(&url, 1000, 700).await;
    let phone = browser.open(&url, 390, 700).await;
    for page in [&wide, &phone] {
        browser.until(page, IS_LIVE).await;
    }
    let two = "document.querySelector('#link').textContent === 'live · 2 looking'";
    browser.until(&wide, two).await;
    browser.type_into(&wide, "#author", "Ada").await;
    post(&mut browser, &wide, "Reviewing the deploy plan").await;
    for page in [&wide, &phone] {
        browser
            .until(page, &shows("Reviewing the deploy plan"))
            .await;
    }
    browser.type_into(&phone, "#author", "Linus").await;
    post(&mut browser, &phone, "<b>On the train</b>, back at two").await;
    browser
        .until(&wide, &shows("<b>On the train</b>, back at two"))
        .await;

    server.signal("TERM");
    let (status, _, error) = server.end().await;
    assert!(status.success(), "{error}");
    for page in [&wide, &phone] {
        browser.until(page, &format!("!({IS_LIVE})")).await;
    }
    let server = Serving::start_with(serve(address.port())).await;
    assert_eq!(server.address, address);
    browser.until(&wide, two).await;
    browser.until(&phone, IS_LIVE).await;
    post(&mut browser, &wide, "Back after a restart").await;
    for page in [&wide, &phone] {
        browser.until(page, &shows("Back after a restart")).await;
        let count = "document.querySelectorAll('li').length";
        assert_eq!(browser.evaluate(page, count).await, 3);
    }
    // Nothing is cut off at the side of a phone.
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.evaluate(&phone, fits).await, true);
    for (page, name) in [(&wide, "wide"), (&phone, "phone")] {
        let file = artefact(&format!("status-board-{name}.png"));
        browser.screenshot(page, &file).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ticker_is_read_while_it_is_written_and_survives_a_restart() {
    let serve = |port: u16| -> Command {
        let mut command = aro_host(&["serve", "--bind", "127.0.0.1", "examples/live-ticker"]);
        command.env("ARO_HTTP_PORT", port.to_string());
        command
    };
    let server = Serving::start_with(serve(0)).await;
    let address = server.address;
    let mut browser = Browser::start().await;
    let page = browser.open(&format!("http://{address}/"), 700, 500).await;
    let live = "document.querySelector('#link').textContent === 'live'";
    browser.until(&page, live).await;
    // An event of another name, which comes in without a reload.
    let readers =
        |text: &str| format!("document.querySelector('#readers').textContent === '{text}'");
    browser.until(&page, &readers("you alone")).await;
    let other = browser.open(&format!("http://{address}/"), 390, 500).await;
    for page in [&page, &other] {
        browser.until(page, &readers("2 readers")).await;
    }
    let write = "document.querySelector('form button').click()";
    let first = "document.querySelector('li')?.textContent.endsWith";
    browser.type_into(&page, "#text", "Kick-off").await;
    browser.evaluate(&page, write).await;
    for page in [&page, &other] {
        browser.until(page, &format!("{first}('Kick-off')")).await;
    }
    browser
        .screenshot(&page, &artefact("live-ticker.png"))
        .await;
    server.signal("TERM");
    let (status, _, error) = server.end().await;
    assert!(status.success(), "{error}");
    browser.until(&page, &format!("!({live})")).await;
    let _server = Serving::start_with(serve(address.port())).await;
    browser.until(&page, live).await;
    browser.type_into(&page, "#text", "Second half").await;
    browser.evaluate(&page, write).await;
    browser
        .until(&page, &format!("{first}('Second half')"))
        .await;
}
