//! The pages for people: plain HTML, no script, nothing from elsewhere.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use super::problem::answer;

/// The landing page of the public listener.
pub(super) fn landing(telemetry_path: &str) -> Response {
    html(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>css-vpcep-exporter</title></head>\n<body>\n\
         <h1>css-vpcep-exporter</h1>\n\
         <p>VPC endpoint connections of Huawei Cloud CSS clusters. Version {version}.</p>\n\
         <ul>\n\
         <li><a href=\"{metrics}\">Metrics</a></li>\n\
         <li><a href=\"/api/v1/clusters\">Clusters (JSON)</a></li>\n\
         <li><a href=\"/-/healthy\">Health</a></li>\n\
         <li><a href=\"/-/ready\">Readiness</a></li>\n\
         </ul>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        metrics = escaped(telemetry_path),
    ))
}

/// The first page of the admin listener: it says what there is, and that a token is needed.
pub(super) fn admin() -> Response {
    html(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>css-vpcep-exporter admin</title></head>\n<body>\n\
         <h1>css-vpcep-exporter admin</h1>\n\
         <p>With <code>Authorization: Bearer TOKEN</code>:</p>\n\
         <ul><li><code>POST /api/v1/clusters/{cluster_id}/poll</code> polls a cluster now and \
         answers with its state.</li></ul>\n</body>\n</html>\n"
            .to_owned(),
    )
}

fn html(text: String) -> Response {
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", text);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
