//! A case as shell lines around one `curl`, where curl can send it; run in the folder of `dev.json`, without a secret in them.

use std::path::Path;

use irgw_core::{Channel, ClientKind};
use serde::Serialize;

use crate::case::{Case, Request, Row};
use crate::certificate::{CertificateRecipe, provider};
use crate::dev::{Dev, Listener};
use crate::token::TokenRecipe;

/// How to do by hand what a case does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Reproduction {
    /// By these lines, in a shell in the folder of `dev.json`.
    Curl {
        /// The lines.
        lines: Vec<String>,
    },
    /// By the runner alone.
    Runner {
        /// What curl cannot do.
        why: String,
    },
}

/// The case by hand.
pub(super) fn reproduction(dev: &Dev, case: &Case) -> Reproduction {
    match (Shell { dev, case, before: Vec::new() }).lines() {
        Ok(lines) => Reproduction::Curl { lines },
        Err(why) => Reproduction::Runner { why: why.into() },
    }
}

struct Shell<'a> {
    dev: &'a Dev,
    case: &'a Case,
    /// The lines that give the variables their values.
    before: Vec<String>,
}

/// What curl cannot do.
type Why = &'static str;

impl Shell<'_> {
    fn lines(mut self) -> Result<Vec<String>, Why> {
        let given = &self.case.text.given;
        let request = &given.request;
        let beyond = [
            (given.is_a_transfer(), "it is a transfer of files"),
            (given.hello.is_some(), "the ClientHello is made byte by byte"),
            (given.preface.is_some(), "bytes go before TLS"),
            (given.tls.resume || given.tls.sni.is_some(), "the handshake is not curl's"),
            (given.tls.suite.is_some(), "one suite is offered"),
            (request.raw.is_some(), "the request is made byte by byte"),
            (request.h2.is_some(), "the HTTP/2 frames are made by hand"),
            (request.hosts.len() != 1, "the request has not one Host field"),
            (self.case.text.configuration.is_some(), "the gateway needs a configuration of the case's own"),
        ];
        if let Some((_, why)) = beyond.into_iter().find(|(is_beyond, _)| *is_beyond) {
            return Err(why);
        }
        let mut curl = vec!["curl --silent --show-error --include --http1.1 --path-as-is".to_owned()];
        let base_url = self.listener().base_url.clone();
        curl.push(format!("--cacert {}", self.path(&self.listener().ca_file)));
        for version in &given.tls.versions {
            curl.push(format!("--tlsv{version} --tls-max {version}"));
        }
        if given.channel() == Channel::Cloud {
            curl.extend(self.certificate()?);
        }
        if let Some(token) = &given.token {
            self.token(token)?;
            if !request.headers.iter().any(|line| line.contains("${token}")) {
                curl.push("-H \"Authorization: $TOKEN\"".into());
            }
        }
        curl.extend(self.request(request)?);
        let path = self.text(&request.path)?;
        curl.push(format!("\"{base_url}{path}\""));
        let mut lines = self.before;
        let curl = curl.join(" \\\n  ");
        lines.push(match request.times {
            1 => curl,
            times => format!("for i in $(seq {times}); do {curl}; done"),
        });
        Ok(lines)
    }

    fn listener(&self) -> &Listener {
        match self.case.text.given.channel() {
            Channel::Cloud | Channel::Files => &self.dev.listeners.cloud,
            Channel::Desktop => &self.dev.listeners.desktop,
        }
    }

    fn request(&mut self, request: &Request) -> Result<Vec<String>, Why> {
        let mut parts = Vec::new();
        if request.method() != "GET" {
            parts.push(format!("-X {}", request.method()));
        }
        let hosts =
            request.hosts.iter().filter(|host| *host != "${authority}").map(|host| format!("Host: {host}"));
        for line in hosts.chain(request.headers.iter().cloned()) {
            let (name, value) = line.split_once(':').ok_or("a header line is none")?;
            if name.trim() != name || line.contains(['\r', '\n', '\t', '\0']) {
                return Err("a header line is none that curl sends");
            }
            // An empty value is written with a semicolon; a colon takes the field out.
            let line = if value.trim().is_empty() { format!("{name};") } else { self.text(&line)? };
            parts.push(format!("-H \"{line}\""));
        }
        if let Some(body) = request.form.as_ref().or(request.body.as_ref()) {
            let option = if request.form.is_some() { "--data" } else { "--data-binary" };
            parts.push(format!("{option} \"{}\"", self.text(body)?));
        }
        Ok(parts)
    }

    fn certificate(&mut self) -> Result<Option<String>, Why> {
        let name = match &self.case.text.given.certificate {
            CertificateRecipe::Named(name) if name == "none" => return Ok(None),
            CertificateRecipe::Named(name) => name,
            CertificateRecipe::Issued(changes) if changes.junk > 0 || changes.revoked => {
                return Err("the certificate is sent with others, or is revoked for the case");
            }
            CertificateRecipe::Issued(_) => {
                self.saved();
                return Ok(Some("--cert \"$SAVED/client.crt\" --key \"$SAVED/client.key\"".into()));
            }
        };
        let of = |name| provider(self.dev, name).map_err(|_| "the target has no such provider");
        let (certificate, key) = match name.strip_suffix(".batch") {
            None => of(name).map(|one| (&one.certificate, &one.key))?,
            Some(name) => {
                let batch = of(name)?.batch.as_ref().ok_or("the target has no such certificate")?;
                (&batch.certificate, &batch.key)
            }
        };
        Ok(Some(format!("--cert {} --key {}", self.path(certificate), self.path(key))))
    }

    fn token(&mut self, recipe: &TokenRecipe) -> Result<(), Why> {
        let signing = provider(self.dev, &recipe.provider).map_err(|_| "the target has no such provider")?;
        let signing = signing.signing.iter().find(|signing| signing.alg == recipe.signing);
        let signing = signing.ok_or("the target has no such signing certificate")?;
        let plain = TokenRecipe {
            provider: recipe.provider.clone(),
            signing: recipe.signing.clone(),
            ..TokenRecipe::default()
        };
        if *recipe != plain {
            self.saved();
            self.before.push("TOKEN=$(cat \"$SAVED/token\")".into());
            return Ok(());
        }
        let (key, certificate) = (self.path(&signing.key), self.path(&signing.certificate));
        let issuer = quoted(&signing.issuer);
        self.before.push(format!(
            "TOKEN=$(irgw m2m sign --key {key} --certificate {certificate} --issuer \"{issuer}\")"
        ));
        Ok(())
    }

    /// Lets the runner write what it made for the case.
    fn saved(&mut self) {
        let line = format!(
            "SAVED=$(mktemp -d); cargo xtask conformance --identity dev.json --only {} --save \"$SAVED\"",
            self.case.name
        );
        if !self.before.contains(&line) {
            self.before.insert(0, line);
        }
    }

    /// A template as it stands in double quotes; what it names becomes a variable, or its value.
    fn text(&mut self, template: &str) -> Result<String, Why> {
        let rows = self.case.text.rows.values().flat_map(Row::texts);
        let template =
            rows.fold(template.to_owned(), |text, (name, row)| text.replace(&format!("${{{name}}}"), row));
        let (mut out, mut rest) = (String::new(), template.as_str());
        while let Some((before, after)) = rest.split_once("${") {
            let (expression, after) = after.split_once('}').ok_or("a template does not end")?;
            out += &quoted(before);
            out += &self.expression(expression)?;
            rest = after;
        }
        out += &quoted(rest);
        if out.chars().any(|character| character.is_control() && character != '\n') {
            return Err("it has control characters in it");
        }
        Ok(out)
    }

    fn expression(&mut self, expression: &str) -> Result<String, Why> {
        if expression.starts_with("bytes:") {
            return Err("it has bytes in it that are no text");
        }
        if let Some((character, count)) = expression.split_once("'*") {
            let character = quoted(character.trim_start_matches('\''));
            return Ok(format!("$(printf '{character}%.0s' $(seq {count}))"));
        }
        if let Some(offset) = expression.strip_prefix("now").filter(|rest| !rest.contains('|')) {
            return Ok(format!("$(($(date +%s){offset}))"));
        }
        let first = self.dev.providers.first();
        let known = match expression {
            "authority" => Some(self.listener().base_url.trim_start_matches("https://")),
            "cn" => first.map(|one| one.common_name.as_str()),
            "provider" => first.map(|one| one.id.as_str()),
            "case" => Some(self.case.name.as_str()),
            _ => None,
        };
        if let Some(known) = known {
            return Ok(quoted(known));
        }
        if expression == "token" {
            return Ok("$TOKEN".into());
        }
        let name: String = expression
            .chars()
            .map(|one| if one.is_ascii_alphanumeric() { one.to_ascii_uppercase() } else { '_' })
            .collect();
        let line = match self.looked_up(expression) {
            Some(query) => format!("{name}=$(jq -r '{query}' dev.json)"),
            // The shell says what is missing.
            None => format!(": \"${{{name}:?set it to the case's {expression}}}\""),
        };
        if !self.before.contains(&line) {
            self.before.push(line);
        }
        Ok(format!("${{{name}}}"))
    }

    /// Where in `dev.json` it is, as jq finds it.
    fn looked_up(&self, expression: &str) -> Option<String> {
        let (name, filter) = match expression.split_once('|') {
            None => (expression, ""),
            Some((name, "form")) => (name, " | @uri"),
            Some((name, "base64")) => (name, " | @base64"),
            Some(_) => return None,
        };
        let oauth = self.case.text.given.oauth.as_ref();
        let (client, member) = match name.split_once('.') {
            Some((client, member)) => (client, member),
            None => (oauth.map_or("cloud", |oauth| oauth.client.as_str()), name),
        };
        let (provider, kind) = client.strip_prefix("other_").map_or((0, client), |kind| (1, kind));
        ClientKind::ALL.iter().find(|known| known.name() == kind)?;
        let customer = oauth.map_or(0, |oauth| oauth.customer);
        let client = format!("first(.providers[{provider}].clients[] | select(.kind == \"{kind}\"))");
        Some(match member {
            "client_id" | "client_secret" => format!("{client}.{member}{filter}"),
            "redirect_uri" => {
                format!("{client}.redirect_uris[{}]{filter}", oauth.map_or(0, |oauth| oauth.redirect))
            }
            "basic" => format!("{client} | .client_id + \":\" + .client_secret | @base64"),
            "user_id" | "password" => format!(".customers[{customer}].{name}{filter}"),
            _ => return None,
        })
    }

    /// A path from the folder of `dev.json`, as a word.
    fn path(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.dev.folder).unwrap_or(path);
        format!("\"{}\"", quoted(&path.display().to_string()))
    }
}

/// A text that means itself in double quotes.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '`' | '$') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(case: &str) -> Result<String, String> {
        let dev = serde_json::json!({
            "environment": "test", "audit_log": "/dev/irgw/audit.jsonl",
            "listeners": {
                "cloud": { "base_url": "https://localhost:4046", "ca_file": "/dev/irgw/pki/root.crt" },
                "desktop": { "base_url": "https://localhost:4443", "ca_file": "/dev/irgw/pki/root.crt" },
            },
            "client_ca": { "certificate": "ca.crt", "key": "ca.key" },
            "providers": [{
                "id": "tui", "common_name": "cn", "certificate": "/dev/irgw/tui.crt", "key": "/dev/irgw/tui.key",
                "signing": [{ "alg": "ES256", "certificate": "/dev/irgw/s.crt", "key": "/dev/irgw/s.key", "thumbprint": "AB",
                    "issuer": "Tui \"$HOME\"", "resource_owner": "tui" }],
            }],
        });
        let dev: Dev = serde_json::from_value(dev).unwrap();
        let dev = Dev { folder: "/dev/irgw".into(), ..dev };
        let text = format!("rule = \"M2M-6\"\ntitle = \"t\"\n{case}\n[expect]\nstatus = 200");
        let case = Case { name: "a/case".into(), text: toml::from_str(&text).unwrap() };
        match reproduction(&dev, &case) {
            Reproduction::Curl { lines } => Ok(lines.join("\n")),
            Reproduction::Runner { why } => Err(why),
        }
    }

    #[test]
    fn good_token_is_signed_by_the_shell() {
        let lines = lines("[given.token]").unwrap();
        let token = r#"TOKEN=$(irgw m2m sign --key "s.key" --certificate "s.crt" --issuer "Tui \"\$HOME\"")"#;
        assert!(lines.starts_with(token), "{lines}");
        assert!(lines.contains(r#"--cert "tui.crt" --key "tui.key""#), "{lines}");
        assert!(
            lines.ends_with(
                r#"-H "Authorization: $TOKEN" \
  "https://localhost:4046/gateway/account/1""#
            ),
            "{lines}"
        );
    }

    #[test]
    fn what_only_the_runner_makes_is_saved_by_it() {
        let lines = lines("[given.token]\npayload = { exp = \"1\" }\n[given.certificate]\neku = []").unwrap();
        let saves = lines.matches("--only a/case --save \"$SAVED\"").count();
        assert_eq!(saves, 1, "{lines}");
        assert!(
            lines.contains("TOKEN=$(cat \"$SAVED/token\")") && lines.contains("--cert \"$SAVED/client.crt\""),
            "{lines}"
        );
    }

    #[test]
    fn secrets_are_looked_up_and_never_written() {
        let case = "[given.oauth]\nsteps = [\"authorise\"]\n[given.request]\npath = \"/gateway3/oauth/token\"\n\
                    headers = [\"Authorization: Basic ${other_native.basic}\", \"X-Empty:\"]\nform = \"code=${code}&a=${'x'*300}&b=${now-5}\"";
        let lines = lines(case).unwrap();
        assert!(
            lines.contains(
                r#"OTHER_NATIVE_BASIC=$(jq -r 'first(.providers[1].clients[] | select(.kind == "native"))"#
            ),
            "{lines}"
        );
        assert!(lines.contains(r#": "${CODE:?set it to the case's code}""#), "{lines}");
        assert!(
            lines.contains("code=${CODE}&a=$(printf 'x%.0s' $(seq 300))&b=$(($(date +%s)-5))"),
            "{lines}"
        );
        assert!(
            lines.contains("-H \"X-Empty;\"") && lines.contains("\"https://localhost:4443/gateway3"),
            "{lines}"
        );
    }

    #[test]
    fn what_curl_cannot_send_says_why() {
        for (case, word) in [
            ("[given.request]\nraw = \"GET\"", "byte by byte"),
            ("[given.hello]", "ClientHello"),
            ("configuration = \"throttled\"", "configuration"),
            ("[given.request]\nhosts = []", "Host"),
            ("[given.request]\npath = \"/${bytes:ff}\"", "no text"),
        ] {
            assert!(lines(case).unwrap_err().contains(word), "{case}");
        }
    }
}
