//! Lines of the two text formats: Prometheus 0.0.4 and OpenMetrics 1.0.0. Both have the same samples;
//! their headers differ a little.

use std::fmt::{self, Display, Write as _};

use crate::stats::{Definition, Kind};

/// The formats of the page. Both carry the same samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text004,
    /// OpenMetrics 1.0.0.
    OpenMetrics100,
}

impl Format {
    /// The media type of a page in this format.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics100 => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Text that grows family by family.
pub(super) struct Lines {
    format: Format,
    text: String,
    /// The name of the present family; a counter's samples have its full name in both formats.
    name: String,
}

impl Lines {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::new(), name: String::new() }
    }

    /// The header of a family alone.
    pub(super) fn header(format: Format, definition: &Definition) -> String {
        let mut lines = Self::new(format);
        lines.family(definition);
        lines.text
    }

    /// Begins a family: its HELP and TYPE.
    pub(super) fn family(&mut self, definition: &Definition) {
        self.named_family(definition.name, definition.kind, definition.help);
    }

    /// Begins a family that has no [`Definition`].
    pub(super) fn named_family(&mut self, name: &str, kind: Kind, help: &str) {
        name.clone_into(&mut self.name);
        let family = match (self.format, kind) {
            // OpenMetrics counts `_total` to the sample, not to the family.
            (Format::OpenMetrics100, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        self.text.extend(["# HELP ", family, " "]);
        push_escaped(&mut self.text, help, self.format == Format::OpenMetrics100);
        self.text.extend(["\n# TYPE ", family, " ", kind.as_str(), "\n"]);
    }

    /// Adds a sample of the present family; `labels` is made by [`push_label`].
    pub(super) fn sample(&mut self, labels: &str, value: impl Into<Value>) {
        self.suffixed_sample("", labels, value);
    }

    /// Adds a sample whose name is the family's with a suffix, as histograms have them.
    pub(super) fn suffixed_sample(&mut self, suffix: &str, labels: &str, value: impl Into<Value>) {
        self.text.extend([self.name.as_str(), suffix]);
        if !labels.is_empty() {
            self.text.extend(["{", labels, "}"]);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, " {}", value.into());
    }

    /// The text so far, for samples that are ready lines.
    pub(super) fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Ends a page, with the mark that nothing is missing where the format has one.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics100 {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// Integers of 64 bits would lose digits as a float.
    Whole(u64),
    Number(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Whole(value) => value.fmt(f),
            // The formats spell infinity differently from Rust.
            Self::Number(f64::INFINITY) => f.write_str("+Inf"),
            Self::Number(f64::NEG_INFINITY) => f.write_str("-Inf"),
            // An integer is spelled the same as the float, and several times faster.
            Self::Number(value) if value.fract() == 0.0 && (1.0..1e15).contains(&value) => {
                (value as u64).fmt(f)
            }
            Self::Number(value) => value.fmt(f),
        }
    }
}

/// Adds a label to `text`, with a comma before it unless the text is empty.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.extend([name, "=\""]);
    push_escaped(text, value, true);
    text.push('"');
}

/// A label alone.
pub(super) fn label(name: &str, value: &str) -> String {
    let mut text = String::new();
    push_label(&mut text, name, value);
    text
}

fn push_escaped(text: &mut String, value: &str, quotes: bool) {
    // Nearly every value is free of them: a search for bytes is much faster than a walk over characters.
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
        text.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '\\' => text.push_str(r"\\"),
            '\n' => text.push_str(r"\n"),
            '"' if quotes => text.push_str(r#"\""#),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random_tests::check;

    const AWKWARD: &str = "back\\slash, \"quote\"\nand line";

    fn page(format: Format) -> String {
        let mut page = Lines::new(format);
        let definition = Definition { name: "m", kind: Kind::Gauge, labels: &["a"], help: AWKWARD };
        page.family(&definition);
        page.sample(&label("a", AWKWARD), 1_u64);
        let mut two = label("a", "1");
        push_label(&mut two, "b", "2");
        page.sample(&two, 1.5);
        page.named_family("c_total", Kind::Counter, "C.");
        page.sample("", f64::from(7));
        page.finish()
    }

    #[test]
    fn text_is_escaped_as_the_format_asks() {
        assert_eq!(
            page(Format::Text004),
            "# HELP m back\\\\slash, \"quote\"\\nand line\n\
             # TYPE m gauge\n\
             m{a=\"back\\\\slash, \\\"quote\\\"\\nand line\"} 1\n\
             m{a=\"1\",b=\"2\"} 1.5\n\
             # HELP c_total C.\n\
             # TYPE c_total counter\n\
             c_total 7\n"
        );
    }

    #[test]
    fn openmetrics_escapes_more_names_counters_otherwise_and_ends() {
        assert_eq!(
            page(Format::OpenMetrics100),
            "# HELP m back\\\\slash, \\\"quote\\\"\\nand line\n\
             # TYPE m gauge\n\
             m{a=\"back\\\\slash, \\\"quote\\\"\\nand line\"} 1\n\
             m{a=\"1\",b=\"2\"} 1.5\n\
             # HELP c C.\n\
             # TYPE c counter\n\
             c_total 7\n\
             # EOF\n"
        );
    }

    #[test]
    fn any_label_is_one_line_and_reads_back_equal() {
        check(500, &"[an{},=é \"\n\\\\]{0,12}", |value| {
            let label = label("a", &value);
            let inside = label.strip_prefix("a=\"").and_then(|rest| rest.strip_suffix('"'));
            let (mut read, mut rest) = (String::new(), inside.unwrap().chars());
            while let Some(character) = rest.next() {
                assert!(!matches!(character, '\n' | '"'), "{label}");
                read.push(match character {
                    '\\' => match rest.next() {
                        Some('n') => '\n',
                        Some(escaped @ ('\\' | '"')) => escaped,
                        other => panic!("{other:?} is no escape: {label}"),
                    },
                    other => other,
                });
            }
            assert_eq!(read, value);
        });
    }

    #[test]
    fn numbers_are_spelled_as_the_formats_ask() {
        let spelled = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, 0.25, 1e9, 1.7e18, -0.5]
            .map(|number| Value::from(number).to_string());
        let expected =
            ["+Inf", "-Inf", "NaN", "1", "0.25", "1000000000", "1700000000000000000", "-0.5"];
        assert_eq!(spelled, expected);
    }
}
