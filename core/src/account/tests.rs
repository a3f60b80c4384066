//! Accounts as a whole: what opens them, and that nothing altered or swapped does.

use super::blob::{Account, SealedAccount};
use super::{ParseAccountError, UnlockError};
use crate::crypto::{
    DeviceKey, MIN_ITERATIONS, OpenError, PasswordError, PasswordKek, PasswordParameters, PrivateKeys,
    RecoveryKey, TestRandom, test_keys,
};

/// Somebody's account with everything that opens it. The password's key is not derived, which would take long.
struct Made {
    sealed: SealedAccount,
    account: Account,
    recovery: RecoveryKey,
    kek: PasswordKek,
    device: DeviceKey,
    device_seal: Vec<u8>,
}

fn make(keys: PrivateKeys, login: &str, seed: u64) -> Made {
    let mut rng = TestRandom::new(seed);
    let parameters = PasswordParameters::generate(login.parse().unwrap(), "local", MIN_ITERATIONS, &mut rng);
    let kek = PasswordKek::generate(&mut rng);
    let (mut sealed, account, recovery) = SealedAccount::from_keys(keys, parameters, &kek, &mut rng);
    sealed.set_state(&account, b"pins and folders", &mut rng).unwrap();
    let device = DeviceKey::generate(&mut rng);
    let device_seal = account.seal_for_device(&device, &mut rng);
    Made { sealed, account, recovery, kek, device, device_seal }
}

fn alice() -> Made {
    make(test_keys::alice(), "alice@example.com", 1)
}

fn bob() -> Made {
    make(test_keys::bob(), "bob@example.com", 2)
}

impl Made {
    /// What each way of opening `sealed` gives: password, recovery key, device, and then the state and the copy of
    /// the recovery key.
    fn open_all(&self, sealed: &SealedAccount) -> [Result<(), OpenError>; 5] {
        [
            sealed.open_with_kek(&self.kek).map(drop),
            sealed.open_with_recovery(&self.recovery).map(drop),
            sealed.open_with_device(&self.device_seal, &self.device).map(drop),
            sealed.state(&self.account).map(drop),
            sealed.recovery_key(&self.account).map(drop),
        ]
    }
}

const OPENS: [Result<(), OpenError>; 5] = [Ok(()); 5];
const FAILS: Result<(), OpenError> = Err(OpenError);

/// Parameters and the keys that they derive from `password`.
fn derived(login: &str, password: &str, rng: &mut TestRandom) -> (PasswordParameters, PasswordKek) {
    let parameters =
        PasswordParameters::generate(login.parse().unwrap(), "https://keys.example.com", MIN_ITERATIONS, rng);
    let kek = parameters.derive(password).unwrap().kek;
    (parameters, kek)
}

#[test]
fn an_account_made_with_a_password_opens_with_it_and_with_no_other() {
    let mut rng = TestRandom::new(3);
    let (parameters, kek) = derived("alice@example.com", "correct horse battery", &mut rng);
    let (mut sealed, account, _) = SealedAccount::create(parameters, &kek, &mut rng);
    let opened = sealed.open_with_password("correct horse battery").unwrap();
    assert_eq!(opened.fingerprint(), account.fingerprint());
    assert_eq!(opened.id(), sealed.id());
    assert_eq!(sealed.open_with_password("correct horse batterz").unwrap_err(), UnlockError::Open(OpenError));

    let before = sealed.clone();
    let (parameters, kek) = derived("alice@example.com", "another", &mut rng);
    sealed.change_password(&account, parameters, &kek, &mut rng).unwrap();
    assert!(sealed.open_with_password("another").is_ok());
    assert!(sealed.open_with_password("correct horse battery").is_err());
    assert_ne!(sealed.password_parameters().nonce, before.password_parameters().nonce);
    assert_eq!(sealed.bundle(), before.bundle());
    assert!(before.is_succeeded_by(&sealed) && !sealed.is_succeeded_by(&before));
}

#[test]
fn weak_parameters_open_nothing() {
    for iterations in [1, MIN_ITERATIONS - 1, 10_000_001] {
        let mut sealed = alice().sealed;
        sealed.password.parameters.iterations = iterations;
        let parsed = SealedAccount::from_bytes(&sealed.to_bytes()).unwrap();
        assert_eq!(
            parsed.open_with_password("password").unwrap_err(),
            UnlockError::Password(PasswordError::Iterations(iterations))
        );
    }
}

#[test]
fn another_address_is_another_bundle_of_the_same_identity() {
    let made = alice();
    let (fingerprint, id) = (made.account.fingerprint(), made.account.id());
    let mut rng = TestRandom::new(9);
    let login = "alice@example.org".parse().unwrap();
    let parameters = PasswordParameters::generate(login, "local", MIN_ITERATIONS, &mut rng);
    let kek = PasswordKek::generate(&mut rng);
    let before = made.sealed.clone();
    let mut sealed = made.sealed;
    let account = sealed.change_login(made.account, parameters, &kek, &mut rng).unwrap();
    assert_eq!((account.fingerprint(), account.id()), (fingerprint, id));
    assert_eq!(account.login().as_str(), "alice@example.org");
    assert_eq!(account.bundle().bundle().sequence, 2);
    assert!(sealed.open_with_kek(&kek).is_ok());
    assert!(sealed.open_with_kek(&made.kek).is_err());
    assert!(sealed.open_with_recovery(&made.recovery).is_ok());
    assert!(sealed.open_with_device(&made.device_seal, &made.device).is_ok());
    assert!(before.is_succeeded_by(&sealed) && !sealed.is_succeeded_by(&before));
}

#[test]
fn what_is_served_is_the_account() {
    let made = alice();
    let document = made.sealed.to_document();
    assert_eq!(SealedAccount::from_document(&document).unwrap(), made.sealed);
    let mut foreign = document.clone();
    foreign.bundle = bob().sealed.to_document().bundle;
    let foreign = SealedAccount::from_document(&foreign).unwrap();
    assert_eq!(made.open_all(&foreign), [FAILS; 5]);
    assert!(!made.sealed.is_succeeded_by(&foreign));
    let mut altered = document.clone();
    altered.bundle.signature.0[0] ^= 1;
    assert!(SealedAccount::from_document(&altered).is_err());
    let mut short = document;
    short.password.sealed.0.pop();
    assert!(SealedAccount::from_document(&short).is_err());
}

#[test]
fn every_seal_opens_the_same_account_also_after_a_round_trip() {
    let made = alice();
    let sealed = SealedAccount::from_bytes(&made.sealed.to_bytes()).unwrap();
    assert_eq!(sealed, made.sealed);
    assert_eq!(made.open_all(&sealed), OPENS);
    let opened = sealed.open_with_device(&made.device_seal, &made.device).unwrap();
    assert_eq!(opened.bundle(), made.account.bundle());
    assert_eq!(opened.identity().public(), test_keys::alice().identity.public());
    assert_eq!(opened.envelope().spki(), test_keys::alice().envelope.spki());
    assert_eq!(sealed.state(&opened).unwrap().unwrap().as_slice(), b"pins and folders");
    assert_eq!(sealed.recovery_key(&opened).unwrap().to_text(), made.recovery.to_text());
    assert_eq!(opened.login().as_str(), "alice@example.com");
}

#[test]
fn a_new_recovery_key_replaces_the_old_one() {
    let mut made = alice();
    let mut rng = TestRandom::new(5);
    let new = RecoveryKey::generate(&mut rng);
    made.sealed.change_recovery_key(&made.account, &new, &mut rng).unwrap();
    assert!(made.sealed.open_with_recovery(&new).is_ok());
    assert_eq!(made.sealed.open_with_recovery(&made.recovery).unwrap_err(), OpenError);
    assert_eq!(made.sealed.recovery_key(&made.account).unwrap().to_text(), new.to_text());
}

/// Threat 3: whoever serves an older recovery key's seals would let the holder of a lost sheet in again.
#[test]
fn an_older_recovery_key_is_no_successor() {
    let mut made = alice();
    let before = made.sealed.clone();
    let changed = |sealed: &SealedAccount, seed| {
        let mut rng = TestRandom::new(seed);
        let mut sealed = sealed.clone();
        sealed.change_recovery_key(&made.account, &RecoveryKey::generate(&mut rng), &mut rng).unwrap();
        sealed
    };
    let (after, other) = (changed(&before, 5), changed(&before, 6));
    assert!(before.is_succeeded_by(&after) && after.is_succeeded_by(&after));
    assert!(!after.is_succeeded_by(&before));
    assert!(!after.is_succeeded_by(&other), "another key in the same place");
    // Ids that were made before they had a version in them count on from what they are.
    made.sealed.recovery.id = [0x80; 16];
    let again = changed(&made.sealed, 7);
    assert!(made.sealed.is_succeeded_by(&again) && !again.is_succeeded_by(&made.sealed));
}

#[test]
fn two_processes_that_change_different_parts_lose_neither() {
    let made = alice();
    let mut rng = TestRandom::new(11);
    let (mut one, mut two) = (made.sealed.clone(), made.sealed.clone());
    one.set_state(&made.account, b"more pins", &mut rng).unwrap();
    let (parameters, kek) = derived("alice@example.com", "another", &mut rng);
    two.change_password(&made.account, parameters, &kek, &mut rng).unwrap();
    let recovery = RecoveryKey::generate(&mut rng);
    two.change_recovery_key(&made.account, &recovery, &mut rng).unwrap();
    for (mut kept, later) in [(one.clone(), &two), (two.clone(), &one)] {
        kept.catch_up(later);
        assert_eq!(kept.state(&made.account).unwrap().unwrap().as_slice(), b"more pins");
        assert!(kept.open_with_recovery(&recovery).is_ok() && kept.open_with_kek(&kek).is_ok());
        assert!(made.sealed.is_succeeded_by(&kept));
    }
    one.catch_up(&two);
    let latest = one.clone();
    one.catch_up(&made.sealed);
    assert_eq!(one, latest, "what is older changes nothing");
    // A password that was set without the server is no version of the server's.
    let (mut parameters, kek_here) = derived("alice@example.com", "set here", &mut rng);
    parameters.realm = "local".to_owned();
    one.change_password(&made.account, parameters, &kek_here, &mut rng).unwrap();
    one.catch_up(&latest);
    assert!(one.open_with_kek(&kek).is_err());
    one.catch_up_by_login(&latest);
    assert!(one.open_with_kek(&kek).is_ok());
}

#[test]
fn a_newer_state_replaces_the_older() {
    let mut made = alice();
    assert_eq!(made.sealed.state_version(), 1);
    made.sealed.set_state(&made.account, b"more pins", &mut TestRandom::new(6)).unwrap();
    assert_eq!(made.sealed.state_version(), 2);
    assert_eq!(made.sealed.state(&made.account).unwrap().unwrap().as_slice(), b"more pins");
}

/// Threat 3: each field altered, and each one taken from another account, gives the one error.
#[test]
fn every_altered_field_gives_the_one_error() {
    let (made, other) = (alice(), bob().sealed);
    let altered = |change: &dyn Fn(&mut SealedAccount)| {
        let mut sealed = made.sealed.clone();
        change(&mut sealed);
        assert_ne!(sealed, made.sealed);
        made.open_all(&sealed)
    };
    let password = [FAILS, Ok(()), Ok(()), Ok(()), Ok(())];
    let recovery = [Ok(()), FAILS, Ok(()), Ok(()), Ok(())];
    let recovery_id = [Ok(()), FAILS, Ok(()), Ok(()), FAILS];
    let state = [Ok(()), Ok(()), Ok(()), FAILS, Ok(())];
    let copy = [Ok(()), Ok(()), Ok(()), Ok(()), FAILS];
    let keys = [FAILS, FAILS, FAILS, Ok(()), Ok(())];

    assert_eq!(altered(&|a| a.blob.version += 1), keys);
    assert_eq!(altered(&|a| a.blob.sealed = other.blob.sealed.clone()), keys);
    assert_eq!(altered(&|a| a.blob = other.blob.clone()), keys);
    assert_eq!(altered(&|a| a.password.version += 1), password);
    assert_eq!(altered(&|a| a.password.parameters.login = "bob@example.com".parse().unwrap()), password);
    assert_eq!(altered(&|a| a.password.parameters.realm = "https://example.com".into()), password);
    assert_eq!(altered(&|a| a.password.parameters.nonce[0] ^= 1), password);
    assert_eq!(altered(&|a| a.password.parameters.iterations += 1), password);
    assert_eq!(altered(&|a| a.password.sealed = other.password.sealed), password);
    assert_eq!(altered(&|a| a.password.sealed = a.recovery.sealed), password);
    assert_eq!(altered(&|a| a.password = other.password.clone()), password);
    assert_eq!(altered(&|a| a.recovery.id[0] ^= 1), recovery_id);
    assert_eq!(altered(&|a| a.recovery.sealed = other.recovery.sealed), recovery);
    assert_eq!(altered(&|a| a.recovery.sealed = a.password.sealed), recovery);
    assert_eq!(altered(&|a| a.recovery.copy = other.recovery.copy.clone()), copy);
    assert_eq!(altered(&|a| a.state.as_mut().unwrap().version += 1), state);
    assert_eq!(altered(&|a| a.state = other.state.clone()), state);
    // Another account's bundle over these seals: the ids and the hash are bound everywhere.
    assert_eq!(altered(&|a| a.bundle = other.bundle.clone()), [FAILS; 5]);
}

#[test]
fn every_altered_byte_of_a_seal_gives_the_one_error() {
    let made = alice();
    for at in 0..made.sealed.password.sealed.len() {
        let mut sealed = made.sealed.clone();
        sealed.password.sealed[at] ^= 1;
        sealed.recovery.sealed[at] ^= 0x80;
        let [password, recovery, device, ..] = made.open_all(&sealed);
        assert_eq!([password, recovery, device], [FAILS, FAILS, Ok(())], "byte {at}");
    }
    for at in 0..made.sealed.blob.sealed.len() {
        let mut sealed = made.sealed.clone();
        sealed.blob.sealed[at] ^= 1;
        assert_eq!(sealed.open_with_device(&made.device_seal, &made.device).map(drop), FAILS, "byte {at}");
    }
    for at in 0..made.device_seal.len() {
        let mut seal = made.device_seal.clone();
        seal[at] ^= 1;
        assert_eq!(made.sealed.open_with_device(&seal, &made.device).map(drop), FAILS, "byte {at}");
    }
    for len in 0..made.device_seal.len() {
        assert_eq!(made.sealed.open_with_device(&made.device_seal[..len], &made.device).map(drop), FAILS);
    }
}

#[test]
fn seals_of_another_account_or_device_open_nothing() {
    let (alice, bob) = (alice(), bob());
    assert_eq!(alice.open_all(&bob.sealed), [FAILS; 5]);
    assert_eq!(alice.sealed.open_with_device(&bob.device_seal, &bob.device).map(drop), FAILS);
    assert_eq!(alice.sealed.open_with_device(&alice.device_seal, &bob.device).map(drop), FAILS);
    assert_eq!(alice.sealed.open_with_device(&bob.device_seal, &alice.device).map(drop), FAILS);

    let mut rng = TestRandom::new(7);
    let mut sealed = alice.sealed.clone();
    assert_eq!(sealed.set_state(&bob.account, b"", &mut rng), Err(OpenError));
    assert_eq!(sealed.change_recovery_key(&bob.account, &bob.recovery, &mut rng), Err(OpenError));
    let parameters = sealed.password_parameters().clone();
    assert_eq!(sealed.change_password(&bob.account, parameters, &bob.kek, &mut rng), Err(OpenError));
    assert_eq!(sealed, alice.sealed);
}

/// A bundle whose keys are not the sealed ones, although whoever made it knew the account master key.
#[test]
fn keys_that_are_not_the_bundles_are_not_used() {
    let mut made = alice();
    let mut keys = test_keys::alice();
    keys.envelope = test_keys::bob().envelope;
    made.account.replace_keys(keys);
    made.sealed.reseal_keys(&made.account, &mut TestRandom::new(8));
    assert_eq!(made.sealed.open_with_device(&made.device_seal, &made.device).map(drop), FAILS);
}

#[test]
fn every_altered_bit_of_the_file_is_refused_or_opens_nothing_by_it() {
    let made = alice();
    let bytes = made.sealed.to_bytes();
    let mut parsed = 0;
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        let Ok(sealed) = SealedAccount::from_bytes(&altered) else { continue };
        assert_ne!(sealed, made.sealed, "byte {at}");
        assert_ne!(made.open_all(&sealed), OPENS, "byte {at}");
        parsed += 1;
    }
    assert!(parsed > 3_000, "only {parsed} alterations were in sealed parts");
}

#[test]
fn what_is_no_account_is_refused_by_its_class() {
    let bytes = alice().sealed.to_bytes();
    assert_eq!(SealedAccount::from_bytes(b""), Err(ParseAccountError::NotAnAccount));
    assert_eq!(SealedAccount::from_bytes(&[0; 100]), Err(ParseAccountError::NotAnAccount));
    assert_eq!(
        SealedAccount::from_bytes(&[&bytes[..8], &[0, 2], &bytes[10..]].concat()),
        Err(ParseAccountError::NewerVersion)
    );
    assert_eq!(
        SealedAccount::from_bytes(&[&bytes[..8], &[0, 0], &bytes[10..]].concat()),
        Err(ParseAccountError::Damaged)
    );
    assert_eq!(SealedAccount::from_bytes(&[&bytes[..], &[0]].concat()), Err(ParseAccountError::Damaged));
    for len in 8..bytes.len() {
        assert_eq!(SealedAccount::from_bytes(&bytes[..len]), Err(ParseAccountError::Damaged), "cut to {len}");
    }
}

#[test]
fn nothing_secret_is_printed() {
    let made = alice();
    let printed = format!("{:?} {:?} {:?}", made.account, made.recovery, made.device);
    assert!(printed.contains("SigningKey(…)") && printed.contains("Key<AccountMaster>(…)"));
    assert!(!printed.contains(&hex::encode([0xA1; 32])));
}
