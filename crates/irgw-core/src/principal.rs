//! Who is calling: the proofs of one request, joined by what enrolment links.

use std::sync::Arc;

use crate::{
    Barrier, ClientId, ClientKind, Grants, Logon, OwnerId, Proof, ProviderId, Rejection, Rule, Scheme,
    Thumbprint, TokenFamily,
};

/// What enrolment says about the relations between parties.
pub trait Links: Send + Sync {
    /// Whether the provider is enrolled to act for the resource owner (M2M-9).
    fn acts_for(&self, provider: &ProviderId, owner: &OwnerId) -> bool;
    /// Whether the logon is linked to the resource owner (M2M-7).
    fn has_logon(&self, owner: &OwnerId, logon: &Logon) -> bool;
    /// Whether the OAuth client is the provider's (GW-2).
    fn belongs_to(&self, client: &ClientId, provider: &ProviderId) -> bool;
}

/// The proofs of one request, at most one of each kind.
#[derive(Debug, Default)]
pub struct Proofs {
    provider: Option<(ProviderId, Arc<str>, Arc<Grants>)>,
    owner: Option<(Thumbprint, OwnerId, Option<Logon>)>,
    claim: Option<(Arc<str>, Option<Logon>)>,
    grant: Option<(ClientId, ClientKind, Logon, TokenFamily, Arc<str>)>,
    address: bool,
}

impl Proofs {
    /// Adds a proof; a second one of the same kind replaces the first.
    pub fn add(&mut self, proof: Proof) {
        match proof {
            Proof::Provider { provider, common_name, grants } => {
                self.provider = Some((provider, common_name, grants))
            }
            Proof::Owner { credential, owner, logon } => self.owner = Some((credential, owner, logon)),
            Proof::Claim { subject, logon } => self.claim = Some((subject, logon)),
            Proof::Grant { client, kind, logon, family, jti } => {
                self.grant = Some((client, kind, logon, family, jti))
            }
            Proof::Address => self.address = true,
        }
    }
}

impl FromIterator<Proof> for Proofs {
    fn from_iter<I: IntoIterator<Item = Proof>>(iter: I) -> Proofs {
        let mut proofs = Proofs::default();
        iter.into_iter().for_each(|proof| proofs.add(proof));
        proofs
    }
}

/// Who is calling, as far as it was proved and linked. [`Principal::join`] is the only maker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    provider: Option<ProviderId>,
    common_name: Option<Arc<str>>,
    grants: Arc<Grants>,
    mechanism: Scheme,
    owner: Option<OwnerId>,
    logon: Option<Logon>,
    client: Option<(ClientId, ClientKind)>,
    family: Option<TokenFamily>,
    token: Option<Arc<str>>,
    signing: Option<Thumbprint>,
}

impl Principal {
    /// Joins the proofs of one request.
    ///
    /// # Errors
    /// When nothing was proved (ENV-5), or two proofs are not linked: the provider does not act for the resource owner
    /// (M2M-9), the logon is not the owner's (M2M-7), the OAuth client is not the provider's (GW-2).
    pub fn join(proofs: Proofs, links: &dyn Links) -> Result<Principal, Rejection> {
        let Proofs { provider, owner, claim, grant, address } = proofs;
        if provider.is_none() && owner.is_none() && claim.is_none() && grant.is_none() && !address {
            return Err(Rejection::not_permitted(Rule::Env5, Barrier::Provider, "nothing was proved"));
        }
        let (provider, common_name, grants) = match provider {
            Some((provider, common_name, grants)) => (Some(provider), Some(common_name), grants),
            None => (None, None, Arc::default()),
        };
        let mechanism = if provider.is_some() { Scheme::ClientCert } else { Scheme::IpAllow };
        let mut principal = Principal {
            provider,
            common_name,
            grants,
            mechanism,
            owner: None,
            logon: None,
            client: None,
            family: None,
            token: None,
            signing: None,
        };
        if let Some((subject, logon)) = claim {
            principal.mechanism = Scheme::M2m;
            principal.token = Some(subject);
            principal.logon = logon;
        }
        if let Some((credential, owner, logon)) = owner {
            let known = || [("thumbprint", credential.to_string()), ("owner", owner.to_string())];
            if let Some(provider) =
                principal.provider.as_ref().filter(|provider| !links.acts_for(provider, &owner))
            {
                let cause = format!("provider {provider} is not enrolled to act for resource owner {owner}");
                return Err(Rejection::not_permitted(Rule::M2m9, Barrier::Owner, cause).knowing(known()));
            }
            if let Some(logon) = logon.as_ref().filter(|logon| !links.has_logon(&owner, logon)) {
                let cause = format!("logon {logon} is not linked to resource owner {owner}");
                return Err(Rejection::not_permitted(Rule::M2m7, Barrier::Logon, cause).knowing(known()));
            }
            principal.mechanism = Scheme::M2m;
            principal.signing = Some(credential);
            principal.owner = Some(owner);
            principal.logon = logon;
        }
        if let Some((client, kind, logon, family, jti)) = grant {
            if let Some(provider) =
                principal.provider.as_ref().filter(|provider| !links.belongs_to(&client, provider))
            {
                let cause = format!("client {client} does not belong to provider {provider}");
                let known = [("client", client.to_string()), ("jti", jti.to_string())];
                return Err(Rejection::not_permitted(Rule::Gw2, Barrier::Client, cause).knowing(known));
            }
            principal.mechanism = Scheme::Bearer;
            principal.client = Some((client, kind));
            principal.logon = Some(logon);
            principal.family = Some(family);
            principal.token = Some(jti);
        }
        Ok(principal)
    }

    /// The provider that the client certificate names; `None` on a one-way TLS channel and in `mock`.
    pub fn provider(&self) -> Option<&ProviderId> {
        self.provider.as_ref()
    }

    /// The Common Name of the client certificate.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// What the client certificate opens by itself.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The strongest scheme that was proved: a token's, else the connection's.
    pub fn mechanism(&self) -> Scheme {
        self.mechanism
    }

    /// The resource owner of an M2M request.
    pub fn owner(&self) -> Option<&OwnerId> {
        self.owner.as_ref()
    }

    /// The myIR logon whose delegations apply.
    pub fn logon(&self) -> Option<&Logon> {
        self.logon.as_ref()
    }

    /// The OAuth client and its kind.
    pub fn client(&self) -> Option<(&ClientId, ClientKind)> {
        self.client.as_ref().map(|(client, kind)| (client, *kind))
    }

    /// The family of the access token.
    pub fn family(&self) -> Option<&TokenFamily> {
        self.family.as_ref()
    }

    /// The access token's `jti`, or the claimed `sub` of an unchecked JWT in `mock`.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The signing certificate of an M2M request.
    pub fn signing(&self) -> Option<Thumbprint> {
        self.signing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Provider `p` acts for owner `o`, whose logon is `l`, and has the client `c`.
    struct OneOfEach;

    impl Links for OneOfEach {
        fn acts_for(&self, provider: &ProviderId, owner: &OwnerId) -> bool {
            (provider.as_str(), owner.as_str()) == ("p", "o")
        }
        fn has_logon(&self, owner: &OwnerId, logon: &Logon) -> bool {
            (owner.as_str(), logon.as_str()) == ("o", "l")
        }
        fn belongs_to(&self, client: &ClientId, provider: &ProviderId) -> bool {
            (client.as_str(), provider.as_str()) == ("c", "p")
        }
    }

    fn provider(id: &str) -> Proof {
        let provider = id.parse().unwrap();
        Proof::Provider { provider, common_name: "cn".into(), grants: Arc::default() }
    }

    fn owner(id: &str, logon: Option<&str>) -> Proof {
        let logon = logon.map(|logon| logon.parse().unwrap());
        Proof::Owner { credential: Thumbprint([7; 32]), owner: id.parse().unwrap(), logon }
    }

    fn grant(client: &str) -> Proof {
        let (client, logon, family) = (client.parse().unwrap(), "l".parse().unwrap(), "f".parse().unwrap());
        Proof::Grant { client, kind: ClientKind::Cloud, logon, family, jti: "j".into() }
    }

    fn join(proofs: impl IntoIterator<Item = Proof>) -> Result<Principal, (Rule, crate::Class)> {
        Principal::join(proofs.into_iter().collect(), &OneOfEach).map_err(|r| (r.rule, r.class))
    }

    #[test]
    fn linked_proofs_join() {
        let principal = join([provider("p"), owner("o", Some("l"))]).unwrap();
        assert_eq!(principal.mechanism(), Scheme::M2m);
        assert_eq!(principal.owner().map(OwnerId::as_str), Some("o"));
        assert_eq!(join([provider("p"), grant("c")]).unwrap().mechanism(), Scheme::Bearer);
        assert_eq!(join([grant("any client on a one-way channel")]).unwrap().provider(), None);
        assert_eq!(join([provider("p")]).unwrap().mechanism(), Scheme::ClientCert);
    }

    #[test]
    fn unlinked_proofs_are_not_permitted() {
        let barred = |barrier| crate::Class::NotPermitted(barrier);
        assert_eq!(join([provider("q"), owner("o", None)]), Err((Rule::M2m9, barred(Barrier::Owner))));
        assert_eq!(join([provider("p"), owner("o", Some("m"))]), Err((Rule::M2m7, barred(Barrier::Logon))));
        assert_eq!(join([provider("p"), grant("d")]), Err((Rule::Gw2, barred(Barrier::Client))));
        assert_eq!(join([]), Err((Rule::Env5, barred(Barrier::Provider))));
    }
}
