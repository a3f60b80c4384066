//! The thread that owns a folder, with the real clock and the real watcher.

use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ensafer_core::api::local::Keep;
use ensafer_core::format::roster::Role;
use ensafer_core::ids::FileId;
use ensafer_core::plan::{Problem, ProblemClass, Subject};
use ensafer_core::safety::{Brake, BrakeKind};
use ensafer_core::status::{State, Status};
use ensafer_core::time::Timestamp;
use tokio::sync::oneshot;

use super::accounts::{alice, bob};
use super::conflicts::conflict;
use super::world::{Device, World};
use crate::board::Board;
use crate::clock::{Clock, SystemClock};
use crate::engine::brake::BRAKE;
use crate::engine::task::{Message, Shared, Task};
use crate::engine::{MemberChange, ResolveError};
use crate::state::StandingProblem;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(device: &mut Device) -> (Arc<Board>, Task) {
    start_as(device, true)
}

fn start_as(device: &mut Device, running: bool) -> (Arc<Board>, Task) {
    device.stop();
    let clock = Arc::new(SystemClock::default());
    let board = Arc::new(Board::new(clock.clone()));
    board.set_stopped(!running);
    board.add(device.entry.id);
    let shared = Shared {
        settings: device.settings.clone(),
        full_scan_interval: Duration::from_secs(3600),
        fall_asleep_after: Duration::ZERO,
        vault: device.vault.clone(),
        board: board.clone(),
        clock,
    };
    let task = Task::start(device.entry.clone(), &device.state, shared, running).unwrap();
    (board, task)
}

/// A folder at rest. When it is first looked into, it is told what `meanwhile` says.
fn start_at_rest(device: &mut Device, meanwhile: impl FnOnce(&Task) + Send + 'static) -> Arc<Task> {
    device.stop();
    let clock = Arc::new(Interrupted::default());
    let shared = Shared {
        settings: device.settings.clone(),
        full_scan_interval: Duration::from_secs(3600),
        fall_asleep_after: Duration::ZERO,
        vault: device.vault.clone(),
        board: Arc::new(Board::new(Arc::new(SystemClock::default()))),
        clock: clock.clone(),
    };
    let task = Arc::new(Task::start(device.entry.clone(), &device.state, shared, false).unwrap());
    let told = Arc::clone(&task);
    *clock.meanwhile.lock().unwrap() = Some(Box::new(move || meanwhile(&told)));
    task
}

/// The system's clock. The first look at it is the moment for something to happen.
#[derive(Default)]
struct Interrupted {
    clock: SystemClock,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Clock for Interrupted {
    fn now(&self) -> Timestamp {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        self.clock.now()
    }

    fn wait(&self, duration: Duration) {
        self.clock.wait(duration);
    }

    fn wake(&self) {
        self.clock.wake();
    }
}

fn resolve(task: &Task, copy: FileId, keep: Keep) -> oneshot::Receiver<Result<(), ResolveError>> {
    let (reply, answer) = oneshot::channel();
    task.tell(Message::ResolveConflict(copy, keep, reply));
    answer
}

fn wait_for(board: &Board, what: impl Fn(&Status) -> bool) -> Status {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut seen = board.subscribe();
    let found = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, seen.wait_for(|status| what(status))).await });
    found.unwrap_or_else(|_| panic!("{:?}", board.status())).unwrap().clone()
}

fn is(state: State) -> impl Fn(&Status) -> bool {
    move |status| status.state == state
}

#[test]
fn a_running_folder_mirrors_both_ways_and_says_when_it_is_done() {
    let world = World::new();
    let (mut a, mut b) = (world.device("a"), world.device("b"));
    let (board_a, task_a) = start(&mut a);
    let (board_b, task_b) = start(&mut b);
    wait_for(&board_a, is(State::UpToDate));
    a.write("d/f", "text");
    let deadline = Instant::now() + PATIENCE;
    while fs::read_to_string(b.path("d/f")).ok().as_deref() != Some("text") {
        assert!(Instant::now() < deadline, "{:?} {:?}", board_a.status(), board_b.status());
        std::thread::yield_now();
    }
    wait_for(&board_a, is(State::UpToDate));
    wait_for(&board_b, is(State::UpToDate));
    task_a.finish();
    task_b.finish();
    drop((board_a, board_b));
    a.start();
    b.start();
    assert_eq!(a.tree(), b.tree());
}

#[test]
fn what_is_locked_is_shown_as_locked_until_it_is_unlocked() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.vault.is_locked.store(true, Ordering::Relaxed);
    a.write("g", "more");
    let (board, task) = start(&mut a);
    wait_for(&board, is(State::Locked));
    // A look that needs no keys changes nothing about it.
    fs::remove_file(a.path("g")).unwrap();
    task.tell(Message::Run(true));
    let status = wait_for(&board, |status| status.folders.iter().all(|folder| folder.last_checked.is_some()));
    assert_eq!(status.state, State::Locked);
    a.vault.is_locked.store(false, Ordering::Relaxed);
    task.tell(Message::Unlocked);
    wait_for(&board, is(State::UpToDate));
    task.tell(Message::Lock);
    wait_for(&board, is(State::Locked));
    task.finish();
}

#[test]
fn what_starts_locked_is_shown_as_locked_also_where_all_is_in_order() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    a.vault.is_locked.store(true, Ordering::Relaxed);
    let (board, task) = start(&mut a);
    let is_checked = |status: &Status| status.folders.iter().all(|folder| folder.last_checked.is_some());
    assert_eq!(wait_for(&board, is_checked).state, State::Locked);
    task.finish();
}

#[test]
fn an_encrypted_folder_that_is_moved_away_with_its_cloud_is_out_of_reach_at_once() {
    let world = World::new();
    let cloud = world.path().join("Dropbox");
    fs::create_dir_all(cloud.join("folder")).unwrap();
    let mut a = world.device_of("a", &alice(), &cloud.join("folder"));
    a.write("f", "text");
    let (board, task) = start(&mut a);
    wait_for(&board, is(State::UpToDate));
    let away = world.path().join("Dropbox.away");
    fs::rename(&cloud, &away).unwrap();
    wait_for(&board, is(State::Offline));
    fs::rename(&away, &cloud).unwrap();
    wait_for(&board, is(State::UpToDate));
    task.finish();
}

#[test]
fn a_change_of_members_leaves_no_sync_half_done() {
    let world = World::new();
    let mut a = world.device("a");
    for number in 0..40 {
        a.write(&number.to_string(), "text");
    }
    let (_board, task) = start(&mut a);
    let (settled, answer) = oneshot::channel();
    task.tell(Message::Settle(settled));
    let bundle = Box::new(bob().bundle().clone());
    let (changed, done) = oneshot::channel();
    task.tell(Message::ChangeMembers(MemberChange::Add { bundle, role: Role::Writer }, changed));
    let settled = answer.blocking_recv().unwrap().unwrap();
    assert!(settled.complete, "{settled:?}");
    done.blocking_recv().unwrap().unwrap();
    task.finish();
}

#[test]
fn one_decision_does_not_undo_the_one_before() {
    let world = World::new();
    let (_a, mut b, copy, _) = conflict(&world);
    let task = start_at_rest(&mut b, move |task| drop(resolve(task, copy, Keep::Original)));
    resolve(&task, copy, Keep::Copy).blocking_recv().unwrap().unwrap();
    Arc::into_inner(task).unwrap().finish();
}

#[test]
fn an_order_to_stop_ends_a_sync_whatever_else_is_wished_for() {
    for stops_first in [true, false] {
        let world = World::new();
        let mut a = world.device("a");
        a.settle();
        a.write("f", "text");
        let before = world.snapshot();
        let task = start_at_rest(&mut a, move |task| {
            if stops_first {
                task.tell(Message::Run(false));
            }
            drop(resolve(task, FileId::new([7; 16]), Keep::Both));
            task.tell(Message::Run(false));
        });
        let (settled, answer) = oneshot::channel();
        task.tell(Message::Settle(settled));
        let settled = answer.blocking_recv().unwrap().unwrap();
        assert!(!settled.complete && settled.published == 0, "{settled:?}");
        assert_eq!(world.snapshot(), before);
        Arc::into_inner(task).unwrap().finish();
    }
}

#[test]
fn a_folder_that_cannot_go_on_lets_go_of_its_state() {
    let world = World::new();
    let mut a = world.device("a");
    a.write("f", "text");
    a.settle();
    let (board, task) = start(&mut a);
    wait_for(&board, is(State::UpToDate));
    assert!(board.reader(a.entry.id).is_some());
    let elsewhere = world.path().join("elsewhere");
    fs::rename(world.cloud(), &elsewhere).unwrap();
    task.tell(Message::Run(true));
    wait_for(&board, is(State::Offline));
    assert!(board.reader(a.entry.id).is_none(), "or it could never be opened again");
    fs::rename(elsewhere, world.cloud()).unwrap();
    a.start();
    a.settle();
    task.finish();
}

#[test]
fn a_folder_that_starts_at_rest_tells_what_its_last_look_left() {
    let world = World::new();
    let (_a, mut b, ..) = conflict(&world);
    b.stop();
    let brake = Brake {
        kind: BrakeKind::LocalDeletions,
        count: 1,
        of: 2,
        objects: vec![FileId::new([1; 16])],
        token: "01234567".into(),
    };
    let problem =
        Problem { class: ProblemClass::Damaged, subject: Subject::Path("g".into()), detail: String::new() };
    let mut state = crate::state::State::open(&b.state_file()).unwrap();
    state.put(BRAKE, &Some(&brake)).unwrap();
    let since = Timestamp::default();
    state.set_problems(&[StandingProblem { problem, since, stamp: None }]).unwrap();
    drop(state);

    let (board, task) = start_as(&mut b, false);
    let status = wait_for(&board, |status| status.folders[0].conflicts == 1);
    let folder = &status.folders[0];
    assert_eq!((folder.state, folder.problems), (State::Stopped, 1));
    assert_eq!(folder.brake.as_ref(), Some(&brake));
    assert_eq!(board.braked_by(&brake.token), Some(b.entry.id));
    let told: Vec<_> = board.problems().into_iter().map(|problem| problem.path).collect();
    assert_eq!(told, [Some("g".to_owned())]);
    // Whoever begins looks for themselves.
    board.set_stopped(false);
    task.tell(Message::Run(true));
    let status = wait_for(&board, is(State::UpToDate));
    assert_eq!((status.folders[0].brake.as_ref(), status.folders[0].conflicts), (None, 1));
    assert_eq!(board.problems().len(), 0);
    task.finish();
}
