//! A connection to the demo provider's file server: algorithms, a user, a key, a channel, operations (SFTP-1 to SFTP-3).

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::client::{Config, Handle, Handler, Msg, Session};
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Names, Preferred, cipher, compression, kex, mac};
use russh_sftp::client::RawSftpSession;
use serde::Deserialize;

use super::Upshot;
use super::sftp_step::{Step, take};
use super::ssh_algorithm::{CIPHERS, KEXES, MACS, one};
use crate::Error;
use crate::dev::SftpServer;
use crate::template::Values;

/// A connection. What is not said is as the gateway does it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshRecipe {
    /// The key exchange that is offered, alone.
    pub kex: Option<String>,
    /// The host key's algorithm.
    pub host_key: Option<String>,
    /// The cipher.
    pub cipher: Option<String>,
    /// The MAC, for ciphers that need one.
    pub mac: Option<String>,
    /// Strict key exchange is offered (CVE-2023-48795).
    pub strict: bool,
    /// The user.
    pub user: Option<String>,
    /// `gateway`: the one that the provider admits; `another`.
    pub key: String,
    /// `key`, `password` or `none`.
    pub method: String,
    /// `sftp`, `another-subsystem`, `shell`, `command`, `terminal`, `agent`, `second`, `forwarding` or `listening`.
    pub channel: String,
    /// What is done over SFTP, such as `write outbox/${unique}.part text`; `${unique}` is in no other case. All but the last step
    /// must go well.
    pub steps: Vec<String>,
}

impl Default for SshRecipe {
    fn default() -> SshRecipe {
        SshRecipe {
            kex: None,
            host_key: None,
            cipher: None,
            mac: None,
            strict: true,
            user: None,
            key: "gateway".into(),
            method: "key".into(),
            channel: "sftp".into(),
            steps: Vec::new(),
        }
    }
}

/// Where a connection ended, or what it came to.
type Reached<T> = Result<T, Upshot>;

impl SshRecipe {
    pub(super) fn connect(&self, server: &SftpServer, values: &Values) -> Result<Upshot, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Error::recipe)?;
        let connected = async { tokio::time::timeout(PATIENCE, self.run(server, values)).await };
        let upshot = runtime.block_on(connected);
        upshot.unwrap_or_else(|_| Err(Error::Target("the file server does not answer".into())))
    }

    async fn run(&self, server: &SftpServer, values: &Values) -> Result<Upshot, Error> {
        let config = Config { preferred: self.preferred(values)?, ..Config::default() };
        let line = std::fs::read_to_string(&server.host_key).map_err(Error::file(&server.host_key))?;
        let is_strict = Arc::new(AtomicBool::new(false));
        let key = PublicKey::from_openssh(line.trim()).map_err(Error::recipe)?;
        let host = Host { key, is_strict: is_strict.clone() };
        let address = (server.host.as_str(), server.port);
        let mut session = match russh::client::connect(Arc::new(config), address, host).await {
            Ok(session) => session,
            Err(error) => return Ok(ended("key exchange", error)),
        };
        let channel = values.text(&self.channel)?;
        let admitted = self.authenticate(&mut session, server, values).await?;
        let opened = match admitted {
            Ok(()) => open(&session, &channel).await,
            Err(refused) => return Ok(refused),
        };
        match opened {
            Ok(Some(sftp)) => {
                let strict = if is_strict.load(Ordering::Relaxed) { ", strictly" } else { "" };
                self.take_steps(sftp, format!("admitted{strict}"), values).await
            }
            Ok(None) => Ok(Upshot::accepted(format!("opened: {channel}"))),
            Err(refused) => Ok(refused),
        }
    }

    fn preferred(&self, values: &Values) -> Result<Preferred, Error> {
        let strict = self.strict.then_some(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
        let kexes = one(self.kex.as_ref(), KEXES, kex::ECDH_SHA2_NISTP256, values)?;
        let host_key = match &self.host_key {
            Some(name) => values.text(name)?.parse().map_err(Error::recipe)?,
            None => Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 },
        };
        Ok(Preferred {
            kex: [kexes].into_iter().chain(strict).collect(),
            key: Cow::Owned(vec![host_key]),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Owned(vec![one(self.cipher.as_ref(), CIPHERS, cipher::AES_256_GCM, values)?]),
            mac: Cow::Owned(vec![one(self.mac.as_ref(), MACS, mac::HMAC_SHA512_ETM, values)?]),
            compression: Cow::Borrowed(&[compression::NONE]),
        })
    }

    async fn authenticate(
        &self,
        session: &mut Handle<Host>,
        server: &SftpServer,
        values: &Values,
    ) -> Result<Reached<()>, Error> {
        let user = self.user.as_deref().map(|user| values.text(user)).transpose()?;
        let user = user.unwrap_or_else(|| server.user.clone());
        let answer = match values.text(&self.method)?.as_str() {
            "password" => session.authenticate_password(user, "correct horse battery staple").await,
            "none" => session.authenticate_none(user).await,
            "key" => {
                let key = private_key(&values.text(&self.key)?, server)?;
                session.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await
            }
            method => return Err(Error::recipe(format_args!("there is no method {method:?}"))),
        };
        Ok(match answer {
            Ok(answer) if answer.success() => Ok(()),
            Ok(_) => Err(Upshot::refused(None, "refused at authentication")),
            Err(error) => Err(ended("authentication", error)),
        })
    }

    async fn take_steps(
        &self,
        channel: Channel<Msg>,
        mut told: String,
        values: &Values,
    ) -> Result<Upshot, Error> {
        let sftp = RawSftpSession::new(channel.into_stream());
        let version = sftp.init().await.map_err(Error::recipe)?.version;
        told.push_str(&format!(", with SFTP {version}"));
        for (number, step) in self.steps.iter().enumerate() {
            let step = values.text(step)?;
            let words: Vec<&str> = step.split_whitespace().collect();
            match take(&sftp, &words).await {
                Ok(came) => told.push_str(&format!("; {came}")),
                Err(Step::Unknown) => return Err(Error::recipe(format_args!("there is no step {step:?}"))),
                Err(Step::Refused(error)) if number + 1 == self.steps.len() => {
                    return Ok(Upshot::refused(None, format!("{step} was refused: {error}")));
                }
                Err(Step::Refused(error)) => return Err(Error::Target(format!("{step}: {error}"))),
            }
        }
        Ok(Upshot::accepted(told))
    }
}

/// The channel of the `sftp` subsystem; `None` when something else was opened.
async fn open(session: &Handle<Host>, what: &str) -> Reached<Option<Channel<Msg>>> {
    let refused = |error| ended("channel", error);
    match what {
        "forwarding" => {
            let opened = session.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 22).await;
            return opened.map(|_| None).map_err(refused);
        }
        "listening" => {
            return session.tcpip_forward("127.0.0.1", 0).await.map(|_| None).map_err(refused);
        }
        _ => {}
    }
    let mut channel = session.channel_open_session().await.map_err(refused)?;
    let asked = match what {
        "shell" => channel.request_shell(true).await,
        "command" => channel.exec(true, "true").await,
        "terminal" => channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await,
        "agent" => channel.agent_forward(true).await,
        "another-subsystem" => channel.request_subsystem(true, "netconf").await,
        _ => channel.request_subsystem(true, "sftp").await,
    };
    asked.map_err(refused)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(_) | None => return Err(Upshot::refused(None, "refused at channel")),
        }
    }
    match what {
        "sftp" => Ok(Some(channel)),
        "second" => session.channel_open_session().await.map(|_| None).map_err(refused),
        _ => Ok(None),
    }
}

fn ended(at: &str, error: russh::Error) -> Upshot {
    let why = match error {
        russh::Error::NoCommonAlgo { kind, .. } => format!("no common {kind:?}"),
        other => other.to_string(),
    };
    Upshot::refused(None, format!("refused at {at}: {why}"))
}

fn private_key(which: &str, server: &SftpServer) -> Result<PrivateKey, Error> {
    if which == "another" {
        let curve = Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 };
        return PrivateKey::random(&mut russh::keys::key::safe_rng(), curve).map_err(Error::recipe);
    }
    let path = &server.client_key;
    let pem = std::fs::read(path).map_err(Error::file(path))?;
    PrivateKey::from_openssh(pem).map_err(|error| Error::content(path, error))
}

/// The host key that `dev.json` names, and no other.
struct Host {
    key: PublicKey,
    /// Strict key exchange was agreed on.
    is_strict: Arc<AtomicBool>,
}

impl Handler for Host {
    type Error = russh::Error;

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.is_strict.store(names.strict_kex(), Ordering::Relaxed);
        Ok(())
    }

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(
            matches!(shown, PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == self.key.key_data()),
        )
    }
}

const PATIENCE: Duration = Duration::from_secs(20);
