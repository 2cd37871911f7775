//! A customer's login, whose tokens are kept in a file and renewed (OA-11, OA-12).

use std::sync::Arc;
use std::time::Duration;

use irgw_oauth::client::{Client, RenewError, TokenFile, Tokens};

use crate::credential::Proof;
use crate::{Error, Https};

/// One customer's login: the OAuth client that they consented to, and the file with their tokens.
///
/// Clones are the same login. Every process that uses it names the same file, so that one renews and the others take its result.
#[derive(Debug, Clone)]
pub struct Login(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    oauth: Arc<Client<Https>>,
    file: TokenFile,
}

/// How long an access token is good for at least when it is sent.
const MARGIN: Duration = Duration::from_secs(60);

impl Login {
    /// The login whose tokens are in `file`; log in and [`TokenFile::store`] them there first.
    pub fn new(oauth: Arc<Client<Https>>, file: TokenFile) -> Login {
        Login(Arc::new(Parts { oauth, file }))
    }

    /// The access token, renewed before its end.
    pub(crate) async fn proof(&self) -> Result<Proof, Error> {
        let login = self.clone();
        to_its_end(async move { login.0.file.fresh(&login.0.oauth, MARGIN).await }).await
    }

    /// Another access token, for one that the gateway refused before its end.
    pub(crate) async fn renewed(&self, refused: &Proof) -> Result<Proof, Error> {
        let (login, refused) = (self.clone(), refused.token());
        to_its_end(async move { login.0.file.renew(&login.0.oauth, &refused).await }).await
    }
}

/// Renews on a task of its own: whoever waits may be cancelled, and a refresh that is cut off loses the login (C11).
async fn to_its_end(
    renewing: impl Future<Output = Result<Tokens, RenewError>> + Send + 'static,
) -> Result<Proof, Error> {
    match tokio::spawn(renewing).await {
        Ok(tokens) => Proof::new(&format!("Bearer {}", tokens?.access_token().expose())),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime stops: the renewal may be cut off, and the request is not sent.
            Err(stopped) => Err(Error::Unsent(stopped.into())),
        },
    }
}
