//! The OpenAPI 3.1 description of what applications ask the authorization server; `openapi.json` is its text.

use serde_json::{Map, Value, json};

use crate::AuthorizationServer;
use crate::server::WELL_KNOWN;

impl AuthorizationServer {
    /// The description, an OpenAPI 3.1 document in JSON. Its paths are those of this server's issuer, and each names the issuer's
    /// origin as its server, so that they may stand in a document beside others.
    pub fn description(&self) -> String {
        let mut document = written();
        if let Some(Value::Object(paths)) = document.get_mut("paths") {
            *paths = std::mem::take(paths)
                .into_iter()
                .map(|(path, item)| (self.own(&path), at(self.origin(), item)))
                .collect();
        }
        document.to_string()
    }

    /// A path of the text, with the issuer's path instead of the usual one.
    fn own(&self, path: &str) -> String {
        match (path.strip_prefix(USUAL), path.strip_prefix(WELL_KNOWN)) {
            (Some(endpoint), _) => format!("{}{endpoint}", self.path()),
            (None, Some(_)) => format!("{WELL_KNOWN}{}", self.path().trim_end_matches('/')),
            (None, None) => path.to_owned(),
        }
    }
}

fn at(origin: &str, item: Value) -> Value {
    let mut members = Map::from_iter([("servers".to_owned(), json!([{ "url": origin }]))]);
    if let Value::Object(item) = item {
        members.extend(item);
    }
    members.into()
}

fn written() -> Value {
    serde_json::from_str(TEXT).expect("the description is json")
}

const TEXT: &str = include_str!("openapi.json");
/// The issuer's path in the text.
const USUAL: &str = "/gateway3/oauth/";

#[cfg(test)]
mod tests;
