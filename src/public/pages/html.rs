//! Markup in which only what is written in this program is markup.

use std::sync::LazyLock;

use axum::{http::StatusCode, response::Response};

use crate::web::page::{Frame, escape};

/// The script reads the page again; the form is the filter.
static FRAME: LazyLock<Frame> =
    LazyLock::new(|| Frame::new(include_str!("pages.css"), include_str!("live.js"), "'self'"));

/// A page that grows from top to bottom.
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// Markup of this program: nothing that comes from elsewhere lives as long.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, in an element or in a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.0);
        self
    }

    /// A cell of a table, whose text stays on one line. Where the screen is narrow the label stands
    /// before it.
    pub(super) fn cell(&mut self, label: &'static str, text: &str) -> &mut Self {
        self.labelled(label, "whole").text(text).raw("</td>")
    }

    /// The beginning of a cell.
    pub(super) fn labelled(&mut self, label: &'static str, class: &'static str) -> &mut Self {
        self.raw("<td data-label=\"").raw(label).raw("\" class=\"").raw(class).raw("\">")
    }

    /// A cell with a number; a zero is dimmed.
    pub(super) fn count(&mut self, label: &'static str, count: u64) -> &mut Self {
        let class = if count == 0 { "n quiet" } else { "n" };
        self.labelled(label, class).text(&count.to_string()).raw("</td>")
    }

    /// The page as an answer. The tabs of a browser show the title.
    pub(super) fn answer(self, status: StatusCode, title: &str) -> Response {
        FRAME.answer(status, title, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut page = Html::new();
        page.raw("<i title=\"").text("a\"b'c").raw("\">").text("<script>&</script>").raw("</i>");
        assert_eq!(page.0, "<i title=\"a&quot;b&#39;c\">&lt;script&gt;&amp;&lt;/script&gt;</i>");
    }
}
