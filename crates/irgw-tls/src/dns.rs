//! The form of DNS names in certificates (RFC 5280 §4.2.1.6, RFC 1123 §2.1).

/// Whether a dNSName is in the preferred name syntax, its first label possibly `*`.
///
/// Labels of letters, digits and inner hyphens; the last not all digits, so that no address passes for a name; two
/// labels at least behind a wildcard.
pub(crate) fn is_presented_name(name: &str) -> bool {
    let (wildcard, rest) = match name.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && rest.split('.').all(is_label)
        && (!wildcard || rest.contains('.'))
        && !rest.rsplit('.').next().is_some_and(numeric)
}

/// Whether a name is one label or more.
pub(crate) fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Whether a name is a domain that a Common Name can be assigned under: two labels or more, and no address.
pub(crate) fn is_domain(name: &str) -> bool {
    name.contains('.') && !name.starts_with('*') && is_presented_name(name)
}
