use super::*;
#[test]
fn scratch() {
    run(
        Manners::Shared,
        2,
        &[
            Event::Edit(2, Edit::Link { directory: 0, name: 51, target: 0 }),
            Event::Edit(0, Edit::MakeDirectory { directory: 0, name: 15 }),
            Event::Step(0, None),
            Event::Edit(2, Edit::MakeDirectory { directory: 47, name: 0 }),
            Event::Edit(2, Edit::Create { directory: 0, name: 2 }),
            Event::Step(1, None),
            Event::Edit(1, Edit::Delete { entry: 126 }),
            Event::Step(1, None),
            Event::Edit(1, Edit::Move { entry: 0, directory: 0, name: 35 }),
            Event::Edit(2, Edit::Create { directory: 101, name: 2 }),
            Event::Step(1, None),
            Event::Edit(0, Edit::Move { entry: 75, directory: 92, name: 8 }),
        ],
    )
    .unwrap();
}
