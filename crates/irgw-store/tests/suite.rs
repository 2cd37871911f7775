//! One suite, written against the public API alone, over every kind of database.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use irgw_store::Store;

#[path = "suite/client_certs.rs"]
mod client_certs;
#[path = "suite/parties.rs"]
mod parties;
#[path = "suite/registry.rs"]
mod registry;
#[path = "suite/signing_certs.rs"]
mod signing_certs;
#[path = "suite/spent.rs"]
mod spent;

/// An empty database, and how to reach the same one once more, as another node would.
struct Fixture {
    store: Store,
    folder: Option<tempfile::TempDir>,
}

impl Fixture {
    fn in_memory() -> Fixture {
        Fixture { store: Store::in_memory().unwrap(), folder: None }
    }

    fn in_a_file() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("irgw.sqlite")).unwrap();
        Fixture { store, folder: Some(folder) }
    }

    /// The same database through another store, where there can be one.
    fn another_node(&self) -> Option<Store> {
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
