//! `nextcloud.cfg` and `owncloud.cfg`: Qt's INI form, with `0\Folders\1\localPath=…` in the section `[Accounts]` for each
//! directory. One with virtual files is in `FoldersWithPlaceholders`, and in `Multifolders` are those that older clients
//! could not have.

/// The directories that the text names.
pub(super) fn parse(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_accounts = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_accounts = section == "Accounts]";
        } else if is_accounts
            && let Some((key, value)) = line.split_once('=')
            && is_local_path(key.trim_end())
        {
            found.push(unescape(value.trim_start()));
        }
    }
    found
}

fn is_local_path(key: &str) -> bool {
    let parts: Vec<&str> = key.split('\\').collect();
    let [account, folders, folder, "localPath"] = parts[..] else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number(account)
        && !folder.is_empty()
        && matches!(folders, "Folders" | "FoldersWithPlaceholders" | "Multifolders")
}

/// A value as `QSettings` reads it: quotes around it, `\\`, `\"`, and `\x` with the number of a UTF-16 unit.
fn unescape(value: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => match chars.next() {
                Some('x') => {
                    let mut unit = 0;
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) {
                        unit = (unit << 4) | digit;
                        chars.next();
                    }
                    units.push((unit & 0xFFFF) as u16);
                }
                Some(escaped) => units.extend(escaped.encode_utf16(&mut [0; 2]).iter()),
                None => {}
            },
            c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directory_of_every_account_is_named() {
        let text = r#"[General]
clientVersion=3.16.6-1
localPath=/no

[Accounts]
0\Folders\1\ignoreHiddenFiles=false
0\Folders\1\journalPath=.sync_2f1ac7c3d1a2.db
0\Folders\1\localPath=/home/alice/Nextcloud/
0\Folders\1\paused=false
0\Folders\1\targetPath=/
0\Folders\1\version=2
0\Folders\1\virtualFilesMode=off
0\FoldersWithPlaceholders\4\localPath=C:/Users/Alice/Nextcloud2/
0\Folders\1\targetPath=/localPath=/no
0\authType=webflow
0\url=https://cloud.example.com
1\Multifolders\12\localPath="/home/alice/a, b; c = d"
version=2

[Settings]
0\Folders\1\localPath=/no
"#;
        let expected = ["/home/alice/Nextcloud/", "C:/Users/Alice/Nextcloud2/", "/home/alice/a, b; c = d"];
        assert_eq!(parse(text), expected);
        assert_eq!(parse(&text.replace('\n', "\r\n")), expected);
    }

    #[test]
    fn values_are_read_as_qt_writes_them() {
        assert_eq!(unescape(r#"/home/zo\xeb/\x6587\x4ef6 \xd83d\xde80"#), "/home/zoë/文件 🚀");
        assert_eq!(unescape("/home/zoë/文件"), "/home/zoë/文件");
        assert_eq!(unescape(r#""/a \"b\" \\c""#), r#"/a "b" \c"#);
        assert_eq!(unescape(&format!(r"\x{}\xd83d", "f".repeat(100_000))), "\u{FFFF}\u{FFFD}");
        assert_eq!(unescape(r"\"), "");
    }

    #[test]
    fn whatever_else_is_there_names_nothing() {
        let keys = [
            r"\Folders\1\localPath",
            r"0\Folders\localPath",
            r"0\Other\1\localPath",
            "localPath",
            r"a\Folders\1\localPath",
        ];
        for key in keys {
            assert_eq!(parse(&format!("[Accounts]\n{key}=/a\n")), [""; 0], "{key}");
        }
        assert_eq!(parse("[Accounts"), [""; 0]);
    }
}
