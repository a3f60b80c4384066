//! What was done in this computer's folders, for people.

use std::cmp::Reverse;

use ensafer_core::api::local::ActivityReport;
use ensafer_core::ids::FolderId;

use crate::state::DoneDeed;

/// What was done in several folders, the latest first, at most `limit` deeds.
#[must_use]
pub fn latest(of_each: Vec<(FolderId, Vec<DoneDeed>)>, limit: usize) -> Vec<ActivityReport> {
    let mut all: Vec<_> = of_each
        .into_iter()
        .flat_map(|(folder, deeds)| deeds.into_iter().map(move |deed| (folder, deed)))
        .collect();
    // Stable: what one folder did at one moment stays in its order.
    all.sort_by_key(|(_, deed)| Reverse(deed.at));
    all.truncate(limit);
    all.into_iter().map(report).collect()
}

fn report((folder, deed): (FolderId, DoneDeed)) -> ActivityReport {
    let DoneDeed { at, deed, path, from, here, author } = deed;
    ActivityReport { folder, at: at.to_string(), deed, path, from, here, author: author.to_string() }
}

#[cfg(test)]
mod tests {
    use ensafer_core::api::local::Deed;
    use ensafer_core::time::Timestamp;

    use super::*;
    use crate::state::MOST_DEEDS;

    #[test]
    fn a_busy_folder_hides_none_that_is_quiet() {
        let deeds = |count: u64, at: i64| {
            let deed = |_| DoneDeed {
                at: Timestamp::from_parts(at, 0),
                deed: Deed::Changed,
                path: "f".into(),
                from: None,
                here: true,
                author: "alice".into(),
            };
            (0..count).map(deed).collect::<Vec<_>>()
        };
        let [busy, quiet] = [1, 2].map(|number| FolderId::new([number; 16]));
        let of_each = vec![(busy, deeds(MOST_DEEDS, 2)), (quiet, deeds(1, 1))];
        assert_eq!(latest(of_each.clone(), usize::MAX).last().map(|deed| deed.folder), Some(quiet));
        assert_eq!(latest(of_each, 2).len(), 2);
    }
}
