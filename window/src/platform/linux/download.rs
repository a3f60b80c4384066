//! Files that the page has made: whoever sits there says where each is to lie.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

use gtk::gio::File;
use gtk::prelude::*;
use gtk::{
    ApplicationWindow, ButtonsType, DialogFlags, FileChooserAction, FileChooserNative, MessageDialog,
    MessageType, ResponseType,
};
use webkit2gtk::{Download, DownloadError, DownloadExt, URIRequestExt, WebContext, WebContextExt};

use crate::address::Leads;

/// A file that is on its way to the disk, under a name of its own until it is whole: one of the chosen name stays as it is
/// where something goes wrong.
#[derive(Debug)]
struct Saving {
    part: PathBuf,
    chosen: PathBuf,
}

impl Saving {
    fn to(chosen: PathBuf) -> Self {
        let mut name = OsString::from(".");
        name.push(chosen.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        Self { part: chosen.with_file_name(name), chosen }
    }

    /// Gives what has been written its name. It is for its owner only: it may be somebody's account.
    fn finish(self) -> io::Result<()> {
        let done = fs::set_permissions(&self.part, Permissions::from_mode(0o600))
            .and_then(|()| fs::File::open(&self.part)?.sync_all())
            .and_then(|()| fs::rename(&self.part, &self.chosen));
        if done.is_err() {
            self.give_up();
        }
        done
    }

    fn give_up(self) {
        // It may not have been made.
        let _ = fs::remove_file(self.part);
    }
}

/// Has the files that pages of `context` make saved where somebody says in a dialog of `window`'s. What goes wrong is shown.
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
        if let Some(saving) = failed.take() {
            saving.give_up();
        }
        if !error.matches(DownloadError::CancelledByUser) {
            tell(parent.upgrade().as_ref(), error.message());
        }
    });
    let parent = window.downgrade();
    // After a failure, too; nothing is left to be finished then.
    download.connect_finished(move |_| {
        if let Some(Err(error)) = saving.take().map(Saving::finish) {
            tell(parent.upgrade().as_ref(), &error.to_string());
        }
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
    let (download, saving) = (download.clone(), Rc::clone(saving));
    chooser.connect_response(move |chooser, response| {
        let chosen = chooser.filename().filter(|_| response == ResponseType::Accept);
        match chosen.map(Saving::to) {
            Some(to) => begin(&download, to, &saving),
            None => download.cancel(),
        }
        held.take();
    });
    chooser.show();
}

fn begin(download: &Download, to: Saving, saving: &Rc<RefCell<Option<Saving>>>) {
    let address = File::for_path(&to.part).uri();
    saving.replace(Some(to));
    // What an earlier window of the same number has left there.
    download.set_allow_overwrite(true);
    download.set_destination(&address);
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
    use std::path::Path;

    use super::*;

    fn saving(directory: &Path, bytes: &[u8]) -> Saving {
        let saving = Saving::to(directory.join("account"));
        fs::write(&saving.part, bytes).unwrap();
        saving
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let chosen = root.path().join("account");
        fs::write(&chosen, b"an earlier one").unwrap();
        saving(root.path(), b"half").give_up();
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
