//! What `irgw credential` enrols, lists, revokes and refuses.

use std::fs;

use clap::Parser;
use irgw_core::Missing;
use irgw_m2m::SigningCerts;
use irgw_store::Registry;
use irgw_tls::Enrolments;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};

use super::*;
use crate::services::{PUBLISHED, Row};

#[derive(Parser)]
struct Irgw {
    #[command(flatten)]
    credential: CredentialArgs,
}

/// A store with the provider `kowhai` and the resource owner `tui`, and a folder for certificates.
struct Office {
    store: Store,
    services: ServiceTable,
    folder: tempfile::TempDir,
}

impl Office {
    fn open() -> Office {
        let store = Store::in_memory().unwrap();
        store.add_provider(&"kowhai".parse().unwrap(), "Kōwhai", now()).unwrap();
        store.add_owner(&"tui".parse().unwrap(), "Tūī", now()).unwrap();
        let rows = toml::from_str::<std::collections::BTreeMap<String, Vec<Row>>>(PUBLISHED).unwrap();
        let services = ServiceTable::new(rows["service"].clone(), "main").unwrap();
        Office { store, services, folder: tempfile::tempdir().unwrap() }
    }

    /// Runs `irgw credential …` in an environment; `@name` stands for that file of the folder.
    fn run_in(&self, environment: Environment, line: &str) -> Result<String, (u8, String)> {
        let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => self.folder.path().join(name).display().to_string(),
            None => word.to_owned(),
        });
        let args = Irgw::try_parse_from(std::iter::once("credential".to_owned()).chain(words))
            .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
        let mut out = Vec::new();
        run(&args.credential, &self.store, environment, &self.services, now(), &mut out)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn run(&self, line: &str) -> Result<String, (u8, String)> {
        self.run_in(Environment::Test, line)
    }

    fn refused(&self, line: &str) -> (u8, String) {
        self.run(line).expect_err(line)
    }

    fn registry(&self) -> std::sync::Arc<Registry> {
        Registry::load(&self.store, Environment::Test).unwrap()
    }

    /// Writes a self-signed certificate for signing, valid from the year `from` for `years`; its thumbprint.
    fn signing_cert(&self, file: &str, from: i32, years: i32) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Tui signs");
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(from + years, 1, 1);
        let cert = params.self_signed(&key).unwrap();
        fs::write(self.folder.path().join(file), cert.pem()).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, cert.der());
        Thumbprint(digest.as_ref().try_into().unwrap()).to_string()
    }

    /// Writes a client certificate with these Common Names, expiring in the year `until`, and its authority as `ca.pem`.
    fn client_cert(&self, file: &str, common_names: &[&str], until: i32) {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Private CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        fs::write(self.folder.path().join("ca.pem"), authority.self_signed(&authority_key).unwrap().pem())
            .unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        for name in common_names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.serial_number = Some(SerialNumber::from(7_u64));
        params.not_before = rcgen::date_time_ymd(2025, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        fs::write(self.folder.path().join(file), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    }
}

/// 2027-01-15.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000))
}

#[test]
fn assigned_name_is_new_each_time_and_enrolled() {
    let office = Office::open();
    let add = "add client-cert --provider kowhai --assign kowhai.example --grant tds-summary --exclusive";
    let first = office.run(add).unwrap();
    let second = office.run(add).unwrap();
    let (first, second) = (first.lines().next().unwrap(), second.lines().next().unwrap());
    assert_ne!(first, second);
    assert!(first.len() == 32 + ".irdgws.kowhai.example".len() && first.ends_with(".irdgws.kowhai.example"));
    let enrolment = office.registry().by_common_name(first).unwrap();
    assert!(enrolment.grants.exclusive && enrolment.grants.services.contains("tds-summary"));
}

#[test]
fn name_is_read_from_a_certificate_that_meets_the_profile() {
    let office = Office::open();
    office.client_cert("kowhai.pem", &["abc.irdgws.kowhai.example"], 2028);
    office.run("add client-cert --provider kowhai --certificate @kowhai.pem --pin-issuer @ca.pem").unwrap();
    let enrolment = office.registry().by_common_name("abc.irdgws.kowhai.example").unwrap();
    assert!(enrolment.issuer_pin.is_some());
}

/// G11, TLS-7: the provider's own certificate, which no other could ever be issued under.
#[test]
fn pinned_issuer_is_an_authority() {
    let office = Office::open();
    office.client_cert("kowhai.pem", &["abc.irdgws.kowhai.example"], 2028);
    let refused = office
        .refused("add client-cert --provider kowhai --certificate @kowhai.pem --pin-issuer @kowhai.pem");
    assert!(refused.1.starts_with("refused by TLS-7: ") && refused.1.contains("kowhai.pem"), "{}", refused.1);
    assert!(office.registry().by_common_name("abc.irdgws.kowhai.example").is_err());
}

/// TLS-6, CN-1: anything may be enrolled that some authority issues, and what IR would never assign is pointed out.
#[test]
fn name_of_another_form_than_irs_is_pointed_out() {
    for name in [
        "298f9c17bbbe48958994982c383c409c.irdgws.test.yourdomainname.com",
        "298F9C17BBBE48958994982C383C409C.irdgws.a.nz",
    ] {
        assert!(name::is_of_irs_form(&name.parse().unwrap()), "{name}");
    }
    for name in [
        "foo",
        "298f9c17bbbe48958994982c383c409c",
        "298f9c17bbbe48958994982c383c409c.kowhai.nz",
        "298f9c17bbbe48958994982c383c409c.irdgws.nz",
        "298f9c17bbbe48958994982c383c409c.irdgws.a b.nz",
        "298f9c17bbbe48958994982c383c409.irdgws.kowhai.nz",
        "g98f9c17bbbe48958994982c383c409c.irdgws.kowhai.nz",
    ] {
        assert!(!name::is_of_irs_form(&name.parse().unwrap()), "{name}");
    }
    let office = Office::open();
    for domain in ["1.2.3.4", "kowhai.123"] {
        let refused = office.refused(&format!("add client-cert --provider kowhai --assign {domain}"));
        assert!(refused.1.starts_with("refused by CN-1: "), "{}", refused.1);
    }
}

/// G11: duplicate and wildcard Common Names, an expired certificate, none at all.
#[test]
fn mistakes_at_enrolment_are_refused_with_the_rule() {
    let office = Office::open();
    let add = "add client-cert --provider kowhai";
    office.run(&format!("{add} --common-name abc.kowhai.example")).unwrap();
    let again = office.refused(&format!("{add} --common-name abc.kowhai.example"));
    assert_eq!(again.0, 1);
    assert!(
        again
            .1
            .starts_with("refused by TLS-6: common name abc.kowhai.example is enrolled for provider kowhai")
    );
    let elsewhere = office.run_in(Environment::Prod, &format!("{add} --common-name abc.kowhai.example"));
    assert!(elsewhere.unwrap_err().1.starts_with("refused by ENV-2: "));

    office.client_cert("expired.pem", &["old.kowhai.example"], 2026);
    let expired = office.refused(&format!("{add} --certificate @expired.pem"));
    assert!(expired.1.starts_with("refused by TLS-4: ") && expired.1.contains("expired"), "{}", expired.1);
    office.signing_cert("self.pem", 2026, 2);
    assert!(office.refused(&format!("{add} --certificate @self.pem")).1.starts_with("refused by TLS-4: "));

    assert!(office.refused(&format!("{add} --assign nodots")).1.starts_with("refused by CN-1: "));
    assert!(
        office
            .refused("add client-cert --provider nobody --common-name x.y")
            .1
            .starts_with("refused by ENV-1: ")
    );
    for line in [
        format!("{add} --common-name *.kowhai.example"),
        format!("{add} --common-name a --assign b.c"),
        add.to_owned(),
        format!("{add} --common-name a.b --exclusive"),
        format!("{add} --certificate @absent.pem"),
    ] {
        assert_eq!(office.refused(&line).0, 2, "{line}");
    }
}

#[test]
fn signing_certs_roll_over() {
    let office = Office::open();
    let first = office.signing_cert("first.pem", 2026, 2);
    let second = office.signing_cert("second.pem", 2026, 3);
    let third = office.signing_cert("third.pem", 2026, 4);
    office.run("add signing-cert --owner tui --issuer https://tui.example --certificate @first.pem").unwrap();

    let said = office.run(&format!("rotate {first} --certificate @second.pem")).unwrap();
    assert!(said.contains(&format!("irgw credential revoke signing-cert {first}")), "{said}");
    let refused = office.refused(&format!("rotate {second} --certificate @third.pem"));
    assert_eq!(refused.0, 1);
    assert!(refused.1.starts_with("refused by M2M-8: ") && refused.1.contains(&format!("revoke {first}")));

    office.run(&format!("rotate {first} --certificate @third.pem --revoke-old")).unwrap();
    let registry = office.registry();
    let held = |thumbprint: &str| {
        registry.by_sha256(&thumbprint.parse().unwrap()).map(|cert| cert.owner.to_string())
    };
    assert_eq!(held(&first), Err(Missing::Revoked));
    assert_eq!((held(&second), held(&third)), (Ok("tui".to_owned()), Ok("tui".to_owned())));

    assert!(office.refused(&format!("rotate {first} --certificate @third.pem")).1.contains("is revoked"));
    let elsewhere = office.run_in(Environment::Prod, &format!("rotate {second} --certificate @third.pem"));
    assert!(elsewhere.unwrap_err().1.starts_with("refused by ENV-2: "));
}

#[test]
fn signing_cert_of_more_than_four_years_is_refused() {
    let office = Office::open();
    office.signing_cert("long.pem", 2026, 5);
    let add = "add signing-cert --owner tui --issuer i --certificate";
    assert!(office.refused(&format!("{add} @long.pem")).1.starts_with("refused by M2M-8: "));
    office.signing_cert("future.pem", 2028, 1);
    assert!(office.refused(&format!("{add} @future.pem")).1.starts_with("refused by M2M-8: "));
}

#[test]
fn credentials_are_listed_exported_and_revoked() {
    let office = Office::open();
    let thumbprint = office.signing_cert("tui.pem", 2026, 2);
    office.run("add signing-cert --owner tui --issuer i --certificate @tui.pem").unwrap();
    office.run("add client-cert --provider kowhai --common-name abc.kowhai.example").unwrap();

    let original = fs::read_to_string(office.folder.path().join("tui.pem")).unwrap().replace('\r', "");
    assert_eq!(office.run(&format!("export {thumbprint}")).unwrap(), original);

    office.run(&format!("revoke signing-cert {thumbprint}")).unwrap();
    let said = office.run("revoke provider kowhai").unwrap();
    assert_eq!(said, "provider kowhai has no access: 1 client certificates revoked\n");
    let json: serde_json::Value = serde_json::from_str(&office.run("list --json").unwrap()).unwrap();
    assert_eq!(json["client_certs"][0]["common_name"], "abc.kowhai.example");
    assert_eq!(json["client_certs"][0]["status"], "revoked");
    assert_eq!(json["client_certs"][0]["revoked_since"], "2027-01-15T08:00:00Z");
    assert_eq!(json["signing_certs"][0]["thumbprint"], thumbprint.as_str());
    assert_eq!(json["signing_certs"][0]["key"], "p256");
    assert_eq!(json["next"], serde_json::json!({}));

    assert_eq!(office.refused("list client-certs --provider nobody").0, 1);
    assert!(office.run_in(Environment::Prod, "list").unwrap().starts_with("no client certs\n"));
    assert!(office.run_in(Environment::Prod, "list --all-environments").unwrap().contains(&thumbprint));
    assert_eq!(office.refused("list --after x").0, 2);
    assert_eq!(office.refused("revoke client-cert nobody").0, 1);
}

#[test]
fn grants_are_replaced() {
    let office = Office::open();
    let add = "add client-cert --provider kowhai --common-name abc.kowhai.example --grant customer-service";
    office.run(add).unwrap();
    office.run("grant abc.kowhai.example --grant tds-summary --grant tds-transactions-batch").unwrap();
    let grants = || office.registry().by_common_name("abc.kowhai.example").unwrap().grants.clone();
    let services: Vec<_> = grants().services.iter().map(ToString::to_string).collect();
    assert_eq!(services, ["tds-summary", "tds-transactions-batch"]);
    assert_eq!(office.refused("grant abc.kowhai.example").0, 2);
    assert_eq!(office.refused("grant abc.kowhai.example --none --grant tds-summary").0, 2);
    assert!(!grants().services.is_empty());
    office.run("grant abc.kowhai.example --none").unwrap();
    assert!(grants().services.is_empty());
}

/// TLS-12: a batch certificate became a general one by being granted one service more.
#[test]
fn exclusive_certificate_stays_exclusive_until_told_otherwise() {
    let office = Office::open();
    let add =
        "add client-cert --provider kowhai --common-name abc.kowhai.example --grant tds-summary --exclusive";
    office.run(add).unwrap();
    let exclusive = || office.registry().by_common_name("abc.kowhai.example").unwrap().grants.exclusive;
    let said = office.run("grant abc.kowhai.example --grant tds-transactions-batch").unwrap();
    assert_eq!(
        said,
        "common name abc.kowhai.example opens tds-transactions-batch by itself, and nothing else\n"
    );
    assert!(exclusive());
    assert!(office.refused("grant abc.kowhai.example --none").1.starts_with("refused by TLS-12: "));
    assert_eq!(
        office.refused("grant abc.kowhai.example --grant tds-summary --exclusive --not-exclusive").0,
        2
    );
    let said = office.run("grant abc.kowhai.example --grant customer-service --not-exclusive").unwrap();
    assert!(said.contains("no longer exclusive"), "{said}");
    assert!(!exclusive());
    office.run("grant abc.kowhai.example --grant tds-summary --exclusive").unwrap();
    assert!(exclusive());
}

/// TLS-12, G11: a name that no service has, and one whose service takes tokens.
#[test]
fn only_services_that_open_to_a_certificate_are_granted() {
    let office = Office::open();
    let add = "add client-cert --provider kowhai --common-name abc.kowhai.example";
    office.run(add).unwrap();
    for name in ["nosuchservice", "account"] {
        let refused = "refused by TLS-12: ".to_owned()
            + name
            + " is no service that opens to a certificate alone; those are: customer-service, tds-summary, \
               tds-transactions-batch";
        assert_eq!(office.refused(&format!("grant abc.kowhai.example --grant {name}")), (1, refused.clone()));
        assert_eq!(office.refused(&format!("{add}2 --grant {name}")), (1, refused));
    }
}

/// ENV-2: from the configuration of another gateway over the same store.
#[test]
fn nothing_of_another_environment_is_changed() {
    let office = Office::open();
    let thumbprint = office.signing_cert("tui.pem", 2026, 2);
    office.run("add signing-cert --owner tui --issuer i --certificate @tui.pem").unwrap();
    office.run("add client-cert --provider kowhai --common-name abc.kowhai.example").unwrap();
    for (line, what) in [
        ("grant abc.kowhai.example --grant customer-service", "abc.kowhai.example"),
        ("revoke client-cert abc.kowhai.example", "abc.kowhai.example"),
        (&format!("revoke signing-cert {thumbprint}"), &thumbprint),
    ] {
        let refused = format!("refused by ENV-2: {what} belongs to test, this gateway is prod");
        assert_eq!(office.run_in(Environment::Prod, line), Err((1, refused)));
        assert!(office.run(line).is_ok(), "{line}");
    }
}
