//! Hand-written components: read, held against the contract, nested as they are.

use aro_wit::manifest::Trigger;
use indexmap::IndexMap;
use wit_component::DecodedWasm;
use wit_parser::{WorldItem, WorldKey};

use crate::emit::artifact::Nested;
use crate::emit::wit::Contract;

/// Why a component does not fit the contract.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentError {
    /// Not a component at all.
    #[error("is not a WebAssembly component: {detail}")]
    NotAComponent {
        /// What the decoder found.
        detail: String,
    },
    /// Asks for something the host does not have.
    #[error("imports {import}, which the host does not provide")]
    Import {
        /// The import.
        import: String,
    },
    /// Answers requests that nobody can send.
    #[error(
        "answers requests, and the contract has no operation of its name: name it `{name}` there, in any letter case, with or without hyphens"
    )]
    NoOperation {
        /// The component.
        name: String,
    },
    /// Offers no handler.
    #[error("exports no handler: export one of {}", handler_names())]
    NoHandler,
}

/// The triggers that a hand-written component may export.
const HANDLERS: &[Trigger] = &[
    Trigger::TcpConnected,
    Trigger::TcpData,
    Trigger::TcpFinished,
    Trigger::TcpDisconnected,
    Trigger::WebSocketConnected(None),
    Trigger::WebSocketMessage(None),
    Trigger::WebSocketDisconnected(None),
    // Which one is said by its name and the contract.
    Trigger::Operation(String::new()),
];

fn handler_names() -> String {
    HANDLERS
        .iter()
        .map(|trigger| trigger.interface())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Reads a component: what it imports and which events it handles.
pub(crate) fn read(
    name: String,
    bytes: Vec<u8>,
    contract: &Contract,
) -> Result<(Nested, Vec<Trigger>), ComponentError> {
    let decoded = wit_component::decode(&bytes).map_err(|error| ComponentError::NotAComponent {
        detail: format!("{error:#}"),
    })?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(ComponentError::NotAComponent {
            detail: "it is a WIT package".to_owned(),
        });
    };
    let world = resolve
        .worlds
        .get(world)
        .expect("the decoder answers a world of its own resolve");
    let mut imports: IndexMap<String, Vec<String>> = IndexMap::new();
    for (key, item) in &world.imports {
        let interface = resolve.name_world_key(key);
        let functions = match item {
            WorldItem::Interface { id, .. } => {
                resolve.interfaces.get(*id).map(|found| &found.functions)
            }
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        };
        let Some(functions) = functions.filter(|_| contract.has_interface(&interface)) else {
            return Err(ComponentError::Import { import: interface });
        };
        if let Some(missing) = functions
            .keys()
            .find(|function| contract.function(&interface, function).is_none())
        {
            return Err(ComponentError::Import {
                import: format!("{interface}#{missing}"),
            });
        }
        imports.insert(interface, functions.keys().cloned().collect());
    }
    let exported: Vec<String> = world
        .exports
        .keys()
        .filter(|key| matches!(key, WorldKey::Interface(_)))
        .map(|key| resolve.name_world_key(key))
        .collect();
    let triggers: Vec<Trigger> = HANDLERS
        .iter()
        .filter(|trigger| exported.iter().any(|name| name == trigger.interface()))
        .cloned()
        .collect();
    if triggers.is_empty() {
        return Err(ComponentError::NoHandler);
    }
    let exports = triggers
        .iter()
        .map(|trigger| trigger.interface().to_owned())
        .collect();
    Ok((
        Nested {
            name,
            bytes,
            imports,
            exports,
            uses_runtime: false,
        },
        triggers,
    ))
}
