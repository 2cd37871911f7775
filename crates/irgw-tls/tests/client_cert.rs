//! From the verified certificate to the provider, on every request (TLS-6, TLS-7, TLS-10; A12, A13, A16).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::sync::Arc;

use irgw_core::{Authenticator, Barrier, Class, Credential, Missing, Peer, Presented, Proof, Rule, Verdict};
use irgw_tls::{ClientCert, ClientTrust, Enrolment, Error, Flaw, IssuerPin};
use rustls_pki_types::CertificateDer;
use support::{Authority, NAME, NOW, Register, UNTIL, at, enrolment, origin};

struct World {
    root: Authority,
    trust: Arc<ClientTrust>,
    register: Arc<Register>,
    authenticator: ClientCert,
}

impl World {
    fn new() -> World {
        let root = Authority::root("Root");
        let trust = Arc::new(support::trust(&root));
        let register = Arc::new(Register::default());
        let authenticator = ClientCert::new(register.clone(), trust.clone());
        World { root, trust, register, authenticator }
    }

    fn peer(&self, der: &CertificateDer<'_>) -> Peer {
        Peer::proven(origin(), self.trust.verify(der, &[], at(NOW)).unwrap())
    }

    fn judge(&self, peer: &Peer, now: u64) -> Result<Proof, (Rule, Class)> {
        let presented = Presented { peer, credential: Credential::None, now: at(now) };
        match self.authenticator.authenticate(&presented) {
            Verdict::Accept(proof) => Ok(proof),
            Verdict::Reject(rejection) => Err((rejection.rule, rejection.class)),
            Verdict::Absent => panic!("a certificate was there"),
        }
    }
}

fn refused(rule: Rule) -> Result<Proof, (Rule, Class)> {
    Err((rule, Class::NotPermitted(Barrier::Provider)))
}

#[test]
fn enrolled_name_proves_the_provider() {
    let world = World::new();
    world.register.put(NAME, Ok(enrolment(NAME)));
    let peer = world.peer(&world.root.client(NAME).der);
    let Ok(Proof::Provider { provider, common_name, .. }) = world.judge(&peer, NOW) else { panic!() };
    assert_eq!((provider.as_str(), &*common_name), ("Kererū Payroll", NAME));
}

#[test]
fn connection_without_a_certificate_is_absent() {
    let world = World::new();
    let peer = Peer::anonymous(origin());
    let presented = Presented { peer: &peer, credential: Credential::None, now: at(NOW) };
    assert!(matches!(world.authenticator.authenticate(&presented), Verdict::Absent));
}

#[test]
fn tls_7_renewed_certificate_of_the_same_name_works_with_nobodys_intervention() {
    let world = World::new();
    world.register.put(NAME, Ok(enrolment(NAME)));
    let (old, new) = (world.root.client(NAME), world.root.client(NAME));
    assert_ne!(old.der, new.der);
    assert!(world.judge(&world.peer(&old.der), NOW).is_ok());
    assert!(world.judge(&world.peer(&new.der), NOW).is_ok());
}

#[test]
fn a11_no_other_name_is_taken_for_the_enrolled_one() {
    let world = World::new();
    world.register.put(NAME, Ok(enrolment(NAME)));
    let longer = format!("a{NAME}");
    for name in [&NAME[1..], &NAME[..NAME.len() - 1], &longer, &NAME.to_uppercase(), "irdgws.test.example.nz"]
    {
        let peer = world.peer(&world.root.client(name).der);
        assert_eq!(world.judge(&peer, NOW), refused(Rule::Tls6), "{name}");
    }
}

#[test]
fn enrolment_of_another_name_is_not_taken_from_a_store_that_errs() {
    let world = World::new();
    world.register.put(NAME, Ok(enrolment("other.irdgws.example.nz")));
    let peer = world.peer(&world.root.client(NAME).der);
    assert_eq!(world.judge(&peer, NOW), refused(Rule::Tls6));
}

#[test]
fn a12_right_name_from_another_approved_authority_is_refused_when_pinned() {
    let (ours, theirs) = (Authority::root("Ours"), Authority::root("Theirs"));
    let issuing = ours.intermediate("Issuing");
    let trust = Arc::new(ClientTrust::new(vec![ours.approved(), theirs.approved()], vec![]).unwrap());
    let register = Arc::new(Register::default());
    let authenticator = ClientCert::new(register.clone(), trust.clone());
    let world = World { root: ours, trust, register, authenticator };
    let sent = [issuing.der.clone()];
    let good = world.trust.verify(&issuing.client(NAME).der, &sent, at(NOW)).unwrap();
    let good = Peer::proven(origin(), good);
    let stolen = world.peer(&theirs.client(NAME).der);

    world.register.put(NAME, Ok(enrolment(NAME)));
    assert!(world.judge(&stolen, NOW).is_ok(), "identity comes from the name where nothing is pinned");
    for authority in [&issuing, &world.root] {
        let pin = IssuerPin::of(&authority.der).unwrap();
        world.register.put(NAME, Ok(Enrolment { issuer_pin: Some(pin), ..enrolment(NAME) }));
        assert!(world.judge(&good, NOW).is_ok());
        assert_eq!(world.judge(&stolen, NOW), refused(Rule::Tls7));
    }
}

#[test]
fn a13_name_of_another_environment_is_refused_as_such() {
    let world = World::new();
    let peer = world.peer(&world.root.client(NAME).der);
    for (missing, rule) in [
        (Missing::Unknown, Rule::Tls6),
        (Missing::Revoked, Rule::Tls6),
        (Missing::OtherEnvironment, Rule::Env2),
    ] {
        world.register.put(NAME, Err(missing));
        assert_eq!(world.judge(&peer, NOW), refused(rule), "{missing:?}");
    }
}

#[test]
fn a16_open_connection_ends_with_enrolment_revocation_and_validity() {
    let world = World::new();
    world.register.put(NAME, Ok(enrolment(NAME)));
    let serial = 0x51;
    let client = world.root.client_with(NAME, |params| {
        params.serial_number = Some(rcgen::SerialNumber::from(serial));
    });
    let peer = world.peer(&client.der);
    assert!(world.judge(&peer, NOW).is_ok());
    world.register.put(NAME, Err(Missing::Revoked));
    assert_eq!(world.judge(&peer, NOW), refused(Rule::Tls6), "disenrolled");
    world.register.put(NAME, Ok(enrolment(NAME)));
    assert!(world.judge(&peer, UNTIL).is_ok(), "the last second");
    assert_eq!(world.judge(&peer, UNTIL + 1), refused(Rule::Tls4), "expired");
    assert!(world.judge(&peer, NOW).is_ok());
    world.trust.replace_crls(world.root.crl(&[serial], UNTIL));
    assert_eq!(world.judge(&peer, NOW), refused(Rule::Tls9), "revoked");
}

#[test]
fn pin_prints_and_parses() {
    let pin = IssuerPin::of(&Authority::root("Root").der).unwrap();
    assert_eq!(pin.to_string().parse(), Ok(pin));
    assert_eq!(IssuerPin::from_bytes(pin.to_bytes()), pin);
    assert!("12".parse::<IssuerPin>().is_err());
    assert!(IssuerPin::of(&b"no certificate".to_vec().into()).is_err());
}

#[test]
fn only_an_authority_is_pinned() {
    let root = Authority::root("Root");
    let flaw = |der: &CertificateDer<'_>| match IssuerPin::of(der) {
        Err(Error::Certificate { fault, .. }) => fault.flaw,
        other => panic!("{other:?}"),
    };
    assert_eq!(flaw(&root.client(NAME).der), Flaw::NotAnAuthority);
    let usages = |usages: Vec<rcgen::KeyUsagePurpose>| {
        Authority::root_with("Root", |params| params.key_usages = usages).der
    };
    assert_eq!(flaw(&usages(vec![rcgen::KeyUsagePurpose::CrlSign])), Flaw::NoKeyCertSign);
    assert!(IssuerPin::of(&usages(vec![])).is_ok(), "no keyUsage restricts nothing");
}
