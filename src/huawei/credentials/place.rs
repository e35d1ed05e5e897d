//! A place with credentials under names: the environment, or a section of a profile file.

use std::path::Path;

use super::{CredentialsError, IdToken, Identity, Keys, checks::checked, secret_text::read_token};
use crate::secret::Secret;

/// Values by name.
pub(super) trait Place {
    /// A value; an empty one is none.
    fn get(&self, name: &str) -> Option<&str>;

    /// The mistake where only one of two values is there that go together.
    fn half(&self, has: &str, lacks: &str) -> String;

    /// Two values that go together; `None` where there is neither.
    fn both(&self, one: &str, other: &str) -> Result<Option<(&str, &str)>, CredentialsError> {
        match (self.get(one), self.get(other)) {
            (Some(one), Some(other)) => Ok(Some((one, other))),
            (Some(_), None) => Err(CredentialsError::Broken(self.half(one, other))),
            (None, Some(_)) => Err(CredentialsError::Broken(self.half(other, one))),
            (None, None) => Ok(None),
        }
    }

    /// The token of an identity provider, from the file that is named beside the provider.
    fn id_token(&self, idp: &str, file: &str) -> Result<Option<Identity>, CredentialsError> {
        let Some((idp_id, file)) = self.both(idp, file)? else { return Ok(None) };
        let id_token = read_token(Path::new(file))?;
        Ok(Some(Identity::IdToken(IdToken { idp_id: idp_id.to_owned(), id_token })))
    }

    fn keys(
        &self,
        access: &str,
        secret: &str,
        token: Option<&str>,
    ) -> Result<Option<Identity>, CredentialsError> {
        let Some((access_key, secret_key)) = self.both(access, secret)? else { return Ok(None) };
        let (access_key, secret_key) = (access_key.to_owned(), Secret::new(secret_key));
        let security_token = token.and_then(|name| self.get(name)).map(Secret::new);
        checked(Keys { access_key, secret_key, security_token }).map(Identity::Keys).map(Some)
    }
}
