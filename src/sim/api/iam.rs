//! IAM: project ids by name, the account, and tokens by password (IAM API Reference).
//!
//! Owns the one user and the one project as IAM describes them. Tokens are kept by `gate`.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sim::cloud::State;
use crate::sim::errors::{Reply, keystone};
use crate::sim::query::Query;
use crate::sim::signature::same;
use crate::sim::{DOMAIN_ID, DOMAIN_NAME, PROJECT_ID, REGION, USER_ID, USER_NAME};

/// Querying Project Information Based on the Specified Criteria: `name` is the region's.
pub(super) fn projects(query: &Query, base_url: &str) -> Reply {
    let name = match query.text("name") {
        Ok(name) => name,
        Err(_) => return bad_request("The parameter name is repeated."),
    };
    let project = json!({
        "id": PROJECT_ID,
        "name": REGION,
        "domain_id": DOMAIN_ID,
        "parent_id": DOMAIN_ID,
        "enabled": true,
        "is_domain": false,
        "description": "",
        "links": {"self": format!("{base_url}/v3/projects/{PROJECT_ID}")},
    });
    let projects: Vec<Value> =
        if name.is_none_or(|name| name == REGION) { vec![project] } else { Vec::new() };
    let links = json!({"self": format!("{base_url}/v3/projects"), "previous": null, "next": null});
    traced(Reply::json(200, &json!({"links": links, "projects": projects})))
}

/// Querying the Account of the Credentials.
pub(super) fn domains(base_url: &str) -> Reply {
    let links =
        json!({"self": format!("{base_url}/v3/auth/domains"), "previous": null, "next": null});
    let domain = json!({
        "id": DOMAIN_ID,
        "name": DOMAIN_NAME,
        "enabled": true,
        "description": "",
        "links": {"self": format!("{base_url}/v3/domains/{DOMAIN_ID}")},
    });
    traced(Reply::json(200, &json!({"links": links, "domains": [domain]})))
}

/// Obtaining a User Token Through Password Authentication.
pub(super) fn token(state: &mut State, body: &[u8], now: Timestamp) -> Reply {
    let reply = match serde_json::from_slice::<Request>(body) {
        Err(_) => bad_request("The request body is invalid."),
        Ok(request) => match judged(&request.auth, &state.gate.credentials.password) {
            Err(refused) => refused,
            Ok(()) => issued(state, now),
        },
    };
    traced(reply)
}

fn judged(auth: &Auth, valid_password: &str) -> Result<(), Reply> {
    let identity = &auth.identity;
    if identity.methods != ["password"] {
        return Err(bad_request("Only the method password is supported."));
    }
    let Some(Password { user }) = &identity.password else {
        return Err(bad_request("The password is missing."));
    };
    let known = user.name == USER_NAME
        && user.domain.is(DOMAIN_ID, DOMAIN_NAME)
        && same(&user.password, valid_password);
    if !known {
        let message = "The username or password is wrong.";
        return Err(keystone(401, "Unauthorized", message));
    }
    match auth.scope.as_ref().and_then(|scope| scope.project.as_ref()) {
        None => Err(bad_request("The scope is missing: CSS needs a project.")),
        Some(project) if project.is(PROJECT_ID, REGION) => Ok(()),
        Some(_) => Err(keystone(401, "Unauthorized", "The project does not exist.")),
    }
}

fn issued(state: &mut State, now: Timestamp) -> Reply {
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

#[derive(Deserialize)]
struct Request {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    identity: Identity,
    scope: Option<Scope>,
}

#[derive(Deserialize)]
struct Identity {
    methods: Vec<String>,
    password: Option<Password>,
}

#[derive(Deserialize)]
struct Password {
    user: User,
}

#[derive(Deserialize)]
struct User {
    name: String,
    password: String,
    domain: Named,
}

#[derive(Deserialize)]
struct Scope {
    project: Option<Named>,
}

/// Something named by its id, its name or both.
#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
}

impl Named {
    fn is(&self, id: &str, name: &str) -> bool {
        let fits = |given: &Option<String>, wanted| given.as_ref().is_none_or(|one| one == wanted);
        let named = self.id.is_some() || self.name.is_some();
        named && fits(&self.id, id) && fits(&self.name, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::PASSWORD;

    fn status(user: &str, password: &str, scope: Value) -> u16 {
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user, "password": password, "domain": {"name": DOMAIN_NAME}
            }}},
            "scope": scope
        }});
        let request: Request = serde_json::from_value(body).expect("a request");
        judged(&request.auth, PASSWORD).err().map_or(201, |reply| reply.status)
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
    }

    #[test]
    fn projects_are_found_by_the_name_of_the_region() {
        let count = |query: &str| {
            let reply = projects(&Query::parse(query), "http://x");
            let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
            body["projects"].as_array().expect("projects").len()
        };
        assert_eq!((count("name=sim-region-1"), count(""), count("name=other")), (1, 1, 0));
    }
}
