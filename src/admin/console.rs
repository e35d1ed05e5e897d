//! The console of the admin listener: one page with its own script, which speaks to `/api/`.
//!
//! The page is the same for everybody and holds nothing: the token is asked for, and kept in the
//! memory of the page alone.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::web::{STYLE, answers::answer};

const SCRIPT: &str = include_str!("console/console.js");
const BODY: &str = include_str!("console/console.html");
const MORE_STYLE: &str = include_str!("console/console.css");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>css-vpcep-exporter admin</title>\
         <style>{STYLE}{MORE_STYLE}</style></head>\n<body>\n{BODY}\
         <script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
});

/// Only this script, this style, and requests to this listener.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let script = hash(SCRIPT);
    let style = hash(&format!("{STYLE}{MORE_STYLE}"));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// The console.
pub(super) fn page() -> Response {
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", PAGE.as_str());
    let headers = response.headers_mut();
    if let Some(policy) = POLICY.clone() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The SHA-256 of a text, as a Content-Security-Policy names it (CSP Level 3, 2.3.1).
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_lets_only_this_script_run() {
        // FIPS 180-2, B.1, in base64.
        assert_eq!(hash("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        let policy = POLICY.clone().unwrap();
        let policy = policy.to_str().unwrap();
        assert!(policy.contains(&format!("script-src 'sha256-{}'", hash(SCRIPT))), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

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
