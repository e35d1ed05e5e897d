//! IAM: project ids by name, the account, and tokens by password (IAM API Reference).

use serde_json::{Value, json};

use super::request::Request;
use crate::sim::{
    account::{DOMAIN_ID, DOMAIN_NAME, PROJECT_ID, REGION, USER_ID, USER_NAME},
    cloud::State,
    errors::keystone,
    reply::Reply,
    signature::same,
};

/// Querying Project Information Based on the Specified Criteria: `name` is the region's.
pub(super) fn projects(request: &Request<'_>) -> Result<Reply, Reply> {
    let name = request.query.text("name");
    let name = name.map_err(|_| bad_request("The parameter name is repeated."))?;
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
    let links = json!({"self": format!("{base_url}/v3/projects"), "previous": null, "next": null});
    json!({"links": links, "projects": projects})
}

/// Querying the Account of the Credentials.
pub(super) fn domains(request: &Request<'_>) -> Reply {
    let url = format!("{}/v3", request.base_url);
    let domain = json!({
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "enabled": true,
        "description": "",
        "links": {"self": format!("{url}/domains/{DOMAIN_ID}")},
    });
    let links = json!({"self": format!("{url}/auth/domains"), "previous": null, "next": null});
    traced(Reply::json(200, &json!({"links": links, "domains": [domain]})))
}

/// Obtaining a User Token Through Password Authentication.
pub(super) fn token(state: &mut State, request: &Request<'_>) -> Reply {
    traced(match judged(request.body, &state.gate.credentials.password) {
        Err(refused) => refused,
        Ok(()) => issued(state, request),
    })
}

fn judged(body: &[u8], valid_password: &str) -> Result<(), Reply> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| bad_request("The request body is invalid."))?;
    let (identity, project) = (&body["auth"]["identity"], &body["auth"]["scope"]["project"]);
    if identity["methods"] != json!(["password"]) {
        return Err(bad_request("Only the method password is supported."));
    }
    let user = &identity["password"]["user"];
    let Some(password) = user["password"].as_str() else {
        return Err(bad_request("The password is missing."));
    };
    if user["name"] != USER_NAME
        || !is_called(&user["domain"], DOMAIN_ID, DOMAIN_NAME)
        || !same(password, valid_password)
    {
        return Err(keystone(401, "Unauthorized", "The username or password is wrong."));
    }
    if project.is_null() {
        return Err(bad_request("The scope is missing: CSS needs a project."));
    }
    if !is_called(project, PROJECT_ID, REGION) {
        return Err(keystone(401, "Unauthorized", "The project does not exist."));
    }
    Ok(())
}

/// True if something is meant by its id, its name or both.
fn is_called(one: &Value, id: &str, name: &str) -> bool {
    let fits = |given: &Value, wanted| given.is_null() || given == wanted;
    let (given_id, given_name) = (&one["id"], &one["name"]);
    let named = !given_id.is_null() || !given_name.is_null();
    named && fits(given_id, id) && fits(given_name, name)
}

fn issued(state: &mut State, request: &Request<'_>) -> Reply {
    let now = request.now;
    let (token, expires) = state.gate.issue_token(now);
    let domain = json!({"id": DOMAIN_ID, "name": DOMAIN_NAME});
    let body = json!({"token": {
        "expires_at": format!("{expires:.6}"),
        "issued_at": format!("{now:.6}"),
        "methods": ["password"],
        "catalog": [],
        "roles": [{"id": "0", "name": "css_reader"}],
        "project": {"id": PROJECT_ID, "name": REGION, "domain": &domain},
        "user": {"id": USER_ID, "name": USER_NAME, "domain": &domain, "password_expires_at": ""},
    }});
    Reply::json(201, &body).with("X-Subject-Token", token)
}

fn bad_request(message: &str) -> Reply {
    keystone(400, "Bad Request", message)
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
