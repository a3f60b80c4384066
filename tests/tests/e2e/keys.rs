//! Keys: carried to another device, used alone, lost and recovered.

use std::fs;

use ensafer_tests::account::Person;
use ensafer_tests::device::text;
use ensafer_tests::{Device, World, store, tree};

#[test]
fn a_lone_file_opens_with_the_account_only() {
    let (world, laptop) = World::with_one_device();
    laptop.write("plans/treasure.txt", "under the third palm");
    laptop.write("big", "0123456789abcdef".repeat(5000));
    tree::set_modified(&laptop.at("plans/treasure.txt"), 1_500_000_000_123_456_789);
    laptop.settle();
    let mailed = world.directory("mailed");
    for path in ["plans/treasure.txt", "big"] {
        let object = store::object_of(&laptop, path);
        fs::copy(&object, mailed.join(object.file_name().unwrap())).unwrap();
    }

    let stranger = Device::bare(&world.path("far away"));
    stranger.run(&["keys", "import", text(&Person::Alice.keys_file())]).expect(0);
    let output = world.directory("output");
    for object in store::objects(&mailed) {
        stranger.run(&["decrypt", text(&object), "--output", text(&output)]).expect(0);
    }
    let treasure = fs::read_to_string(output.join("treasure.txt")).unwrap();
    assert_eq!(treasure, "under the third palm");
    assert_eq!(fs::read(output.join("big")).unwrap().len(), 80_000);

    let bob = Device::bare(&world.path("bob"));
    bob.run(&["keys", "import", text(&Person::Bob.keys_file())]).expect(0);
    let nothing = world.directory("nothing");
    for object in store::objects(&mailed) {
        bob.run(&["decrypt", text(&object), "--output", text(&nothing)]).expect(13);
    }
    assert_eq!(store::count_entries(&nothing), 0);
}

#[test]
fn a_tampered_file_is_not_decrypted() {
    let (world, laptop) = World::with_one_device();
    laptop.write("a.txt", "0123456789".repeat(10_000));
    laptop.settle();
    let object = store::object_of(&laptop, "a.txt");
    let good = fs::read(&object).unwrap();
    let output = world.directory("output");
    let middle = i64::try_from(good.len()).unwrap() / 2;
    for offset in [50, 100, 400, middle, -1] {
        store::flip_bit(&object, offset);
        // An envelope that was tampered with cannot be told from one for somebody else.
        let codes: &[i32] = if offset == 100 { &[13, 26] } else { &[26] };
        laptop.run(&["decrypt", text(&object), "--output", text(&output)]).expect_any(codes);
        assert_eq!(store::count_entries(&output), 0, "nothing is written when bit {offset} is flipped");
        fs::write(&object, &good).unwrap();
    }
    laptop.run(&["decrypt", text(&object), "--output", text(&output)]).expect(0);
    // What is there already is not overwritten.
    fs::write(output.join("a.txt"), "mine").unwrap();
    laptop.run(&["decrypt", text(&object), "--output", text(&output)]);
    assert!(tree::find_content(&output, b"mine").is_some());
}

#[test]
fn locked_keys_stay_locked_until_the_password_comes() {
    let (_world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    laptop.settle();
    laptop.run(&["lock"]).expect(0);
    laptop.run(&["unlock"]).expect(0);
    laptop.write("b", "b");
    laptop.settle();
}

#[test]
fn the_recovery_key_opens_what_the_password_no_longer_does() {
    let (_world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    laptop.settle();
    let shown = laptop.run(&["recovery-key", "show"]).expect(0).stdout;
    let recovery_key = shown.lines().last().unwrap_or_default().trim();
    assert!(recovery_key.len() >= 20, "{shown}");

    let used = ensafer_tests::Running::start_with_input(
        &mut laptop.command(&["recovery-key", "use"]),
        format!("{recovery_key}\n").as_bytes(),
    );
    used.finish().expect(0);
    laptop.settle();
    let wrong = ensafer_tests::Running::start_with_input(
        &mut laptop.command(&["recovery-key", "use"]),
        b"AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA\n",
    );
    wrong.finish().expect_any(&[1, 2, 12]);
}

#[test]
fn importing_over_another_account_is_refused() {
    let (_world, laptop) = World::with_one_device();
    laptop.write("a", "a");
    laptop.settle();
    let refused = laptop.run(&["keys", "import", text(&Person::Bob.keys_file())]);
    assert_ne!(refused.code, 0, "{refused}");
    let refused = laptop.run(&["register", "--email", "carol@example.com"]);
    assert_ne!(refused.code, 0, "{refused}");
    laptop.settle();
}
