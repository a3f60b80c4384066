use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::*;

const ALL: [Mail<'static>; 6] = [
    Mail::ConfirmAddress { code: "7K3Q-9MXW", expires_in_s: 86_400 },
    Mail::NewDevice { device_name: "Ada's laptop", at_s: 1_800_000_000 },
    Mail::PasswordChanged { at_s: 1_800_000_000 },
    Mail::RecoveryUsed { at_s: 1_800_000_000 },
    Mail::AccountDeleted,
    Mail::RecoveryChanged { at_s: 1_800_000_000 },
];

fn login(text: &str) -> Login {
    text.parse().unwrap()
}

/// The mail as it travels, with soft line breaks undone so that words can be looked for.
fn written(mail: Mail<'_>) -> String {
    let from = "Keys <keys@example.org>".parse().unwrap();
    let message = message::compose("Home & Co", &from, &login("ada@example.com"), mail).unwrap();
    String::from_utf8(message.formatted()).unwrap().replace("=\r\n", "").replace("=3D", "=")
}

fn settings(transport: MailTransport) -> Config {
    let mut config = Config::default();
    config.mail.transport = transport;
    config.mail.from = "Keys <keys@example.org>".to_owned();
    config
}

#[test]
fn every_mail_has_two_parts_and_says_that_a_machine_wrote_it() {
    let new = login("new@example.com");
    for mail in ALL.into_iter().chain([Mail::AddressChanged { new: &new }]) {
        let text = written(mail);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: Keys <keys@example.org>",
            "To: ada@example.com",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(head.lines().any(|known| known == line), "{line} in {head}");
        }
        assert!(head.contains("Subject: Home & Co: ") && head.contains("Date: "), "{head}");
        assert!(head.contains("Message-ID: <") && head.contains("@example.org>"), "{head}");
        assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");
        let (plain, html) = body.split_once("Content-Type: text/html; charset=utf-8").unwrap();
        assert!(
            plain.contains("Content-Type: text/plain; charset=utf-8") && plain.contains("Hello,"),
            "{plain}"
        );
        assert!(html.contains("<p>Hello,</p>") && html.contains("Home &amp; Co"), "{html}");
        for remote in ["http", "src=", "url(", "<img", "<script", "<link"] {
            assert!(!html.contains(remote), "{remote} in {html}");
        }
        assert!(!body.contains("{{") && !body.contains("}}"), "{body}");
    }
}

#[test]
fn no_two_mails_have_one_id() {
    let id = |text: String| text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned();
    assert_ne!(id(written(ALL[0])), id(written(ALL[0])));
}

#[test]
fn mails_say_what_they_are_about() {
    let confirm = written(ALL[0]);
    assert!(confirm.contains("Subject: Home & Co: your code is 7K3Q-9MXW"), "{confirm}");
    assert!(confirm.matches("7K3Q-9MXW").count() == 3 && confirm.contains("good for 24 hours"), "{confirm}");
    let device = written(ALL[1]);
    assert!(
        device.contains("Device: Ada's laptop") && device.contains("15 January 2027, 08:00 UTC"),
        "{device}"
    );
    let short = written(Mail::ConfirmAddress { code: "X", expires_in_s: 600 });
    assert!(short.contains("good for 10 minutes"), "{short}");
    let new = login("new@example.com");
    assert!(written(Mail::AddressChanged { new: &new }).contains("<strong>new@example.com</strong>"));
}

#[test]
fn a_devices_name_brings_no_markup_headers_or_places() {
    let device_name = "<b>\"&'\r\nBcc: eve@example.com\r\n{{login}}";
    let text = written(Mail::NewDevice { device_name, at_s: 0 });
    assert!(
        text.contains("<strong>&lt;b&gt;&quot;&amp;&#39;  Bcc: eve@example.com  {{login}}</strong>"),
        "{text}"
    );
    assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
}

#[test]
fn a_login_that_is_a_name_gets_no_mail() {
    let from = "keys@example.org".parse().unwrap();
    let refused = message::compose("X", &from, &login("ada"), Mail::AccountDeleted);
    assert!(matches!(refused, Err(MailError::NotAnAddress)));
}

#[tokio::test]
async fn the_file_transport_writes_one_file_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = settings(MailTransport::File);
    config.mail.directory = dir.path().join("mails");
    let mailer = Mailer::new(&config).unwrap().unwrap();
    mailer.check().await.unwrap();
    for mail in &ALL[..2] {
        mailer.send(&login("ada@example.com"), *mail).await.unwrap();
    }
    assert_eq!(fs::metadata(&config.mail.directory).unwrap().permissions().mode() & 0o777, 0o700);
    let files: Vec<_> =
        fs::read_dir(&config.mail.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|path| path.extension().is_some_and(|extension| extension == "eml")));
    let texts: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(texts.contains("To: ada@example.com") && texts.contains("7K3Q-9MXW"), "{texts}");
    fs::remove_dir_all(&config.mail.directory).unwrap();
    let refused = mailer.send(&login("ada@example.com"), ALL[0]).await;
    assert!(matches!(refused, Err(MailError::File(_))), "{refused:?}");
}

#[test]
fn none_is_none() {
    assert!(Mailer::new(&settings(MailTransport::None)).unwrap().is_none());
}

/// A mail server for one talk that answers each command so; gives what it heard.
pub(crate) fn mail_server(
    answer: impl Fn(&str) -> &'static str + Send + 'static,
) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talk = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut heard, mut in_data) = (String::new(), false);
        stream.write_all(b"220 localhost\r\n").unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let Ok(line) = line else { break };
            heard += &format!("{line}\n");
            let said = match (in_data, line.as_str()) {
                (true, ".") => {
                    // The mailer keeps the connection for the next one; this server does not.
                    let _ = stream.write_all(b"250 taken\r\n");
                    break;
                }
                (true, _) => continue,
                (false, "DATA") => "354 go on",
                (false, "QUIT") => break,
                (false, line) => answer(line),
            };
            in_data = said == "354 go on";
            if stream.write_all(format!("{said}\r\n").as_bytes()).is_err() {
                break;
            }
        }
        heard
    });
    (port, talk)
}

fn smtp_settings(port: u16, security: MailSecurity) -> Config {
    let mut config = settings(MailTransport::Smtp);
    config.mail.host = "127.0.0.1".to_owned();
    (config.mail.port, config.mail.security) = (port, security);
    config
}

fn smtp(port: u16, security: MailSecurity) -> Mailer {
    Mailer::new(&smtp_settings(port, security)).unwrap().unwrap()
}

/// What was logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What it gives, and what it logged.
async fn logged<T>(sending: impl Future<Output = T>) -> (T, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    let given = sending.await;
    drop(logging);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (given, text)
}

#[tokio::test]
async fn a_wrong_password_is_logged_with_the_settings_to_check_and_without_the_password() {
    let (port, talk) = mail_server(|line| match line.split(' ').next() {
        Some("EHLO") => "250-localhost\r\n250 AUTH PLAIN",
        Some("AUTH") => "535 5.7.8 no",
        _ => "250 ok",
    });
    let mut config = smtp_settings(port, MailSecurity::None);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, "wrong-secret\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    config.mail.user = "mailer".to_owned();
    config.mail.password_file = Some(path);
    let mailer = Mailer::new(&config).unwrap().unwrap();
    let (refused, log) = logged(mailer.send(&login("ada@example.com"), ALL[0])).await;
    assert!(matches!(refused, Err(MailError::WrongPassword(_))), "{refused:?}");
    drop(mailer);
    let heard = talk.join().unwrap();
    assert!(heard.contains("AUTH PLAIN"), "{heard}");
    let (warnings, hints) = (log.matches("WARN").count(), log.contains("mail.user and mail.password_file"));
    assert!(warnings == 1 && hints && log.contains("mail not sent"), "{log}");
    for secret in ["wrong-secret", "ada@example.com", "7K3Q", "mailer"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    for line in heard.lines().filter_map(|line| line.strip_prefix("AUTH PLAIN ")) {
        assert!(!log.contains(line), "{log}");
    }
}

#[tokio::test]
async fn a_mail_goes_over_smtp() {
    let (port, talk) = mail_server(|_| "250 ok");
    let mailer = smtp(port, MailSecurity::None);
    mailer.send(&login("ada@example.com"), ALL[0]).await.unwrap();
    drop(mailer);
    let heard = talk.join().unwrap();
    for line in
        ["MAIL FROM:<keys@example.org>", "RCPT TO:<ada@example.com>", "Auto-Submitted: auto-generated"]
    {
        assert!(heard.contains(line), "{line} in {heard}");
    }
}

#[tokio::test]
async fn a_refused_recipient_is_told_from_a_wrong_password_and_not_named_in_the_log() {
    let (port, talk) =
        mail_server(
            |line| {
                if line.starts_with("RCPT") { "550 <ada@example.com> is not here" } else { "250 ok" }
            },
        );
    let mailer = smtp(port, MailSecurity::None);
    let (refused, log) = logged(mailer.send(&login("ada@example.com"), ALL[0])).await;
    assert!(matches!(refused, Err(MailError::Refused(_))), "{refused:?}");
    drop(mailer);
    talk.join().unwrap();
    assert!(log.contains("refused the mail") && log.contains("status=550"), "{log}");
    assert!(!log.contains("ada@"), "{log}");
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_where_tls_was_asked_for() {
    let (port, talk) = mail_server(|_| "250 ok");
    let refused = smtp(port, MailSecurity::Starttls).send(&login("ada@example.com"), ALL[0]).await;
    assert!(refused.is_err());
    let heard = talk.join().unwrap();
    assert!(!heard.contains("MAIL") && !heard.contains("7K3Q"), "{heard}");
}
