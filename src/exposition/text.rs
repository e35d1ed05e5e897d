//! Lines of the two text formats: Prometheus 0.0.4 and OpenMetrics 1.0.0. Samples are the same in
//! both; what is said about them differs a little.

use std::fmt::{self, Display, Write as _};

use super::Format;
use crate::stats::{Definition, Kind};

/// Text that grows family by family.
pub(super) struct Lines {
    format: Format,
    text: String,
    /// Of the present family; a counter's samples have its full name in both formats.
    name: String,
}

impl Lines {
    pub(super) fn new(format: Format) -> Self {
        Self { format, text: String::new(), name: String::new() }
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

    /// A sample of the present family; `labels` is what [`label`] makes, joined with commas.
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.suffixed_sample("", labels, value);
    }

    /// A sample whose name is the family's with a suffix, as histograms have them.
    pub(super) fn suffixed_sample(&mut self, suffix: &str, labels: &str, value: impl Display) {
        self.text.extend([self.name.as_str(), suffix]);
        if !labels.is_empty() {
            self.text.extend(["{", labels, "}"]);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, " {value}");
    }

    /// What was written so far.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// The end of a page, with the mark that nothing is missing where the format has one.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics100 {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// A number that may be infinite, or none: Rust and the formats spell these differently.
pub(super) struct Number(pub(super) f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            number => Display::fmt(&number, f),
        }
    }
}

/// One label with its value escaped.
pub(super) fn label(name: &str, value: &str) -> String {
    let mut text = String::with_capacity(name.len() + value.len() + 3);
    push_label(&mut text, name, value);
    text
}

/// Adds a label to `text`, with a comma before it where it is not the first: that is, where nothing
/// is before it, or the brace that begins the labels.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.extend([name, "=\""]);
    push_escaped(text, value, true);
    text.push('"');
}

pub(super) fn push_escaped(text: &mut String, value: &str, quotes: bool) {
    // Nearly every value: a search for bytes is much faster than a walk over characters.
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

    const AWKWARD: &str = "back\\slash, \"quote\"\nand line";

    fn page(format: Format) -> String {
        let mut page = Lines::new(format);
        let definition = Definition { name: "m", kind: Kind::Gauge, labels: &["a"], help: AWKWARD };
        page.family(&definition);
        page.sample(&label("a", AWKWARD), 1);
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
    fn numbers_are_spelled_as_the_formats_ask() {
        let spelled = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0, 0.25, 1e9, 1.7e18, -0.5]
            .map(|number| Number(number).to_string());
        let expected =
            ["+Inf", "-Inf", "NaN", "1", "0.25", "1000000000", "1700000000000000000", "-0.5"];
        assert_eq!(spelled, expected);
    }
}
