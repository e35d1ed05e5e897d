//! The only user of the only project. Its credentials are of no use anywhere else.

pub(super) const ACCESS_KEY: &str = "SIMAK0123456789ABCDE";
pub(super) const SECRET_KEY: &str = "simSecretKey0123456789abcdefghijklmnopqr";
pub(super) const PROJECT_ID: &str = "5131a7edc1004d0b9c0ffee051a1e5e0";
pub(super) const REGION: &str = "sim-region-1";
pub(super) const DOMAIN_ID: &str = "d03a1a7edc1004d0b9c0ffee051a1e50";
pub(super) const DOMAIN_NAME: &str = "sim-domain";
pub(super) const USER_ID: &str = "05e12a7edc1004d0b9c0ffee051a1e50";
pub(super) const USER_NAME: &str = "sim-user";
pub(super) const PASSWORD: &str = "sim-Password-1";
/// The token of the identity provider and of the OIDC provider.
pub(super) const ID_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzaW0ifQ.c2ltLWlkLXRva2Vu";
pub(super) const IDP_ID: &str = "sim-idp";
/// The token that the platform gives a pod.
pub(super) const POD_TOKEN: &str = "sim-pod-token";
pub(super) const AGENCY: &str = "sim-agency";
