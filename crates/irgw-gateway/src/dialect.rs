//! The words in which each service tells a refusal: status, code, type and text (SPEC section 6). One table.

use http::StatusCode;
use irgw_core::{Barrier, Class, TokenFault};
use serde::{Deserialize, Serialize};

/// A family of services that tell refusals in the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// The customer suite, document and notification.
    Suite,
    /// Income.
    Income,
    /// Bill.
    Bill,
    /// Transaction data services.
    Tds,
    /// The PIR calculator.
    Calculators,
    /// Returns, employment, intermediation: a response envelope with a `statusMessage`.
    Soap,
}

/// What a refusal says, before any dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No token was presented.
    NoToken,
    /// A token was presented to a service that prohibits them.
    TokenProhibited,
    /// The certificate opens nothing here: a service that takes no token.
    Certificate,
    /// An authenticator, or the joining of proofs, refused.
    Judged(Class),
}

/// What is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The published code, e.g. `EV1020`; in the soap dialect the `statusCode`.
    pub code: &'static str,
    /// The published type; empty in the soap dialect, which has none.
    pub kind: &'static str,
    /// The published text.
    pub message: &'static str,
}

impl Dialect {
    /// The name in configuration and `dev.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Suite => "suite",
            Dialect::Income => "income",
            Dialect::Bill => "bill",
            Dialect::Tds => "tds",
            Dialect::Calculators => "calculators",
            Dialect::Soap => "soap",
        }
    }

    /// The published answer to a denial.
    pub const fn answer(self, denial: Denial) -> Answer {
        match self {
            Dialect::Suite => suite(denial, StatusCode::FORBIDDEN, "security"),
            Dialect::Income => suite(denial, StatusCode::BAD_REQUEST, "validation"),
            Dialect::Bill => bill(denial),
            Dialect::Tds => tds(denial),
            Dialect::Calculators => calculators(denial),
            Dialect::Soap => soap(denial),
        }
    }
}

/// `income` differs from `suite` in the status and type of EV1022 alone.
const fn suite(denial: Denial, barred: StatusCode, barred_kind: &'static str) -> Answer {
    match denial {
        Denial::NoToken => Answer {
            status: StatusCode::BAD_REQUEST,
            code: "EV1021",
            kind: "security",
            message: "No OAuth or JWT token is present as an HTTP header",
        },
        Denial::Judged(Class::BadToken(_)) => Answer {
            status: StatusCode::BAD_REQUEST,
            code: "EV1020",
            kind: "security",
            message: "Authentication failure means the token (JWT or OAuth) provided is not valid",
        },
        Denial::TokenProhibited | Denial::Certificate | Denial::Judged(Class::NotPermitted(_)) => Answer {
            status: barred,
            code: "EV1022",
            kind: barred_kind,
            message: "Access is not permitted for the requester to perform this operation for the submitted identifier",
        },
    }
}

const fn bill(denial: Denial) -> Answer {
    let (code, message) = match denial {
        Denial::NoToken => ("EV1021", "Missing OAuth in the HTTP header"),
        Denial::Judged(Class::BadToken(_)) => ("EV1020", "Authentication error"),
        Denial::TokenProhibited | Denial::Certificate | Denial::Judged(Class::NotPermitted(_)) => {
            ("EV1022", "Unauthorised delegation.")
        }
    };
    Answer { status: StatusCode::UNAUTHORIZED, code, kind: "security", message }
}

const fn tds(denial: Denial) -> Answer {
    let (code, message) = match denial {
        Denial::NoToken => ("TDS203", "Authentication failure due to missing token"),
        Denial::TokenProhibited => (
            "TDS204",
            "The request header contains OAuth token value. This is prohibited for the requested service.",
        ),
        Denial::Certificate => ("TDS201", "The requester is not eligible for this service."),
        Denial::Judged(Class::BadToken(_)) => ("TDS202", "Authentication failure."),
        Denial::Judged(Class::NotPermitted(_)) => {
            ("TDS200", "Insufficient access for the requested client list or customer.")
        }
    };
    Answer { status: StatusCode::UNAUTHORIZED, code, kind: "security", message }
}

const fn calculators(denial: Denial) -> Answer {
    let (code, message) = match denial {
        Denial::NoToken => ("EV1025", "Missing OAuth or JWT token in the HTTP header"),
        Denial::Judged(Class::BadToken(fault)) => match fault {
            TokenFault::Malformed => ("EV1024", "Authentication error"),
            TokenFault::Times => ("EV1026", "Authentication error, Issued date or expiry date is invalid"),
            TokenFault::UnknownCredential => ("EV1027", "Certificate or credential could not be found"),
            TokenFault::Signature => ("EV1028", "Authentication error, JWT signature validation failed"),
            TokenFault::Algorithm => {
                ("EV1029", "Authentication error, JWT algorithm not configured on credential doc")
            }
        },
        Denial::TokenProhibited | Denial::Certificate => ("EV1023", "No customer associated to TLS cert"),
        Denial::Judged(Class::NotPermitted(barrier)) => match barrier {
            Barrier::Provider => ("EV1023", "No customer associated to TLS cert"),
            Barrier::Service | Barrier::Client => (
                "EV1041",
                "Start logon associated to OAuth token does not have access to member/investor customer",
            ),
            Barrier::Owner => ("EV1042", "Unable to validate API consumer to JWT provided"),
            Barrier::Logon => ("EV1043", "Unable to validate JWT to member/investor IRD number provided"),
        },
    };
    Answer { status: StatusCode::UNAUTHORIZED, code, kind: "security", message }
}

const fn soap(denial: Denial) -> Answer {
    let (status, code, message) = match denial {
        Denial::NoToken => (StatusCode::UNAUTHORIZED, "2", "Missing authentication token(s)"),
        Denial::Judged(Class::BadToken(_)) => (StatusCode::UNAUTHORIZED, "1", "Authentication failure"),
        Denial::TokenProhibited
        | Denial::Certificate
        | Denial::Judged(Class::NotPermitted(Barrier::Service | Barrier::Provider)) => {
            (StatusCode::FORBIDDEN, "3", "Unauthorised access")
        }
        Denial::Judged(Class::NotPermitted(Barrier::Owner | Barrier::Logon)) => {
            (StatusCode::FORBIDDEN, "4", "Unauthorised delegation")
        }
        Denial::Judged(Class::NotPermitted(Barrier::Client)) => {
            (StatusCode::FORBIDDEN, "5", "Unauthorised vendor")
        }
    };
    Answer { status, code, kind: "", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Denial = Denial::Judged(Class::BadToken(TokenFault::Malformed));
    const BARRED: Denial = Denial::Judged(Class::NotPermitted(Barrier::Owner));

    /// Status and code of each dialect's three answers: no token, token bad, not permitted.
    #[test]
    fn published_codes_and_statuses() {
        for (dialect, expected) in [
            (Dialect::Suite, [(400, "EV1021"), (400, "EV1020"), (403, "EV1022")]),
            (Dialect::Income, [(400, "EV1021"), (400, "EV1020"), (400, "EV1022")]),
            (Dialect::Bill, [(401, "EV1021"), (401, "EV1020"), (401, "EV1022")]),
            (Dialect::Tds, [(401, "TDS203"), (401, "TDS202"), (401, "TDS200")]),
            (Dialect::Calculators, [(401, "EV1025"), (401, "EV1024"), (401, "EV1042")]),
            (Dialect::Soap, [(401, "2"), (401, "1"), (403, "4")]),
        ] {
            let got = [Denial::NoToken, BAD, BARRED].map(|denial| {
                let answer = dialect.answer(denial);
                (answer.status.as_u16(), answer.code)
            });
            assert_eq!(got, expected, "{dialect:?}");
        }
    }

    #[test]
    fn summary_and_batch_have_answers_of_their_own() {
        assert_eq!(Dialect::Tds.answer(Denial::TokenProhibited).code, "TDS204");
        assert_eq!(Dialect::Tds.answer(Denial::Certificate).code, "TDS201");
        assert_eq!(Dialect::Suite.answer(Denial::Certificate).code, "EV1022");
    }

    #[test]
    fn calculators_tell_faults_apart() {
        let code = |fault| Dialect::Calculators.answer(Denial::Judged(Class::BadToken(fault))).code;
        assert_eq!(code(TokenFault::Times), "EV1026");
        assert_eq!(code(TokenFault::UnknownCredential), "EV1027");
        assert_eq!(code(TokenFault::Signature), "EV1028");
        assert_eq!(code(TokenFault::Algorithm), "EV1029");
    }
}
