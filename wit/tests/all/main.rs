//! The contract as a whole: every package resolves, and what it says is under review when it changes.
#![expect(clippy::expect_used, reason = "helpers of tests state what must hold")]

use aro_wit::manifest::Trigger;
use aro_wit::{PACKAGES, interface};
use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve};

/// All packages in the order of [`PACKAGES`], each of which must come after what it depends on.
fn resolve() -> (Resolve, Vec<PackageId>) {
    let mut resolve = Resolve::default();
    let ids = PACKAGES
        .iter()
        .map(|(file, text)| resolve.push_str(file, text).expect("the package resolves"))
        .collect();
    (resolve, ids)
}

/// Every interface as `package/interface@version`.
fn interfaces() -> Vec<String> {
    let (resolve, _) = resolve();
    let ids = resolve.interfaces.iter().map(|(id, _)| id);
    ids.filter_map(|id| resolve.id_of(id)).collect()
}

#[test]
fn resolved_text_of_each_package_is_as_reviewed() {
    let (resolve, ids) = resolve();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (id, (file, _)) in ids.iter().zip(PACKAGES) {
            let mut printer = WitPrinter::default();
            printer
                .print(&resolve, *id, &[])
                .expect("a resolved package prints");
            insta::assert_snapshot!(file.trim_end_matches(".wit"), printer.output.to_string());
        }
    });
}

#[test]
fn named_interfaces_are_those_of_the_packages() {
    let mut named = [
        interface::START,
        interface::END,
        interface::TEST,
        interface::PARAMETERS,
        interface::ENVIRONMENT,
        interface::METRICS,
        interface::TCP_CONNECTED,
        interface::TCP_DATA,
        interface::TCP_FINISHED,
        interface::TCP_DISCONNECTED,
        interface::WEBSOCKET_CONNECTED,
        interface::WEBSOCKET_MESSAGE,
        interface::WEBSOCKET_DISCONNECTED,
        interface::WEBSOCKETS,
        interface::LISTENERS,
        interface::OUTBOUND,
        interface::CONNECTIONS,
        interface::CHANNELS,
        interface::DIRECTORY,
        interface::EVENT_HANDLER,
        interface::EVENT_BUS,
        interface::EVENT_TIMERS,
        interface::LIFETIME,
        interface::HTTP_HANDLER,
        interface::HTTP_SERVER,
        interface::HTTP_CLIENT,
        interface::EVENT_STREAMS,
        interface::CONSOLE,
        interface::INPUT,
        interface::SLEEP,
        interface::FILES_MONITORING,
        interface::FILES_READING,
        interface::FILES_SERVING,
        interface::FILES_WRITING,
        interface::PUBLISHED,
        interface::REPOSITORIES,
        interface::TRACE,
        interface::WALL_CLOCK,
        interface::RANDOM,
    ];
    named.sort_unstable();
    let mut known = interfaces();
    known.sort_unstable();
    assert_eq!(known, named);
}

#[test]
fn every_trigger_names_an_interface_with_one_function() {
    let (resolve, _) = resolve();
    for trigger in [
        Trigger::Start,
        Trigger::EndSuccess,
        Trigger::EndError,
        Trigger::TcpConnected,
        Trigger::TcpData,
        Trigger::TcpFinished,
        Trigger::TcpDisconnected,
        Trigger::WebSocketConnected(None),
        Trigger::WebSocketMessage(None),
        Trigger::WebSocketBinary(None),
        Trigger::WebSocketDisconnected(None),
        Trigger::Event("OrderPlaced".to_owned()),
    ] {
        let mut all = resolve.interfaces.iter();
        let found = all.find(|(id, _)| resolve.id_of(*id).as_deref() == Some(trigger.interface()));
        let (_, interface) = found.expect("the interface exists");
        assert_eq!(interface.functions.len(), 1, "{trigger:?}");
    }
}
