//! What holds the description against the table of refusals and the endpoints that there are.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;

use super::{TEXT, written};
use crate::Endpoint;
use crate::fault::Fault;

const ENDPOINTS: [Endpoint; 12] = [
    Endpoint::Metadata,
    Endpoint::Jwks,
    Endpoint::Authorize,
    Endpoint::Login,
    Endpoint::Code,
    Endpoint::Consent,
    Endpoint::Applications,
    Endpoint::Logout,
    Endpoint::Style,
    Endpoint::Token,
    Endpoint::Introspect,
    Endpoint::Revoke,
];

/// The operation that describes an endpoint; `None`: it is a page or of one.
fn operation(endpoint: Endpoint) -> Option<&'static str> {
    match endpoint {
        Endpoint::Metadata => Some("/paths/~1.well-known~1oauth-authorization-server~1gateway3~1oauth/get"),
        Endpoint::Jwks => Some("/paths/~1gateway3~1oauth~1jwks/get"),
        Endpoint::Authorize => Some("/paths/~1gateway3~1oauth~1authorize/get"),
        Endpoint::Token => Some("/paths/~1gateway3~1oauth~1token/post"),
        Endpoint::Introspect => Some("/paths/~1gateway3~1oauth~1introspect/post"),
        Endpoint::Revoke => Some("/paths/~1gateway3~1oauth~1revoke/post"),
        Endpoint::Login
        | Endpoint::Code
        | Endpoint::Consent
        | Endpoint::Applications
        | Endpoint::Logout
        | Endpoint::Style => None,
    }
}

/// One of each kind.
fn faults() -> Vec<Fault> {
    vec![
        Fault::UnknownClient,
        Fault::RedirectUri("https://a.example".into()),
        Fault::ResponseType,
        Fault::State,
        Fault::ChallengeMethod,
        Fault::Challenge,
        Fault::Missing("token"),
        Fault::Repeated("token".into()),
        Fault::Malformed("It is too long."),
        Fault::Unavailable,
        Fault::AuthorizationMissing,
        Fault::AuthorizationInvalid,
        Fault::CredentialsMissing,
        Fault::TokenClient,
        Fault::Secret,
        Fault::GrantType,
        Fault::Code,
        Fault::CodeExpired,
        Fault::CodeRedirectUri,
        Fault::Verifier,
        Fault::RefreshToken,
        Fault::RefreshNotAllowed,
        Fault::Scope,
        Fault::Unauthenticated,
        Fault::BadCredentials,
        Fault::NoClientNamed,
        Fault::Method("GET"),
        Fault::LengthRequired,
        Fault::MediaType,
    ]
}

/// Where each refusal is told. A kind that is added has to be placed here before this compiles.
fn told_at(fault: &Fault) -> &'static [Endpoint] {
    use Endpoint::{Authorize, Introspect, Jwks, Metadata, Revoke, Token};
    match fault {
        Fault::UnknownClient
        | Fault::RedirectUri(_)
        | Fault::ResponseType
        | Fault::State
        | Fault::ChallengeMethod
        | Fault::Challenge => &[Authorize],
        Fault::Missing(_) | Fault::Repeated(_) | Fault::Malformed(_) | Fault::Unavailable => {
            &[Authorize, Token, Introspect, Revoke]
        }
        Fault::AuthorizationMissing
        | Fault::AuthorizationInvalid
        | Fault::CredentialsMissing
        | Fault::TokenClient
        | Fault::Secret
        | Fault::GrantType
        | Fault::Code
        | Fault::CodeExpired
        | Fault::CodeRedirectUri
        | Fault::Verifier
        | Fault::RefreshToken
        | Fault::RefreshNotAllowed
        | Fault::Scope => &[Token],
        Fault::Unauthenticated | Fault::BadCredentials => &[Introspect, Revoke],
        Fault::NoClientNamed => &[Revoke],
        Fault::Method(_) => &[Metadata, Jwks, Authorize, Token, Introspect, Revoke],
        Fault::LengthRequired | Fault::MediaType => &[Token, Introspect, Revoke],
    }
}

/// What `$ref` leads to, or the value itself.
fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => value,
    }
}

#[test]
fn every_endpoint_that_is_no_page_is_described_and_nothing_else() {
    let document = written();
    let described: Vec<&str> = ENDPOINTS.into_iter().filter_map(operation).collect();
    for operation in &described {
        assert!(document.pointer(operation).is_some(), "{operation}");
    }
    assert_eq!(document["paths"].as_object().unwrap().len(), described.len());
}

#[test]
fn every_refusal_is_described_where_it_is_told() {
    let document = written();
    for fault in faults() {
        let (status, error, ..) = fault.row();
        for endpoint in told_at(&fault) {
            let operation = document.pointer(operation(*endpoint).unwrap()).unwrap();
            let response = &operation["responses"][status.as_str()];
            assert!(!response.is_null(), "{fault:?} at {endpoint:?}: {status} is not described");
            let response = followed(&document, response);
            let schema = &response["content"]["application/json"]["schema"];
            let schemas = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
            let words = schemas.iter().map(|schema| followed(&document, schema));
            let says = |schema: &Value| {
                let known = schema["properties"]["error"]["enum"].as_array();
                known.is_some_and(|known| known.iter().any(|known| known == error))
            };
            assert!(words.into_iter().any(says), "{fault:?} at {endpoint:?}: {error} is not described");
            if status == StatusCode::UNAUTHORIZED {
                let sent = fault.answer();
                let sent = sent.headers()["www-authenticate"].to_str().unwrap().to_owned();
                assert_eq!(response["headers"]["WWW-Authenticate"]["schema"]["const"], sent);
            }
        }
    }
}

/// Nothing is described that no refusal says.
#[test]
fn described_errors_are_those_of_the_table() {
    let document = written();
    let schema = &document["components"]["schemas"]["OAuthError"]["properties"]["error"]["enum"];
    let described: Vec<&str> = schema.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let told: BTreeSet<&str> = faults().iter().map(|fault| fault.row().1).collect();
    assert_eq!(described, Vec::from_iter(told));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = written();
    let references: BTreeSet<&str> =
        TEXT.split("\"$ref\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for reference in &references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for kind in ["headers", "requestBodies", "responses", "schemas"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(reference.as_str()), "nothing refers to {reference}");
        }
    }
}
