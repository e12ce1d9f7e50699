//! Comments and blank lines between two tokens.

use crate::syntax::lexer::lex;

/// One comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    /// As written, without white space around it.
    pub(super) text: String,
    /// Line feeds between it and what stands before it.
    pub(super) newlines: usize,
    /// `// …`, so that nothing can stand behind it.
    pub(super) line: bool,
}

/// What stands between two tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gap {
    /// In order.
    pub(super) comments: Vec<Comment>,
    /// Line feeds between the last of them and the next token.
    pub(super) newlines: usize,
}

/// Reads white space and comments; stops at anything else.
pub(super) fn gap(text: &str) -> Gap {
    let mut gap = Gap::default();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        let space = rest.get(..rest.len() - trimmed.len()).unwrap_or("");
        gap.newlines += space.matches('\n').count();
        let line = trimmed.starts_with("//");
        let length = if line {
            trimmed.find('\n').unwrap_or(trimmed.len())
        } else if trimmed.starts_with("(*") {
            let close = trimmed.get(2..).and_then(|inner| inner.find("*)"));
            close.map_or(trimmed.len(), |close| close + 4)
        } else {
            return gap;
        };
        let (comment, after) = trimmed.split_at_checked(length).unwrap_or((trimmed, ""));
        let newlines = std::mem::take(&mut gap.newlines);
        gap.comments.push(Comment {
            text: lines(comment.trim_end()),
            newlines,
            line,
        });
        rest = after;
    }
}

/// White space at the ends of lines goes.
fn lines(comment: &str) -> String {
    let lines: Vec<&str> = comment.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}

/// The comments of a whole file, in order.
pub(super) fn all(source: &str) -> Vec<String> {
    let mut comments = Vec::new();
    let mut end = 0;
    for token in lex(0, source, 0..source.len()).tokens {
        let between = source.get(end..token.span.start as usize).unwrap_or("");
        comments.extend(gap(between).comments.into_iter().map(|one| one.text));
        end = token.span.end as usize;
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::gap;

    #[test]
    fn a_gap_holds_comments_and_counts_lines() {
        let found = gap(" (* a *)\n\n  // b  \n (* c\n  d *) ");
        let texts: Vec<_> = found
            .comments
            .iter()
            .map(|one| (one.text.as_str(), one.newlines, one.line))
            .collect();
        assert_eq!(
            texts,
            [
                ("(* a *)", 0, false),
                ("// b", 2, true),
                ("(* c\n  d *)", 1, false)
            ]
        );
        assert_eq!(found.newlines, 0);
    }
}
