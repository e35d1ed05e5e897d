//! Lines of the text format 0.0.4 (Prometheus documentation, "Exposition formats").

use std::fmt::{Display, Write as _};

use crate::stats::Definition;

/// A page that grows family by family.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    name: &'static str,
    samples: usize,
}

impl Page {
    /// Begins a family: its HELP and TYPE.
    pub(super) fn family(&mut self, definition: &Definition) {
        self.name = definition.name;
        self.text.extend(["# HELP ", definition.name, " "]);
        for character in definition.help.chars() {
            match character {
                '\\' => self.text.push_str(r"\\"),
                '\n' => self.text.push_str(r"\n"),
                other => self.text.push(other),
            }
        }
        let kind = definition.kind.as_str();
        self.text.extend(["\n# TYPE ", definition.name, " ", kind, "\n"]);
    }

    /// A sample of the present family; `labels` is what [`label`] makes, joined with commas.
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.text.push_str(self.name);
        if !labels.is_empty() {
            self.text.extend(["{", labels, "}"]);
        }
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, " {value}");
        self.samples += 1;
    }

    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// One label with its value escaped.
pub(super) fn label(name: &str, value: &str) -> String {
    let mut text = String::with_capacity(name.len() + value.len() + 3);
    push_label(&mut text, name, value);
    text
}

/// Adds a label to `text`, with a comma before it where it is not the first.
pub(super) fn push_label(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.extend([name, "=\""]);
    for character in value.chars() {
        match character {
            '\\' => text.push_str(r"\\"),
            '"' => text.push_str(r#"\""#),
            '\n' => text.push_str(r"\n"),
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Kind;

    #[test]
    fn help_and_labels_are_escaped_as_the_format_asks() {
        let definition = Definition {
            name: "m",
            kind: Kind::Gauge,
            labels: &["a"],
            help: "back\\slash, \"quote\"\nand line",
        };
        let mut page = Page::default();
        page.family(&definition);
        page.sample(&label("a", "back\\slash, \"quote\"\nand line"), 1);
        let mut two = label("a", "1");
        push_label(&mut two, "b", "2");
        page.sample(&two, 1.5);
        page.sample("", f64::from(7));
        assert_eq!(
            page.into_text(),
            "# HELP m back\\\\slash, \"quote\"\\nand line\n\
             # TYPE m gauge\n\
             m{a=\"back\\\\slash, \\\"quote\\\"\\nand line\"} 1\n\
             m{a=\"1\",b=\"2\"} 1.5\n\
             m 7\n"
        );
    }
}
