//! A browser without JavaScript: it asks, keeps one cookie, and finds a page's forms.

use crate::answer::Answer;
use crate::case::{Given, Request};
use crate::dev::Customer;
use crate::exchange::Endpoint;
use crate::template::{Values, encoded};
use crate::{Error, Target, told};

/// A browser of one customer's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    /// `NAME=VALUE`.
    pub(crate) cookie: Option<String>,
}

/// A form of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where it is posted to.
    pub(crate) action: String,
    /// Its fields, in their order.
    pub(crate) fields: Vec<(String, String)>,
}

impl Browser {
    /// Follows a link.
    pub(crate) fn get(&mut self, endpoint: &Endpoint, path: &str) -> Result<Answer, Error> {
        self.ask(endpoint, Request { path: path.to_owned(), ..Request::default() })
    }

    /// Posts a form, in which some fields are filled in.
    pub(crate) fn post(
        &mut self,
        endpoint: &Endpoint,
        form: &Form,
        filled: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let value = |name: &String, value: &String| {
            let filled = filled.iter().find(|(known, _)| known == name);
            encoded(filled.map_or(value.as_str(), |(_, value)| value))
        };
        let body: Vec<_> =
            form.fields.iter().map(|(name, known)| format!("{name}={}", value(name, known))).collect();
        self.ask(
            endpoint,
            Request { path: form.action.clone(), form: Some(body.join("&")), ..Request::default() },
        )
    }

    fn ask(&mut self, endpoint: &Endpoint, mut request: Request) -> Result<Answer, Error> {
        request.headers.extend(self.cookie.as_ref().map(|cookie| format!("Cookie: {cookie}")));
        let answer = ask(endpoint, request)?;
        if let Some(cookie) = told::cookie(&answer) {
            self.cookie = Some(cookie);
        }
        Ok(answer)
    }
}

/// A customer without a one-time password follows the address of an authorization request, logs in and allows it: where the
/// browser is sent to, code and state in it.
///
/// # Errors
/// When the pages do not lead there.
pub fn authorise(target: &Target, address: &str, customer: &Customer) -> Result<String, Error> {
    let place = target.place(None)?;
    let at = address.find("/gateway3/").unwrap_or(0);
    let mut browser = Browser::default();
    let mut answer = browser.get(place.desktop(), address.get(at..).unwrap_or_default())?;
    let credentials = [("user_id", customer.user_id.as_str()), ("password", &customer.password)];
    for filled in [credentials.as_slice(), &[]] {
        if answer.header("location").is_none() {
            let forms = forms(&answer.text());
            let form = forms.first().ok_or_else(|| Error::Target(format!("no form: {}", answer.text())))?;
            answer = browser.post(place.desktop(), form, filled)?;
        }
    }
    let location = answer.header("location").map(str::to_owned);
    location.ok_or_else(|| Error::Target(format!("the pages do not end: {}", answer.text())))
}

/// Sends a request and waits for its answer.
pub(crate) fn ask(endpoint: &Endpoint, request: Request) -> Result<Answer, Error> {
    let mut values = Values::default();
    values.set("authority", &endpoint.authority);
    values.set("case", "prelude");
    let given = Given { request, ..Given::default() };
    let came = endpoint.exchange(&given, None, None, &values)?;
    came.answers.into_iter().next().ok_or_else(|| Error::Target("there was no answer".into()))
}

/// The forms of a page, as the server writes them.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let after = page.split("<form").skip(1);
    let one = |text: &str| {
        let (tag, inner) = text.split_once('>')?;
        let inner = inner.split("</form>").next()?;
        let inputs = inner.split("<input").skip(1).filter_map(|input| input.split_once('>'));
        let field = |(tag, _): (&str, &str)| {
            Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
        };
        Some(Form { action: attribute(tag, "action")?, fields: inputs.filter_map(field).collect() })
    };
    after.filter_map(one).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    let value = after.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_found_with_their_fields() {
        let page = r#"<p>a</p><form method="post" action="/a?b&amp;c"><input type="hidden" name="t" value="1">
            <input id="u" name="u" required><button type="submit">x</button></form><form action="/d"></form>"#;
        let fields = vec![("t".into(), "1".into()), ("u".into(), String::new())];
        let first = Form { action: "/a?b&c".into(), fields };
        assert_eq!(forms(page), [first, Form { action: "/d".into(), fields: Vec::new() }]);
    }
}
