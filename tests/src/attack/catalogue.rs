//! `attacks.toml`: every attack in one sentence, by section.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attacks {
    section: Vec<AttackSection>,
    /// What no test that runs can show, by id, and what holds it instead.
    #[serde(default)]
    held: BTreeMap<String, String>,
}

/// A section, such as `B`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackSection {
    /// One letter.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// Its attacks by id, each in a sentence.
    pub attacks: BTreeMap<String, String>,
}

impl Attacks {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or an id is not of its section, is not a letter and two digits, or is held and not there.
    pub fn read(path: &Path) -> Result<Attacks, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let attacks: Attacks = toml::from_str(&text).map_err(|error| Error::content(path, error))?;
        for section in &attacks.section {
            let is_of_it = |id: &&String| {
                id.strip_prefix(section.id.as_str()).is_some_and(|number| {
                    number.len() == 2 && number.bytes().all(|digit| digit.is_ascii_digit())
                })
            };
            if let Some(id) = section.attacks.keys().find(|id| !is_of_it(id)) {
                return Err(Error::content(
                    path,
                    format_args!("{id} is no attack of section {}", section.id),
                ));
            }
        }
        match attacks.held.keys().find(|id| attacks.sentence(id).is_none()) {
            Some(id) => Err(Error::content(path, format_args!("there is no attack {id}"))),
            None => Ok(attacks),
        }
    }

    /// The sections in their order.
    pub fn sections(&self) -> &[AttackSection] {
        &self.section
    }

    /// Every id with its sentence, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let attacks = self.section.iter().flat_map(|section| &section.attacks);
        attacks.map(|(id, sentence)| (id.as_str(), sentence.as_str()))
    }

    /// An attack in a sentence.
    pub fn sentence(&self, id: &str) -> Option<&str> {
        self.all().find(|(known, _)| *known == id).map(|(_, sentence)| sentence)
    }

    /// What holds an attack that no test can show.
    pub fn held(&self, id: &str) -> Option<&str> {
        self.held.get(id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Attacks, String> {
        let path = std::env::temp_dir().join(format!("irgw-tests-attacks-{}.toml", text.len()));
        std::fs::write(&path, text).unwrap();
        let read = Attacks::read(&path).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        read
    }

    #[test]
    fn ids_are_of_their_section() {
        let section =
            |id| format!("[[section]]\nid = \"A\"\ntitle = \"t\"\n[section.attacks]\n{id} = \"x\"\n");
        assert_eq!(read(&section("A01")).unwrap().sentence("A01"), Some("x"));
        for id in ["B01", "A1", "A001", "Axy"] {
            assert!(read(&section(id)).unwrap_err().contains(id), "{id}");
        }
        let held = section("A01") + "[held]\nA02 = \"deny.toml\"";
        assert!(read(&held).unwrap_err().contains("there is no attack A02"));
    }

    #[test]
    fn the_file_has_seven_sections() {
        let attacks = Attacks::read(&crate::folder().join("attacks.toml")).unwrap();
        let sections: String = attacks.sections().iter().map(|section| section.id.as_str()).collect();
        assert_eq!(sections, "ABCDEFG");
        assert!(attacks.all().all(|(_, sentence)| sentence.ends_with('.') && sentence.len() > 20));
    }
}
