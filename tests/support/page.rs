//! A reader of the text format 0.0.4 that is stricter than Prometheus: what it lets pass silently is
//! a mistake here.

use std::collections::{BTreeMap, HashSet};

/// A line with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// A page without a mistake.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    pub(crate) samples: Vec<Sample>,
}

impl Page {
    /// Reads a page: HELP and TYPE exactly once for each family and before its samples, the samples
    /// of a family together, and no series twice.
    pub(crate) fn parse(text: &str) -> Result<Page, String> {
        let mut samples = Vec::new();
        let mut seen_families = HashSet::new();
        let mut seen_series = HashSet::new();
        let mut helped = "";
        let mut family = ("", "");
        if !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        for line in text.strip_suffix('\n').unwrap_or_default().split('\n') {
            let wrong = |what: &str| format!("{what}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                helped = rest.split_once(' ').ok_or_else(|| wrong("no help"))?.0;
                if !seen_families.insert(helped) {
                    return Err(wrong("a family that was there already"));
                }
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
                let known = ["counter", "gauge", "histogram"].contains(&family.1);
                if family.0 != helped || !known {
                    return Err(wrong("a type without its help, twice, or unknown"));
                }
                helped = "";
            } else {
                let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
                if !belongs(&sample.name, family) || !helped.is_empty() {
                    return Err(wrong("outside of its family"));
                }
                if !seen_series.insert((sample.name.clone(), sample.labels.clone())) {
                    return Err(wrong("a series that was there already"));
                }
                samples.push(sample);
            }
        }
        Ok(Page { samples })
    }

    /// The samples of a name that have at least these labels.
    pub(crate) fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let fits = |sample: &&Sample| {
            let has = |(name, value): &(&str, &str)| {
                sample.labels.get(*name).is_some_and(|own| own == value)
            };
            sample.name == name && labels.iter().all(has)
        };
        self.samples.iter().filter(fits).collect()
    }

    /// The value of the only such sample, if there is one.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let found = self.all(name, labels);
        assert!(found.len() <= 1, "{name} {labels:?} is not one series: {found:?}");
        found.first().map(|sample| sample.value)
    }

    /// Sum over all such samples.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).iter().map(|sample| sample.value).sum()
    }
}

fn belongs(sample: &str, (family, kind): (&str, &str)) -> bool {
    match sample.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some("_bucket" | "_sum" | "_count") => kind == "histogram",
        _ => false,
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = after;
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?;
    if !is_name(name) || value.contains(' ') {
        return None;
    }
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// The text before the closing quote, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                plain @ ('\\' | '"') => plain,
                _ => return None,
            }),
            control if control.is_control() => return None,
            other => value.push(other),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(word) && text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

#[test]
fn pages_are_read_strictly() {
    let good = [
        "# HELP m h\n# TYPE m gauge\nm 1\n",
        "# HELP m h\n# TYPE m gauge\n# HELP n h\n# TYPE n counter\nn{a=\"1\",b=\"2\"} 1e3\nn 2\n",
        "# HELP m h\n# TYPE m histogram\nm_bucket{le=\"+Inf\"} 1\nm_sum 0.5\nm_count 1\n",
        "# HELP m h\n# TYPE m gauge\nm{a=\"x\"} NaN\nm{a=\"{y, \\\\ \\\" \\n} 1\"} +Inf\n",
    ];
    for text in good {
        assert!(Page::parse(text).is_ok(), "{text}: {:?}", Page::parse(text));
    }
    let bad = [
        "",
        "m 1\n",
        "# HELP m h\n# TYPE m gauge\nm 1",
        "# HELP m h\n# TYPE m gauge\n\nm 1\n",
        "# TYPE m gauge\nm 1\n",
        "# HELP m h\nm 1\n",
        "# HELP m h\n# TYPE m thing\nm 1\n",
        "# HELP m h\n# TYPE n gauge\nn 1\n",
        "# HELP m h\n# TYPE m gauge\n# TYPE m gauge\nm 1\n",
        "# HELP m h\n# TYPE m gauge\nm 1\nn 1\n",
        "# HELP m h\n# TYPE m gauge\nm 1\n# HELP m h\n# TYPE m gauge\nm{a=\"1\"} 1\n",
        "# HELP m h\n# TYPE m gauge\n# HELP n h\n# TYPE n gauge\nm 1\n",
        "# HELP m h\n# TYPE m gauge\nm{a=\"1\",b=\"2\"} 1\nm{b=\"2\",a=\"1\"} 2\n",
        "# HELP m h\n# TYPE m gauge\nm{a=\"1\",a=\"2\"} 1\n",
        "# HELP m h\n# TYPE m gauge\nm{a=\"1} 1\n",
        "# HELP m h\n# TYPE m gauge\nm{a=\"\\t\"} 1\n",
        "# HELP m h\n# TYPE m gauge\nm{1=\"a\"} 1\n",
        "# HELP m h\n# TYPE m gauge\nm one\n",
        "# HELP m h\n# TYPE m gauge\nm 1 1700000000\n",
        "# HELP m h\n# TYPE m gauge\nm_sum 1\n",
        "# HELP m h\n# TYPE m histogram\nm 1\n",
    ];
    for text in bad {
        assert!(Page::parse(text).is_err(), "{text}");
    }
}

#[test]
fn samples_are_found_by_their_labels() {
    let text = "# HELP m h\n# TYPE m gauge\nm{a=\"\\\"\",b=\"2\"} 1\nm{a=\"x\\n\",b=\"2\"} 2\n";
    let page = Page::parse(text).unwrap();
    assert_eq!(page.value("m", &[("a", "\"")]), Some(1.0));
    assert_eq!(page.value("m", &[("b", "2"), ("a", "x\n")]), Some(2.0));
    assert_eq!(page.value("m", &[("a", "x")]), None);
    assert_eq!((page.all("m", &[]).len(), page.sum("m", &[("b", "2")])), (2, 3.0));
}
