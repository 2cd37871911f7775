//! A small set of the feeds: its members, its control file (FILE-1 to FILE-3), one thing that is wrong with it, and the way it goes.

use serde::Deserialize;

use super::archive::ZipRecipe;
use super::demo::Demo;
use super::message::MessageRecipe;
use super::names::{Names, values_of_set};
use super::{Upshot, intake, ledger};
use crate::Error;
use crate::expect::Shows;
use crate::template::Values;

/// A set. Its names are made of `${platform}`, `${code}` and `${stamp}`, which no other case has; of it come `${zip_0}`, `${zip_1}`,
/// `${control}`, `${set}` and the members of the first zip, `${member_0}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SetRecipe {
    /// `tds` or `psn`.
    pub feed: String,
    /// How many zips it has.
    pub zips: usize,
    /// The names of the first zip's members, in place of the usual two.
    pub members: Vec<String>,
    /// What is replaced in all names, by what.
    pub names: Vec<(String, String)>,
    /// What is replaced in the control file, by what.
    pub control: Vec<(String, String)>,
    /// How the first zip differs from what the control file lists.
    pub zip: ZipRecipe,
    /// How the first file that is put into the inbox or the outbox differs from a good message.
    pub message: MessageRecipe,
    /// Which files there are, in their order: `zip_0`, `control`. By default all zips, then the control file.
    pub files: Vec<String>,
    /// How it gets to who is to read it.
    pub by: By,
    /// It comes once more.
    pub again: Option<Again>,
}

impl Default for SetRecipe {
    fn default() -> SetRecipe {
        SetRecipe {
            feed: "tds".into(),
            zips: 1,
            members: Vec::new(),
            names: Vec::new(),
            control: Vec::new(),
            zip: ZipRecipe::default(),
            message: MessageRecipe::default(),
            files: Vec::new(),
            by: By::Inbox,
            again: None,
        }
    }
}

/// How a set gets to who is to read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Its files are put into the provider's inbox, encrypted and signed here.
    #[default]
    Inbox,
    /// `irgw delivery submit`; the gateway delivers it.
    Submit,
    /// The other way: its files are put into the provider's outbox, encrypted and signed here; the gateway fetches them.
    Outbox,
}

/// What comes once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// The same files.
    Same,
    /// Files of the same names with other contents.
    Changed,
}

impl SetRecipe {
    /// With its feed's name and the files' filled in.
    pub(super) fn filled_in(&self, values: &Values) -> Result<SetRecipe, Error> {
        let files = self.files.iter().map(|file| values.text(file)).collect::<Result<_, Error>>()?;
        Ok(SetRecipe { feed: values.text(&self.feed)?, files, ..self.clone() })
    }
}

/// A file: its name and its content.
pub(super) type File = (String, Vec<u8>);

impl SetRecipe {
    /// Makes the set, and lets it go its way.
    pub(super) fn transfer(&self, demo: &Demo, number: u32, values: &mut Values) -> Result<Upshot, Error> {
        let set = values_of_set(self, values)?;
        let files = self.make(&set, values)?;
        let first = self.go(demo, number, &set, &files, values)?;
        match self.again {
            Some(again) if first.shows == Shows::Accepted => {
                let files = match again {
                    Again::Same => files,
                    Again::Changed => changed(self, &set, values)?,
                };
                self.go(demo, number, &set, &files, values)
            }
            _ => Ok(first),
        }
    }

    fn go(
        &self,
        demo: &Demo,
        number: u32,
        set: &Names,
        files: &[File],
        values: &Values,
    ) -> Result<Upshot, Error> {
        let end = demo.end(self.by)?;
        let since = end.events(&self.feed).now();
        match self.by {
            By::Inbox | By::Outbox => intake::put(demo, end, &self.message, files, values)?,
            By::Submit => match ledger::submit(demo, number, &demo.provider, &self.feed, files)? {
                Ok(delivery) => {
                    let upshot = ledger::end(demo, &delivery, true)?;
                    if upshot.shows == Shows::Refused || delivery.was_submitted_before {
                        return Ok(upshot);
                    }
                }
                Err(refused) => return Ok(refused),
            },
        }
        intake::upshot(end, &self.feed, since, &set.set(), files)
    }

    /// The files in their order.
    pub(super) fn make(&self, set: &Names, values: &Values) -> Result<Vec<File>, Error> {
        let mut all = Vec::new();
        for (number, (name, members)) in set.zips.iter().enumerate() {
            let contents: Vec<(String, String)> = members
                .iter()
                .enumerate()
                .map(|(number, name)| (name.clone(), self.content(number)))
                .collect();
            let as_listed = ZipRecipe::default();
            let recipe = if number == 0 { &self.zip } else { &as_listed };
            all.push((format!("zip_{number}"), (name.clone(), recipe.zip(&contents, values)?)));
        }
        let mut control = self.control_file(set);
        for (from, to) in &self.control {
            control = replaced(&control, &values.text(from)?, &values.text(to)?)?;
        }
        all.push(("control".to_owned(), (set.control.clone(), control.into_bytes())));
        if self.files.is_empty() {
            return Ok(all.into_iter().map(|(_, file)| file).collect());
        }
        let wanted = self.files.iter().map(|wanted| {
            let found = all.iter().find(|(key, _)| key == wanted).map(|(_, file)| file.clone());
            found.ok_or_else(|| Error::recipe(format_args!("the set has no {wanted}")))
        });
        wanted.collect()
    }

    /// One period with one record more than the member's number.
    fn content(&self, number: usize) -> String {
        let record = match self.feed.as_str() {
            "psn" => "<returnStatus><submissionKey>7</submissionKey></returnStatus>",
            _ => "<Tx Amt=\"1.00\" />",
        };
        format!("<Customers><Period>{}</Period></Customers>", record.repeat(number + 1))
    }

    fn control_file(&self, set: &Names) -> String {
        let counted = if self.feed == "psn" { "ReturnCount" } else { "TransactionCount" };
        let counts = |prefix: &str, records: usize, periods: usize| {
            format!("{prefix}{counted}=\"{records}\" {prefix}PeriodCount=\"{periods}\"")
        };
        let records = |members: &[String]| (1..=members.len()).sum::<usize>();
        let (mut zips, mut all_records, mut all_periods) = (String::new(), 0, 0);
        for (name, members) in &set.zips {
            let child = |(number, name): (usize, &String)| {
                format!("    <ChildFile FileName=\"{name}\" {} />\n", counts("", number + 1, 1))
            };
            let children: String = members.iter().enumerate().map(child).collect();
            let counts = counts("", records(members), members.len());
            zips.push_str(&format!(
                "  <FileTransfer FileName=\"{name}\" {counts}>\n{children}  </FileTransfer>\n"
            ));
            all_records += records(members);
            all_periods += members.len();
        }
        let totals = counts("Total", all_records, all_periods);
        format!("<?xml version=\"1.0\"?>\n<FileTransfers {totals}>\n{zips}</FileTransfers>")
    }
}

/// The files of a set with one record more in them.
fn changed(recipe: &SetRecipe, set: &Names, values: &Values) -> Result<Vec<File>, Error> {
    let flaw = Some("counts".to_owned());
    let mut other = SetRecipe { zip: ZipRecipe { flaw, ..ZipRecipe::default() }, ..recipe.clone() };
    // The control file says so, for a set that disagrees with itself is refused for that.
    let counted = |total: &str, count: usize| format!("{total}TransactionCount=\"{count}\"");
    for (from, to) in [(3, 4), (1, 2)] {
        other.control.push((counted(" ", from), counted(" ", to)));
    }
    other.control.push((counted("Total", 3), counted("Total", 4)));
    other.make(set, values)
}

fn replaced(text: &str, from: &str, to: &str) -> Result<String, Error> {
    match text.contains(from) {
        true => Ok(text.replacen(from, to, 1)),
        false => Err(Error::recipe(format_args!("the control file does not hold {from:?}: {text}"))),
    }
}
