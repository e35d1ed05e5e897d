//! The table, and the same as JSON lines.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

pub(crate) struct Report {
    path: PathBuf,
    file: File,
    last: String,
}

/// A folder of this benchmark below the target folder.
pub(crate) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Report {
    pub(crate) fn new() -> Self {
        let path = folder().join("results.jsonl");
        let file = File::create(&path).unwrap();
        Self { path, file, last: String::new() }
    }

    pub(crate) fn row(&mut self, what: &str, who: &str, figures: Value) {
        let mut line = json!({ "what": what, "who": who });
        line.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
        writeln!(self.file, "{line}").unwrap();
        let said = figures.as_object().unwrap().iter().filter_map(|(name, value)| {
            let text = match value {
                Value::Null => return None,
                Value::Number(number) if number.is_f64() => short(number.as_f64().unwrap()),
                other => other.to_string(),
            };
            Some(format!("{name} {text}"))
        });
        self.print(what, who, &said.collect::<Vec<_>>().join("  "));
    }

    pub(crate) fn missing(&mut self, what: &str, who: &str, why: &str) {
        writeln!(self.file, "{}", json!({ "what": what, "who": who, "missing": why })).unwrap();
        self.print(what, who, why);
    }

    fn print(&mut self, what: &str, who: &str, text: &str) {
        if self.last != what {
            println!("{what}");
            what.clone_into(&mut self.last);
        }
        println!("    {who:<34} {text}");
    }

    pub(crate) fn end(&self) {
        println!("\nas JSON lines: {}", self.path.display());
    }
}

fn short(number: f64) -> String {
    match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.3}"),
    }
}

pub(crate) fn median(numbers: Vec<f64>) -> f64 {
    percentile(numbers, 50)
}

pub(crate) fn percentile(mut numbers: Vec<f64>, percent: usize) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[(numbers.len() * percent / 100).min(numbers.len() - 1)]
}
