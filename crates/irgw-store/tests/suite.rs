//! One suite, written against the public API alone, over every kind of database.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use irgw_store::Store;

#[path = "suite/client_certs.rs"]
mod client_certs;
#[path = "suite/clients.rs"]
mod clients;
#[path = "suite/customers.rs"]
mod customers;
#[path = "suite/deliveries.rs"]
mod deliveries;
#[path = "suite/grants.rs"]
mod grants;
#[path = "suite/parties.rs"]
mod parties;
#[path = "suite/registry.rs"]
mod registry;
#[path = "suite/revocations.rs"]
mod revocations;
#[path = "suite/signing_certs.rs"]
mod signing_certs;
#[path = "suite/spent.rs"]
mod spent;
#[path = "suite/token_keys.rs"]
mod token_keys;

/// An empty database, and how to reach the same one once more, as another node would.
struct Fixture {
    store: Store,
    folder: Option<tempfile::TempDir>,
    #[cfg(feature = "postgres")]
    database: Option<support::postgres::Database>,
}

impl Fixture {
    fn in_memory() -> Fixture {
        Fixture {
            store: Store::in_memory().unwrap(),
            folder: None,
            #[cfg(feature = "postgres")]
            database: None,
        }
    }

    fn in_a_file() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("irgw.sqlite")).unwrap();
        Fixture {
            store,
            folder: Some(folder),
            #[cfg(feature = "postgres")]
            database: None,
        }
    }

    /// `None` where there is no server.
    #[cfg(feature = "postgres")]
    fn on_a_server() -> Option<Fixture> {
        let database = support::postgres::Database::create()?;
        Some(Fixture { store: support::connect(&database), folder: None, database: Some(database) })
    }

    /// Another empty database of the same kind.
    fn another(&self) -> Fixture {
        #[cfg(feature = "postgres")]
        if self.database.is_some() {
            return Fixture::on_a_server().unwrap();
        }
        if self.folder.is_some() { Fixture::in_a_file() } else { Fixture::in_memory() }
    }

    /// The same database through another store, where there can be one.
    fn another_node(&self) -> Option<Store> {
        #[cfg(feature = "postgres")]
        if let Some(database) = &self.database {
            return Some(support::connect(database));
        }
        let folder = self.folder.as_ref()?;
        Some(Store::open_existing(&folder.path().join("irgw.sqlite")).unwrap())
    }
}

/// Makes each fact a test over each kind of database.
macro_rules! facts {
    ($($subject:ident: $($fact:ident)*;)*) => {
        mod in_memory {
            $(mod $subject { $(#[test] fn $fact() { crate::$subject::$fact(crate::Fixture::in_memory()); })* })*
        }
        mod in_a_file {
            $(mod $subject { $(#[test] fn $fact() { crate::$subject::$fact(crate::Fixture::in_a_file()); })* })*
        }
        #[cfg(feature = "postgres")]
        mod on_a_server {
            $(mod $subject { $(#[test] fn $fact() {
                if let Some(fixture) = crate::Fixture::on_a_server() {
                    crate::$subject::$fact(fixture);
                }
            })* })*
        }
    };
}

facts! {
    parties:
        party_is_added_once
        link_needs_both_parties
        name_is_short_text_without_control_characters
        batch_happens_wholly_or_not_at_all
        batch_goes_on_after_a_refusal
        lists_are_in_pages
        owners_are_listed_by_provider
        providers_are_listed_by_owner
        lists_of_an_unknown_party_are_refused
        hostile_text_is_kept_and_found_as_it_is;
    client_certs:
        common_name_is_enrolled_once_in_one_environment
        revoked_common_name_does_not_come_back
        common_names_that_differ_by_case_are_refused
        exclusive_needs_a_grant
        provider_must_exist
        revoking_a_provider_revokes_its_names
        names_are_listed_as_enrolled;
    signing_certs:
        certificate_is_enrolled_once_in_one_environment
        key_does_not_change_its_environment
        third_in_force_is_refused_and_told_what_to_revoke
        expired_certificate_does_not_count
        replacing_revokes_the_predecessor_alone
        other_der_is_refused
        issuer_is_bounded_text
        certificates_are_listed_as_enrolled
        page_after_no_thumbprint_is_refused;
    spent:
        token_is_spent_once
        token_is_spent_once_on_all_nodes
        spent_token_is_forgotten_long_after_its_end;
    clients:
        client_id_is_taken_once_in_one_environment
        client_has_redirect_uris_that_can_be_registered
        client_has_two_secrets_at_most
        redirect_uris_are_replaced_wholly_or_not_at_all
        registry_knows_its_clients_alone
        clients_are_listed_as_registered;
    customers:
        user_id_is_taken_once_in_any_spelling
        password_logs_its_customer_in
        totp_key_is_sealed_for_its_customer
        disabled_customers_logins_end
        logins_end_when_what_they_are_made_with_changes
        customers_are_listed_by_account;
    token_keys:
        key_is_followed_by_its_successor
        key_opens_with_the_vaults_key_alone;
    grants:
        transaction_ends_once
        code_is_its_clients_with_its_redirect_uri_and_verifier
        code_is_single_use
        code_token_and_consent_end
        replay_ends_the_family
        another_clients_use_leaves_the_family_alone
        tokens_of_one_second_are_told_apart
        grace_spares_the_family
        withdrawn_consent_ends_what_it_allowed
        disabled_party_is_given_nothing
        native_familys_consent_can_be_withdrawn
        customer_of_another_directory_may_log_in
        login_stands_until_it_ends
        key_is_spent_once
        failures_are_counted_in_their_window;
    deliveries:
        set_is_submitted_once
        delivery_is_claimed_by_one
        sets_of_a_feed_go_in_order
        busy_provider_is_passed_by
        ledger_says_how_far_each_file_has_come
        cancelled_delivery_frees_the_names_that_were_not_used
        deliveries_are_listed_by_provider_and_state;
    revocations:
        registry_follows_each_way_to_revoke
        family_is_revoked_once;
    registry:
        change_is_read_by_refresh_alone
        what_may_not_be_used_says_why
        sha1_finds_the_same_credential
        links_are_read_and_ended
        change_of_grants_changes_the_revision
        refresh_reads_only_what_changed
        staleness_grows_until_confirmed
        refreshed_registry_equals_a_fresh_one;
}
