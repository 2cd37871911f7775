//! Runs the gateway's command line.

use std::process::Stdio;

use super::Upshot;
use crate::{Error, Local};

/// What a command said and how it ended.
pub(super) struct Ran {
    pub(super) out: String,
    err: String,
    code: Option<i32>,
}

impl Ran {
    /// Accepted with 0; otherwise refused with what it said, by the rule that it names, which with 1 it must.
    pub(super) fn upshot(self) -> Upshot {
        let told = if self.code == Some(0) { &self.out } else { &self.err };
        let told = told.trim().replace('\n', "; ");
        match self.code {
            Some(0) => Upshot::accepted(told),
            Some(1) => {
                let named = told.split_once("refused by ").and_then(|(_, rest)| rest.split_once(':'));
                let rule = named.map(|(rule, _)| rule.to_owned()).unwrap_or_default();
                Upshot::refused(Some(rule), told)
            }
            code => Upshot::refused(None, format!("exit code {code:?}: {told}")),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.code == Some(0)
    }

    /// What it told beside its output.
    pub(super) fn beside(&self) -> &str {
        self.err.trim()
    }
}

/// Runs a command of the gateway's, for the environment of the runner's own.
pub(super) fn irgw(local: &Local, arguments: &[&str]) -> Result<Ran, Error> {
    let mut command = local.program().command();
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(Error::file("irgw"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { out: text(output.stdout), err: text(output.stderr), code: output.status.code() })
}

/// A path as an argument.
pub(super) fn argument(path: &std::path::Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::recipe(format_args!("{} is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upshot(code: i32, err: &str) -> Upshot {
        Ran { out: "17\n".into(), err: err.into(), code: Some(code) }.upshot()
    }

    #[test]
    fn refusal_names_its_rule() {
        assert_eq!(upshot(0, "beside"), Upshot::accepted("17"));
        let told = "irgw: refused by FILE-3: no";
        assert_eq!(upshot(1, told), Upshot::refused(Some("FILE-3".into()), told));
        assert_eq!(upshot(1, "no").rule.as_deref(), Some(""));
        assert_eq!(upshot(2, "no").rule, None);
    }
}
