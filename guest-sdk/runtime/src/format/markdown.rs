//! Markdown to HTML: the small fixed subset of actions.md 7.4.

use alloc::string::String;

use super::{cut, escape};

/// The HTML of a markdown text: fences, headings and paragraphs, and inline code, links, strong and emphasis.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut paragraph = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_ascii();
        if trimmed.starts_with("```") {
            flush(&mut out, &mut paragraph);
            fence(&mut out, &mut lines);
        } else if trimmed.is_empty() {
            flush(&mut out, &mut paragraph);
        } else if let Some((level, title)) = heading(trimmed) {
            flush(&mut out, &mut paragraph);
            begin(&mut out);
            out.push_str("<h");
            out.push(level);
            out.push('>');
            inline(&mut out, title);
            out.push_str("</h");
            out.push(level);
            out.push('>');
        } else {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(trimmed);
        }
    }
    flush(&mut out, &mut paragraph);
    out
}

/// Blocks are separated by newlines.
fn begin(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn flush(out: &mut String, paragraph: &mut String) {
    if paragraph.is_empty() {
        return;
    }
    begin(out);
    out.push_str("<p>");
    inline(out, paragraph);
    out.push_str("</p>");
    paragraph.clear();
}

fn fence<'a>(out: &mut String, lines: &mut impl Iterator<Item = &'a str>) {
    begin(out);
    out.push_str("<pre><code>");
    let body = lines.take_while(|line| !line.trim_ascii().starts_with("```"));
    for (index, line) in body.enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        escape(out, line, false);
    }
    out.push_str("</code></pre>");
}

/// The digit of the level and the title.
fn heading(line: &str) -> Option<(char, &str)> {
    let title = line.trim_start_matches('#');
    let level = u32::try_from(line.len() - title.len()).ok()?;
    let title = title.strip_prefix(' ')?;
    let digit = char::from_digit(level, 10).filter(|_| (1..=6).contains(&level))?;
    Some((digit, title.trim_ascii()))
}

/// Text with its spans. One pass: a mark that is not closed is a character.
fn inline(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['`', '[', '*', '_']) {
        let (plain, marked) = rest.split_at_checked(at).unwrap_or((rest, ""));
        escape(out, plain, false);
        rest = match span(out, marked) {
            Some(behind) => behind,
            None => {
                let mut chars = marked.chars();
                out.extend(chars.next());
                chars.as_str()
            }
        };
    }
    escape(out, rest, false);
}

/// Longest span: looking further for its end in every place would be slow.
const SPAN_BYTES_MAX: usize = 4096;

/// What stands before `end`, and what behind it.
fn until<'a>(text: &'a str, end: &str) -> Option<(&'a str, &'a str)> {
    let window = text.len().min(SPAN_BYTES_MAX);
    let near = (0..=window).rev().find_map(|size| text.get(..size))?;
    let at = cut(near, end)?.0.len();
    if at == 0 {
        return None;
    }
    Some((text.get(..at)?, text.get(at + end.len()..)?))
}

/// Writes the span that `text` begins with and answers what follows it.
fn span<'a>(out: &mut String, text: &'a str) -> Option<&'a str> {
    if let Some(inner) = text.strip_prefix('`') {
        let (code, behind) = until(inner, "`")?;
        tagged(out, "code", |out| escape(out, code, false));
        return Some(behind);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (label, target) = until(inner, "](")?;
        let (target, behind) = until(target, ")")?;
        out.push_str("<a href=\"");
        escape(out, target, false);
        out.push_str("\">");
        emphasis(out, label);
        out.push_str("</a>");
        return Some(behind);
    }
    if let Some(inner) = text.strip_prefix("**") {
        let (strong, behind) = until(inner, "**")?;
        tagged(out, "strong", |out| emphasis(out, strong));
        return Some(behind);
    }
    let (mark, inner) = match text.strip_prefix('*') {
        Some(inner) => ("*", inner),
        None => ("_", text.strip_prefix('_')?),
    };
    let (words, behind) = until(inner, mark)?;
    tagged(out, "em", |out| escape(out, words, false));
    Some(behind)
}

/// What may stand in strong text and in labels.
fn emphasis(out: &mut String, text: &str) {
    for mark in ['*', '_'] {
        let mut parts = text.splitn(3, mark);
        if let (Some(before), Some(words), Some(behind)) =
            (parts.next(), parts.next(), parts.next())
            && !words.is_empty()
        {
            escape(out, before, false);
            tagged(out, "em", |out| escape(out, words, false));
            escape(out, behind, false);
            return;
        }
    }
    escape(out, text, false);
}

fn tagged(out: &mut String, tag: &str, inner: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(tag);
    out.push('>');
    inner(out);
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn blocks_and_spans() {
        for (text, expected) in [
            (
                "# Hi *you*\n\ntwo\nlines",
                "<h1>Hi <em>you</em></h1>\n<p>two lines</p>",
            ),
            (
                "###### six\n####### seven",
                "<h6>six</h6>\n<p>####### seven</p>",
            ),
            ("#nospace", "<p>#nospace</p>"),
            ("a <b> & \"c\"", "<p>a &lt;b&gt; &amp; &quot;c&quot;</p>"),
            (
                "`x < *y*` **b** _i_ [t](u?a=1&b=2)",
                "<p><code>x &lt; *y*</code> <strong>b</strong> <em>i</em> <a href=\"u?a=1&amp;b=2\">t</a></p>",
            ),
            (
                "```js\nlet a = 1 < 2;\n\n# no\n```\nafter",
                "<pre><code>let a = 1 &lt; 2;\n\n# no</code></pre>\n<p>after</p>",
            ),
            ("open * star and [link](", "<p>open * star and [link](</p>"),
            ("", ""),
        ] {
            assert_eq!(html(text), expected, "{text}");
        }
    }
}
