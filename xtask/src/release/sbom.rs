//! The bill of materials of each program, in CycloneDX 1.6 (ECMA-424) as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::native::{self, Native};
use super::outcome::Outcome;
use super::parts::{self, Key, Part};
use super::target::Target;
use super::{Release, checksums};
use crate::{Error, run};

/// The step: `NAME-VERSION-TARGET.cdx.json` for each program, held to the published schema where Python has it.
pub(super) fn write(release: &Release) -> Result<Outcome, Error> {
    let Some(target) = Target::choose()? else {
        return Ok(Outcome::skipped(
            "programs are built on Linux; without one there is no bill of materials",
        ));
    };
    let dist = release.dist();
    fs::create_dir_all(&dist).map_err(Error::at("create", &dist))?;
    let mut counts = Vec::new();
    for (package, name) in release.workspace.programs() {
        let (own, parts) = parts::of(&release.workspace.workspace_root, &package.name, &target.triple)?;
        let sqlite = parts.iter().find(|((name, _), _)| name == "libsqlite3-sys");
        let sqlite = sqlite.and_then(|(_, part)| part.about.manifest_path.parent());
        let native = native::linked(&target, sqlite)?;
        let stem = release.stem(name, &target.triple);
        // Only the program that the step `binaries` of this report has put there.
        let sum = fs::read(dist.join(&stem).join(name)).ok().map(|bytes| checksums::sha256(&bytes));
        let bill = Bill { release, name, target: &target, own: &own, parts: &parts, native: &native, sum };
        let path = dist.join(format!("{stem}.cdx.json"));
        let text = format!("{:#}\n", bill.json()?);
        fs::write(&path, text).map_err(Error::at("write", &path))?;
        let linked = parts.values().filter(|part| part.linked).count();
        counts.push(format!("{name}: {linked} crates linked, {} only build it", parts.len() - linked));
        counts.extend(native.iter().map(|native| format!("{name}: {} {}", native.name, native.version)));
        if let Some(reason) = invalid(&path)? {
            return Ok(reason.with(counts));
        }
    }
    Ok(Outcome::passed("CycloneDX 1.6, valid by its published schema").with(counts))
}

/// What a bill is made from.
struct Bill<'a> {
    release: &'a Release,
    /// The program.
    name: &'a str,
    target: &'a Target,
    /// Its package.
    own: &'a Key,
    parts: &'a BTreeMap<Key, Part>,
    native: &'a [Native],
    /// The program's SHA-256, where it is built.
    sum: Option<String>,
}

impl Bill<'_> {
    fn json(&self) -> Result<Value, Error> {
        let Release { tree, rustc, .. } = self.release;
        let made =
            i64::try_from(tree.epoch).ok().and_then(|epoch| OffsetDateTime::from_unix_timestamp(epoch).ok());
        let made = made.unwrap_or(OffsetDateTime::UNIX_EPOCH).format(&Rfc3339);
        let made = made.map_err(Error::step("write the time of the commit"))?;
        let (crates, program): (Vec<_>, Vec<_>) = self.parts.iter().partition(|(key, _)| *key != self.own);
        let mut program: Map<_, _> =
            program.into_iter().flat_map(|(key, part)| component(key, part)).collect();
        program.extend([("type".into(), json!("application")), ("name".into(), json!(self.name))]);
        program.remove("scope");
        if let Some(sum) = &self.sum {
            program.insert("hashes".into(), json!([{ "alg": "SHA-256", "content": sum }]));
        }
        let components: Vec<_> = crates
            .into_iter()
            .map(|(key, part)| Value::Object(component(key, part)))
            .chain(self.native.iter().map(native_component))
            .collect();
        Ok(json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": serial(&format!("{} {} {}", self.name, self.target.triple, tree.commit)),
            "version": 1,
            "metadata": {
                "timestamp": made,
                "lifecycles": [{ "phase": "build" }],
                "tools": { "components": [{ "type": "application", "name": "cargo xtask release", "version": self.release.workspace.version() }] },
                "component": program,
                "properties": [
                    { "name": "irgw:commit", "value": tree.commit },
                    { "name": "irgw:target", "value": self.target.triple },
                    { "name": "irgw:rustc", "value": rustc },
                ],
            },
            "components": components,
            "dependencies": self.dependencies(),
        }))
    }

    fn dependencies(&self) -> Vec<Value> {
        let of = |(key, part): (&Key, &Part)| {
            let mut needs: Vec<String> = part.needs.iter().map(purl).collect();
            let is_within =
                |native: &&Native| native.within.map_or(key == self.own, |within| key.0 == within);
            needs.extend(self.native.iter().filter(is_within).map(|native| native.purl.clone()));
            json!({ "ref": purl(key), "dependsOn": needs })
        };
        let native = self.native.iter().map(|native| json!({ "ref": native.purl, "dependsOn": [] }));
        self.parts.iter().map(of).chain(native).collect()
    }
}

/// The address of a crate (purl-spec, `cargo`), which is its name within the bill too.
fn purl((name, version): &Key) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

fn component(key: &Key, part: &Part) -> Map<String, Value> {
    let (name, version) = key;
    let mut component = Map::new();
    let mut put = |name: &str, value: Value| component.insert(name.into(), value);
    put("type", json!("library"));
    put("bom-ref", json!(purl(key)));
    put("name", json!(name));
    put("version", json!(version));
    // "excluded": needed to build, not there at run time.
    put("scope", json!(if part.linked { "required" } else { "excluded" }));
    put("purl", json!(purl(key)));
    if let Some(description) = &part.about.description {
        put("description", json!(description.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    if let Some(license) = &part.about.license {
        put("licenses", json!([{ "expression": expression(license) }]));
    }
    if let Some(checksum) = &part.about.checksum {
        put("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    if let Some(repository) = part.about.repository.as_deref().filter(|address| address.starts_with("http")) {
        put("externalReferences", json!([{ "type": "vcs", "url": repository }]));
    }
    component
}

fn native_component(native: &Native) -> Value {
    let mut component = Map::new();
    let mut put = |name: &str, value: Value| component.insert(name.into(), value);
    put("type", json!("library"));
    put("bom-ref", json!(native.purl));
    put("name", json!(native.name));
    put("scope", json!("required"));
    put("purl", json!(native.purl));
    put("licenses", json!([{ "expression": native.license }]));
    if !native.version.is_empty() {
        put("version", json!(native.version));
    }
    Value::Object(component)
}

/// Old manifests write `MIT/Apache-2.0` where SPDX has `OR`.
fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The same for the same content: a UUID of version 8 and of the usual variant (RFC 9562 §5.8, §4.1) out of a digest.
fn serial(of: &str) -> String {
    let mut uuid = String::from("urn:uuid:");
    for (at, digit) in checksums::sha256(of.as_bytes()).chars().take(32).enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            uuid.push('-');
        }
        uuid.push(match at {
            12 => '8',
            16 => 'a',
            _ => digit,
        });
    }
    uuid
}

/// What keeps the file from having passed: the schema, or that nobody has it.
fn invalid(path: &Path) -> Result<Option<Outcome>, Error> {
    const VALIDATE: &str = "import sys
try:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    fault = validator.validate_str(open(sys.argv[1], encoding='utf-8').read())
except Exception as absent:
    print(absent)
    sys.exit(3)
if fault:
    print(fault.data.message, list(fault.data.absolute_path))
    sys.exit(1)
";
    let absent = "written, but not held to the schema: pip install 'cyclonedx-python-lib[json-validation]'";
    if run::find("python3").is_none() {
        return Ok(Some(Outcome::skipped(absent)));
    }
    let mut python = Command::new("python3");
    let output = python.args(["-c", VALIDATE]).arg(path).output();
    let output = output.map_err(|source| Error::Start { program: "python3".into(), source })?;
    Ok(match output.status.code() {
        Some(0) => None,
        Some(1) => {
            let said = String::from_utf8_lossy(&output.stdout);
            Some(Outcome::failed(format!("{} is not CycloneDX 1.6: {}", path.display(), said.trim())))
        }
        _ => Some(Outcome::skipped(absent)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_uuids_of_their_content() {
        let one = serial("a");
        assert_eq!(one, serial("a"));
        assert_ne!(one, serial("b"));
        let (_, digits) = one.split_at("urn:uuid:".len());
        let lengths: Vec<_> = digits.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((&digits[14..15], &digits[19..20]), ("8", "a"));
    }

    #[test]
    fn old_licence_texts_become_expressions() {
        assert_eq!(expression("MIT/Apache-2.0"), "MIT OR Apache-2.0");
        assert_eq!(expression("Apache-2.0 / MIT"), "Apache-2.0 OR MIT");
        assert_eq!(expression("Apache-2.0 AND ISC"), "Apache-2.0 AND ISC");
    }

    #[test]
    fn a_build_number_is_escaped_in_an_address() {
        assert_eq!(purl(&("a".into(), "1.0.0+2".into())), "pkg:cargo/a@1.0.0%2B2");
    }
}
