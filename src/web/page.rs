//! The frame of the pages for people, and the policy under which a browser shows them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::answers::answer;

/// The style sheet of every page of both listeners.
const STYLE: &str = include_str!("style.css");

/// A page without its content: a style, a script, and a policy that allows nothing else.
#[derive(Debug)]
pub struct Frame {
    style: String,
    script: &'static str,
    policy: Option<HeaderValue>,
}

impl Frame {
    /// A frame whose pages have this script, and a style of their own in addition to the common one. Forms may be
    /// sent to `form_action`, as Content-Security-Policy writes it.
    pub fn new(more_style: &str, script: &'static str, form_action: &str) -> Self {
        let style = format!("{STYLE}{more_style}");
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'",
            hash(script),
            hash(&style),
        );
        Self { style, script, policy: HeaderValue::from_str(&policy).ok() }
    }

    /// A page. `title` is text, `body` is markup.
    pub fn answer(&self, status: StatusCode, title: &str, body: &str) -> Response {
        let mut page =
            String::with_capacity(body.len() + self.style.len() + self.script.len() + 512);
        page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
                 <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
                 <link rel=\"icon\" href=\"data:,\"><title>";
        escape(title, &mut page);
        page += "</title><style>";
        page += &self.style;
        page += "</style></head>\n<body>\n";
        page += body;
        page += "<script>";
        page += self.script;
        page += "</script>\n</body>\n</html>\n";
        let mut response = answer(status, "text/html; charset=utf-8", page);
        let headers = response.headers_mut();
        if let Some(policy) = self.policy.clone() {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

/// Adds a text so that none of it is markup, in an element or in a quoted attribute.
pub fn escape(text: &str, page: &mut String) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

/// The SHA-256 of a text, as a Content-Security-Policy names it (CSP Level 3, 2.3.1).
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_lets_only_this_script_and_this_style_in() {
        // FIPS 180-2, B.1, in base64.
        assert_eq!(hash("abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        let response = Frame::new("", "abc", "'none'").answer(StatusCode::OK, "<t>", "");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains(&format!("script-src 'sha256-{}';", hash("abc"))), "{policy}");
        assert!(policy.contains(&format!("style-src 'sha256-{}';", hash(STYLE))), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}
