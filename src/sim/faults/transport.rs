//! What faults do to whole answers and to the bytes of them.
//!
//! Owns the answers of gateways and servers in trouble, and the ways to send a good answer badly.

use std::time::Duration;

use hyper::body::Bytes;
use serde_json::json;

use super::Kind;
use super::active::Hits;
use crate::sim::body::{SimBody, Step};
use crate::sim::errors::{
    HTML, Refusal, Reply, TEXT, css, gateway, keystone, no_such_cluster, not_enabled,
};

/// Where a redirect leads to.
pub(crate) const TRAP: &str = "/__sim/trap";

/// Words of a real gateway.
const THROTTLED: &str = "The throttling threshold has been reached: policy user over \
    ratelimit,limit:200,time:5 minute";

const TOMCAT: &str = "<!doctype html><html lang=\"en\"><head><title>HTTP Status 500 – Internal \
    Server Error</title></head><body><h1>HTTP Status 500 – Internal Server Error</h1>\
    <p><b>Type</b> Exception Report</p><hr class=\"line\"/><h3>Apache Tomcat</h3></body></html>";

const SLOW: Duration = Duration::from_secs(2);
const DRIP: Duration = Duration::from_secs(1);
/// Long enough for the bytes before it to leave.
const BEFORE_CUT: Duration = Duration::from_millis(50);

/// The answer of a fault that replaces the cloud's.
pub(crate) fn answer(hits: &Hits, base_url: &str) -> Option<Reply> {
    hits.0.iter().find_map(|kind| reply(*kind, base_url))
}

fn reply(kind: Kind, base_url: &str) -> Option<Reply> {
    let message = "The system is abnormal.";
    Some(match kind {
        Kind::Throttled => gateway(429, "APIGW.0308", THROTTLED),
        Kind::ThrottledRetryAfter => gateway(429, "APIGW.0308", THROTTLED).with("Retry-After", "2"),
        Kind::Throttled400 => {
            let body = json!({"error_code": "EndPoint.0022", "error_msg": "Too many requests."});
            Reply::json(400, &body)
        }
        Kind::ServerError => Reply::new(500, HTML, TOMCAT),
        Kind::BadGateway => Reply::new(502, HTML, ""),
        Kind::Unavailable => {
            gateway(503, "APIGW.0613", "The IAM service is temporarily unavailable.")
        }
        Kind::GatewayTimeout => gateway(504, "APIGW.0201", "Backend timeout"),
        Kind::Redirect => Reply::new(302, HTML, "").with("Location", format!("{base_url}{TRAP}")),
        Kind::Forbidden => no_such_cluster(),
        Kind::NotEnabled => not_enabled(),
        Kind::Unauthorized => {
            let text = "verify aksk signature fail".to_owned();
            Refusal::Malformed(text).reply()
        }
        Kind::Busy202 => css(202, "CSS.0011", "Another operation is being performed."),
        Kind::ShapeErrCode => css(500, "CSS.0005", message),
        Kind::ShapeErrorMsg => {
            let body = json!({"error_code": "EndPoint.0001", "error_msg": message});
            Reply::json(500, &body)
        }
        Kind::ShapeErrorCodeCamel => {
            Reply::json(500, &json!({"errorCode": "CSS.6000", "errorMsg": message}))
        }
        Kind::ShapeCodeMessage => {
            Reply::json(500, &json!({"code": "CSS.0005", "message": message}))
        }
        Kind::ShapeKeystone => keystone(500, "Internal Server Error", message),
        Kind::ShapeOpenstack => {
            Reply::json(500, &json!({"badRequest": {"code": "500", "message": message}}))
        }
        Kind::ShapeText => Reply::new(500, TEXT, "Internal Server Error\n"),
        _ => return None,
    })
}

/// How an answer is sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) delay: Duration,
    pub(crate) fate: Fate,
    pub(crate) claims_gzip: bool,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Sent,
    Hangs,
    Resets,
    CutShort,
    CutInChunks,
    Drips,
    Huge,
}

/// How the faults that hit a request have its answer sent; the worst of them wins.
pub(crate) fn sending(hits: &Hits) -> Sending {
    let fates = [
        (Kind::Hang, Fate::Hangs),
        (Kind::Reset, Fate::Resets),
        (Kind::HugeBody, Fate::Huge),
        (Kind::CutBody, Fate::CutShort),
        (Kind::CutChunked, Fate::CutInChunks),
        (Kind::Drip, Fate::Drips),
    ];
    let fate = fates.iter().find(|(kind, _)| hits.has(*kind)).map_or(Fate::Sent, |(_, fate)| *fate);
    let delay = if hits.has(Kind::Slow) { SLOW } else { Duration::ZERO };
    Sending { delay, fate, claims_gzip: hits.has(Kind::Gzip) }
}

/// The body for a fate, and the length to announce where it is not the body's own.
pub(crate) fn body(fate: Fate, bytes: Vec<u8>) -> (SimBody, Option<usize>) {
    let length = bytes.len();
    let mut bytes = Bytes::from(bytes);
    match fate {
        Fate::Sent | Fate::Hangs | Fate::Resets => (SimBody::whole(bytes.into()), None),
        Fate::CutShort => {
            bytes.truncate(length / 2);
            let steps = [Step::Send(bytes), Step::Wait(BEFORE_CUT), Step::Fail];
            (SimBody::of(steps), Some(length.max(1)))
        }
        Fate::CutInChunks => {
            bytes.truncate(length / 2);
            (SimBody::of([Step::Send(bytes), Step::Wait(BEFORE_CUT), Step::Fail]), None)
        }
        Fate::Drips => (SimBody::of([Step::Drip(bytes, DRIP)]), Some(length)),
        Fate::Huge => {
            let steps = [
                Step::Send(Bytes::from_static(b"{\"connections\":[],\"padding\":\"")),
                Step::Repeat(Bytes::from(vec![b'x'; 64 << 10]), 320),
                Step::Send(Bytes::from_static(b"\"}")),
            ];
            (SimBody::of(steps), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, Group};
    use super::*;

    #[test]
    fn every_http_fault_has_an_answer_and_no_other_has() {
        for (name, _) in Fault::NAMES {
            let kind = name.parse::<Fault>().expect("a known name").kind;
            let answered = reply(kind, "http://x").is_some();
            assert_eq!(answered, kind.group() == Group::Http, "{name}");
        }
    }

    #[test]
    fn the_worst_fate_wins() {
        let hits = Hits(vec![Kind::Drip, Kind::Slow, Kind::Hang]);
        let sending = sending(&hits);
        assert_eq!((sending.fate, sending.delay), (Fate::Hangs, SLOW));
    }
}
