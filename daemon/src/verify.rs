//! Opens every file of an encrypted folder to the last byte, and writes nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use ensafer_core::account::Account;
use ensafer_core::api::local::{VerifyFailure, VerifyReport};
use ensafer_core::format::roster::{MAX_GROUP_OBJECT_LEN, RosterState};
use ensafer_core::format::{OpenedHeader, open_header};
use ensafer_core::plan::ProblemClass;
use ensafer_core::tree::StoreKey;
use rayon::prelude::*;

use crate::folder_keys::OpenFolder;
use crate::groups::{HeldGroup, group_key};
use crate::membership::{Membership, read_bounded};
use crate::payload::{PayloadFailure, open_payload, read_head};
use crate::progress::Progress;
use crate::store::{EncryptedStore, Listed, StoredObject};

/// Verifies every object of `store` with the keys of `folder`: header, signature, membership, length, name, content. Groups'
/// files open for who is in them, `account` perhaps.
pub fn verify(
    store: &dyn EncryptedStore,
    folder: &OpenFolder,
    account: &Account,
    progress: &Progress,
) -> Result<VerifyReport> {
    let groups = groups_of(folder.roster().state(), account);
    let listing = store.list()?;
    let bytes = AtomicU64::new(0);
    let membership = Membership::new(folder, store);
    progress.expect(listing.objects.len() as u64, listing.objects.iter().map(|o| o.stamp.length).sum());
    let mut failed: Vec<VerifyFailure> = listing
        .objects
        .par_iter()
        .filter_map(|listed| {
            let result = match groups.get(&listed.key) {
                Some(is_in) => verify_group(store, listed, account, *is_in),
                None => verify_object(store, &membership, listed),
            };
            bytes.fetch_add(listed.stamp.length, Ordering::Relaxed);
            progress.advance(1, listed.stamp.length);
            let (class, what) = result.err()?;
            Some(VerifyFailure { object: listed.key.to_string(), class, what })
        })
        .collect();
    failed.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(VerifyReport { files: listing.objects.len() as u64, bytes: bytes.into_inner(), failed })
}

/// The files of the groups that a folder is, or was, shared with, and whether the account is in each.
fn groups_of(roster: &RosterState, account: &Account) -> HashMap<StoreKey, bool> {
    let me = account.identity().public();
    let former = roster.former_groups.keys().map(|group| (group_key(*group), false));
    let listed = roster.groups.iter().map(|group| (group_key(group.id), group.state.role_of(&me).is_some()));
    former.chain(listed).collect()
}

fn verify_group(
    store: &dyn EncryptedStore,
    listed: &Listed,
    account: &Account,
    is_in: bool,
) -> Result<(), (ProblemClass, String)> {
    if !is_in {
        return Ok(());
    }
    let too_long = || (ProblemClass::Damaged, "it is no group's file".to_owned());
    let bytes = read_bounded(store, &listed.key, MAX_GROUP_OBJECT_LEN as u64).ok_or_else(too_long)?;
    let opened = HeldGroup::open(&bytes, account);
    opened.map(drop).map_err(|error| (error.class_when(true), error.to_string()))
}

fn verify_object(
    store: &dyn EncryptedStore,
    membership: &Membership<'_>,
    listed: &Listed,
) -> Result<(), (ProblemClass, String)> {
    let failed = |error: &dyn std::error::Error| (ProblemClass::Failed, error.to_string());
    let file = store.open(&listed.key).map_err(|error| (error.class(), error.to_string()))?;
    let head = read_head(&*file, listed.stamp.length).map_err(|error| failed(&error))?;
    let header = open_header(&head, &membership.folder().source())
        .map_err(|error| (error.class_when(true), error.to_string()))?;
    check_header(&listed.key, &header, listed.stamp.length, membership)?;
    verify_payload(&*file, &header)
}

fn check_header(
    key: &StoreKey,
    header: &OpenedHeader,
    length: u64,
    membership: &Membership<'_>,
) -> Result<(), (ProblemClass, String)> {
    if length != header.total_len {
        let class =
            if length < header.total_len { ProblemClass::StillArriving } else { ProblemClass::Damaged };
        return Err((class, format!("{length} bytes instead of {}", header.total_len)));
    }
    membership.judge(header, None).map_err(|class| (class, class.what().to_owned()))?;
    match crate::engine::named_id(key) {
        Some(id) if id != header.prefix.file_id => {
            Err((ProblemClass::Misnamed, format!("holds the object {}", header.prefix.file_id)))
        }
        _ => Ok(()),
    }
}

fn verify_payload(file: &dyn StoredObject, header: &OpenedHeader) -> Result<(), (ProblemClass, String)> {
    let opened = open_payload(file, header, || false, |_, _| Ok::<(), std::convert::Infallible>(()));
    opened.map_err(|failure| match failure {
        PayloadFailure::Unauthentic(_) => (ProblemClass::Damaged, "its content does not verify".into()),
        PayloadFailure::Store(error) => (error.class(), error.to_string()),
        PayloadFailure::Sink(never) => match never {},
        PayloadFailure::Cancelled => (ProblemClass::Failed, "interrupted".into()),
    })
}
