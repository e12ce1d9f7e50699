//! "Did you mean": the name that is spelled most like another.

/// Most misspelt names of one feature set that get a suggestion: each is compared with every name.
pub(crate) const SUGGESTIONS_MAX: usize = 20;

/// Longest name that is compared; longer ones are not suggested.
const NAME_LENGTH_MAX: usize = 64;

/// The candidate with the smallest edit distance to `name`, if at most a third of its letters differ; the first of equals. Names of one or two letters have none.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = name.chars().take(NAME_LENGTH_MAX).collect();
    let limit = letters.len() / 3;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let length = candidate.chars().count();
        if candidate == name || length.abs_diff(letters.len()) > limit || length > NAME_LENGTH_MAX {
            continue;
        }
        let distance = distance(&letters, candidate);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: inserting, deleting, replacing a letter or swapping two neighbours costs one.
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&previous, column) + usize::from(letter != other);
            let mut least = replaced
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = row > 0
                && column > 0
                && from.get(row - 1) == Some(other)
                && to.get(column - 1) == Some(letter);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn nearest_forgives_one_letter_in_three() {
        let verbs = ["extract", "retrieve", "return"];
        assert_eq!(nearest("extarct", verbs.into_iter()), Some("extract"));
        assert_eq!(nearest("retrive", verbs.into_iter()), Some("retrieve"));
        assert_eq!(nearest("frobnicate", verbs.into_iter()), None);
    }
}
