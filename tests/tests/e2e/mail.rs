//! Mails of the key server: codes for addresses and notices, through a real mail server and into files.

use std::fs;
use std::path::{Path, PathBuf};

use ensafer_tests::certificate::Certificate;
use ensafer_tests::device::{text, typing};
use ensafer_tests::exim::{self, Exim};
use ensafer_tests::mail::Mail;
use ensafer_tests::{Device, KeyServer, ServerOptions, World, on_every_database_with, wait};
use serde_json::Value;

const EMAIL: &str = "alice@example.com";

#[test]
fn an_address_is_confirmed_by_the_code_that_comes_by_mail() {
    let Some(exim) = Exim::start() else { return };
    for (port, security) in [(exim.port, "starttls"), (exim.tls_port, "tls")] {
        let world = World::new();
        let server = KeyServer::start_with(&world, mailing(&exim, port, security));
        server.run(&["config", "check"]).expect(0).expect_says("logged in to the mail server");
        let email = format!("alice-{security}@example.com");
        let device = world.bare_device("a");
        let made = device.register(&email, &server.url).expect(0);
        assert_eq!(made.stdout.lines().count(), 1, "the recovery key is shown: {made}");
        made.expect_says("has sent a code to").expect_says("ensafer account confirm");
        let mail = exim.wait_for_mail(&email, "your code is");
        let code = code_of(&mail);
        assert!(mail.html.contains(&code), "{}", mail.html);

        let session = |device: &Device| device.json(&["account", "show"])["session"].clone();
        assert_eq!(session(&device), "waits-for-code");
        device.run(&["account", "show"]).expect(0).expect_says("waits for the code that was mailed");

        // Until it is confirmed, nobody logs in; and it may be made anew.
        device.run(&["account", "devices"]).expect(10);
        let waiting = world.bare_device("b");
        waiting.log_in(&email, &server.url).expect(5).expect_says("is not confirmed yet");
        let wrong = if code.starts_with('7') { "8" } else { "7" }.to_owned() + &code[1..];
        for no_code in [&wrong, "hello"] {
            device
                .answer(&["account", "confirm"], &[], &[no_code])
                .expect(12)
                .expect_says("code from the e-mail is wrong");
        }
        let typed = format!(" {}-{} ", &code[..4], &code[4..]).to_lowercase();
        device.answer(&["account", "confirm"], &[], &[&typed]).expect(0).expect_says("is confirmed");
        assert_eq!(session(&device), "logged-in");
        device.run(&["account", "devices"]).expect(0);
        waiting.log_in(&email, &server.url).expect(0);
        let told = wait::until("a mail about the new device", || {
            let mails = exim.mails();
            mails.into_iter().find(|mail| mail.to.contains(&email) && !mail.text.contains(&code))
        });
        assert!(told.subject.contains("a new device logged in"), "{told:?}");
        assert!(!server.log().contains(&code) && !server.log().contains(&email), "{}", server.log());
    }
}

#[test]
fn a_wrong_password_of_the_mail_server_is_reported_and_leaves_no_account() {
    let Some(exim) = Exim::start() else { return };
    let world = World::new();
    let wrong = world.path("wrong-password");
    fs::copy(&exim.password_file, &wrong).unwrap();
    fs::write(&wrong, "not-the-password").unwrap();
    let mut options = mailing(&exim, exim.port, "starttls");
    options.config = options.config.replace(text(&exim.password_file), text(&wrong));
    let server = KeyServer::start_with(&world, options);
    let checked = server.run(&["config", "check"]).expect(1);
    checked.expect_says("FAIL  mail: the mail server refused the user name or the password");

    let device = world.bare_device("a");
    let refused = device.register(EMAIL, &server.url).expect(14);
    refused.expect_says("The server could not send its e-mail");
    device.run(&["account", "show"]).expect(10);
    assert_eq!(server.run(&["user", "list", "--json"]).expect(0).json(), Value::Array(Vec::new()));
    assert!(server.log().contains("mail.password_file"), "{}", server.log());
    assert!(!server.log().contains("not-the-password"), "{}", server.log());
    assert_eq!(exim.mails(), []);
}

#[test]
fn a_mail_server_that_cannot_be_trusted_or_reached_gets_nothing() {
    let Some(exim) = Exim::start() else { return };
    let world = World::new();
    let other = Certificate::make(&world.directory("certificate"));
    let mut untrusted = mailing(&exim, exim.port, "starttls");
    untrusted.config = untrusted.config.replace(text(&exim.ca_file), text(&other.certificate));
    let mut plain = mailing(&exim, exim.port, "tls");
    plain.config = plain.config.replace(&exim.port.to_string(), "1");
    for (options, words) in [(untrusted, "certificate is not trusted"), (plain, "cannot be reached")] {
        let server = KeyServer::start_with(&world, options);
        server.run(&["config", "check"]).expect(1).expect_says(words);
        let device = world.bare_device("a");
        device.register(EMAIL, &server.url).expect(14).expect_says("could not send its e-mail");
        device.run(&["account", "show"]).expect(10);
        assert!(server.log().contains(words), "{}", server.log());
    }
    assert_eq!(exim.mails(), []);
}

#[test]
fn owners_are_told_of_what_they_may_not_have_done() {
    let world = World::new();
    let directory = world.path("mails");
    on_every_database_with(&into_files(&directory), |world, server| {
        for old in mails_in(&directory) {
            fs::remove_file(old.0).unwrap();
        }
        let laptop = world.bare_device("a");
        let key = laptop.register(EMAIL, &server.url).expect(0).stdout;
        confirm(&laptop, &directory, EMAIL);
        let told = |to: &str, words: &str| {
            wait::until(&format!("a mail to {to} with {words:?}"), || {
                mails_to(&directory, to).into_iter().find(|mail| mail.text.contains(words))
            })
        };
        // Who logs in again is not new.
        laptop.run(&["login"]).expect(0);
        world.bare_device("b").log_in(EMAIL, &server.url).expect(0);
        let _ = told(EMAIL, "account devices");
        let (_, new) = typing("tr8vel-Kestrel-9");
        laptop.answer(&["account", "password"], &[("ENSAFER_NEW_PASSWORD_COMMAND", &new)], &[]).expect(0);
        let _ = told(EMAIL, "password");
        let fresh = world.bare_device("c");
        let recover = ["recovery-key", "use", "--email", EMAIL, "--server", &server.url];
        fresh.answer(&recover, &[], &[key.trim()]).expect(0);
        let _ = told(EMAIL, "recovery key");
        let of_new_device = || {
            let mails = mails_to(&directory, EMAIL).into_iter();
            mails.filter(|mail| mail.subject.contains("a new device logged in")).count()
        };
        // The one that registered is none.
        wait::until_true("two mails of new devices", || of_new_device() == 2);

        // A new address is confirmed before it counts, and the old one is told.
        let new_email = "alice@example.org";
        let change = ["account", "profile", "--email", new_email];
        fresh.answer(&change, &[], &["0000-0000"]).expect(12);
        assert_eq!(fresh.json(&["account", "show"])["login"], EMAIL);
        // The code that came is good still.
        let code = code_of(mails_to(&directory, new_email).last().unwrap());
        let with_code = ["account", "profile", "--email", new_email, "--with-code"];
        fresh.answer(&with_code, &[], &[&code]).expect(0);
        assert_eq!(fresh.json(&["account", "show"])["login"], new_email);
        let _ = told(EMAIL, new_email);

        fresh.run(&["account", "delete", "-y"]).expect(0);
        let _ = told(new_email, "deleted");
        assert_eq!(of_new_device(), 2);
    });
}

#[test]
fn a_new_registration_takes_the_place_of_one_that_nobody_confirmed() {
    let world = World::new();
    let directory = world.path("mails");
    on_every_database_with(&into_files(&directory), |world, server| {
        let (squatter, owner) = (world.bare_device("a"), world.bare_device("b"));
        squatter.register(EMAIL, &server.url).expect(0);
        for old in mails_in(&directory) {
            fs::remove_file(old.0).unwrap();
        }
        owner.register(EMAIL, &server.url).expect(0);
        let code = code_of(&mails_in(&directory)[0].1);
        squatter.answer(&["account", "confirm"], &[], &[&code]).expect(12);
        confirm(&owner, &directory, EMAIL);
        squatter.run(&["login"]).expect(26);
    });
}

fn confirm(device: &Device, directory: &Path, email: &str) {
    let code = code_of(mails_to(directory, email).first().expect("a code came"));
    device.answer(&["account", "confirm"], &[], &[&code]).expect(0);
}

fn into_files(directory: &Path) -> String {
    let directory = text(directory);
    format!("[mail]\ntransport = \"file\"\nfrom = \"keys@example.org\"\ndirectory = {directory:?}\n")
}

fn mailing(exim: &Exim, port: u16, security: &str) -> ServerOptions {
    let (password, ca) = (text(&exim.password_file), text(&exim.ca_file));
    let config = format!(
        "[mail]\ntransport = \"smtp\"\nfrom = \"Ensafer <keys@example.org>\"\nhost = \"localhost\"\n\
         port = {port}\nsecurity = {security:?}\nuser = {:?}\npassword_file = {password:?}\nca_file = {ca:?}\n",
        exim::USER
    );
    ServerOptions { config, ..Default::default() }
}

fn mails_in(directory: &Path) -> Vec<(PathBuf, Mail)> {
    let Ok(listing) = fs::read_dir(directory) else { return Vec::new() };
    let files = listing.flatten().map(|entry| entry.path());
    let mails = files.filter(|file| file.extension().is_some_and(|name| name == "eml"));
    mails.filter_map(|file| Some((file.clone(), Mail::parse(&fs::read_to_string(file).ok()?)))).collect()
}

fn mails_to(directory: &Path, email: &str) -> Vec<Mail> {
    let mails = mails_in(directory).into_iter().map(|(_, mail)| mail);
    mails.filter(|mail| mail.to.contains(email)).collect()
}

/// The code stands on a line of its own.
fn code_of(mail: &Mail) -> String {
    let is_code =
        |line: &&str| line.len() == 8 && line.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    mail.text.lines().map(str::trim).find(is_code).unwrap_or_else(|| panic!("no code in {mail:?}")).to_owned()
}
