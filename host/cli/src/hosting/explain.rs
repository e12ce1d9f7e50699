//! What a configuration means, for people.

use super::config::{Planned, Tenant};
use super::routes::PlannedListener;
use aro_host::{Environment, Isolation, Outbound, Ports, SharedProtocol, SlowPeer};
use std::fmt::Write;
use std::path::Path;

/// All tenants with what holds for them.
pub(super) fn explain(planned: &Planned) -> String {
    let mut text = String::new();
    let weights: u64 = weights(planned);
    for one in &planned.listeners {
        listener(&mut text, one).expect("writing to a string cannot fail");
    }
    for tenant in &planned.tenants {
        one(&mut text, tenant, weights).expect("writing to a string cannot fail");
    }
    text
}

fn listener(text: &mut String, listener: &PlannedListener) -> std::fmt::Result {
    let settings = &listener.settings;
    let (protocol, secured) = match (settings.protocol, settings.certificates.len()) {
        (SharedProtocol::Http, 0) => ("HTTP", ", not secured".to_owned()),
        (SharedProtocol::Http, 1) => ("HTTP", ", with a certificate".to_owned()),
        (SharedProtocol::Http, count) => ("HTTP", format!(", with {count} certificates")),
        (SharedProtocol::Tcp, _) => ("TCP", ", within TLS".to_owned()),
    };
    writeln!(text, "listener {}", settings.name)?;
    writeln!(
        text,
        "  listens on      {}: {protocol}{secured}; {} connections",
        settings.address, settings.connections_max
    )?;
    for route in listener.in_order() {
        let path = match settings.protocol {
            SharedProtocol::Http => route.path.to_string(),
            SharedProtocol::Tcp => String::new(),
        };
        let seen = match route.strip_prefix {
            true => format!(", which sees paths without {}", route.path),
            false => String::new(),
        };
        let from = format!("{}{path}", route.host);
        writeln!(text, "  {from:<15} leads to {}{seen}", route.tenant)?;
    }
    Ok(())
}

fn weights(planned: &Planned) -> u64 {
    let weights = planned.tenants.iter().map(|one| one.settings.weight);
    weights.map(u64::from).sum()
}

fn one(text: &mut String, tenant: &Tenant, weights: u64) -> std::fmt::Result {
    let settings = &tenant.settings;
    let limits = &settings.limits;
    writeln!(text, "tenant {}", tenant.id)?;
    writeln!(
        text,
        "  app             {}{}",
        tenant.app.display(),
        missing(&tenant.app)
    )?;
    writeln!(text, "  binds           {}", settings.bind)?;
    for (what, port) in [
        ("socket port", settings.socket_port_override),
        ("http port  ", settings.http_port_override),
    ] {
        if let Some(port) = port {
            writeln!(text, "  {what}     {port}, whatever the program says")?;
        }
    }
    writeln!(text, "  lines begin     {:?}", settings.line_prefix)?;
    writeln!(
        text,
        "  CPU             {} of {weights} parts where others want it too; {} ms an event",
        settings.weight,
        limits.cpu_time_max.as_millis()
    )?;
    writeln!(
        text,
        "  time            {} ms an event, waiting included",
        limits.wall_time_max.as_millis()
    )?;
    let isolation = match settings.isolation {
        Isolation::Event => "a fresh one for every event".to_owned(),
        Isolation::Reuse { events_max } => format!("one serves up to {events_max} events"),
    };
    writeln!(
        text,
        "  instances       {} at once, {} MiB each; {isolation}",
        limits.instances_max,
        limits.memory_bytes_max >> 20
    )?;
    let rate = limits
        .events_per_second_max
        .map_or("any number of".to_owned(), |max| max.to_string());
    writeln!(text, "  events          {rate} in a second from outside")?;
    let slow = match settings.slow_peer {
        SlowPeer::Disconnect => "disconnected",
        SlowPeer::DropNewest => "left out",
    };
    writeln!(
        text,
        "  connections     {}, {} of them its own; {} KiB queued for each, slow peers of a broadcast are {slow}",
        limits.connections_max,
        limits.outbound_max,
        limits.queue_bytes_max >> 10
    )?;
    let kept = settings.data.as_ref().map_or_else(
        || "until the process ends".to_owned(),
        |data| format!("in {}", data.display()),
    );
    writeln!(
        text,
        "  state           {} MiB, {} rows in a repository, kept {kept}",
        limits.state_bytes_max >> 20,
        limits.repository_rows_max
    )?;
    recorded(text, tenant)?;
    grants(text, tenant)
}

fn recorded(text: &mut String, tenant: &Tenant) -> std::fmt::Result {
    let Some(record) = &tenant.settings.record else {
        return Ok(());
    };
    let place = record.join(tenant.id.to_string());
    let (place, max) = (place.display(), tenant.settings.limits.record_bytes_max);
    writeln!(
        text,
        "  recorded        all events, {} MiB of them in {place}",
        max >> 20
    )
}

fn grants(text: &mut String, tenant: &Tenant) -> std::fmt::Result {
    let grants = &tenant.settings.grants;
    let list = |items: Vec<String>| match items.is_empty() {
        true => "nothing".to_owned(),
        false => items.join(", "),
    };
    let ports = match &grants.ports {
        Ports::All => "all".to_owned(),
        Ports::Some(ranges) => list(
            ranges
                .iter()
                .map(|range| match range.start() == range.end() {
                    true => range.start().to_string(),
                    false => format!("{}-{}", range.start(), range.end()),
                })
                .collect(),
        ),
    };
    let connect = match &grants.outbound {
        Outbound::All => "all".to_owned(),
        Outbound::Some(targets) => list(targets.iter().map(ToString::to_string).collect()),
    };
    let env = match &grants.environment {
        Environment::All => "all".to_owned(),
        Environment::Named(names) => list(names.iter().cloned().collect()),
    };
    let directories = grants.directories.iter();
    let directories = list(
        directories
            .map(|path| format!("{}{}", path.display(), missing(path)))
            .collect(),
    );
    writeln!(text, "  may listen on   {ports}")?;
    writeln!(text, "  may connect to  {connect}")?;
    writeln!(text, "  may read env    {env}")?;
    writeln!(text, "  may use files   {directories}")
}

fn missing(path: &Path) -> &'static str {
    match path.exists() {
        true => "",
        false => " (does not exist)",
    }
}
