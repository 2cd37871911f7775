//! nginx as the backing service: one process that answers a small fixed 200 and keeps connections alive.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Process, free_address};
use crate::Error;

/// A running nginx.
pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// Starts one with its files in `folder`.
    pub(super) fn start(program: &Path, folder: &Path) -> Result<Nginx, Error> {
        let address = free_address()?;
        let config: PathBuf = folder.join("nginx.conf");
        fs::write(&config, configuration(address, folder)).map_err(Error::at("write", &config))?;
        let log = folder.join("nginx.log");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).arg("-c").arg(&config).arg("-e").arg(&log);
        let mut process = Process::start("nginx", &mut command, &log)?;
        process.wait_for(address, &log)?;
        Ok(Nginx { address, _process: process })
    }
}

/// One process without a master, so that nothing outlives it.
fn configuration(address: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"daemon off;
master_process off;
pid {folder}/nginx.pid;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    server {{
        listen {address} backlog=4096;
        default_type application/json;
        location / {{ return 200 '{{"balance":"0.00","currency":"NZD","status":"ok"}}'; }}
    }}
}}
"#
    )
}
