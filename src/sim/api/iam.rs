//! IAM: project ids by name, the account, and tokens for a password or for the token of an identity provider
//! (IAM API Reference).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::request::{Answer, Request};
use crate::sim::{
    account::{DOMAIN_ID, DOMAIN_NAME, IDP_ID, PROJECT_ID, REGION, USER_ID, USER_NAME},
    cloud::State,
    errors::keystone,
    reply::Reply,
    signature::same,
};

/// Querying Project Information Based on the Specified Criteria: `name` is the region's.
pub(super) fn projects(request: &Request<'_>) -> Answer {
    let name = request.query.text("name");
    let name = name.map_err(|_| keystone(400, "The parameter name is repeated."))?;
    Ok(traced(Reply::json(200, &project_list(name, request.base_url))))
}

fn project_list(name: Option<&str>, base_url: &str) -> Value {
    let mut projects = vec![json!({
        "id": PROJECT_ID,
        "name": REGION,
        "domain_id": DOMAIN_ID,
        "parent_id": DOMAIN_ID,
        "enabled": true,
        "is_domain": false,
        "description": "",
        "links": {"self": format!("{base_url}/v3/projects/{PROJECT_ID}")},
    })];
    projects.retain(|_| name.is_none_or(|name| name == REGION));
    json!({"links": links(format!("{base_url}/v3/projects")), "projects": projects})
}

/// Querying the Account of the Credentials.
pub(super) fn domains(request: &Request<'_>) -> Answer {
    let url = format!("{}/v3", request.base_url);
    let domain = json!({
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "enabled": true,
        "description": "",
        "links": {"self": format!("{url}/domains/{DOMAIN_ID}")},
    });
    let body = json!({"links": links(format!("{url}/auth/domains")), "domains": [domain]});
    Ok(traced(Reply::json(200, &body)))
}

/// The links of a list that fits one page.
fn links(url: String) -> Value {
    json!({"self": url, "previous": null, "next": null})
}

/// Obtaining a User Token Through Password Authentication.
pub(super) fn token(state: &mut State, request: &Request<'_>) -> Answer {
    judged(request.received.body, &state.gate.credentials.password).map_err(traced)?;
    let domain = json!({"id": DOMAIN_ID, "name": DOMAIN_NAME});
    let token = json!({
        "methods": ["password"],
        "catalog": [],
        "roles": [{"id": "0", "name": "css_reader"}],
        "project": {"id": PROJECT_ID, "name": REGION, "domain": &domain},
        "user": {"id": USER_ID, "name": USER_NAME, "domain": &domain, "password_expires_at": ""},
    });
    Ok(traced(issued(state, request.now, token)))
}

fn judged(body: &[u8], valid_password: &str) -> Result<(), Reply> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| keystone(400, "The request body is invalid."))?;
    let (identity, project) = (&body["auth"]["identity"], &body["auth"]["scope"]["project"]);
    if identity["methods"] != json!(["password"]) {
        return Err(keystone(400, "Only the method password is supported."));
    }
    let user = &identity["password"]["user"];
    let Some(password) = user["password"].as_str() else {
        return Err(keystone(400, "The password is missing."));
    };
    if user["name"] != USER_NAME
        || !is_called(&user["domain"], DOMAIN_ID, DOMAIN_NAME)
        || !same(password, valid_password)
    {
        return Err(keystone(401, "The username or password is wrong."));
    }
    if project.is_null() {
        return Err(keystone(400, "The scope is missing: CSS needs a project."));
    }
    if !is_called(project, PROJECT_ID, REGION) {
        return Err(keystone(401, "The project does not exist."));
    }
    Ok(())
}

/// True if a reference by id, by name or by both means the one with this id and this name.
fn is_called(one: &Value, id: &str, name: &str) -> bool {
    let fits = |given: &Value, wanted| given.is_null() || given == wanted;
    let (given_id, given_name) = (&one["id"], &one["name"]);
    let named = !given_id.is_null() || !given_name.is_null();
    named && fits(given_id, id) && fits(given_name, name)
}

/// Obtaining a Token with an OpenID Connect ID Token.
pub(super) fn id_token(state: &mut State, request: &Request<'_>) -> Answer {
    let body = request.json().ok_or_else(|| keystone(400, "The request body is invalid."))?;
    let token = body["auth"]["id_token"]["id"].as_str().unwrap_or_default();
    if request.header("x-idp-id") != Some(IDP_ID) || !same(token, &state.gate.credentials.id_token)
    {
        return Err(keystone(401, "The token must be updated."));
    }
    let token = json!({"methods": ["mapped"], "user": {"id": USER_ID, "name": USER_NAME}});
    Ok(issued(state, request.now, token))
}

/// Gives a token; the answer describes it, and adds its times.
fn issued(state: &mut State, now: Timestamp, mut described: Value) -> Reply {
    let (token, expires) = state.gate.issue_token(now);
    described["expires_at"] = json!(format!("{expires:.6}"));
    described["issued_at"] = json!(format!("{now:.6}"));
    Reply::json(201, &json!({"token": described})).with("X-Subject-Token", token)
}

/// IAM has a trace id of its own.
fn traced(reply: Reply) -> Reply {
    reply.with("X-IAM-Trace-Id", "token_sim-region-1_null_00000000000000000000000000000000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{account::PASSWORD, query::Query};

    fn status(user: &str, password: &str, scope: Value) -> u16 {
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "password": password, "domain": {"name": DOMAIN_NAME}
            }}},
            "scope": scope
        }});
        judged(body.to_string().as_bytes(), PASSWORD).err().map_or(201, |reply| reply.status)
    }

    #[test]
    fn tokens_need_the_password_and_a_project() {
        let by_id = || json!({"project": {"id": PROJECT_ID}});
        assert_eq!(status(USER_NAME, PASSWORD, by_id()), 201);
        assert_eq!(status(USER_NAME, PASSWORD, json!({"project": {"name": REGION}})), 201);
        assert_eq!(status(USER_NAME, "wrong", by_id()), 401);
        assert_eq!(status("other", PASSWORD, by_id()), 401);
        assert_eq!(status(USER_NAME, PASSWORD, json!({"project": {"id": "other"}})), 401);
        assert_eq!(status(USER_NAME, PASSWORD, json!({"project": {}})), 401);
        assert_eq!(status(USER_NAME, PASSWORD, json!({"domain": {"name": "d"}})), 400);
        assert!(
            ["", "{}", "[]", "no"].iter().all(|body| judged(body.as_bytes(), PASSWORD).is_err())
        );
    }

    #[test]
    fn projects_are_found_by_the_name_of_the_region() {
        let count = |query: &str| {
            let body = project_list(Query::parse(query).text("name").expect("one"), "http://x");
            body["projects"].as_array().expect("projects").len()
        };
        assert_eq!((count("name=sim-region-1"), count(""), count("name=other")), (1, 1, 0));
    }
}
