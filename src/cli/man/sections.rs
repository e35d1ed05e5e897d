//! The sections of a manual page that the command line's description does not have.

use clap::{Arg, Command};
use clap_mangen::roff::{Roff, bold, roman};

/// A heading and its entries: a term and its explanation.
type Section = (&'static str, Vec<(String, String)>);

/// Headings, each with the entries below it: the commands that have it, the term and the text.
const SECTIONS: &str = include_str!("sections.txt");

/// The sections after the options of the page of `command`.
pub(super) fn sections(command: &Command) -> Vec<Section> {
    // The program without a command is `serve`.
    let name = match command.get_name() {
        super::PROGRAM => "serve",
        name => name,
    };
    let mut sections: Vec<Section> = Vec::new();
    for line in SECTIONS.lines() {
        let cells: Vec<_> = line.splitn(3, " | ").collect();
        let [commands, term, text] = cells[..] else {
            let entries = if line == "ENVIRONMENT" { flags(command) } else { Vec::new() };
            sections.push((line, entries));
            continue;
        };
        let is_of_command = commands.split(' ').any(|command| command == name);
        if let Some((_, entries)) = sections.last_mut().filter(|_| is_of_command) {
            entries.push((term.to_owned(), text.to_owned()));
        }
    }
    sections.retain(|(_, entries)| !entries.is_empty());
    sections
}

/// The variable of each flag of a command and of those below it.
fn flags(command: &Command) -> Vec<(String, String)> {
    let below = command.get_subcommands().filter(|_| command.get_name() != super::PROGRAM);
    let arguments = command.get_arguments().chain(below.flat_map(Command::get_arguments));
    let mut found: Vec<(String, String)> = Vec::new();
    for (variable, flag) in arguments.filter_map(variable) {
        if found.iter().all(|(known, _)| *known != variable) {
            found.push((variable, format!("The value of --{flag}, unless the flag is given.")));
        }
    }
    found
}

fn variable(argument: &Arg) -> Option<(String, &str)> {
    Some((argument.get_env()?.to_str()?.to_owned(), argument.get_long()?))
}

/// A section as a list of terms.
pub(super) fn list(page: &mut Roff, (heading, entries): Section) {
    page.control("SH", [heading]);
    for (term, text) in entries {
        page.control("TP", []).text([bold(term)]).text([roman(text)]);
    }
}

/// The text after the options of the help, such as the examples: paragraphs whose first line is a
/// heading, and whose other lines are printed unchanged.
pub(super) fn verbatim(page: &mut Roff, command: &Command) {
    let Some(text) = command.get_after_long_help().or_else(|| command.get_after_help()) else {
        return;
    };
    for paragraph in text.to_string().split("\n\n") {
        let mut lines = paragraph.lines();
        let heading = lines.next().unwrap_or_default().trim_end_matches(':').to_uppercase();
        let heading = if heading == "EXAMPLE" { "EXAMPLES".to_owned() } else { heading };
        page.control("SH", [&*heading]).control("nf", []);
        for line in lines {
            page.text([roman(line.trim_start())]);
        }
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_says_how_it_ends_and_no_other_is_named() {
        let program = crate::cli::Cli::command();
        let commands: BTreeSet<_> = program.get_subcommands().map(Command::get_name).collect();
        for command in program.get_subcommands() {
            let (heading, entries) = sections(command).swap_remove(0);
            let terms: Vec<_> = entries.iter().map(|(term, _)| &**term).collect();
            assert_eq!(heading, "EXIT STATUS");
            assert!(matches!(terms[..], ["0", "1", "64"] | ["0", "1", "2", "64"]), "{terms:?}");
        }
        let headings: Vec<_> = SECTIONS.lines().filter(|line| !line.contains('|')).collect();
        assert_eq!(headings, ["EXIT STATUS", "ENVIRONMENT", "FILES", "SIGNALS"]);
        let entries = SECTIONS.lines().filter_map(|line| Some(line.split_once(" | ")?.0));
        let named: BTreeSet<_> = entries.flat_map(|commands| commands.split(' ')).collect();
        assert_eq!(named, commands);
    }
}
