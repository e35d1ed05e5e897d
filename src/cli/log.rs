//! Logs to stderr, in the two formats of the Prometheus world: logfmt and JSON. Both have the same
//! keys with the same values: `ts`, `level`, `target`, `msg`, then the fields of the line.
//!
//! Texts of the cloud are escaped in both, so they can neither forge a line nor move a terminal's cursor.

use std::{
    fmt,
    io::{self, Write as _},
    str::FromStr as _,
};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use indicatif::ProgressBar;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

use crate::text::{json_line, may_be_shown};

/// The targets of the exporter's own lines begin with the name of its library.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");
const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

#[derive(Args, Debug)]
pub(super) struct LogArgs {
    /// The lowest level of the log lines that are written to stderr
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        env = "CSS_VPCEP_EXPORTER_LOG_LEVEL",
        default_value = "info",
        value_parser = PossibleValuesParser::new(LEVELS).try_map(|level| LevelFilter::from_str(&level))
    )]
    level: LevelFilter,
    /// The format of log lines
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        env = "CSS_VPCEP_EXPORTER_LOG_FORMAT",
        default_value = "logfmt"
    )]
    format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Logfmt,
    Json,
}

impl LogArgs {
    /// Writes the log from here on. Called once; a second call changes nothing.
    pub(super) fn init(&self) {
        self.init_above(ProgressBar::hidden());
    }

    /// The same, with the lines above a progress bar.
    pub(super) fn init_above(&self, bar: ProgressBar) {
        let write = move |line: &str| {
            // Nothing can be done about a terminal that is gone.
            let _ = bar.suspend(|| io::stderr().write_all(line.as_bytes()));
        };
        // A second subscriber cannot be reported either.
        let _ = self.subscriber(write).try_init();
    }

    fn subscriber<W>(&self, write: W) -> impl Subscriber + Send + Sync
    where
        W: Fn(&str) + Send + Sync + 'static,
    {
        // Libraries log at trace only: anything that matters comes back to us as an error.
        let filter = match self.level {
            LevelFilter::TRACE => Targets::new().with_default(LevelFilter::TRACE),
            level => Targets::new().with_target(OWN_TARGET, level),
        };
        let lines = Lines { format: self.format, write };
        tracing_subscriber::registry().with(filter).with(lines)
    }
}

/// Writes each event as a line.
struct Lines<W> {
    format: LogFormat,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut now = String::new();
        // Writing to a String cannot fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut now));
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut entries = vec![
            ("ts", now.into()),
            ("level", metadata.level().as_str().to_ascii_lowercase().into()),
            ("target", metadata.target().into()),
            ("msg", fields.message.into()),
        ];
        entries.extend(fields.others);
        let line = match self.format {
            LogFormat::Logfmt => logfmt(&entries),
            LogFormat::Json => json(&Object(entries)),
        };
        (self.write)(&(line + "\n"));
    }
}

type Entry = (&'static str, Value);

/// `ts=… level=… msg=… key=value …`, as the Go programs of the Prometheus world do.
fn logfmt(entries: &[Entry]) -> String {
    let words = entries.iter().map(|(key, value)| format!("{key}={}", word(value)));
    words.collect::<Vec<_>>().join(" ")
}

/// A value, in quotes unless it is a single plain word.
fn word(value: &Value) -> String {
    let plain = |character: char| {
        !character.is_whitespace() && may_be_shown(character) && !"\"=\\".contains(character)
    };
    match value.as_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        _ => json(value),
    }
}

/// JSON in which line breaks and all characters that control a terminal are escaped.
fn json(value: &impl Serialize) -> String {
    String::from_utf8(json_line(value).unwrap_or_default()).unwrap_or_default()
}

/// The fields of a line in their order.
struct Object(Vec<Entry>);

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<Entry>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: impl Into<Value>) {
        match (field.name(), value.into()) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn values_stay_on_their_line() {
        let cases = [
            ("plain", "plain"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "\"a=b\""),
            ("say \"hi\" \\", "\"say \\\"hi\\\" \\\\\""),
            ("line\nlevel=error", "\"line\\nlevel=error\""),
            ("\u{1b}[31m\u{2028}\r", "\"\\u001b[31m\\u2028\\r\""),
            ("\u{9b}2J\u{202e}", "\"\\u009b2J\\u202e\""),
        ];
        for (value, expected) in cases {
            assert_eq!(word(&value.into()), expected);
            assert_eq!(serde_json::from_str::<String>(&json(&value)).unwrap(), value);
        }
    }

    /// The output of `say` at a level, in a format.
    fn logged(level: LevelFilter, format: LogFormat, say: impl FnOnce()) -> String {
        let text = Arc::new(Mutex::new(String::new()));
        let written = text.clone();
        let write = move |line: &str| written.lock().push_str(line);
        tracing::subscriber::with_default(LogArgs { level, format }.subscriber(write), say);
        text.lock().clone()
    }

    #[test]
    fn both_formats_have_the_same_keys_and_values() {
        let say = || {
            let absent: Option<u16> = None;
            tracing::warn!(
                project = "a b",
                status = 429_u16,
                absent,
                skew_seconds = -1.5,
                whole = true,
                cause = %"x=\u{9b}",
                ids = ?["r-1"],
                "it \"failed\": {}",
                "why\n"
            );
        };
        let line = logged(LevelFilter::INFO, LogFormat::Json, say);
        let json: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        let keys: Vec<&str> = json.keys().map(String::as_str).collect();
        let mut expected = ["ts", "level", "target", "msg", "project", "status"].to_vec();
        expected.extend(["skew_seconds", "whole", "cause", "ids"]);
        let mut sorted = expected.clone();
        sorted.sort();
        assert_eq!(keys, sorted);
        assert_eq!((&json["level"], &json["status"]), (&"warn".into(), &429.into()));
        assert_eq!(json["msg"], "it \"failed\": why\n");
        assert_eq!(json["target"], module_path!());

        let line = logged(LevelFilter::INFO, LogFormat::Logfmt, say);
        let (time, rest) = line.split_once(" level=").unwrap();
        assert!(time.starts_with("ts=20") && time.ends_with('Z'), "{line}");
        let target = module_path!();
        assert_eq!(
            rest,
            format!(
                "warn target={target} msg=\"it \\\"failed\\\": why\\n\" project=\"a b\" status=429 \
                 skew_seconds=-1.5 whole=true cause=\"x=\\u009b\" ids=\"[\\\"r-1\\\"]\"\n"
            )
        );
    }

    #[test]
    fn libraries_speak_at_trace_only() {
        let say = || {
            tracing::error!(target: "hyper::proto", "theirs");
            tracing::debug!("ours");
        };
        let logged = |level| logged(level, LogFormat::Logfmt, say);
        let debug = logged(LevelFilter::DEBUG);
        assert!(debug.contains("ours") && !debug.contains("theirs"), "{debug}");
        let trace = logged(LevelFilter::TRACE);
        assert!(trace.contains("ours") && trace.contains("theirs"), "{trace}");
        assert_eq!(logged(LevelFilter::INFO), "");
    }
}
