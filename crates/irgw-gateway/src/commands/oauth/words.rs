//! What goes wrong in the provider's flow, as the command line says it.

use std::error::Error as StdError;

use irgw_core::Rule;
use irgw_oauth::client::{CallbackFault, Error, RenewError};

use crate::commands::CommandError;
use crate::handle::causes;

/// Something that cannot be worked with, and why.
pub(super) fn unusable(error: &(dyn StdError + 'static)) -> CommandError {
    CommandError::unusable(causes(error))
}

/// A failed exchange: the server's refusal by its rule, or what kept it from answering.
pub(super) fn exchange(error: &Error) -> CommandError {
    match error.refusal() {
        Some(refusal) => CommandError::refused(refusal.rule(), refusal),
        None => unusable(error),
    }
}

/// A callback that gives no code.
pub(super) fn callback(fault: &CallbackFault) -> CommandError {
    match fault {
        CallbackFault::Refused(refusal) => CommandError::refused(refusal.rule(), refusal),
        CallbackFault::StateMissing | CallbackFault::StateMismatch => CommandError::refused(Rule::Oa3, fault),
        other => unusable(other),
    }
}

/// Tokens that could not be renewed: exit code 1 where logging in again is what is left.
pub(super) fn renewal(error: &RenewError) -> CommandError {
    match error {
        RenewError::LoginNeeded | RenewError::Ended(_) | RenewError::PossiblyLost { .. } => {
            CommandError::refused(Rule::Oa12, causes(error))
        }
        RenewError::Exchange(error) => exchange(error),
        other => unusable(other),
    }
}
