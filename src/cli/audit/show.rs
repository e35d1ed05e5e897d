//! `audit show`: the records for people.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::PathBuf,
    time::Duration,
};

use clap::{
    Args,
    builder::{FalseyValueParser, StringValueParser},
};
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde_json::Value;

use super::{
    super::{args::Offering, complain, terminal::visible},
    in_order, print,
};
use crate::{
    audit::{ChangeId, Kind, MAX_LINE_BYTES, Record},
    change::Outcome,
    clock::Clock,
    model::{ClusterId, ServiceId},
    stats::Denied,
};

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// The files of the log, rotated ones too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this change
    #[arg(long, value_name = "ID", value_parser = change_id)]
    change: Option<ChangeId>,
    /// Only this endpoint service: its id or name, or PROJECT/ID or PROJECT/NAME
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only this cluster: its id or name, or PROJECT/ID or PROJECT/NAME
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only records of the token with this name
    #[arg(long, value_name = "NAME", env = "CSS_VPCEP_EXPORTER_ACTOR")]
    actor: Option<String>,
    /// Only this outcome, such as applied; for refusals, only this reason
    #[arg(long, value_name = "OUTCOME", env = "CSS_VPCEP_EXPORTER_OUTCOME", value_parser = Offering { parser: StringValueParser::new(), words: outcomes }, hide_possible_values = true)]
    outcome: Option<String>,
    /// Nothing older than this: a date (in UTC), a time, or a duration such as 2h
    #[arg(long, value_name = "TIME", env = "CSS_VPCEP_EXPORTER_SINCE", value_parser = since)]
    since: Option<Timestamp>,
    /// Nothing newer than this: a date (in UTC, including all of that day), a time, or a duration such as 2h
    #[arg(long, value_name = "TIME", env = "CSS_VPCEP_EXPORTER_UNTIL", value_parser = until)]
    until: Option<Timestamp>,
    /// Prints the lines of the file as they are
    #[arg(long, env = "CSS_VPCEP_EXPORTER_JSON", value_parser = FalseyValueParser::new())]
    json: bool,
}

/// The outcomes of changes and the reasons of refusals.
fn outcomes() -> Vec<&'static str> {
    Outcome::ALL.into_iter().map(Outcome::as_str).chain(Denied::ALL.map(Denied::as_str)).collect()
}

fn change_id(text: &str) -> Result<ChangeId, String> {
    ChangeId::parse(text).ok_or_else(|| "expected a UUID in lower case".to_owned())
}

fn since(text: &str) -> Result<Timestamp, String> {
    time(text, Time::midnight())
}

fn until(text: &str) -> Result<Timestamp, String> {
    time(text, Time::MAX)
}

/// The moment that a text means. A date without a time means `of_day` on that date. Without a zone it is in
/// UTC, like the times in the log.
fn time(text: &str, of_day: Time) -> Result<Timestamp, String> {
    // Nothing longer: that could be a date with a time.
    let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-01-02".len());
    if let (None, Ok(time)) = (date, text.parse()) {
        return Ok(time);
    }
    let local = date.map(|date| date.to_datetime(of_day)).or_else(|| text.parse().ok());
    if let Some(local) = local {
        let time = local.to_zoned(TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(time.timestamp());
    }
    let ago: Duration = humantime::parse_duration(text).map_err(|_| {
        "expected a date like 2026-01-02, a time like 2026-01-02T03:04:05Z, or a duration like 2h"
    })?;
    Clock::system().now().checked_sub(ago).map_err(|error| error.to_string())
}

/// Prints the selected records; false if something could not be read.
pub(super) fn show(args: &ShowArgs) -> bool {
    let mut show = Show { args, is_whole: true, is_empty: true, open: HashMap::new() };
    for path in in_order(&args.files) {
        let name = visible(&path.display().to_string());
        match File::open(path) {
            Ok(file) => {
                if !show.file(&name, file) {
                    return show.is_whole;
                }
            }
            Err(error) => {
                print(&format!("{name}: cannot be read: {error}"));
                show.is_whole = false;
            }
        }
    }
    show.without_outcome();
    if show.is_empty && show.is_whole {
        complain("no record matches");
    }
    show.is_whole
}

struct Show<'a> {
    args: &'a ShowArgs,
    /// Everything could be read.
    is_whole: bool,
    /// Nothing was shown.
    is_empty: bool,
    /// Intents whose outcomes were not read yet.
    open: HashMap<ChangeId, Record>,
}

impl Show<'_> {
    /// Shows the records of one file; false once the output is closed.
    fn file(&mut self, name: &str, file: File) -> bool {
        for (number, line) in (1..).zip(lines(file)) {
            let read = line.map_err(|error| error.to_string()).and_then(|line| {
                let record = Record::parse(&line).map_err(|fault| fault.to_string())?;
                Ok((record, line))
            });
            match read {
                Err(why) => {
                    print(&visible(&format!("{name}: line {number}: {why}")));
                    self.is_whole = false;
                }
                Ok((record, line)) => {
                    if self.args.wants(&record) && !self.record(record, &line) {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn record(&mut self, record: Record, line: &[u8]) -> bool {
        let is_shown = self.args.wants_to_see(&record);
        let lines = if self.args.json {
            vec![String::from_utf8_lossy(line).into_owned()]
        } else {
            // An outcome may be wanted that needs what its intent has.
            entry(record, &mut self.open)
        };
        !is_shown || self.print(&lines)
    }

    fn without_outcome(&mut self) {
        let open = self.open.values().filter(|record| self.args.wants_to_see(record));
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|record| record.seq);
        let lines = open.into_iter().flat_map(|one| change(one, Some(one), "no outcome"));
        self.print(&lines.collect::<Vec<_>>());
    }

    /// Prints lines; false once the output is closed.
    fn print(&mut self, lines: &[String]) -> bool {
        self.is_empty &= lines.is_empty();
        lines.iter().all(|line| print(line))
    }
}

impl ShowArgs {
    /// By what the records of a change have in common.
    fn wants(&self, record: &Record) -> bool {
        let content = &record.content;
        let project = content.project.as_deref().unwrap_or_default();
        let is_called = |wanted: &Option<String>, names: [Option<&str>; 2]| {
            let is =
                |name: &str, wanted: &str| wanted == name || wanted == format!("{project}/{name}");
            let is_one_of = |wanted: &String| names.iter().flatten().any(|name| is(name, wanted));
            wanted.as_ref().is_none_or(is_one_of)
        };
        let service = content.service_id.as_ref().map(ServiceId::as_str);
        let cluster = content.cluster_id.as_ref().map(ClusterId::as_str);
        self.change.as_ref().is_none_or(|id| content.change_id.as_ref() == Some(id))
            && is_called(&self.service, [service, content.service_name.as_deref()])
            && is_called(&self.cluster, [cluster, content.cluster_name.as_deref()])
            && self.actor.as_ref().is_none_or(|actor| content.actor.as_deref() == Some(actor))
    }

    /// By what the record that is shown has for itself.
    fn wants_to_see(&self, record: &Record) -> bool {
        let own = record.content.outcome.as_deref();
        self.outcome.as_ref().is_none_or(|outcome| own == Some(outcome))
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time <= until)
    }
}

/// The lines of a file; one that is too long for a record ends the reading.
pub(super) fn lines(file: File) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let mut file = BufReader::new(file);
    let mut ended = false;
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        if ended {
            return None;
        }
        let read = (&mut file).take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return None,
            Ok(length) if length <= MAX_LINE_BYTES => {
                line.pop_if(|byte| *byte == b'\n');
                return Some(Ok(line));
            }
            _ => ended = true,
        }
        Some(Err(read.err().unwrap_or_else(|| io::Error::other("it is too long for a record"))))
    })
}

/// The lines to show once this record is read: a change is shown when it has its outcome.
fn entry(record: Record, open: &mut HashMap<ChangeId, Record>) -> Vec<String> {
    let content = &record.content;
    let outcome = content.outcome.as_deref().unwrap_or("?");
    match (content.kind, &content.change_id) {
        (Kind::Intent, Some(id)) => {
            open.entry(id.clone()).or_insert(record);
            Vec::new()
        }
        (Kind::Outcome, Some(id)) => change(&record, open.remove(id).as_ref(), outcome),
        (Kind::Denied, _) => {
            let count = content.request.as_ref().map_or(&Value::Null, |request| &request["count"]);
            vec![format!(
                "{:.3}  denied ({}), {} times, {}",
                record.time,
                visible(outcome),
                visible(&count.to_string()),
                subject(&record)
            )]
        }
        _ => vec![format!("{:.3}  {} ({})", record.time, content.kind.as_str(), visible(outcome))],
    }
}

fn change(record: &Record, intent: Option<&Record>, outcome: &str) -> Vec<String> {
    let mut lines = vec![format!("{:.3}  {}, {}", record.time, visible(outcome), subject(record))];
    let diff = record.content.diff.as_ref();
    match diff.or(intent.and_then(|intent| intent.content.diff.as_ref())) {
        Some(Value::Array(all)) => lines.extend(all.iter().map(difference)),
        Some(other) => lines.push(visible(&format!("    {other}"))),
        None => {}
    }
    if let Some(cloud) = &record.content.cloud {
        lines.push(visible(&format!("    cloud: {cloud}")));
    }
    lines
}

/// A field of a service, or a connection.
fn difference(one: &Value) -> String {
    let name = one["field"].as_str().or(one["endpoint_id"].as_str());
    let name = name.map_or_else(|| one.to_string(), str::to_owned);
    let outcome = one["outcome"].as_str().map(|outcome| format!(", {outcome}"));
    let outcome = outcome.unwrap_or_default();
    visible(&format!("    {name}: {} -> {}{outcome}", one["from"], one["to"]))
}

/// The actor, the address, the service or the cluster, and the change.
pub(super) fn subject(record: &Record) -> String {
    let content = &record.content;
    let mut text = content.actor.as_deref().unwrap_or("an unknown caller").to_owned();
    if let Some(remote) = &content.remote {
        text += &format!(" from {remote}");
    }
    let service = content.service_id.as_ref().map(|id| (id.as_str(), &content.service_name));
    let cluster = content.cluster_id.as_ref().map(|id| (id.as_str(), &content.cluster_name));
    if let (Some(project), Some((id, name))) = (&content.project, service.or(cluster)) {
        text += &match name {
            Some(name) => format!(", {project}/{name} ({id})"),
            None => format!(", {project}/{id}"),
        };
    }
    if let Some(id) = &content.change_id {
        text += &format!(", change {id}");
    }
    visible(&text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn dates_are_whole_days_in_utc() {
        let cases = [
            ("2026-11-26", "2026-11-26T00:00:00Z", "2026-11-26T23:59:59.999999999Z"),
            ("2026-11-26T10:00", "2026-11-26T10:00:00Z", "2026-11-26T10:00:00Z"),
            ("2026-11-26 10:00:01", "2026-11-26T10:00:01Z", "2026-11-26T10:00:01Z"),
            ("2026-11-26T10:00:00+08:00", "2026-11-26T02:00:00Z", "2026-11-26T02:00:00Z"),
        ];
        for (text, first, last) in cases {
            assert_eq!(since(text).unwrap().to_string(), first, "{text}");
            assert_eq!(until(text).unwrap().to_string(), last, "{text}");
        }
        assert!(since("2h").unwrap() < Clock::system().now());
        for text in ["", "2026-13-01", "yesterday", "2026-11", "11-26", "2026-11-26Z"] {
            assert!(since(text).is_err() && until(text).is_err(), "{text}");
        }
    }

    use super::*;
    use crate::audit::{Content, Hash};

    /// A forger who can write to the file can also make hashes that fit.
    #[test]
    fn nothing_of_a_forged_record_reaches_the_terminal_as_it_is() {
        let odd = "\u{9b}2J\u{202e}";
        let value = || Some(json!({ "count": odd, odd: odd }));
        let content = |kind| Content {
            kind,
            change_id: None,
            actor: Some(odd.into()),
            remote: Some(odd.into()),
            project: Some(odd.into()),
            service_id: ServiceId::parse("4189d3c2-8882-4871-a3c2-d380272eed88").ok(),
            service_name: Some("logs".into()),
            cluster_id: None,
            cluster_name: Some(odd.into()),
            before: value(),
            request: value(),
            diff: Some(json!([{ "field": odd, "from": odd, "to": value() }, odd])),
            cloud: value(),
            outcome: Some(odd.into()),
        };
        let change_id = ChangeId::parse("019b7c2e-0000-7000-8000-000000000001");
        for kind in Kind::ALL {
            for change_id in [None, change_id.clone()] {
                let content = Content { change_id, ..content(kind) };
                let time = Timestamp::UNIX_EPOCH;
                let record = Record { seq: 1, time, content, prev: Hash::ZERO, hash: Hash::ZERO };
                for line in entry(record, &mut HashMap::new()) {
                    assert_eq!(line, visible(&line));
                }
            }
        }
    }
}
