//! What the key server and the client refuse, with the exit codes and words that people get.

use std::fs;
use std::path::Path;

use ensafer_tests::certificate::Certificate;
use ensafer_tests::device::{text, typing};
use ensafer_tests::proxy::Proxy;
use ensafer_tests::{EvilServer, KeyServer, ServerOptions, World, on_every_database, on_every_database_with};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn an_address_belongs_to_the_first_who_takes_it() {
    on_every_database(|world, server| {
        world.bare_device("a").register(EMAIL, &server.url).expect(0);
        let other = world.bare_device("b");
        for spelling in [EMAIL, "Alice@Example.COM", " alice@example.com "] {
            let refused = other.register(spelling, &server.url).expect(1);
            refused.expect_says("has an account on the server already").expect_says("ensafer login");
        }
        other.run(&["account", "show"]).expect(10);
        other.register("alice2@example.com", &server.url).expect(0);
    });
}

#[test]
fn a_computer_without_certificates_of_authorities_is_told_so() {
    let world = World::new();
    let device = world.bare_device("a");
    let mut command = device.command(&["login", "--email", EMAIL, "--server", NOBODY]);
    command.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", text(&world.path("absent")));
    let refused = ensafer_tests::process::run(&mut command).expect(1);
    refused.expect_says("connections cannot be set up").expect_says("ca-certificates");
}

#[test]
fn what_is_no_address_and_no_password_is_refused_before_anything_is_made() {
    on_every_database(|world, server| {
        let device = world.bare_device("a");
        for email in ["", "@", "a@@b", "alice@", "@example.com", "a b@example.com", "a\u{7}@example.com"] {
            device.register(email, &server.url).expect(2);
        }
        device.run(&["register", "--server", &server.url]).expect(2).expect_says("needs an e-mail address");
        device.register("alice", &server.url).expect(2).expect_says("needs an e-mail address");
        for (weak, why) in [
            ("password1", "common password"),
            ("aaaaaaaaaaaa", "repeats"),
            ("qwertyuiop", "password"),
            ("alice@example.com", "guess"),
        ] {
            let (variable, command) = typing(weak);
            let register = ["register", "--email", EMAIL, "--server", &server.url];
            let refused = device.answer(&register, &[(variable, &command)], &[]).expect(2);
            let refused = refused.expect_says("too easy to guess: ").expect_says("Four or more words");
            assert!(refused.stderr.to_lowercase().contains(why), "{refused}");
            assert!(weak.contains('@') || !refused.says(weak), "the password is not repeated: {refused}");
        }
        let empty =
            device.answer(&["register", "--email", EMAIL], &[("ENSAFER_PASSWORD_COMMAND", "true")], &[]);
        empty.expect(2);
        device.run(&["account", "show"]).expect(10);
        assert_eq!(server.run(&["user", "list", "--json"]).expect(0).json(), Value::Array(Vec::new()));

        device.register(EMAIL, &server.url).expect(0);
        let (_, weak) = typing("password1");
        let change = device.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &weak)], &[]);
        change.expect(2).expect_says("too easy to guess");
    });
}

#[test]
fn a_weak_password_is_not_published() {
    on_every_database(|world, server| {
        // Good enough for one address, and known to everybody for the other.
        let (email, device) = ("zq7vkp3x@tr8vel.example", world.bare_device("a"));
        let (variable, command) = typing(email);
        let typed = [(variable, &*command)];
        device.answer(&["register", "--email", EMAIL], &typed, &[]).expect(0);
        let changed = device.answer(&["account", "profile", "--email", email, "--json"], &typed, &[]);
        assert_eq!(changed.expect(0).json(), serde_json::json!({ "login": email, "name": null }));
        for publish in [&["register", "--server", &server.url][..], &["account", "server", &server.url]] {
            let refused = device.answer(publish, &typed, &[]).expect(2).expect_says("too easy to guess");
            refused.expect_says("ensafer account password");
        }
        assert_eq!(server.run(&["user", "list", "--json"]).expect(0).json(), Value::Array(Vec::new()));
        let new = ("ENSAFER_NEW_PASSWORD_COMMAND", &*typing("correct horse battery").1);
        device.answer(&["account", "password"], &[typed[0], new], &[]).expect(0);
        device.run(&["register", "--server", &server.url]).expect(0);
    });
}

#[test]
fn what_only_a_server_keeps_is_not_changed_without_one() {
    let world = World::new();
    let device = world.bare_device("a");
    device.run(&["register", "--email", EMAIL]).expect(0);
    device.run(&["account", "profile"]).expect(10);
    let both = ["account", "profile", "--email", "alice@example.org", "--name", "Alice"];
    device.run(&both).expect(10).expect_says("this computer only");
    assert_eq!(device.json(&["account", "show"])["login"], EMAIL, "nothing is changed by halves");
    let done = device.run(&["account", "profile", "--email", "alice@example.org"]).expect(0);
    assert!(!done.says("Log in with it"), "there is nowhere to log in: {done}");
}

#[test]
fn a_name_that_was_invented_is_not_published() {
    on_every_database(|world, server| {
        let device = world.bare_device("a");
        device.run(&["register", "--email", "alice@laptop"]).expect(0);
        for publish in [&["register", "--server", &server.url][..], &["account", "server", &server.url]] {
            device.run(publish).expect(2).expect_says("ensafer account profile --email YOU@EXAMPLE.COM");
        }
        device.register(EMAIL, &server.url).expect(1).expect_says("ensafer account profile --email");
        assert_eq!(server.run(&["user", "list", "--json"]).expect(0).json(), Value::Array(Vec::new()));
        device.run(&["account", "profile", "--email", EMAIL]).expect(0);
        device.run(&["register", "--server", &server.url]).expect(0);
        let long = "a".repeat(129);
        device.run(&["account", "profile", "--name", &long]).expect(2).expect_says("1 to 128 bytes");

        // Some do have such an address, and say so.
        let other = world.bare_device("b");
        other.run(&["register", "--email", "bob@laptop"]).expect(0);
        other.register("bob@laptop", &server.url).expect(0);
    });
}

#[test]
fn a_server_under_another_address_than_its_own_names_the_remedy() {
    on_every_database_with("public_url = \"https://keys.example.com\"\n", |world, server| {
        let device = world.bare_device("a");
        let refused = device.register(EMAIL, &server.url).expect(1);
        refused.expect_says("another server's address").expect_says("public_url");
        device.run(&["account", "show"]).expect(10);
    });
}

#[test]
fn half_a_safety_number_is_a_slip_and_another_one_is_an_alarm() {
    on_every_database(|world, server| {
        let [alice, bob] = ["a", "b"].map(|name| world.bare_device(name));
        alice.register(EMAIL, &server.url).expect(0);
        bob.register("bob@example.com", &server.url).expect(0);
        let verify = |more: &[&str]| alice.run(&[&["share", "verify", "bob@example.com"], more].concat());
        verify(&["--changed"]).expect(0).expect_says("never seen before");
        let number = alice.json(&["share", "verify", "bob@example.com"])["safety_number"].clone();
        for slip in ["", "12345", &"x".repeat(60), &"1".repeat(61)] {
            verify(&["--matches", slip]).expect(2).expect_says("60 digits");
        }
        verify(&["--matches", &"1".repeat(60)]).expect(26);
        let same = verify(&["--changed"]).expect(0);
        assert!(!same.says("new keys") && !same.says("--changed"), "{same}");
        same.expect_says("The keys have not changed.");
        verify(&["--changed", "--matches", number.as_str().unwrap()]).expect(0).expect_says("not changed");
    });
}

#[test]
fn a_wrong_recovery_key_is_no_wrong_password() {
    on_every_database(|world, server| {
        let device = world.bare_device("a");
        device.register(EMAIL, &server.url).expect(0);
        let bobs = world.bare_device("b").register("bob@example.com", &server.url).expect(0).stdout;
        let refused = device.answer(&["recovery-key", "use"], &[], &[bobs.trim()]).expect(12);
        assert!(!refused.says("password is wrong") && !refused.says("recovery-key use"), "{refused}");
        refused.expect_says("The recovery key or the address is wrong").expect_says("wrote down");
        let nothing = device.answer(&["recovery-key", "use"], &[], &[""]).expect(2);
        assert!(!nothing.says("ENSAFER_PASSWORD_COMMAND"), "it feeds no recovery key: {nothing}");
        nothing.expect_says("Recovery key");
    });
}

#[test]
fn whose_keys_have_changed_is_not_seen_for_the_first_time() {
    on_every_database(|world, server| {
        let [alice, bob, other] = ["a", "b", "c"].map(|name| world.bare_device(name));
        alice.register(EMAIL, &server.url).expect(0);
        bob.register("bob@example.com", &server.url).expect(0);
        let look = ["share", "verify", "bob@example.com", "--changed"];
        assert_eq!(alice.json(&look)["first_seen"], true);
        alice.run(&["share", "verify", "bob@example.com"]).expect(0);
        bob.run(&["account", "delete", "-y"]).expect(0);
        other.register("bob@example.com", &server.url).expect(0);
        alice.run(&["share", "verify", "bob@example.com"]).expect(26);
        assert_eq!(alice.json(&look)["first_seen"], false);
    });
}

#[test]
fn a_server_that_wants_a_code_takes_nobody_without() {
    let secrets = World::new();
    let codes = secrets.path("codes");
    fs::write(&codes, "# given to the first floor\nkestrel-4711\n").unwrap();
    restrict(&codes);
    let config = format!("[registration]\nmode = \"code\"\ncode_file = {:?}\n", text(&codes));
    on_every_database_with(&config, |world, server| {
        let device = world.bare_device("a");
        let register = ["register", "--email", EMAIL, "--server", &server.url];
        device.run(&register).expect(2);
        for wrong in ["kestrel", "# given to the first floor"] {
            let refused = device.answer(&register, &[], &[wrong]).expect(1);
            refused.expect_says("authorisation code is missing or wrong").expect_says("administrator");
            device.run(&["account", "show"]).expect(10);
        }
        device.answer(&register, &[], &[" kestrel-4711 "]).expect(0);
        device.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn a_closed_server_lets_in_only_whom_it_knows() {
    on_every_database(|world, server| {
        let device = world.bare_device("a");
        device.register(EMAIL, &server.url).expect(0);
        fs::write(server.data.join("test-server.toml"), "[registration]\nmode = \"closed\"\n").unwrap();
        server.restart();
        let other = world.bare_device("b");
        let refused = other.register("bob@example.com", &server.url).expect(1);
        refused.expect_says("takes no new accounts").expect_says("let you in");
        other.run(&["account", "show"]).expect(10);
        other.log_in(EMAIL, &server.url).expect(0);
    });
}

#[test]
fn whoever_guesses_is_stopped_and_the_owner_is_not() {
    on_every_database(|world, server| {
        let (owner, stranger) = (world.bare_device("a"), world.bare_device("b"));
        owner.register(EMAIL, &server.url).expect(0);
        let (variable, wrong) = typing("wrong horse battery");
        let login = ["login", "--email", EMAIL, "--server", &server.url];
        for _ in 0..5 {
            stranger.answer(&login, &[(variable, &wrong)], &[]).expect(12);
        }
        let stopped = stranger.answer(&login, &[(variable, &wrong)], &[]).expect(5);
        let stopped = stopped.expect_says("Too many attempts failed; it may pass in ");
        stopped.expect_says("Wait a little");
        // It does not tell who has the right password either.
        stranger.log_in(EMAIL, &server.url).expect(5);
        stranger.log_in("nobody@example.com", &server.url).expect(12);

        // The owner's own computer is counted apart.
        owner.run(&["account", "devices"]).expect(0);
        owner.run(&["login"]).expect(0);
        let (_, new) = typing("tr8vel-Kestrel-9");
        owner.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(0);
    });
}

#[test]
fn a_disabled_account_says_so_to_its_owner_only() {
    on_every_database(|world, server| {
        let (laptop, stranger) = (world.bare_device("a"), world.bare_device("b"));
        laptop.register(EMAIL, &server.url).expect(0);
        server.run(&["user", "disable", EMAIL]).expect(0);
        let refused = laptop.run(&["account", "devices"]).expect(1);
        refused.expect_says("disabled by the server's administrator").expect_says("to enable it");
        stranger.log_in(EMAIL, &server.url).expect(1).expect_says("disabled by the server's administrator");
        let (variable, wrong) = typing("wrong horse battery");
        let login = ["login", "--email", EMAIL, "--server", &server.url];
        stranger.answer(&login, &[(variable, &wrong)], &[]).expect(12);
        stranger.run(&["account", "show"]).expect(10);
        server.run(&["user", "enable", EMAIL]).expect(0);
        laptop.run(&["login"]).expect(0);
        laptop.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn clocks_that_are_far_apart_are_named_as_the_reason() {
    on_every_database(|world, server| {
        let evil = EvilServer::start(&server.url);
        let laptop = world.bare_device("a");
        laptop.register(EMAIL, &evil.url).expect(0);
        for hours in [-24, 24] {
            evil.play(move |exchange| {
                if exchange.path == "/v1/login/start" {
                    let expires_at_s = exchange.answer["expires_at_s"].as_i64().unwrap();
                    exchange.answer["expires_at_s"] = Value::from(expires_at_s + hours * 3600);
                }
            });
            let refused = laptop.run(&["login"]).expect(1).expect_says("far apart");
            refused.expect_says("Set this computer's clock");
            assert_eq!(evil.heard().last().unwrap().path, "/v1/login/start", "no proof is sent");
        }
        evil.be_honest();
        laptop.run(&["login"]).expect(0);
    });
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_as_the_reason() {
    let world = World::new();
    let tls = Certificate::make(&world.directory("certificate"));
    let trusted = [("SSL_CERT_FILE", text(&tls.certificate))];
    let options = ServerOptions { tls: Some(tls.clone()), ..Default::default() };
    let server = KeyServer::start_with(&world, options);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);

    let device = world.bare_device("a");
    let register = ["register", "--email", EMAIL, "--server", &server.url];
    let refused = device.run(&register).expect(14).expect_says("certificate");
    assert!(!refused.says("rustls"), "a library's own words are not for people: {refused}");
    refused.expect_says("somebody listens in");
    device.run(&["account", "show"]).expect(10);
    device.answer(&register, &trusted, &[]).expect(0);
    device.run(&["account", "devices"]).expect(14).expect_says("certificate");
    device.answer(&["account", "devices"], &trusted, &[]).expect(0);
    // It is the certificate of another name.
    let other_name = format!("https://localhost.localdomain.localhost:{}", port_of(&server));
    let elsewhere = ["login", "--email", EMAIL, "--server", &other_name];
    device.answer(&elsewhere, &trusted, &[]).expect(14);
    // Nor does TLS fall back to anything.
    device.log_in(EMAIL, &server.url.replace("https", "http")).expect(14);
}

#[test]
fn an_authority_of_ones_own_is_trusted_beside_the_systems() {
    let world = World::new();
    let start = |name: &str| {
        let tls = Certificate::make(&world.directory(name));
        let options = ServerOptions { tls: Some(tls.clone()), ..Default::default() };
        (KeyServer::start_with(&world, options), tls.certificate)
    };
    let ((own, own_authority), (public, system_authority)) = (start("own"), start("system"));
    let device = world.bare_device("a");
    let system = [("SSL_CERT_FILE", text(&system_authority))];
    let at = |server: &KeyServer, code| {
        device.answer(&["login", "--email", EMAIL, "--server", &server.url], &system, &[]).expect(code)
    };
    // Nobody has the login, but that is for the server to say.
    at(&public, 12);
    at(&own, 14).expect_says("ca_file");
    device.run(&["config", "set", "ca_file", text(&own_authority)]).expect(0);
    at(&own, 12);
    at(&public, 12);

    let (missing, empty) = (world.path("missing.pem"), world.path("empty.pem"));
    let malformed = world.path("malformed.pem");
    fs::write(&empty, "no certificate").unwrap();
    fs::write(&malformed, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for file in [&missing, &empty, &malformed] {
        device.run(&["config", "set", "ca_file", text(file)]).expect(2).expect_says(text(file));
    }
    device.run(&["config", "set", "ca_file", "ca.pem"]).expect(2).expect_says("ca.pem");
    fs::remove_file(&own_authority).unwrap();
    at(&own, 2).expect_says(text(&own_authority)).expect_says("config set ca_file");
    // Without the server nothing is missing.
    device.run(&["register", "--email", EMAIL]).expect(0);
    device.run(&["config", "set", "ca_file", ""]).expect(0);
    at(&public, 12);
}

#[test]
fn the_proxy_comes_from_the_settings_before_the_environment() {
    let world = World::new();
    let tls = Certificate::make_for(&world.directory("certificate"), "keys.example.test");
    let trusted = ("SSL_CERT_FILE", text(&tls.certificate));
    let server =
        KeyServer::start_with(&world, ServerOptions { tls: Some(tls.clone()), ..Default::default() });
    let proxy = Proxy::start(server.address());
    let device = world.bare_device("a");
    let url = "https://keys.example.test";
    let register = ["register", "--email", EMAIL, "--server", url];
    let devices = ["account", "devices"];

    device.answer(&register, &[trusted, ("HTTPS_PROXY", &proxy.url)], &[]).expect(0);
    assert!(proxy.heard().iter().all(|line| line.starts_with("CONNECT keys.example.test:443 ")));
    assert!(!proxy.heard().is_empty());

    // A dead one of the settings beats a living one of the environment.
    device.run(&["config", "set", "proxy", NOBODY]).expect(0);
    let environment = [trusted, ("HTTPS_PROXY", &*proxy.url)];
    device.answer(&devices, &environment, &[]).expect(14).expect_says("proxy");
    device.run(&["config", "set", "proxy", &proxy.url]).expect(0);
    device.answer(&devices, &[trusted, ("HTTPS_PROXY", NOBODY)], &[]).expect(0);
    device.run(&["config", "set", "proxy", "not a url"]).expect(2).expect_says("proxy");
}

#[test]
fn no_proxy_is_asked_for_this_computers_own_server() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let device = world.bare_device("a");
    let dead =
        [("HTTP_PROXY", NOBODY), ("HTTPS_PROXY", NOBODY), ("ALL_PROXY", NOBODY), ("http_proxy", NOBODY)];
    let register = ["register", "--email", EMAIL, "--server", &server.url];
    device.answer(&register, &dead, &[]).expect(0);
    for setting in ["none", NOBODY] {
        device.run(&["config", "set", "proxy", setting]).expect(0);
        device.answer(&["account", "devices"], &dead, &[]).expect(0);
    }
}

#[test]
fn what_is_no_key_server_is_no_key_server() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let evil = EvilServer::start(&server.url);
    let device = world.bare_device("a");
    for (status, answer) in
        [(200, Value::from("hello")), (404, Value::Null), (302, Value::Null), (500, "x".into())]
    {
        evil.play(move |exchange| {
            exchange.status = status;
            exchange.answer = answer.clone();
        });
        let refused = device.register(EMAIL, &evil.url).expect(14);
        refused.expect_says("does not answer like a key server of Ensafer");
        device.run(&["account", "show"]).expect(10);
    }
}

#[test]
fn keys_that_a_newer_version_made_are_no_lie() {
    let world = World::new();
    let server = KeyServer::start(&world);
    let evil = EvilServer::start(&server.url);
    let (alice, bob) = (world.bare_device("a"), world.bare_device("b"));
    alice.register(EMAIL, &evil.url).expect(0);
    bob.register("bob@example.com", &server.url).expect(0);
    evil.play(|exchange| {
        if exchange.path == "/v1/users/bob@example.com" {
            let bundle = &mut exchange.answer["bundle"]["bundle"];
            // A map of seven, whose first field is the version (`docs/format.md`, "The public bundle").
            let newer = bundle.as_str().unwrap().strip_prefix("a70001").map(|rest| format!("a70002{rest}"));
            *bundle = newer.unwrap().into();
        }
    });
    let verify = ["share", "verify", "bob@example.com"];
    alice.run(&verify).expect(1).expect_says("newer version of Ensafer").expect_says("Upgrade");
    // Nothing was remembered.
    evil.be_honest();
    assert_eq!(alice.json(&verify)["first_seen"], true);
}

fn port_of(server: &KeyServer) -> &str {
    server.address().rsplit_once(':').unwrap().1
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
