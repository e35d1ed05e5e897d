//! The secrets of a request, so that none of them is shown when an answer repeats it.
//!
//! Gateways do: one that refuses a signature quotes the request as it saw it, and a proxy's error
//! page may list the headers. What is kept of such texts must be clean before it is cut to length,
//! for half a token is a secret too.

use super::{Auth, Method};
use crate::{huawei::sign::Signed, secret::Secret};

/// Shorter texts are no secrets, and hiding them would riddle every message.
const SHORTEST: usize = 6;

/// What was sent that nobody may see.
#[derive(Debug, Default)]
pub struct Sent(Vec<Secret>);

impl Sent {
    pub(super) fn new(auth: Option<&Auth>, method: Method<'_>, signed: Option<Signed>) -> Self {
        let mut secrets = Vec::new();
        if let Some(Signed { authorization, signature, .. }) = signed {
            // The whole before its part.
            secrets.extend([Secret::new(authorization), Secret::new(signature)]);
        }
        match auth {
            Some(Auth::Keys(keys)) => {
                // No secret, but it names an account, and the pages are open to many.
                secrets.push(Secret::new(keys.access_key.as_str()));
                secrets.push(keys.secret_key.clone());
                secrets.extend(keys.security_token.clone());
            }
            Some(Auth::Token(token)) => secrets.push(token.clone()),
            None => {}
        }
        if let Method::Post { secret, .. } = method {
            let in_json = serde_json::Value::from(secret.expose()).to_string();
            secrets.push(Secret::new(in_json.trim_matches('"')));
            secrets.push(secret.clone());
        }
        secrets.retain(|secret| secret.expose().len() >= SHORTEST);
        Self(secrets)
    }

    /// The text without any of the secrets.
    pub(in crate::huawei) fn hide(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.0 {
            if clean.contains(secret.expose()) {
                clean = clean.replace(secret.expose(), "<secret>");
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::huawei::credentials::Keys;

    #[test]
    fn nothing_secret_of_a_request_is_shown() {
        let keys = Auth::Keys(Keys {
            access_key: "ACCESSKEY".into(),
            secret_key: "secret-key".into(),
            security_token: Some("temporary-token".into()),
        });
        let signed = Signed {
            canonical_request: String::new(),
            signed_headers: String::new(),
            string_to_sign: String::new(),
            signature: "0123abcd".into(),
            authorization: "SDK Access=AK, Signature=0123abcd".into(),
            payload_is_unsigned: false,
        };
        let sent = Sent::new(Some(&keys), Method::Get, Some(signed));
        let text = "authorization:SDK Access=AK, Signature=0123abcd|0123abcd|\
                    x-security-token:temporary-token secret-key ACCESSKEY";
        let clean = "authorization:<secret>|<secret>|x-security-token:<secret> <secret> <secret>";
        assert_eq!(sent.hide(text), clean);
        let password = Secret::new("password");
        let login = Method::Post { body: b"{}", secret: &password };
        assert_eq!(Sent::new(None, login, None).hide("the password is"), "the <secret> is");
    }
}
