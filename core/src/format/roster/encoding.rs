//! The encoding of a roster's entries: one map for all operations (`docs/format.md`, "The roster").

use super::entry::{Entry, EntryHash, FolderLayout, MAX_ENTRY_LEN, MAX_PREV, Operation, Role, Written};
use crate::account::SignedBundle;
use crate::cbor::{Keys, Malformed, Reader, Writer, check};
use crate::crypto::{EnvelopePublicKey, SPKI_BYTES, Signature};
use crate::format::statement::read_verifying_key;
use crate::ids::{FolderId, GroupId, StatementHash};

/// Most manifests that the removal of a group names.
const MAX_MANIFESTS: u64 = super::MAX_WRITTEN as u64;

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut own = Writer::new();
        let own_fields = self.encode_operation(&mut own);
        let mut w = Writer::new();
        w.map(4 + own_fields);
        w.uint(1).bytes(self.folder.as_bytes());
        w.uint(2).uint(self.seq);
        w.uint(3);
        write_hashes(&mut w, &self.prev);
        w.uint(4).uint(self.operation.number());
        [w.into_bytes(), own.into_bytes()].concat()
    }

    /// What follows the operation's number. Returns how many fields that is.
    fn encode_operation(&self, w: &mut Writer) -> usize {
        let mut fields = Fields { w, count: 0 };
        let operation = &self.operation;
        match operation {
            Operation::Create { owner: bundle, .. } | Operation::Add { member: bundle, .. } => {
                fields.next(5).array(2).bytes(bundle.bytes()).bytes(bundle.signature().as_bytes());
            }
            Operation::Remove { subject, .. } | Operation::Role { subject, .. } => {
                fields.next(6).bytes(subject.as_bytes());
            }
            _ => {}
        }
        if let Operation::Add { role, .. } | Operation::Role { role, .. } | Operation::Group { role, .. } =
            operation
        {
            fields.next(7).uint(role.number());
        }
        if let Some((epoch, key_id)) = operation.epoch() {
            fields.next(8).uint(u64::from(epoch));
            fields.next(9).bytes(&key_id);
        }
        fields.next(10).bytes(self.signer.as_bytes());
        if let Operation::Create { nonce, .. } = operation {
            fields.next(11).bytes(nonce);
        }
        if let Operation::Create { layout, .. } | Operation::Layout { layout } = operation {
            fields.next(12).uint(layout.number());
        }
        if let Operation::Remove { manifest: Some(manifest), .. }
        | Operation::Role { manifest: Some(manifest), .. } = operation
        {
            fields.next(13).bytes(manifest.as_bytes());
        }
        if let Some(public) = operation.public() {
            fields.next(14).bytes(public.spki());
        }
        if let Operation::Group { group, .. } | Operation::Ungroup { group, .. } = operation {
            fields.next(15).bytes(group.as_bytes());
        }
        if let Operation::Group { heads, .. } = operation {
            write_hashes(fields.next(16), heads);
        }
        if let Operation::Group { written, .. } | Operation::Ungroup { written, .. } = operation
            && !written.is_empty()
        {
            write_written(fields.next(17), written);
        }
        fields.count
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let mut keys = Keys::open(r, 17)?;
        let folder = FolderId::new(keys.required(r, 1, Reader::array_of)?);
        let seq = keys.required(r, 2, Reader::uint)?;
        let prev = keys.required(r, 3, read_hashes)?;
        let number = keys.required(r, 4, Reader::uint)?;
        let bundle = keys.optional(r, 5, read_bundle)?;
        let subject = keys.optional(r, 6, read_verifying_key)?;
        let role = keys.optional(r, 7, |r| Role::from_number(r.uint()?))?;
        let epoch = keys.optional(r, 8, Reader::u32)?;
        let key_id = keys.optional(r, 9, Reader::array_of)?;
        let signer = keys.required(r, 10, read_verifying_key)?;
        let nonce = keys.optional(r, 11, Reader::array_of)?;
        let layout = keys.optional(r, 12, read_layout)?;
        let manifest = keys.optional(r, 13, Reader::array_of)?.map(StatementHash::new);
        let public = keys.optional(r, 14, read_public)?;
        let group = keys.optional(r, 15, Reader::array_of)?.map(GroupId::new);
        let heads = keys.optional(r, 16, read_hashes)?;
        let written = keys.optional(r, 17, read_written)?;
        keys.end()?;
        reader.end()?;
        let of_groups = (group, heads, written);
        let operation = match (number, bundle, subject, role, epoch, key_id, nonce, layout, manifest, public)
        {
            (
                1,
                Some(owner),
                None,
                None,
                Some(epoch),
                Some(key_id),
                Some(nonce),
                Some(layout),
                None,
                public,
            ) => Operation::Create { owner, nonce, epoch, key_id, layout, public },
            (2, Some(member), None, Some(role), None, None, None, None, None, None) => {
                Operation::Add { member, role }
            }
            (3, None, Some(subject), None, None, None, None, None, manifest, None) => {
                Operation::Remove { subject, manifest }
            }
            (4, None, Some(subject), Some(role), None, None, None, None, manifest, None) => {
                Operation::Role { subject, role, manifest }
            }
            (5, None, None, None, Some(epoch), Some(key_id), None, None, None, public) => {
                Operation::Epoch { epoch, key_id, public }
            }
            (6, None, None, None, None, None, None, Some(layout), None, None) => Operation::Layout { layout },
            (7 | 8, None, None, role, None, None, None, None, None, None) => {
                let operation = of_group(number, role, of_groups)?;
                return Ok(Self { folder, seq, prev, operation, signer });
            }
            _ => return Err(Malformed),
        };
        check(of_groups == (None, None, None))?;
        Ok(Self { folder, seq, prev, operation, signer })
    }
}

/// A group that is listed has a role and a head, one that is not any more has neither.
fn of_group(
    number: u64,
    role: Option<Role>,
    fields: (Option<GroupId>, Option<Vec<EntryHash>>, Option<Vec<Written>>),
) -> Result<Operation, Malformed> {
    match (number, role, fields) {
        (7, Some(role), (Some(group), Some(heads), written)) => {
            Ok(Operation::Group { group, role, heads, written: written.unwrap_or_default() })
        }
        (8, None, (Some(group), None, written)) => {
            Ok(Operation::Ungroup { group, written: written.unwrap_or_default() })
        }
        _ => Err(Malformed),
    }
}

/// Counts the fields of a map while they are written.
struct Fields<'a> {
    w: &'a mut Writer,
    count: usize,
}

impl Fields<'_> {
    fn next(&mut self, key: u64) -> &mut Writer {
        self.count += 1;
        self.w.key(key)
    }
}

fn write_hashes(w: &mut Writer, hashes: &[EntryHash]) {
    w.array(hashes.len());
    for hash in hashes {
        w.bytes(hash.as_bytes());
    }
}

fn write_written(w: &mut Writer, written: &[Written]) {
    w.array(written.len());
    for Written { subject, manifest } in written {
        w.array(2).bytes(subject.as_bytes()).bytes(manifest.as_bytes());
    }
}

fn read_hashes(r: &mut Reader<'_>) -> Result<Vec<EntryHash>, Malformed> {
    let count = r.array(MAX_PREV as u64)?;
    let hashes = (0..count).map(|_| Ok(EntryHash(r.array_of()?))).collect::<Result<Vec<_>, Malformed>>()?;
    check(hashes.is_sorted_by(|a, b| a < b))?;
    Ok(hashes)
}

/// At least one: where there is none, the field is absent.
fn read_written(r: &mut Reader<'_>) -> Result<Vec<Written>, Malformed> {
    let mut written: Vec<Written> = Vec::new();
    for _ in 0..r.array(MAX_MANIFESTS)? {
        r.tuple(2)?;
        let subject = read_verifying_key(r)?;
        check(written.last().is_none_or(|last| last.subject < subject))?;
        written.push(Written { subject, manifest: StatementHash::new(r.array_of()?) });
    }
    check(!written.is_empty())?;
    Ok(written)
}

fn read_public(r: &mut Reader<'_>) -> Result<EnvelopePublicKey, Malformed> {
    EnvelopePublicKey::from_spki(r.bytes(SPKI_BYTES)?).map_err(|_| Malformed)
}

fn read_bundle(r: &mut Reader<'_>) -> Result<SignedBundle, Malformed> {
    r.tuple(2)?;
    let bytes = r.bytes(MAX_ENTRY_LEN)?;
    SignedBundle::verify(bytes, Signature::new(r.array_of()?)).map_err(|_| Malformed)
}

fn read_layout(r: &mut Reader<'_>) -> Result<FolderLayout, Malformed> {
    match r.uint()? {
        0 => Ok(FolderLayout::Flat),
        1 => Ok(FolderLayout::FanOut),
        2 => Ok(FolderLayout::Group),
        _ => Err(Malformed),
    }
}
