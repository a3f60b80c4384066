//! The menu as the system sees it.

use std::collections::HashMap;

use tray_icon::menu::{ContextMenu, IsMenuItem, Menu, MenuId, MenuItem, PredefinedMenuItem, Result, Submenu};

use crate::action::Action;
use crate::menu::{Item, differ_in_words_only, words};

/// A menu that is offered, and what its lines do.
pub struct Lines {
    items: Vec<Item>,
    menu: Menu,
    /// The lines of [`words`].
    lines: Vec<MenuItem>,
    actions: HashMap<MenuId, Action>,
}

impl Lines {
    /// Makes a menu of `items`.
    ///
    /// # Errors
    /// The system makes none.
    pub fn of(items: Vec<Item>) -> Result<Self> {
        let mut made =
            Self { items: Vec::new(), menu: Menu::new(), lines: Vec::new(), actions: HashMap::new() };
        for item in &items {
            let line = made.line(item)?;
            made.menu.append(&*line)?;
        }
        Ok(Self { items, ..made })
    }

    fn line(&mut self, item: &Item) -> Result<Box<dyn IsMenuItem>> {
        Ok(match item {
            Item::Text(text) => {
                let line = MenuItem::new(label(text), false, None);
                self.lines.push(line.clone());
                Box::new(line)
            }
            Item::Click { label: text, action } => {
                let line = MenuItem::new(label(text), true, None);
                self.lines.push(line.clone());
                self.actions.insert(line.id().clone(), action.clone());
                Box::new(line)
            }
            Item::Submenu { label: text, items } => {
                let submenu = Submenu::new(label(text), true);
                for item in items {
                    let line = self.line(item)?;
                    submenu.append(&*line)?;
                }
                Box::new(submenu)
            }
            Item::Separator => Box::new(PredefinedMenuItem::separator()),
        })
    }

    /// For tray-icon.
    pub fn offered(&self) -> Box<dyn ContextMenu> {
        Box::new(self.menu.clone())
    }

    /// What a click on a line does.
    pub fn action(&self, id: &MenuId) -> Option<&Action> {
        self.actions.get(id)
    }

    /// Changes the words of its lines to those of `items`, in a menu that is open as well.
    ///
    /// # Errors
    /// `items`, where they do something else: another menu has to be offered.
    pub fn change_words(&mut self, items: Vec<Item>) -> std::result::Result<(), Vec<Item>> {
        if !differ_in_words_only(&self.items, &items) {
            return Err(items);
        }
        for ((line, before), now) in self.lines.iter().zip(words(&self.items)).zip(words(&items)) {
            if before != now {
                line.set_text(label(now));
            }
        }
        self.items = items;
        Ok(())
    }
}

/// In a menu `&` marks the next letter; two are one.
fn label(text: &str) -> String {
    text.replace('&', "&&")
}
