//! The generated bindings: imports once, exports one world for each event, so that a component exports only what it handles.
#![allow(missing_docs, clippy::all, reason = "generated code")]

pub mod imports {
    wit_bindgen::generate!({ path: ["../wit/log", "../wit/net", "../wit/http", "world"], world: "aro:guest/imports", generate_all });
}

pub mod connected {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/connected",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_connected",
    });
}

pub mod data {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/data",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_data",
    });
}

pub mod finished {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/finished",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_finished",
    });
}

pub mod disconnected {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/disconnected",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_disconnected",
    });
}

pub mod websocket_connected {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/websocket-connected",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_websocket_connected",
    });
}

pub mod websocket_message {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/websocket-message",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_websocket_message",
    });
}

pub mod websocket_disconnected {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/websocket-disconnected",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_websocket_disconnected",
    });
}

pub mod http {
    wit_bindgen::generate!({
        path: ["../wit/log", "../wit/net", "../wit/http", "world"],
        world: "aro:guest/http",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_http",
    });
}
