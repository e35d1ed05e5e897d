//! The answer of IAM with the id of a project.

use serde::Deserialize;

use super::transport::Answer;
use crate::{
    cloud::{CloudError, Reason},
    model::{ProjectId, RegionId},
    text::shown,
};

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
            seconds_ahead: 0.0,
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
}
