//! Where a request arrives: the environment and the channel (ENV-2, ENV-3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::UnknownName;

macro_rules! names {
    ($type:ident, $kind:literal, $($variant:ident $name:literal)*) => {
        impl $type {
            /// Every value, in order.
            pub const ALL: &'static [$type] = &[$($type::$variant,)*];

            /// The name as it is written in configuration and records.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<$type, UnknownName> {
                $type::ALL.iter().copied().find(|value| value.name() == text).ok_or(UnknownName { kind: $kind })
            }
        }
    };
}

/// One of the gateway's environments (ENV-2). Every enrolled credential belongs to exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// For first steps: an IP allow-list instead of mutual TLS, fewer checks (ENV-4).
    Mock,
    /// The certification environment (also called QUAL): every rule of `prod` holds.
    Test,
    /// Production.
    Prod,
}

names!(Environment, "environment", Mock "mock" Test "test" Prod "prod");

/// The way in (ENV-3), or out: each listener serves one of the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Server to server, mutual TLS, paths under `/gateway/` and `/secure/gateway/`.
    Cloud,
    /// Desktop software and the OAuth endpoints, one-way TLS, paths under `/gateway2/` and `/gateway3/`.
    Desktop,
    /// File transfer over SSH, which has no paths of ours: to providers' file servers and from them (SFTP-1).
    #[serde(skip_deserializing)]
    Files,
}

names!(Channel, "channel", Cloud "cloud" Desktop "desktop" Files "files");

/// The two kinds of OAuth client (OA-2, RFC 8252).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientKind {
    /// Runs on a provider's server and keeps its secret.
    Cloud,
    /// Runs on the customer's machine and cannot keep one.
    Native,
}

names!(ClientKind, "client kind", Cloud "cloud" Native "native");
