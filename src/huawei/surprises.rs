//! Logs each surprise once, so that the cause of `api_surprises_total` can be looked up in the log.

use std::sync::{Mutex, PoisonError};

use super::{transport::Answer, wire::Oddity};

/// At most this many surprises of one project are logged. More than that means a new API: they are only
/// counted.
const MOST_LOGGED: usize = 100;
/// The logged length of a value: enough to find it in the cloud's console.
const LONGEST: usize = 100;

/// The surprises of a project that were logged.
#[derive(Debug, Default)]
pub(super) struct Logged(Mutex<Vec<Oddity>>);

/// Where a surprise was met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) project: &'a str,
    pub(super) operation: &'a str,
    pub(super) cluster_id: Option<&'a str>,
}

impl Logged {
    /// Logs the surprises that were not logged before. A secret that was sent and came back stays hidden.
    pub(super) fn tell(&self, place: Place<'_>, oddities: Vec<Oddity>, answer: Option<&Answer>) {
        let fit = |text: String| {
            // Hide secrets before cutting: half a secret would not be found.
            let text = answer.map_or(text.clone(), |answer| answer.hide(&text));
            text[..text.floor_char_boundary(LONGEST)].to_owned()
        };
        for Oddity { kind, field, value } in oddities {
            let oddity = Oddity { kind, field: fit(field), value: fit(value) };
            if self.is_new(&oddity) {
                let Place { project, operation, cluster_id } = place;
                tracing::info!(
                    project,
                    cluster_id,
                    operation,
                    kind = oddity.kind.as_str(),
                    field = oddity.field,
                    value = oddity.value,
                    request_id = answer.and_then(|answer| answer.request_id.as_deref()),
                    "the API answered something that is not documented"
                );
            }
        }
    }

    fn is_new(&self, oddity: &Oddity) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new =
            logged.len() < MOST_LOGGED && logged.iter().all(|known| !known.is_like(oddity));
        if is_new {
            logged.push(oddity.clone());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::wire::Surprise;

    #[test]
    fn each_surprise_is_new_once_and_there_is_an_end() {
        let logged = Logged::default();
        let oddity = |kind, field: &str, value: &str| Oddity {
            kind,
            field: field.to_owned(),
            value: value.to_owned(),
        };
        let cases = [
            (oddity(Surprise::UnknownField, "a", "1"), true),
            (oddity(Surprise::UnknownField, "a", "2"), false),
            (oddity(Surprise::UnknownField, "b", "1"), true),
            (oddity(Surprise::CoercedType, "a", "1"), true),
            (oddity(Surprise::UnknownStatus, "status", "x"), true),
            (oddity(Surprise::UnknownStatus, "status", "y"), true),
            (oddity(Surprise::UnknownStatus, "status", "x"), false),
        ];
        for (oddity, expected) in &cases {
            assert_eq!(logged.is_new(oddity), *expected, "{oddity:?}");
        }
        let many = 0..2 * MOST_LOGGED;
        let new = many.filter(|number| {
            logged.is_new(&oddity(Surprise::UnparsableValue, "f", &number.to_string()))
        });
        assert_eq!(new.count(), MOST_LOGGED - 5);
    }
}
