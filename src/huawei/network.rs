//! The way to the cloud: proxies with Prometheus' meaning, and authorities beside those of the system.
//!
//! Prometheus takes its rules from Go (`golang.org/x/net/http/httpproxy`), so these are Go's.

use std::{fmt, net::IpAddr, sync::Arc};

use reqwest::Url;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::endpoints::is_loopback;
use crate::secret::Secret;

/// The network settings of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The proxies, and what goes past them.
    pub proxies: Proxies,
    /// Certificates of authorities, as DER.
    pub authorities: Arc<[Box<[u8]>]>,
}

/// The certificates in a PEM text (RFC 7468), at least one.
///
/// # Errors
/// A description of the text that was found instead.
pub fn authorities(pem: &[u8]) -> Result<Arc<[Box<[u8]>]>, String> {
    let certificates =
        CertificateDer::pem_slice_iter(pem).map(|one| Some(one.ok()?.to_vec().into()));
    match certificates.collect::<Option<Arc<[_]>>>() {
        Some(certificates) if !certificates.is_empty() => Ok(certificates),
        Some(_) => Err("no certificate".into()),
        None => Err("a certificate that cannot be read".into()),
    }
}

/// The proxies of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For plain HTTP.
    pub http: Option<ProxyUrl>,
    /// For HTTPS.
    pub https: Option<ProxyUrl>,
    /// The hosts that bypass them; `None`: none, not even loopback.
    pub past: Option<Past>,
}

/// The address of a proxy, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Secret);

/// The hosts that bypass a proxy: loopback, and the entries of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Everything,
    Net {
        address: IpAddr,
        bits: u8,
    },
    Address {
        address: IpAddr,
        port: Option<u16>,
    },
    /// `suffix` begins with a dot; the domain itself counts where it was written without one.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// The same proxy for both, as `proxy_url` means it.
    pub fn both(url: ProxyUrl, past: Option<Past>) -> Self {
        Self { http: Some(url.clone()), https: Some(url), past }
    }

    /// The proxy for a URL.
    fn of(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let goes_past = self.past.as_ref().is_some_and(|past| past.has(url));
        proxy.as_ref().filter(|_| !goes_past)
    }

    /// The rule for reqwest; none where there is no proxy.
    pub(super) fn for_reqwest(&self) -> Option<reqwest::Proxy> {
        if *self == Self::default() {
            return None;
        }
        let proxies = self.clone();
        Some(reqwest::Proxy::custom(move |url| {
            proxies.of(url).map(|ProxyUrl(proxy)| proxy.expose().to_owned())
        }))
    }
}

impl ProxyUrl {
    /// Takes `http://` or `https://` with a host, and perhaps a user.
    ///
    /// # Errors
    /// The expected form, without the text, which may contain a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "http:// or https:// with a host is expected";
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(EXPECTED);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("only scheme, user, host and port are expected, without a path");
        }
        Ok(Self(Secret::new(url)))
    }

    /// As a variable of the environment has it: perhaps without `http://`.
    ///
    /// # Errors
    /// As [`ProxyUrl::parse`].
    pub fn of_environment(text: &str) -> Result<Self, &'static str> {
        match text.contains("://") {
            true => Self::parse(text),
            false => Self::parse(&format!("http://{text}")),
        }
    }

    /// True if it has a password.
    pub fn has_password(&self) -> bool {
        Url::parse(self.0.expose()).is_ok_and(|url| url.password().is_some())
    }
}

/// The address, without the user and the password.
impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = Url::parse(self.0.expose()) else { return Ok(()) };
        let has_user = !url.username().is_empty() || url.password().is_some();
        // They fail only for URLs that have no host.
        let _ = (url.set_password(None), url.set_username(""));
        let text = url.as_str().trim_end_matches('/');
        match (has_user, text.split_once("://")) {
            (true, Some((scheme, host))) => write!(f, "{scheme}://<secret>@{host}"),
            _ => f.write_str(text),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl Past {
    /// Reads a list with commas. Go passes over what it cannot read, and so does this.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(|entry| Entry::parse(entry.trim())).collect())
    }

    fn has(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let address = host.trim_matches(['[', ']']).parse().ok();
        let port = url.port_or_known_default();
        is_loopback(url) || self.0.iter().any(|entry| entry.has(&host, address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if text == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
            let most = if address.is_ipv4() { 32 } else { 128 };
            return (bits <= most).then_some(Self::Net { address, bits });
        }
        let (host, port) = match text.rsplit_once(':') {
            // More colons without brackets are an IPv6 address.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (&*text, None),
        };
        if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            return Some(Self::Address { address, port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let itself = !host.starts_with('.');
        let dot = if itself { "." } else { "" };
        (!host.is_empty()).then(|| Self::Domain { suffix: format!("{dot}{host}"), itself, port })
    }

    fn has(&self, host: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        match self {
            Self::Everything => true,
            Self::Net { address: net, bits } => {
                address.is_some_and(|address| is_in(address, *net, *bits))
            }
            Self::Address { address: own, port: only } => {
                address == Some(*own) && (only.is_none() || *only == port)
            }
            Self::Domain { suffix, itself, port: only } => {
                (host.ends_with(&**suffix) || *itself && host == &suffix[1..])
                    && (only.is_none() || *only == port)
            }
        }
    }
}

fn is_in(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    // A shift by all bits overflows, and means that every address is in the net.
    let same = |difference: u128, width: u32| {
        difference.checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
    };
    match (address, net) {
        (IpAddr::V4(address), IpAddr::V4(net)) => {
            same(u128::from(address.to_bits() ^ net.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(net)) => same(address.to_bits() ^ net.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases are those of Go's own tests of `httpproxy`, and of its documentation.
    #[test]
    fn what_goes_past_a_proxy_is_as_in_go() {
        let cases = [
            ("", "http://localhost", true),
            ("", "http://127.0.0.1:8080", true),
            ("", "http://127.0.0.2", true),
            ("", "http://[::1]", true),
            ("", "https://example.com", false),
            ("", "http://localhost.net", false),
            ("foobar.com", "https://foobar.com", true),
            ("foobar.com", "https://www.foobar.com", true),
            ("foobar.com", "https://afoobar.com", false),
            (".foobar.com", "https://foobar.com", false),
            (".foobar.com", "https://www.foobar.com", true),
            ("*.foobar.com", "https://www.foobar.com", true),
            ("*.foobar.com", "https://foobar.com", false),
            ("FooBar.com , other", "https://FOOBAR.COM", true),
            ("foobar.com:443", "https://foobar.com", true),
            ("foobar.com:443", "https://foobar.com:8443", false),
            ("foobar.com:80", "http://www.foobar.com", true),
            ("*", "https://anything.example", true),
            ("*", "https://192.0.2.1", true),
            ("a, ,*", "https://anything.example", true),
            ("192.168.1.1", "http://192.168.1.1", true),
            ("192.168.1.1", "http://192.168.1.2", false),
            ("192.168.1.1:81", "http://192.168.1.1:81", true),
            ("192.168.1.1:81", "http://192.168.1.1", false),
            ("192.168.1.0/24", "http://192.168.1.77:5678", true),
            ("192.168.1.0/24", "http://192.168.2.1", false),
            ("0.0.0.0/0", "http://8.8.8.8", true),
            ("0.0.0.0/0", "http://[2001:db8::1]", false),
            ("10.0.0.0/33", "http://10.0.0.1", false),
            ("2001:db8::52:0:1", "http://[2001:db8::52:0:1]", true),
            ("[2001:db8::52:0:1]", "http://[2001:db8::52:0:1]", true),
            ("[2001:db8::52:0:1]:443", "https://[2001:db8::52:0:1]", true),
            ("2001:db8::/32", "http://[2001:db8:1::2]", true),
            ("2001:db8::/32", "http://[2002:db8:1::2]", false),
            (":80", "http://example.com", false),
            ("192.168.1", "http://192.168.1.1", false),
        ];
        for (list, url, expected) in cases {
            let url = Url::parse(url).unwrap();
            assert_eq!(Past::parse(list).has(&url), expected, "{list:?} {url}");
        }
    }

    #[test]
    fn each_scheme_has_its_proxy_and_without_a_list_nothing_goes_past_it() {
        let proxy = |text| ProxyUrl::parse(text).unwrap();
        let url = |text| Url::parse(text).unwrap();
        let both = Proxies::both(proxy("http://p:3128"), None);
        assert!(both.of(&url("http://127.0.0.1")).is_some(), "as in Prometheus");
        let https = Proxies {
            https: Some(proxy("http://s:1")),
            past: Some(Past::default()),
            ..Proxies::default()
        };
        assert_eq!(https.of(&url("https://example.com")), Some(&proxy("http://s:1")));
        assert_eq!(https.of(&url("http://example.com")), None);
        assert_eq!(https.of(&url("https://127.0.0.1")), None);
        assert!(Proxies::default().for_reqwest().is_none());
    }

    #[test]
    fn the_user_of_a_proxy_is_never_shown() {
        for (text, shown) in [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
            ("http://proxy.example.com/", "http://proxy.example.com"),
            ("https://canary:canary@proxy:1", "https://<secret>@proxy:1"),
            ("http://canary@proxy", "http://<secret>@proxy"),
        ] {
            let proxy = ProxyUrl::parse(text).unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("canary"));
        }
        assert_eq!(
            ProxyUrl::of_environment("proxy:3128").unwrap().to_string(),
            "http://proxy:3128"
        );
        for text in ["", "proxy:3128", "socks5://proxy", "http://", "http://p/x", "http://p?a"] {
            assert!(ProxyUrl::parse(text).is_err(), "{text}");
        }
    }
}
