//! The HTTP examples, asked as their readers would.

use aro_host::{ContractChecks, Settings};
use harness::{Server, directory, http};

async fn example(path: &str) -> Server {
    Server::start_with(directory(path), |settings: &mut Settings| {
        settings.http_port_override = Some(0);
        settings.contract = ContractChecks::Strict;
    })
    .await
}

/// Status line and headers, and the body.
async fn ask(server: &Server, line: &str, body: &str) -> (String, String) {
    let json = "Content-Type: application/json\r\n";
    let answer = http::ask(server.http_address(), line, json, body).await;
    let (_, head, body) = http::parts(&answer);
    (head.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn hello_greets() {
    let server = example("examples/hello-api").await;
    let (head, body) = ask(&server, "GET /hello/Ida", "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(body, r#"{"greeting":"Hello, Ida!"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_are_accepted_moved_and_followed() {
    let server = example("examples/parcels-api").await;
    let order = r#"{"to":{"name":"Ida","city":"Oslo"},"grams":500}"#;
    let (head, body) = ask(&server, "POST /parcels", order).await;
    assert!(head.starts_with("HTTP/1.1 201 Created"), "{head}");
    let place = head
        .lines()
        .find_map(|line| line.strip_prefix("location: "))
        .unwrap();
    let id = place.strip_prefix("/parcels/").unwrap();
    let parcel = |at: &str| {
        format!(r#"{{"grams":500,"id":"{id}","place":"{at}","to":{{"city":"Oslo","name":"Ida"}}}}"#)
    };
    assert_eq!(body, parcel("desk"));
    assert!(!head.contains("violation"), "{head}");
    server
        .output("[Follow] created: the parcel for Ida is at desk\n")
        .await;
    let (head, body) = ask(&server, &format!("PUT {place}"), r#"{"place":"van"}"#).await;
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(body, parcel("van"));
    server
        .output("[Follow] updated: the parcel for Ida is at van\n")
        .await;
    let (head, body) = ask(&server, &format!("GET {place}"), "").await;
    assert!(head.contains("cache-control: no-store"), "{head}");
    assert_eq!(body, parcel("van"));
    let (head, _) = ask(&server, "GET /parcels/none", "").await;
    assert!(head.starts_with("HTTP/1.1 404 Not Found"), "{head}");
    let (head, body) = ask(&server, "POST /parcels", &order.replace("500", "0")).await;
    assert!(head.starts_with("HTTP/1.1 400 Bad Request"), "{head}");
    assert!(body.contains(r#""path":"/grams""#), "{body}");
}
