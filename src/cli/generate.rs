//! `completions` and `man`: what a package installs beside the binary, made from the command line's
//! own description.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, FAILED, FINE, USAGE, complain};

const PROGRAM: &str = "css-vpcep-exporter";

#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// The command whose page is printed, instead of the program's
    command: Option<String>,
}

pub(super) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), PROGRAM, &mut script);
    print(&script)
}

pub(super) fn man(args: &ManArgs) -> u8 {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                complain(&format!("there is no command {name:?}"));
                return USAGE;
            }
        },
    };
    let mut page = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.version(version)).source(format!("{PROGRAM} {version}"));
    match man.render(&mut page) {
        Ok(()) => print(&page),
        Err(error) => {
            complain(&format!("the page cannot be made: {error}"));
            FAILED
        }
    }
}

fn print(bytes: &[u8]) -> u8 {
    let mut out = io::stdout().lock();
    // A reader that has seen enough is no failure.
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => FAILED,
        _ => FINE,
    }
}
