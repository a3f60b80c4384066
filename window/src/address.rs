//! What the page is called inside the window, and what else is let in there: nothing.

use ensafer_client::screen::Screen;

/// The scheme of the page's address. The window answers it itself; it exists nowhere else.
pub const SCHEME: &str = "ensafer";

/// The page and all that it loads.
const ORIGIN: &str = "ensafer://window";

/// What the page itself has made, to be saved (W3C File API, "blob URL": the origin of the page follows).
const MADE_HERE: &str = "blob:ensafer://window/";

/// What the system's programs are asked to open, where a link leads to it.
const ELSEWHERE: [&str; 3] = ["https://", "http://", "mailto:"];

/// The address of a screen.
#[must_use]
pub fn of_screen(screen: Screen) -> String {
    format!("{ORIGIN}/#/{screen}")
}

/// Path and query of an address that the daemon answers.
#[must_use]
pub fn target(address: &str) -> Option<&str> {
    let target = address.strip_prefix(ORIGIN)?;
    let target = target.split_once('#').map_or(target, |(target, _)| target);
    target.starts_with('/').then_some(target)
}

/// What becomes of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To another screen.
    Here,
    /// Out of the window: into the browser or the mail program.
    Elsewhere,
    /// To a file that the page has made, and that somebody wants to keep.
    ToDisk,
    /// To what nobody should open.
    Nowhere,
}

impl Leads {
    /// Where `address` leads.
    #[must_use]
    pub fn to(address: &str) -> Self {
        match target(address) {
            Some("/") => Self::Here,
            None if is_plain(address) && ELSEWHERE.iter().any(|scheme| address.starts_with(scheme)) => {
                Self::Elsewhere
            }
            None if address.starts_with(MADE_HERE) => Self::ToDisk,
            _ => Self::Nowhere,
        }
    }
}

/// Whether an address is without what no address contains (RFC 3986, section 2): it becomes a part of other programs'
/// command lines.
fn is_plain(address: &str) -> bool {
    !address
        .contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '`'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_itself_is_shown() {
        assert_eq!(of_screen(Screen::People), "ensafer://window/#/people");
        for screen in Screen::ALL {
            assert_eq!(Leads::to(&of_screen(screen)), Leads::Here);
        }
        assert_eq!(Leads::to("https://example.com/?q=ensafer://window/"), Leads::Elsewhere);
        assert_eq!(Leads::to("mailto:bob@example.com"), Leads::Elsewhere);
        assert_eq!(Leads::to("mailto:bob@example.com\" /a \"C:\\file"), Leads::Nowhere);
        assert_eq!(Leads::to("blob:ensafer://window/7a1b"), Leads::ToDisk);
        for address in [
            "blob:ensafer://window.example/7a1b",
            "blob:https://example.com/7a1b",
            "ensafer://window/v1/status",
            "ensafer://window.example/",
            "ensafer://elsewhere/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "about:blank",
        ] {
            assert_eq!(Leads::to(address), Leads::Nowhere, "{address}");
        }
    }

    #[test]
    fn requests_have_a_path_and_a_query() {
        assert_eq!(target("ensafer://window/v1/people?folder=ab#x"), Some("/v1/people?folder=ab"));
        assert_eq!(target("ensafer://window"), None);
        assert_eq!(target("ensafer://window.example/v1"), None);
    }
}
