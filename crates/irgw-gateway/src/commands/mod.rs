//! The commands of `irgw`, each as its arguments and a function that runs it.

pub(crate) mod audit;
pub(crate) mod cert;
mod certificate_file;
mod command_error;
pub(crate) mod credential;
mod listing;
pub(crate) mod m2m;
mod place;
pub(crate) mod provider;
pub(crate) mod run;

pub(crate) use command_error::CommandError;
pub(crate) use listing::ListArgs;
pub(crate) use place::PlaceArgs;
