//! Query parameters, read strictly. The errors are those of CSS.

use super::{
    errors::{bad_parameter, out_of_range},
    reply::Reply,
    signature::decoded,
};

/// The decoded pairs of a query, in their order.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

/// The lowest and the highest value of a number, and its value if it is absent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) default: i64,
}

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let text = |part| String::from_utf8_lossy(&decoded(part)).into_owned();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (text(name), text(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter, which may occur only once.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Reply> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value);
        let value = values.next();
        if values.next().is_some() {
            return Err(bad_parameter(&format!("The parameter {name} is repeated.")));
        }
        Ok(value)
    }

    /// The value of a parameter, which must be one of these words.
    pub(super) fn among(&self, name: &str, all: &[&str]) -> Result<Option<&str>, Reply> {
        match self.text(name)? {
            Some(value) if !all.contains(&value) => {
                Err(bad_parameter(&format!("The parameter {name} is invalid.")))
            }
            value => Ok(value),
        }
    }

    /// A whole number within its range.
    pub(super) fn number(&self, name: &str, range: Range) -> Result<i64, Reply> {
        let Some(text) = self.text(name)? else { return Ok(range.default) };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad_parameter(&format!("The parameter {name} is not an integer.")));
        }
        // A number that does not fit an i64 is out of range as well.
        let number = text.parse().ok().filter(|number| (range.low..=range.high).contains(number));
        number.ok_or_else(|| out_of_range(name))
    }

    /// The number for the request log, which notes one that is out of range as well.
    pub(super) fn noted(&self, name: &str) -> Option<i64> {
        self.text(name).ok().flatten().and_then(|text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_strictly() {
        let range = Range { low: 0, high: 1_000, default: 10 };
        let code = |query: &str| {
            let outcome = Query::parse(query).number("n", range);
            outcome.map_err(|reply| {
                let text = String::from_utf8(reply.body).expect("text");
                text.split('"').nth(3).expect("a code").to_owned()
            })
        };
        for (query, wanted) in
            [("", 10), ("n=0", 0), ("n=1000", 1_000), ("x=1&n=007", 7), ("%6e=5", 5), ("N=3", 10)]
        {
            assert_eq!(code(query), Ok(wanted), "{query}");
        }
        for (query, wanted) in [
            ("n=", "CSS.0001"),
            ("n", "CSS.0001"),
            ("n=ten", "CSS.0001"),
            ("n=1.0", "CSS.0001"),
            ("n=+1", "CSS.0001"),
            ("n=%201", "CSS.0001"),
            ("n=-", "CSS.0001"),
            ("n=1&n=1", "CSS.0001"),
            ("n=-1", "CSS.5038"),
            ("n=1001", "CSS.5038"),
            ("n=99999999999999999999", "CSS.5038"),
        ] {
            assert_eq!(code(query), Err(wanted.to_owned()), "{query}");
        }
    }
}
