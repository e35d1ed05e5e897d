//! The pages for people: complete without a script, and live with it; nothing from elsewhere.
//!
//! `status` is the overview: clusters that need attention come first, and `attention` decides which do.
//! `cluster` shows everything known of one cluster, with a `timeline` for each connection. `html` makes
//! sure that no text of the cloud becomes markup. `live.js` reads the page again when something moves.

mod attention;
mod changes;
mod cluster;
mod html;
mod status;
mod timeline;
mod times;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use self::html::{Html, Markup as _, add};
use crate::web::answers::{TEXT, answer};

pub(super) use self::{cluster::cluster, status::StatusPage};

/// The answer for an unknown path: a page for a browser, a line for everything else.
pub(super) fn not_found(headers: &HeaderMap, what: &'static str) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/html")) {
        return answer(StatusCode::NOT_FOUND, TEXT, format!("{what}\n"));
    }
    let page = &mut Html::default();
    add!(page, "<main><h1>Not found</h1>\n<p>" {what}
        ".</p>\n<p><a href=\"/\">All clusters</a></p></main>\n");
    page.answer(StatusCode::NOT_FOUND, "Not found")
}
