//! The routes, driven as a client drives them. The databases are SQLite files; PostgreSQL where `ENSAFER_TEST_POSTGRES`
//! is the URL of a cluster that these tests may make databases in.

mod account;
mod admin;
mod groups;
mod invitation_mails;
mod invitations;
mod limits;
mod login;
mod mails;
pub(crate) mod persona;
mod races;
mod refusals;
mod registration;
mod schema;
mod sessions;
mod timing;
pub(crate) mod world;
