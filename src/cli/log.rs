//! Logs to stderr, in the two formats of the Prometheus world: logfmt and JSON.
//!
//! Values of the cloud go into fields, which both formats escape: a line break in one cannot forge
//! a line.

use std::{
    fmt::{self, Write as _},
    io::IsTerminal as _,
};

use clap::{Args, ValueEnum};
use tracing::{Event, Level, Subscriber, field::Field, level_filters::LevelFilter};
use tracing_subscriber::{
    field::Visit,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

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
        let level = match self.level {
            LogLevel::Trace => LevelFilter::TRACE,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Error => LevelFilter::ERROR,
        };
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal());
        let registry = tracing_subscriber::registry().with(level);
        let _ = match self.format {
            LogFormat::Logfmt => registry.with(lines.event_format(Logfmt)).try_init(),
            LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        };
    }
}

/// `ts=… level=… msg=… key=value …`, as the Go programs of the Prometheus world write it.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
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
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
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
        write!(writer, " level={level} target={} msg=", metadata.target())?;
        push_value(&mut writer, &fields.message)?;
        writeln!(writer, "{}", fields.others)
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn push(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            // Writing to a String cannot fail.
            let _ = write!(self.others, " {}=", field.name());
            let _ = push_value(&mut self.others, value);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &format!("{value:?}"));
    }
}

/// Quotes what is not one plain word; a control character or a line separator is escaped.
fn push_value(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let plain = |character: char| {
        !character.is_whitespace() && !character.is_control() && !"\"=\\".contains(character)
    };
    if !value.is_empty() && value.chars().all(plain) {
        return out.write_str(value);
    }
    out.write_char('"')?;
    for character in value.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            '\n' => out.write_str("\\n")?,
            '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", u32::from(character))?,
            other if other.is_control() => write!(out, "\\u{:04x}", u32::from(other))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
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
        ];
        for (value, expected) in cases {
            let mut out = String::new();
            push_value(&mut out, value).unwrap();
            assert_eq!(out, expected);
        }
    }
}
