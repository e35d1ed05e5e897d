//! The query and the body of a request.

use std::error::Error;

use axum::{
    body::Body,
    extract::Query,
    http::{HeaderMap, StatusCode, Uri, header},
};
use http_body_util::{BodyExt as _, LengthLimitError};
use hyper::body::Bytes;

use crate::web::answers::{Refused, problem};

/// The one value of a query that may have `name` once, and nothing else.
///
/// # Errors
/// The refusal.
pub(super) fn query(uri: &Uri, name: Option<&str>) -> Result<Option<String>, Refused> {
    let refusal = |detail: &str| Err(problem(StatusCode::BAD_REQUEST, detail).into());
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return refusal("the query cannot be read");
    };
    let mut value = None;
    for (key, text) in pairs {
        if Some(&*key) != name {
            return refusal(&match name {
                Some(name) => format!("the only query parameter here is {name}"),
                None => "there are no query parameters here".to_owned(),
            });
        }
        if value.replace(text).is_some() {
            return refusal(&format!("{key} is in the query more than once"));
        }
    }
    Ok(value)
}

/// The body of a request that must be JSON.
///
/// # Errors
/// The refusal.
pub(super) async fn json_body(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    let unsupported = |detail| Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into());
    if !is_json(headers) {
        return unsupported("the Content-Type must be application/json");
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return unsupported("a body with a Content-Encoding is not accepted");
    }
    match body.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if is_too_long(&error) => {
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long").into())
        }
        Err(_) => Err(problem(
            StatusCode::REQUEST_TIMEOUT,
            "the request's body did not arrive whole and in time",
        )
        .into()),
    }
}

/// A form of a foreign page cannot send this type without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else { return false };
    let Ok(text) = one.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|part| {
            part.eq_ignore_ascii_case("charset=utf-8")
                || part.eq_ignore_ascii_case("charset=\"utf-8\"")
        })
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use axum::{http::HeaderValue, response::IntoResponse as _};

    use super::*;

    #[test]
    fn only_json_is_json() {
        let cases: [(&[&str], bool); 13] = [
            (&["application/json"], true),
            (&["Application/JSON"], true),
            (&["application/json; charset=utf-8"], true),
            (&["application/json;charset=UTF-8"], true),
            (&["application/json; charset=\"utf-8\""], true),
            (&["application/json; charset=latin1"], false),
            (&["application/json; x=y"], false),
            (&["application/json+x"], false),
            (&["text/plain"], false),
            (&["application/x-www-form-urlencoded"], false),
            (&["text/plain; application/json"], false),
            (&["application/json", "application/json"], false),
            (&[], false),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(line));
            }
            assert_eq!(is_json(&headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_query_has_the_one_parameter_once_or_not_at_all() {
        let cases = [
            ("/", Ok(None)),
            ("/?", Ok(None)),
            ("/?limit=3", Ok(Some("3"))),
            ("/?limit=", Ok(Some(""))),
            ("/?limit", Ok(Some(""))),
            ("/?l%69mit=%33", Ok(Some("3"))),
            ("/?limit=3&limit=3", Err(400)),
            ("/?limit=3&x=1", Err(400)),
            ("/?Limit=3", Err(400)),
        ];
        for (uri, expected) in cases {
            let found = query(&uri.parse().unwrap(), Some("limit"));
            let found = found.map_err(|refusal| refusal.into_response().status().as_u16());
            assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "{uri}");
        }
        assert!(query(&"/?limit=3".parse().unwrap(), None).is_err());
        assert!(query(&"/?".parse().unwrap(), None).is_ok());
    }
}
