//! The names of faults, each with its meaning.

use serde::{Deserialize, Serialize};

/// The part of an answer, or of a change, that faults touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// The rows of an answer about connections, and their count.
    Paging,
    /// The fields or the whole body of an answer about connections.
    Content,
    /// The whole answer of any operation.
    Http,
    /// The way of any answer to the client.
    Wire,
    /// The whole answer of an operation of VPCEP: the PUT, unless another is named.
    Refusal,
    /// A change that keeps every rule: the PUT, unless the POST about connections is named.
    Change,
    /// The answer to such a change, which takes effect.
    Applied,
    /// The answer to such a change, which has no effect.
    NotApplied,
}

impl Group {
    /// True if these faults strike only changes that keep every rule.
    pub(crate) fn is_of_changes(self) -> bool {
        matches!(self, Self::Change | Self::Applied | Self::NotApplied)
    }
}

macro_rules! faults {
    ($($group:ident { $($kind:ident $name:literal $meaning:literal)* })*) => {
        /// A mistake or oddity of the cloud.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum Kind {
            $($(#[doc = $meaning] #[serde(rename = $name)] $kind,)*)*
        }

        const KINDS: &[(Kind, Group)] = &[$($((Kind::$kind, Group::$group),)*)*];

        /// Every fault: its name and what it does, in one line.
        pub(crate) const NAMES: &[(&str, &str)] = &[$($(($name, $meaning),)*)*];
    };
}

faults! {
    Paging {
        OffsetIgnored "offset-ignored" "every page is the first page, whatever the offset"
        OffsetOneBased "offset-one-based" "offset 1 is the first row; 0 is refused with 400 CSS.5038"
        StartParameter "start-parameter" "only the older parameter start, counted from 1, is read"
        LimitCapped "limit-capped" "a page has at most 100 rows, whatever the limit"
        LimitRefused "limit-refused" "a limit above 100 is refused with 400 CSS.5038"
        TotalGrows "total-grows" "after each page a connection is added before the first row"
        TotalShrinks "total-shrinks" "after each page the first row is removed"
        TotalMovesOnce "total-moves-once" "the first row is removed after the first page, once per cluster"
        TotalWrong "total-wrong" "total_count is 3 too high"
        TotalMissing "total-missing" "total_count is not sent"
        TotalText "total-text" "total_count is a text"
        TotalNegative "total-negative" "total_count is -1"
        DuplicateRows "duplicate-rows" "rows stand twice, inside a page and across its end"
        Endless "endless" "every page is full of new connections, whatever the offset"
    }
    Content {
        Junk "junk" "200 with a body that is not JSON"
        EmptyBody "empty-body" "200 without a body"
        Html "html" "200 with the HTML page of a login"
        ErrorIn200 "error-in-200" "200 with the body of an error"
        ArrayBody "array-body" "200 with an array instead of an object"
        SwitchText "switch-text" "vpcepUpdateSwitch is a text"
        UnknownField "unknown-field" "fields that no document names, in the answer and in rows"
        UnknownStatus "unknown-status" "the first row of a page has the status frozen"
        SessionJunk "session-junk" "the first row of a page has the maxSession lots"
        MissingId "missing-id" "the first row of a page has no id"
        NullList "null-list" "connections is null; total_count stays"
        DeepJson "deep-json" "an unknown field holds 100,000 nested arrays"
        HugeBody "huge-body" "200 with a body of 20 MiB"
        ControlCharacters "control-characters" "texts with quotes, backslashes, line ends, U+2028 and emoji"
        LoneSurrogate "lone-surrogate" "a text of the first row escapes half a surrogate pair"
    }
    Http {
        Throttled "throttled" "429 APIGW.0308, without Retry-After"
        ThrottledRetryAfter "throttled-retry-after" "429 APIGW.0308 with Retry-After: 2"
        Throttled400 "throttled-400" "400 EndPoint.0022: throttling as VPCEP words it"
        ServerError "server-error" "500 with an HTML page of Tomcat"
        BadGateway "bad-gateway" "502 without a body"
        Unavailable "unavailable" "503 with JSON"
        GatewayTimeout "gateway-timeout" "504 APIGW.0201"
        Redirect "redirect" "302 to a trap on the simulator itself, which counts who falls in"
        Forbidden "forbidden" "403 CSS.0015"
        NotEnabled "not-enabled" "400 CSS.5182"
        Unauthorized "unauthorized" "401 APIGW.0301, although the signature is good"
        Busy202 "busy-202" "202 with the error CSS.0011"
        ShapeErrCode "shape-err-code" "500 in the error shape errCode, externalMessage (CSS)"
        ShapeErrorMsg "shape-error-msg" "500 in the error shape error_code, error_msg"
        ShapeErrorCodeCamel "shape-error-code-camel" "500 in the error shape errorCode, errorMsg"
        ShapeCodeMessage "shape-code-message" "500 in the error shape code, message"
        ShapeKeystone "shape-keystone" "500 in the error shape error{code, message, title} (IAM)"
        ShapeOpenstack "shape-openstack" "500 in the error shape badRequest{code, message}"
        ShapeText "shape-text" "500 with plain text"
    }
    Wire {
        Gzip "gzip" "the answer claims Content-Encoding: gzip and is not compressed"
        Hang "hang" "the request is accepted and never answered"
        Slow "slow" "the answer comes 2 s late"
        CutBody "cut-body" "the connection closes before Content-Length is reached"
        CutChunked "cut-chunked" "the connection closes inside a chunked body"
        Reset "reset" "the connection closes without an answer"
        Drip "drip" "the body comes one byte per second"
    }
    Refusal {
        ServiceUnauthorized "service-unauthorized" "401 EndPoint.0003, from the service and not from the gateway"
        NotAllowed "not-allowed" "403 EndPoint.0004"
        NotYours "not-yours" "another project's service: 404 EndPoint.0005, also for GET; not listed"
        NotThere "not-there" "a service that does not exist, in other words: 400 EndPoint.2003"
    }
    Change {
        EchoNew "echo-new" "the answer to a PUT shows the new values"
        ApprovalReset "approval-reset" "approval_enabled becomes true where a PUT leaves it out"
        Partial "partial" "only the first field (or connection) that a change is about is changed"
        Delayed "delayed" "the old state is shown for `gets` more GETs (2 unless given), or for `ms`"
    }
    Applied {
        AppliedThenHang "applied-then-hang" "the change is applied and never answered"
        AppliedThenReset "applied-then-reset" "the change is applied and the connection closed"
        AppliedThen500 "applied-then-500" "the change is applied and answered with 500 EndPoint.0001"
    }
    NotApplied {
        NotAppliedThenHang "not-applied-then-hang" "the change is not applied and never answered"
        NotAppliedThenReset "not-applied-then-reset" "the change is not applied and the connection closed"
        NotAppliedThen500 "not-applied-then-500" "the change is not applied: 500 EndPoint.0001"
    }
    Change {
        SecondWriter "second-writer" "right before the PUT someone else makes another `change`"
        SecondWriterAfter "second-writer-after" "right after the PUT someone else makes another `change`"
        ForbiddenState "forbidden-state" "the state of the service forbids changes: 400 EndPoint.3045"
    }
}

impl Kind {
    /// The fault with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        KINDS.iter().map(|(kind, _)| *kind).find(|kind| kind.name() == name)
    }

    pub(crate) fn group(self) -> Group {
        KINDS[self as usize].1
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize].0
    }
}
