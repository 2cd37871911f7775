//! The `irgw` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    irgw_gateway::cli::main()
}
