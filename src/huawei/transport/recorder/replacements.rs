//! Ids, names, addresses and accounts, each replaced by one of the same form: the same one always by the
//! same one, so that what belonged together still does.

use std::collections::HashMap;

use super::{
    json_strings,
    shape::{Shape, is_harmless, is_of_api, is_sentence, is_word},
};
use crate::model::RegionId;

/// The replacements of a recording.
#[derive(Debug, Default)]
pub(super) struct Replacements {
    known: HashMap<String, String>,
    given: HashMap<Shape, u32>,
}

impl Replacements {
    /// Nothing is replaced so far; the regions stay as they are.
    pub(super) fn new(regions: &[RegionId]) -> Self {
        let regions = regions.iter().map(|region| region.as_str().to_owned());
        Self { known: regions.map(|region| (region.clone(), region)).collect(), ..Self::default() }
    }

    /// A JSON body; `None` for any other.
    pub(super) fn json(&mut self, body: &str) -> Option<String> {
        json_strings::replaced(body, |key, value| match () {
            () if is_of_api(key, value) => value.to_owned(),
            () if is_sentence(key) => self.sentence(value),
            () => self.text(value),
        })
    }

    /// The path of a request: fixed words and ids.
    pub(super) fn path(&mut self, path: &str) -> String {
        self.parts(path, "/", |all, part| match Shape::of(part) {
            Shape::Uuid | Shape::Id => all.text(part),
            _ => part.to_owned(),
        })
    }

    /// The value of a query's parameter.
    pub(super) fn word(&mut self, text: &str) -> String {
        if is_word(text) { text.to_owned() } else { self.text(text) }
    }

    /// Any text: a URL, a service's name (`region.name.id`) and a list with colons by their parts.
    pub(super) fn text(&mut self, text: &str) -> String {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        if is_harmless(text) {
            return text.to_owned();
        }
        let shape = Shape::of(text);
        let last = text.rsplit('.').next().unwrap_or_default();
        match () {
            () if shape == Shape::Text && text.contains(['/', ':']) => {
                self.parts(text, "/:", Self::word)
            }
            () if last.len() < text.len() && Shape::of(last) == Shape::Uuid => {
                self.parts(text, ".", Self::text)
            }
            () => self.new_one(text, shape),
        }
    }

    fn new_one(&mut self, text: &str, shape: Shape) -> String {
        let given = self.given.entry(shape).or_default();
        *given += 1;
        let new = shape.replacement(*given);
        self.known.insert(text.to_owned(), new.clone());
        new
    }

    fn sentence(&mut self, text: &str) -> String {
        self.parts(text, " \t\r\n,;()[]{}<>'\"=|!?&", |all, part| {
            let word = part.trim_end_matches(['.', ':']);
            all.word(word) + &part[word.len()..]
        })
    }

    /// The parts between separators, which stay.
    fn parts(
        &mut self,
        text: &str,
        separators: &str,
        mut replace: impl FnMut(&mut Self, &str) -> String,
    ) -> String {
        let pieces = text.split_inclusive(|character| separators.contains(character));
        let replaced = pieces.map(|piece| {
            let part = piece.trim_end_matches(|character| separators.contains(character));
            let new = if part.is_empty() { String::new() } else { replace(self, part) };
            new + &piece[part.len()..]
        });
        replaced.collect()
    }
}

#[cfg(test)]
mod tests;
