//! Lists of VPCEP: their parameters are read, and their rows sorted and cut into pages.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::{
    errors::vpcep,
    query::{Query, Range},
    reply::Reply,
};

const OFFSET: Range = Range { low: 0, high: i64::MAX, default: 0 };
/// Without "d" the names are those of the SDK, with it those of the documents.
const SORT_KEYS: [&str; 4] = ["create_at", "created_at", "update_at", "updated_at"];

/// The rows that a request asks for, and their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    by_update: bool,
    ascending: bool,
    offset: usize,
    limit: usize,
}

impl Listing {
    /// Reads the parameters for a list whose pages have at most this many rows.
    pub(super) fn read(query: &Query, largest_page: i64) -> Result<Self, Reply> {
        let key = among(query, "sort_key", "0017", &SORT_KEYS)?;
        let direction = among(query, "sort_dir", "0018", &["asc", "desc"])?;
        let limit = Range { low: 0, high: largest_page, default: 10 };
        Ok(Self {
            by_update: key.is_some_and(|key| key.starts_with("update")),
            ascending: direction == Some("asc"),
            offset: query.number("offset", OFFSET).map_err(|_| vpcep("0010"))? as usize,
            limit: query.number("limit", limit).map_err(|_| vpcep("0006"))? as usize,
        })
    }

    /// Answers with one page of these rows; `times` are the creation and the update of a row.
    pub(super) fn reply<T>(
        &self,
        name: &str,
        mut rows: Vec<T>,
        times: impl Fn(&T) -> (Timestamp, Timestamp),
        written: impl Fn(T) -> Value,
    ) -> Reply {
        let total = rows.len();
        rows.sort_by(|a, b| {
            let (a, b) = (times(a), times(b));
            let order = if self.by_update { a.1.cmp(&b.1) } else { a.0.cmp(&b.0) };
            if self.ascending { order } else { order.reverse() }
        });
        let page = rows.into_iter().skip(self.offset).take(self.limit).map(written);
        let page: Vec<Value> = page.collect();
        Reply::json(200, &json!({name: page, "total_count": total}))
    }
}

/// A parameter that occurs once; otherwise the error with this code.
pub(super) fn text<'a>(query: &'a Query, name: &str, code: &str) -> Result<Option<&'a str>, Reply> {
    query.text(name).map_err(|_| vpcep(code))
}

/// A parameter with one of these values; otherwise the error with this code.
pub(super) fn among<'a>(
    query: &'a Query,
    name: &str,
    code: &str,
    all: &[&str],
) -> Result<Option<&'a str>, Reply> {
    query.among(name, all).map_err(|_| vpcep(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_paged_as_asked() {
        let rows = [(1, 9), (2, 7), (3, 8)];
        let time = |second| Timestamp::from_second(second).expect("a time");
        for (query, wanted) in [
            ("", &[3, 2, 1][..]),
            ("sort_dir=desc&sort_key=create_at", &[3, 2, 1]),
            ("sort_dir=asc", &[1, 2, 3]),
            ("sort_key=update_at", &[1, 3, 2]),
            ("sort_key=updated_at&sort_dir=asc", &[2, 3, 1]),
            ("limit=1&offset=1", &[2]),
            ("limit=0", &[]),
            ("offset=9223372036854775807", &[]),
        ] {
            let listing = Listing::read(&Query::parse(query), 1_000).expect(query);
            let times = |row: &(i64, i64)| (time(row.0), time(row.1));
            let reply = listing.reply("rows", rows.to_vec(), times, |row| json!(row.0));
            let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
            assert_eq!(body, json!({"rows": wanted, "total_count": 3}), "{query}");
        }
    }

    #[test]
    fn each_parameter_has_its_own_refusal() {
        for (query, wanted) in [
            ("limit=501", "0006"),
            ("limit=-1", "0006"),
            ("offset=-1", "0010"),
            ("offset=x", "0010"),
            ("sort_key=name", "0017"),
            ("sort_dir=up", "0018"),
            ("sort_dir=asc&sort_dir=asc", "0018"),
        ] {
            assert_eq!(Listing::read(&Query::parse(query), 500), Err(vpcep(wanted)), "{query}");
        }
    }
}
