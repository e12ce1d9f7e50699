//! Patterns for names: `*` is any run of characters, `?` any one; letter case does not matter.

/// Whether the whole name matches. Linear in the product of the lengths.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().flat_map(char::to_lowercase).collect();
    let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
    let (mut at_pattern, mut at_name) = (0, 0);
    // Where to go on when the run of the last star must grow by one.
    let mut retry: Option<(usize, usize)> = None;
    while at_name < name.len() {
        match pattern.get(at_pattern) {
            Some('*') => {
                retry = Some((at_pattern + 1, at_name));
                at_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || name.get(at_name) == Some(wanted) => {
                at_pattern += 1;
                at_name += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (at_pattern, at_name) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at_pattern..)
        .is_some_and(|rest| rest.iter().all(|char| *char == '*'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("*.txt", "a.TXT", true),
            ("*.txt", "a.txt.bak", false),
            ("a*", "Apple", true),
            ("?b?", "abc", true),
            ("?", "", false),
            ("*", "", true),
            ("*a*b*", "xxaxxb", true),
            ("a**c", "ac", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
