//! Logs to stderr, in the two formats of the Prometheus world: logfmt and JSON. Both have the same
//! keys with the same values: `ts`, `level`, `target`, `msg`, then the fields of the line.
//!
//! Texts of the cloud are escaped in both, so they can neither forge a line nor move a terminal's cursor.

use std::{fmt, io};

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::Value;
use tracing::{Event, Level, Subscriber, field::Field, level_filters::LevelFilter};
use tracing_subscriber::{
    field::Visit,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::text::may_be_shown;

/// The targets of the exporter's own lines begin with the name of its library.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

#[derive(Args, Debug)]
pub(super) struct LogArgs {
    /// Lines of this level and above are written to stderr
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        env = "CSS_VPCEP_EXPORTER_LOG_LEVEL",
        default_value = "info"
    )]
    level: LogLevel,
    /// How lines are written
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        env = "CSS_VPCEP_EXPORTER_LOG_FORMAT",
        default_value = "logfmt"
    )]
    format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
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
        let registry = tracing_subscriber::registry().with(self.filter());
        // A second subscriber, or a closed stderr: neither can be reported.
        let _ = registry.with(self.lines(Above(bar))).try_init();
    }

    /// Libraries log at trace only: anything that matters comes back to us as an error.
    fn filter(&self) -> Targets {
        match self.level {
            LogLevel::Trace => Targets::new().with_default(LevelFilter::TRACE),
            LogLevel::Debug => Targets::new().with_target(OWN_TARGET, LevelFilter::DEBUG),
            LogLevel::Info => Targets::new().with_target(OWN_TARGET, LevelFilter::INFO),
            LogLevel::Warn => Targets::new().with_target(OWN_TARGET, LevelFilter::WARN),
            LogLevel::Error => Targets::new().with_target(OWN_TARGET, LevelFilter::ERROR),
        }
    }

    fn lines<S, W>(&self, writer: W) -> impl tracing_subscriber::Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        tracing_subscriber::fmt::layer()
            .with_writer(writer)
            .log_internal_errors(false)
            .event_format(Line(self.format))
    }
}

/// Writes to stderr, above the progress bar if there is one.
#[derive(Clone)]
struct Above(ProgressBar);

impl MakeWriter<'_> for Above {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl io::Write for Above {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Formats an event as a line.
struct Line(LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warn",
            Level::ERROR => "error",
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let first = [
            ("ts", now.into()),
            ("level", level.into()),
            ("target", metadata.target().into()),
            ("msg", fields.message.into()),
        ];
        let fields = first.into_iter().chain(fields.others);
        match self.0 {
            LogFormat::Logfmt => logfmt(&mut writer, fields),
            LogFormat::Json => json(&mut writer, fields),
        }
    }
}

type Entry = (&'static str, Value);

/// `ts=… level=… msg=… key=value …`, as the Go programs of the Prometheus world do.
fn logfmt(out: &mut impl fmt::Write, fields: impl Iterator<Item = Entry>) -> fmt::Result {
    for (position, (key, value)) in fields.enumerate() {
        write!(out, "{}{key}=", if position > 0 { " " } else { "" })?;
        match value {
            Value::String(text) => push_word(out, &text)?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_char('\n')
}

fn json(out: &mut impl fmt::Write, fields: impl Iterator<Item = Entry>) -> fmt::Result {
    for (position, (key, value)) in fields.enumerate() {
        write!(out, "{}\"{key}\":", if position > 0 { "," } else { "{" })?;
        match value {
            Value::String(text) => push_quoted(out, &text)?,
            other => write!(out, "{other}")?,
        }
    }
    out.write_str("}\n")
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

/// Quotes any text that is not a single plain word.
fn push_word(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let plain = |character: char| {
        !character.is_whitespace() && may_be_shown(character) && !"\"=\\".contains(character)
    };
    if !value.is_empty() && value.chars().all(plain) {
        return out.write_str(value);
    }
    push_quoted(out, value)
}

/// A JSON string in which line breaks and all characters that control a terminal are escaped.
fn push_quoted(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in value.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            '\n' => out.write_str("\\n")?,
            // All of these have four digits at most.
            odd if !may_be_shown(odd) => write!(out, "\\u{:04x}", u32::from(odd))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read as _, Seek as _, SeekFrom},
        sync::Arc,
    };

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
            ("\u{1b}[31m\u{2028}\r", "\"\\u001b[31m\\u2028\\u000d\""),
            ("\u{9b}2J\u{202e}", "\"\\u009b2J\\u202e\""),
        ];
        for (value, expected) in cases {
            let mut out = String::new();
            push_word(&mut out, value).unwrap();
            assert_eq!(out, expected);
            let mut json = String::new();
            push_quoted(&mut json, value).unwrap();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
        }
    }

    /// The output of `say` at a level, in a format.
    fn logged(level: LogLevel, format: LogFormat, say: impl FnOnce()) -> String {
        let path = std::env::temp_dir().join(format!(
            "css-vpcep-exporter-log-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
        let file = Arc::new(file.unwrap());
        std::fs::remove_file(path).unwrap();
        let args = LogArgs { level, format };
        let registry = tracing_subscriber::registry().with(args.filter());
        tracing::subscriber::with_default(registry.with(args.lines(file.clone())), say);
        let (mut file, mut text) = (&*file, String::new());
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
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
        let line = logged(LogLevel::Info, LogFormat::Json, say);
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

        let line = logged(LogLevel::Info, LogFormat::Logfmt, say);
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
        let debug = logged(LogLevel::Debug);
        assert!(debug.contains("ours") && !debug.contains("theirs"), "{debug}");
        let trace = logged(LogLevel::Trace);
        assert!(trace.contains("ours") && trace.contains("theirs"), "{trace}");
        assert_eq!(logged(LogLevel::Info), "");
    }
}
