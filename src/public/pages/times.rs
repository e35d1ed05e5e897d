//! Moments on a page: how long ago, how far ahead, and the date itself.

use std::time::Duration;

use jiff::Timestamp;

use super::html::{Html, Markup, add};

/// The time since a moment, to the second, with the date in the tooltip.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> impl Markup {
    let seconds = now.duration_since(at).as_secs();
    moment(at, "ago", format!("{} ago", human(seconds)))
}

/// The time that a state has lasted.
pub(super) fn lasting(since: Timestamp, now: Timestamp) -> impl Markup {
    let seconds = now.duration_since(since).as_secs();
    moment(since, "for", format!("for {}", human(seconds)))
}

/// The time until a moment.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> impl Markup {
    let text = match at.duration_since(now).as_secs() {
        ..=0 => "now".to_owned(),
        seconds => format!("in {}", human(seconds)),
    };
    moment(at, "in", text)
}

/// A date in full, to be read out or copied, and how long ago it was.
pub(super) fn when(at: Timestamp, now: Timestamp) -> impl Markup {
    let date = at.strftime("%F %T UTC").to_string();
    move |page: &mut Html| {
        add!(page, "<span class=\"whole\">" {date} " (" {ago(at, now)} ")</span>");
    }
}

/// Seconds matter for minutes, minutes for hours; of what is older the day is enough. Days are not
/// gathered into months, which have no length.
pub(super) fn human(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0);
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

/// `form` is the form in which the page's script writes it later.
fn moment(at: Timestamp, form: &'static str, text: String) -> impl Markup {
    let date = format!("{at:.0}");
    move |page: &mut Html| {
        add!(page, "<time data-form=\"" {form} "\" datetime=\"" {date} "\" title=\"" {date} "\">"
            {text} "</time>");
    }
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
