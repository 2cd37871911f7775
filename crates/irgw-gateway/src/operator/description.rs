//! The OpenAPI 3.1 document at `/openapi.json`: the operator's listener, and the authorization server where one is served.

use serde_json::{Map, Value};

/// The document: the listener's own, joined with the authorization server's description.
pub(super) fn document(oauth: Option<&str>) -> String {
    let mut document = read(OWN);
    if let Some(oauth) = oauth {
        let mut oauth = read(oauth);
        oauth.retain(|part, _| ["paths", "tags", "components"].contains(&part.as_str()));
        join(&mut document, oauth);
    }
    Value::Object(document).to_string()
}

/// Adds what `more` has to what is there. No name is on both sides with two meanings.
fn join(there: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, more) in more {
        match (there.get_mut(&name), more) {
            (Some(Value::Object(there)), Value::Object(more)) => join(there, more),
            (Some(Value::Array(there)), Value::Array(more)) => there.extend(more),
            (_, more) => {
                there.insert(name, more);
            }
        }
    }
}

fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).expect("the description is a json object")
}

const OWN: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_descriptions_are_whole_in_the_document() {
        let oauth = r#"{"openapi":"3.1.0","tags":[{"name":"oauth"}],"paths":{"/token":{"post":{}}},
            "components":{"schemas":{"Tokens":{}},"responses":{"Bad":{}}}}"#;
        let document = Value::Object(read(&document(Some(oauth))));
        for pointer in ["/paths/~1healthz/get", "/paths/~1token/post", "/components/schemas/IdentityKeys"] {
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let kinds = document["components"].as_object().unwrap();
        assert_eq!(kinds["responses"].as_object().unwrap().len(), 2);
        assert_eq!(document["tags"].as_array().unwrap().len(), 2);
        assert_eq!(document["servers"][0]["url"], "/");
    }

    #[test]
    fn every_path_of_the_table_is_described_and_no_other() {
        let document = read(&document(None));
        let described: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        let mut served = super::super::PATHS;
        served.sort_unstable();
        assert_eq!(described, served);
    }
}
