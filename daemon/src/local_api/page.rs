//! The window's page: the files of `daemon/ui/`, as they are. They hold no secret and need no key.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::server::Door;

/// Where the files are, but for the first one, which is the page itself.
const FILES_PATH: &str = "/ui/{*file}";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// What every answer says to the browser: the page loads nothing from elsewhere, runs no script of its own text, is shown
/// in no other page, is kept nowhere, and tells no address.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A file of the page.
struct File {
    /// Its name below `/ui/`.
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal: $media_type:expr),* $(,)?) => {
        &[$(File { name: $name, media_type: $media_type, bytes: include_bytes!(concat!("../../ui/", $name)) }),*]
    };
}

/// Every file: a test compares the list with the directory.
const FILES: &[File] = files![
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": SVG,
    "actions.js": SCRIPT,
    "api.js": SCRIPT,
    "app.js": SCRIPT,
    "asking.js": SCRIPT,
    "deeds.js": SCRIPT,
    "files.js": SCRIPT,
    "html.js": SCRIPT,
    "parts.js": SCRIPT,
    "rate.js": SCRIPT,
    "refused.js": SCRIPT,
    "screens/account-dialogs.js": SCRIPT,
    "screens/activity.js": SCRIPT,
    "screens/add-folder.js": SCRIPT,
    "screens/choose-directory.js": SCRIPT,
    "screens/conflicts.js": SCRIPT,
    "screens/folders.js": SCRIPT,
    "screens/invited.js": SCRIPT,
    "screens/keys.js": SCRIPT,
    "screens/people.js": SCRIPT,
    "screens/problems.js": SCRIPT,
    "screens/settings.js": SCRIPT,
    "screens/trash.js": SCRIPT,
    "screens/welcome.js": SCRIPT,
    "store.js": SCRIPT,
    "text.js": SCRIPT,
    "text/de.js": SCRIPT,
    "text/en.js": SCRIPT,
    "vendor/htm.mjs": SCRIPT,
    "vendor/preact.mjs": SCRIPT,
];

/// The page, for the socket as well as for a browser.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/", get(|| async { answer("index.html") }))
        .route(FILES_PATH, get(|Path(name): Path<String>| async move { answer(&name) }))
}

/// Whether a route's path is one of the page's own.
pub(super) fn is_path(path: &str) -> bool {
    path == "/" || path == FILES_PATH
}

/// Gives an answer what every answer has.
pub(super) fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn answer(name: &str) -> Response {
    let mut response = match FILES.iter().find(|file| file.name == name) {
        Some(file) => ([(CONTENT_TYPE, file.media_type)], file.bytes).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    add_headers(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use ensafer_core::api::local::SettingKind;
    use ensafer_core::plan::ProblemClass;
    use ensafer_core::status::State;

    use super::*;
    use crate::config;

    /// Every file below `directory`, relative to the page's.
    fn files_in(directory: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                files_in(&entry.path(), &format!("{name}/"), found);
            } else if !name.contains("LICENSE") && !name.ends_with(".md") {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_is_served() {
        let mut found = BTreeSet::new();
        files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("ui"), "", &mut found);
        let listed: BTreeSet<_> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert_eq!(listed, found);
        for (ending, media_type) in
            [("html", HTML), ("css", CSS), ("svg", SVG), ("js", SCRIPT), ("mjs", SCRIPT)]
        {
            let of_ending = FILES.iter().filter(|file| file.name.rsplit('.').next() == Some(ending));
            of_ending.for_each(|file| assert_eq!(file.media_type, media_type, "{}", file.name));
        }
    }

    #[test]
    fn nothing_is_unsafe_in_the_policy() {
        let (_, policy) = &HEADERS[0];
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        assert!(!policy.contains("http:") && !policy.contains('*'));
    }

    /// The page has words for every setting that it shows, and for what it can be set to.
    #[test]
    fn the_settings_have_words() {
        let english = include_str!("../../ui/text/en.js");
        let expect = |entry: String| assert!(english.contains(&entry), "{entry}");
        for setting in config::in_window(Path::new("no such file")).unwrap() {
            expect(format!("\"setting.{}\": ", setting.key));
            let SettingKind::Choice { choices } = setting.kind else { continue };
            for choice in choices.iter().filter(|choice| !matches!(&***choice, "true" | "false")) {
                expect(format!("\"choice.{}-{choice}\": ", setting.key));
            }
        }
    }

    /// The page's English words of states and problems are those of everything else.
    #[test]
    fn the_words_are_the_same_everywhere() {
        let english = include_str!("../../ui/text/en.js");
        let expect = |kind: &str, token: &serde_json::Value, words: &str| {
            let entry = format!("\"{kind}.{}\": \"{words}\",", token.as_str().unwrap());
            assert!(english.contains(&entry), "{entry}");
        };
        for state in [
            State::Locked,
            State::Braked,
            State::Attention,
            State::Offline,
            State::Working,
            State::Checking,
            State::WaitingForCloud,
            State::Paused,
            State::Stopped,
            State::UpToDate,
        ] {
            expect("state", &serde_json::to_value(state).unwrap(), state.text());
        }
        for class in ProblemClass::ALL {
            let token = serde_json::to_value(class).unwrap();
            expect("problem", &token, class.what());
            expect("remedy", &token, class.remedy());
        }
    }
}
