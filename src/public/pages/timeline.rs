//! The statuses of a connection over the last day, as a line of colours.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::html::Html;
use crate::{board::Transition, model::Status};

/// The line shows so much of the past.
const LENGTH: SignedDuration = SignedDuration::from_hours(24);
/// The width of the drawing in its own units.
const WIDTH: i64 = 1000;

/// A status and the place on the line where it begins.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    from: i64,
    status: Status,
}

/// Draws the line of a connection that has this status now. `transitions`: its own, oldest first.
/// `known_since`: nothing is known from before.
pub(super) fn draw<'a>(
    page: &mut Html,
    status: Status,
    transitions: impl Iterator<Item = &'a Transition>,
    known_since: Option<Timestamp>,
    now: Timestamp,
) {
    let transitions: Vec<_> = transitions.collect();
    let segments = segments(status, &transitions, known_since, now);
    page.raw(
        "<svg class=\"line\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\"",
    );
    page.raw(" aria-label=\"").text(&in_words(&segments, &transitions)).raw("\">");
    let ends = segments.iter().skip(1).map(|segment| segment.from).chain([WIDTH]);
    for (segment, end) in segments.iter().zip(ends) {
        page.raw("<rect height=\"10\" x=\"").text(&segment.from.to_string());
        page.raw("\" width=\"").text(&(end - segment.from).max(1).to_string());
        page.raw("\" class=\"").raw(segment.status.as_str()).raw("\"/>");
    }
    page.raw("</svg>");
}

fn segments(
    status: Status,
    transitions: &[&Transition],
    known_since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Segment> {
    let begin = now - LENGTH;
    let place = |at: Timestamp| {
        let passed = at.duration_since(begin).as_secs().max(0);
        (passed * WIDTH / LENGTH.as_secs()).min(WIDTH - 1)
    };
    let first = transitions.first().map_or(status, |first| first.from);
    let mut segments = vec![Segment { from: known_since.map_or(0, place), status: first }];
    for transition in transitions {
        let from = place(transition.at);
        // Only the last of several in one place can be seen.
        segments.retain(|before| before.from < from);
        segments.push(Segment { from, status: transition.to });
    }
    segments
}

fn in_words(segments: &[Segment], transitions: &[&Transition]) -> String {
    let mut words = segments[0].status.as_str().to_owned();
    for transition in transitions {
        let _ = write!(
            words,
            ", {} since {}",
            transition.to.as_str(),
            transition.at.strftime("%F %T UTC")
        );
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointId;

    fn transition(hour: i64, from: Status, to: Status) -> Transition {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        Transition { at, endpoint_id: EndpointId::new("e"), from, to }
    }

    #[test]
    fn a_line_has_a_segment_for_each_status_that_can_be_seen() {
        use Status::{Accepted, PendingAcceptance, Rejected};
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(48);
        let line = |transitions: &[Transition], known_since| {
            let transitions: Vec<_> = transitions.iter().collect();
            let segments = segments(Rejected, &transitions, known_since, now);
            segments.into_iter().map(|one| (one.from, one.status)).collect::<Vec<_>>()
        };
        let rejected = transition(36, Accepted, Rejected);
        let old = transition(12, PendingAcceptance, Accepted);
        assert_eq!(line(&[], None), [(0, Rejected)]);
        assert_eq!(line(&[rejected.clone()], None), [(0, Accepted), (500, Rejected)]);
        assert_eq!(line(&[old, rejected.clone()], None), [(0, Accepted), (500, Rejected)]);
        let since = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(30));
        assert_eq!(line(&[rejected], since), [(250, Accepted), (500, Rejected)]);
    }
}
