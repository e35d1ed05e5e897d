//! The token's own name and role, so that a page offers nothing that would be refused.

use axum::{
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{extract::query, settings::Role, state::Caller};
use crate::web::answers::{JSON, Refused, json};

/// The token of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct Whoami<'a> {
    /// Its configured name.
    name: &'a str,
    role: Role,
}

/// The name and the role of the token
#[utoipa::path(
    get,
    operation_id = "whoami",
    path = "/api/v1/whoami",
    tag = "exporter",
    responses((status = 200, description = "The token of this request", body = Whoami)),
)]
pub(super) async fn whoami(caller: Caller, uri: Uri) -> Result<Response, Refused> {
    query(&uri, None)?;
    let whoami = Whoami { name: caller.token.name.as_str(), role: caller.token.role };
    Ok(json(StatusCode::OK, JSON, &whoami))
}
