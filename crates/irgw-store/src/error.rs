//! What can be wrong with an enrolment, and with the database under it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use irgw_core::{ClientId, Environment, OwnerId, Rule, Thumbprint, UnixTime};
use irgw_oauth::Unavailable;
use irgw_oauth::registration::RedirectUriFault;

/// Why the store did not do what it was asked to.
///
/// The first group are refusals of an enrolment: [`Error::rule`] names the rule. The second group are faults of the
/// database: nothing was written, and whoever needs the answer to admit somebody must refuse (503).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A provider or resource owner of this id exists (ENV-1).
    Exists(Kind, String),
    /// Nothing of this id was ever enrolled.
    Unknown(Kind, String),
    /// The credential is enrolled in this environment already (TLS-6, M2M-3).
    Enrolled {
        /// Which sort of credential.
        kind: Kind,
        /// The Common Name or thumbprint.
        id: String,
        /// The provider or resource owner that holds it.
        holder: String,
    },
    /// The credential, or its key, is enrolled in another environment (ENV-2).
    OtherEnvironment {
        /// Which sort of credential, or [`Kind::SigningKey`] when only the key is the same.
        kind: Kind,
        /// The Common Name or thumbprint.
        id: String,
        /// Where it is enrolled.
        environment: Environment,
    },
    /// The credential was enrolled once, and revoked: it does not come back (TLS-6, M2M-3).
    Revoked {
        /// Which sort of credential.
        kind: Kind,
        /// The Common Name or thumbprint.
        id: String,
        /// When it was revoked.
        at: UnixTime,
    },
    /// The Common Name differs from an enrolled one only by case, which no certification authority heeds (TLS-6).
    DiffersByCase {
        /// The Common Name that is enrolled.
        enrolled: String,
    },
    /// The certificate is to serve its granted services only, and none is granted (TLS-12).
    NothingGranted,
    /// The owner has two signing certificates in force for this issuer value (M2M-8).
    TwoInForce {
        /// The resource owner.
        owner: OwnerId,
        /// The issuer value.
        issuer: String,
        /// The two, the one that ends first first.
        thumbprints: [Thumbprint; 2],
    },
    /// The certificate to be replaced is not one of the same resource owner, issuer value and environment (M2M-8).
    NotItsPredecessor(Thumbprint),
    /// The DER that came with a signing certificate is another certificate's (M2M-3).
    OtherDer(Thumbprint),
    /// A client needs a redirect URI, and none was given (OA-4).
    NoRedirectUri,
    /// A redirect URI cannot be registered (OA-4).
    RedirectUri {
        /// As it was given.
        uri: String,
        /// What is wrong with it.
        fault: RedirectUriFault,
    },
    /// The client has two secrets already (OA-2).
    TwoSecrets(ClientId),
    /// What is kept of a password is not one of this program's hashes (OA-7).
    NoHash,
    /// A secret could not be sealed, or was sealed under another key than the vault's.
    Sealed(String),
    /// A file of this name was submitted for the provider before, in another set or with other bytes (SFTP-4).
    NameTaken {
        /// The name.
        name: String,
        /// The delivery that has it.
        delivery: u64,
    },
    /// The delivery has ended: it is delivered, or was cancelled (SFTP-4).
    Ended {
        /// Its number.
        delivery: u64,
        /// How it ended.
        state: &'static str,
    },
    /// A file of the delivery is being given its name at this moment, and may have it already (SFTP-4).
    UnderWay(u64),
    /// A file of the delivery does not have its name yet (SFTP-4).
    Undelivered(u64),
    /// Another process has taken the delivery over, or it was cancelled (SFTP-4).
    TurnLost(u64),
    /// A text is empty, too long or holds a control character.
    Text {
        /// What the text is.
        what: &'static str,
        /// How many bytes it may have.
        limit_bytes: usize,
    },
    /// No page of this listing begins after such a key.
    After(String),
    /// A page of a listing has 1 to this number of items.
    PageSize(usize),

    /// There is no database at this path.
    Absent(PathBuf),
    /// Others than its owner can read or write the database.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What has this path is no file: a directory, say.
    NoFile(PathBuf),
    /// The system lets this process not read and write the database, or make files beside it.
    Denied {
        /// The file.
        path: PathBuf,
        /// Who owns it, and who asks: the system's numbers of users, where it has them.
        users: Option<[u32; 2]>,
    },
    /// The file is not a database of this program.
    Foreign(PathBuf),
    /// Another file took the database's place, or its companions', while it was in use, and it cannot be opened yet.
    Replaced,
    /// The database stays in another journal mode than `wal`.
    Journal(String),
    /// An earlier version of this program wrote the database, and it is not to be changed now.
    Older {
        /// The database's version.
        found: i64,
        /// The version that this program needs.
        known: i64,
    },
    /// A later version of this program wrote the database.
    Newer {
        /// The database's version.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// The file could not be made or looked at.
    File(PathBuf, io::ErrorKind),
    /// Others, in this process or another, held the database for longer than the waiting time.
    Busy,
    /// The disk is full.
    Full,
    /// The database is damaged, or holds what this program cannot have written.
    Corrupt(String),
    /// The database failed in another way.
    Database {
        /// SQLite's extended result code.
        code: i32,
        /// SQLite's text.
        message: String,
    },
    /// The database server cannot be reached, or was lost: what was not confirmed may have happened or not.
    Unreachable(String),
    /// The database server refused in another way.
    Server {
        /// The SQLSTATE.
        code: String,
        /// The server's text.
        message: String,
    },
    /// This is no URL of a database server.
    Url(&'static str),
    /// A database server on another machine is to be reached by TLS, and nothing says whose certificates are good.
    Insecure(String),
    /// A thread could not be started.
    Thread(io::ErrorKind),
}

impl Error {
    /// The rule that refuses the enrolment; `None` for a fault of the database or a request that cannot be understood.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            Error::Exists(kind, _) | Error::Unknown(kind, _) => Some(kind.rule()),
            Error::Enrolled { kind, .. } | Error::Revoked { kind, .. } => Some(kind.rule()),
            Error::OtherEnvironment { .. } => Some(Rule::Env2),
            Error::DiffersByCase { .. } => Some(Rule::Tls6),
            Error::NothingGranted => Some(Rule::Tls12),
            Error::TwoInForce { .. } | Error::NotItsPredecessor(_) => Some(Rule::M2m8),
            Error::OtherDer(_) => Some(Rule::M2m3),
            Error::NoRedirectUri | Error::RedirectUri { .. } => Some(Rule::Oa4),
            Error::TwoSecrets(_) => Some(Rule::Oa2),
            Error::NoHash => Some(Rule::Oa7),
            Error::NameTaken { .. }
            | Error::Ended { .. }
            | Error::UnderWay(_)
            | Error::Undelivered(_)
            | Error::TurnLost(_) => Some(Rule::Sftp4),
            Error::Sealed(_) | Error::Text { .. } | Error::After(_) | Error::PageSize(_) => None,
            Error::Absent(_)
            | Error::Exposed { .. }
            | Error::NoFile(_)
            | Error::Denied { .. }
            | Error::Foreign(_)
            | Error::Replaced
            | Error::Journal(_)
            | Error::Older { .. }
            | Error::Newer { .. }
            | Error::File(..)
            | Error::Busy
            | Error::Full
            | Error::Corrupt(_)
            | Error::Database { .. }
            | Error::Unreachable(_)
            | Error::Server { .. }
            | Error::Url(_)
            | Error::Insecure(_)
            | Error::Thread(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Exists(kind, id) => write!(f, "{kind} {id} exists"),
            Error::Unknown(kind, id) => write!(f, "there is no {kind} {id}"),
            Error::Enrolled { kind, id, holder } => write!(f, "{kind} {id} is enrolled for {holder} already"),
            Error::OtherEnvironment { kind, id, environment } => {
                write!(f, "{kind} {id} is enrolled in {environment}, and belongs to one environment only")
            }
            Error::Revoked { kind, id, at } => {
                write!(f, "{kind} {id} was revoked at {} (Unix time) and cannot come back", at.as_secs())
            }
            Error::DiffersByCase { enrolled } => {
                write!(f, "common name {enrolled} is enrolled, and this one differs from it only by case")
            }
            Error::NothingGranted => {
                f.write_str("an exclusive client certificate needs at least one granted service")
            }
            Error::TwoInForce { owner, issuer, thumbprints: [first, second] } => write!(
                f,
                "resource owner {owner} has two signing certificates in force for issuer {issuer}: revoke {first} (the \
                 one that ends first) or {second} before a third is enrolled"
            ),
            Error::NotItsPredecessor(thumbprint) => write!(
                f,
                "signing certificate {thumbprint} is not one of this resource owner, issuer and environment, so it \
                 cannot be replaced here"
            ),
            Error::OtherDer(thumbprint) => write!(f, "the given DER is not that of {thumbprint}"),
            Error::NoRedirectUri => f.write_str("a client needs at least one redirect URI"),
            Error::RedirectUri { uri, fault } => write!(f, "{uri:?} cannot be a redirect URI: {fault}"),
            Error::TwoSecrets(client) => {
                write!(f, "client {client} has two secrets: end the old one before a third is made")
            }
            Error::NoHash => f.write_str("that is no Argon2id hash of a password"),
            Error::Sealed(what) => {
                write!(f, "the {what} was sealed under another key than the one in the vault's file")
            }
            Error::NameTaken { name, delivery } => write!(
                f,
                "{name} was submitted before, in delivery {delivery}, with other bytes or in another set: a name is delivered \
                 once"
            ),
            Error::Ended { delivery, state } => write!(f, "delivery {delivery} is {state}: it has ended"),
            Error::UnderWay(delivery) => write!(
                f,
                "a file of delivery {delivery} is being given its name at the far end: try again when that is over"
            ),
            Error::Undelivered(delivery) => {
                write!(f, "delivery {delivery} has files that do not have their names yet")
            }
            Error::TurnLost(delivery) => {
                write!(f, "delivery {delivery} was taken over by another process, or cancelled")
            }
            Error::Text { what, limit_bytes } => {
                write!(f, "{what} is 1 to {limit_bytes} bytes of text without control characters")
            }
            Error::After(key) => {
                write!(f, "{key:?} is no key of this list: take the one at the end of the page before")
            }
            Error::PageSize(limit) => write!(f, "a page has 1 to {limit} items"),
            Error::Absent(path) => write!(f, "there is no database at {}", path.display()),
            Error::Exposed { path, mode } => write!(
                f,
                "{} can be used by others than its owner (mode {mode:03o}): chmod 600 it",
                path.display()
            ),
            Error::Foreign(path) => write!(f, "{} is not a database of irgw", path.display()),
            Error::NoFile(path) => write!(f, "{} is not a file", path.display()),
            Error::Denied { path, users } => {
                write!(f, "{} cannot be read and written, or its folder not", path.display())?;
                if let Some([owner, asking]) = users {
                    write!(f, ": it belongs to user {owner}, and user {asking} asks")?;
                }
                f.write_str("; run this as the database's owner, who must be able to write the folder")
            }
            Error::Replaced => f.write_str(
                "another file took the database's place or its companions' (-wal, -shm), and what uses the old ones has not \
                 ended",
            ),
            Error::Journal(mode) => write!(
                f,
                "the database stays in journal mode {mode}, not wal: it must be on a local disk, and no other program \
                 may use it"
            ),
            Error::Older { found, known } => write!(
                f,
                "the database has version {found}, this program needs version {known}: irgw serve brings it there when it \
                 starts"
            ),
            Error::Newer { found, known } => write!(
                f,
                "the database has version {found}, this program knows versions up to {known}: use a newer irgw"
            ),
            Error::File(path, kind) => write!(f, "{}: {kind}", path.display()),
            Error::Busy => f.write_str("the database is in use by others for too long: try again"),
            Error::Full => f.write_str("the disk is full"),
            Error::Corrupt(what) => write!(f, "the database is damaged: {what}"),
            Error::Database { code, message } => write!(f, "the database failed ({code}): {message}"),
            Error::Unreachable(cause) => write!(f, "the database server cannot be reached: {cause}"),
            Error::Server { code, message } => {
                write!(f, "the database server refused ({code}): {message}{}", advice(code))
            }
            Error::Url(what) => {
                write!(f, "postgres://USER@HOST/DATABASE is the form of a database server's URL: {what}")
            }
            Error::Insecure(host) => write!(
                f,
                "the database server {host} is on another machine, so TLS is needed: add sslrootcert=FILE, the PEM file of \
                 the authority that its certificate comes from, to the URL, without sslmode=disable"
            ),
            Error::Thread(kind) => write!(f, "a thread could not be started: {kind}"),
        }
    }
}

/// What an operator can do about a refusal of the server, by its SQLSTATE.
fn advice(code: &str) -> &'static str {
    match code {
        "28000" => "; check the role's right to log in, and the server's pg_hba.conf",
        "28P01" => "; check the user and the password",
        "3D000" => "; make it: CREATE DATABASE … OWNER … TEMPLATE template0 ENCODING 'UTF8'",
        "22021" => "; make another one: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'",
        "42501" => "; the role that the URL names must own the database, or have these rights",
        _ => "",
    }
}

impl std::error::Error for Error {}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Unavailable {
        Unavailable::new(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let rusqlite::Error::SqliteFailure(failure, ref message) = error else {
            // A column of another type than the schema gives it, or SQL that does not fit the schema.
            return Error::Corrupt(error.to_string());
        };
        let message = message.clone().unwrap_or_else(|| failure.to_string());
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy,
            ErrorCode::DiskFull => Error::Full,
            ErrorCode::DatabaseCorrupt => Error::Corrupt(message),
            _ => Error::Database { code: failure.extended_code, message },
        }
    }
}

/// The sorts of things that are enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A digital service provider.
    Provider,
    /// A resource owner.
    Owner,
    /// A myIR logon linked to a resource owner.
    Logon,
    /// A provider's right to act for a resource owner.
    Link,
    /// A client certificate's Common Name.
    ClientCert,
    /// A signing certificate.
    SigningCert,
    /// The key of a signing certificate.
    SigningKey,
    /// An OAuth client.
    Client,
    /// A customer.
    Customer,
    /// A key that access tokens are signed with.
    TokenKey,
    /// A provider's file server.
    Partner,
    /// A delivery.
    Delivery,
}

impl Kind {
    fn rule(self) -> Rule {
        match self {
            Kind::Provider | Kind::Owner => Rule::Env1,
            Kind::Logon => Rule::M2m7,
            Kind::Link => Rule::M2m9,
            Kind::ClientCert => Rule::Tls6,
            Kind::SigningCert | Kind::SigningKey => Rule::M2m3,
            Kind::Client => Rule::Oa2,
            Kind::Customer => Rule::Oa7,
            Kind::TokenKey => Rule::Oa10,
            Kind::Partner => Rule::Sftp1,
            Kind::Delivery => Rule::Sftp4,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Provider => "provider",
            Kind::Owner => "resource owner",
            Kind::Logon => "logon",
            Kind::Link => "link",
            Kind::ClientCert => "common name",
            Kind::SigningCert => "signing certificate",
            Kind::SigningKey => "the key of signing certificate",
            Kind::Client => "client",
            Kind::Customer => "customer",
            Kind::TokenKey => "token key",
            Kind::Partner => "file server of provider",
            Kind::Delivery => "delivery",
        })
    }
}
