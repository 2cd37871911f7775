//! A value that cannot be printed.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Holds a secret: wiped when dropped, and `Debug` shows only that there is one.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`: whoever needs the value says [`Secret::expose`], which is
/// easy to find in a review, and compares in constant time.
///
/// ```
/// let password = irgw_core::Secret::new(String::from("hunter2"));
/// assert_eq!(format!("{password:?}"), "Secret(…)");
/// ```
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Secret<T> {
        Secret(Zeroizing::new(value))
    }

    /// The value itself.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
