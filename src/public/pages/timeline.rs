//! The statuses that a connection has had lately, as a line of colours.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::{
    html::{Html, Markup, add},
    times::human,
};
use crate::{
    board::{ClusterState, Transition},
    model::{Connection, Status},
};

/// The longest and the shortest time that a line shows.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
/// The width of the drawing in its own units.
const WIDTH: i64 = 1000;

/// The time that all lines of a cluster show: a day, or as long as it has kept transitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    begin: Timestamp,
    end: Timestamp,
}

/// A status and the place on the line where it begins.
#[derive(Debug, PartialEq, Eq)]
struct Segment {
    from: i64,
    status: Status,
}

impl Window {
    pub(super) fn of(state: &ClusterState, now: Timestamp) -> Self {
        let oldest = state.recent_transitions.front();
        // A quarter more, so that the status before the oldest transition is seen too.
        let known = oldest.map_or(LONGEST, |oldest| now.duration_since(oldest.at) * 5 / 4);
        Self { begin: now - known.clamp(SHORTEST, LONGEST), end: now }
    }

    /// Its length in words.
    pub(super) fn length(self) -> String {
        human(self.end.duration_since(self.begin).as_secs())
    }

    fn place(self, at: Timestamp) -> i64 {
        let length = self.end.duration_since(self.begin).as_secs();
        let passed = at.duration_since(self.begin).as_secs();
        (passed * WIDTH / length).clamp(0, WIDTH - 1)
    }

    /// The line of a connection that has this status now. `transitions`: its own, oldest first. It is
    /// empty before the connection was `created`.
    fn segments(
        self,
        status: Status,
        transitions: &[&Transition],
        created: Option<Timestamp>,
    ) -> Vec<Segment> {
        let first = transitions.first().map_or(status, |first| first.from);
        let from = created.map_or(0, |created| self.place(created));
        let mut segments = vec![Segment { from, status: first }];
        for transition in transitions {
            let from = self.place(transition.at);
            // Only the last of several in one place can be seen.
            segments.retain(|before| before.from < from);
            segments.push(Segment { from, status: transition.to });
        }
        segments
    }

    /// The line of a connection, drawn.
    pub(super) fn drawn(self, state: &ClusterState, connection: &Connection) -> impl Markup {
        move |page: &mut Html| {
            let id = connection.endpoint_id();
            let own = state.recent_transitions.iter().filter(|one| one.endpoint_id.as_str() == id);
            let transitions: Vec<_> = own.collect();
            let segments = self.segments(connection.status, &transitions, connection.created());
            add!(page, "<svg class=\"line\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" \
                role=\"img\" aria-label=\"" {in_words(&segments, &transitions)} "\">");
            let ends = segments.iter().skip(1).map(|segment| segment.from).chain([WIDTH]);
            for (segment, end) in segments.iter().zip(ends) {
                let width = (end - segment.from).max(1);
                add!(page, "<rect height=\"10\" x=\"" {segment.from.to_string()} "\" width=\""
                    {width.to_string()} "\" class=\"" {segment.status.as_str()} "\"/>");
            }
            page.raw("</svg>");
        }
    }
}

fn in_words(segments: &[Segment], transitions: &[&Transition]) -> String {
    let mut words = segments.first().map_or("", |first| first.status.as_str()).to_owned();
    for transition in transitions {
        let since = transition.at.strftime("%F %T UTC");
        let _ = write!(words, ", {} since {since}", transition.to.as_str());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointId;

    fn transition(hour: i64, from: Status, to: Status) -> Transition {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        Transition { at, endpoint_id: EndpointId::new("e"), from, to, change_id: None }
    }

    #[test]
    fn a_line_has_a_segment_for_each_status_that_can_be_seen() {
        use Status::{Accepted, PendingAcceptance, Rejected};
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(48);
        let window = Window { begin: now - LONGEST, end: now };
        let line = |transitions: &[Transition], created| {
            let transitions: Vec<_> = transitions.iter().collect();
            let segments = window.segments(Rejected, &transitions, created);
            segments.into_iter().map(|one| (one.from, one.status)).collect::<Vec<_>>()
        };
        let rejected = transition(36, Accepted, Rejected);
        let old = transition(12, PendingAcceptance, Accepted);
        assert_eq!(line(&[], None), [(0, Rejected)]);
        assert_eq!(line(std::slice::from_ref(&rejected), None), [(0, Accepted), (500, Rejected)]);
        assert_eq!(line(&[old, rejected.clone()], None), [(0, Accepted), (500, Rejected)]);
        let since = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(30));
        assert_eq!(line(&[rejected], since), [(250, Accepted), (500, Rejected)]);
    }
}
