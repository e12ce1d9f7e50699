//! The `Link` header of RFC 8288.

use alloc::vec::Vec;

use crate::value::Value;

/// The map from relation to target. Entries without relation are dropped; of equal relations the last wins.
pub fn read(text: &'static str) -> Value {
    let mut links = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, parameters)) = after.split_once('>') else {
            break;
        };
        let end = entry_end(parameters);
        let (own, following) = parameters.split_at_checked(end).unwrap_or((parameters, ""));
        if let Some(relation) = relation(own) {
            links.push((relation, Value::Text(target.trim_ascii())));
        }
        rest = following;
    }
    Value::map(links)
}

/// Where the parameters of an entry end: at a comma outside of quotes.
fn entry_end(parameters: &str) -> usize {
    let mut quoted = false;
    parameters
        .bytes()
        .position(|byte| {
            quoted ^= byte == b'"';
            byte == b',' && !quoted
        })
        .unwrap_or(parameters.len())
}

fn relation(parameters: &'static str) -> Option<&'static str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim_ascii()
            .eq_ignore_ascii_case("rel")
            .then(|| value.trim_ascii().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_name_targets() {
        let links =
            read("</i?page=2,3>; rel=\"next\"; title=\"a, b\", </x>; foo=1,</i?page=9>;REL=last");
        assert_eq!(
            links,
            Value::map(alloc::vec![
                ("last", Value::Text("/i?page=9")),
                ("next", Value::Text("/i?page=2,3")),
            ])
        );
        assert_eq!(read("nothing <here"), Value::map(Vec::new()));
    }
}
