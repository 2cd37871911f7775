//! What `irgw dev` shows: what runs where, and three commands to copy.

use std::path::Path;

use irgw_core::Environment;

use super::Layout;
use super::manifest::Manifest;

pub(super) fn screen(manifest: &Manifest, layout: &Layout) -> String {
    let Some(provider) = manifest.providers.first() else { return String::new() };
    let Some(signing) = provider.signing.iter().find(|signing| signing.alg == "ES256") else {
        return String::new();
    };
    let customer = manifest.customers.first();
    let cloud = &manifest.listeners.cloud;
    let shown = |path: &Path| shell_word(&path.display().to_string());
    let certificate = match manifest.environment {
        Environment::Mock => String::new(),
        Environment::Test | Environment::Prod => {
            format!(" \\\n    --cert {} --key {}", shown(&provider.certificate), shown(&provider.key))
        }
    };
    let curl = format!("curl -s --cacert {}{certificate}", shown(&cloud.ca_file));
    let account = format!("{}/gateway/account/1", cloud.base_url);
    let bill = format!("{}/gateway/bill/1", cloud.base_url);
    let sign = format!(
        "{} m2m sign --key {} \\\n    --certificate {} --issuer {}",
        program(),
        shown(&signing.key),
        shown(&signing.certificate),
        shell_word(&signing.issuer)
    );
    let providers: Vec<_> = manifest.providers.iter().map(|provider| provider.id.as_str()).collect();
    format!(
        r#"irgw dev ({environment}): the gateway runs on this machine. Everything it made is in
  {dir}

  cloud     {cloud:<28} {mutual}, /gateway/… and /secure/gateway/…
  desktop   {desktop:<28} one-way TLS, /gateway2/… and /gateway3/oauth/…
  operator  {operator:<28} /healthz /readyz /metrics /identity/jwks.json /openapi.json
  backing   {sample:<28} a sample service that echoes what it receives

  customers {customer} may log in at {applications}
            with the password {password}
  providers {providers}; {services} services; all of it in
            {dev_json}
  audit     tail -f {audit}

1. A token that {owner} signed, sent by {provider}: 200
  TOKEN=$({sign})
  {curl} -H "Authorization: $TOKEN" \
    {account}

2. The same with a broken token: EV1020
  {curl} -H "Authorization: ${{TOKEN}}x" \
    {account}

3. A service that takes no client-signed token: EV1022
  {curl} -H "Authorization: $TOKEN" \
    {bill}

Ctrl-C lets requests end and stops. A restart keeps every identity.
"#,
        environment = manifest.environment,
        dir = layout.dir.display(),
        cloud = cloud.base_url,
        mutual = match manifest.environment {
            Environment::Mock => "one-way TLS, loopback allowed",
            Environment::Test | Environment::Prod => "mutual TLS",
        },
        desktop = manifest.listeners.desktop.base_url,
        operator = manifest.listeners.operator.base_url,
        sample = manifest.sample_service,
        customer = customer.map_or("", |customer| customer.user_id.as_str()),
        password = customer.map_or("", |customer| customer.password.as_str()),
        applications = manifest.oauth.applications,
        providers = providers.join(", "),
        services = manifest.services.len(),
        dev_json = layout.manifest().display(),
        audit = shown(&manifest.audit_log),
        owner = signing.resource_owner,
        provider = provider.id,
    )
}

/// How the reader can run this very program.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "irgw".into());
    let here = std::env::current_dir().unwrap_or_default();
    let relative = program.strip_prefix(here).map(|path| Path::new(".").join(path));
    shell_word(&relative.unwrap_or(program).display().to_string())
}

/// A word that a shell reads as one.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_word_is_one_word() {
        assert_eq!(shell_word("/a/b.c"), "/a/b.c");
        assert_eq!(shell_word("Kōwhai Payroll"), "'Kōwhai Payroll'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
