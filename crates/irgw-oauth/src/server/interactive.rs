//! What a customer does in a browser: log in, give the one-time password, consent, look at what is connected (OA-7, OA-19).
//!
//! ```text
//!   authorize ─┬─ no login ──► login ──► (code) ──► login stands, under a new cookie ─┐
//!              └─ login stands ──────────────────────────────────────────────────────┴─► consent stands? code : consent
//! ```

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{Response, StatusCode};
use irgw_core::{Rule, Secret, UnixTime};

use super::authorize::AuthorizationRequest;
use super::browser::Browser;
use super::throttle::Throttle;
use super::transaction::{Aim, Step, Transaction};
use super::{AuthorizationServer, ConsentPage, Noted, after};
use crate::Unavailable;
use crate::customers::{Customer, SecondStep, Subject};
use crate::fault::{Fault, uncached};
use crate::form::Form;
use crate::grants::{
    Authorisation, Authorised, CODE_LIFETIME, CONSENT_LIFETIME, Code, Consent, SESSION_LIFETIME, Session,
};
use crate::opaque::{CODE_CHARS, Digest, draw};
use crate::pages::{self, Done, LoginFault, OneTimeCodeFault, ProblemKind};
use crate::totp;

type Page = Result<Response<Bytes>, Fault>;

impl AuthorizationServer {
    /// `GET authorize`.
    pub(super) fn authorize(&self, head: &Parts, now: UnixTime, noted: &mut Noted) -> Page {
        let asked = self.asked(head)?;
        noted.client = Some(asked.client.id.clone());
        if !asked.scope_is_known {
            noted.refuse(Rule::Oa1, "another scope than the one that there is");
            let parameters = [("error", "invalid_scope"), ("error_description", "Invalid scope requested")];
            return Ok(redirect(StatusCode::FOUND, &asked.request.location(&parameters)));
        }
        let mut browser = noted.had(Browser::of(&head.headers))?;
        if asked.logout {
            noted.had(self.state.grants.end_session(&browser.digest()))?;
            browser = noted.had(Browser::renewed())?;
        }
        let aim = Aim::Application(asked.request);
        match self.standing(&browser, now, noted)? {
            Some(customer) => self.arrive(aim, &customer, browser, StatusCode::FOUND, now, noted),
            None => self.login_page(aim, browser, None, now, noted),
        }
    }

    /// `GET applications`, and what its forms post there.
    pub(super) fn applications(
        &self,
        head: &Parts,
        form: Option<&Form>,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Page {
        let browser = noted.had(Browser::of(&head.headers))?;
        let customer = self.standing(&browser, now, noted)?;
        match (customer, form) {
            (None, _) => self.login_page(Aim::Applications, browser, None, now, noted),
            (Some(customer), None) => {
                let transaction =
                    noted.had(Transaction::new(Aim::Applications, Step::Decision, &browser, now))?;
                let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes())?;
                let page =
                    self.applications_page(&transaction, &customer, query.find(WITHDRAWN), now, noted)?;
                Ok(with_cookie(page, &browser))
            }
            (Some(customer), Some(form)) => {
                let transaction = self.opened(form, &browser, now);
                let (Some(transaction), Some(client)) = (transaction, form.find("client_id")) else {
                    return Ok(self.timed_out(noted));
                };
                noted.logon = Some(customer.logon.clone());
                if !matches!((&transaction.aim, &transaction.step), (Aim::Applications, Step::Decision)) {
                    return Ok(self.timed_out(noted));
                }
                let client = client.parse().map_err(|_| Fault::Malformed("The client id is none."))?;
                noted.had(self.state.grants.withdraw(&customer.subject, &client, now))?;
                let mut query = form_urlencoded::Serializer::new(String::new());
                let query = query.append_pair(WITHDRAWN, client.as_str()).finish();
                let location = format!("{}applications?{query}", self.settings.issuer);
                noted.client = Some(client);
                Ok(redirect(StatusCode::SEE_OTHER, &location))
            }
        }
    }

    /// `POST logout`.
    pub(super) fn logout(&self, head: &Parts, form: &Form, now: UnixTime, noted: &mut Noted) -> Page {
        let browser = noted.had(Browser::of(&head.headers))?;
        if self.opened(form, &browser, now).is_none() {
            return Ok(self.timed_out(noted));
        }
        noted.had(self.state.grants.end_session(&browser.digest()))?;
        let browser = noted.had(Browser::renewed())?;
        Ok(with_cookie(pages::done(self.text(), Done::LoggedOut), &browser))
    }

    /// `POST login`.
    pub(super) fn login(
        &self,
        head: &Parts,
        form: &Form,
        address: IpAddr,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Page {
        let browser = noted.had(Browser::of(&head.headers))?;
        let transaction = self.opened(form, &browser, now).filter(|known| known.step == Step::Login);
        let Some(transaction) = transaction else { return Ok(self.timed_out(noted)) };
        let (user_id, password) = (form.find("user_id").unwrap_or(""), form.find("password").unwrap_or(""));
        let throttle = match self.known_browser(&head.headers, user_id, now) {
            Some(known) => Throttle::of_known_browser(&known, address),
            None => Throttle::of_password(user_id, address),
        };
        if !noted.had(self.may_try(&throttle, now))? {
            noted.refuse(Rule::Oa18, "too many attempts: this one was not made");
            return self.login_page(
                transaction.aim,
                browser,
                Some((LoginFault::Refused, user_id)),
                now,
                noted,
            );
        }
        let password = Secret::new(password.to_owned());
        let Some(customer) = noted.had(self.state.customers.log_in(user_id, &password))? else {
            noted.had(self.note_failure(&throttle, now))?;
            noted.refuse(Rule::Oa7, "no such customer, or a wrong password");
            return self.login_page(
                transaction.aim,
                browser,
                Some((LoginFault::Refused, user_id)),
                now,
                noted,
            );
        };
        match customer.second_step {
            SecondStep::None => {
                noted.had(self.forgive(&throttle))?;
                self.logged_in(transaction.aim, &customer, now, noted)
            }
            SecondStep::Totp => {
                let browser = noted.had(Browser::renewed())?;
                let step =
                    Step::Code { subject: customer.subject.to_string(), logon: customer.logon.clone() };
                let next = noted.had(Transaction::new(transaction.aim, step, &browser, now))?;
                noted.logon = Some(customer.logon);
                self.code_page(&next, &browser, None, noted)
            }
        }
    }

    /// `POST code`: the one-time password.
    pub(super) fn code(
        &self,
        head: &Parts,
        form: &Form,
        address: IpAddr,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Page {
        let browser = noted.had(Browser::of(&head.headers))?;
        let Some(transaction) = self.opened(form, &browser, now) else { return Ok(self.timed_out(noted)) };
        let Some((subject, logon)) = transaction.step.customer() else { return Ok(self.timed_out(noted)) };
        noted.logon = Some(logon.clone());
        // Counted before it is looked at, so that tries at once do not all slip through.
        let grants = &self.state.grants;
        let tries = transaction.tries();
        noted.had(grants.note_failure(&[tries], Duration::from_secs(600), now))?;
        if noted.had(grants.attempts(&tries, now))?.failures > TRIES {
            noted.refuse(Rule::Oa18, "too many one-time passwords for one login");
            return Ok(self.problem(ProblemKind::TimedOut, noted));
        }
        // By the account too: a right password begins a login with new tries as often as somebody likes.
        let throttle = Throttle::of_code(&subject, address);
        if !noted.had(self.may_try(&throttle, now))? {
            noted.refuse(Rule::Oa18, "too many one-time passwords: this one was not looked at");
            return self.code_page(&transaction, &browser, Some(OneTimeCodeFault::Refused), noted);
        }
        let key = noted.had(self.state.customers.totp_key(&subject))?;
        let given = form.find("code").unwrap_or("").trim();
        let step = key.and_then(|key| totp::step(&key, given, now));
        let is_first = match step {
            Some(step) => noted.had(self.spend_step(&subject, step, now))?,
            None => false,
        };
        let customer = noted.had(self.state.customers.customer(&subject))?;
        match customer {
            Some(customer) if is_first => {
                noted.had(self.forgive(&throttle))?;
                noted.had(self.forgive(&Throttle::of_password(logon.as_str(), address)))?;
                self.logged_in(transaction.aim, &customer, now, noted)
            }
            _ => {
                noted.had(self.note_failure(&throttle, now))?;
                noted.refuse(Rule::Oa7, "a wrong one-time password, or one that was used");
                self.code_page(&transaction, &browser, Some(OneTimeCodeFault::Refused), noted)
            }
        }
    }

    /// Uses a time step up, with those before it that could still be given (RFC 6238 §5.2); `false`: it was used before.
    fn spend_step(&self, subject: &Subject, step: u64, now: UnixTime) -> Result<bool, Unavailable> {
        let spend = |step: u64| {
            let once = Digest::of(&format!("totp {subject} {step}"));
            let until = Duration::from_secs((step + 3) * totp::STEP_SECS);
            self.state.grants.spend(&once, UnixTime::since_unix_epoch(until), now)
        };
        let is_first = spend(step)?;
        for earlier in [step.saturating_sub(1), step.saturating_sub(2)].into_iter().filter(|_| is_first) {
            spend(earlier)?;
        }
        Ok(is_first)
    }

    /// `POST consent`.
    pub(super) fn consent(&self, head: &Parts, form: &Form, now: UnixTime, noted: &mut Noted) -> Page {
        let browser = noted.had(Browser::of(&head.headers))?;
        let transaction = self.opened(form, &browser, now).filter(|known| known.step == Step::Decision);
        let customer = self.standing(&browser, now, noted)?;
        let (Some(transaction), Some(customer)) = (transaction, customer) else {
            return Ok(self.timed_out(noted));
        };
        let Aim::Application(request) = &transaction.aim else { return Ok(self.timed_out(noted)) };
        noted.client = Some(request.client.clone());
        let parameters = match form.find("decision") {
            Some("allow") => {
                let consent = Some(consent_of(request, now));
                match self.authorise(&transaction, request, &customer, consent, now, noted)? {
                    Ok(code) => vec![("code", code.expose().clone())],
                    Err(_) => return Ok(self.timed_out(noted)),
                }
            }
            Some("deny") => {
                let (digest, until) = transaction.spent();
                if !noted.had(self.state.grants.spend(&digest, until, now))? {
                    return Ok(self.timed_out(noted));
                }
                noted.refuse(Rule::Oa5, "the customer denied it");
                vec![("error", "access_denied".to_owned())]
            }
            _ => return Err(Fault::Missing("decision")),
        };
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Ok(redirect(StatusCode::SEE_OTHER, &request.location(&parameters)))
    }

    /// The customer whose login stands in this browser.
    fn standing(
        &self,
        browser: &Browser,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Option<Customer>, Fault> {
        if browser.is_new() {
            return Ok(None);
        }
        let Some(session) = noted.had(self.state.grants.session(&browser.digest(), now))? else {
            return Ok(None);
        };
        let customer = noted.had(self.state.customers.customer(&session.subject))?;
        noted.logon = customer.as_ref().map(|customer| customer.logon.clone());
        Ok(customer)
    }

    /// A login begins, under a cookie that nobody has seen before.
    fn logged_in(&self, aim: Aim, customer: &Customer, now: UnixTime, noted: &mut Noted) -> Page {
        let browser = noted.had(Browser::renewed())?;
        let session = Session {
            subject: customer.subject.clone(),
            logon: customer.logon.clone(),
            expires_at: after(now, SESSION_LIFETIME),
        };
        noted.had(self.state.grants.begin_session(&browser.digest(), &session, now))?;
        noted.logon = Some(customer.logon.clone());
        let known = noted.had(self.make_known(customer.logon.as_str(), now))?;
        let mut page = self.arrive(aim, customer, browser, StatusCode::SEE_OTHER, now, noted)?;
        page.headers_mut().append(SET_COOKIE, known);
        Ok(page)
    }

    /// Where a customer who is logged in was going: to the application where a consent stands, else to a decision.
    fn arrive(
        &self,
        aim: Aim,
        customer: &Customer,
        browser: Browser,
        status: StatusCode,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Page {
        let transaction = noted.had(Transaction::new(aim, Step::Decision, &browser, now))?;
        let page = match &transaction.aim {
            Aim::Applications => self.applications_page(&transaction, customer, None, now, noted)?,
            Aim::Application(request) => {
                noted.client = Some(request.client.clone());
                let consent = match self.settings.consent {
                    ConsentPage::Shown => None,
                    ConsentPage::Skipped => Some(consent_of(request, now)),
                };
                match self.authorise(&transaction, request, customer, consent, now, noted)? {
                    Ok(code) => redirect(status, &request.location(&[("code", code.expose())])),
                    Err(Authorised::NoConsent) => {
                        self.consent_page(&transaction, request, customer, now, noted)?
                    }
                    Err(_) => self.timed_out(noted),
                }
            }
        };
        Ok(with_cookie(page, &browser))
    }

    /// Keeps a code for the application, where the consent stands or is given.
    fn authorise(
        &self,
        transaction: &Transaction,
        request: &AuthorizationRequest,
        customer: &Customer,
        consent: Option<Consent>,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Result<Secret<String>, Authorised>, Fault> {
        let code = noted.had(draw(CODE_CHARS))?;
        let authorisation = Authorisation {
            digest: Digest::of(code.expose()),
            code: Code {
                client: request.client.clone(),
                subject: customer.subject.clone(),
                logon: customer.logon.clone(),
                redirect_uri: request.redirect_uri.clone(),
                challenge: request.challenge.clone(),
                expires_at: after(now, CODE_LIFETIME),
                family: None,
            },
            consent,
            transaction: transaction.spent(),
        };
        Ok(match noted.had(self.state.grants.authorise(&authorisation, now))? {
            Authorised::Yes => Ok(code),
            other => Err(other),
        })
    }

    fn opened(&self, form: &Form, browser: &Browser, now: UnixTime) -> Option<Transaction> {
        self.open(form.find("transaction")?, browser, now)
    }
}

/// A consent to the request's client that is given now.
fn consent_of(request: &AuthorizationRequest, now: UnixTime) -> Consent {
    Consent { client: request.client.clone(), since: now, expires_at: after(now, CONSENT_LIFETIME) }
}

/// Sends the browser on: 302 from a GET, 303 from a POST, whose body is never sent on (RFC 9700 §4.12, C27).
fn redirect(status: StatusCode, location: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    uncached(&mut response);
    response.headers_mut().insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

pub(super) fn with_cookie(mut response: Response<Bytes>, browser: &Browser) -> Response<Bytes> {
    if let Some(field) = browser.set_cookie() {
        response.headers_mut().insert(SET_COOKIE, field);
    }
    response
}

/// Names the client whose consent was withdrawn, in the address that a withdrawal leads to.
const WITHDRAWN: &str = "withdrawn";

/// One login may try so many one-time passwords (C26).
const TRIES: u32 = 5;
