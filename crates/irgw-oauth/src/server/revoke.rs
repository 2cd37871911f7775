//! Revocation (RFC 7009, OA-15): a client ends what is its own.

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use irgw_core::UnixTime;

use super::client_auth::{Natives, Unauthenticated};
use super::{AuthorizationServer, Noted};
use crate::fault::{Fault, uncached};
use crate::form::Form;
use crate::opaque::Digest;

impl AuthorizationServer {
    pub(super) fn revoke(
        &self,
        head: &Parts,
        form: &Form,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let client = self.client(head, form, Natives::MayOmitSecret, noted).map_err(|error| match error {
            Unauthenticated::Nothing => Fault::NoClientNamed,
            Unauthenticated::NoSecret => Fault::Unauthenticated,
            _ => Fault::BadCredentials,
        })?;
        let token = form.need("token")?;
        let grants = &self.state.grants;
        match self.own_access_token(token, &client, now) {
            Some(known) => {
                let claims = &known.claims;
                let until = UnixTime::since_unix_epoch(std::time::Duration::from_secs(claims.exp));
                grants.revoke_access_token(&claims.jti, until, now).map_err(|error| noted.failed(error))?;
                noted.logon = Some(claims.start_logon.clone());
                noted.jti = Some(claims.jti.clone());
            }
            None => {
                let ended = grants.revoke_refresh_token(&Digest::of(token), &client.id, now);
                if ended.map_err(|error| noted.failed(error))?.is_none() {
                    noted.because("there was no such token of this client's");
                }
            }
        }
        // The same answer whether there was such a token or not (RFC 7009 §2.2).
        let mut response = Response::new(Bytes::new());
        uncached(&mut response);
        Ok(response)
    }
}
