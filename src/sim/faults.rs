//! Named faults: what can go wrong with the cloud, on demand.
//!
//! Owns the list of names with their meaning, and how one is written on a command line. Which are
//! active and whom they hit is in `active`; what they do to an answer in `content` and `transport`;
//! what they do to paging in `api::connections`.

pub(crate) mod active;
pub(crate) mod content;
pub(crate) mod transport;

use std::fmt;
use std::str::FromStr;

/// What a fault touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Which rows of the connections are served, and the count of them.
    Paging,
    /// What an answer about connections says.
    Content,
    /// The whole answer of any operation.
    Http,
    /// How the bytes of any answer travel.
    Wire,
}

macro_rules! faults {
    ($($kind:ident $group:ident $name:literal $meaning:literal)*) => {
        /// One way to go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $(#[doc = $meaning] $kind,)*
        }

        impl Kind {
            const ALL: &'static [Kind] = &[$(Kind::$kind),*];

            pub(crate) fn group(self) -> Group {
                match self { $(Kind::$kind => Group::$group,)* }
            }

            pub(crate) fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name,)* }
            }
        }

        impl Fault {
            /// Every fault: its name and what it does, in one line.
            pub const NAMES: &'static [(&'static str, &'static str)] = &[$(($name, $meaning)),*];
        }
    };
}

faults! {
    OffsetIgnored Paging "offset-ignored" "every page is the first page, whatever the offset"
    OffsetOneBased Paging "offset-one-based" "offset 1 is the first row; 0 is refused with 400 CSS.5038"
    StartParameter Paging "start-parameter" "only the older parameter start, counted from 1, is read"
    LimitCapped Paging "limit-capped" "a page has at most 100 rows, whatever the limit"
    LimitRefused Paging "limit-refused" "a limit above 100 is refused with 400 CSS.5038"
    TotalGrows Paging "total-grows" "after each page a connection is added before the first row"
    TotalShrinks Paging "total-shrinks" "after each page the first row is removed"
    TotalMovesOnce Paging "total-moves-once" "the first row is removed after the first page, once per cluster"
    TotalWrong Paging "total-wrong" "total_count is 3 too high"
    TotalMissing Paging "total-missing" "total_count is not sent"
    TotalText Paging "total-text" "total_count is a text"
    TotalNegative Paging "total-negative" "total_count is -1"
    DuplicateRows Paging "duplicate-rows" "rows stand twice, inside a page and across its end"
    Endless Paging "endless" "every page is full of new connections, whatever the offset"
    Junk Content "junk" "200 with a body that is not JSON"
    EmptyBody Content "empty-body" "200 without a body"
    Html Content "html" "200 with the HTML page of a login"
    ErrorIn200 Content "error-in-200" "200 with the body of an error"
    ArrayBody Content "array-body" "200 with an array instead of an object"
    SwitchText Content "switch-text" "vpcepUpdateSwitch is a text"
    UnknownField Content "unknown-field" "fields that no document names, in the answer and in rows"
    UnknownStatus Content "unknown-status" "the first row of a page has the status frozen"
    SessionJunk Content "session-junk" "the first row of a page has the maxSession lots"
    MissingId Content "missing-id" "the first row of a page has no id"
    NullList Content "null-list" "connections is null; total_count stays"
    DeepJson Content "deep-json" "an unknown field holds 100,000 nested arrays"
    HugeBody Content "huge-body" "200 with a body of 20 MiB"
    ControlCharacters Content "control-characters" "texts with quotes, backslashes, line ends, U+2028 and emoji"
    LoneSurrogate Content "lone-surrogate" "a text of the first row escapes half a surrogate pair"
    Throttled Http "throttled" "429 APIGW.0308, without Retry-After"
    ThrottledRetryAfter Http "throttled-retry-after" "429 APIGW.0308 with Retry-After: 2"
    Throttled400 Http "throttled-400" "400 EndPoint.0022: throttling as VPCEP words it"
    ServerError Http "server-error" "500 with an HTML page of Tomcat"
    BadGateway Http "bad-gateway" "502 without a body"
    Unavailable Http "unavailable" "503 with JSON"
    GatewayTimeout Http "gateway-timeout" "504 APIGW.0201"
    Redirect Http "redirect" "302 to a trap on the simulator itself, which counts who falls in"
    Forbidden Http "forbidden" "403 CSS.0015"
    NotEnabled Http "not-enabled" "400 CSS.5182"
    Unauthorized Http "unauthorized" "401 APIGW.0301, although the signature is good"
    Busy202 Http "busy-202" "202 with the error CSS.0011"
    ShapeErrCode Http "shape-err-code" "500 in the error shape errCode, externalMessage (CSS)"
    ShapeErrorMsg Http "shape-error-msg" "500 in the error shape error_code, error_msg"
    ShapeErrorCodeCamel Http "shape-error-code-camel" "500 in the error shape errorCode, errorMsg"
    ShapeCodeMessage Http "shape-code-message" "500 in the error shape code, message"
    ShapeKeystone Http "shape-keystone" "500 in the error shape error{code, message, title} (IAM)"
    ShapeOpenstack Http "shape-openstack" "500 in the error shape badRequest{code, message}"
    ShapeText Http "shape-text" "500 with plain text"
    Gzip Wire "gzip" "the answer claims Content-Encoding: gzip and is not compressed"
    Hang Wire "hang" "the request is accepted and never answered"
    Slow Wire "slow" "the answer comes 2 s late"
    CutBody Wire "cut-body" "the connection closes before Content-Length is reached"
    CutChunked Wire "cut-chunked" "the connection closes inside a chunked body"
    Reset Wire "reset" "the connection closes without an answer"
    Drip Wire "drip" "the body comes one byte per second"
}

/// A fault to start with: a name and, optionally, in how many of 100 requests it strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) percent: u8,
}

/// Why a text names no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultError {
    /// The name is not known.
    Name(String),
    /// What follows the colon is no number from 1 to 100.
    Percent(String),
}

impl FromStr for Fault {
    type Err = FaultError;

    /// Reads `NAME` or `NAME:PERCENT`.
    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let (name, percent) = text.split_once(':').unwrap_or((text, "100"));
        let kind = Kind::ALL.iter().copied().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| FaultError::Name(name.to_owned()))?;
        let number = percent.parse().ok().filter(|number| (1..=100).contains(number));
        let percent = number.ok_or_else(|| FaultError::Percent(percent.to_owned()))?;
        Ok(Fault { kind, percent })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            100 => f.write_str(self.kind.name()),
            percent => write!(f, "{}:{percent}", self.kind.name()),
        }
    }
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultError::Name(name) => write!(f, "no fault is called {name:?}"),
            FaultError::Percent(text) => write!(f, "{text:?} is no percentage from 1 to 100"),
        }
    }
}

impl std::error::Error for FaultError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_read_and_written() {
        let mut seen = HashSet::new();
        for (name, meaning) in Fault::NAMES {
            let fault: Fault = name.parse().expect("a known name");
            assert_eq!(fault.to_string(), *name);
            assert!(seen.insert(name) && !meaning.is_empty());
        }
        let some: Fault = "throttled:20".parse().expect("a known name");
        assert_eq!(some, Fault { kind: Kind::Throttled, percent: 20 });
        assert_eq!(some.to_string(), "throttled:20");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "Throttled", "throttled ", ":20", "unknown"] {
            assert!(matches!(text.parse::<Fault>(), Err(FaultError::Name(_))), "{text}");
        }
        for text in ["throttled:", "throttled:0", "throttled:101", "throttled:-1", "throttled:x"] {
            assert!(matches!(text.parse::<Fault>(), Err(FaultError::Percent(_))), "{text}");
        }
    }
}
