//! Dropbox's `info.json`: one object for each of the accounts `personal` and `business`, with the `path` of its directory.

use serde_json::{Map, Value};

/// The directories that the text names.
pub(super) fn parse(text: &str) -> Vec<String> {
    let accounts: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    accounts.values().filter_map(|account| Some(account.get("path")?.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_accounts_have_a_directory() {
        let both = r#"{"business": {"path": "C:\\Users\\Alice\\Dropbox (Example)", "host": 38, "is_team": true,
            "subscription_type": "Business", "root_path": "C:\\Users\\Alice\\Example Dropbox"},
            "personal": {"path": "/home/alice/Dropbox", "host": 4924, "is_team": false, "subscription_type": "Basic"}}"#;
        assert_eq!(parse(both), [r"C:\Users\Alice\Dropbox (Example)", "/home/alice/Dropbox"]);
    }

    #[test]
    fn whatever_else_is_there_names_nothing() {
        for text in ["", "{", "[]", "7", r#"{"personal": 7}"#, r#"{"personal": {"path": ["/a"]}}"#, "\u{0}"] {
            assert_eq!(parse(text), [""; 0], "{text}");
        }
        assert_eq!(parse(&format!("{}{}", r#"{"a":"#.repeat(100_000), "1")), [""; 0]);
    }
}
