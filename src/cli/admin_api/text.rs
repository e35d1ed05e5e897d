//! The parts of answers that all commands of the admin API show alike.

use std::io::IsTerminal as _;

use serde_json::Value;

use crate::{
    admin::ProblemDocument,
    change::{ChangeView, CloudAnswer, ConnectionChange, Outcome},
    cli::terminal::{self, visible},
    config::process_environment,
    model::Status,
};

/// Colours, if the output is a terminal.
pub(in crate::cli) struct Paint(pub(in crate::cli) bool);

impl Paint {
    /// Only a terminal gets colours, unless `NO_COLOR` is set.
    pub(in crate::cli) fn for_stdout() -> Self {
        let unwanted = process_environment("NO_COLOR").is_some_and(|text| !text.is_empty());
        Self(std::io::stdout().is_terminal() && !unwanted)
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(in crate::cli) fn gone(&self, text: &str) -> String {
        self.with("31", text)
    }

    pub(in crate::cli) fn added(&self, text: &str) -> String {
        self.with("32", text)
    }

    pub(in crate::cli) fn strong(&self, text: &str) -> String {
        self.with("1", text)
    }

    /// Green where it went as wanted.
    fn outcome(&self, outcome: Outcome) -> String {
        match outcome {
            Outcome::Applied | Outcome::Unchanged | Outcome::Planned => {
                self.added(outcome.as_str())
            }
            _ => self.gone(outcome.as_str()),
        }
    }
}

pub(in crate::cli) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

/// Rows under a head, in columns.
pub(in crate::cli) fn columns<const N: usize>(
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    paint: &Paint,
) -> Vec<String> {
    let mut lines = terminal::columns(head, rows, false);
    lines[0] = paint.strong(&lines[0]);
    lines
}

/// A time without the parts of its second.
pub(in crate::cli) fn to_the_second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(second, _)| format!("{second}Z"))
}

pub(in crate::cli) fn warnings(warnings: &[String], said: &[String], paint: &Paint) -> Vec<String> {
    let new = warnings.iter().filter(|warning| !said.contains(warning));
    new.map(|warning| paint.with("33", &format!("Warning: {}", visible(warning)))).collect()
}

/// The end of a change, from an answer or a refusal.
pub(in crate::cli) struct Ended<'a> {
    outcome: Outcome,
    warnings: &'a [String],
    cloud: Option<&'a CloudAnswer>,
    safe_to_retry: bool,
    change_id: Option<&'a str>,
}

impl<'a, Effect> From<&'a ChangeView<Effect>> for Ended<'a> {
    fn from(change: &'a ChangeView<Effect>) -> Self {
        Self {
            outcome: change.outcome,
            warnings: &change.warnings,
            cloud: change.cloud.as_ref(),
            safe_to_retry: change.safe_to_retry,
            change_id: Some(&change.change_id),
        }
    }
}

impl<'a> Ended<'a> {
    fn of(problem: &'a ProblemDocument) -> Option<Self> {
        Some(Self {
            outcome: problem.outcome?,
            warnings: problem.warnings.as_deref().unwrap_or_default(),
            cloud: problem.cloud.as_ref(),
            safe_to_retry: problem.safe_to_retry == Some(true),
            change_id: problem.change_id.as_deref(),
        })
    }
}

pub(in crate::cli) fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "Reading back confirms the change.",
        Outcome::Unchanged => "Everything already matched; nothing was sent.",
        Outcome::Planned => "Nothing was sent.",
        Outcome::NotApplied => {
            "Reading back shows the old state. Find out why before you try again."
        }
        Outcome::Partial => {
            "Reading back confirms only a part of the change. Check the present state, then plan again."
        }
        Outcome::Rejected => {
            "The cloud refused it, and nothing changed. Correct what it names, then plan again."
        }
        Outcome::NotSent => "Nothing was sent, and nothing changed.",
        Outcome::Unknown => {
            "The request was sent, and its outcome is unknown. Check the present state before you try again."
        }
    }
}

/// The end of a change, and what to do next. Warnings in `said` are left out.
pub(in crate::cli) fn outcome(change: &Ended<'_>, said: &[String], paint: &Paint) -> Vec<String> {
    let painted = paint.outcome(change.outcome);
    let mut lines = vec![format!("Outcome: {painted}. {}", meaning(change.outcome))];
    lines.extend(warnings(change.warnings, said, paint));
    if let Some(CloudAnswer { status, code, message, request_id }) = change.cloud {
        let parts =
            [Some(&status.to_string()), code.as_ref(), message.as_ref(), request_id.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().map(|part| visible(part)).collect();
        lines.push(format!("The cloud: {}", parts.join(", ")));
    }
    let safe = if change.safe_to_retry { "yes" } else { "no" };
    lines.push(format!("The same request may be made again: {safe}"));
    lines.extend(change.change_id.map(|id| format!("Change: {}", visible(id))));
    lines
}

/// A refusal, and its report of the change. Warnings in `said` are left out.
pub(in crate::cli) fn refusal(
    status: u16,
    problem: &ProblemDocument,
    said: &[String],
    paint: &Paint,
) -> Vec<String> {
    let detail = match &*problem.detail {
        "" => "no reason was given; is that the admin listener?".to_owned(),
        detail => visible(detail),
    };
    let mut lines = vec![format!("{}: {detail}", paint.gone(&format!("HTTP {status}")))];
    for error in problem.errors.iter().flatten() {
        // The empty pointer is the whole body (RFC 6901).
        let place = if error.pointer.is_empty() { "the body" } else { &error.pointer };
        lines.push(visible(&format!("  {place}: {}", error.message)));
    }
    if status == 401 {
        lines.push("Is it the right token, and is it still in admin.tokens?".to_owned());
        return lines;
    }
    lines.extend(connections(problem.connections.as_deref().unwrap_or_default(), paint));
    if status == 412 {
        let what = "Someone else changed it meanwhile: check the present state, then plan again.";
        lines.push(what.to_owned());
    } else if let Some(ended) = Ended::of(problem) {
        lines.extend(outcome(&ended, said, paint));
    }
    lines
}

/// The planned or actual outcome for each connection.
pub(in crate::cli) fn connections(all: &[ConnectionChange], paint: &Paint) -> Vec<String> {
    let line = |one: &ConnectionChange| {
        let from = one.from.map_or("no such connection", Status::as_str);
        let (id, to) = (visible(one.endpoint_id.as_str()), one.to.as_str());
        format!("  {id}  {from} -> {to}  {}", paint.outcome(one.outcome))
    };
    all.iter().map(line).collect()
}
