//! Files that the page has made: whoever sits there says where each is to lie.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gtk::gio::{Cancellable, File};
use gtk::prelude::*;
use gtk::{
    ApplicationWindow, ButtonsType, DialogFlags, FileChooserAction, FileChooserNative, MessageDialog,
    MessageType, ResponseType,
};
use tempfile::TempDir;
use webkit2gtk::{
    Download, DownloadError, DownloadExt, URIRequestExt, WebContext, WebContextExt, WebViewExt,
};

use crate::address::Leads;

/// A file that is on its way to the disk, in a directory that only its owner can enter until it is whole: one of the chosen
/// name stays as it is where something goes wrong. The directory goes with this.
#[derive(Debug)]
struct Saving {
    directory: TempDir,
    chosen: PathBuf,
}

impl Saving {
    fn to(chosen: PathBuf) -> io::Result<Self> {
        let beside = chosen.parent().unwrap_or(Path::new("/"));
        let mode = Permissions::from_mode(0o700);
        let directory = tempfile::Builder::new().prefix(".ensafer-").permissions(mode).tempdir_in(beside)?;
        Ok(Self { directory, chosen })
    }

    /// Where it is written.
    fn part(&self) -> PathBuf {
        self.directory.path().join("part")
    }

    /// Gives what has been written its name. It is for its owner only: it may be somebody's account.
    fn finish(self) -> io::Result<()> {
        let part = self.part();
        fs::set_permissions(&part, Permissions::from_mode(0o600))?;
        fs::File::open(&part)?.sync_all()?;
        fs::rename(&part, &self.chosen)
    }
}

/// Has the files that pages of `context` make saved where somebody says in a dialog of `window`'s. What goes wrong is
/// shown; that a file was saved, the page says.
pub fn offer(context: &WebContext, window: &ApplicationWindow) {
    let window = window.downgrade();
    context.connect_download_started(move |_, download| {
        let address = download.request().and_then(|request| request.uri()).unwrap_or_default();
        match window.upgrade() {
            Some(window) if Leads::to(&address) == Leads::ToDisk => save(download, &window),
            _ => download.cancel(),
        }
    });
}

fn save(download: &Download, window: &ApplicationWindow) {
    let saving = Rc::new(RefCell::new(None));
    let (kept, parent) = (Rc::clone(&saving), window.downgrade());
    download.connect_decide_destination(move |download, name| {
        match parent.upgrade() {
            Some(window) => choose(download, name, &window, &kept),
            None => download.cancel(),
        }
        true
    });
    let (failed, parent) = (Rc::clone(&saving), window.downgrade());
    download.connect_failed(move |_, error| {
        failed.take();
        if !error.matches(DownloadError::CancelledByUser) {
            tell(parent.upgrade().as_ref(), error.message());
        }
    });
    let parent = window.downgrade();
    // After a failure, too; nothing is left to be finished then.
    download.connect_finished(move |download| match saving.take().map(Saving::finish) {
        Some(Ok(())) => tell_page(download),
        Some(Err(error)) => tell(parent.upgrade().as_ref(), &error.to_string()),
        None => {}
    });
}

/// Asks where the file is to lie, and goes on, or gives up, with the answer.
fn choose(download: &Download, name: &str, window: &ApplicationWindow, saving: &Rc<RefCell<Option<Saving>>>) {
    let (save, cancel) = (Some("_Save"), Some("_Cancel"));
    let chooser = FileChooserNative::new(Some("Save"), Some(window), FileChooserAction::Save, save, cancel);
    chooser.set_modal(true);
    chooser.set_do_overwrite_confirmation(true);
    chooser.set_current_name(name);
    // Nobody else holds it while it is shown.
    let held = RefCell::new(Some(chooser.clone()));
    let (download, saving, parent) = (download.clone(), Rc::clone(saving), window.downgrade());
    chooser.connect_response(move |chooser, response| {
        let chosen = chooser.filename().filter(|_| response == ResponseType::Accept);
        match chosen.map(Saving::to) {
            Some(Ok(to)) => begin(&download, to, &saving),
            Some(Err(error)) => {
                download.cancel();
                tell(parent.upgrade().as_ref(), &error.to_string());
            }
            None => download.cancel(),
        }
        held.take();
    });
    chooser.show();
}

fn begin(download: &Download, to: Saving, saving: &Rc<RefCell<Option<Saving>>>) {
    let address = File::for_path(to.part()).uri();
    saving.replace(Some(to));
    download.set_destination(&address);
}

/// The page says that the file lies there; `daemon/ui/app.js` listens for it.
fn tell_page(download: &Download) {
    const SAVED: &str = "dispatchEvent(new Event('ensafer-saved'))";
    if let Some(view) = download.web_view() {
        view.evaluate_javascript(SAVED, None, None, Cancellable::NONE, |_| {});
    }
}

fn tell(window: Option<&ApplicationWindow>, why: &str) {
    let text = "The file was not saved";
    let dialog = MessageDialog::new(window, DialogFlags::MODAL, MessageType::Error, ButtonsType::Close, text);
    dialog.set_title(text);
    dialog.set_secondary_text(Some(why));
    dialog.connect_response(|dialog, _| dialog.close());
    dialog.show();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saving(directory: &Path, bytes: &[u8]) -> Saving {
        let saving = Saving::to(directory.join("account")).unwrap();
        let mode = fs::metadata(saving.directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(saving.part(), bytes).unwrap();
        saving
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let chosen = root.path().join("account");
        fs::write(&chosen, b"an earlier one").unwrap();
        drop(saving(root.path(), b"half"));
        assert_eq!(fs::read(&chosen).unwrap(), b"an earlier one");
        saving(root.path(), b"whole").finish().unwrap();
        assert_eq!(fs::read(&chosen).unwrap(), b"whole");
        assert_eq!(fs::metadata(&chosen).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&chosen).unwrap();
        fs::create_dir(&chosen).unwrap();
        saving(root.path(), b"whole").finish().unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
