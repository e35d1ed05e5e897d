//! The questions to IAM and its answers: a token for a user, and the id of a project.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::{credentials::Login, settings::Settings, transport::Answer};
use crate::{
    cloud::{CloudError, Reason},
    model::{ProjectId, RegionId},
    secret::Secret,
    text::shown,
};

/// A token that IAM gave.
pub(super) struct Issued {
    pub(super) token: Secret,
    /// By IAM's clock.
    pub(super) expires: Timestamp,
    /// Its life from now on.
    pub(super) life: Duration,
}

/// The body that asks for a token for a user and a password (IAM API Reference, "Obtaining a User
/// Token Through Password Authentication"). Without a project id the token is for the project that is
/// named like the region: its main project.
pub(super) fn login_body(login: &Login, settings: &Settings) -> Secret {
    let Login { domain, user, password } = login;
    let project = match &settings.project_id {
        Some(id) => json!({ "id": id.as_str() }),
        None => json!({ "name": settings.region.as_str() }),
    };
    let user = json!({
        "name": user, "password": password.expose(), "domain": { "name": domain }
    });
    let body = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": user } },
        "scope": { "project": project },
    }});
    Secret::new(body.to_string())
}

/// The token in an answer to [`login_body`].
pub(super) fn issued(answer: Answer) -> Result<Issued, CloudError> {
    match (answer.subject_token, lifetime(&answer.body)) {
        (Some(token), Some((expires, life))) => Ok(Issued { token, expires, life }),
        _ => Err(CloudError {
            request_id: answer.request_id,
            ..CloudError::new(Reason::BadShape, "IAM gave no token, or none that ever expires")
        }),
    }
}

/// When a token expires, and how long it lives: both ends are told by IAM's clock, so that a wrong
/// clock here makes no token look dead.
fn lifetime(body: &[u8]) -> Option<(Timestamp, Duration)> {
    #[derive(Deserialize)]
    struct Body {
        token: Token,
    }
    #[derive(Deserialize)]
    struct Token {
        issued_at: String,
        expires_at: String,
    }
    let Body { token } = serde_json::from_slice(body).ok()?;
    let expires: Timestamp = token.expires_at.parse().ok()?;
    let life = expires.duration_since(token.issued_at.parse().ok()?);
    Some((expires, Duration::try_from(life).ok()?))
}

/// The one project that is named like the region (IAM API Reference, "Querying Project Information").
pub(super) fn one_project(answer: &Answer, region: &RegionId) -> Result<ProjectId, CloudError> {
    #[derive(Deserialize)]
    struct Body {
        projects: Vec<Row>,
    }
    #[derive(Deserialize)]
    struct Row {
        id: String,
        name: String,
    }
    let fail = |reason, message: String| CloudError {
        request_id: answer.request_id.clone(),
        ..CloudError::new(reason, message)
    };
    let body: Body = serde_json::from_slice(&answer.body).map_err(|_| {
        fail(Reason::BadShape, "IAM's list of projects is not as documented".into())
    })?;
    let named = |row: &&Row| row.name == region.as_str();
    let ids: Vec<_> = body.projects.iter().filter(named).map(|row| row.id.as_str()).collect();
    match ids[..] {
        [id] => ProjectId::parse(id)
            .map_err(|expected| fail(Reason::BadShape, format!("a project id of IAM: {expected}"))),
        [] => Err(fail(
            Reason::NotFound,
            format!("IAM knows no project named {region}; set project_id in the configuration"),
        )),
        _ => Err(fail(
            Reason::NotFound,
            format!(
                "IAM knows several projects named {region}; set project_id to one of {}",
                shown(&ids.join(", "), 300)
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::transport::Redaction;

    fn projects(body: &str) -> Result<ProjectId, CloudError> {
        let answer = Answer {
            body: body.as_bytes().to_vec().into(),
            request_id: None,
            subject_token: None,
            redaction: Redaction::default(),
        };
        one_project(&answer, &RegionId::parse("cn-north-4").unwrap())
    }

    #[test]
    fn exactly_one_project_must_have_the_name_of_the_region() {
        let id = "6e9dfd51d1124e8d8498dce894923a0d";
        let row = |id: &str, name: &str| format!(r#"{{"id":"{id}","name":"{name}"}}"#);
        let list = |rows: &[String]| format!(r#"{{"projects":[{}]}}"#, rows.join(","));
        let found = projects(&list(&[row(id, "cn-north-4"), row(id, "cn-north-4_sub")]));
        assert_eq!(found.map(|id| id.to_string()), Ok(id.to_owned()));
        let none = projects(&list(&[row(id, "eu-de")])).unwrap_err();
        assert!(none.message.contains("set project_id"), "{none}");
        let several = projects(&list(&[row(id, "cn-north-4"), row("b", "cn-north-4")]));
        assert!(several.unwrap_err().message.contains(id));
        assert_eq!(
            projects(&list(&[row("../..", "cn-north-4")])).unwrap_err().reason,
            Reason::BadShape
        );
        assert_eq!(projects("{}").unwrap_err().reason, Reason::BadShape);
    }

    #[test]
    fn a_token_lives_from_when_it_was_issued() {
        let body = br#"{"token":{"issued_at":"2015-11-08T01:42:57.527363Z",
                                 "expires_at":"2015-11-09T01:42:57.527363Z"}}"#;
        let (expires, life) = lifetime(body).unwrap();
        assert_eq!((expires.as_second(), life.as_secs()), (1_447_033_377, 24 * 3600));
        let backwards = br#"{"token":{"issued_at":"2015-11-08T01:42:57Z",
                                      "expires_at":"2015-11-07T01:42:57Z"}}"#;
        assert_eq!(lifetime(backwards), None);
        assert_eq!(lifetime(b"{}"), None);
    }
}
