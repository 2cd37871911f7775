//! The authenticator: look-up, verdicts, and the memory of good signatures (M2M-1, M2M-3, ENV-2, ENV-4, B18, B23 to B25).

use std::sync::Arc;

use irgw_core::{
    Authenticator as _, Channel, Class, Credential, Missing, Origin, Peer, Presented, Proof, Rule, Scheme,
    TokenFault, Verdict,
};
use irgw_m2m::{Checks, Error, LegacySha1, M2m, Options};

use crate::parties::{DAY, ES256, ES384, Enrolled, NOW, Party, RS256, at, everybody};

fn m2m(enrolled: &Arc<Enrolled>) -> M2m {
    M2m::new(enrolled.clone(), Options::default())
}

fn verdict(m2m: &M2m, credential: Credential<'_>) -> Verdict {
    let peer = Peer::anonymous(Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud));
    m2m.authenticate(&Presented { peer: &peer, credential, now: at(NOW) })
}

fn rejected(verdict: Verdict) -> (Rule, Class) {
    match verdict {
        Verdict::Reject(rejection) => (rejection.rule, rejection.class),
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn a_good_token_proves_its_owner_cold_and_warm() {
    let m2m = m2m(&Enrolled::of([&*RS256, &ES256]));
    for party in [&*RS256, &ES256] {
        let token = party.saying(&party.payload_with(",\"startLogon\":\"TomTom123\""));
        for _ in 0..3 {
            let Verdict::Accept(proof) = verdict(&m2m, Credential::Jwt(&token)) else {
                panic!("not accepted")
            };
            let (owner, logon) = ("kowhai".parse().unwrap(), "TomTom123".parse().ok());
            assert_eq!(proof, Proof::Owner { credential: party.thumbprint(), owner, logon });
        }
    }
    let counts = m2m.cache_counts();
    assert_eq!((counts.hits, counts.misses, counts.entries), (4, 2, 2));
    assert_eq!(m2m.scheme(), Scheme::M2m);
}

#[test]
fn every_algorithm_is_remembered() {
    for party in everybody() {
        let m2m = m2m(&Enrolled::of([party]));
        let token = party.token();
        for _ in 0..2 {
            assert!(m2m.judge(&token, at(NOW)).is_ok(), "{}", party.algorithm);
        }
        assert_eq!(m2m.cache_counts().hits, 1);
    }
}

#[test]
fn only_a_bare_jwt_is_judged_b18_b25() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.token();
    assert!(matches!(verdict(&m2m, Credential::None), Verdict::Absent));
    for credential in [Credential::Bearer(&token), Credential::Other, Credential::Many] {
        assert_eq!(rejected(verdict(&m2m, credential)), (Rule::M2m1, Class::BadToken(TokenFault::Malformed)));
    }
}

#[test]
fn who_is_not_enrolled_is_refused_env2_b23() {
    let enrolled = Enrolled::of([&*ES256]);
    let m2m = m2m(&enrolled);
    let unknown = Class::BadToken(TokenFault::UnknownCredential);
    assert_eq!(rejected(verdict(&m2m, Credential::Jwt(&ES384.token()))), (Rule::M2m3, unknown));
    for (missing, rule) in [(Missing::Revoked, Rule::M2m3), (Missing::OtherEnvironment, Rule::Env2)] {
        enrolled.change(ES256.thumbprint(), |_, state| *state = Some(missing));
        assert_eq!(rejected(verdict(&m2m, Credential::Jwt(&ES256.token()))), (rule, unknown));
        assert_eq!(m2m.judge(&ES256.token(), at(NOW)).unwrap_err(), Error::Credential(missing));
    }
}

#[test]
fn revocation_holds_for_a_remembered_token_at_once_b23() {
    let enrolled = Enrolled::of([&*ES256]);
    let m2m = m2m(&enrolled);
    let token = ES256.token();
    assert!(m2m.judge(&token, at(NOW)).is_ok());
    enrolled.change(ES256.thumbprint(), |_, state| *state = Some(Missing::Revoked));
    assert_eq!(m2m.judge(&token, at(NOW)).unwrap_err(), Error::Credential(Missing::Revoked));
    assert_eq!(m2m.cache_counts().hits, 1, "it was remembered, and that did not help it");
}

#[test]
fn times_hold_for_a_remembered_token() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.token();
    let rule = |now| m2m.judge(&token, at(now)).map(drop).map_err(|error| error.rule());
    assert_eq!(rule(NOW), Ok(()));
    assert_eq!(rule(NOW + 540 + 59), Ok(()));
    assert_eq!(rule(NOW + 540 + 60), Err(Rule::M2m6));
    assert_eq!(rule(NOW - 121), Err(Rule::M2m6));
    assert_eq!(rule(NOW + 400 * DAY), Err(Rule::M2m8), "the certificate's validity comes first");
}

#[test]
fn a_changed_enrolment_is_judged_afresh() {
    let enrolled = Enrolled::of([&*ES256]);
    let m2m = m2m(&enrolled);
    let token = ES256.token();
    assert!(m2m.judge(&token, at(NOW)).is_ok());
    enrolled.change(ES256.thumbprint(), |credential, _| {
        credential.revision += 1;
        credential.owner = "another".parse().unwrap();
    });
    let accepted = m2m.judge(&token, at(NOW)).unwrap();
    assert!(matches!(accepted.proof, Proof::Owner { owner, .. } if owner.as_str() == "another"));
    enrolled.change(ES256.thumbprint(), |credential, _| {
        credential.revision += 1;
        credential.issuer = "Another".into();
    });
    assert_eq!(m2m.judge(&token, at(NOW)).unwrap_err(), Error::Issuer);
    assert_eq!(m2m.cache_counts().entries, 1, "the token has one place, whatever became of it");
}

#[test]
fn a_changed_issuer_holds_even_when_the_revision_was_forgotten() {
    let enrolled = Enrolled::of([&*ES256]);
    let m2m = m2m(&enrolled);
    let token = ES256.token();
    assert!(m2m.judge(&token, at(NOW)).is_ok());
    enrolled.change(ES256.thumbprint(), |credential, _| credential.issuer = "Another".into());
    assert_eq!(m2m.judge(&token, at(NOW)).unwrap_err(), Error::Issuer);
}

#[test]
fn a_refused_token_is_not_remembered() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let stranger = Party::new_es256();
    for token in [
        stranger.saying(&ES256.payload()),
        ES256.saying(&ES256.payload_at(NOW - 2 * DAY, NOW - DAY)),
        ES256.saying(&ES256.payload().replace("Kōwhai", "Tōtara")),
        "a.b.c".to_owned(),
    ] {
        assert!(m2m.judge(&token, at(NOW)).is_err());
    }
    assert_eq!((m2m.cache_counts().entries, m2m.cache_counts().misses), (0, 4));
}

#[test]
fn a_token_that_differs_in_one_byte_is_another_token_b09() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.token();
    assert!(m2m.judge(&token, at(NOW)).is_ok());
    for at_byte in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at_byte] = if bytes[at_byte] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(m2m.judge(&changed, at(NOW)).is_err(), "byte {at_byte}");
    }
    assert_eq!(m2m.cache_counts().hits, 0);
}

#[test]
fn the_memory_is_bounded_and_forgets_the_oldest() {
    let limit_bytes = 256 * 1024;
    let options = Options { cache_limit_bytes: limit_bytes, ..Options::default() };
    let m2m = M2m::new(Enrolled::of([&*ES256]), options);
    let tokens: Vec<String> =
        (0..1_000).map(|n| ES256.saying(&ES256.payload_with(&format!(",\"jti\":\"{n}\"")))).collect();
    for token in &tokens {
        assert!(m2m.judge(token, at(NOW)).is_ok());
        assert!(m2m.cache_counts().bytes <= limit_bytes);
    }
    let counts = m2m.cache_counts();
    assert_eq!(counts.entries as u64 + counts.evictions, 1_000);
    assert!(counts.entries > 100 && counts.evictions > 100, "{counts:?}");
    assert!(m2m.judge(tokens.last().unwrap(), at(NOW)).is_ok());
    assert_eq!(m2m.cache_counts().hits, 1, "the newest is there");
}

#[test]
fn expired_tokens_make_room() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    for n in 0..200 {
        let payload = ES256.payload_with(&format!(",\"jti\":\"{n}\""));
        assert!(m2m.judge(&ES256.saying(&payload), at(NOW)).is_ok());
    }
    assert_eq!(m2m.cache_counts().entries, 200);
    let later = NOW + 10_000;
    for n in 0..1_000 {
        let payload =
            ES256.payload_at(later, later + 600).replace("\"iat\"", &format!("\"jti\":\"{n}\",\"iat\""));
        assert!(m2m.judge(&ES256.saying(&payload), at(later)).is_ok());
    }
    let counts = m2m.cache_counts();
    assert_eq!((counts.entries, counts.evictions), (1_000, 200));
}

#[test]
fn a_small_memory_remembers_too() {
    for limit_bytes in [4 * 1024, 60 * 1024, 200 * 1024] {
        let options = Options { cache_limit_bytes: limit_bytes, ..Options::default() };
        let m2m = M2m::new(Enrolled::of([&*ES256]), options);
        for _ in 0..2 {
            assert!(m2m.judge(&ES256.token(), at(NOW)).is_ok());
        }
        // The signature is another each time, and so is the token.
        assert_eq!(m2m.cache_counts().entries, 2, "{limit_bytes}");
        assert!(m2m.cache_counts().bytes <= limit_bytes);
    }
}

#[test]
fn a_token_in_its_last_skew_is_remembered() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.saying(&ES256.payload_at(NOW - 600, NOW));
    for seconds in [1, 59] {
        assert!(m2m.judge(&token, at(NOW + seconds)).is_ok());
    }
    assert_eq!(m2m.cache_counts().hits, 1);
}

#[test]
fn a_remembered_token_is_not_printed_g01() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.token();
    assert!(m2m.judge(&token, at(NOW)).is_ok());
    let printed = format!("{m2m:?}");
    assert!(printed.contains("entries: 1"), "{printed}");
    for part in token.split('.') {
        assert!(!printed.contains(part), "{printed}");
    }
}

#[test]
fn without_memory_every_use_is_judged_in_full() {
    let options = Options { cache_limit_bytes: 0, ..Options::default() };
    let m2m = M2m::new(Enrolled::of([&*ES256]), options);
    for _ in 0..2 {
        assert!(m2m.judge(&ES256.token(), at(NOW)).is_ok());
    }
    assert_eq!((m2m.cache_counts().hits, m2m.cache_counts().entries), (0, 0));
}

#[test]
fn a_token_may_be_used_many_times_b24() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let token = ES256.token();
    for _ in 0..10_000 {
        assert!(m2m.judge(&token, at(NOW)).is_ok());
    }
    assert_eq!((m2m.cache_counts().hits, m2m.cache_counts().entries), (9_999, 1));
}

#[test]
fn what_single_use_needs_comes_with_the_verdict() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let peer = Peer::anonymous(Origin::new("192.0.2.7:5000".parse().unwrap(), Channel::Cloud));
    let token = ES256.saying(&ES256.payload_with(",\"jti\":\"one\""));
    let presented = Presented { peer: &peer, credential: Credential::Jwt(&token), now: at(NOW) };
    let (verdict, claims) = m2m.authenticate_with_claims(&presented);
    assert!(matches!(verdict, Verdict::Accept(_)));
    let claims = claims.unwrap();
    assert_eq!((claims.jti.as_deref(), claims.expires_at), (Some("one"), at(NOW + 540)));
}

#[test]
fn threads_share_the_memory() {
    let m2m = m2m(&Enrolled::of([&*ES256]));
    let tokens: Vec<String> =
        (0..50).map(|n| ES256.saying(&ES256.payload_with(&format!(",\"jti\":\"{n}\"")))).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| tokens.iter().for_each(|token| assert!(m2m.judge(token, at(NOW)).is_ok())));
        }
    });
    let counts = m2m.cache_counts();
    assert_eq!((counts.entries, counts.hits + counts.misses), (50, 200));
}

#[test]
fn sha1_thumbprint_is_looked_up_only_where_it_is_turned_on_b14() {
    let enrolled = Enrolled::of([&*ES256]);
    let sha1: String =
        ES256.credential.cert.sha1_thumbprint().iter().map(|byte| format!("{byte:02X}")).collect();
    let token = ES256.saying(&ES256.payload().replace(&ES256.thumbprint().to_string(), &sha1));
    let strict = m2m(&enrolled);
    let options = Options { legacy_sha1_thumbprint: LegacySha1::Accepted, ..Options::default() };
    let lenient = M2m::new(enrolled.clone(), options);
    let rule = |m2m: &M2m| m2m.judge(&token, at(NOW)).map(drop).map_err(|error| error.rule());
    assert_eq!(rule(&strict), Err(Rule::M2m3));
    assert_eq!((rule(&lenient), rule(&lenient)), (Ok(()), Ok(())));
    // Turned on for this enrolment alone, and off again while the token is remembered.
    enrolled.change(ES256.thumbprint(), |credential, _| credential.legacy_sha1 = LegacySha1::Accepted);
    assert_eq!(rule(&strict), Ok(()));
    enrolled.change(ES256.thumbprint(), |credential, _| credential.legacy_sha1 = LegacySha1::Refused);
    assert_eq!(rule(&strict), Err(Rule::M2m3));
}

#[test]
fn mock_checks_structure_and_times_and_no_more_env4() {
    let options = Options { checks: Checks::StructureAndTimes, ..Options::default() };
    let m2m = M2m::new(Enrolled::of([&*ES256]), options);
    let stranger = Party::new_es256();
    let proof = |token: &str| m2m.judge(token, at(NOW)).map(|accepted| accepted.proof);

    let claim = Proof::Claim { subject: "Wiget Company".into(), logon: "TomTom123".parse().ok() };
    let payload = stranger.payload_with(",\"startLogon\":\"TomTom123\"");
    let named = payload.replace(&stranger.thumbprint().to_string(), "Wiget Company");
    assert_eq!(proof(&stranger.saying(&named)), Ok(claim));

    let unsigned = stranger.saying(&ES256.payload().replace("Kōwhai", "Tōtara"));
    let (credential, owner) = (ES256.thumbprint(), "kowhai".parse().unwrap());
    assert_eq!(proof(&unsigned), Ok(Proof::Owner { credential, owner, logon: None }));

    let rule = |token: &str| m2m.judge(token, at(NOW)).map(drop).map_err(|error| error.rule());
    assert_eq!(rule(&stranger.saying(&stranger.payload_at(NOW - 2 * DAY, NOW - DAY))), Err(Rule::M2m6));
    assert_eq!(rule(&stranger.saying(&stranger.payload_at(NOW, NOW + 28_801))), Err(Rule::M2m6));
    assert_eq!(rule(&stranger.saying(&stranger.payload().replace("\"iss\"", "\"x\""))), Err(Rule::M2m5));
    assert_eq!(rule(&stranger.saying(&stranger.payload().replace("\"sub\"", "\"x\""))), Err(Rule::M2m3));
    assert_eq!(rule(&stranger.jws(r#"{"alg":"none","typ":"JWT","kid":"M2M"}"#, &named)), Err(Rule::M2m2));
    assert_eq!(rule("a.b"), Err(Rule::M2m2));
    assert_eq!(m2m.cache_counts().entries, 0);
}
