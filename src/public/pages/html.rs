//! Markup in which only what is written in this program is markup.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::web::{STYLE, answers::answer};

/// A page that grows from top to bottom.
pub(super) struct Html(String);

impl Html {
    /// A page with its head. The tabs of a browser show the title.
    pub(super) fn new(title: &str) -> Self {
        let mut page = Self(String::new());
        page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">")
            .raw("<meta name=\"viewport\" content=\"width=device-width\"><title>")
            .text(title)
            .raw("</title><style>")
            .raw(STYLE)
            .raw("</style></head>\n<body>\n");
        page
    }

    /// Markup of this program: nothing that comes from elsewhere lives as long.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Any text, in an element or in a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A cell of a table, whose text stays on one line.
    pub(super) fn cell(&mut self, text: &str) -> &mut Self {
        self.raw("<td class=\"whole\">").text(text).raw("</td>")
    }

    /// A cell with a number; a zero is nothing to look at.
    pub(super) fn count(&mut self, count: u64) -> &mut Self {
        match count {
            0 => self.raw("<td class=\"n quiet\">0</td>"),
            _ => self.raw("<td class=\"n\">").text(&count.to_string()).raw("</td>"),
        }
    }

    /// The page as an answer. Styles are its own; anything else, above all scripts, a browser refuses.
    pub(super) fn answer(self) -> Response {
        const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
            frame-ancestors 'none'";
        let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", self.finish());
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        response
    }

    /// The whole page.
    fn finish(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut page = Html::new("t");
        page.raw("<i title=\"").text("a\"b'c").raw("\">").text("<script>&</script>").raw("</i>");
        let page = page.finish();
        assert!(
            page.contains("<i title=\"a&quot;b&#39;c\">&lt;script&gt;&amp;&lt;/script&gt;</i>")
        );
    }
}
