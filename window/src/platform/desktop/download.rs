//! Files that the page has made: whoever sits there says where each is to lie.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::{fs, io};

use ensafer_client::home::Home;
use ensafer_client::private_file;
use rfd::{FileDialog, MessageDialog, MessageLevel};
use tao::window::Window;
use tempfile::TempDir;
use wry::WebViewBuilder;

use super::{MainThread, Request, system};
use crate::address::Leads;

/// The page says that the file lies there; `daemon/ui/app.js` listens for it.
pub const SAVED: &str = "dispatchEvent(new Event('ensafer-saved'))";

/// What it is called in its directory until it has its name.
const PART: &str = "part";

/// Files on their way to the disk, by the addresses that the page gave them. Each is first written into a directory of
/// Ensafer's own, which goes with it.
pub struct Downloads {
    cache: PathBuf,
    running: Rc<RefCell<HashMap<String, Running>>>,
}

struct Running {
    directory: TempDir,
    /// What the page calls it.
    name: String,
}

impl Downloads {
    /// None yet.
    pub fn new(home: &Home) -> Self {
        Self { cache: home.cache_dir().to_path_buf(), running: Rc::default() }
    }

    /// Has the web view write the files that its page makes. That one has come is told to `main`.
    pub fn offer<'a>(&self, view: WebViewBuilder<'a>, main: &MainThread) -> WebViewBuilder<'a> {
        let (cache, running, main) = (self.cache.clone(), Rc::clone(&self.running), main.clone());
        view.with_download_started_handler(move |address, path| {
            let is_own = Leads::to(&system::inside(&address)) == Leads::ToDisk;
            let Some(directory) = is_own.then(|| tempfile::tempdir_in(&cache).ok()).flatten() else {
                return false;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            *path = directory.path().join(PART);
            running.borrow_mut().insert(address, Running { directory, name });
            true
        })
        .with_download_completed_handler(move |address, _, is_whole| {
            main.ask(Request::Downloaded(address, is_whole));
        })
    }

    /// Asks where the file from `address` is to lie, and puts it there; whether it lies there. What goes wrong is shown.
    pub fn keep(&self, address: &str, is_whole: bool, window: &Window) -> bool {
        let Some(running) = self.running.borrow_mut().remove(address) else { return false };
        if !is_whole {
            tell(window, "It broke off.");
            return false;
        }
        let chosen = FileDialog::new().set_parent(window).set_file_name(&running.name).save_file();
        match chosen.map(|chosen| running.save(&chosen)) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tell(window, &error.to_string());
                false
            }
            None => false,
        }
    }
}

impl Running {
    /// Puts the whole file in the place of `chosen`, or leaves that as it was. It is for its owner only: it may be somebody's
    /// account.
    fn save(&self, chosen: &std::path::Path) -> io::Result<()> {
        private_file::replace(chosen, &fs::read(self.directory.path().join(PART))?)
    }
}

fn tell(window: &Window, why: &str) {
    let told = MessageDialog::new()
        .set_level(MessageLevel::Error)
        .set_title(super::TITLE)
        .set_description(format!("The file was not saved\n\n{why}"))
        .set_parent(window);
    told.show();
}
