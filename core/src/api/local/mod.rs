//! What the daemon tells the command line, the tray, the window and scripts: the documents of the local API and of
//! `--json`. `docs/local-api.md` lists the requests.
//!
//! Fields are only ever added. Times are RFC 3339 in UTC; paths are text, with `\u{FFFD}` for what is not UTF-8. Secrets
//! are [`SecretText`](super::hex::SecretText): they are wiped after use, and not printed.

mod account;
mod activity;
mod autostart;
mod browser;
mod conflicts;
mod control;
mod encrypted;
mod files;
mod folders;
mod people;
mod refusal;
mod settings;
mod trash;

pub use account::*;
pub use activity::*;
pub use autostart::*;
pub use browser::*;
pub use conflicts::*;
pub use control::*;
pub use encrypted::*;
pub use files::*;
pub use folders::*;
pub use people::*;
pub use refusal::*;
pub use settings::*;
pub use trash::*;
