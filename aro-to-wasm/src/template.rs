//! Templates: text with `{{ … }}` blocks to a tree that is lowered where it is rendered (actions.md 8.3).

mod expression;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceFile, Span};
use crate::syntax::ast::Block;
use crate::syntax::parser::parse_statements;

/// The folder of templates, as paths of source files begin.
pub(crate) const FOLDER: &str = "templates/";
/// Most bytes of one template.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of loops in a template.
const LOOPS_MAX: usize = 32;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// Copied.
    Text(String),
    /// Shown.
    Show {
        /// What is calculated.
        value: Value,
        /// Name and argument of each filter, in order.
        filters: Vec<(String, String)>,
        /// The block.
        span: Span,
    },
    /// `{{ for each <item> at <index> in <collection> { }} … {{ } }}`
    ForEach(ForEach),
    /// Statements.
    Run(Block),
}

/// A loop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForEach {
    /// Name of each element.
    pub(crate) item: String,
    /// Name of its position, from 0.
    pub(crate) index: Option<String>,
    /// Name and properties of the collection.
    pub(crate) collection: Vec<String>,
    /// What is repeated.
    pub(crate) body: Vec<Piece>,
    /// The block that begins it.
    pub(crate) span: Span,
}

/// What a block calculates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Operands one after the other.
    Joined(Vec<Operand>),
    /// Arithmetic with `*`, `+`, `-` or `/`.
    Binary(u8, Operand, Operand),
}

/// An operand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// A variable and the properties of its path.
    Path(Vec<String>),
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
}

/// Reads a template. `file` is its index for spans.
pub(crate) fn parse(file: u32, source: &SourceFile) -> Result<Vec<Piece>, Vec<Diagnostic>> {
    let mut reader = Reader {
        file,
        source,
        at: 0,
        open: Vec::new(),
        pieces: Vec::new(),
    };
    if source.text.len() > TEMPLATE_BYTES_MAX {
        let what = format!("larger than {TEMPLATE_BYTES_MAX} bytes");
        return Err(vec![reader.mistake(0, 0, &what)]);
    }
    while reader.block()? {}
    match reader.open.first() {
        None => Ok(reader.pieces),
        Some((each, _)) => {
            let (start, end) = (each.span.start as usize, each.span.end as usize);
            Err(vec![reader.mistake(start, end, "Unclosed for-each block")])
        }
    }
}

struct Reader<'a> {
    file: u32,
    source: &'a SourceFile,
    at: usize,
    /// Open loops, each with the pieces around it.
    open: Vec<(ForEach, Vec<Piece>)>,
    /// Pieces of the innermost loop.
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: start as u32,
            end: end as u32,
        }
    }

    fn mistake(&self, start: usize, end: usize, what: &str) -> Diagnostic {
        let line = self.source.position(start as u32).0;
        let path = self
            .source
            .path
            .strip_prefix(FOLDER)
            .unwrap_or(&self.source.path);
        Diagnostic::new(
            Code::Template,
            self.span(start, end),
            format!("Template parse error in {path}: Template parse error at line {line}: {what}"),
        )
    }

    /// Reads text and the block behind it; false at the end.
    fn block(&mut self) -> Result<bool, Vec<Diagnostic>> {
        let rest = self.source.text.get(self.at..).unwrap_or("");
        let Some((text, after)) = rest.split_once("{{") else {
            self.text(rest);
            return Ok(false);
        };
        self.text(text);
        let start = self.at + text.len();
        let Some((inner, _)) = after.split_once("}}") else {
            let what = "Unclosed execution block - expected }}";
            return Err(vec![self.mistake(start, start + 2, what)]);
        };
        self.at = start + inner.len() + 4;
        let body = inner.trim();
        let body_start = start + 2 + inner.len() - inner.trim_start().len();
        let span = self.span(start, self.at);
        if body == "}" {
            self.close(start)?;
        } else if is_loop(body) {
            let each = expression::for_each(body, span)
                .map_err(|what| vec![self.mistake(start, self.at, &what)])?;
            if self.open.len() == LOOPS_MAX {
                let what = format!("for-each blocks nested deeper than {LOOPS_MAX}");
                return Err(vec![self.mistake(start, self.at, &what)]);
            }
            self.open.push((each, std::mem::take(&mut self.pieces)));
        } else if body.starts_with(['<', '"']) && !body.ends_with('.') {
            let (value, filters) = expression::shown(body)
                .map_err(|what| vec![self.mistake(start, self.at, &what)])?;
            self.pieces.push(Piece::Show {
                value,
                filters,
                span,
            });
        } else if !body.is_empty() {
            let range = body_start..body_start + body.len();
            let (block, diagnostics) = parse_statements(self.file, &self.source.text, range);
            if diagnostics.iter().any(Diagnostic::is_error) {
                return Err(diagnostics);
            }
            self.pieces.push(Piece::Run(block));
        }
        Ok(true)
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }

    fn close(&mut self, start: usize) -> Result<(), Vec<Diagnostic>> {
        let Some((mut each, around)) = self.open.pop() else {
            let what = "Unexpected }} - no matching for-each block";
            return Err(vec![self.mistake(start, self.at, what)]);
        };
        each.body = std::mem::replace(&mut self.pieces, around);
        self.pieces.push(Piece::ForEach(each));
        Ok(())
    }
}

/// `for each …`, which is a loop of the template; a loop of statements has its body in the same block.
fn is_loop(body: &str) -> bool {
    let mut words = body.split_whitespace();
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("for"))
        && words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("each"))
        && !body.ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Piece>, String> {
        let source = SourceFile {
            path: "templates/t.html".to_owned(),
            text: text.to_owned(),
        };
        parse(1, &source).map_err(|found| {
            let texts: Vec<String> = found.into_iter().map(|one| one.message).collect();
            texts.join("\n")
        })
    }

    #[test]
    fn blocks_are_told_apart() {
        let pieces = read("a {{ <u: name: first | uppercase | date: \"dd.MM\" }}{{ for each <t> at <i> in <u: tags> { }}{{ <i> ++ \"=\" ++ <t> }}{{ } }}{{ Print \"x\" to the <template>. }}").unwrap_err();
        // A path that is not closed is named.
        assert!(pieces.contains("line 1: expected `>`"), "{pieces}");
        let pieces = read("a {{ <u: name.first> | uppercase | date: \"dd|MM\" }}\n{{ for each <t> at <i> in <u: tags> { }}{{ <i> ++ \"=\" ++ <t> }}{{ } }}{{ Print \"x\" to the <template>. }}{{ <n> * 2.5 }}").unwrap();
        let [
            Piece::Text(_),
            Piece::Show { value, filters, .. },
            Piece::Text(_),
            Piece::ForEach(each),
            Piece::Run(block),
            Piece::Show { value: product, .. },
        ] = pieces.as_slice()
        else {
            panic!("{pieces:?}")
        };
        let path =
            |parts: &[&str]| Operand::Path(parts.iter().map(|part| (*part).to_owned()).collect());
        assert_eq!(value, &Value::Joined(vec![path(&["u", "name", "first"])]));
        assert_eq!(filters[1], ("date".to_owned(), "dd|MM".to_owned()));
        assert_eq!(
            (each.item.as_str(), each.index.as_deref()),
            ("t", Some("i"))
        );
        assert_eq!(each.collection, ["u", "tags"]);
        assert_eq!(each.body.len(), 1);
        assert_eq!(block.statements.len(), 1);
        assert_eq!(
            product,
            &Value::Binary(b'*', path(&["n"]), Operand::Float(2.5))
        );
    }

    #[test]
    fn mistakes_name_template_and_line() {
        for (text, what) in [
            (
                "a\n{{ <x> ",
                "line 2: Unclosed execution block - expected }}",
            ),
            (
                "{{ for each <x> in <y> { }}",
                "line 1: Unclosed for-each block",
            ),
            (
                "\n\n{{ } }}",
                "line 3: Unexpected }} - no matching for-each block",
            ),
            (
                "{{ for each x in <y> { }}",
                "line 1: Invalid for-each syntax - expected <item> variable",
            ),
            (
                "{{ for each <x> of <y> { }}",
                "line 1: Invalid for-each syntax - expected 'in' keyword",
            ),
            (
                "{{ for each <x> in y { }}",
                "line 1: Invalid for-each syntax - expected <collection> expression",
            ),
            (
                "{{ for each <x> at i in <y> { }}",
                "line 1: Invalid for-each syntax - expected <index> variable after 'at'",
            ),
            (
                "{{ for each <x> in <y> }}",
                "line 1: Invalid for-each syntax - expected '{' at end",
            ),
        ] {
            let message = read(text).unwrap_err();
            assert_eq!(
                message,
                format!("Template parse error in t.html: Template parse error at {what}")
            );
        }
    }
}
