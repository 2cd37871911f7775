//! What is asked of an authorization server, and what is taken out of its answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::client::Target;
use super::super::load::Dialogue;
use super::seed::{CLIENT, REDIRECT_URI, SECRET};
use crate::Error;

/// An authorization server's endpoints, as one client asks them.
#[derive(Debug, Clone)]
pub(super) struct Place {
    head: Arc<str>,
    token: &'static str,
    introspection: &'static str,
}

impl Place {
    /// The gateway's.
    pub(super) fn of_gateway(address: SocketAddr) -> Place {
        Place::new(address, ["/gateway3/oauth/token", "/gateway3/oauth/introspect"])
    }

    /// At these paths: of the token endpoint and of the introspection endpoint.
    pub(super) fn new(address: SocketAddr, [token, introspection]: [&'static str; 2]) -> Place {
        let credentials = STANDARD.encode(format!("{CLIENT}:{SECRET}"));
        let head = format!(
            "Host: localhost:{}\r\nAuthorization: Basic {credentials}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
            address.port()
        );
        Place { head: head.into(), token, introspection }
    }

    fn post(&self, path: &str, body: &str) -> Vec<u8> {
        let (head, length) = (&self.head, body.len());
        format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn redeem(&self, code: &str) -> Vec<u8> {
        // The redirect URI's reserved characters are allowed in a form's value (URL Standard §5.1).
        self.post(
            self.token,
            &format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}"),
        )
    }

    fn refresh(&self, token: &str) -> Vec<u8> {
        self.post(self.token, &format!("grant_type=refresh_token&refresh_token={token}"))
    }

    /// The request that introspects a token.
    pub(super) fn introspect(&self, token: &str) -> Vec<u8> {
        self.post(self.introspection, &format!("token={token}"))
    }
}

/// Redeems codes; the connections that share them take each code once.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    at: Place,
    left: Arc<Mutex<Vec<String>>>,
}

impl Codes {
    pub(super) fn new(at: &Place, codes: Vec<String>) -> Codes {
        Codes { at: at.clone(), left: Arc::new(Mutex::new(codes)) }
    }
}

impl Dialogue for Codes {
    fn request(&mut self) -> Option<Vec<u8>> {
        let code = self.left.lock().unwrap_or_else(PoisonError::into_inner).pop();
        code.map(|code| self.at.redeem(&code))
    }

    fn answered(&mut self, body: &str) -> Result<(), Error> {
        member(body, "refresh_token").map(drop)
    }
}

/// Exchanges a refresh token for the next, again and again.
#[derive(Debug)]
pub(super) struct Refresh {
    at: Place,
    token: String,
    access_token: String,
}

impl Refresh {
    /// One for each token.
    pub(super) fn all(at: &Place, tokens: Vec<String>) -> Vec<Refresh> {
        let one = |token| Refresh { at: at.clone(), token, access_token: String::new() };
        tokens.into_iter().map(one).collect()
    }

    /// The access token that came with the last one.
    pub(super) fn access_token(&self) -> &str {
        &self.access_token
    }
}

impl Dialogue for Refresh {
    fn request(&mut self) -> Option<Vec<u8>> {
        Some(self.at.refresh(&self.token))
    }

    fn answered(&mut self, body: &str) -> Result<(), Error> {
        self.token = member(body, "refresh_token")?.to_owned();
        self.access_token = member(body, "access_token")?.to_owned();
        Ok(())
    }
}

/// Asks the same things again and again, each connection beginning at another one; every answer must hold a text.
#[derive(Debug)]
pub(super) struct Bodies {
    requests: Arc<[Vec<u8>]>,
    next: usize,
    expected: &'static str,
}

impl Bodies {
    /// So many dialogues.
    pub(super) fn all(requests: Vec<Vec<u8>>, count: usize, expected: &'static str) -> Vec<Bodies> {
        let requests: Arc<[Vec<u8>]> = requests.into();
        (0..count).map(|index| Bodies { requests: requests.clone(), next: index * 97, expected }).collect()
    }
}

impl Dialogue for Bodies {
    fn request(&mut self) -> Option<Vec<u8>> {
        let index = self.next.checked_rem(self.requests.len())?;
        self.next = self.next.wrapping_add(1);
        self.requests.get(index).cloned()
    }

    fn answered(&mut self, body: &str) -> Result<(), Error> {
        if body.contains(self.expected) { Ok(()) } else { Err(unexpected(body)) }
    }
}

/// Goes once through all dialogues over one connection.
pub(super) fn once(target: &Target, dialogues: &mut [impl Dialogue]) -> Result<(), Error> {
    let mut connection = target.connect()?;
    for dialogue in dialogues {
        if let Some(request) = dialogue.request() {
            connection.ask(&request)?;
            connection.receive()?;
            dialogue.answered(connection.body())?;
        }
    }
    Ok(())
}

/// A text member of a flat JSON object whose texts have no escapes, as tokens have none: parsing it all would be the
/// generator's work, which shares the servers' cores.
fn member<'a>(body: &'a str, name: &str) -> Result<&'a str, Error> {
    let quoted = format!("\"{name}\":\"");
    let rest = body.split_once(&quoted).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value).ok_or_else(|| unexpected(body))
}

fn unexpected(body: &str) -> Error {
    Error::Server { server: "the authorization server", complaint: format!("answered: {body}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found() {
        let body = r#"{"access_token":"a.b.c","expires_in":1,"refresh_token":"d"}"#;
        assert_eq!(member(body, "access_token").unwrap(), "a.b.c");
        assert_eq!(member(body, "refresh_token").unwrap(), "d");
        assert!(member(r#"{"error":"invalid_grant"}"#, "access_token").is_err());
    }

    #[test]
    fn each_code_is_asked_for_once() {
        let at = Place::of_gateway(([127, 0, 0, 1], 443).into());
        let mut one = Codes::new(&at, vec!["a".into(), "b".into()]);
        let mut two = one.clone();
        assert!(String::from_utf8(one.request().unwrap()).unwrap().contains("&code=b&"));
        assert!(String::from_utf8(two.request().unwrap()).unwrap().contains("&code=a&"));
        assert_eq!(one.request(), None);
    }
}
