//! SQLite: one file, or memory, for the processes of one machine.

pub(crate) mod connections;
pub(crate) mod database;
mod files;
pub(crate) mod group;
