//! Carries deliveries out, one attempt at a time (SFTP-3 to SFTP-5).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use irgw_core::Clock;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::connect::{Dialer, connect};
use super::seal::{Seal, Sealing};
use super::{Delivery, DeliveryFault, Event, Ledger, Parcel, Partner, Sealed, Stage, Turn, Watch};
use crate::fileset::{self, SetId};
use crate::pgp::{EncryptError, OwnKey};
use crate::ssh::Pinned;
use crate::ssh::sftp::{self, FileName, ListLimits, Remote, RemotePath, Start};
use crate::{SUFFIX, sealed_name};

/// What connects, seals and uploads.
///
/// A file goes up under a temporary name, is checked, and gets its own name by a rename that overwrites nothing. Before the
/// rename the [`Ledger`] says what is about to have that name; so after a crash or a lost answer the next attempt can tell its own
/// file from anybody else's:
///
/// | the ledger says | the temporary file | the final name | what is done |
/// |---|---|---|---|
/// | waiting | – | free | upload |
/// | waiting | – | taken | it is not ours: an operator decides |
/// | sealed | there, whole | free | rename |
/// | sealed | there, not whole | free | upload again |
/// | sealed | gone | there, of the sealed size | it is ours: delivered |
/// | sealed | gone | free | it was ours, and the provider has taken it: delivered |
/// | sealed | gone | there, of another size | it is not ours: an operator decides |
/// | sealed | there, whole | there, of the sealed size | it is ours: a rename that is in its middle, or was cut there |
/// | sealed | there, not whole | taken | it is not ours: an operator decides |
/// | sealed | there | there, of another size | it is not ours: an operator decides |
///
/// What a server answers to a rename does not decide: an earlier attempt's request may come to it late, and some say what is not
/// so. What is there afterwards does.
///
/// What has both names keeps them: an earlier attempt's rename may be under way, and OpenSSH's server takes the new name away again when
/// it finds the old one gone. A temporary name that stays is swept by the next delivery.
///
/// An upload that was cut is begun anew: encryption makes other bytes each time, and no copy of them is kept. The temporary name
/// has the turn's number in it, so that two processes, of which one does not know yet that its turn is over, never write
/// the same file.
pub struct Courier<L, W> {
    /// Where progress is kept.
    pub ledger: Arc<L>,
    /// Who watches.
    pub watch: Arc<W>,
    /// What files are signed with.
    pub signer: Arc<OwnKey>,
    /// What connects.
    pub dialer: Dialer,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl<L: Ledger + 'static, W: Watch> Courier<L, W> {
    /// Makes one attempt to bring every file of a delivery, which lie in `folder`, to the server: the zips over as many
    /// connections as the partner allows, the control file when they have their names.
    ///
    /// # Errors
    /// The first thing that stopped a file; the others went on. What was reached stands in the ledger.
    pub async fn carry_out(
        self: &Arc<Self>,
        partner: &Arc<Partner>,
        delivery: &Delivery,
        folder: &Path,
    ) -> Result<(), DeliveryFault> {
        let open = |parcel: &&Parcel| !matches!(parcel.stage, Stage::Delivered { .. });
        let Some((last, earlier)) = delivery.parcels.split_last() else { return Ok(()) };
        let waiting: Vec<Parcel> = earlier.iter().filter(open).cloned().collect();
        let mut first = self.connect(partner, delivery.turn).await?;
        self.sweep(&mut first, partner, delivery).await?;
        let connections = usize::from(partner.connections.get()).min(waiting.len());
        let run = Run {
            courier: self.clone(),
            partner: partner.clone(),
            turn: delivery.turn,
            folder: folder.to_owned(),
            waiting: Arc::new(Mutex::new(waiting.into_iter())),
        };
        let mut runs = JoinSet::new();
        for _ in 1..connections {
            let run = run.clone();
            runs.spawn(async move {
                let mut remote = run.courier.connect(&run.partner, run.turn).await?;
                let done = run.work(&mut remote).await;
                part(remote, &done).await;
                done
            });
        }
        let mut outcome = run.work(&mut first).await;
        while let Some(ended) = runs.join_next().await {
            outcome = outcome.and(ended.unwrap_or(Err(DeliveryFault::Crashed)));
        }
        if outcome.is_ok() && open(&last) {
            outcome = run.deliver(&mut first, last).await;
        }
        part(first, &outcome).await;
        outcome
    }

    async fn connect(&self, partner: &Partner, turn: Turn) -> Result<Remote, DeliveryFault> {
        let (remote, pinned) = connect(&self.dialer, partner).await?;
        if pinned == Pinned::Next {
            self.watch.on(turn.delivery, &Event::NextHostKey);
        }
        Ok(remote)
    }

    /// Removes what earlier attempts at this feed left under temporary names, but for what the ledger says is whole. Other
    /// platforms and environments may have the same inbox, and deliveries of their own under way there.
    ///
    /// A server that shows us no listing is left as it is.
    async fn sweep(
        &self,
        remote: &mut Remote,
        partner: &Partner,
        delivery: &Delivery,
    ) -> Result<(), DeliveryFault> {
        let sealed: Vec<&str> = delivery.parcels.iter().filter_map(sealed_as).collect();
        let is_ours = |set: SetId| {
            let ours = (delivery.feed, partner.platform, partner.environment);
            (set.series.feed(), set.platform, set.environment) == ours
        };
        let stale = |name: &FileName| {
            set_of_temporary(name.as_str()).is_some_and(is_ours) && !sealed.contains(&name.as_str())
        };
        let listing = match remote.list(&partner.inbox, ListLimits::default(), stale).await {
            Ok(listing) => listing,
            Err(sftp::Error::Permission(_) | sftp::Error::Refused { .. } | sftp::Error::TooMany { .. }) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for (name, _) in listing.files {
            match remote.remove(&partner.inbox.file(&name)).await {
                Ok(()) => self.watch.on(delivery.turn.delivery, &Event::Swept(name.as_str())),
                Err(
                    sftp::Error::NoSuchFile(_) | sftp::Error::Permission(_) | sftp::Error::Refused { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// One attempt at one delivery, on one connection of perhaps several.
struct Run<L, W> {
    courier: Arc<Courier<L, W>>,
    partner: Arc<Partner>,
    turn: Turn,
    folder: PathBuf,
    waiting: Arc<Mutex<std::vec::IntoIter<Parcel>>>,
}

impl<L, W> Clone for Run<L, W> {
    fn clone(&self) -> Run<L, W> {
        Run {
            courier: self.courier.clone(),
            partner: self.partner.clone(),
            turn: self.turn,
            folder: self.folder.clone(),
            waiting: self.waiting.clone(),
        }
    }
}

/// What there is of a file that was about to have its name.
enum Found {
    /// It has it.
    Named,
    /// It is gone under both names: the provider has taken it.
    Taken,
    /// It must be uploaded again.
    Nothing,
}

/// Where a file is on its way, and where it is to be.
struct Places {
    temporary: RemotePath,
    r#final: RemotePath,
}

impl<L: Ledger + 'static, W: Watch> Run<L, W> {
    /// Delivers what is waiting until nothing is, or something stops it.
    async fn work(&self, remote: &mut Remote) -> Result<(), DeliveryFault> {
        loop {
            let Some(parcel) = self.waiting.lock().await.next() else { return Ok(()) };
            self.deliver(remote, &parcel).await?;
        }
    }

    /// Brings one file from where it is to its name.
    async fn deliver(&self, remote: &mut Remote, parcel: &Parcel) -> Result<(), DeliveryFault> {
        let places = self.places(parcel)?;
        let found = match &parcel.stage {
            Stage::Delivered { .. } => return Ok(()),
            Stage::Waiting => Found::Nothing,
            Stage::Sealed(sealed) => self.find(remote, sealed, &places).await?,
        };
        match found {
            Found::Named => self.on(&Event::Found(&parcel.name)),
            Found::Taken => self.on(&Event::Taken(&parcel.name)),
            Found::Nothing => {
                let sealed = self.upload(remote, parcel, &places).await?;
                self.rename(remote, &places, &sealed).await?;
                self.on(&Event::Renamed(&parcel.name));
            }
        }
        let (turn, number, now) = (self.turn, parcel.number, self.courier.clock.now());
        self.write(move |ledger| ledger.deliver(turn, number, now)).await?;
        self.on(&Event::Delivered(&parcel.name));
        Ok(())
    }

    /// Looks for a file that was about to have its name, and gives it that if it has it not yet.
    async fn find(
        &self,
        remote: &mut Remote,
        sealed: &Sealed,
        places: &Places,
    ) -> Result<Found, DeliveryFault> {
        let was = places.temporary.folder().file(&name(&sealed.temporary)?);
        let (temporary, there) = (size(remote, &was).await?, size(remote, &places.r#final).await?);
        match (temporary, there) {
            (Some(size), None) if size == sealed.bytes => {
                let renamed = Places { temporary: was, r#final: places.r#final.clone() };
                self.rename(remote, &renamed, sealed).await.map(|()| Found::Named)
            }
            (Some(size), Some(named)) if size == sealed.bytes && named == size => Ok(Found::Named),
            (Some(_), None) => {
                remote.remove(&was).await?;
                Ok(Found::Nothing)
            }
            (None, Some(size)) if size == sealed.bytes => Ok(Found::Named),
            (None, None) => Ok(Found::Taken),
            (_, Some(_)) => Err(taken(&places.r#final)),
        }
    }

    /// Uploads a file under its temporary name, and tells the ledger that it is whole.
    async fn upload(
        &self,
        remote: &mut Remote,
        parcel: &Parcel,
        places: &Places,
    ) -> Result<Sealed, DeliveryFault> {
        let now = self.courier.clock.now();
        // Before there is a file, which would stay empty.
        self.partner.certificate.encryption_key(now).map_err(EncryptError::Recipient)?;
        if size(remote, &places.r#final).await?.is_some() {
            return Err(taken(&places.r#final));
        }
        self.on(&Event::Uploading(&parcel.name));
        let seal = Seal {
            recipient: self.partner.certificate.clone(),
            signer: self.courier.signer.clone(),
            compression: self.partner.compression,
            now,
        };
        let (courier, delivery, of) = (self.courier.clone(), self.turn.delivery, parcel.name.clone());
        let progress = move |bytes| courier.watch.on(delivery, &Event::Progress(&of, bytes));
        let mut sealing = Sealing::begin(&self.folder, parcel, seal, progress);
        let uploaded = remote.upload(&places.temporary, Start::Afresh, &mut sealing).await;
        let ended = sealing.end().await;
        let (bytes, digest) = match (uploaded, ended) {
            (Ok(bytes), Ok(digest)) => (bytes, digest),
            // What the sealing thread found is the cause, unless it only found that nobody reads any more.
            (Err(sftp::Error::Source(_)), Err(fault)) | (Ok(_), Err(fault)) => return Err(fault),
            (Err(error), _) => return Err(error.into()),
        };
        self.on(&Event::Uploaded(&parcel.name));
        let temporary = places.temporary.name().as_str().to_owned();
        let sealed = Sealed { temporary, bytes, digest };
        let (turn, number, written) = (self.turn, parcel.number, sealed.clone());
        self.write(move |ledger| ledger.seal(turn, number, &written)).await?;
        self.on(&Event::Sealed(&parcel.name, &sealed));
        Ok(sealed)
    }

    /// Gives a file its name, and looks whether it has it.
    async fn rename(
        &self,
        remote: &mut Remote,
        places: &Places,
        sealed: &Sealed,
    ) -> Result<(), DeliveryFault> {
        let fault = match remote.rename(&places.temporary, &places.r#final).await {
            Ok(()) => None,
            Err(sftp::Error::Exists) => Some(taken(&places.r#final)),
            Err(error @ sftp::Error::NoSuchFile(_)) => Some(error.into()),
            Err(error) => return Err(error.into()),
        };
        match fault {
            // The provider may have taken it by now: what has the name, if anything, says nothing.
            None if size(remote, &places.temporary).await?.is_none() => Ok(()),
            None => Err(DeliveryFault::NotRenamed { name: places.r#final.name().as_str().to_owned() }),
            // An earlier attempt's rename, perhaps in its middle.
            Some(_) if size(remote, &places.r#final).await? == Some(sealed.bytes) => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    fn places(&self, parcel: &Parcel) -> Result<Places, DeliveryFault> {
        let (sealed, inbox) = (sealed_name(&parcel.name), &self.partner.inbox);
        let temporary = temporary_name(&sealed, self.turn.number);
        Ok(Places { temporary: inbox.file(&name(&temporary)?), r#final: inbox.file(&name(&sealed)?) })
    }

    /// Writes to the ledger, on a thread that may wait for the disk.
    async fn write(
        &self,
        write: impl FnOnce(&L) -> Result<(), super::LedgerFault> + Send + 'static,
    ) -> Result<(), DeliveryFault> {
        let ledger = self.courier.ledger.clone();
        let written = tokio::task::spawn_blocking(move || write(&ledger)).await;
        Ok(written.map_err(|_| DeliveryFault::Crashed)??)
    }

    fn on(&self, event: &Event<'_>) {
        self.courier.watch.on(self.turn.delivery, event);
    }
}

/// Ends a connection: with the courtesies, unless something went wrong, since then the far end may be one that answers nothing.
async fn part(remote: Remote, outcome: &Result<(), DeliveryFault>) {
    if outcome.is_ok() {
        remote.into_stream().finish().await;
    }
}

/// The size of a regular file; `None` when there is nothing.
async fn size(remote: &mut Remote, path: &RemotePath) -> Result<Option<u64>, DeliveryFault> {
    match remote.look(path).await {
        Ok(file) => Ok(Some(file.size)),
        Err(sftp::Error::NoSuchFile(_)) => Ok(None),
        Err(sftp::Error::NotRegular) => Err(taken(path)),
        Err(error) => Err(error.into()),
    }
}

fn taken(path: &RemotePath) -> DeliveryFault {
    DeliveryFault::NameTaken { name: path.name().as_str().to_owned() }
}

fn name(text: &str) -> Result<FileName, DeliveryFault> {
    text.parse().map_err(|_| DeliveryFault::Name { name: text.to_owned() })
}

fn sealed_as(parcel: &Parcel) -> Option<&str> {
    match &parcel.stage {
        Stage::Sealed(sealed) => Some(&sealed.temporary),
        Stage::Waiting | Stage::Delivered { .. } => None,
    }
}

/// The name under which a turn uploads: hidden from those who look for names of the feeds.
fn temporary_name(sealed: &str, turn: u64) -> String {
    format!(".{sealed}.{turn}{TEMPORARY}")
}

/// The set of a file under a temporary name of ours.
fn set_of_temporary(name: &str) -> Option<SetId> {
    let (sealed, turn) = name.strip_prefix('.')?.strip_suffix(TEMPORARY)?.rsplit_once('.')?;
    let is_number = !turn.is_empty() && turn.bytes().all(|byte| byte.is_ascii_digit());
    let name = sealed.strip_suffix(SUFFIX)?.parse().ok().filter(|_| is_number)?;
    match name {
        fileset::FileName::Zip(fileset::ZipName(stem))
        | fileset::FileName::Control(fileset::ControlName(stem)) => Some(stem.set_id()),
        fileset::FileName::Member(_) => None,
    }
}

const TEMPORARY: &str = ".part";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fileset::ZipName;

    #[test]
    fn temporary_names_are_told_by_their_set() {
        let name = "DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip";
        let temporary = temporary_name(&sealed_name(name), 7);
        let zip: ZipName = name.parse().unwrap();
        assert_eq!(set_of_temporary(&temporary), Some(zip.0.set_id()));
        for other in [name, &sealed_name(name), ".x.pgp.7.part", &temporary.replace(".7.", ".x.")] {
            assert_eq!(set_of_temporary(other), None, "{other}");
        }
    }
}
