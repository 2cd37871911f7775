//! What the audit log has of files: each that was delivered, each set that was released, each file or set that was refused
//! (GW-6).

use std::time::Duration;

use irgw_core::{Channel, Decision, Origin, ProviderId, Record, Scheme};
use irgw_sftp::delivery::{DeliveryId, Parcel, Sealed};
use irgw_sftp::intake::{Event, SetName};

use crate::hex::hex;

/// A file that has its name at the provider's.
pub(super) fn delivered(
    id: DeliveryId,
    provider: &ProviderId,
    parcel: &Parcel,
    sealed: &Sealed,
    now: Duration,
) -> Record {
    let facts = vec![
        ("delivery", id.to_string()),
        ("file", parcel.name.clone()),
        ("bytes", parcel.bytes.to_string()),
        ("sha256", hex(&parcel.digest)),
        ("sealed_bytes", sealed.bytes.to_string()),
        ("sealed_sha256", hex(&sealed.digest)),
    ];
    Record { decision: Decision::Admitted, facts, ..of(provider, &format!("delivery-{id}"), now) }
}

/// A set of the provider's that was verified and released.
pub(super) fn released(provider: &ProviderId, set: &SetName, now: Duration) -> Record {
    let facts = vec![("set", set.to_string())];
    Record { decision: Decision::Admitted, facts, ..of(provider, &format!("set-{set}"), now) }
}

/// A file or a set of the provider's that was put into quarantine; `None` for whatever else happens to one.
pub(super) fn refused(provider: &ProviderId, event: &Event, now: Duration) -> Option<Record> {
    let (what, name, reason) = match event {
        Event::Refused { file, reason, .. } => ("file", file.clone(), reason),
        Event::SetRefused { set, reason, .. } => ("set", set.to_string(), reason),
        _ => return None,
    };
    let id = format!("{what}-{name}");
    Some(Record {
        reason: Some(reason.rule),
        cause: Some(reason.why.clone()),
        facts: vec![(what, name)],
        ..of(provider, &id, now)
    })
}

/// A record of what has no request: our own key opened the connection, and nobody's address counts.
fn of(provider: &ProviderId, id: &str, now: Duration) -> Record {
    let origin = Origin::new(([0, 0, 0, 0], 0).into(), Channel::Files);
    let provider = Some(provider.clone());
    Record { provider, mechanism: Some(Scheme::SshKey), ..Record::new(now, origin, id.into()) }
}
