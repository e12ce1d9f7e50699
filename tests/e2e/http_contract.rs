//! Requests and responses against their contract: what is refused, what is marked, and that nothing is by default.

use aro_host::{ContractChecks, Settings};
use harness::{Server, http};

const CONTRACT: &str = r"
openapi: 3.0.3
info: { title: Orders, version: '1' }
paths:
  /orders:
    get:
      operationId: listOrders
      parameters:
        - { name: limit, in: query, required: true, schema: { type: integer, minimum: 1 } }
        - { name: X-Client, in: header, schema: { type: string, pattern: '^[a-z]+$' } }
      responses: { '200': { description: all } }
    post:
      operationId: placeOrder
      security: [ { key: [] }, { token: [] } ]
      requestBody:
        required: true
        content:
          application/json:
            schema: { $ref: '#/components/schemas/Order' }
          text/*: {}
      responses:
        '201':
          description: placed
          content:
            application/json:
              schema: { $ref: '#/components/schemas/Placed' }
components:
  securitySchemes:
    key: { type: apiKey, in: header, name: X-Key }
    token: { type: http, scheme: bearer }
  schemas:
    Order:
      type: object
      required: [items]
      properties:
        note: { type: string, nullable: true }
        items:
          type: array
          items:
            type: object
            required: [count]
            properties:
              count: { type: integer, minimum: 0, exclusiveMinimum: true }
    Placed:
      type: object
      required: [id]
      properties:
        id: { type: string }
";

const PROGRAM: &str = r#"
(Application-Start: Orders) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(listOrders: Orders) {
    Return an <OK: status> with { limit: <queryParameters: limit> }.
}
(placeOrder: Orders) {
    Extract the <note> from the <request: body.note>.
    Return a <Created: status> with { id: "o1" } when <note> is "good".
    Return a <Created: status> with { number: 5 }.
}
"#;

async fn orders(contract: ContractChecks) -> Server {
    let program = harness::service(PROGRAM, CONTRACT);
    Server::start_with(program, |settings: &mut Settings| {
        settings.http_port_override = Some(0);
        settings.contract = contract;
    })
    .await
}

/// Status, head and body of the answer.
async fn ask(server: &Server, line: &str, headers: &str, body: &str) -> (u16, String, String) {
    let answer = http::ask(server.http_address(), line, headers, body).await;
    let (status, head, body) = http::parts(&answer);
    (status, head.to_owned(), body.to_owned())
}

const JSON: &str = "Content-Type: application/json\r\nX-Key: k\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_as_demanded_are_refused() {
    let server = orders(ContractChecks::Strict).await;
    let bad = |message: &str, path: &str| {
        format!(r#"{{"error":"Bad Request","message":"{message}","path":"{path}"}}"#)
    };
    let cases = [
        ("GET /orders", "", "", 400, bad("Required query parameter 'limit' is missing", "")),
        ("GET /orders?limit=0", "", "", 400, bad("query parameter 'limit': 0 is less than the minimum of 1", "")),
        ("GET /orders?limit=x", "", "", 400, bad("query parameter 'limit': \\\"x\\\" is not of type \\\"integer\\\"", "")),
        ("GET /orders?limit=5", "X-Client: A1\r\n", "", 400, bad("header parameter 'X-Client': \\\"A1\\\" does not match \\\"^[a-z]+$\\\"", "")),
        ("GET /orders?limit=5", "X-Client: a\r\n", "", 200, r#"{"limit":"5"}"#.to_owned()),
        ("POST /orders", "Content-Type: application/json\r\n", "{}", 401, r#"{"error":"Unauthorized","message":"Authentication required"}"#.to_owned()),
        ("POST /orders", "Authorization: Basic x\r\n", "{}", 401, r#"{"error":"Unauthorized","message":"Authentication required"}"#.to_owned()),
        ("POST /orders", "X-Key: k\r\n", "", 400, bad("Request body is required", "")),
        ("POST /orders", "X-Key: k\r\nContent-Type: image/png\r\n", "x", 415, r#"{"error":"Unsupported Media Type","message":"Content-Type 'image/png' is not supported. Supported types: application/json, text/*"}"#.to_owned()),
        ("POST /orders", JSON, "{}", 400, bad("\\\"items\\\" is a required property", "")),
        (
            "POST /orders",
            JSON,
            r#"{"items":[{"count":1},{"count":0}]}"#,
            400,
            bad("0 is less than or equal to the minimum of 0 at /items/1/count", "/items/1/count"),
        ),
        ("POST /orders", JSON, r#"{"items":[],"note":5}"#, 400, String::new()),
        ("POST /orders", "Authorization: Bearer t\r\nContent-Type: application/json\r\n", r#"{"items":[{"count":1}],"note":"good"}"#, 201, r#"{"id":"o1"}"#.to_owned()),
        ("POST /orders", JSON, r#"{"items":[],"note":null}"#, 201, r#"{"number":5}"#.to_owned()),
    ];
    for (line, headers, body, status, expected) in cases {
        let (found, _, answer) = ask(&server, line, headers, body).await;
        assert_eq!(found, status, "{line} {body}: {answer}");
        assert!(
            expected.is_empty() || answer == expected,
            "{answer} is not {expected}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_are_not_as_promised_are_marked() {
    let server = orders(ContractChecks::Responses).await;
    let good = r#"{"note":"good"}"#;
    let (status, head, _) = ask(&server, "POST /orders", JSON, good).await;
    assert_eq!(status, 201);
    assert!(!head.contains("violation"), "{head}");
    let (status, head, body) = ask(&server, "POST /orders", JSON, r#"{"note":"x"}"#).await;
    assert_eq!((status, body.as_str()), (201, r#"{"number":5}"#));
    assert!(head.contains("x-contract-violation: true"), "{head}");
    server
        .output("[CONTRACT VIOLATION] Response for operation 'placeOrder' (status 201) does not match schema: \"id\" is a required property\n")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_looked_at_by_default() {
    let server = orders(ContractChecks::None).await;
    let (status, head, _) = ask(&server, "POST /orders", "", r#"{"note":"x"}"#).await;
    assert_eq!(status, 201);
    assert!(!head.contains("violation"), "{head}");
    assert_eq!(ask(&server, "GET /orders", "", "").await.0, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sent_is_as_the_contract_says() {
    let contract = r"
openapi: 3.1.0
info: { title: T, version: '1' }
paths:
  /list:
    get:
      operationId: list
      deprecated: true
      parameters:
        - { name: limit, in: query, schema: { type: integer, default: 20 } }
        - { name: sort by, in: query, schema: { type: string, default: 'name & age' } }
        - { name: filter, in: query, schema: { type: string } }
        - { name: all, in: query, allowEmptyValue: true, schema: { type: string } }
      responses: { '200': { description: list } }
";
    let text = r#"
(Application-Start: Lists) {
    Start the <http-server> with <contract>.
    Return an <OK: status> for the <startup>.
}
(list: Lists) {
    Return an <OK: status> with <queryParameters>.
}
"#;
    for (contract_checks, expected) in [
        (
            ContractChecks::Strict,
            r#"{"all":"","limit":"20","sort by":"name & age","x":""}"#,
        ),
        (ContractChecks::None, r#"{"all":"","filter":"","x":""}"#),
    ] {
        let program = harness::service(text, contract);
        let server = Server::start_with(program, |settings| {
            settings.http_port_override = Some(0);
            settings.contract = contract_checks;
        })
        .await;
        let target = "GET /list?filter=&all=&x";
        let answer = http::ask(server.http_address(), target, "", "").await;
        assert!(answer.ends_with(expected), "{answer}");
        let is_strict = contract_checks == ContractChecks::Strict;
        assert_eq!(
            answer.contains("deprecation: true\r\n"),
            is_strict,
            "{answer}"
        );
    }
}
