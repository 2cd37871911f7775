//! The attacks as a pack that runs: for each id its cases and its trials against a target, and the tests that carry it elsewhere.
//!
//! ```text
//!  attacks.toml ──► Attacks ──┐
//!  cases with `attacks = […]` ┼──► attack ──► AttackReport: what came of every id
//!  Trial: openssl, races, …  ─┤
//!  comments above tests ──► Elsewhere
//! ```

mod catalogue;
mod elsewhere;
mod flood;
mod floods;
mod html;
mod lasting;
mod noise;
mod openssl;
mod pack;
mod peers;
mod races;
mod report;
mod stalling;
mod trial;

pub use catalogue::{AttackSection, Attacks};
pub use elsewhere::Elsewhere;
pub use flood::{Arrived, Flood, stream};
pub use pack::{Pack, attack, uncovered};
pub use report::{AttackCounts, AttackReport, AttackResult, TrialOutcome, TrialResult, Verdict};
pub use trial::{Came, Trial, installed, trials};
