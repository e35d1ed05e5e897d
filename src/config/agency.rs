//! `projects[].credentials.assume`: the agency whose keys are used.

use std::time::Duration;

use super::{
    diagnostics::{At, human},
    file,
};
use crate::huawei::credentials::{Agency, AgencyName};

/// The limits of a life of an agency's keys, in the references of STS and IAM.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST_OF_STS: Duration = Duration::from_secs(12 * 60 * 60);
const LONGEST_OF_IAM: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that temporary keys get from STS.
const DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The agency; `has_keys` is true if it is assumed with keys, false with a token.
pub(super) fn agency(at: &At<'_>, written: &mut file::Assume, has_keys: bool) -> Option<Agency> {
    let name = name(at, written, has_keys)?;
    let longest = match &name {
        AgencyName::Urn(_) => LONGEST_OF_STS,
        AgencyName::OfDomain { .. } => LONGEST_OF_IAM,
    };
    let text = written.duration.get_or_insert_with(|| human(DEFAULT));
    let at = at.key("duration");
    let duration = at.duration(text)?;
    if !(SHORTEST..=longest).contains(&duration) {
        let expected = format!("{} to {}", human(SHORTEST), human(longest));
        at.mistake(format_args!("{text:?}"), expected);
    }
    Some(Agency { name, duration })
}

fn name(at: &At<'_>, written: &file::Assume, has_keys: bool) -> Option<AgencyName> {
    match (&written.agency_urn, &written.agency_name, &written.domain_name) {
        (Some(urn), None, None) if has_keys => {
            at.key("agency_urn").name(urn);
            Some(AgencyName::Urn(urn.clone()))
        }
        (Some(_), None, None) => {
            let expected =
                "agency_name and domain_name: STS knows an agency_urn, and takes keys only";
            at.key("agency_urn").wrong("it with a token or a password", expected)
        }
        (None, Some(agency), Some(domain)) => {
            at.key("agency_name").name(agency);
            at.key("domain_name").name(domain);
            Some(AgencyName::OfDomain { agency: agency.clone(), domain: domain.clone() })
        }
        _ => {
            let found = "neither one nor the other, or parts of both";
            at.wrong(found, "agency_urn, or agency_name and domain_name")
        }
    }
}
