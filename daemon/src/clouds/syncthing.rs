//! Syncthing's `config.xml`: a `folder` with its `path` for each directory, directly in the root element. The one in
//! `defaults` is a pattern for others.

use roxmltree::{Document, Node, ParsingOptions};

/// Most elements, attributes and texts that are read. A folder has about fifty, and one for each device.
const MAX_NODES: u32 = 1 << 18;

/// The directories that the text names, but those that hold what Syncthing itself has encrypted for a device that is not
/// trusted.
pub(super) fn parse(text: &str) -> Vec<String> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let Ok(document) = Document::parse_with_options(text, options) else { return Vec::new() };
    let folders = document.root_element().children().filter(|node| node.has_tag_name("folder"));
    folders.filter_map(path).collect()
}

fn path(folder: Node<'_, '_>) -> Option<String> {
    let is_readable = folder.attribute("type") != Some("receiveencrypted");
    folder.attribute("path").filter(|path| is_readable && !path.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_is_named_but_the_pattern_for_new_ones() {
        let text = r#"<configuration version="37">
    <folder id="default" label="Default Folder" path="/home/alice/Sync" type="sendreceive" rescanIntervalS="3600">
        <filesystemType>basic</filesystemType>
        <device id="AAAAAAA" introducedBy=""><encryptionPassword></encryptionPassword></device>
    </folder>
    <folder id="x1" label="A &amp; B" path="~/A &amp; B/" paused="true"/>
    <folder id="x2" path="/home/alice/Foreign" type="receiveencrypted"/>
    <folder id="x3" path=""/>
    <folder id="x4" path="C:\Users\Alice\Sync"/>
    <device id="AAAAAAA" name="laptop"><address>dynamic</address></device>
    <defaults><folder id="" path="~"/></defaults>
</configuration>
"#;
        assert_eq!(parse(text), ["/home/alice/Sync", "~/A & B/", r"C:\Users\Alice\Sync"]);
    }

    #[test]
    fn whatever_else_is_there_names_nothing() {
        let laughs = r#"<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><c><folder path="/&b;"/></c>"#;
        for text in ["", "<", "<configuration>", "<folder path='/a'/>", laughs, "\0"] {
            assert_eq!(parse(text), [""; 0], "{text}");
        }
        // As deep and as broad as the settings may be long.
        let deep = 1 << 17;
        assert_eq!(parse(&format!("{}{}", "<a>".repeat(deep), "</a>".repeat(deep))), [""; 0]);
        assert_eq!(parse(&format!("<c>{}</c>", "<a/>".repeat(1 << 18))), [""; 0]);
    }
}
