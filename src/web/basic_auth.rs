//! Basic authentication (RFC 7617) with passwords that are kept as bcrypt hashes.
//!
//! Every login is compared anew: there is no cache of successful logins that could be
//! poisoned. A comparison costs much CPU by design, so only one runs at a time, and
//! few wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::Arc,
};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Comparisons that run at once: anyone can cause a comparison, and must not get a second core.
pub const AT_ONCE: usize = 1;
/// Logins that are compared or wait for their turn: every Prometheus of a company at the same moment. With
/// hashes of cost 10 the last one waits for a second.
pub const MOST_LOGINS: usize = 16;
/// A comparison of this cost takes about two seconds; each step more doubles it.
const MOST_COST: u32 = 15;
/// The salt of comparisons that only take time.
const DECOY_SALT: [u8; 16] = *b"css-vpcep-export";

/// The users who may log in.
#[derive(Default)]
pub struct Users(BTreeMap<String, PasswordHash>);

impl Users {
    /// Users by name.
    pub fn new(by_name: BTreeMap<String, PasswordHash>) -> Self {
        Self(by_name)
    }

    /// True if no user is configured, so that everyone may enter.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares a login. It takes the same time for every name, known or unknown, and every password.
    fn verify(&self, login: &Login) -> bool {
        let user = self.0.get(&login.name);
        let highest_cost = self.0.values().map(|hash| hash.cost).max().unwrap_or_default();
        let fits = user.is_some_and(|user| {
            bcrypt::verify(&*login.password, user.hash.expose()).unwrap_or(false)
        });
        for cost in missing_work(user.map(|user| user.cost), highest_cost) {
            let nothing = bcrypt::bcrypt(cost, DECOY_SALT, b"decoy");
            std::hint::black_box(nothing);
        }
        fits
    }
}

/// The costs of the comparisons that are left to do after one of `done`, so that all of them
/// together take as long as one of `highest`: each step doubles the work.
fn missing_work(done: Option<u32>, highest: u32) -> Range<u32> {
    done.map_or(highest..highest + 1, |done| done..highest)
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Users").field(&self.0.keys().collect::<BTreeSet<_>>()).finish()
    }
}

/// A checked bcrypt hash of a password.
pub struct PasswordHash {
    hash: Secret,
    cost: u32,
}

impl PasswordHash {
    /// Reads a hash as `htpasswd -B` makes it.
    ///
    /// # Errors
    /// The expected form. The error does not quote the hash: it could be a password.
    pub fn parse(hash: Secret) -> Result<Self, String> {
        let parts = hash.expose().parse::<bcrypt::HashParts>();
        let cost = parts.map_err(|_| "a bcrypt hash, as htpasswd -nB makes it")?.get_cost();
        if !(4..=MOST_COST).contains(&cost) {
            return Err(format!("a bcrypt hash of cost 4 to {MOST_COST}"));
        }
        Ok(Self { hash, cost })
    }
}

/// The user name and password in a request.
pub(super) struct Login {
    name: String,
    password: Zeroizing<Vec<u8>>,
}

impl Login {
    /// Reads the one `Authorization` header, if it is there and well formed.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let encoded = authorization(headers, "basic")?;
        let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        let colon = decoded.iter().position(|&byte| byte == b':')?;
        let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
        let name = std::str::from_utf8(name).ok()?.to_owned();
        Some(Self { name, password: Zeroizing::new(password.to_vec()) })
    }
}

/// The credentials of the one `Authorization` header, if it is there once and has this scheme (RFC 9110,
/// section 11.6.2: names of schemes have no case).
pub fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (named, credentials) = value.to_str().ok()?.split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then_some(credentials.trim())
}

/// The queue of logins to compare. Clones share it.
#[derive(Clone)]
pub(super) struct Counter {
    logins: Arc<Semaphore>,
    comparisons: Arc<Semaphore>,
}

/// Too many logins are waiting already.
pub(super) struct Busy;

impl Counter {
    pub(super) fn new() -> Self {
        let [logins, comparisons] = [MOST_LOGINS, AT_ONCE].map(Semaphore::new).map(Arc::new);
        Self { logins, comparisons }
    }

    /// True if the login is that of a user.
    pub(super) async fn admits(&self, login: Login, users: Arc<Users>) -> Result<bool, Busy> {
        let place = self.logins.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.comparisons.clone().acquire_owned().await.map_err(|_| Busy)?;
        let compared = tokio::task::spawn_blocking(move || {
            // The comparison goes on when the client has gone, so it keeps its permits to the end.
            let _kept = (place, turn);
            users.verify(&login)
        });
        Ok(compared.await.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn users(all: &[(&str, &str, u32)]) -> Users {
        let hash = |password: &str, cost| {
            PasswordHash::parse(Secret::new(
                bcrypt::hash_with_salt(password, cost, DECOY_SALT).unwrap().to_string(),
            ))
            .unwrap()
        };
        let named =
            |&(name, password, cost): &(&str, &str, u32)| (name.to_owned(), hash(password, cost));
        Users::new(all.iter().map(named).collect())
    }

    fn login(name: &str, password: &str) -> Login {
        Login { name: name.into(), password: Zeroizing::new(password.into()) }
    }

    #[test]
    fn only_the_right_password_of_a_known_name_fits() {
        let users = users(&[("alice", "apple", 4), ("bob", "banana", 5), ("eve", "", 4)]);
        for (name, password) in [("alice", "apple"), ("bob", "banana"), ("eve", "")] {
            assert!(users.verify(&login(name, password)), "{name}");
        }
        let wrong =
            [("alice", "banana"), ("bob", "apple"), ("alice", ""), ("carol", "apple"), ("", "")];
        for (name, password) in wrong {
            assert!(!users.verify(&login(name, password)), "{name}:{password}");
        }
    }

    #[test]
    fn every_login_is_the_same_work() {
        let work = |cost: u32| 1_u64 << cost;
        for highest in 4..=MOST_COST {
            for done in (4..=highest).map(Some).chain([None]) {
                let missing: u64 = missing_work(done, highest).map(work).sum();
                assert_eq!(done.map_or(0, work) + missing, work(highest), "{done:?} {highest}");
            }
        }
    }

    #[test]
    fn hashes_are_checked_and_not_shown() {
        let salt_and_hash = "csslvpcepXexporterabcOudroIEADjmOLl1BIQXaZJ9lrvxZZAQG";
        for prefix in ["$2a$10$", "$2b$04$", "$2y$15$"] {
            let parsed = PasswordHash::parse(Secret::new(format!("{prefix}{salt_and_hash}")));
            assert!(parsed.is_ok(), "{prefix}");
        }
        let long = format!("$2y$31${salt_and_hash}");
        let low = format!("$2y$03${salt_and_hash}");
        for bad in ["", "canary", "$2y$10$short", "$1$10$canary", &long, &low, &"ä".repeat(30)] {
            let error = PasswordHash::parse(Secret::new(bad)).err().expect("it is bad");
            assert!(error.starts_with("a bcrypt hash") && !error.contains("canary"), "{error}");
        }
        assert_eq!(format!("{:?}", users(&[("alice", "apple", 4)])), r#"Users({"alice"})"#);
    }

    #[test]
    fn logins_are_read_from_one_well_formed_header() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            let login = Login::of(&headers)?;
            Some((login.name, String::from_utf8(login.password.to_vec()).unwrap()))
        };
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        // "a:b", "a:b:c", "a:", ":"
        assert_eq!(read(&["Basic YTpi"]), pair("a", "b"));
        assert_eq!(read(&["basic YTpiOmM="]), pair("a", "b:c"));
        assert_eq!(read(&["BASIC  YTo="]), pair("a", ""));
        assert_eq!(read(&["Basic Og=="]), pair("", ""));
        // Nothing, no scheme, another one, no base64, no colon, a name that is no text, two of them.
        let bad = ["", "Basic", "YTpi", "Bearer YTpi", "Basic ****", "Basic YQ==", "Basic /zpi"];
        for bad in bad {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Basic YTpi", "Basic YTpi"]), None);
    }
}
