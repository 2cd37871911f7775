//! OAuth 2.0 for a tax authority's gateway services: the authorization server, and the Bearer authenticator.
//!
//! ```text
//!   browser ── authorize ──► login ── code ── consent ──► code ──► application
//!   application ── token ──► access token (8 h, a JWT) + refresh token (cloud clients, single use)
//!   application ── Bearer ──► gateway: signature, times, revocation, in memory
//! ```
//!
//! This crate serves no socket and knows no database: the server answers a request's head and body, and asks for its
//! state through [`grants::Grants`], [`customers::Customers`], [`registration::Clients`] and [`signing::Keys`].
//! Every call blocks at most on those; the time is an argument.

mod access_token;
mod access_tokens;
mod bearer;
#[cfg(feature = "client")]
pub mod client;
pub mod customers;
mod description;
mod fault;
mod form;
pub mod grants;
pub mod opaque;
pub mod pages;
pub mod password;
pub mod registration;
pub mod server;
pub mod signing;
pub mod totp;
mod unavailable;
pub mod vault;

pub use access_token::{Claims, Grant, SCOPE, TokenError};
pub use access_tokens::AccessTokens;
pub use bearer::Bearer;
pub use server::{AuthorizationServer, Endpoint};
pub use unavailable::Unavailable;
