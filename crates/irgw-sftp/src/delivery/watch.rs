//! What a delivery tells whoever watches: a progress bar, the log, a test that cuts it off.

use super::{DeliveryId, Sealed};

/// What happened, as it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A connection was made, to the host with the pinned key that it will change to: the enrolment can follow.
    NextHostKey,
    /// A temporary file of an earlier attempt was removed.
    Swept(&'a str),
    /// The upload of a file begins.
    Uploading(&'a str),
    /// So many bytes of the file, as it is submitted, have been sealed since the last time; few of them are not sent yet.
    Progress(&'a str, u64),
    /// The file is whole under its temporary name.
    Uploaded(&'a str),
    /// The ledger knows that it is.
    Sealed(&'a str, &'a Sealed),
    /// It has its name.
    Renamed(&'a str),
    /// An earlier attempt had uploaded it: it has its name now.
    Found(&'a str),
    /// An earlier attempt had uploaded it, and it is gone under both names: the provider has taken it, or removed it. Nobody can
    /// tell, so it is said.
    Taken(&'a str),
    /// The ledger knows that it has its name.
    Delivered(&'a str),
}

/// Who watches deliveries.
pub trait Watch: Send + Sync + 'static {
    /// Something happened. It is called in the middle of the work, and must not wait for anything.
    fn on(&self, delivery: DeliveryId, event: &Event<'_>);
}

/// Nobody watches.
impl Watch for () {
    fn on(&self, _: DeliveryId, _: &Event<'_>) {}
}
