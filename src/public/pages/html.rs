//! Markup in which only what is written in this program is markup.

use std::sync::LazyLock;

use axum::{http::StatusCode, response::Response};

use crate::web::page::{Frame, escape};

/// The script reads the page again; the form is the filter.
static FRAME: LazyLock<Frame> =
    LazyLock::new(|| Frame::new(include_str!("pages.css"), include_str!("live.js"), "'self'"));

/// A page that grows from top to bottom.
#[derive(Default)]
pub(super) struct Html(String);

/// A part of a page.
pub(super) trait Markup {
    fn add_to(&self, page: &mut Html);
}

/// Adds to a page: literals are markup, and what is in braces is a [`Markup`].
macro_rules! add {
    (@ $page:ident $markup:literal) => { $page.raw($markup) };
    (@ $page:ident {$part:expr}) => { $part.add_to($page) };
    ($page:ident, $($part:tt)*) => {{ $(add!(@ $page $part);)* }};
}

pub(super) use add;

impl Html {
    /// Markup of this program: nothing that comes from elsewhere lives as long.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// The page as an answer. The tabs of a browser show the title.
    pub(super) fn answer(&self, status: StatusCode, title: &str) -> Response {
        FRAME.answer(status, title, &self.0)
    }
}

/// Any text, in an element or in a quoted attribute.
impl Markup for str {
    fn add_to(&self, page: &mut Html) {
        escape(self, &mut page.0);
    }
}

impl Markup for &str {
    fn add_to(&self, page: &mut Html) {
        (**self).add_to(page);
    }
}

impl Markup for u64 {
    fn add_to(&self, page: &mut Html) {
        self.to_string().add_to(page);
    }
}

impl<M: Markup> Markup for Option<M> {
    fn add_to(&self, page: &mut Html) {
        if let Some(part) = self {
            part.add_to(page);
        }
    }
}

impl<F: Fn(&mut Html)> Markup for F {
    fn add_to(&self, page: &mut Html) {
        self(page);
    }
}

/// A cell of a table. Where the screen is narrow the label stands before it.
pub(super) fn cell(label: &'static str, class: &'static str, content: impl Markup) -> impl Markup {
    move |page: &mut Html| {
        add!(page, "<td data-label=\"" {label} "\" class=\"" {class} "\">" {content} "</td>");
    }
}

/// A cell with a number; a zero is dimmed.
pub(super) fn count(label: &'static str, count: u64) -> impl Markup {
    cell(label, if count == 0 { "n quiet" } else { "n" }, count)
}

/// A word in a coloured box.
pub(super) fn badge(colour: &'static str, content: impl Markup) -> impl Markup {
    move |page: &mut Html| add!(page, "<span class=\"b " {colour} "\">" {content} "</span>")
}

/// An id.
pub(super) fn code(id: &str) -> impl Markup {
    move |page: &mut Html| add!(page, "<code>" {id} "</code>")
}

/// A part after some words, or nothing.
pub(super) fn after(words: &'static str, part: Option<impl Markup>) -> impl Markup {
    part.map(|part| move |page: &mut Html| add!(page, {words} {part}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let page = &mut Html::default();
        add!(page, "<i title=\"" {"a\"b'c"} "\">" {"<script>&</script>"} "</i>");
        assert_eq!(page.0, "<i title=\"a&quot;b&#39;c\">&lt;script&gt;&amp;&lt;/script&gt;</i>");
    }
}
