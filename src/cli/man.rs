//! `completions` and `man`: the files that a package installs with the binary, generated from the command
//! line's own description.

mod sections;

use std::{
    io::{self, Write as _},
    sync::LazyLock,
};

use clap::{Args, Command, CommandFactory as _, builder::StringValueParser};
use clap_complete::Shell;
use clap_mangen::{Man, roff::Roff};

use super::{
    Cli,
    args::Offering,
    exit::{FAILED, FINE, Failure},
};

const PROGRAM: &str = "css-vpcep-exporter";

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell to print the script for
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The command whose page is printed, instead of the program's
    #[arg(
        value_parser = Offering { parser: StringValueParser::new(), words: commands },
        hide_possible_values = true
    )]
    command: Option<String>,
}

fn commands() -> Vec<&'static str> {
    static PROGRAM: LazyLock<Command> = LazyLock::new(Cli::command);
    PROGRAM.get_subcommands().map(Command::get_name).collect()
}

pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    let script = String::from_utf8_lossy(&script);
    let mended = match args.shell {
        Shell::Bash => with_one_name(&script),
        Shell::Fish => with_dotted_flags(&script),
        _ => script.into_owned(),
    };
    print(mended.as_bytes())
}

/// The script for bash, with one spelling of the program's name. The generator replaces the hyphens in
/// two ways, one where it stores its position in the line and one where it looks it up, so that nothing
/// below the first level would be found.
fn with_one_name(script: &str) -> String {
    let [looked_up, stored] = ["__subcmd__", "__"].map(|by| PROGRAM.replace('-', by));
    script.replace(&looked_up, &stored)
}

/// The script for fish, with another way to find the command. The generator's way uses fish's `argparse`,
/// which accepts no flag with a dot in its name and so finds nothing. It is not needed: no flag of the
/// program stands before a command.
fn with_dotted_flags(script: &str) -> String {
    const COMMAND: &str = "function __fish_css_vpcep_exporter_needs_command
    # The command, if there is one, is the first word.
    set -l words (commandline -opc)
    set -e words[1]
    if set -q words[1]; and not string match -q -- '-*' $words[1]
        echo $words[1]
        return 1
    end
    return 0
end

";
    match script.find("function __fish_css_vpcep_exporter_using_subcommand") {
        Some(rest) => format!("{COMMAND}{}", &script[rest..]),
        None => script.to_owned(),
    }
}

pub(super) fn man(args: &ManArgs) -> Result<u8, Failure> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("there is no command {name:?}")))?,
    };
    let page = page(command).map_err(|error| format!("the page cannot be made: {error}"))?;
    Ok(print(&page))
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.clone().version(version)).source(format!("{PROGRAM} {version}"));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    match command.get_name() {
        PROGRAM => man.render_subcommands_section(&mut page)?,
        _ => command.get_subcommands().try_for_each(|below| part(below.clone(), &mut page))?,
    }
    let mut rest = Roff::default();
    for section in sections::sections(&command) {
        sections::list(&mut rest, section);
    }
    sections::verbatim(&mut rest, &command);
    rest.to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A command below another has no page of its own: its usage and its own options are on that of the other.
fn part(command: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let heading = command.get_name().to_uppercase();
    let man = Man::new(command.mut_args(|argument| {
        let is_shared = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(is_shared)
    }));
    let mut part = Vec::new();
    man.render_synopsis_section(&mut part)?;
    man.render_description_section(&mut part)?;
    man.render_options_section(&mut part)?;
    let part = String::from_utf8_lossy(&part);
    let part = part.replacen(".SH SYNOPSIS", &format!(".SH {heading}"), 1);
    page.extend(part.replace(".SH DESCRIPTION", ".PP").replace(".SH OPTIONS\n", "").into_bytes());
    Ok(())
}

fn print(bytes: &[u8]) -> u8 {
    let mut out = io::stdout().lock();
    // A reader that has seen enough is no failure.
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => FAILED,
        _ => FINE,
    }
}
