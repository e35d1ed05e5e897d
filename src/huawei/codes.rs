//! The cloud's error codes and statuses: the only place that knows what they mean.
//!
//! Codes are looked at before the status, because the cloud throttles with 400, hides a missing
//! cluster behind 403 and reports a wrong clock in the text of a 401. The numbers are those of the
//! documents: "Error Codes" of API Gateway, of CSS, and of the VPCEP API Reference.

use crate::cloud::{CloudError, Reason, Refusal};

/// 400 with this code means that the cluster has no endpoint service: a state of the cluster, not a
/// failure.
pub(super) const SERVICE_NOT_ENABLED: &str = "CSS.5182";

/// The reason for an answer that is not the expected one.
pub(super) fn reason(status: u16, code: &str, message: &str) -> Reason {
    match (status, &*comparable(code)) {
        (429, _) | (_, "APIGW.0308" | "ENDPOINT.0022") => Reason::Throttled,
        // Missing permissions, reported with a 400.
        (_, "CSS.0051" | "CSS.5313") => Reason::Forbidden,
        // A service that does not exist, reported with a 400.
        (_, "ENDPOINT.2003") => Reason::NotFound,
        // A wrong key has the same code; only the text identifies a wrong clock.
        (401, "APIGW.0301") if message.contains("signature expired") => Reason::ClockSkew,
        (401, _) => Reason::Auth,
        (403, "CSS.0015") | (404, _) => Reason::NotFound,
        (403, _) => Reason::Forbidden,
        (300..400, _) => Reason::Redirect,
        (400..500, _) => Reason::Http4xx,
        (500..600, _) => Reason::Http5xx,
        // Any other success has no documented body, and informational answers never get here.
        _ => Reason::BadShape,
    }
}

/// An error of an answer with this status.
pub(super) fn answered(error: CloudError, status: u16) -> CloudError {
    let refusal = refusal(error.reason, status, error.code.as_deref().unwrap_or_default());
    CloudError { status: Some(status), refusal, ..error }
}

/// The refusal in an answer with this status and code; `None`: the request was not refused, the cloud
/// failed.
fn refusal(reason: Reason, status: u16, code: &str) -> Option<Refusal> {
    let refusal = match (reason, status, &*comparable(code)) {
        (Reason::Throttled, ..) | (_, 429, _) | (.., "APIGW.0308" | "ENDPOINT.0022") => {
            Refusal::Throttled
        }
        (Reason::ClockSkew, ..) => Refusal::ClockSkew,
        (Reason::Auth, ..) | (_, 401, _) => Refusal::Credentials,
        (.., "ENDPOINT.3044" | "ENDPOINT.3046") => Refusal::Conflict,
        (.., "ENDPOINT.3045" | "ENDPOINT.2018" | "ENDPOINT.2019" | "ENDPOINT.2004")
        | (_, 400, SERVICE_NOT_ENABLED | "CSS.5090" | "CSS.5301") => Refusal::State,
        (.., "ENDPOINT.2003" | "ENDPOINT.0005" | "ENDPOINT.3062")
        | (_, 403, "CSS.0015")
        | (_, 400, "CSS.0047" | "CSS.0082") => Refusal::Missing,
        (.., code) if is_invalid(code) => Refusal::Invalid,
        (.., "APIGW.0101") => Refusal::WrongEndpoint,
        (Reason::Forbidden, ..) | (_, 403, _) => Refusal::Forbidden,
        (Reason::Redirect, ..) | (_, 300..=399, _) => Refusal::Redirected,
        (_, 405 | 414, _) => Refusal::WrongEndpoint,
        (Reason::NotFound, ..) | (_, 404, _) => Refusal::Missing,
        (_, 409 | 412, _) => Refusal::Conflict,
        (_, 400, _) => Refusal::Invalid,
        _ => return None,
    };
    Some(refusal)
}

fn is_invalid(code: &str) -> bool {
    const NUMBERS: [&str; 18] = [
        "0002", "1003", "3003", "3004", "3008", "3010", "3042", "3043", "3052", "3054", "3055",
        "3058", "3059", "3061", "3063", "3074", "3075", "3076",
    ];
    code.strip_prefix("ENDPOINT.").is_some_and(|number| NUMBERS.contains(&number))
}

/// Returns true if the gateway refused the request, before any service saw it.
pub(super) fn is_of_gateway(error: &CloudError) -> bool {
    error.code.as_deref().is_some_and(|code| comparable(code).starts_with("APIGW."))
}

/// A 401 because of the credentials, or because of the clock that signed.
pub(super) fn refuses_the_credentials(error: &CloudError) -> bool {
    error.status == Some(401) && matches!(error.reason, Reason::Auth | Reason::ClockSkew)
}

/// A parameter is bad, or out of range. Other codes with the same status say nothing about the page
/// limit, and some of them are temporary.
pub(super) fn refuses_a_parameter(error: &CloudError) -> bool {
    has_code(error, 400, &["CSS.0001", "CSS.5038"])
}

/// The cluster has no endpoint service. Only a 400 says so, and only in place of the first page: the
/// same code in another answer, or after rows were read, is a contradiction and no state of the cluster.
pub(super) fn says_not_enabled(error: &CloudError) -> bool {
    has_code(error, 400, &[SERVICE_NOT_ENABLED])
}

fn has_code(error: &CloudError, status: u16, codes: &[&str]) -> bool {
    let code = error.code.as_deref().map(comparable);
    error.status == Some(status) && code.is_some_and(|code| codes.contains(&&*code))
}

/// A code in the spelling that is compared. The cloud has several spellings of some codes: `Endpoint.`
/// and `EndPoint.`, and from its gateway `APIGW.` in most regions and `APIG.` in some.
fn comparable(code: &str) -> String {
    let code = code.to_ascii_uppercase();
    match code.strip_prefix("APIG.") {
        Some(number) => format!("APIGW.{number}"),
        None => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_compared_however_the_cloud_spells_them() {
        let cases = [
            ("EndPoint.2003", "EndPoint.2003", true),
            ("Endpoint.2003", "EndPoint.2003", true),
            ("css.0001", "CSS.0001", true),
            ("APIG.0308", "APIGW.0308", true),
            ("apigw.0308", "APIG.0308", true),
            ("APIG.0308", "APIG.0308", true),
            ("EndPoint.2003", "EndPoint.2004", false),
            ("CSS.0308", "APIGW.0308", false),
            ("APIGX.0308", "APIGW.0308", false),
            ("0308", "APIGW.0308", false),
            ("APIGW0308", "APIGW.0308", false),
            ("401", "401", true),
            ("", "", true),
        ];
        for (one, other, same) in cases {
            assert_eq!(comparable(one) == comparable(other), same, "{one} {other}");
        }
        assert!(!has_code(&CloudError::new(Reason::Http4xx, ""), 400, &[""]));
    }

    #[test]
    fn only_the_documented_answer_means_that_the_service_is_not_enabled() {
        for (status, expected) in [(Some(400), true), (Some(200), false), (Some(502), false)] {
            let code = Some(SERVICE_NOT_ENABLED.to_owned());
            let error = CloudError { status, code, ..CloudError::new(Reason::Http4xx, "") };
            assert_eq!(says_not_enabled(&error), expected, "{status:?}");
        }
    }

    /// The table of the VPCEP API Reference, and the codes and statuses of gateways.
    #[test]
    fn refusals_are_told_by_code_before_status() {
        use Refusal as R;
        let invalid = [
            "0002", "1003", "3003", "3004", "3008", "3010", "3042", "3043", "3052", "3054", "3055",
            "3058", "3059", "3061", "3063", "3074", "3075", "3076",
        ];
        let mut cases = vec![
            (429, "", Some(R::Throttled)),
            (429, "APIGW.0308", Some(R::Throttled)),
            (400, "APIG.0308", Some(R::Throttled)),
            (429, "CSS.0051", Some(R::Throttled)),
            (401, "APIGW.0301", Some(R::Credentials)),
            (401, "APIGW.0303", Some(R::Credentials)),
            (401, "CSS.0051", Some(R::Credentials)),
            (403, "EndPoint.0004", Some(R::Forbidden)),
            (403, "APIGW.0302", Some(R::Forbidden)),
            (400, "CSS.5313", Some(R::Forbidden)),
            (404, "APIGW.0101", Some(R::WrongEndpoint)),
            (405, "", Some(R::WrongEndpoint)),
            (414, "", Some(R::WrongEndpoint)),
            (404, "", Some(R::Missing)),
            (409, "", Some(R::Conflict)),
            (412, "", Some(R::Conflict)),
            (307, "", Some(R::Redirected)),
            (400, "", Some(R::Invalid)),
            (400, "CSS.3044", Some(R::Invalid)),
            (400, "CSS.5182", Some(R::State)),
            (400, "CSS.5090", Some(R::State)),
            (400, "CSS.0082", Some(R::Missing)),
            (403, "CSS.0015", Some(R::Missing)),
            (451, "", None),
            (500, "", None),
            (504, "APIGW.0201", None),
            (200, "", None),
            // An error body in a success.
            (200, "EndPoint.3044", Some(R::Conflict)),
        ];
        let endpoint = |numbers: &[&str], refusal| {
            let of = |number| (format!("EndPoint.{number}"), refusal);
            numbers.iter().map(of).collect::<Vec<_>>()
        };
        let of_service = [
            endpoint(&["0022"], R::Throttled),
            endpoint(&["3044", "3046"], R::Conflict),
            endpoint(&["3045", "2018", "2019", "2004"], R::State),
            endpoint(&["2003", "0005", "3062"], R::Missing),
            endpoint(&invalid, R::Invalid),
        ]
        .concat();
        for (code, refusal) in &of_service {
            cases.extend([(400, &**code, Some(*refusal)), (404, code, Some(*refusal))]);
        }
        for (status, code, expected) in cases {
            let reason = reason(status, code, "");
            let error =
                CloudError { code: Some(code.to_ascii_lowercase()), ..CloudError::new(reason, "") };
            assert_eq!(answered(error, status).refusal, expected, "{status} {code}");
        }
        let skew = reason(401, "APIGW.0301", "signature expired");
        let error = answered(CloudError::new(skew, ""), 401);
        assert_eq!(error.refusal, Some(R::ClockSkew));
    }
}
