//! The pages for people: plain HTML, no script, nothing from elsewhere.
//!
//! `status` is the overview: clusters that need attention come first, and `attention` decides which do.
//! `cluster` shows everything known of one cluster. `html` makes sure that no text of the cloud becomes
//! markup.

mod attention;
mod changes;
mod cluster;
mod console;
mod html;
mod status;

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::Timestamp;

use self::html::Html;
use super::problem::answer;

pub(super) use self::{cluster::cluster, console::console, status::status};

const STYLE: &str = "\
    body{font:14px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:90rem;padding:0 1rem;\
    color:#1c2430;background:#fff}\
    h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:1.8rem}\
    table{border-collapse:collapse;width:100%}\
    th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dfe4ea;vertical-align:top}\
    th{font-weight:600;color:#556070;white-space:nowrap}\
    .n{text-align:right;font-variant-numeric:tabular-nums}\
    code{font-size:.92em;white-space:nowrap}.long{overflow-wrap:anywhere}time,td a{white-space:nowrap}\
    .b{border-radius:.6rem;padding:.05rem .55rem;font-size:.85em;white-space:nowrap;\
    background:#e4e8ee}\
    .good{background:#d8f0dd}.warn{background:#fdeec2}.bad{background:#f9d0cf;font-weight:600}\
    .quiet{color:#6b7684}nav a{margin-right:1rem}\
    .needs{border-left:.3rem solid #d9534f;background:#fdf3f2;padding:.4rem 1rem;margin:1rem 0}\
    .needs h2{margin:0}.needs ul{margin:.3rem 0;padding-left:1.2rem}\
    .facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.6rem 1.5rem}\
    dt{font-weight:600;color:#556070}dd{margin:0;overflow-wrap:anywhere}.whole{white-space:nowrap}\
    @media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}\
    th,td{border-color:#2c343d}th,dt,.quiet{color:#93a0ae}a{color:#8ab4f8}\
    .needs{background:#2a1a1a}.b{background:#2c343d}.good{background:#1d4428}.warn{background:#54430f}.bad{background:#5d1f1f}}";

fn respond(page: Html) -> Response {
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", page.finish());
    // Styles are the page's own; anything else, scripts above all, is not.
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    response
}

/// How long ago something was, to the second; the date is in the tooltip.
fn ago(page: &mut Html, at: Timestamp, now: Timestamp) {
    let seconds = now.duration_since(at).as_secs();
    moment(page, at, seconds, "", " ago");
}

/// How long a state has lasted.
fn lasting(page: &mut Html, since: Timestamp, now: Timestamp) {
    let seconds = now.duration_since(since).as_secs();
    moment(page, since, seconds, "for ", "");
}

/// How far away something is.
fn ahead(page: &mut Html, at: Timestamp, now: Timestamp) {
    let seconds = at.duration_since(now).as_secs();
    if seconds > 0 {
        moment(page, at, seconds, "in ", "");
    } else {
        page.raw("<time title=\"").text(&at.to_string()).raw("\">now</time>");
    }
}

/// A date in full, to be read out or copied, and how long ago it was.
fn when(page: &mut Html, at: Timestamp, now: Timestamp) {
    page.raw("<span class=\"whole\">").text(&at.strftime("%F %T UTC").to_string()).raw(" (");
    ago(page, at, now);
    page.raw(")</span>");
}

/// Seconds matter for minutes, minutes for hours; of what is older the day is enough. Days are not
/// gathered into months, which have no length.
fn human(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const TWO_DAYS: u64 = 2 * DAY;
    let length = match seconds {
        0..HOUR => seconds,
        HOUR..DAY => seconds - seconds % MINUTE,
        DAY..TWO_DAYS => return "1 day".to_owned(),
        _ => return format!("{} days", seconds / DAY),
    };
    humantime::format_duration(Duration::from_secs(length)).to_string()
}

fn moment(page: &mut Html, at: Timestamp, seconds: i64, before: &'static str, after: &'static str) {
    let length = human(u64::try_from(seconds).unwrap_or(0));
    page.raw("<time title=\"").text(&at.to_string()).raw("\">").raw(before);
    page.text(&length).raw(after).raw("</time>");
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn old_moments_are_rounded() {
        assert_eq!([0, 59, 61, 3599].map(human), ["0s", "59s", "1m 1s", "59m 59s"]);
        assert_eq!([3600, 3661, 86_399].map(human), ["1h", "1h 1m", "23h 59m"]);
        assert_eq!([86_400, 86_400 + 3661].map(human), ["1 day", "1 day"]);
        assert_eq!(
            [172_799, 172_800, 200 * 86_400 + 5].map(human),
            ["1 day", "2 days", "200 days"]
        );
    }
}
