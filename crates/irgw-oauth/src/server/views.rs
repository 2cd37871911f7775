//! What the pages show: from the state to the views of [`crate::pages`].

use bytes::Bytes;
use http::Response;
use irgw_core::{Rule, UnixTime};

use super::authorize::AuthorizationRequest;
use super::browser::Browser;
use super::interactive::with_cookie;
use super::transaction::{Aim, Step, Transaction};
use super::{AuthorizationServer, Noted};
use crate::customers::Customer;
use crate::fault::Fault;
use crate::grants::CONSENT_LIFETIME;
use crate::pages::text::{EN, Text};
use crate::pages::{
    self, Application, Connected, Consent, Login, LoginFault, OneTimeCode, OneTimeCodeFault, Problem,
    ProblemKind, RedirectTarget,
};
use crate::registration::Client;

impl AuthorizationServer {
    /// The language of the pages: there is one so far.
    pub(super) fn text(&self) -> &'static Text {
        &EN
    }

    pub(super) fn login_page(
        &self,
        aim: Aim,
        browser: Browser,
        again: Option<(LoginFault, &str)>,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let transaction = noted.had(Transaction::new(aim, Step::Login, &browser, now))?;
        let sealed = noted.had(self.seal(&transaction))?;
        let redirect = redirect_target(&transaction.aim);
        let client = match &transaction.aim {
            Aim::Application(request) => self.state.clients.client(request.client.as_str()),
            Aim::Applications => None,
        };
        let view = Login {
            action: &self.at("login"),
            transaction: &sealed,
            client: client.as_ref().map(|client| client.name.as_str()),
            user_id: again.map_or("", |(_, user_id)| user_id),
            fault: again.map(|(fault, _)| fault),
            redirect: redirect.as_ref(),
        };
        Ok(with_cookie(pages::login(self.text(), &view), &browser))
    }

    pub(super) fn code_page(
        &self,
        transaction: &Transaction,
        browser: &Browser,
        fault: Option<OneTimeCodeFault>,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let sealed = noted.had(self.seal(transaction))?;
        let redirect = redirect_target(&transaction.aim);
        let view = OneTimeCode {
            action: &self.at("code"),
            transaction: &sealed,
            fault,
            redirect: redirect.as_ref(),
        };
        Ok(with_cookie(pages::one_time_code(self.text(), &view), browser))
    }

    pub(super) fn consent_page(
        &self,
        transaction: &Transaction,
        request: &AuthorizationRequest,
        customer: &Customer,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let client = self.state.clients.client(request.client.as_str()).ok_or(Fault::UnknownClient)?;
        let sealed = noted.had(self.seal(transaction))?;
        let redirect = redirect_target(&transaction.aim);
        let view = Consent {
            action: &self.at("consent"),
            transaction: &sealed,
            client: &client.name,
            provider: &client.provider_name,
            user_id: customer.logon.as_str(),
            until: super::after(now, CONSENT_LIFETIME),
            applications: &self.at("applications"),
            redirect: redirect.as_ref(),
        };
        Ok(pages::consent(self.text(), &view))
    }

    pub(super) fn applications_page(
        &self,
        transaction: &Transaction,
        customer: &Customer,
        withdrawn: Option<&str>,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let consents = noted.had(self.state.grants.consents(&customer.subject, now))?;
        let clients: Vec<Option<std::sync::Arc<Client>>> =
            consents.iter().map(|consent| self.state.clients.client(consent.client.as_str())).collect();
        let applications: Vec<Application<'_>> = consents
            .iter()
            .zip(&clients)
            .map(|(consent, client)| Application {
                client_id: consent.client.as_str(),
                // One that was disabled can be named by its id alone.
                client: client.as_ref().map_or(consent.client.as_str(), |client| &client.name),
                provider: client.as_ref().map(|client| client.provider_name.as_str()),
                since: consent.since,
                until: consent.expires_at,
            })
            .collect();
        // The address names it, which anybody can write: said only of a client that there is, and where it is so.
        let withdrawn = withdrawn
            .filter(|id| consents.iter().all(|consent| consent.client.as_str() != *id))
            .and_then(|id| self.state.clients.client(id));
        let sealed = noted.had(self.seal(transaction))?;
        let view = Connected {
            withdraw: &self.at("applications"),
            log_out: &self.at("logout"),
            transaction: &sealed,
            user_id: customer.logon.as_str(),
            applications: &applications,
            withdrawn: withdrawn.as_ref().map(|client| client.name.as_str()),
        };
        Ok(pages::connected(self.text(), &view))
    }

    /// A form that was not sent from a page of ours to this browser, or too late, or twice.
    pub(super) fn timed_out(&self, noted: &mut Noted) -> Response<Bytes> {
        noted.refuse(Rule::Oa7, "the form's transaction is over, used, or another browser's");
        self.problem(ProblemKind::TimedOut, noted)
    }

    pub(super) fn problem(&self, kind: ProblemKind, noted: &Noted) -> Response<Bytes> {
        pages::problem(self.text(), &Problem { kind, request_id: &noted.request_id })
    }

    /// The address of one of the server's own resources.
    pub(super) fn at(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.path())
    }
}

/// Where a form's answer may lead the browser: also on from the application's address, as many callbacks go.
fn redirect_target(aim: &Aim) -> Option<RedirectTarget> {
    match aim {
        Aim::Application(request) => RedirectTarget::onward(&request.redirect_uri),
        Aim::Applications => None,
    }
}
