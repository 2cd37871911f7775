//! Listings in pages: every answer is bounded, and says where the next one begins.

use crate::Error;

/// Which part of a listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub(crate) after: String,
    pub(crate) size: usize,
}

impl Page {
    /// The most items that a page has.
    pub const LIMIT: usize = 1000;

    /// The first page, of `size` items.
    ///
    /// # Errors
    /// [`Error::PageSize`] when `size` is 0 or more than [`Page::LIMIT`].
    pub fn first(size: usize) -> Result<Page, Error> {
        Page::after(String::new(), size)
    }

    /// The page that begins after the item that [`Listed::next`] named.
    ///
    /// # Errors
    /// As [`Page::first`].
    pub fn after(next: String, size: usize) -> Result<Page, Error> {
        match size {
            1..=Page::LIMIT => Ok(Page { after: next, size }),
            _ => Err(Error::PageSize(Page::LIMIT)),
        }
    }

    /// One more than the page has: whether there is a next page shows when it is there.
    pub(crate) fn probe(&self) -> i64 {
        self.size as i64 + 1
    }

    /// The items of this page, out of at most one more; `key` names where the next page begins.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Listed<T> {
        let more = items.len() > self.size;
        items.truncate(self.size);
        let next = if more { items.last().map(key) } else { None };
        Listed { items, next }
    }
}

/// One page of a listing, in the order of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to give to [`Page::after`] for the next page; `None` after the last one.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_of_no_size_or_a_huge_one_is_refused() {
        for size in [0, Page::LIMIT + 1, usize::MAX] {
            assert_eq!(Page::first(size), Err(Error::PageSize(Page::LIMIT)), "{size}");
        }
        assert!(Page::first(Page::LIMIT).is_ok());
    }
}
