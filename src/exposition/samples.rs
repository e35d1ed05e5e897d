//! Where the samples of a data metric come from: which lines a cluster has in its family, and
//! whether two states of a cluster have the same.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{
    families::Family,
    text::{push_escaped, push_label},
    view::View,
};
use crate::model::{Connection, ConnectionList, ServiceName, Status};

/// The value of a connection; none if it has no sample.
type RowValue = fn(&Connection, Option<Timestamp>) -> Option<f64>;
/// The value of one of a connection's labels after `endpoint_id`, counted from 0.
type RowLabel = fn(&Connection, usize) -> &str;

/// The samples of a family.
#[derive(Clone, Copy, Debug)]
pub(super) enum Samples {
    /// At most one, of the data.
    Data(fn(&ConnectionList) -> Option<u64>),
    /// At most one, of whatever is known.
    One(fn(&View<'_>) -> Option<f64>),
    /// One for each status, or none.
    ByStatus(fn(&View<'_>) -> Option<[u64; 7]>),
    /// At most one: the endpoint service of the data.
    ServiceInfo,
    /// One for each connection that has a value.
    Rows(RowValue, RowLabel),
}

/// How many samples clusters have in a family: families of the same kind have the same blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// At most one.
    One,
    /// One for each status.
    Statuses,
    /// As many as there are connections.
    Rows,
}

impl Width {
    pub(super) const ALL: [Self; 3] = [Self::One, Self::Statuses, Self::Rows];

    /// How many samples every cluster may have; none if that differs.
    pub(super) fn of_any_cluster(self) -> Option<usize> {
        match self {
            Self::One => Some(1),
            Self::Statuses => Some(Status::ALL.len()),
            Self::Rows => None,
        }
    }
}

impl Family {
    pub(super) fn width(&self) -> Width {
        match self.samples {
            Samples::Data(_) | Samples::One(_) | Samples::ServiceInfo => Width::One,
            Samples::ByStatus(_) => Width::Statuses,
            Samples::Rows(..) => Width::Rows,
        }
    }

    /// Whether two states of a cluster have the same samples.
    pub(super) fn is_same(&self, one: &View<'_>, other: &View<'_>) -> bool {
        if !one.has_labels_of(other) {
            return false;
        }
        let same_data = one.has_data_of(other);
        match self.samples {
            Samples::Data(value) => {
                let value = |view: &View<'_>| view.data().and_then(|data| value(&data.list));
                same_data || value(one) == value(other)
            }
            Samples::One(value) => value(one) == value(other),
            Samples::ByStatus(values) => values(one) == values(other),
            Samples::ServiceInfo => same_data || service(one) == service(other),
            Samples::Rows(value, label) => {
                same_data
                    || (one.row_count() == other.row_count()
                        && one.rows().zip(other.rows()).all(|(one, other)| {
                            let places = 0..self.definition.labels.len() - 1;
                            one.0.endpoint_id() == other.0.endpoint_id()
                                && value(one.0, one.1) == value(other.0, other.1)
                                && places
                                    .into_iter()
                                    .all(|at| label(one.0, at) == label(other.0, at))
                        }))
            }
        }
    }

    /// Adds the lines of a cluster to `text`; `written` is told after each.
    pub(super) fn write(
        &self,
        view: &View<'_>,
        text: &mut String,
        mut written: impl FnMut(&mut String),
    ) {
        let mut start = view.line_start(self.definition.name);
        let mut line = |text: &mut String, value: Value| {
            text.push_str("} ");
            value.push(text);
            text.push('\n');
            written(text);
        };
        match self.samples {
            Samples::Data(value) => {
                if let Some(value) = view.data().and_then(|data| value(&data.list)) {
                    text.push_str(&start);
                    line(text, Value::Whole(value));
                }
            }
            Samples::One(value) => {
                if let Some(value) = value(view) {
                    text.push_str(&start);
                    line(text, Value::Number(value));
                }
            }
            Samples::ByStatus(values) => {
                let values = values(view).into_iter().flatten();
                for (status, value) in Status::ALL.into_iter().zip(values) {
                    text.push_str(&start);
                    push_label(text, self.definition.labels[0], status.as_str());
                    line(text, Value::Whole(value));
                }
            }
            Samples::ServiceInfo => {
                if let Some(service) = service(view) {
                    let values = [service.as_str(), service.service_id()];
                    text.push_str(&start);
                    for (name, value) in self.definition.labels.iter().zip(values) {
                        push_label(text, name, value);
                    }
                    line(text, Value::Whole(1));
                }
            }
            Samples::Rows(value, label) => {
                let [id, others @ ..] = self.definition.labels else { return };
                // All but the id's own text is the same for all connections.
                start.extend([",", id, "=\""]);
                for (row, since) in view.rows() {
                    let Some(value) = value(row, since) else { continue };
                    text.push_str(&start);
                    push_escaped(text, row.endpoint_id(), true);
                    text.push('"');
                    for (place, name) in others.iter().enumerate() {
                        push_label(text, name, label(row, place));
                    }
                    line(text, Value::Number(value));
                }
            }
        }
    }
}

fn service<'a>(view: &View<'a>) -> Option<&'a ServiceName> {
    view.data()?.list.service_name.as_ref()
}

/// The value of a sample, as it is known.
#[derive(Clone, Copy)]
enum Value {
    Whole(u64),
    Number(f64),
}

impl Value {
    fn push(self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Whole(value) => write!(text, "{value}"),
            // Both spell the same, and for whole numbers this is several times faster.
            Self::Number(value) if value.fract() == 0.0 && (1.0..1e15).contains(&value) => {
                write!(text, "{}", value as u64)
            }
            Self::Number(value) => write!(text, "{value}"),
        };
    }
}
