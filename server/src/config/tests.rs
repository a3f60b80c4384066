use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

fn load(text: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.toml");
    fs::write(&file, text).unwrap();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    let flag = |(key, value): &(&str, &str)| Override {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        origin: format!("--{key}"),
    };
    let flags: Vec<_> = flags.iter().map(flag).collect();
    Config::load_with(Some(&file), environment.into_iter(), &flags)
}

/// Settings that pass, and `more`.
fn with_data(more: &str) -> Result<Config, ConfigError> {
    load(more, &[], &[("server.data", "/tmp/data")])
}

fn refusal(text: &str) -> String {
    with_data(text).unwrap_err().to_string()
}

fn secret_file(mode: u32, text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

#[test]
fn the_example_documents_every_key_with_its_default() {
    let example: toml::Table = EXAMPLE.parse().unwrap();
    assert_eq!(example, Config::default().to_table());
    let mut documented = false;
    for line in EXAMPLE.lines() {
        let is_key = line.contains(" = ") && !line.starts_with('#');
        assert!(!is_key || documented, "a comment stands above: {line}");
        documented = line.starts_with('#');
    }
}

#[test]
fn the_stated_bounds_are_the_codes() {
    for (key, _, bounds) in Config::default().bounds() {
        let (least, most) = (*bounds.start(), *bounds.end());
        let name = key.split_once('.').unwrap().1;
        let at = EXAMPLE.find(&format!("\n{name} = ")).unwrap();
        let comment = EXAMPLE[..at].rsplit("\n\n").next().unwrap();
        assert!(comment.contains(&format!("{least} to {most}")), "{key}: {least} to {most} in {comment}");
        for (value, is_good) in [(least, true), (most, true), (least - 1, false), (most + 1, false)] {
            let text = value.to_string();
            let loaded = load("", &[], &[("server.data", "/tmp/data"), (key, &text)]);
            assert_eq!(loaded.is_ok(), is_good, "{key} = {value}: {loaded:?}");
        }
    }
}

#[test]
fn flags_beat_environment_beats_file() {
    let file = "name = \"file\"\n[mail]\nport = 1\n[server]\nlisten = \"127.0.0.1:1\"\ndata = \"/file\"";
    let environment = [
        ("ENSAFER_SERVER_NAME", "environment"),
        ("ENSAFER_SERVER_LISTEN", "127.0.0.1:2"),
        ("ENSAFER_SERVER_MAIL__PORT", "2"),
        ("ENSAFER_SERVER_LIMITS__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
        ("OTHER", "x"),
    ];
    let flags = [("server.listen", "127.0.0.1:3"), ("mail.port", "3")];
    let config = load(file, &environment, &flags).unwrap();
    assert_eq!((config.mail.port, config.server.listen.port(), config.name.as_str()), (3, 3, "environment"));
    assert_eq!(config.server.data.unwrap(), PathBuf::from("/file"));
    assert_eq!(config.limits.trusted_proxies.len(), 2);
    let config = load(file, &environment, &[]).unwrap();
    assert_eq!((config.mail.port, config.server.listen.port()), (2, 2));
    let config = load(file, &[], &[]).unwrap();
    assert_eq!((config.mail.port, config.server.listen.port(), config.name.as_str()), (1, 1, "file"));
}

#[test]
fn errors_say_where() {
    let unknown = with_data("name = \"x\"\n\n[limits]\nfailure_per_account = 5").unwrap_err();
    let source = std::error::Error::source(&unknown).unwrap().to_string();
    assert!(source.contains("line 4") && source.contains("failure_per_account"), "{source}");
    assert!(matches!(with_data("nope = 1"), Err(ConfigError::Parse { .. })));
    let variable = load("", &[("ENSAFER_SERVER_MAIL__PORT", "many")], &[]).unwrap_err().to_string();
    assert!(
        variable.contains("ENSAFER_SERVER_MAIL__PORT") && variable.contains("not a number"),
        "{variable}"
    );
    let flag = load("", &[], &[("mail.security", "some")]).unwrap_err().to_string();
    assert!(flag.contains("--mail.security") && flag.contains("starttls"), "{flag}");
    for key in ["nope", "mail", "mail.nope", "nope.nope", "mail.port.x"] {
        assert!(matches!(load("", &[], &[(key, "1")]), Err(ConfigError::Override { .. })), "{key}");
    }
}

#[test]
fn misspelt_variables_are_refused_and_an_orchestrators_are_not() {
    let misspelt = load("", &[("ENSAFER_SERVER_MAIL__PROT", "1")], &[]).unwrap_err().to_string();
    assert!(misspelt.contains("ENSAFER_SERVER_MAIL__PROT"), "{misspelt}");
    let kubernetes =
        [("ENSAFER_SERVER_PORT", "tcp://10.0.0.1:8443"), ("ENSAFER_SERVER_SERVICE_HOST", "10.0.0.1")];
    load("", &kubernetes, &[("server.data", "/tmp/data")]).unwrap();
}

#[test]
fn what_does_not_go_together_is_refused_with_words() {
    for (text, words) in [
        ("public_url = \"keys.example.org\"", "public_url"),
        ("public_url = \"https://keys.example.org/\"", "origin"),
        ("public_url = \"https://Keys.example.org\"", "origin"),
        ("public_url = \"https://keys.example.org:443\"", "origin"),
        ("name = \"a\\nb\"", "name"),
        ("[server]\nlisten = \"0.0.0.0:80\"", "--tls-cert"),
        ("[server]\nbehind_proxy = true", "trusted_proxies"),
        ("[server]\ntls_cert = \"a\"", "--tls-key"),
        ("[server]\ndatabase = \"mysql://x\"", "postgres://"),
        ("[server]\ndatabase = \"postgres://x/y?sslmode=require\"", "--secret-file"),
        ("[server]\ndatabase = \"postgres://x/y\"\nsecret_file = \"/s\"", "sslmode=verify-full"),
        (
            "[server]\ndatabase = \"postgres://10.0.0.1/y?sslmode=prefer\"\nsecret_file = \"/s\"",
            "sslmode=verify-full",
        ),
        ("[registration]\nmode = \"code\"", "code_file"),
        ("[registration]\nconfirm_email = \"yes\"", "[mail]"),
        ("[mail]\ntransport = \"smtp\"", "mail.from"),
        (
            "[mail]\ntransport = \"smtp\"\nfrom = \"a@b.c\"\nhost = \"example.org\"\nsecurity = \"none\"",
            "this machine",
        ),
        ("[mail]\ntransport = \"smtp\"\nfrom = \"a@b.c\"\nuser = \"a\"", "password_file"),
    ] {
        let refusal = refusal(text);
        assert!(refusal.contains(words), "{text}: {refusal}");
    }
    let nowhere = load("", &[], &[]).unwrap_err().to_string();
    assert!(nowhere.contains("--data") && nowhere.contains("--database"), "{nowhere}");
    for good in [
        "public_url = \"https://keys.example.org:8443\"",
        "[server]\nlisten = \"[::1]:80\"",
        "[server]\nlisten = \"0.0.0.0:80\"\nbehind_proxy = true\n[limits]\ntrusted_proxies = [\"10.0.0.0/8\"]",
        "[server]\nlisten = \"0.0.0.0:80\"\ntls_cert = \"a\"\ntls_key = \"b\"",
        "[server]\ndatabase = \"postgres://u@h/y?host=/run/postgresql\"\nsecret_file = \"/s\"",
        "[server]\ndatabase = \"postgres://u@h/y?sslmode=verify-full\"\nsecret_file = \"/s\"",
        "[server]\ndatabase = \"postgres://u@localhost/y\"\nsecret_file = \"/s\"",
        "[server]\ndatabase = \"postgres://u@127.0.0.1:5433/y\"\nsecret_file = \"/s\"",
        "[server]\ndatabase = \"postgres://u@[::1]/y\"\nsecret_file = \"/s\"",
        "[mail]\ntransport = \"file\"\nfrom = \"Keys <a@b.c>\"",
    ] {
        with_data(good).unwrap_or_else(|e| panic!("{good}: {e}"));
    }
}

#[test]
fn no_password_in_the_databases_address() {
    for url in [
        "postgres://u:hunter2@h/y",
        "postgres://h/y?password=hunter2",
        "postgres://h/y?user=u&password=hunter2",
    ] {
        let refusal = refusal(&format!("[server]\ndatabase = \"{url}\"\nsecret_file = \"/s\""));
        assert!(refusal.contains("PGPASSFILE") && !refusal.contains("hunter2"), "{refusal}");
    }
}

#[test]
fn addresses_are_confirmed_where_there_is_mail() {
    let mail = "[mail]\ntransport = \"file\"\nfrom = \"a@b.c\"\n";
    assert!(!with_data("").unwrap().confirms_email());
    assert!(with_data(mail).unwrap().confirms_email());
    assert!(!with_data(&format!("{mail}[registration]\nconfirm_email = \"no\"")).unwrap().confirms_email());
}

#[test]
fn codes_are_read_from_a_private_file_and_not_printed() {
    let (_dir, path) = secret_file(0o600, "# for the summer\nalpha-7\n\n  beta-8  \n");
    let text = |path: &std::path::Path| format!("[registration]\nmode = \"code\"\ncode_file = {path:?}");
    let config = with_data(&text(&path)).unwrap();
    assert_eq!(*config.registration.codes, ["alpha-7".to_owned(), "beta-8".to_owned()]);
    assert!(!format!("{config:?}").contains("alpha") && !config.to_toml().contains("alpha"));
    let (_dir, open) = secret_file(0o640, "alpha-7");
    assert!(refusal(&text(&open)).contains("chmod 600"));
    let (_dir, empty) = secret_file(0o600, "# none\n");
    assert!(refusal(&text(&empty)).contains("no code in it"));
    assert!(matches!(with_data(&text(std::path::Path::new("/nope"))), Err(ConfigError::Io { .. })));
}

#[test]
fn the_settings_written_out_are_read_back() {
    let text = "[limits]\ntrusted_proxies = [\"10.1.2.3\"]\n[registration]\nconfirm_email = \"no\"";
    let config = with_data(text).unwrap();
    assert_eq!(Config::parse(&config.to_toml(), "x".as_ref()).unwrap(), config);
}
