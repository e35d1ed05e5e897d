//! The description of the admin API (OpenAPI 3.1), made from the routes themselves.

use serde_json::Value;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder, SecurityRequirement,
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
        }
    }
    document
}

fn add(operation: &mut Operation, answers: &[(u16, &str)]) {
    for (status, description) in answers {
        let schema = RefOr::Ref(Ref::from_schema_name("ProblemDocument"));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response =
            ResponseBuilder::new().description(*description).content(PROBLEM, content).build();
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert(RefOr::T(response));
    }
}

/// The document as it is sent.
pub(super) fn rendered(document: &utoipa::openapi::OpenApi) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}
