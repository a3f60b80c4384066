//! Histories that once went wrong, as the search found them.

use crate::cloud::Manners;
use crate::disk::Edit::*;
use crate::{Event::*, World, run};

#[test]
fn a_file_moves_into_a_directory_that_takes_its_name() {
    let events = [
        Edit(0, Create { directory: 0, name: 0 }),
        Edit(0, Create { directory: 0, name: 1 }),
        Edit(0, MakeDirectory { directory: 0, name: 2 }),
        Step(0, Some(2)),
        Edit(0, Swap { one: 1, other: 2 }),
        Deliver(0, 17_466),
        Deliver(1, 2_854),
        Step(1, None),
        Edit(0, Move { entry: 0, directory: 1, name: 0 }),
    ];
    for manners in [Manners::Shared, Manners::MakesCopies, Manners::LastWriterWins] {
        run(manners, 2, &events).unwrap();
    }
}

#[test]
fn what_is_parked_may_hold_an_edit_that_base_must_not_take() {
    let events = [
        Edit(2, Create { directory: 0, name: 132 }),
        Edit(0, Create { directory: 0, name: 3 }),
        Step(2, None),
        Step(0, None),
        Edit(1, MakeDirectory { directory: 0, name: 57 }),
        Step(1, None),
        Edit(0, Delete { entry: 158 }),
        Edit(1, Move { entry: 8, directory: 73, name: 0 }),
        Step(1, None),
        Edit(0, Write { file: 0 }),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn three_wait_for_one_another_and_only_one_of_them_can_be_parked() {
    let events = [
        Edit(2, Link { directory: 0, name: 51, target: 0 }),
        Edit(0, MakeDirectory { directory: 0, name: 15 }),
        Step(0, None),
        Edit(2, MakeDirectory { directory: 47, name: 0 }),
        Edit(2, Create { directory: 0, name: 2 }),
        Step(1, None),
        Edit(1, Delete { entry: 126 }),
        Step(1, None),
        Edit(1, Move { entry: 0, directory: 0, name: 35 }),
        Edit(2, Create { directory: 101, name: 2 }),
        Step(1, None),
        Edit(0, Move { entry: 75, directory: 92, name: 8 }),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn a_new_directory_moves_while_what_lies_in_it_is_published() {
    let events = [
        Edit(0, MakeDirectory { directory: 0, name: 1 }),
        Edit(0, MakeDirectory { directory: 126, name: 2 }),
        Edit(0, Create { directory: 1, name: 0 }),
        Race(0, Swap { one: 159, other: 178 }, 0),
        Edit(0, Write { file: 0 }),
    ];
    for manners in [Manners::Shared, Manners::MakesCopies, Manners::LastWriterWins] {
        run(manners, 3, &events).unwrap();
    }
}

#[test]
fn a_store_file_is_replaced_while_a_copy_is_made_of_it() {
    let events = [
        Edit(0, MakeDirectory { directory: 0, name: 0 }),
        Edit(1, Create { directory: 0, name: 0 }),
        Step(1, None),
        Step(0, None),
        Edit(0, Write { file: 0 }),
        Step(0, Some(3)),
        Edit(1, Write { file: 0 }),
        Edit(0, Write { file: 0 }),
        Race(1, Create { directory: 0, name: 0 }, 0),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn directories_swap_places_across_levels() {
    let events = [
        Edit(1, MakeDirectory { directory: 0, name: 55 }),
        Step(1, Some(1)),
        Edit(1, MakeDirectory { directory: 12, name: 1 }),
        Edit(0, Write { file: 0 }),
        Race(2, Write { file: 0 }, 1),
        Step(2, None),
        Race(1, Create { directory: 8, name: 0 }, 0),
        Edit(1, Swap { one: 165, other: 101 }),
        Race(1, Create { directory: 0, name: 0 }, 0),
        Edit(2, Move { entry: 13, directory: 199, name: 55 }),
        Step(2, Some(2)),
        Edit(0, Create { directory: 0, name: 2 }),
        Edit(0, Swap { one: 63, other: 115 }),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn a_link_and_a_file_that_swapped_their_names() {
    let events = [
        Edit(2, Link { directory: 0, name: 0, target: 0 }),
        Edit(2, Create { directory: 0, name: 1 }),
        Race(0, Write { file: 0 }, 2),
        Race(0, Link { directory: 0, name: 2, target: 0 }, 0),
        Edit(0, Write { file: 0 }),
        Step(1, None),
        Edit(1, Swap { one: 134, other: 43 }),
        Fog(1, 56),
        Step(0, None),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn a_file_and_its_directory_swap_while_another_edits() {
    let events = [
        Edit(0, MakeDirectory { directory: 0, name: 43 }),
        Edit(0, Create { directory: 86, name: 39 }),
        Step(0, None),
        Fog(2, 1),
        Race(0, Swap { one: 32, other: 29 }, 0),
        Race(1, Write { file: 0 }, 0),
        Edit(1, Write { file: 0 }),
        Race(0, Write { file: 0 }, 2),
        Edit(2, Write { file: 0 }),
        Step(2, None),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn two_files_swap_names_while_one_of_them_is_being_published() {
    let events = [
        Edit(0, Create { directory: 0, name: 74 }),
        Edit(2, MakeDirectory { directory: 0, name: 180 }),
        Edit(0, Create { directory: 30, name: 11 }),
        Step(0, None),
        Edit(0, Create { directory: 0, name: 97 }),
        Edit(0, Swap { one: 122, other: 124 }),
        Step(2, Some(1)),
        Edit(2, Swap { one: 52, other: 202 }),
    ];
    for manners in [Manners::Shared, Manners::MakesCopies, Manners::LastWriterWins] {
        run(manners, 2, &events).unwrap();
    }
}

#[test]
fn a_copy_takes_the_place_of_what_was_deleted() {
    let events = [
        Race(0, Create { directory: 0, name: 34 }, 0),
        Edit(2, MakeDirectory { directory: 0, name: 156 }),
        Step(0, None),
        Edit(0, Create { directory: 109, name: 1 }),
        Race(1, Create { directory: 0, name: 22 }, 0),
        Edit(2, Create { directory: 0, name: 2 }),
        Edit(0, Create { directory: 0, name: 0 }),
        Edit(0, Create { directory: 0, name: 0 }),
        Edit(0, Create { directory: 0, name: 0 }),
        Edit(1, Create { directory: 73, name: 0 }),
        Race(0, Delete { entry: 86 }, 1),
        Fog(0, 1),
        Race(0, Duplicate { file: 0, directory: 0, name: 106 }, 0),
        Step(0, Some(0)),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn a_directory_that_is_renamed_here_and_deleted_there() {
    let events = [
        Edit(0, MakeDirectory { directory: 0, name: 109 }),
        Step(0, Some(1)),
        Race(1, Write { file: 0 }, 2),
        Edit(0, Create { directory: 30, name: 0 }),
        Edit(1, Delete { entry: 0 }),
        Edit(0, Create { directory: 19, name: 0 }),
        Step(0, Some(3)),
        Step(1, None),
        Step(1, None),
        Step(2, None),
        Edit(1, Move { entry: 7, directory: 30, name: 178 }),
        Edit(0, Move { entry: 20, directory: 254, name: 223 }),
        Fog(2, 4),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn a_file_takes_the_place_of_a_deleted_directory_in_which_another_edits() {
    let events = [
        Edit(0, MakeDirectory { directory: 0, name: 35 }),
        Step(0, None),
        Step(1, None),
        Race(1, Delete { entry: 0 }, 0),
        Edit(0, Create { directory: 29, name: 0 }),
        Race(1, MakeDirectory { directory: 0, name: 1 }, 0),
        Step(1, None),
        Race(0, Write { file: 0 }, 0),
        Edit(0, Swap { one: 8, other: 16 }),
        Edit(0, Delete { entry: 0 }),
        Edit(0, Duplicate { file: 0, directory: 0, name: 65 }),
        Edit(1, Write { file: 0 }),
        Step(1, None),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn a_directory_is_made_anew_under_its_old_inode_number_before_it_must_make_way() {
    let events = [
        Race(0, MakeDirectory { directory: 0, name: 40 }, 0),
        Step(0, None),
        Step(1, Some(2)),
        Race(1, Move { entry: 0, directory: 20, name: 104 }, 0),
        Edit(0, MakeDirectory { directory: 8, name: 89 }),
        Race(0, Move { entry: 30, directory: 44, name: 0 }, 0),
        Race(1, Create { directory: 0, name: 0 }, 1),
        Race(0, Create { directory: 0, name: 0 }, 0),
        Race(1, Delete { entry: 72 }, 0),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn what_comes_back_to_where_an_interrupted_update_replaced_it_lies_in_the_trash() {
    // Decision 0040 says why.
    let events = [
        Edit(0, Create { directory: 0, name: 99 }),
        Step(0, None),
        Race(1, Create { directory: 0, name: 34 }, 0),
        Race(0, Write { file: 0 }, 1),
        Step(0, None),
        Edit(1, Create { directory: 0, name: 37 }),
        Edit(1, Swap { one: 32, other: 54 }),
        Fog(1, 19),
        Edit(1, Link { directory: 0, name: 55, target: 0 }),
        Step(0, Some(3)),
        Edit(0, Swap { one: 115, other: 20 }),
        Step(0, None),
    ];
    let mut world = World::new(Manners::Shared, 2);
    events.iter().for_each(|event| world.happen(event));
    world.settle().unwrap();
    let lost = world.diary.written[1];
    assert!(world.devices[0].trash.contains(&lost) && world.devices[0].replaced_again == [lost]);
}

#[test]
fn a_file_and_its_conflict_copy_swap_names_and_only_the_file_can_be_parked() {
    let events = [
        Race(2, Create { directory: 0, name: 33 }, 0),
        Race(0, Create { directory: 0, name: 53 }, 0),
        Edit(2, Write { file: 0 }),
        Step(1, Some(2)),
        Step(0, None),
        Edit(1, ToggleExecutable { file: 0 }),
        Step(1, None),
        Edit(2, Write { file: 0 }),
        Fog(1, 174),
        Step(0, None),
        Step(1, Some(2)),
        Edit(1, Swap { one: 69, other: 2 }),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}

#[test]
fn what_is_taken_back_was_deleted_by_another_as_it_was_published() {
    let events = [
        Edit(0, Create { directory: 0, name: 18 }),
        Race(0, Create { directory: 0, name: 227 }, 0),
        Race(0, MakeDirectory { directory: 0, name: 27 }, 2),
        Edit(0, Delete { entry: 91 }),
        Edit(2, Create { directory: 0, name: 64 }),
        Edit(2, Swap { one: 48, other: 181 }),
        Step(2, None),
        Race(0, Write { file: 0 }, 0),
        Step(0, None),
        Step(0, None),
        Edit(0, Swap { one: 21, other: 199 }),
        Step(0, Some(1)),
        Edit(0, Create { directory: 0, name: 55 }),
        Fog(2, 16),
        Edit(2, Delete { entry: 145 }),
        Edit(0, Swap { one: 4, other: 89 }),
        Step(2, None),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn what_is_parked_with_an_edit_cannot_be_looked_at() {
    let events = [
        Race(1, Create { directory: 0, name: 0 }, 0),
        Race(1, MakeDirectory { directory: 0, name: 1 }, 0),
        Fog(1, 3),
        Edit(1, Swap { one: 110, other: 47 }),
        Step(0, None),
        Race(0, Swap { one: 14, other: 6 }, 1),
        Edit(0, Write { file: 0 }),
        Step(0, None),
        Fog(0, 91),
    ];
    run(Manners::Shared, 3, &events).unwrap();
}

#[test]
fn a_directory_that_was_renamed_and_published_makes_way_for_the_one_in_it() {
    let events = [
        Edit(1, MakeDirectory { directory: 0, name: 0 }),
        Edit(0, Create { directory: 0, name: 0 }),
        Edit(1, MakeDirectory { directory: 7, name: 0 }),
        Step(2, None),
        Step(1, None),
        Race(1, Swap { one: 45, other: 233 }, 2),
        Edit(2, Swap { one: 108, other: 92 }),
    ];
    run(Manners::Shared, 2, &events).unwrap();
}
