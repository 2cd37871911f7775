//! A real HTTP server behind the gateway (nginx), and backing services that misbehave as no real one would.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use irgw_core::Environment;
use irgw_m2m::identity::{Jwks, verify};
use irgw_tests::{Dev, Local, Process, free_port};
use libtest_mimic::{Completion, Trial};

use crate::curl::{provider, token};
use crate::environments::{Environments, ensure, eventually, installed, program, ran, text};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, needs: &'static [&'static str], body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("forwarding::{name}"), move || {
            if let Some(absent) = needs.iter().find(|needed| installed(needed).is_none()) {
                return Ok(skipped(&format!("{absent} is not installed")));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial(
            "nginx_sees_the_request_as_it_was_sent",
            &["nginx", "curl"],
            nginx_sees_the_request_as_it_was_sent,
        ),
        trial("dying_service_sees_a_request_once", &["curl"], dying_service_sees_a_request_once),
        trial("inside_is_not_told", &["curl"], inside_is_not_told),
        trial("broken_answers_become_502", &["curl"], broken_answers_become_502),
        trial("absent_service_is_502", &["curl"], absent_service_is_502),
        trial("no_secret_is_written_anywhere", &["curl"], no_secret_is_written_anywhere),
        trial("stop_lets_requests_end_and_restart_keeps_identities", &["curl", "kill"], stop_and_restart),
    ]
}

/// A gateway whose backing service is at `url`.
fn gateway(local: &Local, name: &str, url: &str) -> Result<(Dev, Process)> {
    let overlay = format!("[upstream.sample]\nurl = \"{url}\"\n[limits]\nanswer_seconds = 5\n");
    Ok(local.serve(name, overlay.parse()?)?)
}

/// curl's arguments for a request as `providers[0]`, and the answer with its head.
pub(crate) fn ask(dev: &Dev, path: &str, token: &str, more: &[&str]) -> Result<(String, String)> {
    let first = provider(dev, 0)?;
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--path-as-is", "--max-time", "20", "--dump-header", "-"]);
    command.args(["--cacert", text(&dev.listeners.cloud.ca_file)]);
    command.args(["--cert", text(&first.certificate), "--key", text(&first.key)]);
    command.args(["-H", &format!("Authorization: {token}")]).args(more);
    let ran = ran(command.arg(format!("{}{path}", dev.listeners.cloud.base_url)))?;
    let status = ran.out.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or("none").to_owned();
    Ok((status, ran.out))
}

fn field(answer: &str, name: &str) -> Option<String> {
    let line = |line: &str| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    answer.lines().take_while(|line| !line.trim().is_empty()).find_map(line)
}

/// nginx with one log line a request: the raw request line, then fields, separated by tabs.
fn nginx(folder: &Path) -> Result<(Process, u16)> {
    let port = free_port()?;
    std::fs::create_dir_all(folder)?;
    let config = folder.join("nginx.conf");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
        .concat();
    let log = "'$request\\t$http_authorization\\t$http_x_request_id\\t$http_x_gateway_identity\\t$http_host\\t$http_x_forwarded_for\\t$http_accept\\t$request_body'";
    let text_of = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\nevents {{}}\nhttp {{\n{temporary}\
         log_format raw escape=none {log};\naccess_log {0}/access.log raw;\n\
         server {{\nlisten 127.0.0.1:{port};\nlocation / {{ proxy_pass http://127.0.0.1:{port}/echo/; }}\n\
         location /echo/ {{ access_log off; return 200 'nginx\\n'; }}\n}}\n}}\n",
        folder.display()
    );
    std::fs::write(&config, text_of)?;
    let binary = installed("nginx").ok_or("nginx is not installed")?;
    let printed = folder.join("nginx.out");
    let mut command = Command::new(binary);
    command.arg("-p").arg(folder).arg("-e").arg(folder.join("error.log")).arg("-c").arg(&config);
    let mut process = Process::spawn(&mut command, &printed)?;
    process.wait_for(&folder.join("error.log"), || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok((process, port))
}

fn nginx_sees_the_request_as_it_was_sent(local: &Local) -> Result {
    let folder = local.folder().join("nginx");
    let (_nginx, port) = nginx(&folder)?;
    let (dev, _gateway) = gateway(local, "behind-nginx", &format!("http://127.0.0.1:{port}"))?;
    let token = token(provider(&dev, 0)?)?;
    let keys = jwks(&dev)?;
    for (sent, seen) in [
        ("/gateway/account/1", "/gateway/account/1"),
        ("/Gateway/ACCOUNT/Some/Path", "/gateway/account/Some/Path"),
        ("/gateway/account/a%20b?x=%2F..%2F&y=//", "/gateway/account/a%20b?x=%2F..%2F&y=//"),
        ("/gateway/%61ccount/m%c4%81ori", "/gateway/account/m%C4%81ori"),
    ] {
        let more = [
            "-H",
            "X-Forwarded-For: 192.0.2.7",
            "-H",
            "Accept: text/plain",
            "--data-binary",
            "body of the request",
        ];
        let (status, answer) = ask(&dev, sent, &token, &more)?;
        ensure(status == "200" && answer.ends_with("nginx\n"), || format!("{sent}: {answer}"))?;
        ensure(field(&answer, "server").is_none(), || format!("{sent}: nginx is told of: {answer}"))?;
        let log = eventually(
            Duration::from_secs(5),
            || Ok(std::fs::read_to_string(folder.join("access.log"))?),
            |log| log.contains(&format!("POST {seen} HTTP/1.1")),
        )?;
        let line = log.lines().last().unwrap_or_default().to_owned();
        let fields: Vec<&str> = line.split('\t').collect();
        let [request, authorization, id, identity, host, forwarded_for, accept, body] = fields.as_slice()
        else {
            return Err(format!("nginx logged {line:?}").into());
        };
        ensure(*request == format!("POST {seen} HTTP/1.1"), || format!("nginx saw {request:?}"))?;
        ensure(*authorization == token, || "nginx saw another Authorization".into())?;
        ensure(Some(*id) == field(&answer, "x-request-id").as_deref(), || {
            format!("nginx saw the request id {id:?}")
        })?;
        ensure(*host == format!("127.0.0.1:{port}"), || format!("nginx saw the Host {host:?}"))?;
        ensure(forwarded_for.is_empty(), || format!("nginx saw X-Forwarded-For {forwarded_for:?}"))?;
        ensure((*accept, *body) == ("text/plain", "body of the request"), || {
            format!("nginx saw {accept:?}, {body:?}")
        })?;
        // M2M-11: an internal service needs the M2M crate and the public keys, and nothing else of the gateway.
        let now = irgw_core::UnixTime::now();
        let known = verify(identity, &keys, "account", now)?;
        ensure(known.provider.is_some() && known.owner.is_some(), || "the identity names nobody".into())?;
        ensure(verify(identity, &keys, "bill", now).is_err(), || {
            "the identity is good for another service".into()
        })?;
    }
    let (status, _) = ask(&dev, "/gateway/%2e%2e/account/1", &token, &[])?;
    let log = std::fs::read_to_string(folder.join("access.log"))?;
    ensure(status == "400" && log.lines().count() == 4, || {
        format!("{status}; nginx saw {}", log.lines().count())
    })?;
    Ok(Completion::Completed)
}

/// The gateway's public identity keys, from where dev.json says.
fn jwks(dev: &Dev) -> Result<Jwks> {
    let operator = dev.listeners.operator.as_ref().ok_or("no operator's listener")?;
    let keys = ran(Command::new("curl")
        .args(["--silent", "--fail"])
        .arg(format!("{}/identity/jwks.json", operator.base_url)))?;
    Ok(Jwks::from_json(&keys.out)?)
}

/// A backing service of a few lines: it reads each request's head and writes what `answer` says to it, or nothing.
struct Backing {
    url: String,
    seen: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Backing {
    fn start(answer: fn(&str) -> Vec<u8>) -> Result<Backing> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (seen, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, kept) = (seen.clone(), heads.clone());
        // Ends with the process; a blocked accept has nobody to wake it.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, kept) = (count.clone(), kept.clone());
                std::thread::spawn(move || serve(stream, answer, &count, &kept));
            }
        });
        Ok(Backing { url, seen, heads })
    }

    fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answer: fn(&str) -> Vec<u8>, count: &AtomicUsize, kept: &Mutex<Vec<String>>) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8_lossy(&bytes).into_owned();
        count.fetch_add(1, Ordering::SeqCst);
        let written = stream.write_all(&answer(&head));
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        if written.is_err() {
            return;
        }
        // One answer a connection: what the gateway does next must not depend on a second.
        return;
    }
}

/// D16: a filing that the backing service may have seen is never sent again.
fn dying_service_sees_a_request_once(local: &Local) -> Result {
    let backing = Backing::start(|_| Vec::new())?;
    let (dev, _gateway) = gateway(local, "dying-service", &backing.url)?;
    let token = token(provider(&dev, 0)?)?;
    for (number, method) in ["POST", "GET", "PUT"].iter().enumerate() {
        let (status, answer) = ask(&dev, "/gateway/account/1", &token, &["-X", method])?;
        ensure(status == "502", || format!("{method}: {answer}"))?;
        ensure(backing.requests() == number + 1, || {
            format!("{method}: sent {} times", backing.requests() - number)
        })?;
        ensure(!answer.contains("127.0.0.1"), || format!("the answer names the inside: {answer}"))?;
    }
    let heads = backing.heads.lock().unwrap_or_else(PoisonError::into_inner);
    ensure(heads.iter().all(|head| head.contains(" /gateway/account/1 HTTP/1.1\r\n")), || {
        format!("{heads:?}")
    })?;
    Ok(Completion::Completed)
}

/// D15: what tells of the inside stays inside.
fn inside_is_not_told(local: &Local) -> Result {
    let backing = Backing::start(|_| {
        b"HTTP/1.1 302 Found\r\nServer: secret/1.0\r\nX-Powered-By: secret\r\nSet-Cookie: a=secret\r\nVia: 1.1 secret\r\n\
          Location: http://secret.internal:9000/x\r\nX-Gateway-Reason: TLS-1\r\nX-Request-Id: secret\r\n\
          Connection: X-Secret\r\nX-Secret: secret\r\nKeep-Alive: timeout=secret\r\nContent-Length: 2\r\n\r\nok"
            .to_vec()
    })?;
    let (dev, _gateway) = gateway(local, "telling-service", &backing.url)?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "302" && !answer.contains("secret"), || answer.clone())?;
    ensure(field(&answer, "x-gateway-reason").is_none(), || answer.clone())?;
    Ok(Completion::Completed)
}

/// D15: an answer that cannot be read in one way is none.
fn broken_answers_become_502(local: &Local) -> Result {
    let backing = Backing::start(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "garbage" => b"garbage\r\n\r\n".to_vec(),
            "two-lengths" => b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "nul" => b"HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "no-status" => b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "switching" => {
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_vec()
            }
            "huge-head" => [b"HTTP/1.1 200 OK\r\nX-A: ".as_slice(), &[b'a'; 2_000_000], b"\r\n\r\n"].concat(),
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        }
    })?;
    let (dev, _gateway) = gateway(local, "broken-service", &backing.url)?;
    let token = token(provider(&dev, 0)?)?;
    for name in ["garbage", "two-lengths", "nul", "no-status", "switching", "huge-head"] {
        let (status, answer) = ask(&dev, &format!("/gateway/account/{name}"), &token, &[])?;
        ensure(status == "502", || {
            format!("{name}: {status} {}", answer.chars().take(300).collect::<String>())
        })?;
    }
    let (status, _) = ask(&dev, "/gateway/account/good", &token, &[])?;
    ensure(status == "200", || format!("after the broken answers a good one is {status}"))?;
    Ok(Completion::Completed)
}

fn absent_service_is_502(local: &Local) -> Result {
    let (dev, _gateway) = gateway(local, "absent-service", &format!("http://127.0.0.1:{}", free_port()?))?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "502" && !answer.contains("127.0.0.1"), || answer.clone())?;
    Ok(Completion::Completed)
}

/// G01: a token that was accepted and one that was refused are in no log, no audit record and no database.
fn no_secret_is_written_anywhere(local: &Local) -> Result {
    let dev = local.dev();
    let good = token(provider(dev, 0)?)?;
    let bad = format!("{good}AA");
    for token in [&good, &bad, &format!("Bearer {good}"), &"canary-in-a-strange-field".to_owned()] {
        let more = ["-H", "X-Canary: canary-in-a-field", "--data-binary", "canary-in-a-body"];
        ask(dev, "/gateway/account/canary", token, &more)?;
    }
    // The record of the last request is in the audit log, so that those before it are too.
    eventually(
        Duration::from_secs(5),
        || Ok(std::fs::read_to_string(&dev.audit_log)?),
        |log| log.lines().any(|line| line.contains("\"decision\"")),
    )?;
    let signature = good.rsplit('.').next().unwrap_or_default();
    for file in files(local.folder())? {
        let bytes = std::fs::read(&file)?;
        for canary in [signature, "canary-in-a-strange-field", "canary-in-a-field", "canary-in-a-body"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            ensure(!found, || format!("{} holds {canary}", file.display()))?;
        }
    }
    Ok(Completion::Completed)
}

/// What a gateway writes while it runs: logs, records and the store.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let written = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        ["dev.log", "audit.jsonl"].contains(&name.as_str()) || name.contains(".sqlite")
    };
    Ok(std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).filter(written).collect())
}

fn stop_and_restart(local: &Local) -> Result {
    let folder = local.folder().join("restarted");
    let start = |log: &str| -> Result<(Process, Dev)> {
        let log = local.folder().join(log);
        let arguments = ["dev", "--ports", "auto", "--dir", text(&folder)];
        let mut process = Process::spawn(program()?.command().args(arguments), &log)?;
        let identity = folder.join("dev.json");
        process.wait_for(&log, || identity.exists())?;
        Ok((process, Dev::read(&identity)?))
    };
    let (mut first, before) = start("first.log")?;
    stop(&mut first)?;
    ensure(!folder.join("dev.json").exists(), || "dev.json stays behind".into())?;
    let (mut second, after) = start("second.log")?;
    let known = |dev: &Dev| -> Vec<String> {
        let signing = dev.providers.iter().flat_map(|provider| &provider.signing);
        let names = dev.providers.iter().map(|provider| provider.common_name.clone());
        signing.map(|signing| signing.thumbprint.clone()).chain(names).collect()
    };
    ensure(known(&before) == known(&after) && !known(&after).is_empty(), || {
        "the identities are others".into()
    })?;
    let (status, answer) = ask(&after, "/gateway/account/1", &token(provider(&before, 0)?)?, &[])?;
    ensure(status == "200", || answer.clone())?;
    stop(&mut second)?;
    let verified = crate::environments::irgw(&["audit", "verify", text(&after.audit_log)])?;
    ensure(verified.code == Some(0), || format!("irgw audit verify: {}{}", verified.out, verified.err))?;
    Ok(Completion::Completed)
}

/// SIGTERM, and a clean end.
fn stop(process: &mut Process) -> Result<()> {
    ran(Command::new("kill").args(["-TERM", &process.id().to_string()]))?;
    let ended = process.ended(Duration::from_secs(30)).ok_or("it does not stop")?;
    ensure(ended.success(), || format!("it ended with {ended}"))
}
