//! The configuration's text, and where things stand in it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderName;
use ipnet::IpNet;
use toml::Spanned;

use super::file::Number;
use super::{Located, Place, Problem};

/// The file's text, and where things stand in it.
pub(super) struct Source<'a> {
    pub(super) path: Arc<Path>,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn place(&self, span: Range<usize>, key: impl Display) -> Place {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Place { file: self.path.clone(), line, key: key.to_string() }
    }

    pub(super) fn address(
        &self,
        spanned: &Spanned<String>,
        key: impl Display,
    ) -> Result<Located<SocketAddr>, Problem> {
        let located = self.locate(spanned, key);
        match located.value.parse() {
            Ok(address) => Ok(located.with(address)),
            Err(_) => Err(located.problem(format_args!(
                "{:?} is no socket address; an address and a port such as 127.0.0.1:4046 or [::]:4046 is allowed",
                located.value
            ))),
        }
    }

    pub(super) fn locate<T: Clone>(&self, spanned: &Spanned<T>, key: impl Display) -> Located<T> {
        Located { value: spanned.get_ref().clone(), place: self.place(spanned.span(), key) }
    }

    /// A path, made absolute from the configuration file's folder.
    pub(super) fn path(&self, spanned: &Spanned<PathBuf>, key: impl Display) -> Located<PathBuf> {
        let located = self.locate(spanned, key);
        let folder = self.path.parent().unwrap_or(Path::new(""));
        located.with(folder.join(&located.value))
    }

    /// A number within bounds, or its default.
    pub(super) fn number(
        &self,
        spanned: &Option<Number>,
        key: impl Display,
        allowed: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, Problem> {
        let Some(spanned) = spanned else { return Ok(default) };
        let text = self.text.get(spanned.span()).unwrap_or_default();
        let number = text.parse().ok().and_then(|value: toml::Value| value.as_integer());
        match number.and_then(|number| u64::try_from(number).ok()) {
            Some(number) if allowed.contains(&number) => Ok(number),
            _ => {
                let (low, high) = allowed.into_inner();
                let text = text.lines().next().unwrap_or_default();
                let message = format!("{text} is not allowed; {low} to {high} is");
                Err(Problem { place: Some(self.place(spanned.span(), key)), message })
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &self,
        spanned: &Spanned<String>,
        key: impl Display,
        words: &[(&str, T)],
    ) -> Result<T, Problem> {
        let located = self.locate(spanned, key);
        let found = words.iter().find(|(word, _)| *word == located.value);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let allowed: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            located.problem(format_args!("{:?} is not allowed; {} is", located.value, allowed.join(" or ")))
        })
    }

    pub(super) fn networks(&self, list: &[Spanned<String>], key: &str) -> Result<Vec<IpNet>, Problem> {
        let parse = |(index, spanned): (usize, &Spanned<String>)| {
            let located = self.locate(spanned, format_args!("{key}[{index}]"));
            crate::allow_list::network(&located.value).map_err(|error| located.problem(error))
        };
        list.iter().enumerate().map(parse).collect()
    }

    pub(super) fn header(&self, spanned: &Spanned<String>, key: impl Display) -> Result<HeaderName, Problem> {
        let located = self.locate(spanned, key);
        HeaderName::from_bytes(located.value.as_bytes())
            .map_err(|_| located.problem(format_args!("{:?} is not a header field name", located.value)))
    }
}
