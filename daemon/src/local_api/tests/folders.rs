//! Folders: looked at, added, removed; directories to choose from.

use super::*;

#[test]
fn folders_are_looked_at_without_a_trace_then_added_and_removed() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("cloud/e"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("a.txt"), "twelve bytes").unwrap();
    std::fs::create_dir(work.join("sub")).unwrap();
    let pair = json!({"work": work, "encrypted": encrypted});
    assert_eq!(refused(&served, "/v1/folders/preview", &pair.clone()), (409, "not-set-up".into()));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));

    let preview = post(&served, "/v1/folders/preview", &pair.clone());
    assert_eq!(preview["missing"], json!([encrypted]));
    assert_eq!((&preview["is_join"], &preview["delete"]), (&json!(false), &json!(0)));
    assert_eq!((&preview["encrypt"], &preview["encrypt_bytes"]), (&json!(2), &json!(12)));
    assert!(!encrypted.exists() && !work.join(".ensafer").exists(), "nothing is made");
    assert_eq!(get(&served, "/v1/folders"), json!([]));

    for (work, encrypted, class) in [
        (json!("work"), json!(encrypted), "bad-request"),
        (json!(work), json!(work.join("sub")), "bad-request"),
        (json!(work.join("a.txt")), json!(encrypted), "bad-request"),
    ] {
        let body = json!({"work": work, "encrypted": encrypted});
        assert_eq!(refused(&served, "/v1/folders/preview", &body.clone()).1, class, "{body}");
        assert_eq!(refused(&served, "/v1/folders/add", &body.clone()).1, class, "{body}");
    }
    assert_eq!(refused(&served, "/v1/folders/add", &pair).1, "missing-directory");
    let wanted = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let added = post(&served, "/v1/folders/add", &wanted.clone());
    assert_eq!(added["work"], json!(work));
    assert_eq!(std::fs::read_dir(&encrypted).unwrap().count(), 1, "its roster");
    assert_eq!(refused(&served, "/v1/folders/add", &wanted).1, "already");
    assert_eq!(served.fake.calls.lock().unwrap().last().unwrap(), "reload");

    for (path, class) in
        [("../x", "bad-request"), ("/etc/passwd", "bad-request"), ("gone.txt", "missing-directory")]
    {
        let body = json!({"folder": added["id"], "side": "work", "path": path});
        assert_eq!(refused(&served, "/v1/folders/open", &body).1, class, "{path}");
    }

    // Another work folder for the same encrypted one would join it: the dry run sees both sides.
    let folder = added["id"].clone();
    post(&served, "/v1/folders/remove", &json!({"folder": folder}));
    assert_eq!(refused(&served, "/v1/folders/remove", &json!({"folder": folder})).1, "bad-request");
    assert!(work.join("a.txt").exists());
    let other = root.join("other");
    let preview = post(&served, "/v1/folders/preview", &json!({"work": other, "encrypted": encrypted}));
    assert_eq!((&preview["is_join"], &preview["role"]), (&json!(true), &json!("owner")));
    assert_eq!((&preview["encrypt"], &preview["decrypt"]), (&json!(0), &json!(0)));
    assert!(!other.exists());
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("new.txt"), "four").unwrap();
    let preview = post(&served, "/v1/folders/preview", &json!({"work": other, "encrypted": encrypted}));
    assert_eq!((&preview["encrypt"], &preview["encrypt_bytes"]), (&json!(1), &json!(4)), "{preview}");
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1, "nothing is made");
    assert_eq!(std::fs::read_dir(&encrypted).unwrap().count(), 1, "its roster");
    let cache: Vec<_> = std::fs::read_dir(served.shell.home.cache_dir()).unwrap().flatten().collect();
    assert!(cache.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("preview")));
    served.end();
}

#[test]
fn directories_are_shown_to_choose_one() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("a b&c/inner")).unwrap();
    let shown = get(&served, &format!("/v1/directories?path={}/a%20b%26c/", root.display()));
    assert_eq!(shown["path"], json!(root.join("a b&c")));
    assert_eq!(shown["parent"], json!(root));
    assert_eq!(shown["directories"], json!([{"name": "inner", "is_hidden": false}]));
    assert!(get(&served, "/v1/directories")["path"].is_string(), "the home directory");
    let class = |path: &str| {
        let path = format!("/v1/directories?path={path}");
        ask(&served, "GET", &path, &json!(null)).1["class"].as_str().unwrap().to_owned()
    };
    assert_eq!(class("relative"), "bad-request");
    assert_eq!(class(root.join("nowhere").to_str().unwrap()), "missing-directory");
    served.end();
}

#[test]
fn what_the_system_refuses_has_failed_and_is_not_forbidden() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    // /proc takes no new files, not even from root.
    let read_only = json!({"work": work, "encrypted": "/proc/self/fd"});
    assert_eq!(refused(&served, "/v1/folders/preview", &read_only), (500, "failed".into()));
    let pair = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let folder = post(&served, "/v1/folders/add", &pair)["id"].clone();
    std::fs::remove_dir_all(&work).unwrap();
    let open = json!({"folder": folder, "side": "work"});
    assert_eq!(refused(&served, "/v1/folders/open", &open), (409, "missing-directory".into()));

    // That is for the user to decide: the directory says that it is another folder's.
    let (marked, empty) = (root.join("marked"), root.join("empty"));
    post(&served, "/v1/folders/remove", &json!({"folder": folder}));
    let made = json!({"work": marked, "encrypted": empty, "create_missing": true});
    post(&served, "/v1/folders/add", &made);
    let marker = std::fs::read(marked.join(".ensafer/folder")).unwrap();
    let copied = root.join("copied");
    std::fs::create_dir_all(copied.join(".ensafer")).unwrap();
    std::fs::write(copied.join(".ensafer/folder"), marker).unwrap();
    let other = json!({"work": copied, "encrypted": encrypted});
    assert_eq!(refused(&served, "/v1/folders/preview", &other), (403, "not-allowed".into()));
    served.end();
}

#[test]
fn a_dry_run_of_a_new_folder_ends_when_nobody_waits_for_it() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("a.txt"), "text").unwrap();
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let wanted = Wanted { work: &work, encrypted: &encrypted, owner: None, expected: None };
    let count = |cancelled| {
        let cancelled = AtomicBool::new(cancelled);
        pairs::preview(&served.shell, &*served.fake.vault, wanted, &cancelled).unwrap()
    };
    assert_eq!(count(false).unwrap().encrypt, 1);
    assert_eq!(count(true), None);
    served.end();
}

/// Between the dry run and the word of the user something may arrive.
#[test]
fn a_folder_that_does_not_let_go_keeps_nobody_from_adding_another() {
    let served = serve();
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let root = served.shell.home.data_dir().parent().unwrap().canonicalize().unwrap();
    let pair = |name: &str| {
        let [work, encrypted] = ["work", "cloud"].map(|kind| root.join(format!("{kind} {name}")));
        json!({"work": work, "encrypted": encrypted, "create_missing": true})
    };
    let folder = post(&served, "/v1/folders/add", &pair("one"))["id"].clone();
    let (let_go, held) = mpsc::channel();
    *served.fake.held.lock().unwrap() = Some(held);
    let state = served.shell.home.data_dir().join("folders").join(folder.as_str().unwrap());
    std::thread::scope(|scope| {
        let removed = scope.spawn(|| post(&served, "/v1/folders/remove", &json!({"folder": folder})));
        // The list is read again when the folder is off it.
        while served.fake.held.lock().unwrap().is_some() {
            std::thread::yield_now();
        }
        let (answered, answer) = mpsc::channel();
        let served = &served;
        scope.spawn(move || answered.send(post(served, "/v1/folders/add", &pair("two"))));
        let added = answer.recv_timeout(Duration::from_secs(60));
        assert!(state.exists(), "it is in use");
        let_go.send(()).unwrap();
        removed.join().unwrap();
        added.expect("it was added meanwhile");
    });
    assert!(!state.exists());
    served.end();
}

#[test]
fn what_is_added_is_what_was_looked_at() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted, other) = (root.join("work"), root.join("cloud/e"), root.join("new/other"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let pair = json!({"work": work, "encrypted": encrypted});
    assert!(post(&served, "/v1/folders/preview", &pair)["folder"].is_null(), "it would be a new one");
    let add = |work: &Path, expected: serde_json::Value| json!({"work": work, "encrypted": encrypted, "create_missing": true, "expected": expected});
    let some = json!({"folder": "07".repeat(16)});
    assert_eq!(refused(&served, "/v1/folders/add", &add(&work, some.clone())).1, "retry-later");
    assert!(!work.exists() && !root.join("cloud").exists(), "nothing was made in vain");
    let id = post(&served, "/v1/folders/add", &add(&work, json!("new")))["id"].clone();
    post(&served, "/v1/folders/remove", &json!({"folder": id}));

    let again = json!({"work": other, "encrypted": encrypted});
    assert_eq!(post(&served, "/v1/folders/preview", &again)["folder"], id);
    for unexpected in [json!("new"), some] {
        assert_eq!(refused(&served, "/v1/folders/add", &add(&other, unexpected)).1, "retry-later");
        assert!(!root.join("new").exists(), "nothing was made in vain");
    }
    assert_eq!(post(&served, "/v1/folders/add", &add(&other, json!({"folder": id})))["id"], id);
    served.end();
}

/// The cloud client may show one directory in two places, and somebody may copy it.
#[test]
fn a_folder_is_not_added_in_a_second_place() {
    let served = serve();
    let root = served.path.parent().unwrap().canonicalize().unwrap();
    let (work, encrypted) = (root.join("work"), root.join("e"));
    post(&served, "/v1/account/register", &json!({"email": "alice@example.com", "password": GOOD}));
    let pair = json!({"work": work, "encrypted": encrypted, "create_missing": true});
    let folder = post(&served, "/v1/folders/add", &pair)["id"].clone();
    let (other_work, copy) = (root.join("other"), root.join("copy"));
    for directory in [&other_work, &copy] {
        std::fs::create_dir(directory).unwrap();
    }
    for entry in std::fs::read_dir(&encrypted).unwrap().flatten() {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let again = json!({"work": other_work, "encrypted": copy});
    for path in ["/v1/folders/preview", "/v1/folders/add"] {
        let (code, answer) = ask(&served, "POST", path, &again);
        assert_eq!((code, &answer["class"]), (409, &json!("already")), "{path}: {answer}");
        assert!(answer["what"].as_str().unwrap().contains(work.to_str().unwrap()), "{answer}");
    }
    let listed = Folders::load(served.shell.home.data_dir()).unwrap();
    assert_eq!(
        json!(listed.entries()[0].report()),
        json!({"id": folder, "work": work, "encrypted": encrypted})
    );
    assert_eq!(listed.entries().len(), 1);
    served.end();
}
