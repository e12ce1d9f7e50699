//! The reference page of the limits is what the table of limits says.

use aro_host::Limits;
use std::fmt::Write as _;
use std::path::Path;

fn page() -> String {
    let mut page = String::from(
        "# Limits\n\nGenerated from `host/src/config/limits.rs`. A limit holds for one tenant. `limits = { KEY = NUMBER }` sets it in a configuration, under `[defaults]` or `[tenants.NAME]`; `--limit KEY=NUMBER` on the command line. The unit is at the end of the key, where not things are counted. Errors and `aro_host_limit_hits_total` call a limit by its name.\n\n| key | default | name | what it bounds |\n|---|---:|---|---|\n",
    );
    for limit in Limits::KEYS {
        let (key, default, name) = (limit.key, limit.default, limit.name);
        // The key has another unit than the field.
        let about = limit.about.trim().replace(", in bytes", "");
        writeln!(page, "| `{key}` | {default} | `{name}` | {about} |").unwrap();
    }
    page
}

/// With `UPDATE_PAGES` in the environment it writes the page.
#[test]
fn the_page_of_limits_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/limits.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/reference/limits.md is stale: run the tests of `host` with UPDATE_PAGES=1"
    );
}
