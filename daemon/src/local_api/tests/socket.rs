//! The socket: who gets in, what is asked of the daemon itself, and what is no request.

use super::*;

#[test]
fn a_client_drives_the_daemon() {
    let served = serve();
    let client = served.client();
    assert_eq!(client.status().unwrap().state, State::Locked);

    let wrong = client.unlock(&Password::new("wrong".into())).unwrap_err();
    assert_eq!(exit_of(wrong), Exit::WrongPassword);
    client.unlock(&Password::new("pass wörd".into())).unwrap();
    client.start().unwrap();
    assert_eq!(client.status().unwrap().state, State::Checking);
    client.stop().unwrap();
    assert_eq!(client.status().unwrap().state, State::Stopped);

    client.pause(Some(Duration::from_secs(90))).unwrap();
    client.pause(None).unwrap();
    client.resume(None).unwrap();
    let unknown = client.resume(Some("12ab".into())).unwrap_err();
    assert_eq!(exit_of(unknown), Exit::Usage);
    client.reload_folders().unwrap();
    assert_eq!(*served.fake.calls.lock().unwrap(), ["pause Some(90s)", "pause None", "reload"]);
    client.lock().unwrap();
    assert_eq!(client.status().unwrap().state, State::Locked);
    assert!(client.problems().unwrap().is_empty());
    served.end();
}

#[test]
fn questions_survive_the_way_and_errors_come_back() {
    let served = serve();
    let client = served.client();
    let path = Path::new("/w/a b&c=d?e#f%20 ü😀+");
    assert_eq!(client.file_status(path).unwrap().path, path.to_string_lossy());
    assert_eq!(client.locate("/e/ü &x").unwrap(), None);
    assert_eq!(exit_of(client.list(path).unwrap_err()), Exit::WrongPassword, "locked");
    let failed = client.describe(path, "a \"text\"").unwrap_err();
    assert!(failed.to_string().contains("there is no such file"), "{failed}");
    assert_eq!(served.fake.calls.lock().unwrap()[1], format!("describe {} a \"text\"", path.display()));
    served.end();
}

#[test]
fn what_is_decided_about_single_files_comes_back_with_a_remedy() {
    let served = serve();
    let client = served.client();
    let folder = FolderId::new([1; 16]);
    let resolve = |keep| client.resolve_conflict(folder, FileId::new([2; 16]), keep).unwrap_err();
    assert_eq!(exit_of(resolve(Keep::Both)), Exit::Usage);
    let busy = anyhow::Error::from(resolve(Keep::Original));
    assert!(exit::remedy(&busy).unwrap().contains("close the program"), "{busy}");
    assert_eq!(exit_of(busy), Exit::RetryLater);
    assert_eq!(exit_of(resolve(Keep::Copy)), Exit::Error);
    assert_eq!(client.conflicts().unwrap(), []);
    assert_eq!(client.trash(&TrashQuery::default()).unwrap(), []);
    assert_eq!(client.restore(folder, "2026-11-21/140322-000/ü").unwrap().path, "/w/2026-11-21/140322-000/ü");
    assert_eq!(client.activity(7).unwrap(), []);
    let calls = served.fake.calls.lock().unwrap().split_off(3);
    assert_eq!(calls, ["restore 2026-11-21/140322-000/ü", "activity 7"]);
    served.end();
}

#[test]
fn waiting_sees_changes_as_they_happen() {
    let served = serve();
    let client = served.client();
    let fake = Arc::clone(&served.fake);
    let mut seen = Vec::new();
    let last = client.wait_for(Duration::from_secs(60), |status| {
        seen.push(status.state);
        match status.state {
            State::Locked => fake.show(State::Checking),
            State::Checking => fake.show(State::UpToDate),
            _ => return true,
        }
        false
    });
    assert_eq!(last.unwrap().state, State::UpToDate);
    seen.dedup();
    assert_eq!(seen, [State::Locked, State::Checking, State::UpToDate]);

    let last = client.wait_for(Duration::from_millis(1), |_| false).unwrap();
    assert_eq!(last.state, State::UpToDate, "the last one when time is up");
    served.end();
}

#[test]
fn syncing_waits_for_the_outcome_and_for_the_end() {
    let served = serve();
    let outcome = SettleOutcome { problems: 2, braked: true, ..SettleOutcome::default() };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| served.client().sync());
        let sender = loop {
            if let Some(sender) = served.fake.settling.lock().unwrap().pop() {
                break sender;
            }
            std::thread::yield_now();
        };
        assert!(!waiting.is_finished());
        sender.send(outcome.clone()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), outcome);

        // An engine that ends drops its promises.
        let waiting = scope.spawn(|| served.client().sync());
        while served.fake.settling.lock().unwrap().pop().is_none() {
            std::thread::yield_now();
        }
        waiting.join().unwrap().unwrap_err();
    });
    served.end();
}

#[test]
fn the_end_does_not_wait_for_those_who_listen() {
    let served = serve();
    let client = served.client();
    std::thread::scope(|scope| {
        let (seen, first) = mpsc::channel();
        let listening = scope.spawn(move || {
            client.wait_for(Duration::from_secs(600), move |_| {
                seen.send(()).unwrap();
                false
            })
        });
        // The second look comes from the stream of events.
        first.recv().unwrap();
        first.recv().unwrap();
        let client = served.client();
        client.quit().unwrap();
        assert!(matches!(listening.join().unwrap(), Err(ClientError::NotRunning | ClientError::Http(_))));
    });
    let path = served.path.clone();
    served.end();
    assert_eq!(exit_of(Client::connect_to(&path).unwrap_err()), Exit::RetryLater);
}

#[test]
fn only_the_owner_gets_in() {
    let served = serve();
    let mode = std::fs::metadata(&served.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if !rustix::process::geteuid().is_root() {
        served.end();
        return;
    }
    // As root, open the way for another user as far as the file system goes: the peer check has to refuse.
    let dir = served.path.parent().unwrap();
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = || {
        let path = served.path.clone();
        // Only this thread becomes somebody else.
        let other = std::thread::spawn(move || {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            let mut stream = UnixStream::connect(&path)?;
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).map(|_| answer)
        });
        other.join().unwrap()
    };
    assert_eq!(as_nobody().unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    std::fs::set_permissions(&served.path, std::fs::Permissions::from_mode(0o666)).unwrap();
    match as_nobody() {
        Ok(answer) => assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer)),
        Err(error) => {
            assert_ne!(error.kind(), std::io::ErrorKind::PermissionDenied, "it got as far as the socket");
        }
    }
    assert_eq!(served.client().status().unwrap().state, State::Locked, "the owner still gets in");
    served.end();
}

/// Ensafer's own window shows the page by way of the socket, which needs no key.
#[test]
fn the_page_is_served_at_the_socket_as_well() {
    let served = serve();
    let ask = |line: &str| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let page = ask("GET /");
    assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("<!doctype html>"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none';"), "{page}");
    assert!(ask("GET /ui/screens/folders.js").contains("text/javascript"));
    assert!(ask("GET /ui/nothing.js").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /claim").starts_with("HTTP/1.1 404"), "by this the page knows that it needs no key");

    let visit = served.client().invite_browser().unwrap();
    assert!(visit.address.0.starts_with("http://127.0.0.1:"), "a browser's way in");
    assert_eq!(visit.valid_s, 60);
    served.end();
}

#[test]
fn what_is_no_request_is_refused() {
    let served = serve();
    let ask = |request: &str, body: &[u8]| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        let head = format!("{request}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        stream.write_all(format!("{head}content-type: application/json\r\n\r\n").as_bytes()).unwrap();
        // The server may refuse before it has read everything.
        let _ = stream.write_all(body);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("GET /v2/status HTTP/1.1", b""), "HTTP/1.1 404 Not Found");
    assert_eq!(ask("GET /v1/stop HTTP/1.1", b""), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(ask("POST /v1/pause HTTP/1.1", b"{\"until\": 1}"), "HTTP/1.1 422 Unprocessable Entity");
    assert_eq!(ask("POST /v1/pause HTTP/1.1", &[b' '; 100_000]), "HTTP/1.1 413 Payload Too Large");
    served.end();
}

#[test]
fn a_password_is_put_together_from_its_pieces() {
    let served = serve();
    let ask = |pieces: &[&[u8]]| {
        let mut stream = UnixStream::connect(&served.path).unwrap();
        let head =
            "POST /v1/unlock HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for piece in pieces {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            stream.write_all(piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(&["pass ".as_bytes(), "wörd".as_bytes()]).starts_with("HTTP/1.1 200 OK"));
    let wrong = ask(&["pass ".as_bytes()]);
    assert!(wrong.contains("\"wrong-password\""), "{wrong}");
    let no_text = ask(&[&b"\xff"[..]]);
    assert!(no_text.starts_with("HTTP/1.1 400 ") && no_text.contains("\"bad-request\""), "{no_text}");
    served.end();
}
