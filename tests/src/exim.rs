//! A real mail server on loopback: Debian's Exim with a configuration of its own, delivering into a maildir. The
//! system's own mail is not touched.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::mail::Mail;
use crate::process::{is_root, run};
use crate::wait;

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/exim4";
/// The user and group that Debian makes for it. As anybody else it takes no connections.
const EXIM: &str = "Debian-exim";

/// The one user who may send.
pub const USER: &str = "ensafer";
/// That user's password.
pub const PASSWORD: &str = "mail-pass-word";

/// A running mail server. It ends when this is dropped.
#[derive(Debug)]
pub struct Exim {
    /// The port for SMTP with STARTTLS. It offers to authenticate only after that.
    pub port: u16,
    /// The port where TLS comes first (RFC 8314).
    pub tls_port: u16,
    /// Holds the password, with a newline at its end as editors leave it.
    pub password_file: PathBuf,
    /// Signs the server's certificate: the certificate itself.
    pub ca_file: PathBuf,
    daemons: Vec<std::process::Child>,
    directory: TempDir,
}

impl Exim {
    /// Starts one. `None` where Exim is not installed, or cannot become its own user; with `CI` set it must.
    #[must_use]
    pub fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() || !is_root() {
            crate::skipped(
                "no Exim (Debian: exim4-daemon-light), or not root, who can start it as its own user",
            );
            return None;
        }
        // Not in a test's world: whoever Exim runs as could not enter that.
        let directory = tempfile::Builder::new().prefix("ensafer-exim-").tempdir().unwrap();
        let made = Certificate::make(directory.path());
        for name in ["spool", "log", "mail"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let password_file = directory.path().join("password");
        fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(directory.path().join("exim.conf"), configuration(directory.path(), &made)).unwrap();
        run(Command::new("chown").args(["-R", &format!("{EXIM}:")]).arg(directory.path())).expect(0);
        let (port, smtp) = start(directory.path(), &[]);
        let (tls_port, smtps) = start(directory.path(), &["-tls-on-connect"]);
        let ca_file = made.certificate;
        Some(Self { port, tls_port, password_file, ca_file, daemons: vec![smtp, smtps], directory })
    }

    /// All mails that have arrived, the oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(self.directory.path().join("mail/new")) else { return Vec::new() };
        let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        found.sort_by_key(|path| path.metadata().and_then(|file| file.modified()).ok());
        found.iter().map(|path| Mail::parse(&fs::read_to_string(path).unwrap())).collect()
    }

    /// Waits until at least `count` mails have arrived, and returns all that are there then.
    #[track_caller]
    #[must_use]
    pub fn wait_for_mails(&self, count: usize) -> Vec<Mail> {
        wait::until(&format!("{count} mails arrive; Exim's log: {}", self.log()), || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
    }

    /// Waits for a mail to `to` whose subject or text contains `words`.
    #[track_caller]
    #[must_use]
    pub fn wait_for_mail(&self, to: &str, words: &str) -> Mail {
        wait::until(&format!("a mail to {to} with {words:?}"), || {
            let is_it = |mail: &Mail| {
                mail.to.contains(to) && (mail.subject.contains(words) || mail.text.contains(words))
            };
            self.mails().into_iter().find(is_it)
        })
    }

    /// What Exim logged: deliveries and refusals.
    #[must_use]
    pub fn log(&self) -> String {
        let read =
            |name| fs::read_to_string(self.directory.path().join("log").join(name)).unwrap_or_default();
        ["main", "reject", "panic"].map(read).concat()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Starts a daemon in the foreground on a listening socket that it inherits (`-bw`), so that the system chooses the
/// port and no connection comes too early.
fn start(directory: &Path, arguments: &[&str]) -> (u16, std::process::Child) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", EXIM, "--regid", EXIM, "--clear-groups"]);
    let log = fs::File::create(directory.join(format!("output-{port}"))).unwrap();
    command
        // The program is set-user-id root, which nothing here needs.
        .args(["--no-new-privs", PROGRAM, "-bw", "-C"])
        .arg(directory.join("exim.conf"))
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    (port, command.spawn().unwrap_or_else(|e| panic!("cannot start Exim: {e}")))
}

fn configuration(directory: &Path, made: &Certificate) -> String {
    let (directory, certificate, key) = (directory.display(), made.certificate.display(), made.key.display());
    format!(
        "\
keep_environment =
primary_hostname = localhost
spool_directory = {directory}/spool
log_file_path = {directory}/log/%s
log_selector = +smtp_protocol_error +smtp_syntax_error
pid_file_path =
# Without root there is nobody else to be.
deliver_drop_privilege = true
never_users =
message_size_limit = 1M
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}{{}}}}
acl_smtp_rcpt = recipient
begin acl
recipient:
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"
    )
}
