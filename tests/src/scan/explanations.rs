//! `scan.toml`: the findings that stand, each with its reason.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Finding, Scanner};
use crate::Error;

/// What is explained.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanations {
    #[serde(default)]
    explained: Vec<Explanation>,
}

/// One reason, for one complaint in any number of places.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    scanner: Scanner,
    /// The places. Each of them has to be found.
    of: Vec<String>,
    /// A part of what the scanner says.
    says: String,
    reason: String,
}

/// A finding, and why it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// Why it stands; `None`: nobody says.
    pub reason: Option<String>,
}

/// What came of a scanner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scanned {
    /// Which.
    pub scanner: Scanner,
    /// What it found; `None`: it is not installed.
    pub findings: Option<Vec<Judged>>,
    /// What is explained and was not found.
    pub outdated: Vec<String>,
}

impl Explanations {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or an entry has no reason.
    pub fn read(path: &Path) -> Result<Explanations, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        Explanations::parse(&text).map_err(|problem| Error::content(path, problem))
    }

    fn parse(text: &str) -> Result<Explanations, String> {
        let read: Explanations = toml::from_str(text).map_err(|error| error.to_string())?;
        match read.explained.iter().find(|known| known.reason.trim().is_empty() || known.of.is_empty()) {
            Some(known) => {
                Err(format!("{:?} of {} has no reason or no place", known.says, known.scanner.name()))
            }
            None => Ok(read),
        }
    }

    /// Puts findings and reasons together.
    pub fn judge(&self, scanner: Scanner, findings: Option<Vec<Finding>>) -> Scanned {
        let known = || self.explained.iter().filter(|known| known.scanner == scanner);
        let findings = findings.map(|findings| {
            let judged = findings.into_iter().map(|finding| {
                let reason = known().find(|known| known.explains(&finding)).map(|known| known.reason.clone());
                Judged { finding, reason }
            });
            judged.collect::<Vec<_>>()
        });
        let is_found = |of: &str, says: &str| match &findings {
            Some(found) => {
                found.iter().any(|Judged { finding, .. }| finding.of == of && finding.says.contains(says))
            }
            None => true,
        };
        let places = known().flat_map(|known| known.of.iter().map(|of| (of, &known.says)));
        let outdated = places.filter(|(of, says)| !is_found(of, says));
        let outdated = outdated.map(|(of, says)| format!("{of}: {says}")).collect();
        Scanned { scanner, findings, outdated }
    }
}

impl Explanation {
    fn explains(&self, finding: &Finding) -> bool {
        self.of.contains(&finding.of) && finding.says.contains(&self.says)
    }
}

impl Scanned {
    /// How many findings there are, and how many of them are explained.
    pub fn counts(&self) -> (usize, usize) {
        let findings = self.findings.as_deref().unwrap_or_default();
        (findings.len(), findings.iter().filter(|judged| judged.reason.is_some()).count())
    }

    /// What somebody has to look at: findings that nobody explains, explanations of what is not found.
    pub fn wrong(&self) -> Vec<String> {
        let findings = self.findings.iter().flatten().filter(|judged| judged.reason.is_none());
        let new = findings.map(|Judged { finding, .. }| format!("{}: {}", finding.of, finding.says));
        new.chain(self.outdated.iter().map(|entry| format!("explained, but not found any more: {entry}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[explained]]\nscanner = 'testssl'\nof = ['cloud HSTS', 'desktop HSTS']\nsays = 'not offered'\n\
                        reason = 'it is no web site'\n";

    fn judged(findings: &[(&str, &str)]) -> Scanned {
        let findings = findings.iter().map(|(of, says)| Finding::new(*of, *says)).collect();
        Explanations::parse(TEXT).unwrap().judge(Scanner::Testssl, Some(findings))
    }

    #[test]
    fn explained_findings_are_no_trouble_and_others_are() {
        let both = [("cloud HSTS", "not offered"), ("desktop HSTS", "not offered")];
        assert_eq!((judged(&both).wrong(), judged(&both).counts()), (Vec::new(), (2, 2)));
        let more = judged(&[both[0], both[1], ("cloud HSTS", "too short"), ("cloud RC4", "not offered")]);
        assert_eq!(more.wrong(), ["cloud HSTS: too short", "cloud RC4: not offered"]);
    }

    #[test]
    fn explanation_of_nothing_is_trouble_unless_nobody_looked() {
        let one = judged(&[("cloud HSTS", "not offered")]);
        assert_eq!(one.wrong(), ["explained, but not found any more: desktop HSTS: not offered"]);
        let explanations = Explanations::parse(TEXT).unwrap();
        assert!(explanations.judge(Scanner::Testssl, None).wrong().is_empty());
        assert!(explanations.judge(Scanner::Sslyze, Some(Vec::new())).wrong().is_empty());
    }

    #[test]
    fn explanation_needs_a_reason() {
        assert!(Explanations::parse(&TEXT.replace("it is no web site", " ")).is_err());
        assert!(Explanations::parse(&TEXT.replace("'testssl'", "'nmap'")).is_err());
    }
}
