//! The development gateway's configuration, as a file that `irgw serve` takes and a reader learns from.

use irgw_core::Environment;

/// The ports that are listened on; 0 finds a free one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    pub(super) cloud: u16,
    pub(super) desktop: u16,
    pub(super) operator: u16,
}

/// Where what is fetched from providers goes, in the development directory.
pub(super) const RECEIVED: &str = "received";

/// The configuration's text.
pub(super) fn text(environment: Environment, ports: Ports, sample: &str) -> String {
    let Ports { cloud, desktop, operator } = ports;
    let allow = match environment {
        Environment::Mock => {
            "\n# Instead of client certificates, which mock does not ask for (ENV-4).\nallow = [\"127.0.0.0/8\", \"::1\"]"
        }
        Environment::Test | Environment::Prod => "",
    };
    format!(
        r#"# Written by `irgw dev` at every start. Copy it before you change it, and run: irgw serve --config COPY
# Paths are relative to this file's folder. docs/configuration.md explains every setting.
environment = "{environment}"

[store]
url = "sqlite:irgw.sqlite"

[audit]
file = "audit.jsonl"
key = "audit.key"

# Who is calling, told to the backing services as a signed token (GW-3).
[identity]
key = "pki/identity.key"
issuer = "urn:irgw:dev"

# Customers log in and authorise applications, under /gateway3/oauth/ of the desktop listener.
[oauth]
vault = "vault.key"

# File sets go to providers' SFTP servers and come from them, with keys of the gateway's own.
[files]
keys = "keys"
passphrase_file = "keys.passphrase"
spool = "spool"
received = "{RECEIVED}"
fetch_seconds = 1
lease_seconds = 5
retry_seconds = 1

# Health, metrics and public keys; loopback only.
[operator]
listen = "127.0.0.1:{operator}"
token_file = "operator.token"

# Server to server, under /gateway/ and /secure/gateway/.
[[listener]]
channel = "cloud"
listen = "127.0.0.1:{cloud}"
certificate = "pki/server.crt"
key = "pki/server.key"{allow}

# Desktop software, under /gateway2/.
[[listener]]
channel = "desktop"
listen = "127.0.0.1:{desktop}"
certificate = "pki/server.crt"
key = "pki/server.key"{allow}

# Who may issue client certificates, and what they have revoked (TLS-4, TLS-9).
[[root]]
file = "pki/root.crt"
crl = ["pki/issuer.crl"]

[upstream.sample]
url = "{sample}"

# IR's published service table, all of it served by one backing service.
[services]
table = "published"
upstream = "sample"
"#
    )
}
