//! The console of the admin listener: one page with its own script, which speaks to `/api/`.
//!
//! The page is the same for everyone and has no secret: it asks for the token, and keeps it in the
//! memory of the page alone.

use std::sync::LazyLock;

use axum::{http::StatusCode, response::Response};

use crate::web::page::Frame;

const SCRIPT: &str = include_str!("console/console.js");
const BODY: &str = include_str!("console/console.html");
const STYLE: &str = include_str!("console/console.css");

static FRAME: LazyLock<Frame> = LazyLock::new(|| Frame::new(STYLE, SCRIPT, "'none'"));

/// The console.
pub(super) fn page() -> Response {
    FRAME.answer(StatusCode::OK, "css-vpcep-exporter admin", BODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts stand where line breaks are kept: one with a break could forge a line of a difference.
    #[test]
    fn what_may_not_be_shown_is_escaped_in_each_value() {
        let lines = [
            // The characters of `text::may_be_shown`.
            r"const plain = (text) => String(text).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,",
            r"const show = (value) => plain(",
            r"const port = (p) => `${p.client_port} \u2192 ${p.server_port}/${plain(p.protocol)}`;",
        ];
        for line in lines {
            assert!(SCRIPT.contains(line), "{line}");
        }
    }

    /// Texts of the cloud become text, and never markup, code or style.
    #[test]
    fn the_script_makes_no_markup() {
        let banned = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "setAttribute(\"style\"",
            "localStorage",
            "sessionStorage",
            "cookie",
            "http://",
            "https://",
        ];
        for banned in banned {
            assert!(!SCRIPT.contains(banned), "{banned}");
        }
        for banned in ["<script", "style=", "onclick", "src=", "http:", "https:"] {
            assert!(!BODY.contains(banned), "{banned}");
        }
    }
}
