//! Faults that replace an answer by that of a gateway or server in trouble, or that send a good answer badly.

use std::time::Duration;

use serde_json::json;

use super::{Group, Hits, Kind};
use crate::sim::{
    errors::{css, gateway, keystone, no_such_cluster, not_enabled, unauthenticated, vpcep},
    reply::{Fate, HTML, Reply, TEXT},
};

/// The target of a redirect.
pub(crate) const TRAP: &str = "/__sim/trap";

/// The words of a real gateway.
const THROTTLED: &str = "The throttling threshold has been reached: policy user over \
    ratelimit,limit:200,time:5 minute";

const TOMCAT: &str = "<!doctype html><html lang=\"en\"><head><title>HTTP Status 500 – Internal \
    Server Error</title></head><body><h1>HTTP Status 500 – Internal Server Error</h1>\
    <p><b>Type</b> Exception Report</p><hr class=\"line\"/><h3>Apache Tomcat</h3></body></html>";

const SLOW: Duration = Duration::from_secs(2);

/// The answer of the first fault that replaces the cloud's.
pub(crate) fn answer(hits: &Hits, base_url: &str) -> Option<Reply> {
    hits.kinds().find_map(|kind| reply(kind, base_url))
}

fn reply(kind: Kind, base_url: &str) -> Option<Reply> {
    let message = "The system is abnormal.";
    Some(match kind {
        Kind::Throttled => gateway(429, "APIGW.0308", THROTTLED),
        Kind::ThrottledRetryAfter => gateway(429, "APIGW.0308", THROTTLED).with("Retry-After", "2"),
        Kind::Throttled400 => vpcep("0022"),
        Kind::ServerError => Reply::new(500, HTML, TOMCAT),
        Kind::BadGateway => Reply::new(502, HTML, ""),
        Kind::Unavailable => {
            gateway(503, "APIGW.0613", "The IAM service is temporarily unavailable.")
        }
        Kind::GatewayTimeout => gateway(504, "APIGW.0201", "Backend timeout"),
        Kind::Redirect => Reply::new(302, HTML, "").with("Location", format!("{base_url}{TRAP}")),
        Kind::Forbidden => no_such_cluster(),
        Kind::NotEnabled => not_enabled(),
        Kind::Unauthorized => unauthenticated("verify aksk signature fail"),
        Kind::Busy202 => css(202, "CSS.0011", "Another operation is being performed."),
        Kind::ShapeErrCode => css(500, "CSS.0005", message),
        Kind::ShapeErrorMsg => vpcep("0001"),
        Kind::ShapeErrorCodeCamel => {
            Reply::json(500, &json!({"errorCode": "CSS.6000", "errorMsg": message}))
        }
        Kind::ShapeCodeMessage => {
            Reply::json(500, &json!({"code": "CSS.0005", "message": message}))
        }
        Kind::ShapeKeystone => keystone(500, message),
        Kind::ShapeOpenstack => {
            Reply::json(500, &json!({"badRequest": {"code": "500", "message": message}}))
        }
        Kind::ShapeText => Reply::new(500, TEXT, "Internal Server Error\n"),
        Kind::ServiceUnauthorized => vpcep("0003"),
        Kind::NotAllowed => vpcep("0004"),
        Kind::NotYours => vpcep("0005"),
        Kind::NotThere => vpcep("2003"),
        _ => return None,
    })
}

/// True if a fault keeps the change from taking effect, whatever the answer says.
pub(crate) fn is_lost(hits: &Hits) -> bool {
    hits.kinds().any(|kind| kind.group() == Group::NotApplied)
}

/// The answer to a change, as the faults that strike the change want it.
pub(crate) fn of_change(mut reply: Reply, hits: &Hits) -> Reply {
    if hits.any(&[Kind::AppliedThen500, Kind::NotAppliedThen500]) {
        reply = vpcep("0001");
    }
    sent_badly(reply, hits)
}

/// The answer, sent as these faults want it; the worst of them wins.
pub(crate) fn sent_badly(mut reply: Reply, hits: &Hits) -> Reply {
    const FATES: [(Kind, Fate); 10] = [
        (Kind::Hang, Fate::Hangs),
        (Kind::AppliedThenHang, Fate::Hangs),
        (Kind::NotAppliedThenHang, Fate::Hangs),
        (Kind::Reset, Fate::Resets),
        (Kind::AppliedThenReset, Fate::Resets),
        (Kind::NotAppliedThenReset, Fate::Resets),
        (Kind::HugeBody, Fate::Huge),
        (Kind::CutBody, Fate::CutShort),
        (Kind::CutChunked, Fate::CutInChunks),
        (Kind::Drip, Fate::Drips),
    ];
    // A fate that a fault of changes has set stays.
    if reply.fate == Fate::Sent {
        let worst = FATES.iter().find(|(kind, _)| hits.has(*kind));
        reply.fate = worst.map_or(Fate::Sent, |(_, fate)| *fate);
    }
    if hits.has(Kind::Slow) {
        reply.delay = SLOW;
    }
    if hits.has(Kind::Gzip) { reply.with("Content-Encoding", "gzip") } else { reply }
}

#[cfg(test)]
mod tests {
    use super::{super::kind::NAMES, *};

    #[test]
    fn every_http_fault_has_an_answer_and_no_other_has() {
        for (name, _) in NAMES {
            let kind = Kind::named(name).expect("a known name");
            let answered = reply(kind, "http://x").is_some();
            assert_eq!(answered, matches!(kind.group(), Group::Http | Group::Refusal), "{name}");
        }
    }

    #[test]
    fn the_worst_fate_wins() {
        let hits = Hits::of(&[Kind::Drip, Kind::Slow, Kind::Hang]);
        let reply = sent_badly(Reply::new(200, TEXT, ""), &hits);
        assert_eq!((reply.fate, reply.delay), (Fate::Hangs, SLOW));
    }
}
