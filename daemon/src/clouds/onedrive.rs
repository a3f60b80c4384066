//! The settings of the OneDrive Client for Linux: `name = "value"`, one a line, `#` and `;` before a comment.

/// The directories that the text names: one, the last that is said.
pub(super) fn parse(text: &str) -> Vec<String> {
    let mut named = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().strip_prefix('"')?.split('"').next()?;
        (key.trim() == "sync_dir" && !value.is_empty()).then(|| value.to_owned())
    });
    named.next_back().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_says_it_holds() {
        let text = r#"# When changing a config option below, remove the '#' from the start of the line
# sync_dir = "~/OneDrive"
  sync_dir="/srv/old"
sync_dir = "~/One Drive"   
; sync_dir = "/no"
skip_dir = "sync_dir = "
sync_dir_permissions = "700"
"#;
        assert_eq!(parse(text), ["~/One Drive"]);
        for text in ["", "sync_dir", "sync_dir = ", "sync_dir = /a", "sync_dir = \"\"", "=\"/a\""] {
            assert_eq!(parse(text), [""; 0], "{text}");
        }
    }
}
