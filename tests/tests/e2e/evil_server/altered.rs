//! Row 3: the account that is served is altered, or an old one. `state` has what the account remembers.

use ensafer_tests::device::PASSWORD;
use ensafer_tests::evil_server::Exchange;
use ensafer_tests::{Device, naive, process};
use serde_json::{Value, json};

use super::{ALICE, BOB, FINISH, Scene, VERIFY, daemon_distrusts_server, has_account, safety_number};

/// Every field of what is served, altered at its beginning, in its middle and at its end.
#[test]
fn row_03_the_sealed_account_is_altered() {
    let scene = Scene::new();
    scene.register(&scene.device("bob"), BOB).expect(0);
    let _ = safety_number(&scene.alice, BOB);
    let first = scene.device("first");
    scene.log_in(&first, ALICE).expect(0);
    let before = scene.served();
    let fields = [
        "/keys/sealed",
        "/password/sealed",
        "/password/nonce",
        "/recovery/id",
        "/recovery/sealed",
        "/recovery/copy",
        "/state/sealed",
        "/bundle/bundle",
        "/bundle/signature",
    ];
    for unused in ["/recovery/id", "/recovery/sealed", "/recovery/copy", "/state/sealed"] {
        let mut altered = before.clone();
        flip_digit(altered.pointer_mut(unused).unwrap(), 1);
        let opened = naive::opens_without_looking_back(&altered, PASSWORD);
        assert!(opened, "the attack works on who opens nothing but what the password opens: {unused}");
    }
    let victim = scene.device("victim");
    let refused = |what: &str, alter: &dyn Fn(&mut Value)| {
        let mut altered = before.clone();
        alter(&mut altered);
        assert_ne!(altered, before, "{what}");
        scene.evil.forget();
        scene.evil.play(answer_account(altered));
        let refused = scene.log_in(&victim, ALICE).expect(26);
        assert!(refused.says("not to be trusted"), "{what}: {refused}");
        assert!(scene.evil.heard_at(FINISH).is_empty(), "{what}: nothing is answered");
        assert!(!has_account(&victim), "{what}: nothing is kept");
    };
    for field in fields {
        for part in [0, 1, 2] {
            refused(field, &|account| flip_digit(account.pointer_mut(field).unwrap(), part));
        }
    }
    for version in ["/keys/version", "/password/version", "/state/version"] {
        refused(version, &|account| *account.pointer_mut(version).unwrap() = json!(77));
    }
    refused("iterations", &|account| account["password"]["iterations"] = json!(600_001));
    refused("realm", &|account| account["password"]["realm"] = json!("https://elsewhere.example"));
    refused("swapped", &|account| account["password"]["sealed"] = account["recovery"]["sealed"].clone());
}

/// A server that was set back to yesterday has an account that was good then.
#[test]
fn row_03_the_whole_account_is_rolled_back() {
    let mut scene = Scene::new();
    let yesterday = scene.copy_server_data();
    let change = |from: &str, to: &str| {
        let device = scene.alice.with_password_command(&format!("printf '{from}'"));
        let mut command = device.command(&["account", "password"]);
        process::run(command.env("ENSAFER_NEW_PASSWORD_COMMAND", format!("printf '{to}'"))).expect(0);
    };
    change(PASSWORD, "tr8vel-Kestrel-9");
    change("tr8vel-Kestrel-9", PASSWORD);

    let old = scene.start_server_on(yesterday);
    scene.evil.stand_before(&old.url);
    scene.evil.forget();
    let newcomer = scene.device("newcomer");
    scene.log_in(&newcomer, ALICE).expect(0);
    assert!(
        naive::opens_without_looking_back(&scene.served(), PASSWORD),
        "the attack works on who compares nothing, and on who has never been here"
    );
    let refused = scene.log_in(&scene.alice, ALICE).expect(26);
    assert!(refused.says("older than what this computer has seen"), "{refused}");
}

/// Whoever has found the old recovery key on paper, and whoever the server works for, would like it to open the account
/// still; and its owner would find out too late that the new one opens nothing.
#[test]
fn row_03_an_old_recovery_seal_is_served() {
    let scene = Scene::new();
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    let old_key = recovery_key(&scene.alice);
    let old = scene.served()["recovery"].clone();
    scene.alice.run(&["recovery-key", "new"]).expect(0);
    let new_key = recovery_key(&scene.alice);
    scene.log_in(&laptop, ALICE).expect(0);
    let served = scene.served();
    assert!(!naive::opens_with_any_recovery_key(&served, &old_key.parse().unwrap()));

    // The number stands in the id, and both are bound into the seals.
    let numbered = |id: String| {
        let mut old = old.clone();
        old["id"] = json!(id);
        old
    };
    let of_new = numbered(served["recovery"]["id"].as_str().unwrap().to_owned());
    let later = numbered(format!("{:016x}{}", 77, &old["id"].as_str().unwrap()[16..]));
    let mut with_old = served;
    with_old["recovery"] = old.clone();
    assert!(
        naive::opens_with_any_recovery_key(&with_old, &old_key.parse().unwrap()),
        "the attack works on who compares nothing"
    );
    for recovery in [old, of_new, later] {
        scene.evil.play(move |exchange| {
            if [VERIFY, "/v1/account"].contains(&exchange.path.as_str()) && exchange.status == 200 {
                exchange.answer["account"]["recovery"] = recovery.clone();
            }
        });
        for device in [&scene.alice, &laptop] {
            scene.evil.forget();
            let refused = scene.log_in(device, ALICE).expect(26);
            assert!(refused.says("not to be trusted"), "{refused}");
            assert!(scene.evil.heard_at(FINISH).is_empty(), "nothing is answered");
            daemon_distrusts_server(device);
            assert_eq!(recovery_key(device), new_key, "nothing of it was kept");
        }
    }
}

/// The recovery key, as it is shown to its owner.
fn recovery_key(device: &Device) -> String {
    device.run(&["recovery-key", "show"]).expect(0).stdout.trim().to_owned()
}

/// Answers every login with this account.
fn answer_account(account: Value) -> impl FnMut(&mut Exchange) + Send + 'static {
    move |exchange| {
        if exchange.path == VERIFY && exchange.status == 200 {
            exchange.answer["account"] = account.clone();
        }
    }
}

/// Changes one hex digit: the first, the middle or the last.
pub(super) fn flip_digit(field: &mut Value, part: usize) {
    let mut text = field.as_str().unwrap().to_owned();
    let at = (text.len() - 1) * part / 2;
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    text.replace_range(at..=at, other);
    *field = json!(text);
}
