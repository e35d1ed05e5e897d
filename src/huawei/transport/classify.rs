//! An answer that is not the expected one, as an error: a pure function of status, headers and body.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    StatusCode,
    header::{HeaderMap, LOCATION, RETRY_AFTER},
};

use crate::{
    cloud::{CloudError, Reason},
    huawei::{codes, wire::ErrorBody},
    text::shown,
};

/// Reads an answer that is not the expected one; its status is still to be added.
pub(super) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    said: ErrorBody,
    now: Timestamp,
) -> CloudError {
    let code = said.code.as_deref().unwrap_or_default();
    let message = said.message.as_deref();
    let reason = codes::reason(status.as_u16(), code, message.unwrap_or_default());
    let message = match (reason, message) {
        (Reason::Redirect, _) => redirection(headers),
        (_, Some(message)) => format!("the cloud answered: {}", without_request(message)),
        (_, None) => "the cloud gave no explanation".to_owned(),
    };
    CloudError {
        code: said.code.filter(|code| !code.is_empty()),
        request_id: said.request_id,
        retry_after: retry_after(headers, now),
        ..CloudError::new(reason, message)
    }
}

/// A gateway that refuses a signature repeats the request as it saw it, with the security token in
/// clear; nothing from there on is kept.
fn without_request(message: &str) -> &str {
    let end = message.to_ascii_lowercase().find("canonicalrequest").unwrap_or(message.len());
    message[..end].trim_end_matches([' ', ','])
}

/// Only the host of the target is reported: it distinguishes a captive portal from a wrong endpoint.
fn redirection(headers: &HeaderMap) -> String {
    let target = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let url = target.and_then(|target| reqwest::Url::parse(target).ok());
    match url.as_ref().and_then(|url| url.host_str()) {
        Some(host) => {
            format!("the cloud answered with a redirection to {}", shown(host, 255))
        }
        None => "the cloud answered with a redirection".to_owned(),
    }
}

/// Seconds or a date (RFC 9110, section 10.2.3); what is neither, or lies in the past, is no wish.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(value).ok()?.timestamp();
    u64::try_from(date.as_second() - now.as_second()).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::wire::error_body;

    fn classified(status: u16, body: &str) -> CloudError {
        let said = error_body(body.as_bytes(), &str::to_owned);
        let status_code = StatusCode::from_u16(status).unwrap();
        let error = classify(status_code, &HeaderMap::new(), said, Timestamp::UNIX_EPOCH);
        codes::answered(error, status)
    }

    #[test]
    fn codes_come_before_the_status() {
        let css = |code: &str| format!(r#"{{"errCode":"{code}","externalMessage":"m"}}"#);
        let gateway = |code: &str, text: &str| {
            format!(r#"{{"error_code":"{code}","error_msg":"{text}","request_id":"r"}}"#)
        };
        let expired = "signature expired, signature time:20211217T064303Z,server time:…";
        let cases = [
            (429, String::new(), Reason::Throttled),
            (429, gateway("APIGW.0308", "over ratelimit"), Reason::Throttled),
            (403, gateway("APIG.0308", ""), Reason::Throttled),
            (400, gateway("EndPoint.0022", ""), Reason::Throttled),
            (400, gateway("Endpoint.0022", ""), Reason::Throttled),
            (400, css("CSS.5182"), Reason::Http4xx),
            (400, css("CSS.0036"), Reason::Http4xx),
            (400, css("CSS.0051"), Reason::Forbidden),
            (400, css("CSS.5313"), Reason::Forbidden),
            (401, gateway("APIGW.0301", "verify aksk signature fail"), Reason::Auth),
            (401, gateway("APIGW.0301", expired), Reason::ClockSkew),
            (401, gateway("apig.0301", expired), Reason::ClockSkew),
            // The AppKey is wrong: not a wrong clock, whatever the text.
            (401, gateway("APIGW.0303", ""), Reason::Auth),
            (401, gateway("APIG.0303", expired), Reason::Auth),
            (401, gateway("IAM.0101", expired), Reason::Auth),
            (401, gateway("APIGW.0307", "token"), Reason::Auth),
            (403, css("CSS.0015"), Reason::NotFound),
            (403, css("css.0015"), Reason::NotFound),
            (403, gateway("apigw.0308", ""), Reason::Throttled),
            (400, gateway("Endpoint.2003", ""), Reason::NotFound),
            (400, gateway("EndPoint.2003", ""), Reason::NotFound),
            (400, gateway("EndPoint.3045", ""), Reason::Http4xx),
            (403, css("CSS.5045"), Reason::Forbidden),
            (403, gateway("APIGW.0302", ""), Reason::Forbidden),
            (404, gateway("APIGW.0101", ""), Reason::NotFound),
            (302, "<html>".into(), Reason::Redirect),
            (304, String::new(), Reason::Redirect),
            (405, String::new(), Reason::Http4xx),
            (500, "<html>Tomcat</html>".into(), Reason::Http5xx),
            (502, String::new(), Reason::Http5xx),
            (504, gateway("APIGW.0201", ""), Reason::Http5xx),
            (202, css("CSS.0011"), Reason::BadShape),
            (204, String::new(), Reason::BadShape),
            (999, String::new(), Reason::BadShape),
        ];
        for (status, body, reason) in cases {
            assert_eq!(classified(status, &body).reason, reason, "{status} {body}");
        }
        let error = classified(429, &gateway("APIGW.0308", "over ratelimit"));
        assert_eq!(error.to_string(), "the cloud answered: over ratelimit (HTTP 429, APIGW.0308)");
        assert_eq!(error.request_id.as_deref(), Some("r"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let cases = [
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("1000000000000000000", Some(1_000_000_000_000_000_000)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in cases {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_request_that_a_refusal_repeats_is_not_kept() {
        let body = r#"{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail, canonicalRequest:GET|/|x-security-token:canary"}"#;
        let error = classified(401, body);
        assert_eq!(error.message, "the cloud answered: verify aksk signature fail");
    }

    #[test]
    fn a_redirection_names_the_host_and_no_more() {
        let headers = HeaderMap::from_iter([(
            LOCATION,
            "https://portal.example.com/login?token=canary".parse().unwrap(),
        )]);
        let error =
            classify(StatusCode::FOUND, &headers, ErrorBody::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(error.message, "the cloud answered with a redirection to portal.example.com");
    }
}
