//! `cargo xtask`: see `cargo xtask --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match xtask::Cli::from_arguments() {
        Ok(cli) => cli.run().unwrap_or_else(|error| xtask::explain(&error)),
        Err(code) => code,
    }
}
