//! The shape of a text: how much of it may be shown, and the form of its replacement.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::{ProjectId, is_uuid};

/// Fields whose values are words of the API, not of its users.
const API_FIELDS: &str = "code datastoreType engine errCode errorCode error_code ip_version maxSession \
    permission_type protocol server_type service_type specificationName status tcp_proxy type version";
/// Longer values are no words.
const LONGEST_WORD: usize = 40;
/// Ports, versions, limits and the enterprise project 0, but no account and no telephone number.
const LONGEST_NUMBER: usize = 5;

/// Fields that explain something in a sentence.
const SENTENCES: &str = "error_description error_msg errorMsg externalMessage message title";
/// The words of those sentences, and of the APIs' paths and addresses. A list, because a name may be any word:
/// what is not in it is replaced.
const WORDS: &str = "a access account action actions after again against agency ak aksk all \
    allow allowed allows already an and any api apis are as assume at auth authentication \
    authorization authorized bad be because been before body by call called can canceled \
    canonicalrequest catalog check closed cluster clusters code conflict connection connections \
    contact content could create created credential credentials css current customer decrypt \
    deleted denied deny details disabled do does domain domainid domains elasticsearch empty \
    enable enabled endpoint endpoints enough enterprise environment error exceed exceeded \
    exceeds exist existed exists expire expired fail failed failure forbidden format found \
    frequent from gateway get given group has have header host hour http https iam id identity \
    illegal in incorrect information instance insufficient internal interval invalid ip is it \
    key later length limit limited list locked logstash maintenance management match maximum \
    message method minimum minute missing must name no not null number of offset on only open \
    opensearch operation operations or over page parameter parameters permission permissions \
    please policy privilege project projects protocol published query quota range ratelimit \
    reached reason refused region request requested required resource resources role roles \
    second secret security server service services session sign signature signed size sk start \
    state status sts support supported switch system temporarily that the this threshold \
    throttling time timed timeout to token too try type unauthorized unavailable under unknown \
    unsupported updated use used user v1 v1.0 v3 v5 valid value verify version vpc vpcep \
    vpcepservice was whether with within wrong you";
/// The form of a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    Uuid,
    /// 32 lower-case letters and digits: an id of a project, an account or a request.
    Id,
    V4,
    V6,
    Host,
    Text,
}

impl Shape {
    pub(super) fn of(text: &str) -> Self {
        match () {
            () if is_uuid(&text.to_ascii_lowercase()) => Self::Uuid,
            () if ProjectId::parse(text).is_ok() => Self::Id,
            () if text.parse::<Ipv4Addr>().is_ok() => Self::V4,
            () if text.parse::<Ipv6Addr>().is_ok() => Self::V6,
            () if is_host(text) => Self::Host,
            () => Self::Text,
        }
    }

    /// The replacement with this number. Addresses are those of the documentation (RFC 5737, RFC 3849), and
    /// of tests (RFC 2544) where these do not suffice.
    pub(super) fn replacement(self, number: u32) -> String {
        let [_, more, high, low] = number.to_be_bytes();
        match self {
            Self::Uuid => format!("00000000-0000-4000-9000-{number:012x}"),
            Self::Id => format!("{number:032x}"),
            Self::V4 => match number >> 8 {
                0 => format!("192.0.2.{low}"),
                1 => format!("198.51.100.{low}"),
                2 => format!("203.0.113.{low}"),
                _ => format!("198.{}.{high}.{low}", 18 + more % 2),
            },
            Self::V6 => format!("2001:db8::{:x}:{:x}", number >> 16, number & 0xffff),
            Self::Host => format!("host-{number}.example.com"),
            Self::Text => format!("text-{number}"),
        }
    }
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = text.rsplit_once('.').map_or("", |(_, last)| last);
    last.len() > 1
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.split('.').all(is_label)
}

/// True of a value that the API chose, under this key.
pub(super) fn is_of_api(key: &str, value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    is_in(API_FIELDS, key)
        && value.len() <= LONGEST_WORD
        && value.bytes().all(is_plain)
        && Shape::of(value) == Shape::Text
}

/// True of a field that explains something in a sentence.
pub(super) fn is_sentence(key: &str) -> bool {
    is_in(SENTENCES, key)
}

/// True of a text that names no one: a date, a short number, nothing, a Boolean.
pub(super) fn is_harmless(text: &str) -> bool {
    let is_number = text.len() <= LONGEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number || is_date(text) || ["true", "false"].contains(&text)
}

/// As in `2024-06-11T09:36:24Z` and `20240611T093624Z`.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_dated =
        matches!(bytes, [_, _, _, _, b'-', _, _, b'-', ..] | [_, _, _, _, _, _, _, _, b'T', ..]);
    is_dated && bytes.iter().all(|byte| byte.is_ascii_digit() || b"-:.+TZ ".contains(byte))
}

/// True of a word that says nothing of its user: of the list, an error code, or an action of a policy.
pub(super) fn is_word(text: &str) -> bool {
    is_in(WORDS, &text.to_ascii_lowercase()) || is_code(text) || is_action(text)
}

fn is_in(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|one| one == word)
}

/// As in `APIGW.0308`.
fn is_code(text: &str) -> bool {
    let Some((service, number)) = text.split_once('.') else { return false };
    (3..=10).contains(&service.len())
        && service.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (3..=8).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// As in `css:VPCEndpoint:listConnection`.
fn is_action(text: &str) -> bool {
    (text.starts_with("css:") || text.starts_with("vpcep:"))
        && text.matches(':').count() == 2
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b':')
}
