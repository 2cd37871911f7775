//! The commands of `irgw`, each as its arguments and a function that runs it.

pub(crate) mod audit;
pub(crate) mod cert;
mod certificate_file;
pub(crate) mod client;
mod command_error;
pub(crate) mod credential;
pub(crate) mod customer;
pub(crate) mod delivery;
mod dev_file;
pub(crate) mod doctor;
pub(crate) mod file_server;
pub(crate) mod key;
mod listing;
pub(crate) mod m2m;
pub(crate) mod oauth;
mod place;
pub(crate) mod provider;
pub(crate) mod receive;
pub(crate) mod run;
mod signals;

pub(crate) use command_error::CommandError;
pub(crate) use listing::ListArgs;
pub(crate) use place::PlaceArgs;
