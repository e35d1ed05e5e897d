//! Logs each surprise once, so that the cause of `api_surprises_total` can be looked up in the log.

use parking_lot::Mutex;

use super::{operation::Operation, transport::Answer, wire::Oddity};
use crate::model::ClusterId;

/// More surprises of one kind in one project are a new API: they are counted, and not logged.
const MOST_OF_A_KIND: usize = 20;
/// Enough of an odd value to find it in the cloud's console.
const LONGEST: usize = 100;

/// The surprises of a project that were logged.
#[derive(Debug, Default)]
pub(super) struct SurpriseLog(Mutex<Vec<Oddity>>);

impl SurpriseLog {
    /// Logs the surprises that were not logged before. A secret that was sent and came back stays hidden.
    pub(super) fn tell(
        &self,
        project: &str,
        operation: Operation,
        cluster: Option<&ClusterId>,
        oddities: Vec<Oddity>,
        answer: Option<&Answer>,
    ) {
        let fit = |text: String| {
            // Secrets are hidden before the cut: half a secret would not be found.
            let text = answer.map_or(text.clone(), |answer| answer.hide(&text));
            text[..text.floor_char_boundary(LONGEST)].to_owned()
        };
        for Oddity { kind, field, value } in oddities {
            let oddity = Oddity { kind, field: fit(field), value: fit(value) };
            let Some(is_last) = self.is_new(&oddity) else { continue };
            tracing::info!(
                project,
                cluster_id = cluster.map(ClusterId::as_str),
                operation = operation.as_str(),
                kind = oddity.kind.as_str(),
                field = oddity.field,
                value = oddity.value,
                request_id = answer.and_then(|answer| answer.request_id.as_deref()),
                "the API answered something that is not documented"
            );
            if is_last {
                tracing::info!(
                    project,
                    kind = oddity.kind.as_str(),
                    "further unexpected values of this kind are only counted, in css_vpcep_exporter_api_surprises_total"
                );
            }
        }
    }

    /// Returns true for the last one of its kind that is logged, and `None` for one that is not logged.
    fn is_new(&self, oddity: &Oddity) -> Option<bool> {
        let mut logged = self.0.lock();
        let of_its_kind = logged.iter().filter(|known| known.kind == oddity.kind).count();
        let is_known = logged.iter().any(|known| known.is_like(oddity));
        if is_known || of_its_kind == MOST_OF_A_KIND {
            return None;
        }
        logged.push(oddity.clone());
        Some(of_its_kind + 1 == MOST_OF_A_KIND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::wire::Surprise;

    #[test]
    fn each_surprise_is_new_once_and_there_is_an_end() {
        let logged = SurpriseLog::default();
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
            assert_eq!(logged.is_new(oddity).is_some(), *expected, "{oddity:?}");
        }
        let many = 0..2 * MOST_OF_A_KIND;
        let new = many.filter_map(|number| {
            logged.is_new(&oddity(Surprise::UnparsableValue, "f", &number.to_string()))
        });
        let mut expected = vec![false; MOST_OF_A_KIND];
        expected[MOST_OF_A_KIND - 1] = true;
        assert_eq!(new.collect::<Vec<_>>(), expected, "the last one says so");
        let other = oddity(Surprise::UnknownField, "c", "1");
        assert_eq!(logged.is_new(&other), Some(false), "another kind has its own limit");
    }
}
