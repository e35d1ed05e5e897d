//! Client certificates: the requirement, the authority, and the accepted names.

use std::{net::IpAddr, sync::Arc};

use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use x509_parser::extensions::GeneralName;

use super::{error::TlsError, pem::Pem};

/// The demand on clients: a certificate, which may have to be one of an authority.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Every client needs one.
    pub mandatory: bool,
    /// The authority that has to have signed it; the authorities of the system are not trusted. `None`: any
    /// signer will do.
    pub ca: Option<Pem>,
    /// Alternative names, one of which the certificate must have; if there are none, any will do.
    pub allowed_sans: Vec<String>,
}

impl ClientAuth {
    /// The verifier of clients' certificates.
    pub(super) fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let Self { mandatory, ca, allowed_sans } = self.clone();
        let chain = ca.map(|ca| chain_verifier(&ca, provider.clone())).transpose()?;
        Ok(Arc::new(Verifier { provider, mandatory, chain, allowed_sans }))
    }
}

fn chain_verifier(
    ca: &Pem,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let authorities = Arc::new(ca.authorities()?);
    WebPkiClientVerifier::builder_with_provider(authorities, provider)
        .build()
        .map_err(|_| TlsError::new(ca.key, "found no authority, expected at least one"))
}

/// Accepts a certificate whose key the client has, if its chain and its names are accepted too.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
    /// Checks the chain; absent: any chain is accepted.
    chain: Option<Arc<dyn ClientCertVerifier>>,
    /// Alternative names of which the certificate has to have one; empty: any name is accepted.
    allowed_sans: Vec<String>,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.as_ref().map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(certificate, intermediates, now)?;
        }
        if self.allowed_sans.is_empty() || has_one_of(certificate, &self.allowed_sans) {
            return Ok(ClientCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// True if a DNS, email, IP or URI name of the certificate is exactly one of these.
fn has_one_of(certificate: &[u8], allowed: &[String]) -> bool {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return false;
    };
    // A certificate with two such extensions is malformed; none of its names count.
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            allowed.iter().any(|allowed| allowed == text)
        }
        GeneralName::IPAddress(bytes) => ip_address(bytes)
            .is_some_and(|address| allowed.iter().any(|allowed| allowed.parse() == Ok(address))),
        _ => false,
    })
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
