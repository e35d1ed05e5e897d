//! The description of the admin API (OpenAPI 3.1), made from the routes themselves.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, Response, SecurityRequirement,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use super::documents::ProblemDocument;
use crate::web::answers::PROBLEM;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "css-vpcep-exporter admin API",
        description = "Looks at and changes the configured VPC endpoint services, and polls clusters \
                       out of turn. Every request needs a `Host` of `admin.hosts`.",
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "endpoint services", description = "What can be changed"),
        (name = "changes", description = "The audit trail"),
        (name = "clusters", description = "Polls out of turn"),
        (name = "exporter", description = "The exporter itself"),
    ),
)]
pub(super) struct Base;

const SCHEME: &str = "bearer";

/// Answers that every route below `/api/` may give.
const BEHIND_THE_TOKEN: [(u16, &str); 7] = [
    (400, "The path, the query, a header or the syntax of the body is wrong"),
    (401, "A valid token is missing"),
    (403, "The token may not do this, or not with this service; or the service is not configured"),
    (413, "The body is longer than 64 KiB"),
    (415, "The body is not `application/json`, or encoded"),
    (429, "Too many requests without a valid token, or too many of this kind"),
    (503, "The exporter is shutting down, or something it needs is busy or not available"),
];

/// Answers of the cloud to a reading.
pub(super) struct Reading;

impl IntoResponses for Reading {
    fn responses() -> Responses {
        described(&[
            (404, "The cloud does not know the service, or the cluster"),
            (409, "The cloud says that it is in use by something else"),
            (422, "The cloud calls the request invalid"),
            (502, "The cloud failed, or refuses the exporter"),
            (504, "The cloud did not answer in time"),
        ])
    }
}

/// Answers to a change, of both kinds, that was not made as requested.
pub(super) struct Changing;

impl IntoResponses for Changing {
    fn responses() -> Responses {
        described(&[
            (404, "The cloud does not know the service, the cluster or a connection"),
            (
                409,
                "Another change is under way, or the cloud says that the change is not possible now",
            ),
            (
                422,
                "The body breaks rules, all of which are in `errors`; or the cloud calls it invalid",
            ),
            (
                502,
                "`partial`, `not_applied`, `not_sent` or `rejected`: see `outcome`, `type` and, of \
                 connections, `connections`",
            ),
            (
                504,
                "`unknown`: it was sent, and its outcome is unknown; or the state before could not be \
                 read in time",
            ),
        ])
    }
}

/// Answers that every route may give.
const EVERYWHERE: [(u16, &str); 4] = [
    (405, "The method is not for this path"),
    (408, "The body did not arrive in time"),
    (411, "The body has no `Content-Length`"),
    (421, "The `Host` is not one of `admin.hosts`"),
];

/// The document of these routes, with what is the same for all of them.
pub(super) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(SCHEME.to_owned(), RefOr::T(bearer));
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post];
        for operation in operations.into_iter().flatten() {
            add(operation, &EVERYWHERE);
            if path.starts_with("/api/") {
                add(operation, &BEHIND_THE_TOKEN);
                let none: [&str; 0] = [];
                operation.security = Some(vec![SecurityRequirement::new(SCHEME, none)]);
            }
            complete_refusals(operation);
        }
    }
    document
}

type Responses = BTreeMap<String, RefOr<Response>>;

fn described(answers: &[(u16, &str)]) -> Responses {
    let described = |(status, description): &(u16, &str)| {
        (status.to_string(), RefOr::T(Response::new(*description)))
    };
    answers.iter().map(described).collect()
}

fn add(operation: &mut Operation, answers: &[(u16, &str)]) {
    for (status, response) in described(answers) {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

/// Every refusal is a problem document.
fn complete_refusals(operation: &mut Operation) {
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| status.starts_with(['4', '5'])) {
        let RefOr::T(response) = response else { continue };
        let schema = RefOr::Ref(Ref::from_schema_name("ProblemDocument"));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response.content.insert(PROBLEM.to_owned(), RefOr::T(content));
    }
}

/// The document as it is sent.
pub(super) fn rendered(document: &utoipa::openapi::OpenApi) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}
