//! A case and what came of it, in a line of a report.

use irgw_core::Rule;

use crate::case::{Case, Given};
use crate::exchange::Came;
use crate::expect::Reason;
use crate::published;

/// What a case tries.
pub(crate) fn tried(case: &Case) -> String {
    let given = &case.text.given;
    if let Some(what) = tried_transfer(given) {
        return what.to_owned();
    }
    if let Some(hello) = &given.hello {
        return format!("ClientHello {} with suites {}", hello.version, hello.suites.join(" "));
    }
    let request = match &given.request {
        request if request.raw.is_some() => "a raw request".to_owned(),
        request if request.h2.is_some() => "an HTTP/2 request".to_owned(),
        request => format!("{} {}", request.method(), request.path.chars().take(80).collect::<String>()),
    };
    let token = match &given.token {
        Some(token) => format!(", {} token", token.alg.as_ref().unwrap_or(&token.signing)),
        None => String::new(),
    };
    let configuration = case.text.configuration.as_ref().map(|name| format!(" [{name}]")).unwrap_or_default();
    format!("{request}{token}{configuration}")
}

fn tried_transfer(given: &Given) -> Option<&'static str> {
    let whats = [
        (given.ssh.is_some(), "a connection to the file server"),
        (given.set.is_some() && given.file_server.is_some(), "a delivery to an enrolled file server"),
        (given.set.is_some(), "a set of files"),
        (given.file_server.is_some(), "an enrolment of a file server"),
        (given.key_folder.is_some(), "a key folder"),
    ];
    whats.into_iter().find(|(is_it, _)| *is_it).map(|(_, what)| what)
}

/// What it expects.
pub(crate) fn expected(case: &Case) -> String {
    let expect = &case.text.expect;
    let mut parts = Vec::new();
    parts.extend(
        expect.outcome.map(|shows| shows.name().to_owned()).filter(|_| case.text.given.is_a_transfer()),
    );
    parts.extend(expect.handshake.map(|end| format!("handshake {end:?}").to_lowercase()));
    parts.extend(expect.status.map(|status| status.to_string()));
    if !expect.any_status.is_empty() {
        parts.push(format!("one of {:?}", expect.any_status));
    }
    parts.extend(expect.code.clone());
    if expect.shows() == Some(crate::Shows::Refused) {
        parts.push(match &expect.reason {
            Some(Reason::Rule(rule)) => rule.to_string(),
            Some(Reason::Any(rules)) => rules.iter().map(Rule::to_string).collect::<Vec<_>>().join("/"),
            None => case.text.rule.to_string(),
        });
    }
    parts.join(" ")
}

/// What came back.
pub(crate) fn came_back(came: &Came) -> String {
    if let Err(why) = &came.handshake {
        return format!("handshake refused: {why}");
    }
    let answers = came.answers.iter().map(|answer| {
        let code = published::code(answer).map(|code| format!(" {code}")).unwrap_or_default();
        let reason = answer.header("x-gateway-reason").map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("{}{code}{reason}", answer.status)
    });
    let answers: Vec<String> = answers.collect();
    match (answers.as_slice(), &came.handshake) {
        ([], Ok(agreed)) => format!("no answer ({})", agreed.what),
        ([first, .., last], _) => format!("{} answers, {first} to {last}", answers.len()),
        ([only], _) => only.clone(),
        ([], Err(_)) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Answer, End};
    use crate::exchange::Agreed;

    #[test]
    fn report_says_status_code_and_rule() {
        let answer = Answer {
            status: 400,
            headers: vec![("x-gateway-reason".into(), "M2M-6".into())],
            body: br#"{"errors":[{"code":"EV1020","type":"security","message":"no"}]}"#.to_vec(),
        };
        let came = Came {
            local: ([127, 0, 0, 1], 1).into(),
            handshake: Ok(Agreed::default()),
            answers: vec![answer],
            end: End::Closed,
        };
        assert_eq!(came_back(&came), "400 EV1020 M2M-6");
    }
}
