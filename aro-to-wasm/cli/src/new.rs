//! `aro-to-wasm new`: a directory with a small program that runs.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directory to make; its name becomes the title of the program
    name: PathBuf,
    /// What the program does
    #[arg(long, value_enum, default_value_t = Template::Echo)]
    template: Template,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Template {
    /// Sends back what it receives over TCP
    Echo,
    /// A chat room over TCP
    Chat,
    /// Prints and ends
    Console,
}

impl Template {
    fn source(self) -> &'static str {
        match self {
            Template::Echo => include_str!("../templates/echo.aro"),
            Template::Chat => include_str!("../templates/chat.aro"),
            Template::Console => include_str!("../templates/console.aro"),
        }
    }

    fn command(self) -> &'static str {
        match self {
            Template::Echo | Template::Chat => "serve",
            Template::Console => "run",
        }
    }
}

/// Writes the program; a directory that holds one already is left alone.
pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let directory = &options.name;
    let main = directory.join("main.aro");
    let stem = directory.file_name().map(|name| name.to_string_lossy());
    let title = title(stem.as_deref().unwrap_or_default());
    if title.is_empty() {
        bail!("{} gives the program no name", directory.display());
    }
    if main.exists() {
        bail!("{} exists already", main.display());
    }
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let source = options.template.source().replace("{title}", &title);
    std::fs::write(&main, source).with_context(|| format!("cannot write {}", main.display()))?;
    anstream::eprintln!(
        "{} is written; run it with `aro-host {} {}`",
        main.display(),
        options.template.command(),
        directory.display()
    );
    Ok(0)
}

/// `my-shop` as `My Shop`: words that may stand in a header.
fn title(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters.clone()).collect::<String>()
    };
    let words: Vec<String> = words.filter(|word| !word.is_empty()).map(capital).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn names_become_titles() {
        assert_eq!(title("my-shop_2"), "My Shop 2");
        assert_eq!(title("--"), "");
    }
}
