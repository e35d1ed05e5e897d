//! The sections of a manual page that the command line's description does not have.

use clap::{Arg, Command};
use clap_mangen::roff::{Roff, bold, roman};

/// A heading and its entries: a term and its explanation.
type Section = (&'static str, Vec<(String, String)>);

/// The sections after the options of the page of `command`.
pub(super) fn sections(command: &Command) -> Vec<Section> {
    // The program without a command is `serve`.
    let name = match command.get_name() {
        super::PROGRAM => "serve",
        name => name,
    };
    let owned = |entries: &[(&str, &str)]| -> Vec<(String, String)> {
        entries.iter().map(|&(term, text)| (term.to_owned(), text.to_owned())).collect()
    };
    let mut variables = flags(command);
    variables.extend(owned(environment(name)));
    let all = [
        ("EXIT STATUS", owned(&exit_status(name))),
        ("ENVIRONMENT", variables),
        ("FILES", owned(files(name))),
        ("SIGNALS", owned(signals(name))),
    ];
    all.into_iter().filter(|(_, entries)| !entries.is_empty()).collect()
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

fn exit_status(command: &str) -> Vec<(&'static str, &'static str)> {
    let failed = match command {
        "serve" => {
            "An address is taken, another process has the state file, a part of the daemon died, or a \
             second signal came."
        }
        "demo" | "simulate" => "An address is taken, a part of it died, or a second signal came.",
        "collect" => "A cluster could not be read, or not completely.",
        "check-config" => "With --online: a cluster could not be read, or not completely.",
        "service" | "connection" => {
            "The request was refused, or the change was not confirmed or not applied."
        }
        "audit" => {
            "verify: the chain is broken, the log is missing or empty, or the expected record is not in \
             it. show: not everything could be read."
        }
        _ => "Something failed; stderr says what.",
    };
    let wrong = match command {
        "serve" => {
            "The command line or the configuration is wrong, or state_file or admin.audit_log cannot be \
             used; stderr says where."
        }
        "collect" | "check-config" => {
            "The command line or the configuration is wrong; stderr says where."
        }
        "simulate" => {
            "The command line is wrong, or the file of --replay cannot be used; stderr says where."
        }
        _ => "The command line is wrong; stderr says where.",
    };
    let mut codes = vec![("0", "Success; also after SIGTERM or SIGINT."), ("1", failed)];
    match command {
        "service" => codes.push(("2", "plan found something to change.")),
        "connection" => codes.push(("2", "--dry-run found something to change.")),
        _ => {}
    }
    codes.push(("64", wrong));
    if !matches!(command, "serve" | "demo" | "simulate") {
        codes[0].1 = "Success.";
    }
    codes
}

/// The variables that are not those of a flag.
fn environment(command: &str) -> &'static [(&'static str, &'static str)] {
    const CLOUD: [(&str, &str); 5] = [
        (
            "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_SECURITY_TOKEN",
            "The access key, for the credentials environment and chain.",
        ),
        (
            "HUAWEICLOUD_SDK_CREDENTIALS_FILE",
            "The file of the credentials profile and chain, instead of ~/.huaweicloud/credentials.",
        ),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "The project, where the configuration has no project_id."),
        (
            "HTTPS_PROXY, HTTP_PROXY, NO_PROXY",
            "The proxy, for projects with proxy_from_environment: true.",
        ),
        ("HOME", "The folder that ~/ stands for."),
    ];
    match command {
        "serve" | "collect" | "check-config" => &CLOUD,
        "service" | "connection" => &[(
            "CSS_VPCEP_EXPORTER_ADMIN_TOKEN",
            "The token, unless --admin.token-file names a file.",
        )],
        _ => &[],
    }
}

fn files(command: &str) -> &'static [(&'static str, &'static str)] {
    const CONFIGURATION: (&str, &str) = (
        "css-vpcep-exporter.yml",
        "The configuration, in the current folder, unless --config.file names another. Packages install \
         /etc/css-vpcep-exporter/css-vpcep-exporter.yml.",
    );
    const PROFILE: (&str, &str) =
        ("~/.huaweicloud/credentials", "Access keys, for the credentials profile and chain.");
    match command {
        "serve" => &[
            CONFIGURATION,
            PROFILE,
            (
                "state_file",
                "The observations, kept over a restart. The same name with .lock is the lock.",
            ),
            ("admin.audit_log", "The audit log: what was changed, by whom and how it ended."),
        ],
        "collect" | "check-config" => &[CONFIGURATION, PROFILE],
        "service" | "connection" => &[(
            "--admin.token-file",
            "The token: a file of mode 600 or 640, as the command token makes it.",
        )],
        "audit" => &[("audit.jsonl", "The file that admin.audit_log names; rotated files too.")],
        _ => &[],
    }
}

fn signals(command: &str) -> &'static [(&'static str, &'static str)] {
    const END: (&str, &str) = (
        "SIGTERM, SIGINT",
        "The first stops the polls and lets answers under way finish; a second one ends the process at \
         once.",
    );
    match command {
        "serve" => &[
            END,
            (
                "SIGHUP",
                "Reads the configuration again, and opens the audit log again. A configuration with a \
                 mistake is logged and changes nothing.",
            ),
        ],
        "demo" => &[END, ("SIGHUP", "Makes the demo's configuration again.")],
        "collect" | "simulate" => &[END, ("SIGHUP", "Ignored.")],
        _ => &[],
    }
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
