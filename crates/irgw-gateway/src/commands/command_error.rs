//! Why a command of the operator's did not do what it was told to, and the exit code that says so.

use std::fmt;
use std::io;
use std::path::Path;

use irgw_core::Rule;

/// Why a command failed: one line that says what to do, and an exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum CommandError {
    /// The profile refuses what was asked for; exit code 1.
    Refused {
        /// The rule that refuses.
        rule: Rule,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The command or its surroundings are not right: arguments, files, the database; exit code 2.
    Unusable {
        /// What is wrong, and what to do.
        message: String,
    },
    /// What the command wrote could not be passed on; exit code 2.
    Output(io::ErrorKind),
}

impl CommandError {
    /// A refusal by `rule`.
    pub(crate) fn refused(rule: Rule, message: impl fmt::Display) -> CommandError {
        CommandError::Refused { rule, message: message.to_string() }
    }

    /// Something that cannot be worked with.
    pub(crate) fn unusable(message: impl fmt::Display) -> CommandError {
        CommandError::Unusable { message: message.to_string() }
    }

    /// Something that cannot be worked with, with all that led to it.
    pub(crate) fn caused(error: impl std::error::Error + 'static) -> CommandError {
        CommandError::unusable(crate::handle::causes(&error))
    }

    /// The process's exit code: 1 for a refusal, 2 for everything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CommandError::Refused { .. } => 1,
            CommandError::Unusable { .. } | CommandError::Output(_) => 2,
        }
    }

    /// The same, about a file.
    pub(crate) fn about(self, path: &Path) -> CommandError {
        let path = path.display();
        match self {
            CommandError::Refused { rule, message } => {
                CommandError::Refused { rule, message: format!("{path}: {message}") }
            }
            CommandError::Unusable { message } => {
                CommandError::Unusable { message: format!("{path}: {message}") }
            }
            output @ CommandError::Output(_) => output,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Refused { rule, message } => write!(f, "refused by {rule}: {message}"),
            CommandError::Unusable { message } => f.write_str(message),
            CommandError::Output(kind) => write!(f, "the output could not be written: {kind}"),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<irgw_store::Error> for CommandError {
    fn from(error: irgw_store::Error) -> CommandError {
        match error.rule() {
            Some(rule) => CommandError::refused(rule, error),
            None => CommandError::unusable(error),
        }
    }
}

impl From<irgw_m2m::Error> for CommandError {
    fn from(error: irgw_m2m::Error) -> CommandError {
        CommandError::refused(error.rule(), error)
    }
}

impl From<irgw_tls::Error> for CommandError {
    fn from(error: irgw_tls::Error) -> CommandError {
        CommandError::refused(irgw_core::Refusal::rule(&error), error)
    }
}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> CommandError {
        CommandError::Output(error.kind())
    }
}
