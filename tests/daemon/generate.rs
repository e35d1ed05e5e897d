//! What packages install beside the binary: completions and manual pages.

use std::fs::File;

use crate::support::process::{Folder, bare, exporter, run};

async fn printed(arguments: &[&str]) -> String {
    let ended = run(exporter(arguments)).await;
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}: {ended:?}");
    ended.out
}

#[tokio::test]
async fn completions_know_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]).await;
        for word in ["check-config", "web.listen-address", "log.level"] {
            assert!(script.contains(word), "{shell}: {word} is not in {script}");
        }
    }
    // It accepts no flag with a dot in its name, so nothing would be completed.
    assert!(!printed(&["completions", "fish"]).await.contains("argparse"));
    assert_eq!(run(exporter(&["completions", "dos"])).await.code, Some(64));
}

/// The help of a command, each item on one line.
async fn help(command: &[String]) -> String {
    let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
    let mut help = exporter(&arguments);
    // Wide enough for every line.
    help.env("COLUMNS", "1000");
    run(help).await.out
}

/// Every command with its help, from the program down.
async fn commands() -> Vec<(Vec<String>, String)> {
    let mut found = vec![Vec::new()];
    let mut commands = Vec::new();
    while let Some(command) = found.pop() {
        let help = help(&command).await;
        let below = named(&help).filter(|name| *name != "help");
        found.extend(below.map(|name| [&command[..], &[name.to_owned()]].concat()));
        commands.push((command, help));
    }
    commands
}

/// The commands that a help text names.
fn named(help: &str) -> impl Iterator<Item = &str> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let list = list.lines().take_while(|line| !line.is_empty());
    list.filter_map(|line| line.split_whitespace().next())
}

/// Calls the function that bash calls when the tab key is pressed, for lines with an unfinished last word.
const ASK: &str = r#"
    source "$1"
    function=$(complete -p css-vpcep-exporter | grep -oE '_css[a-z_]+')
    while read -ra COMP_WORDS; do
        # A dot stands for an empty last word.
        last=${COMP_WORDS[-1]}; COMP_WORDS[-1]=${last%.}
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "$function" css-vpcep-exporter "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        echo "${COMPREPLY[*]}"
    done
"#;

/// What bash offers for each line.
async fn offered(folder: &Folder, lines: &[String]) -> Vec<Vec<String>> {
    let script = folder.write("script", &printed(&["completions", "bash"]).await);
    let mut bash = bare("bash");
    bash.args(["--norc", "-c", ASK, "bash"]).arg(script);
    let asked = File::open(folder.write("lines", &(lines.join("\n") + "\n"))).expect("written");
    bash.stdin(asked);
    let answers = run(bash).await;
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    let offered: Vec<Vec<String>> = answers.out.lines().map(words).collect();
    assert_eq!(offered.len(), lines.len(), "{answers:?}");
    offered
}

/// The commands and flags of a help text, and the values of flags that have a closed list of them.
fn documented(help: &str) -> (Vec<String>, Vec<(String, Vec<String>)>) {
    let mut words: Vec<String> = named(help).map(str::to_owned).collect();
    let mut values = Vec::new();
    let options = help.split_once("\nOptions:\n").map_or("", |(_, rest)| rest);
    for line in options.lines() {
        if let Some(at) = line.find("--").filter(|_| line.trim_start().starts_with('-')) {
            let flag = line[at..].split([' ', '.', '<']).next().unwrap_or_default();
            let dotted = line[at..].split([' ', '<']).next().unwrap_or_default();
            words.push(if dotted.ends_with("...") { flag } else { dotted }.to_owned());
        }
        if let Some((_, list)) = line.split_once("[possible values: ") {
            let list = list.split([',', ' ', ']']).filter(|word| !word.is_empty());
            let flag = words.last().cloned().unwrap_or_default();
            values.push((flag, list.map(str::to_owned).collect()));
        }
    }
    (words, values)
}

#[tokio::test]
async fn bash_completes_every_level() {
    let folder = Folder::new("bash_completes_every_level");
    let (mut lines, mut expected) = (Vec::new(), Vec::new());
    for (command, help) in commands().await {
        let (words, values) = documented(&help);
        let line = [&["css-vpcep-exporter".to_owned()][..], &command].concat().join(" ");
        for word in words {
            // All but the last letter: enough for the word to be among those offered.
            lines.push(format!("{line} {}", &word[..word.len() - 1]));
            expected.push(vec![word]);
        }
        for (flag, values) in values {
            lines.push(format!("{line} {flag} ."));
            expected.push(values);
        }
    }
    // What takes other values too, or many, and names them elsewhere in its help.
    let commands = ["serve", "check-config", "service", "man", "token"];
    let outcomes = ["applied", "not_applied", "role", "token"];
    let values: [(_, &[&str]); 3] = [
        ("man .", &commands),
        ("simulate --fault .", &["hang", "throttled", "unknown-status"]),
        ("audit show --outcome .", &outcomes),
    ];
    for (line, values) in values {
        lines.push(format!("css-vpcep-exporter {line}"));
        expected.push(values.iter().map(|&word| word.to_owned()).collect());
    }
    assert!(lines.len() > 100, "{lines:?}");
    for ((line, offered), expected) in
        lines.iter().zip(offered(&folder, &lines).await).zip(expected)
    {
        let missing = expected.iter().find(|word| !offered.contains(word));
        assert_eq!(missing, None, "{line}: {offered:?}");
    }
}

#[tokio::test]
async fn there_is_a_manual_page_for_each_command() {
    let page = printed(&["man"]).await;
    assert!(page.contains(".TH css-vpcep-exporter 1"), "{page}");
    for command in ["serve", "demo", "simulate", "collect", "check-config"] {
        let reference = format!("css-vpcep-exporter-{command}(1)").replace('-', "\\-");
        assert!(page.contains(&reference), "{reference}: {page}");
        let page = printed(&["man", command]).await;
        assert!(page.contains(&format!(".TH css-vpcep-exporter-{command} 1")), "{page}");
    }
    let sections = |page: &str| -> Vec<String> {
        page.lines().filter_map(|line| line.strip_prefix(".SH ")).map(str::to_owned).collect()
    };
    let sections_of_serve = sections(&printed(&["man", "serve"]).await);
    for section in ["EXIT STATUS", "ENVIRONMENT", "FILES", "SIGNALS", "EXAMPLES"] {
        let section = section.to_owned();
        let quoted = format!("\"{section}\"");
        let is_there = |all: &[String]| all.contains(&section) || all.contains(&quoted);
        assert!(is_there(&sections_of_serve), "{section}: {sections_of_serve:?}");
    }
    // A command with commands of its own has the options of those.
    let service = printed(&["man", "service"]).await;
    assert!(service.contains("\\-\\-yes") && service.contains(".SH APPLY"), "{service}");
    let ended = run(exporter(&["man", "nothing"])).await;
    assert_eq!((ended.code, &*ended.out), (Some(64), ""));
    assert!(ended.err.contains("nothing"), "{}", ended.err);
}

/// An example of a command with commands of its own may be of one of those.
#[tokio::test]
async fn every_command_has_an_example_of_itself() {
    for (command, help) in commands().await {
        let (_, examples) = help
            .split_once("\nExamples:\n")
            .or_else(|| help.split_once("\nExample:\n"))
            .unwrap_or_else(|| panic!("{command:?} has no example"));
        let expected = format!("css-vpcep-exporter {}", command.join(" "));
        assert!(examples.contains(expected.trim_end()), "{command:?}: {examples}");
    }
}
