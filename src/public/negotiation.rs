//! The choice of the format and the encoding of a scrape: pure functions of its `Accept` and
//! `Accept-Encoding` headers (RFC 9110, section 12.5).
//!
//! No scraper is refused: one that accepts neither format gets the text format, uncompressed, as every
//! exporter does it. A part that cannot be understood is ignored.

use axum::http::{HeaderMap, HeaderName, header};

use crate::exposition::Format;

/// Qualities are whole thousandths.
const FULL_QUALITY: u16 = 1000;

/// The format to answer in.
pub(super) fn format(headers: &HeaderMap) -> Format {
    format_of(&joined(headers, header::ACCEPT))
}

/// True if the answer is to be compressed.
pub(super) fn gzip(headers: &HeaderMap) -> bool {
    gzip_of(&joined(headers, header::ACCEPT_ENCODING))
}

fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.collect::<Vec<_>>().join(",")
}

fn format_of(accept: &str) -> Format {
    let ranges: Vec<_> = split(accept, ',').filter_map(Range::parse).collect();
    // Of several ranges that fit the most precise one counts. A quality of 0 means "not this one".
    let best = |kind, subtype, version| {
        let fitting = ranges
            .iter()
            .filter_map(|range| Some((range.precision(kind, subtype, version)?, range.quality)));
        let (precision, quality) = fitting.max()?;
        (quality > 0).then_some((quality, precision))
    };
    let openmetrics = best("application", "openmetrics-text", "1.0.0");
    let text = best("text", "plain", "0.0.4");
    let is_named = openmetrics.is_some_and(|(_, precision)| precision >= Precision::Exact);
    let prefers_openmetrics =
        openmetrics > text || openmetrics.is_some() && openmetrics == text && is_named;
    if prefers_openmetrics { Format::OpenMetrics100 } else { Format::Text004 }
}

fn gzip_of(accept_encoding: &str) -> bool {
    let quality = |names: &[&str]| {
        let named = split(accept_encoding, ',').filter_map(|part| {
            let mut parameters = split(part, ';');
            let name = parameters.next()?;
            let quality = quality(parameters)?;
            names.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)).then_some(quality)
        });
        named.max()
    };
    let gzip = quality(&["gzip", "x-gzip"]).or_else(|| quality(&["*"])).unwrap_or(0);
    gzip > 0 && gzip >= quality(&["identity"]).unwrap_or(0)
}

/// A media range of `Accept`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    quality: u16,
}

/// The precision with which a range fits a media type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    Kind,
    Exact,
    Version,
}

impl<'a> Range<'a> {
    fn parse(part: &'a str) -> Option<Self> {
        let mut parameters = split(part, ';');
        let (kind, subtype) = parameters.next()?.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
            return None;
        }
        let version = parameters.clone().find_map(|parameter| value(parameter, "version"));
        Some(Self { kind, subtype, version, quality: quality(parameters)? })
    }

    /// Parameters other than the version are left alone: all text is UTF-8, and the names need no
    /// escaping.
    fn precision(&self, kind: &str, subtype: &str, version: &str) -> Option<Precision> {
        let is_kind = self.kind.eq_ignore_ascii_case(kind);
        let is_subtype = is_kind && self.subtype.eq_ignore_ascii_case(subtype);
        match self.version {
            _ if self.kind == "*" => Some(Precision::Anything),
            _ if is_kind && self.subtype == "*" => Some(Precision::Kind),
            None if is_subtype => Some(Precision::Exact),
            Some(asked) if is_subtype && asked == version => Some(Precision::Version),
            _ => None,
        }
    }
}

/// The quality among the parameters: absent is full, malformed is none.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let Some(text) = parameters.find_map(|parameter| value(parameter, "q")) else {
        return Some(FULL_QUALITY);
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL_QUALITY),
        _ => None,
    }
}

/// The value of a parameter with this name.
fn value<'a>(parameter: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = parameter.split_once('=')?;
    found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The parts between separators that are not in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> + Clone {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
    .map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The header of Prometheus 2.42.
    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,\
         application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    /// The header of Prometheus 3.
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
         application/openmetrics-text;version=0.0.1;q=0.5,\
         text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    /// The same with native histograms.
    const PROMETHEUS_3_PROTOBUF: &str = "application/vnd.google.protobuf;\
         proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
         application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
         application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const FIREFOX: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const JAVA: &str = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2";

    #[test]
    fn the_format_is_what_the_scraper_likes_best() {
        use Format::{OpenMetrics100 as Open, Text004 as Text};
        let table = [
            // Real scrapers and browsers.
            (PROMETHEUS_2, Open),
            (PROMETHEUS_3, Open),
            (PROMETHEUS_3_PROTOBUF, Open),
            (
                "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Text,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Text),
            (FIREFOX, Text),
            (JAVA, Text),
            // Formats that the exporter does not have.
            ("", Text),
            ("application/json", Text),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", Text),
            ("text/html;q=0.5, image/*", Text),
            // Names and wildcards.
            ("application/openmetrics-text", Open),
            ("Application/OpenMetrics-Text; Version=1.0.0", Open),
            ("application/openmetrics-text;version=\"1.0.0\"", Open),
            ("application/openmetrics-text;charset=utf-8;version=1.0.0", Open),
            ("application/openmetrics-text;version=2.0.0", Text),
            ("application/*", Open),
            ("text/*", Text),
            ("*/*", Text),
            ("text/*, application/*", Text),
            ("*/*, application/*", Open),
            // Qualities.
            ("application/openmetrics-text;q=0.5, text/plain;q=0.4", Open),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.5", Text),
            ("application/openmetrics-text;q=0.4, */*;q=0.5", Text),
            ("application/openmetrics-text;q=0.001", Open),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=0.000, */*", Text),
            ("application/openmetrics-text;q=0, application/*", Text),
            ("text/plain;q=0, */*", Open),
            ("text/plain;q=0", Text),
            ("*/*;q=0", Text),
            // The more precise range counts, with any quality.
            (
                "application/openmetrics-text;version=1.0.0;q=0.1, application/openmetrics-text, text/plain;q=0.2",
                Text,
            ),
            ("application/*, application/openmetrics-text;q=0.1, text/plain;q=0.2", Text),
            // Even: the more precise one, then OpenMetrics where it is named.
            ("text/plain, application/openmetrics-text", Open),
            ("text/plain;version=0.0.4, application/openmetrics-text", Text),
            ("text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0", Open),
            ("text/plain, application/openmetrics-text;version=1.0.0", Open),
            ("text/plain, application/*", Text),
            // Malformed parts count as not there.
            (",, ;q=1, /, text/, /plain, */plain, application/openmetrics-text", Open),
            ("application/openmetrics-text;q=2", Text),
            ("application/openmetrics-text;q=1.001", Text),
            ("application/openmetrics-text;q=0.1234", Text),
            ("application/openmetrics-text;q=.5", Text),
            ("application/openmetrics-text;q=-1", Text),
            ("application/openmetrics-text;q=", Text),
            ("application/openmetrics-text;q", Open),
            ("text plain;q=1, application/openmetrics-text;q=0.2", Open),
            ("a/b;c=\"x,application/openmetrics-text\", text/plain;q=0.1", Text),
            ("a/b;c=\"x;q=0\", application/openmetrics-text;c=\";q=0\"", Open),
            ("application/openmetrics-text\t;\tq=0.5 , text/plain ; q=0.4", Open),
        ];
        for (accept, expected) in table {
            assert_eq!(format_of(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_ask() {
        let table = [
            ("", false),
            ("identity", false),
            ("gzip", true),
            ("GZip", true),
            ("x-gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("deflate, br", false),
            ("*", true),
            ("*;q=0", false),
            ("*;q=0, gzip", true),
            ("gzip;q=0, *", false),
            ("gzip;q=0", false),
            ("gzip;q=0.001", true),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=0.5, identity;q=0.5", true),
            ("gzip;q=0.5, identity;q=0.4", true),
            ("*;q=0.5, identity;q=0.6", false),
            ("gzip, *;q=0", true),
            ("identity;q=0", false),
            ("gzip;q=oops", false),
            ("gzip;q=1.5", false),
            (",,gzip", true),
        ];
        for (accept_encoding, expected) in table {
            assert_eq!(gzip_of(accept_encoding), expected, "{accept_encoding}");
        }
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(format(&headers), Format::Text004);
        assert!(!gzip(&headers));
        let lines = [
            (header::ACCEPT, &b"text/plain;q=0.5"[..]),
            (header::ACCEPT, b"\xff"),
            (header::ACCEPT, b"application/openmetrics-text"),
            (header::ACCEPT_ENCODING, b"br"),
            (header::ACCEPT_ENCODING, b"gzip"),
        ];
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(format(&headers), Format::OpenMetrics100);
        assert!(gzip(&headers));
    }
}
