//! Certificates and keys, made anew for each test: none is kept in the repository.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

/// Someone who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("keys can be made");
        Authority(CertifiedIssuer::self_signed(params, key).expect("it can sign"))
    }

    /// A self-signed certificate; with `CA:TRUE`, as `openssl req -x509` makes it.
    pub(crate) fn self_signed(names: &[&str], is_ca: bool) -> Issued {
        let mut params = params(names);
        let authority = IsCa::Ca(BasicConstraints::Unconstrained);
        params.is_ca = if is_ca { authority } else { IsCa::ExplicitNoCa };
        let key = KeyPair::generate().expect("keys can be made");
        let certificate = params.self_signed(&key).expect("it can sign").pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// For a server or a client with these names: DNS names, IP and email addresses, URIs.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.sign(params(names), KeyPair::generate().expect("keys can be made"))
    }

    /// One that was good until a day of the past.
    pub(crate) fn issue_expired(&self, names: &[&str]) -> Issued {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2001, 2, 3);
        self.sign(params, KeyPair::generate().expect("keys can be made"))
    }

    /// A certificate that becomes valid in the far future.
    pub(crate) fn issue_not_yet_valid(&self, names: &[&str]) -> Issued {
        let mut params = params(names);
        params.not_before = date_time_ymd(2999, 1, 1);
        params.not_after = date_time_ymd(2999, 2, 3);
        self.sign(params, KeyPair::generate().expect("keys can be made"))
    }

    pub(crate) fn issue_rsa(&self, names: &[&str]) -> Issued {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("keys can be made");
        self.sign(params(names), key)
    }

    fn sign(&self, params: CertificateParams, key: KeyPair) -> Issued {
        let certificate = params.signed_by(&key, &self.0).expect("it can sign").pem();
        Issued { certificate, key: key.serialize_pem() }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| san(name)).collect();
    params
}

fn san(name: &str) -> SanType {
    let text = || name.try_into().expect("a name is ASCII");
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(text()),
        Err(_) if name.contains('@') => SanType::Rfc822Name(text()),
        Err(_) => SanType::DnsName(text()),
    }
}

/// Replaces a file in one step, as those who renew certificates do; nobody else can read it.
pub(crate) fn place(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("the folder can be written");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    fs::rename(&new, path).expect("the folder can be written");
}
