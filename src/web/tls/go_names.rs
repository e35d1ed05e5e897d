//! The names that Go gives to cipher suites and curves, which the web configuration uses.

use tokio_rustls::rustls::{CipherSuite, NamedGroup};

/// Every suite of the library. Go has more; those lack forward secrecy or authenticated encryption.
pub const CIPHER_SUITES: [(&str, CipherSuite); 9] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
];

/// The groups of Go that the library has.
pub const CURVES: [(&str, NamedGroup); 4] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("X25519", NamedGroup::X25519),
    ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
];

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::crypto::aws_lc_rs;

    use super::*;

    #[test]
    fn every_name_is_one_of_the_library() {
        for (name, suite) in CIPHER_SUITES {
            assert!(
                aws_lc_rs::ALL_CIPHER_SUITES.iter().any(|known| known.suite() == suite),
                "{name}"
            );
        }
        assert_eq!(CIPHER_SUITES.len(), aws_lc_rs::ALL_CIPHER_SUITES.len());
        for (name, group) in CURVES {
            assert!(aws_lc_rs::ALL_KX_GROUPS.iter().any(|known| known.name() == group), "{name}");
        }
    }
}
