//! The examples at the end of each command's help, and in its manual page.

/// Paragraphs, each with a command and its examples.
const EXAMPLES: &str = include_str!("examples.txt");

/// The examples of a command, under a heading.
pub(super) fn of(command: &str) -> String {
    let paragraphs = EXAMPLES.split("\n\n");
    let mut named = paragraphs.filter_map(|paragraph| paragraph.trim_end().split_once('\n'));
    let examples = named.find(|(name, _)| *name == command);
    let examples = examples.map_or("", |(_, examples)| examples);
    let heading = if examples.contains('\n') { "Examples" } else { "Example" };
    format!("{heading}:\n{examples}")
}
