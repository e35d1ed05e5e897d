//! The `Authorization` header.

use axum::http::{HeaderMap, header};

/// The credentials of the one `Authorization` header, if it is there once and has this scheme (RFC 9110,
/// section 11.6.2: names of schemes have no case).
pub fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (named, credentials) = value.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then_some(credentials.trim())
}
