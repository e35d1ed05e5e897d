//! The gateway lets a request in by its signature or its token.

use std::collections::{HashSet, VecDeque};

use hyper::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::{ACCESS_KEY, ID_TOKEN, PASSWORD, POD_TOKEN, PROJECT_ID, SECRET_KEY},
    clock::{basic_date, parse_basic_date, shifted},
    errors::{expired_token, unauthenticated},
    reply::Reply,
    rng::Rng,
    signature::{Authorization, Received, canonical_request, only_value, same, signature},
};

/// A signature holds for 15 minutes (signing guide).
const WINDOW_SECONDS: i64 = 15 * 60;
/// More bad signatures in a row than this lock the access key (API Gateway FAQ, IAM authentication).
const BAD_LIMIT: u32 = 5;
const LOCK_SECONDS: i64 = 5 * 60;
/// A token lives for a day (IAM API Reference, Obtaining a User Token Through Password
/// Authentication).
const TOKEN_SECONDS: i64 = 24 * 60 * 60;
/// Keys of an agency live for about an hour, and new ones are given ten minutes before their end (ECS User
/// Guide, obtaining metadata).
const KEY_SECONDS: i64 = 60 * 60;
const OVERLAP_SECONDS: i64 = 10 * 60;
/// The number of tokens, and of temporary keys, that stay valid; the oldest goes first.
const TOKENS: usize = 1_000;

/// The credentials that are valid now; a test may rotate them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    /// The security token of temporary keys, which must be sent with them, signed or not.
    pub(super) security_token: Option<String>,
    pub(super) password: String,
    /// The number of requests with a token after which all tokens end, once.
    pub(super) tokens_end_after: Option<u64>,
    /// The actions that the user may take; absent: all.
    pub(super) actions: Option<HashSet<String>>,
    /// The life of the temporary keys that are given from now on.
    pub(super) key_seconds: i64,
    /// The time before the end of the server's keys at which the server gets new ones.
    pub(super) overlap_seconds: i64,
    /// True if the server has an agency.
    pub(super) has_agency: bool,
    /// True if the metadata service gives tokens and demands them.
    pub(super) has_metadata_tokens: bool,
    /// The token of the identity provider and of the OIDC provider.
    pub(super) id_token: String,
    /// The token that the platform gives a pod.
    pub(super) pod_token: String,
}

/// Temporary keys that were given out.
#[derive(Clone, Debug)]
pub(super) struct TemporaryKeys {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) security_token: String,
    pub(super) expires: Timestamp,
}

/// The credentials, the tokens and keys given out, and the lock after too many bad signatures.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) credentials: Credentials,
    bad_in_a_row: u32,
    locked_until: Option<Timestamp>,
    /// Each token with its end; the newest is first, as with the keys.
    tokens: VecDeque<(String, Timestamp)>,
    temporary: VecDeque<TemporaryKeys>,
    /// The access key that the server got last.
    of_server: Option<String>,
    rng: Rng,
    /// The number of signed requests that were refused for any reason.
    pub(super) bad_signatures: u64,
}

impl Gate {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            credentials: Credentials {
                access_key: ACCESS_KEY.to_owned(),
                secret_key: SECRET_KEY.to_owned(),
                security_token: None,
                password: PASSWORD.to_owned(),
                tokens_end_after: None,
                actions: None,
                key_seconds: KEY_SECONDS,
                overlap_seconds: OVERLAP_SECONDS,
                has_agency: true,
                has_metadata_tokens: false,
                id_token: ID_TOKEN.to_owned(),
                pod_token: POD_TOKEN.to_owned(),
            },
            bad_in_a_row: 0,
            locked_until: None,
            tokens: VecDeque::new(),
            temporary: VecDeque::new(),
            of_server: None,
            rng,
            bad_signatures: 0,
        }
    }

    /// Lets a request in, or refuses it. `project` is the project in the path, if there is one.
    pub(super) fn admit(
        &mut self,
        received: &Received<'_>,
        project: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Reply> {
        let headers = received.headers;
        if headers.contains_key(AUTHORIZATION) {
            let outcome = self.check_signature(received, now);
            self.bad_signatures += u64::from(outcome.is_err());
            outcome.map_err(unauthenticated)?;
        } else if headers.contains_key("x-auth-token") {
            self.check_token(headers, now)?;
        } else {
            return Err(unauthenticated("x-auth-token not found"));
        }
        let project = project.unwrap_or(PROJECT_ID);
        if headers.contains_key("x-project-id")
            && only_value(headers, "x-project-id") != Some(project)
        {
            return Err(unauthenticated("x-project-id does not match the project"));
        }
        Ok(())
    }

    /// Ends all tokens given out so far.
    pub(super) fn end_tokens(&mut self) {
        for (_, expires) in &mut self.tokens {
            *expires = Timestamp::MIN;
        }
    }

    /// Gives out a token. Returns it with the time of its end.
    pub(super) fn issue_token(&mut self, now: Timestamp) -> (String, Timestamp) {
        // Real tokens are CMS in base64, which begins so.
        let token = format!("MIISIM{}{}", self.rng.hex32(), self.rng.hex32());
        let expires = shifted(now, TOKEN_SECONDS);
        self.tokens.push_front((token.clone(), expires));
        self.tokens.truncate(TOKENS);
        (token, expires)
    }

    /// Gives out temporary keys.
    pub(super) fn issue_keys(&mut self, now: Timestamp) -> TemporaryKeys {
        let keys = TemporaryKeys {
            access_key: format!("HST{}", &self.rng.hex32().to_uppercase()[..17]),
            secret_key: format!("tmp{}{}", self.rng.hex32(), &self.rng.hex32()[..5]),
            security_token: format!("hQ{}{}", self.rng.hex32(), self.rng.hex32()),
            expires: shifted(now, self.credentials.key_seconds),
        };
        self.temporary.push_front(keys.clone());
        self.temporary.truncate(TOKENS);
        keys
    }

    /// The keys of the server: the same again until shortly before their end, then new ones.
    pub(super) fn keys_of_server(&mut self, now: Timestamp) -> TemporaryKeys {
        let known = self.temporary.iter().find(|keys| {
            Some(&keys.access_key) == self.of_server.as_ref()
                && now < shifted(keys.expires, -self.credentials.overlap_seconds)
        });
        if let Some(keys) = known {
            return keys.clone();
        }
        let keys = self.issue_keys(now);
        self.of_server = Some(keys.access_key.clone());
        keys
    }

    /// Ends all temporary keys given out so far.
    pub(super) fn end_keys(&mut self) {
        self.temporary.clear();
    }

    /// True for a token that was given out and has not ended.
    pub(super) fn knows_token(&self, token: &str, now: Timestamp) -> bool {
        self.tokens.iter().any(|(one, expires)| same(one, token) && now < *expires)
    }

    /// Checks a signature in the order of the gateway. The error is in the gateway's words.
    fn check_signature(&mut self, received: &Received<'_>, now: Timestamp) -> Result<(), String> {
        let headers = received.headers;
        let text = only_value(headers, AUTHORIZATION.as_str());
        let authorization = Authorization::parse(text.ok_or("authorization format is wrong")?)?;
        let access_key = authorization.access_key;
        let known = self.temporary.iter().find(|keys| same(&keys.access_key, access_key));
        let valid = &self.credentials;
        // A temporary key that has ended is unknown, as one that never was.
        let (secret_key, token) = match known.filter(|keys| now < keys.expires) {
            Some(keys) => (&keys.secret_key, Some(&*keys.security_token)),
            None if same(access_key, &valid.access_key) => {
                (&valid.secret_key, valid.security_token.as_deref())
            }
            None => return Err(format!("ak {access_key} not exist")),
        };
        if self.locked_until.is_some_and(|until| now < until) {
            return Err("AK access failed to reach the limit,forbidden".to_owned());
        }
        // The official clients sign different headers; the gateway requires only this one.
        if !authorization.signs("x-sdk-date") {
            return Err("signed headers lack x-sdk-date".to_owned());
        }
        if token.is_some() && only_value(headers, "x-security-token") != token {
            return Err("x-security-token is missing or wrong".to_owned());
        }
        let canonical = canonical_request(received, &authorization)?;
        let date = only_value(headers, "x-sdk-date").unwrap_or_default();
        let signed = parse_basic_date(date).ok_or("x-sdk-date is wrong")?;
        if (now.as_second() - signed.as_second()).abs() > WINDOW_SECONDS {
            return Err(format!(
                "calc aksk signature fail:signature expired, signature time:{date},server time:{}",
                basic_date(now)
            ));
        }
        if same(&signature(secret_key, date, &canonical), authorization.signature) {
            (self.bad_in_a_row, self.locked_until) = (0, None);
            return Ok(());
        }
        self.bad_in_a_row += 1;
        if self.bad_in_a_row > BAD_LIMIT {
            (self.bad_in_a_row, self.locked_until) = (0, Some(shifted(now, LOCK_SECONDS)));
        }
        let canonical = canonical.replace('\n', "|");
        Err(format!("verify aksk signature fail, canonicalRequest:{canonical}"))
    }

    fn check_token(&mut self, headers: &HeaderMap, now: Timestamp) -> Result<(), Reply> {
        match &mut self.credentials.tokens_end_after {
            None => {}
            Some(0) => {
                self.credentials.tokens_end_after = None;
                self.end_tokens();
            }
            Some(left) => *left -= 1,
        }
        let token = only_value(headers, "x-auth-token").unwrap_or_default();
        match self.tokens.iter().find(|(one, _)| same(one, token)) {
            None => Err(unauthenticated("decrypt token fail")),
            Some((_, expires)) if now >= *expires => Err(expired_token()),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn now() -> Timestamp {
        "2024-01-02T03:04:05Z".parse().expect("a time")
    }

    type Header = (&'static str, String);

    /// Asks with these headers signed, by this secret key, at this time.
    fn ask(
        gate: &mut Gate,
        signed: &[Header],
        secret_key: &str,
        now: Timestamp,
    ) -> Result<(), Reply> {
        ask_with(gate, signed, &[], secret_key, now)
    }

    /// The same, with headers that are set after signing.
    fn ask_with(
        gate: &mut Gate,
        signed: &[Header],
        set_later: &[Header],
        secret_key: &str,
        now: Timestamp,
    ) -> Result<(), Reply> {
        let mut map = HeaderMap::new();
        let set = |map: &mut HeaderMap, headers: &[Header]| {
            for (name, value) in headers {
                map.insert(*name, HeaderValue::from_str(value).expect("a value"));
            }
        };
        set(&mut map, signed);
        let signed_headers: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let joined = signed_headers.join(";");
        let authorization = Authorization { access_key: ACCESS_KEY, signed_headers, signature: "" };
        let received =
            Received { method: "GET", path: "/x", query: "", headers: &map.clone(), body: b"" };
        let canonical = canonical_request(&received, &authorization).expect("all headers");
        let date = map.get("x-sdk-date").and_then(|date| date.to_str().ok()).unwrap_or_default();
        let sign = signature(secret_key, date, &canonical);
        let text = format!(
            "SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={joined}, Signature={sign}"
        );
        map.insert(AUTHORIZATION, HeaderValue::from_str(&text).expect("a value"));
        set(&mut map, set_later);
        gate.admit(&Received { headers: &map, ..received }, Some(PROJECT_ID), now)
    }

    /// True if a refusal has these words.
    fn says(outcome: Result<(), Reply>, words: &str) -> bool {
        let body = outcome.map_err(|refused| String::from_utf8(refused.body).expect("text"));
        body.is_err_and(|body| body.contains(words))
    }

    const LOCKED: &str = "AK access failed to reach the limit";

    fn usual(date: Timestamp) -> Vec<Header> {
        vec![("host", "h".to_owned()), ("x-sdk-date", basic_date(date))]
    }

    #[test]
    fn lets_good_signatures_in_and_bad_ones_not() {
        let mut gate = Gate::new(Rng::new(1, 1));
        assert_eq!(ask(&mut gate, &usual(now()), SECRET_KEY, now()), Ok(()));
        let wrong = ask(&mut gate, &usual(now()), "wrong", now());
        assert!(says(wrong, "verify aksk signature fail, canonicalRequest:GET|/x/||host:h|"));
        let without_date = [("host", "h".to_owned())];
        let outcome = ask(&mut gate, &without_date, SECRET_KEY, now());
        assert!(says(outcome, "signed headers lack x-sdk-date"));
        assert_eq!(gate.bad_signatures, 2);
    }

    #[test]
    fn a_signature_holds_for_fifteen_minutes_both_ways() {
        let mut gate = Gate::new(Rng::new(1, 1));
        let late = ask(&mut gate, &usual(shifted(now(), -901)), SECRET_KEY, now());
        assert!(says(late, "signature time:20240102T024904Z,server time:20240102T030405Z"));
        for (seconds, good) in [(900, true), (-900, true), (901, false), (-901, false)] {
            let outcome = ask(&mut gate, &usual(shifted(now(), seconds)), SECRET_KEY, now());
            assert_eq!(outcome.is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn the_sixth_bad_signature_in_a_row_locks_the_key_for_five_minutes() {
        let mut gate = Gate::new(Rng::new(1, 1));
        for _ in 0..2 {
            for _ in 0..5 {
                assert!(ask(&mut gate, &usual(now()), "wrong", now()).is_err());
            }
            assert_eq!(ask(&mut gate, &usual(now()), SECRET_KEY, now()), Ok(()));
        }
        for _ in 0..6 {
            assert!(ask(&mut gate, &usual(now()), "wrong", now()).is_err());
        }
        assert!(says(ask(&mut gate, &usual(now()), SECRET_KEY, now()), LOCKED));
        let later = shifted(now(), 299);
        assert!(says(ask(&mut gate, &usual(later), SECRET_KEY, later), LOCKED));
        let later = shifted(now(), 300);
        assert_eq!(ask(&mut gate, &usual(later), SECRET_KEY, later), Ok(()));
    }

    /// The headers that the official clients sign; Terraform sets those of the second list later.
    fn clients() -> [(&'static str, Vec<Header>, Vec<Header>); 4] {
        let json = ("content-type", "application/json".to_owned());
        let host = ("host", "h".to_owned());
        let agent = ("user-agent", "witness".to_owned());
        let project = ("x-project-id", PROJECT_ID.to_owned());
        let date = ("x-sdk-date", basic_date(now()));
        let accept = ("accept", "application/json".to_owned());
        [
            ("least", vec![date.clone()], vec![]),
            (
                "Python",
                vec![json.clone(), host, agent.clone(), project.clone(), date.clone()],
                vec![],
            ),
            ("Go", vec![agent.clone(), project.clone(), date.clone()], vec![]),
            ("Terraform", vec![accept, json, agent, date], vec![project]),
        ]
    }

    #[test]
    fn every_official_client_is_let_in_with_the_headers_it_signs() {
        for (client, signed, set_later) in clients() {
            let mut gate = Gate::new(Rng::new(1, 1));
            let outcome = ask_with(&mut gate, &signed, &set_later, SECRET_KEY, now());
            assert_eq!(outcome, Ok(()), "{client}");
        }
    }

    #[test]
    fn temporary_keys_need_their_token_signed_or_not() {
        let token = |value: &str| ("x-security-token", value.to_owned());
        for (client, signed, set_later) in clients() {
            let mut gate = Gate::new(Rng::new(1, 1));
            gate.credentials.security_token = Some("right".to_owned());
            let mut ask = |signed: &[Header], set_later: &[Header]| {
                ask_with(&mut gate, signed, set_later, SECRET_KEY, now())
            };
            let with = |headers: &[Header], value| [headers, &[token(value)]].concat();
            assert_eq!(ask(&with(&signed, "right"), &set_later), Ok(()), "{client}");
            assert_eq!(ask(&signed, &with(&set_later, "right")), Ok(()), "{client}");
            for refused in [
                ask(&signed, &set_later),
                ask(&with(&signed, "wrong"), &set_later),
                ask(&signed, &with(&set_later, "wrong")),
            ] {
                assert!(says(refused, "x-security-token is missing or wrong"), "{client}");
            }
        }
    }

    #[test]
    fn a_signed_header_arrives_as_it_was_signed() {
        for (name, value) in [("host", "other"), ("x-sdk-date", "20240102T030406Z")] {
            let mut gate = Gate::new(Rng::new(1, 1));
            let changed = [(name, value.to_owned())];
            let outcome = ask_with(&mut gate, &usual(now()), &changed, SECRET_KEY, now());
            assert!(says(outcome, "verify aksk signature fail"), "{name}");
        }
    }

    #[test]
    fn the_project_header_matches_the_path() {
        let mut gate = Gate::new(Rng::new(1, 1));
        for (project, good) in [(PROJECT_ID, true), ("other", false)] {
            let header = ("x-project-id", project.to_owned());
            let mut signed = usual(now());
            signed.insert(1, header.clone());
            assert_eq!(ask(&mut gate, &signed, SECRET_KEY, now()).is_ok(), good);
            let outcome = ask_with(&mut gate, &usual(now()), &[header], SECRET_KEY, now());
            assert_eq!(outcome.is_ok(), good);
        }
    }

    #[test]
    fn a_token_lives_for_a_day() {
        let mut gate = Gate::new(Rng::new(1, 1));
        let (token, expires) = gate.issue_token(now());
        let mut ask = |token: &str, at: Timestamp| {
            let mut headers = HeaderMap::new();
            headers.insert("x-auth-token", HeaderValue::from_str(token).expect("a value"));
            let received =
                Received { method: "GET", path: "/x", query: "", headers: &headers, body: b"" };
            gate.admit(&received, None, at)
        };
        assert_eq!(ask(&token, now()), Ok(()));
        assert!(says(ask("MIIelse", now()), "decrypt token fail"));
        assert!(says(ask(&token, expires), "APIGW.0307"));
    }
}
