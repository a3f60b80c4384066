use super::*;
#[test]
fn scratch() { run(Manners::Shared, 3, &[
    Event::Edit(2, Edit::Create { directory: 0, name: 132 }),
    Event::Edit(0, Edit::Create { directory: 0, name: 3 }),
    Event::Step(2, None),
    Event::Step(0, None),
    Event::Edit(1, Edit::MakeDirectory { directory: 0, name: 57 }),
    Event::Step(1, None),
    Event::Edit(0, Edit::Delete { entry: 158 }),
    Event::Edit(1, Edit::Move { entry: 8, directory: 73, name: 0 }),
    Event::Step(1, None),
    Event::Edit(0, Edit::Write { file: 0 }),
]).unwrap(); }
