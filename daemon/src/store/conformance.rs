//! What every [`EncryptedStore`] must do, as a function that any test can call.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test that happens to be shared")]

use std::path::Path;
use std::sync::Arc;

use ensafer_core::tree::StoreKey;

use super::{CommitError, EncryptedStore, StoreError, StoreStamp};

/// Holds a store to every promise of [`EncryptedStore`]. `make` gives empty ones; `kept` is an empty real directory.
/// Panics at the first promise that is broken.
pub fn check(make: &dyn Fn() -> Arc<dyn EncryptedStore>, kept: &Path) {
    commits_and_lists(&*make());
    refuses_bad_keys(&*make());
    never_replaces_unseen(&*make());
    replaces_and_keeps(&*make(), kept);
    removes_only_the_expected(&*make(), kept);
    puts_back_when_keeping_fails(&*make(), kept);
    keeps_an_opened_version(&*make());
    stages_in_parallel(&make());
    leaves_nothing_of_what_was_dropped(&*make(), kept);
}

fn key(text: &str) -> StoreKey {
    StoreKey(text.into())
}

fn put(store: &dyn EncryptedStore, at: &str, bytes: &[u8]) -> StoreStamp {
    let staged = store.stage().unwrap();
    staged.write_at(0, bytes).unwrap();
    store.barrier(std::slice::from_ref(&staged)).unwrap();
    store.commit(staged, &key(at), None, None).unwrap()
}

fn get(store: &dyn EncryptedStore, at: &str) -> Vec<u8> {
    let object = store.open(&key(at)).unwrap();
    let mut bytes = vec![0; usize::try_from(object.stamp().unwrap().length).unwrap()];
    object.read_exact_at(0, &mut bytes).unwrap();
    bytes
}

fn commits_and_lists(store: &dyn EncryptedStore) {
    let listing = store.list().unwrap();
    assert!(listing.objects.is_empty() && listing.complete, "a new store is empty");
    store.probe().unwrap();
    let second = put(store, "bb.ensafer", b"second");
    let first = put(store, "aa.ensafer", b"first, longer");
    let fanned = put(store, "ab/cd/cc.ensafer", b"");
    store.sync_directories().unwrap();
    let listing = store.list().unwrap();
    let found: Vec<_> = listing.objects.iter().map(|o| (&*o.key.0, o.stamp)).collect();
    assert_eq!(found, [("aa.ensafer", first), ("ab/cd/cc.ensafer", fanned), ("bb.ensafer", second)]);
    assert!(listing.complete && listing.problems.is_empty() && listing.temporaries.is_empty());
    assert_eq!((first.length, fanned.length), (13, 0));
    assert_eq!(get(store, "aa.ensafer"), b"first, longer");
    assert_eq!(store.look(&key("aa.ensafer")).unwrap(), Some(first));
    assert_eq!(store.look(&key("none.ensafer")).unwrap(), None);
    assert_eq!(store.look(&key("no/ne.ensafer")).unwrap(), None);
    assert!(matches!(store.open(&key("none.ensafer")), Err(StoreError::Missing { .. })));
    let object = store.open(&key("aa.ensafer")).unwrap();
    assert_eq!(object.stamp().unwrap(), first);
    let past_the_end = object.read_exact_at(10, &mut [0; 4]);
    let Err(StoreError::Io { source, .. }) = past_the_end else { panic!("{past_the_end:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::UnexpectedEof);
}

fn refuses_bad_keys(store: &dyn EncryptedStore) {
    for bad in [
        "",
        "/etc/x.ensafer",
        "../x.ensafer",
        "a/../x.ensafer",
        "./x.ensafer",
        "a//x.ensafer",
        "x.txt",
        ".x.ensafer",
        ".ensafer",
        "x\0.ensafer",
        "x\\y.ensafer",
    ] {
        let bad = key(bad);
        assert!(matches!(store.open(&bad), Err(StoreError::BadKey { .. })), "{bad}");
        assert!(matches!(store.look(&bad), Err(StoreError::BadKey { .. })), "{bad}");
        let committed = store.commit(store.stage().unwrap(), &bad, None, None);
        assert!(matches!(committed, Err(CommitError::Store(StoreError::BadKey { .. }))), "{bad}");
    }
    assert!(store.list().unwrap().objects.is_empty());
}

fn never_replaces_unseen(store: &dyn EncryptedStore) {
    let stamp = put(store, "aa.ensafer", b"there");
    let other = StoreStamp { length: stamp.length + 1, ..stamp };
    for expected in [None, Some(other)] {
        let staged = store.stage().unwrap();
        staged.write_at(0, b"new").unwrap();
        let refused = store.commit(staged, &key("aa.ensafer"), expected, None);
        assert!(matches!(refused, Err(CommitError::Changed { .. })), "{refused:?}");
    }
    let gone = store.commit(store.stage().unwrap(), &key("bb.ensafer"), Some(stamp), None);
    assert!(matches!(gone, Err(CommitError::Changed { .. })), "{gone:?}");
    assert_eq!(store.look(&key("aa.ensafer")).unwrap(), Some(stamp));
    assert_eq!(get(store, "aa.ensafer"), b"there");
    assert_eq!(store.list().unwrap().objects.len(), 1);
    assert!(store.list().unwrap().temporaries.is_empty());
}

fn replaces_and_keeps(store: &dyn EncryptedStore, kept: &Path) {
    let first = put(store, "aa.ensafer", b"one");
    let staged = store.stage().unwrap();
    staged.write_at(0, b"two").unwrap();
    let keep = kept.join("replaced");
    let second = store.commit(staged, &key("aa.ensafer"), Some(first), Some(&keep)).unwrap();
    assert_ne!(first, second);
    assert_eq!(std::fs::read(&keep).unwrap(), b"one");
    let staged = store.stage().unwrap();
    staged.write_at(0, b"three").unwrap();
    let third = store.commit(staged, &key("aa.ensafer"), Some(second), None).unwrap();
    assert_eq!(store.look(&key("aa.ensafer")).unwrap(), Some(third));
    assert_eq!(get(store, "aa.ensafer"), b"three");
    assert!(store.list().unwrap().temporaries.is_empty());
    std::fs::remove_file(keep).unwrap();
}

fn removes_only_the_expected(store: &dyn EncryptedStore, kept: &Path) {
    let stamp = put(store, "aa.ensafer", b"one");
    let at = key("aa.ensafer");
    let other = StoreStamp { modified: stamp.modified.plus(std::time::Duration::from_secs(1)), ..stamp };
    assert!(matches!(store.remove(&at, other, None), Err(CommitError::Changed { .. })));
    assert_eq!(get(store, "aa.ensafer"), b"one");
    let keep = kept.join("removed");
    store.remove(&at, stamp, Some(&keep)).unwrap();
    assert_eq!(std::fs::read(&keep).unwrap(), b"one");
    assert!(store.list().unwrap().objects.is_empty());
    let again = store.remove(&at, stamp, None);
    assert!(matches!(again, Err(CommitError::Store(StoreError::Missing { .. }))), "{again:?}");
    store.sync_directories().unwrap();
    std::fs::remove_file(keep).unwrap();
}

fn puts_back_when_keeping_fails(store: &dyn EncryptedStore, kept: &Path) {
    let at = key("aa.ensafer");
    put(store, "aa.ensafer", b"one");
    let occupied = kept.join("occupied");
    std::fs::write(&occupied, b"older").unwrap();
    let stamp = || store.look(&at).unwrap().unwrap();
    assert!(matches!(store.remove(&at, stamp(), Some(&occupied)), Err(CommitError::Store(_))));
    assert_eq!(get(store, "aa.ensafer"), b"one");
    let staged = store.stage().unwrap();
    staged.write_at(0, b"two").unwrap();
    assert!(matches!(store.commit(staged, &at, Some(stamp()), Some(&occupied)), Err(CommitError::Store(_))));
    assert_eq!(get(store, "aa.ensafer"), b"one");
    assert_eq!(std::fs::read(&occupied).unwrap(), b"older");
    let listing = store.list().unwrap();
    assert!(listing.objects.len() == 1 && listing.temporaries.is_empty(), "{listing:?}");
    std::fs::remove_file(occupied).unwrap();
}

fn keeps_an_opened_version(store: &dyn EncryptedStore) {
    let stamp = put(store, "aa.ensafer", b"old");
    let opened = store.open(&key("aa.ensafer")).unwrap();
    let staged = store.stage().unwrap();
    staged.write_at(0, b"new").unwrap();
    store.commit(staged, &key("aa.ensafer"), Some(stamp), None).unwrap();
    let mut bytes = [0; 3];
    opened.read_exact_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"old");
}

fn stages_in_parallel(store: &Arc<dyn EncryptedStore>) {
    const BATCH: usize = 100;
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                for number in (thread..BATCH).step_by(4) {
                    let staged = store.stage().unwrap();
                    // Out of order, as threads that seal one file together finish.
                    staged.write_at(4, b"tail").unwrap();
                    staged.write_at(0, &u32::try_from(number).unwrap().to_be_bytes()).unwrap();
                    assert_eq!(staged.length(), 8);
                    store.commit(staged, &key(&format!("{number:03}.ensafer")), None, None).unwrap();
                }
            });
        }
    });
    store.sync_directories().unwrap();
    let listing = store.list().unwrap();
    assert_eq!(listing.objects.len(), BATCH);
    for (number, object) in listing.objects.iter().enumerate() {
        assert_eq!(&*object.key.0, format!("{number:03}.ensafer"));
        let bytes = get(&**store, &object.key.0);
        assert_eq!(bytes, [&u32::try_from(number).unwrap().to_be_bytes()[..], b"tail"].concat());
    }
    let batch: Vec<_> = (0..BATCH).map(|_| store.stage().unwrap()).collect();
    store.barrier(&batch).unwrap();
}

fn leaves_nothing_of_what_was_dropped(store: &dyn EncryptedStore, kept: &Path) {
    let staged = store.stage().unwrap();
    staged.write_at(0, b"never mind").unwrap();
    drop(staged);
    let listing = store.list().unwrap();
    assert!(listing.objects.is_empty() && listing.temporaries.is_empty());
    assert_eq!(store.sweep(kept).unwrap(), 0);
}
