//! Carries out what a client and a customer did before, step by step, each of which must go as it should.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::Error;
use crate::answer::Answer;
use crate::browser::{Browser, Form, ask, forms};
use crate::case::Request;
use crate::dev::Customer;
use crate::oauth::{Done, OAuthRecipe, Step};
use crate::target::Place;
use crate::template::Values;
use crate::told::{members, parameters, secrets};

/// The browsers of customers who have logged in, by their number: a password takes its time.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<HashMap<usize, Browser>>);

/// What is under way.
pub(crate) struct Prelude<'a> {
    recipe: &'a OAuthRecipe,
    customer: &'a Customer,
    place: &'a Place,
    values: &'a mut Values,
    /// The case's own browser, and the forms of the page that it shows.
    browser: Browser,
    forms: Vec<Form>,
    /// How many refresh tokens were issued.
    issued: usize,
    /// What no audit record may hold.
    pub(crate) secrets: Vec<String>,
}

impl<'a> Prelude<'a> {
    pub(crate) fn new(
        recipe: &'a OAuthRecipe,
        customer: &'a Customer,
        place: &'a Place,
        values: &'a mut Values,
    ) -> Prelude<'a> {
        Prelude {
            recipe,
            customer,
            place,
            values,
            browser: Browser::default(),
            forms: Vec::new(),
            issued: 0,
            secrets: Vec::new(),
        }
    }

    /// Takes a step.
    pub(crate) fn take(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Posted { post, form, status, by } => {
                let basic = by.as_ref().map_or("${basic}".to_owned(), |by| format!("${{{by}.basic}}"));
                let answer = self.post(post, form, &basic)?;
                went(&format!("{post} {form}"), &answer, answer.status == *status)?;
                self.issued(&answer);
                Ok(())
            }
            Step::Done(Done::Redeem) => {
                let verifier = if self.recipe.challenge { "&code_verifier=${verifier}" } else { "" };
                let good = "grant_type=authorization_code&code=${code}&redirect_uri=${redirect_uri|form}";
                self.post_well("token", &format!("{good}{verifier}"))
            }
            Step::Done(Done::Refresh) => {
                self.post_well("token", "grant_type=refresh_token&refresh_token=${refresh_token}")
            }
            Step::Done(Done::Authorise) => self.authorise(),
            Step::Done(Done::Page) => {
                self.browser = Browser::default();
                self.go(&self.authorization()?)
            }
            Step::Done(Done::Applications) => self.go("/gateway3/oauth/applications"),
            Step::Done(Done::Password) => self.fill_in(0, &self.credentials()),
            Step::Done(Done::WrongPassword) => {
                let [user_id, _] = self.credentials();
                self.fill_in(0, &[user_id, ("password", "another password".into())])
            }
            Step::Done(Done::OneTimeCode) => {
                let password = self.values.text("${totp}")?;
                self.fill_in(0, &[("code", password)])
            }
            Step::Done(Done::Allow) => self.fill_in(0, &[]),
            Step::Done(Done::Withdraw) => {
                let id = self.values.text("${client_id}")?;
                let mine = |form: &Form| form.fields.iter().any(|(_, value)| *value == id);
                // Without a consent there is nothing to withdraw.
                match self.forms.iter().position(mine) {
                    Some(at) => self.fill_in(at, &[]),
                    None => Ok(()),
                }
            }
        }
    }

    fn authorization(&self) -> Result<String, Error> {
        self.values.text("/gateway3/oauth/authorize?${authorise}")
    }

    fn credentials(&self) -> [(&'static str, String); 2] {
        [("user_id", self.customer.user_id.clone()), ("password", self.customer.password.clone())]
    }

    /// In the browser of a customer whose login stands, or begins now.
    fn authorise(&mut self) -> Result<(), Error> {
        let mut logins = self.place.logins.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.browser = logins.get(&self.recipe.customer).cloned().unwrap_or_default();
        self.go(&self.authorization()?)?;
        if self.shows("password") {
            self.fill_in(0, &self.credentials())?;
        }
        if self.shows("code") {
            let password = self.values.text("${totp}")?;
            self.fill_in(0, &[("code", password)])?;
        }
        logins.insert(self.recipe.customer, self.browser.clone());
        drop(logins);
        if self.shows("decision") {
            self.fill_in(0, &[])?;
        }
        if self.values.text("${code}").is_err() {
            return Err(Error::Target("the customer could not authorise the client".into()));
        }
        Ok(())
    }

    /// Whether the page has a form with this field.
    fn shows(&self, field: &str) -> bool {
        self.forms.iter().any(|form| form.fields.iter().any(|(name, _)| name == field))
    }

    fn go(&mut self, path: &str) -> Result<(), Error> {
        let answer = self.browser.get(self.place.desktop(), path)?;
        self.arrive(path, &answer)
    }

    fn fill_in(&mut self, form: usize, filled: &[(&str, String)]) -> Result<(), Error> {
        let form = self.forms.get(form).cloned();
        let form = form.ok_or_else(|| Error::recipe("the page has no such form"))?;
        let filled: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = self.browser.post(self.place.desktop(), &form, &filled)?;
        self.arrive(&form.action, &answer)
    }

    /// A page, or a redirect with a code.
    fn arrive(&mut self, path: &str, answer: &Answer) -> Result<(), Error> {
        went(path, answer, [200, 302, 303].contains(&answer.status))?;
        self.secrets.extend(secrets(std::slice::from_ref(answer)));
        self.forms = forms(&answer.text());
        let hidden = self.forms.iter().flat_map(|form| &form.fields).find(|(name, _)| name == "transaction");
        if let Some((_, transaction)) = hidden {
            self.values.set("transaction", transaction);
            self.secrets.push(transaction.clone());
        }
        if let Some(cookie) = &self.browser.cookie {
            self.values.set("cookie", cookie);
        }
        let query = answer.header("location").and_then(|location| location.split_once('?'));
        let sent = query.map(|(_, query)| parameters(query)).unwrap_or_default();
        if let Some((_, code)) = sent.iter().find(|(name, _)| name == "code") {
            self.values.set("code", code);
        }
        Ok(())
    }

    fn post_well(&mut self, endpoint: &str, form: &str) -> Result<(), Error> {
        let answer = self.post(endpoint, form, "${basic}")?;
        went(form, &answer, answer.status == 200)?;
        self.issued(&answer);
        Ok(())
    }

    /// Posts a form of a client's.
    fn post(&mut self, endpoint: &str, form: &str, basic: &str) -> Result<Answer, Error> {
        let request = Request {
            path: format!("/gateway3/oauth/{endpoint}"),
            headers: vec![self.values.text(&format!("Authorization: Basic {basic}"))?],
            form: Some(self.values.text(form)?),
            ..Request::default()
        };
        let answer = ask(self.place.desktop(), request)?;
        self.secrets.extend(secrets(std::slice::from_ref(&answer)));
        Ok(answer)
    }

    fn issued(&mut self, answer: &Answer) {
        let json = members(answer);
        let text = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
        let Some(access) = text("access_token") else { return };
        self.issued += 1;
        let tokens = [("access", Some(access)), ("refresh", text("refresh_token"))];
        for (name, token) in tokens.into_iter().filter_map(|(name, token)| Some((name, token?))) {
            self.values.set(&format!("{name}_token"), token);
            self.values.set(&format!("{name}_{}", self.issued), token);
        }
    }
}

/// An error unless a step went as it should.
fn went(what: &str, answer: &Answer, well: bool) -> Result<(), Error> {
    let problem = || {
        Error::Target(format!(
            "what should have happened before did not: {what}: {} {}",
            answer.status,
            answer.text()
        ))
    };
    if well { Ok(()) } else { Err(problem()) }
}
