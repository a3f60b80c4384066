//! What was done in this computer's folders, for people.

use std::cmp::Reverse;

use anyhow::Result;
use ensafer_core::api::local::ActivityReport;
use ensafer_core::ids::FolderId;

use crate::state::{DoneDeed, MOST_DEEDS, StateReader};

/// What was done in the folders that `readers` read, the latest first, at most `limit` deeds.
///
/// # Errors
/// A state cannot be read.
pub fn list(
    readers: impl IntoIterator<Item = (FolderId, StateReader)>,
    limit: usize,
) -> Result<Vec<ActivityReport>> {
    let limit = limit.min(usize::try_from(MOST_DEEDS).unwrap_or(usize::MAX));
    let mut all = Vec::new();
    for (folder, reader) in readers {
        all.extend(reader.activity(limit)?.into_iter().map(|deed| (folder, deed)));
    }
    // Stable: what one folder did at one moment stays in its order.
    all.sort_by_key(|(_, deed)| Reverse(deed.at));
    all.truncate(limit);
    Ok(all.into_iter().map(report).collect())
}

fn report((folder, deed): (FolderId, DoneDeed)) -> ActivityReport {
    let DoneDeed { at, deed, path, from, here, author } = deed;
    ActivityReport { folder, at: at.to_string(), deed, path, from, here, author: author.to_string() }
}
