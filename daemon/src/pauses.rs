//! Why syncing rests although nobody has stopped it: somebody paused it, or the computer runs on battery power or is on a
//! metered network. Pure: what becomes of it is [`Supervisor`](crate::supervisor::Supervisor)'s.

/// What speaks against syncing where the computer is now; of what the settings ask for only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// It runs on battery power.
    pub on_battery: bool,
    /// What it sends and receives is likely to be paid for by amount.
    pub is_metered: bool,
}

impl Surroundings {
    const fn and(self, other: Self) -> Self {
        Self {
            on_battery: self.on_battery && other.on_battery,
            is_metered: self.is_metered && other.is_metered,
        }
    }

    const fn without(self, other: Self) -> Self {
        self.and(Self { on_battery: !other.on_battery, is_metered: !other.is_metered })
    }

    /// For people, behind "Paused".
    const fn words(self) -> Option<&'static str> {
        match (self.on_battery, self.is_metered) {
            (false, false) => None,
            (true, false) => Some("on battery power"),
            (false, true) => Some("on a metered network"),
            (true, true) => Some("on battery power and on a metered network"),
        }
    }
}

/// All reasons to rest. Each ends by itself: syncing goes on when none is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pauses {
    by_hand: Option<String>,
    surroundings: Surroundings,
    /// What somebody wants to be synced in spite of, for as long as it lasts.
    waived: Surroundings,
}

impl Pauses {
    /// Somebody pauses; `why` is what people are told.
    pub fn pause(&mut self, why: String) {
        self.by_hand = Some(why);
    }

    /// Somebody's pause is over.
    pub fn end_pause(&mut self) {
        self.by_hand = None;
    }

    /// Somebody wants to sync all the same: as long as what speaks against it now lasts, it counts no more.
    pub fn resume(&mut self) {
        self.by_hand = None;
        self.waived = self.surroundings;
    }

    /// The computer is there now.
    pub fn set_surroundings(&mut self, now: Surroundings) {
        self.surroundings = now;
        self.waived = self.waived.and(now);
    }

    /// Why syncing rests, for people; `None` if it does not.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let held = self.surroundings.without(self.waived);
        self.by_hand.clone().or_else(|| held.words().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to a computer, and its user.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Pause,
        EndPause,
        Resume,
        Move(Surroundings),
    }
    use Step::{EndPause, Move, Pause, Resume};

    const fn at(on_battery: bool, is_metered: bool) -> Step {
        Move(Surroundings { on_battery, is_metered })
    }
    const HOME: Step = at(false, false);
    const BATTERY: Step = at(true, false);
    const METERED: Step = at(false, true);
    const BOTH: Step = at(true, true);

    fn after(steps: &[Step]) -> Option<String> {
        let mut pauses = Pauses::default();
        for step in steps {
            match *step {
                Pause => pauses.pause("for 1 h".to_owned()),
                EndPause => pauses.end_pause(),
                Resume => pauses.resume(),
                Move(now) => pauses.set_surroundings(now),
            }
        }
        pauses.why()
    }

    #[test]
    fn what_happens_decides_whether_syncing_rests() {
        let (battery, metered) = (Some("on battery power"), Some("on a metered network"));
        let both = Some("on battery power and on a metered network");
        let by_hand = Some("for 1 h");
        let table: &[(&[Step], Option<&str>)] = &[
            (&[], None),
            (&[BATTERY], battery),
            (&[METERED], metered),
            (&[BOTH], both),
            (&[BOTH, METERED], metered),
            (&[BATTERY, HOME], None),
            // Somebody wants it all the same, until that is over.
            (&[BATTERY, Resume], None),
            (&[BATTERY, Resume, BATTERY], None),
            (&[BATTERY, Resume, HOME, BATTERY], battery),
            (&[BOTH, Resume], None),
            (&[BOTH, Resume, BATTERY], None),
            (&[BOTH, Resume, BATTERY, BOTH], metered),
            // Something new was not meant.
            (&[BATTERY, Resume, BOTH], metered),
            (&[Resume, BATTERY], battery),
            // A pause by hand begins and ends apart from the rest.
            (&[Pause], by_hand),
            (&[Pause, BATTERY], by_hand),
            (&[BATTERY, Pause], by_hand),
            (&[Pause, BATTERY, HOME], by_hand),
            (&[BATTERY, Pause, EndPause], battery),
            (&[BATTERY, Pause, HOME, EndPause], None),
            (&[BATTERY, Resume, Pause, EndPause], None),
            (&[BATTERY, Pause, Resume], None),
        ];
        for (steps, expected) in table {
            assert_eq!(after(steps).as_deref(), *expected, "{steps:?}");
        }
    }
}
