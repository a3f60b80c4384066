//! What a folder's thread is to break its work off for: orders to stop, and wishes that are done between two steps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::task::Message;

/// How a message interrupts what is being done when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// Whatever is being done is to end.
    Stop,
    /// A step is to end, so that the wish is done; a settling goes on after it.
    Wish,
}

impl Interrupt {
    pub(super) const fn of(message: &Message) -> Option<Self> {
        match message {
            Message::Run(false) | Message::Quit | Message::Lock => Some(Self::Stop),
            Message::ChangeMembers(..) | Message::ResolveConflict(..) => Some(Self::Wish),
            _ => None,
        }
    }
}

/// The interrupting messages that wait. Each is counted from when it is sent until it is taken.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    stops: Waiting,
    wishes: AtomicUsize,
    any: Waiting,
}

impl Interrupts {
    /// Such a message is about to be sent.
    pub(super) fn sent(&self, interrupt: Interrupt) {
        match interrupt {
            Interrupt::Stop => self.stops.add(),
            Interrupt::Wish => _ = self.wishes.fetch_add(1, Ordering::SeqCst),
        }
        self.any.add();
    }

    /// Such a message is being done.
    pub(super) fn taken(&self, interrupt: Interrupt) {
        match interrupt {
            Interrupt::Stop => self.stops.remove(),
            Interrupt::Wish => _ = self.wishes.fetch_sub(1, Ordering::SeqCst),
        }
        self.any.remove();
    }

    /// Set while an order to stop waits: what breaks wishes off.
    pub(super) const fn stop(&self) -> &AtomicBool {
        &self.stops.is_any
    }

    /// Set while anything waits: what breaks steps off.
    pub(super) const fn any(&self) -> &AtomicBool {
        &self.any.is_any
    }

    /// Whether a wish waits.
    pub(super) fn has_wish(&self) -> bool {
        self.wishes.load(Ordering::SeqCst) > 0
    }
}

/// A number, and whether it is more than none, for those who can only look at that.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicUsize,
    is_any: AtomicBool,
}

impl Waiting {
    fn add(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.is_any.store(true, Ordering::SeqCst);
    }

    fn remove(&self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        self.is_any.store(false, Ordering::SeqCst);
        // Whoever adds one after this line sets it themselves.
        if self.count.load(Ordering::SeqCst) > 0 {
            self.is_any.store(true, Ordering::SeqCst);
        }
    }
}
