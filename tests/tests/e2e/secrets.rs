//! Where secrets must not be: logs at their loudest, arguments and environments, files, core dumps.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ensafer_tests::certificate::Certificate;
use ensafer_tests::device::{PASSWORD, printed_keys, text};
use ensafer_tests::evil_server::secrets_of;
use ensafer_tests::{
    Database, Device, EvilServer, Finished, KeyServer, Running, ServerOptions, Storage, World, postgres,
    tree, wait,
};
use rustix::process::{Pid, Signal, kill_process};

const EMAIL: &str = "alice@example.com";
const NEW_PASSWORD: &str = "canary-Kestrel-4711";

#[test]
fn no_log_no_process_and_no_file_of_a_server_with_sqlite_shows_a_secret() {
    let world = World::new();
    let seen = Seen::watch(&world, Storage::Own);
    seen.expect_none_in_files(&seen.server.data);
}

#[test]
fn no_log_no_process_and_no_row_of_a_server_with_postgresql_shows_a_secret() {
    let Some(cluster) = postgres::cluster() else { return };
    let (world, database) = (World::new(), Database::create(&cluster));
    let seen = Seen::watch(&world, Storage::shared(&world, &database));
    seen.expect_none_in("the database", database.dump().as_bytes());
}

#[test]
#[should_panic(expected = "is in a file")]
fn a_secret_in_a_file_is_found() {
    let world = World::new();
    let server = KeyServer::new(&world, ServerOptions::default());
    let secrets = forms_of_key("VF0X-EEKV-1SNY-7TVS-SKZ4-FA31-17R9-TH7Q-DD5H").into_iter().collect();
    let seen = Seen { server, secrets };
    let bytes = decode_base32("VF0XEEKV1SNY7TVSSKZ4FA3117R9TH7Q");
    seen.expect_none_in("a file", &[b"before".as_slice(), &bytes, b"after"].concat());
}

#[test]
fn the_loudest_log_over_tls_shows_no_token() {
    let world = World::new();
    let tls = Certificate::make(&world.directory("certificate"));
    let trusted = [("SSL_CERT_FILE", text(&tls.certificate)), ("ENSAFER_LOG", "trace")];
    let server =
        KeyServer::start_with(&world, ServerOptions { tls: Some(tls.clone()), ..loud(Storage::Own) });
    let device = Device::bare(&world.path("a"));
    let register = ["register", "--email", EMAIL, "--server", &server.url];
    let made = device.answer(&register, &trusted, &[]).expect(0);
    let listed = device.answer(&["account", "devices"], &trusted, &[]).expect(0);
    assert!(listed.stderr.contains("TRACE"), "it is loud: {listed}");
    let logs = format!("{}{}{}", made.stderr, listed.stderr, server.log()).to_lowercase();
    assert!(!logs.contains("bearer "), "{logs}");
    for secret in [PASSWORD, made.stdout.trim()] {
        assert!(!logs.contains(&secret.to_lowercase()), "{logs}");
    }
}

#[test]
fn neither_server_nor_client_leaves_a_core_dump() {
    let world = World::new();
    if !dies_with_a_core(&world.directory("a"), Command::new("sleep").arg("1000"), |_| true) {
        ensafer_tests::skipped("this system makes no core dumps where a test can see them");
        return;
    }
    let server = KeyServer::new(&world, ServerOptions::default());
    let is_listening = |said: &Path| fs::read_to_string(said).is_ok_and(|text| text.contains("listening on"));
    let mut serve = server.serve_command("127.0.0.1:0");
    assert!(
        !dies_with_a_core(&world.directory("b"), &mut serve, is_listening),
        "the server's secret was dumped"
    );

    let device = world.device("laptop");
    device.write("a", "a");
    let mut daemon = device.command(&["daemon"]);
    let is_up = |_: &Path| device.state() == "up-to-date";
    assert!(!dies_with_a_core(&world.directory("c"), &mut daemon, is_up), "keys were dumped");
}

/// A server and clients at their loudest, what they said, and the secrets that they dealt with.
struct Seen {
    server: KeyServer,
    secrets: BTreeSet<Vec<u8>>,
}

impl Seen {
    /// Walks through everything that has to do with secrets, and looks everywhere but in the server's storage.
    fn watch(world: &World, storage: Storage) -> Self {
        let server = KeyServer::start_with(world, loud(storage));
        let evil = EvilServer::start(&server.url);
        let mut walk = Walk::begin(world);
        let [laptop, desktop] = walk.devices(world);
        let made =
            walk.run(&laptop, &["register", "--email", EMAIL, "--server", &evil.url, "--account-key"], &[]);
        let [account_key, recovery_key] = printed_keys(&made);
        let login = ["login", "--email", EMAIL, "--server", &evil.url, "--account-key"];
        walk.run(&desktop, &login, &[account_key]);
        for device in [&laptop, &desktop] {
            device.add_folder().expect(0);
        }
        walk.run(&laptop, &["account", "password"], &[NEW_PASSWORD]);
        fs::write(world.path("password"), NEW_PASSWORD).unwrap();
        walk.run(&desktop, &["login"], &[]);
        walk.run(&desktop, &["recovery-key", "use"], &[recovery_key]);
        let new_key = walk.run(&desktop, &["recovery-key", "new"], &[]).stdout;
        walk.run(&laptop, &["login"], &[]);
        for verb in ["devices", "profile", "export"] {
            walk.run(&laptop, &["account", verb], &[]);
        }
        walk.run(&laptop, &["sync", "--once"], &[]);
        laptop.answer(&["start"], &[("ENSAFER_LOG", "trace")], &[]).expect(0);
        laptop.wait_for_state("up-to-date");
        walk.look_at_processes(world);

        let wire = secrets_of(&evil.heard());
        assert!(wire.len() >= 10, "{wire:?}");
        let mut secrets: BTreeSet<Vec<u8>> =
            wire.iter().flat_map(|hex| [hex.clone().into(), unhex(hex)]).collect();
        for word in [PASSWORD, NEW_PASSWORD] {
            secrets.extend([word.into(), tohex(word.as_bytes()).into()]);
        }
        for key in [recovery_key, new_key.trim()] {
            secrets.extend(forms_of_key(key));
        }
        let seen = Self { server, secrets };
        for device in [&laptop, &desktop] {
            seen.expect_none_in_files(&device.home);
        }
        // The account key is this computer's to keep, closed to others, and nobody else's to have.
        let kept = laptop.home.join("data/device.json");
        assert!(fs::read_to_string(&kept).unwrap().contains(account_key));
        assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let mut everything = seen.secrets.clone();
        everything.extend(forms_of_key(account_key));
        let seen = Self { secrets: everything, ..seen };
        seen.expect_none_in("the server's log", seen.server.log().as_bytes());
        seen.expect_none_in("the clients' logs", walk.logs.as_bytes());
        seen.expect_none_in("arguments and environments", &walk.processes);
        assert!(seen.server.log().contains("TRACE") && walk.logs.contains("TRACE"), "they are loud");
        assert!(walk.processes.len() > 1000, "processes were looked at");
        seen
    }

    #[track_caller]
    fn expect_none_in(&self, what: &str, bytes: &[u8]) {
        for secret in &self.secrets {
            let found = bytes.windows(secret.len()).position(|window| window == secret);
            assert!(found.is_none(), "{:?} is in {what} at {found:?}", String::from_utf8_lossy(secret));
        }
    }

    #[track_caller]
    fn expect_none_in_files(&self, directory: &Path) {
        let files = tree::files_below(directory);
        assert!(files.len() > 1, "{files:?}");
        for file in files {
            self.expect_none_in(text(&file), &fs::read(&file).unwrap());
        }
    }
}

/// A walk through the verbs.
struct Walk {
    logs: String,
    /// Arguments and environments of all processes that were seen.
    processes: Vec<u8>,
    root: String,
}

impl Walk {
    fn begin(world: &World) -> Self {
        fs::write(world.path("password"), PASSWORD).unwrap();
        Self { logs: String::new(), processes: Vec::new(), root: text(world.root()).to_owned() }
    }

    /// Devices whose password comes from a file: then it is in no environment.
    fn devices(&self, world: &World) -> [Device; 2] {
        ["laptop", "desktop"].map(|name| {
            let command = format!("cat '{}/password'", self.root);
            let mut device =
                Device::bare(&world.path(&format!("{name}-home"))).with_password_command(&command);
            device.work = world.directory(&format!("{name}-work"));
            device.encrypted = world.encrypted();
            device
        })
    }

    fn run(&mut self, device: &Device, arguments: &[&str], lines: &[&str]) -> Finished {
        let mut command = device.command(arguments);
        command.env("ENSAFER_LOG", "trace");
        let typed: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut running = Running::start_with_input(&mut command, typed.as_bytes());
        while running.is_running() {
            self.look();
        }
        let finished = running.finish().expect(0);
        self.logs += &finished.stderr;
        finished
    }

    fn look_at_processes(&mut self, world: &World) {
        self.look();
        for file in tree::files_below(world.root()) {
            if file.extension().is_some_and(|name| name == "log") {
                self.logs += &String::from_utf8_lossy(&fs::read(file).unwrap());
            }
        }
    }

    /// Every process that has to do with this world: its directory is in the environment or in the arguments.
    fn look(&mut self) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let [cmdline, environ] =
                ["cmdline", "environ"].map(|file| fs::read(entry.path().join(file)).unwrap_or_default());
            let both = [cmdline, environ].concat();
            if String::from_utf8_lossy(&both).contains(&self.root) {
                self.processes.extend(both);
            }
        }
    }
}

fn loud(storage: Storage) -> ServerOptions {
    let environment = vec![("ENSAFER_SERVER_LOG".to_owned(), "trace".to_owned())];
    ServerOptions { storage, environment, ..Default::default() }
}

/// Lets a process die as a bug would, once it `is_up` by what it said, where core dumps may be as large as they like.
/// Whether it left one.
fn dies_with_a_core(directory: &Path, command: &mut Command, is_up: impl Fn(&Path) -> bool) -> bool {
    let said = directory.join("said");
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -c unlimited || exit 1; exec "$@""#, "sh"]);
    shell.arg(command.get_program()).args(command.get_args()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(directory);
    shell.stdin(Stdio::null()).stdout(fs::File::create(&said).unwrap()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    let id = child.id();
    wait::until_true("the shell became the program", || {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        name.trim() != "sh" && is_up(&said)
    });
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::ABORT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(6), "{status}");
    let files = fs::read_dir(directory).unwrap().flatten().map(|entry| entry.file_name());
    status.core_dumped() || files.into_iter().any(|name| name.to_string_lossy().starts_with("core"))
}

/// A printed key in all forms in which it could lie around: as printed, in one piece, its bytes and their hex. The last
/// group, which ends with a checksum, is left out.
fn forms_of_key(printed: &str) -> Vec<Vec<u8>> {
    let (key, _checksum) = printed.rsplit_once('-').expect("groups and a checksum");
    let bytes = decode_base32(&key.replace('-', ""));
    assert!(bytes.len() >= 15, "{printed}");
    vec![key.into(), key.replace('-', "").into(), tohex(&bytes).into(), bytes]
}

/// Crockford's base32.
fn decode_base32(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for digit in text.bytes() {
        let value = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".iter().position(|own| *own == digit);
        bits = bits << 5 | u32::try_from(value.expect("a digit of base 32")).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

fn tohex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}
