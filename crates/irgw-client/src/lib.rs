//! The provider's SDK: requests to a tax authority's gateway services, and what each of them must prove.
//!
//! ```text
//!   Client::builder(address)  roots, identity: TLS, with the client certificate on the cloud channel      irgw-tls
//!      │ build
//!      ▼
//!   Client ── with ──► Signer   a token that this end signs, kept until it is about to end                 irgw-m2m
//!      │               Login    a customer's access token, out of a file, renewed before its end           irgw-oauth
//!      ▼ send
//!   the service's answer, or Error: refused (by which code and why), unsent, unanswered
//! ```
//!
//! A machine-to-machine request over the cloud channel:
//!
//! ```no_run
//! use bytes::Bytes;
//! use http::Request;
//! use irgw_client::{Client, Signer, UnixTime, tls};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let identity = tls::ClientIdentity::from_pem(&std::fs::read("client.crt")?, &std::fs::read("client.key")?)?;
//! let (key, certificate) = (std::fs::read("signing.key")?, std::fs::read("signing.crt")?);
//! let signer = Signer::from_pem(&key, &certificate, "Digital Service Provider", UnixTime::now())?;
//!
//! let client = Client::builder("https://HOST:4046").identity(identity).build()?;
//! let client = client.with(signer);
//!
//! let answer = client.send(Request::get("/gateway/account/status").body(Bytes::new())?).await?;
//! println!("{}", answer.status());
//! # Ok(())
//! # }
//! ```
//!
//! A request in the name of a customer who logged in ([`oauth::Client`](irgw_oauth::client::Client) has the login itself):
//!
//! ```no_run
//! # use bytes::Bytes;
//! # use http::Request;
//! # use irgw_client::{Client, Login, oauth};
//! # async fn example(identity: irgw_client::tls::ClientIdentity, secret: irgw_core::Secret<String>) -> Result<(), Box<dyn std::error::Error>> {
//! let builder = Client::builder("https://HOST:4046").identity(identity);
//! let endpoints = oauth::Endpoints::below("https://HOST/gateway3/oauth");
//! let redirect = ["https://app.example.nz/callback"];
//! let config = oauth::ClientConfig::new(
//!     &endpoints, "my-client-id".parse()?, Some(secret), &redirect, irgw_core::ClientKind::Cloud)?;
//! let oauth = builder.oauth(config);
//! let client = builder.build()?;
//!
//! // Once a customer, each with a file of their own: `oauth.begin()`, the browser, `oauth.redeem()`, `file.store()`. Then:
//! let customer = client.with(Login::new(oauth, oauth::TokenFile::at("customer-17.json")));
//! let answer = customer.send(Request::get("/gateway/account/1").body(Bytes::new())?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does not do
//!
//! - It sends nothing twice but what the gateway refused: [`Error::changed_nothing`] says whether you may.
//! - It follows no redirect, keeps no cookie and uses no proxy.
//! - Bodies are whole, both ways, and bounded. Bulk data go by file transfer: feature `sftp`.
//! - It reads no client certificate again when its file is renewed: build another client then.

mod client;
mod clock;
mod connect;
mod credential;
mod error;
mod https;
mod login;
mod pool;
mod refusal;
mod signer;

pub use client::{Builder, Client};
pub use clock::SystemClock;
pub use connect::{ConnectFault, Connector};
pub use credential::Credential;
pub use error::Error;
pub use https::Https;
pub use irgw_core::UnixTime;
pub use irgw_m2m as m2m;
pub use irgw_oauth::client as oauth;
#[cfg(feature = "sftp")]
pub use irgw_sftp as sftp;
pub use irgw_tls as tls;
pub use login::Login;
pub use refusal::{Reason, Refusal};
pub use signer::Signer;
