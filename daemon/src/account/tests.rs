//! The account without a server.

use std::os::unix::fs::PermissionsExt;

use ensafer_core::crypto::{MIN_ITERATIONS, SystemRandom};

use super::files::{account_file, device_file, read_device};
use super::*;
use crate::config::{Config, Keyring};

struct Place {
    _root: tempfile::TempDir,
    home: Home,
    config: Config,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let home = Home::under(root.path());
    home.create().unwrap();
    let config = Config { keyring: Keyring::Off, pbkdf2_iterations: MIN_ITERATIONS, ..Config::default() };
    Place { _root: root, home, config }
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

/// One account for all, because key pairs are slow to make.
#[test]
fn an_account_is_made_opened_taken_along_and_recovered() {
    let Place { home, config, _root } = &place();
    assert!(matches!(unlock(home, config, &password("right")), Err(AccountError::NotSetUp)));
    let login = parse_login(" Alice@Example.com ").unwrap();
    let (account, recovery) = register(home, config, &login, &password("right"), None).unwrap();
    assert_eq!(account.account.login().as_str(), "alice@example.com");
    let again = register(home, config, &login, &password("right"), None);
    assert!(matches!(again, Err(AccountError::Exists { .. })));
    for file in [account_file(home), device_file(home), home.data_dir().join("device.secrets")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }

    // By the sealed file, and by the account's own seal when that is lost.
    assert_eq!(unlock(home, config, &password("right")).unwrap().account.id(), account.account.id());
    assert!(matches!(unlock(home, config, &password("wrong")), Err(AccountError::WrongPassword)));
    assert!(open_with_device(home, config).unwrap().is_none(), "nothing opens without a password");
    lock(home, config).unwrap();
    assert!(!home.data_dir().join("device.secrets").exists());
    assert!(matches!(unlock(home, config, &password("wrong")), Err(AccountError::WrongPassword)));
    assert_eq!(unlock(home, config, &password("right")).unwrap().account.id(), account.account.id());

    let shown = recovery_key(home, &password("right")).unwrap();
    assert_eq!(*shown.to_text(), *recovery.to_text(), "the recovery key can be shown again");

    taken_along(home, &account.account);

    let other = RecoveryKey::generate(&mut SystemRandom);
    assert!(matches!(recover(home, config, &other, &password("new")), Err(AccountError::WrongRecoveryKey)));
    recover(home, config, &recovery, &password("new")).unwrap();
    assert!(matches!(unlock(home, config, &password("right")), Err(AccountError::WrongPassword)));
    assert_eq!(unlock(home, config, &password("new")).unwrap().account.id(), account.account.id());
}

fn taken_along(home: &Home, account: &Account) {
    let second = place();
    let file = second.home.cache_dir().join("exported");
    export(home, &file).unwrap();
    assert!(matches!(export(home, &file), Err(AccountError::OutputExists { .. })));
    let sealed = read_exported(&file).unwrap();
    let wrong = import(&second.home, &second.config, &sealed, &password("wrong"), None);
    assert!(matches!(wrong, Err(AccountError::WrongPassword)));
    assert!(!exists(&second.home), "nothing is half-made");
    let imported = import(&second.home, &second.config, &sealed, &password("right"), None).unwrap();
    assert_eq!(imported.id(), account.id());
    let twice = import(&second.home, &second.config, &sealed, &password("right"), None);
    assert!(matches!(twice, Err(AccountError::Exists { .. })));
    let (one, two) = (read_device(home).unwrap().unwrap(), read_device(&second.home).unwrap().unwrap());
    assert_ne!(one.id, two.id, "another home is another device");
}

#[test]
fn what_is_no_account_is_refused() {
    let Place { home, .. } = &place();
    let file = home.cache_dir().join("other");
    for bytes in [&b""[..], b"not an account", &[0; 4096]] {
        std::fs::write(&file, bytes).unwrap();
        assert!(matches!(read_exported(&file), Err(AccountError::Damaged { .. })));
    }
    std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(read_exported(&file), Err(AccountError::Damaged { .. })));
    assert!(matches!(parse_login("a b"), Err(AccountError::Login { .. })));
}
