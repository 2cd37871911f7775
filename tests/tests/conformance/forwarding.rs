//! A real HTTP server behind the gateway (nginx), and backing services that misbehave as no real one would.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::Environment;
use irgw_m2m::identity::{Jwks, verify};
use irgw_tests::{Dev, Local, Process, free_port};
use libtest_mimic::{Completion, Trial};

use crate::backing::{Backing, OK, Reply};
use crate::environments::{Environments, ensure, eventually, installed, program, ran, text};
pub(crate) use crate::tools::ask;
use crate::tools::{field, provider, record_of, token};
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
        trial("reasons_can_be_withheld", &["curl"], reasons_can_be_withheld),
        trial("broken_answers_become_502", &["curl"], broken_answers_become_502),
        trial("absent_service_is_502", &["curl"], absent_service_is_502),
        trial("no_secret_is_written_anywhere", &["curl"], no_secret_is_written_anywhere),
        trial("stop_lets_requests_end_and_restart_keeps_identities", &["curl", "kill"], stop_and_restart),
    ]
}

/// A gateway whose backing service is at `url`, with these limits.
pub(crate) fn gateway(local: &Local, name: &str, url: &str, limits: &str) -> Result<(Dev, Process)> {
    let overlay = format!("[upstream.sample]\nurl = \"{url}\"\n[limits]\n{limits}");
    Ok(local.serve(name, overlay.parse()?)?)
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
    let (dev, _gateway) = gateway(local, "behind-nginx", &format!("http://127.0.0.1:{port}"), "")?;
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
pub(crate) fn jwks(dev: &Dev) -> Result<Jwks> {
    let operator = dev.listeners.operator.as_ref().ok_or("no operator's listener")?;
    let keys = ran(Command::new("curl")
        .args(["--silent", "--fail"])
        .arg(format!("{}/identity/jwks.json", operator.base_url)))?;
    Ok(Jwks::from_json(&keys.out)?)
}

/// D16: a filing that the backing service may have seen is never sent again.
fn dying_service_sees_a_request_once(local: &Local) -> Result {
    let backing = Backing::start(|_| Reply::Last(Vec::new()))?;
    let (dev, _gateway) = gateway(local, "dying-service", &backing.url, "")?;
    let token = token(provider(&dev, 0)?)?;
    for (number, method) in ["POST", "GET", "PUT"].iter().enumerate() {
        let (status, answer) = ask(&dev, "/gateway/account/1", &token, &["-X", method])?;
        ensure(status == "502", || format!("{method}: {answer}"))?;
        ensure(backing.seen().len() == number + 1, || {
            format!("{method}: sent {} times", backing.seen().len() - number)
        })?;
        ensure(!answer.contains("127.0.0.1"), || format!("the answer names the inside: {answer}"))?;
    }
    let seen = backing.seen();
    ensure(seen.iter().all(|seen| seen.text.contains(" /gateway/account/1 HTTP/1.1\r\n")), || {
        format!("{seen:?}")
    })?;
    Ok(Completion::Completed)
}

/// D15: what tells of the inside stays inside.
fn inside_is_not_told(local: &Local) -> Result {
    let backing = Backing::start(|_| {
        Reply::Last(b"HTTP/1.1 302 Found\r\nServer: secret/1.0\r\nX-Powered-By: secret\r\nSet-Cookie: a=secret\r\nVia: 1.1 secret\r\n\
          Location: http://secret.internal:9000/x\r\nX-Gateway-Reason: TLS-1\r\nX-Request-Id: secret\r\n\
          Connection: X-Secret\r\nX-Secret: secret\r\nKeep-Alive: timeout=secret\r\nContent-Length: 2\r\n\r\nok".to_vec())
    })?;
    let (dev, _gateway) = gateway(local, "telling-service", &backing.url, "")?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "302" && !answer.contains("secret"), || answer.clone())?;
    ensure(field(&answer, "x-gateway-reason").is_none(), || answer.clone())?;
    Ok(Completion::Completed)
}

/// ERR-1: the header with the rule is on by default, and can be switched off.
fn reasons_can_be_withheld(local: &Local) -> Result {
    let (dev, _gateway) = local.serve("reasonless", "[errors]\nreason_header = false\n".parse()?)?;
    for (dev, reason) in [(local.dev(), Some("M2M-1")), (&dev, None)] {
        let (status, answer) = ask(dev, "/gateway/account/1", "garbage", &[])?;
        ensure(status == "400" && field(&answer, "x-gateway-reason").as_deref() == reason, || {
            answer.clone()
        })?;
    }
    Ok(Completion::Completed)
}

/// D15: an answer that cannot be read in one way is none.
fn broken_answers_become_502(local: &Local) -> Result {
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(1000)).into_bytes();
    let backing = Backing::start(move |seen| {
        Reply::Last(match seen.name() {
            "garbage" => b"garbage\r\n\r\n".to_vec(),
            "two-lengths" => b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "nul" => b"HTTP/1.1 200 OK\r\nX-A: b\0c\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "no-status" => b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "switching" => {
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_vec()
            }
            "huge-head" => [b"HTTP/1.1 200 OK\r\nX-A: ".as_slice(), &[b'a'; 2_000_000], b"\r\n\r\n"].concat(),
            "many-fields" => many_fields.clone(),
            _ => OK.to_vec(),
        })
    })?;
    let (dev, _gateway) = gateway(local, "broken-service", &backing.url, "")?;
    let token = token(provider(&dev, 0)?)?;
    for name in ["garbage", "two-lengths", "nul", "no-status", "switching", "huge-head", "many-fields"] {
        let (status, answer) = ask(&dev, &format!("/gateway/account/{name}"), &token, &[])?;
        ensure(status == "502", || {
            format!("{name}: {status} {}", answer.chars().take(300).collect::<String>())
        })?;
    }
    let (status, _) = ask(&dev, "/gateway/account/good", &token, &[])?;
    ensure(status == "200", || format!("after the broken answers a good one is {status}"))?;
    Ok(Completion::Completed)
}

/// Nobody listens on port 1 of the loopback.
fn absent_service_is_502(local: &Local) -> Result {
    let (dev, _gateway) = gateway(local, "absent-service", "http://127.0.0.1:1", "")?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "502" && !answer.contains("127.0.0.1"), || answer.clone())?;
    Ok(Completion::Completed)
}

/// G01: a token that was accepted and one that was refused are in no log, no audit record and no database.
fn no_secret_is_written_anywhere(local: &Local) -> Result {
    let dev = local.dev();
    let good = token(provider(dev, 0)?)?;
    let (bad, bearer) = (format!("{good}AA"), format!("Bearer {good}"));
    for (token, expected) in
        [(good.as_str(), "200"), (&bad, "400"), (&bearer, "400"), ("canary-in-a-strange-field", "400")]
    {
        let more = ["--http1.1", "-H", "X-Canary: canary-in-a-field", "--data-binary", "canary-in-a-body"];
        let (status, answer) = ask(dev, "/gateway/account/canary", token, &more)?;
        ensure(status == expected, || format!("{token}: {status} {answer}"))?;
        record_of(dev, &answer)?;
    }
    let signature = good.rsplit('.').next().unwrap_or_default();
    let files = written(local.folder())?;
    ensure(files.len() >= 3, || format!("a log, an audit log and a store are written: {files:?}"))?;
    for file in files {
        let bytes = std::fs::read(&file)?;
        for canary in [signature, "canary-in-a-strange-field", "canary-in-a-field", "canary-in-a-body"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            ensure(!found, || format!("{} holds {canary}", file.display()))?;
        }
    }
    Ok(Completion::Completed)
}

/// What the environment's gateways write while they run: logs, records and the store.
fn written(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let written = |path: &std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.ends_with(".log") || name.contains("audit") || name.contains(".sqlite")
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
    let verified = crate::environments::irgw(&["audit", "verify", "--dir", text(&folder)])?;
    ensure(verified.code == Some(0), || format!("irgw audit verify: {}{}", verified.out, verified.err))?;
    Ok(Completion::Completed)
}

/// SIGTERM, and a clean end.
fn stop(process: &mut Process) -> Result<()> {
    ran(Command::new("kill").args(["-TERM", &process.id().to_string()]))?;
    let ended = process.ended(Duration::from_secs(30)).ok_or("it does not stop")?;
    ensure(ended.success(), || format!("it ended with {ended}"))
}
