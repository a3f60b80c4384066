//! Several servers on one PostgreSQL, servers that restart in the middle, and servers that die.

use std::sync::mpsc;

use ensafer_tests::device::typing;
use ensafer_tests::process::{DEADLINE, kill_at_once};
use ensafer_tests::{
    Database, Device, EvilServer, KeyServer, ServerOptions, Storage, World, on_every_database, postgres,
};

const EMAIL: &str = "alice@example.com";

#[test]
fn a_login_that_starts_on_one_replica_ends_on_the_other() {
    let Some(cluster) = postgres::cluster() else { return };
    let (world, database) = (World::new(), Database::create(&cluster));
    let [one, other] = two_replicas(&world, &database);
    let both = EvilServer::start_before(&[&one.url, &other.url]);
    let (laptop, desktop) = (world.bare_device("a"), world.bare_device("b"));
    laptop.register(EMAIL, &both.url).expect(0);
    both.forget();
    // Whichever replica has the first word.
    for _ in 0..2 {
        desktop.log_in(EMAIL, &both.url).expect(0);
    }
    desktop.run(&["account", "devices"]).expect(0);
    let steps: Vec<_> = both.heard().into_iter().filter(|step| step.path.starts_with("/v1/login/")).collect();
    assert_eq!(steps.len(), 6);
    for login in steps.chunks(3) {
        assert_ne!(login[0].upstream, login[1].upstream);
        assert_ne!(login[1].upstream, login[2].upstream);
    }
    assert_ne!(steps[0].upstream, steps[3].upstream, "both replicas had the first word");
}

#[test]
fn what_one_replica_was_told_the_other_knows() {
    let Some(cluster) = postgres::cluster() else { return };
    let (world, database) = (World::new(), Database::create(&cluster));
    let [one, other] = two_replicas(&world, &database);
    let (alice, bob) = (world.bare_device("alice"), world.bare_device("bob"));
    alice.register(EMAIL, &one.url).expect(0);
    bob.register("bob@example.com", &other.url).expect(0);
    bob.register(EMAIL, &other.url).expect(1);
    let seen = [alice.json(&["share", "verify", "bob@example.com"]), bob.json(&["share", "verify", EMAIL])];
    assert_eq!(seen[0]["safety_number"], seen[1]["safety_number"]);

    // Another address of the same server: the realm stays the one of the registration.
    let desktop = world.bare_device("desktop");
    desktop.run(&["login", "--email", EMAIL, "--server", &other.url, "--realm", &one.url]).expect(0);
    let wrong = typing("wrong horse battery");
    let stranger = world.bare_device("stranger");
    for server in [&one, &other, &one, &other, &one] {
        let login = ["login", "--email", EMAIL, "--server", &server.url];
        stranger.answer(&login, &[(wrong.0, &wrong.1)], &[]).expect(12);
    }
    for server in [&one, &other] {
        stranger.log_in(EMAIL, &server.url).expect(5).expect_says("Too many attempts failed");
    }
}

#[test]
fn a_login_survives_a_restart_of_the_server_in_its_middle() {
    on_every_database(|world, server| {
        let evil = EvilServer::start(&server.url);
        let laptop = world.bare_device("a");
        laptop.register(EMAIL, &evil.url).expect(0);
        for step in ["/v1/login/start", "/v1/login/verify"] {
            let ((ask, asked), (answer, answered)) = (mpsc::channel(), mpsc::channel());
            evil.play(move |exchange| {
                if exchange.path == step {
                    ask.send(()).unwrap();
                    answered.recv().unwrap();
                }
            });
            let login = laptop.start_verb(&["login"]);
            asked.recv_timeout(DEADLINE).expect(step);
            server.restart();
            answer.send(()).unwrap();
            login.finish().expect(0);
            evil.be_honest();
            laptop.run(&["account", "devices"]).expect(0);
        }
    });
}

#[test]
fn sessions_and_failures_survive_a_crash() {
    on_every_database(|world, server| {
        let (laptop, stranger) = (world.bare_device("a"), world.bare_device("b"));
        laptop.register(EMAIL, &server.url).expect(0);
        let wrong = typing("wrong horse battery");
        let login = ["login", "--email", EMAIL, "--server", &server.url.clone()];
        let address = server.address().to_owned();
        for _ in 0..5 {
            stranger.answer(&login, &[(wrong.0, &wrong.1)], &[]).expect(12);
            server.kill();
            server.listen(&address);
        }
        stranger.answer(&login, &[(wrong.0, &wrong.1)], &[]).expect(5);
        laptop.run(&["account", "devices"]).expect(0);
    });
}

#[test]
fn a_crash_among_registrations_leaves_no_half_account() {
    const COUNT: usize = 6;
    on_every_database(|world, server| {
        let evil = EvilServer::start(&server.url);
        // The first answer to a registration kills the server while the others are on their way.
        let id = server.id();
        evil.play(move |exchange| {
            if exchange.path == "/v1/register" && exchange.status == 201 {
                kill_at_once(id);
            }
        });
        let devices: Vec<_> = (0..COUNT).map(|index| world.bare_device(&format!("home-{index}"))).collect();
        let email = |index: usize| format!("user{index}@example.com");
        let running: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(index, device)| {
                device.start_verb(&["register", "--email", &email(index), "--server", &evil.url])
            })
            .collect();
        for registration in running {
            registration.finish().expect_any(&[0, 14]);
        }
        evil.be_honest();
        let address = server.address().to_owned();
        server.kill();
        server.listen(&address);

        let listed = server.run(&["user", "list", "--json"]).expect(0).stdout;
        let mut made = 0;
        for (index, device) in devices.iter().enumerate() {
            if listed.contains(&email(index)) {
                made += 1;
                device.log_in(&email(index), &evil.url).expect(0);
            } else {
                device.register(&email(index), &evil.url).expect(0);
            }
            let fresh = world.bare_device(&format!("fresh-{index}"));
            fresh.log_in(&email(index), &evil.url).expect(0);
            let own = |device: &Device| device.json(&["account", "show"]);
            assert_eq!(own(&fresh), own(device));
        }
        assert!(made >= 1, "the one whose answer killed the server: {listed}");
    });
}

fn two_replicas(world: &World, database: &Database) -> [KeyServer; 2] {
    let storage = Storage::shared(world, database);
    [storage.clone(), storage]
        .map(|storage| KeyServer::start_with(world, ServerOptions { storage, ..Default::default() }))
}
