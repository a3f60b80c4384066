//! Row 3: what the account remembers of others' keys is altered, set back, or forked: another for each device.

use ensafer_core::ids::Fingerprint;
use ensafer_tests::device::PASSWORD;
use ensafer_tests::evil_server::Exchange;
use ensafer_tests::{Device, naive};
use serde_json::{Value, json};

use super::altered::flip_digit;
use super::{ALICE, BOB, Scene, VERIFY, daemon_distrusts_server, impostor, safety_number, serve_to_all};

const CAROL: &str = "carol@example.com";
const ACCOUNT: &str = "/v1/account";
const STATE: &str = "/v1/account/state";

/// A change of what is served.
type Alteration = Box<dyn Fn(&mut Value) + Send>;

/// Changes the account wherever it is served. A client reads the state there only, and asks for it when it is told that
/// its own is not the newest: so it is told that whenever it writes.
fn alter_account(alter: impl Fn(&mut Value) + Send + 'static) -> impl FnMut(&mut Exchange) + Send + 'static {
    move |exchange| match (exchange.path.as_str(), exchange.status) {
        (VERIFY | ACCOUNT, 200) => alter(&mut exchange.answer["account"]),
        (STATE, _) => {
            exchange.status = 409;
            exchange.answer = json!({
                "type": "urn:ensafer:problem:version-conflict", "title": "It was changed", "status": 409
            });
        }
        _ => {}
    }
}

/// The sealed states that devices wrote, the oldest first: all of them genuine.
fn written_states(scene: &Scene) -> Vec<Value> {
    scene.evil.heard_at(STATE).into_iter().map(|exchange| exchange.request).collect()
}

/// Whose keys are Bob's, and whether they were compared, for who believes what was served at the last login.
fn bob_as_served(scene: &Scene) -> Option<(Fingerprint, bool)> {
    let state = naive::remembers_what_is_served(&scene.served(), PASSWORD);
    state.pins().get(&BOB.parse().unwrap()).map(|pin| (pin.fingerprint, pin.verified))
}

fn is_verified(device: &Device, login: &str) -> bool {
    device.json(&["share", "verify", login])["verified"] == true
}

#[test]
fn row_03_the_state_is_altered() {
    let scene = Scene::new();
    for login in [BOB, CAROL] {
        scene.register(&scene.device(login), login).expect(0);
    }
    let number = safety_number(&scene.alice, BOB);
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    let _ = safety_number(&scene.device(BOB), ALICE);
    let of_another = written_states(&scene).pop().unwrap();
    let served = scene.served();

    let alterations: [(&str, Alteration); 6] = [
        ("its beginning", Box::new(|state| flip_digit(&mut state["sealed"], 0))),
        ("its middle", Box::new(|state| flip_digit(&mut state["sealed"], 1))),
        ("its end", Box::new(|state| flip_digit(&mut state["sealed"], 2))),
        ("its number", Box::new(|state| state["version"] = json!(77))),
        (
            "another's",
            Box::new(move |state| *state = json!({ "version": 2, "sealed": of_another["sealed"] })),
        ),
        ("none", Box::new(|state| *state = Value::Null)),
    ];
    for (what, alter) in alterations {
        let mut altered = served.clone();
        alter(&mut altered["state"]);
        let opened = naive::opens_without_looking_back(&altered, PASSWORD);
        assert!(opened, "the attack works on who looks at the state another day: {what}");

        scene.evil.play(alter_account(move |account| alter(&mut account["state"])));
        for refused in [scene.alice.run(&["share", "verify", CAROL]), scene.log_in(&laptop, ALICE)] {
            let refused = refused.expect(26);
            assert!(refused.says("not to be trusted"), "{what}: {refused}");
        }
    }
    assert!(
        scene.evil.heard_at(STATE).iter().all(|exchange| exchange.method == "PUT"),
        "it is read nowhere else"
    );

    scene.evil.be_honest();
    for device in [&scene.alice, &laptop] {
        assert_eq!(safety_number(device, BOB), number, "nothing of it was kept");
        let _ = safety_number(device, CAROL);
    }
}

#[test]
fn row_03_an_old_state_is_served() {
    let scene = Scene::new();
    for login in [BOB, CAROL] {
        scene.register(&scene.device(login), login).expect(0);
    }
    let number = safety_number(&scene.alice, BOB);
    scene.alice.run(&["share", "verify", BOB, "--matches", &number]).expect(0);
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    let old = written_states(&scene).remove(0);
    let compared = bob_as_served(&scene);
    assert!(compared.is_some_and(|(_, compared)| compared));

    scene.evil.play(alter_account(move |account| account["state"] = old.clone()));
    scene.log_in(&scene.device("newcomer"), ALICE).expect(0);
    assert_eq!(
        bob_as_served(&scene),
        compared.map(|(keys, _)| (keys, false)),
        "the attack works on who compares nothing, and on who has never been here: the comparison is forgotten"
    );
    for device in [&scene.alice, &laptop] {
        let refused = scene.log_in(device, ALICE).expect(26);
        assert!(refused.says("older than what this computer has seen"), "{refused}");
        let refused = device.run(&["share", "verify", CAROL]).expect(26);
        assert!(refused.says("older than what this computer has seen"), "{refused}");
        daemon_distrusts_server(device);
    }
    scene.evil.be_honest();
    assert!(is_verified(&scene.alice, BOB) && is_verified(&laptop, BOB), "nothing of it was kept");
}

/// The server splits in two, one half for each device, and shows each what suits it. Then one device comes to see what the
/// other was shown.
#[test]
fn row_03_two_devices_are_given_different_states() {
    let mut scene = Scene::new();
    scene.register(&scene.device("bob"), BOB).expect(0);
    let laptop = scene.device("laptop");
    scene.log_in(&laptop, ALICE).expect(0);
    let copy = scene.copy_server_data();
    let (ours, fork) = (scene.server.url.clone(), scene.start_server_on(copy));
    let number = safety_number(&scene.alice, BOB);
    scene.evil.stand_before(&fork.url);
    let fake = impostor(&scene.world);
    serve_to_all(&scene.evil, BOB, fake.clone());
    let false_number = safety_number(&laptop, BOB);
    assert_ne!(false_number, number);
    scene.evil.be_honest();

    // Both are genuine, by the account's own key, and have the same number.
    let versions: Vec<_> = written_states(&scene).into_iter().map(|state| state["version"].clone()).collect();
    assert_eq!(versions, [1, 1]);
    let mut believed = Vec::new();
    for (half, device) in [(&ours, "newcomer"), (&fork.url, "another newcomer")] {
        scene.evil.stand_before(half);
        scene.log_in(&scene.device(device), ALICE).expect(0);
        believed.push(bob_as_served(&scene).unwrap().0);
    }
    assert_ne!(
        believed[0], believed[1],
        "the attack works on who has never been here, and on who compares nothing"
    );

    let refuses = |device: &Device, half: &str, says: &str| {
        scene.evil.stand_before(half);
        let refused = scene.log_in(device, ALICE).expect(26);
        assert!(refused.says(says), "{refused}");
    };
    refuses(&scene.alice, &fork.url, "older than what this computer has seen");
    refuses(&laptop, &ours, "older than what this computer has seen");

    // A later state of the other half is not what came of this one's, either.
    scene.evil.stand_before(&fork.url);
    serve_to_all(&scene.evil, BOB, fake);
    laptop.run(&["share", "verify", BOB, "--matches", &false_number]).expect(0);
    scene.evil.be_honest();
    refuses(&scene.alice, &fork.url, "forgotten what this computer remembers");
    daemon_distrusts_server(&scene.alice);
    scene.evil.stand_before(&ours);
    daemon_distrusts_server(&laptop);
    scene.log_in(&scene.alice, ALICE).expect(0);
    assert_eq!(safety_number(&scene.alice, BOB), number, "nothing of it was kept");
}
