//! INFO: the sealed part of the header, which carries the statement and its signatures.

use super::access_list::MAX_ACCESS_LIST_LEN;
use super::prefix::{MAX_INFO_LEN, PREFIX_LEN};
use super::statement::{MAX_STATEMENT_LEN, SignedStatement};
use crate::cbor::{self, Malformed, Reader, Writer, check};
use crate::crypto::{Signature, cobblestone};

/// A header's length is a multiple of this …
const UNIT: u64 = 256;
/// … or of this, where the payload is large enough for a rename to reflink it in whole blocks.
const LARGE_UNIT: u64 = 4096;
/// From this padded payload length on.
const LARGE_PAYLOAD: u64 = 1 << 20;
/// Most bytes of the reserved checkpoint.
const MAX_CHECKPOINT_LEN: usize = 1024;

/// What INFO holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Info {
    /// The statement and its content signature.
    pub signed: SignedStatement,
    /// The access list and its signature, for files with recipients of their own.
    pub access: Option<(Vec<u8>, Signature)>,
}

impl Info {
    /// The CBOR array, without padding.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.array(5).bytes(&self.signed.statement).bytes(self.signed.signature.as_bytes());
        match &self.access {
            Some((list, signature)) => w.bytes(list).bytes(signature.as_bytes()),
            None => w.null().null(),
        };
        w.null();
        w.into_bytes()
    }

    /// Decodes `plain`, returning also the number of bytes of the array; what follows must be zero.
    pub fn decode(plain: &[u8]) -> Result<(Self, usize), Malformed> {
        let mut r = Reader::new(plain);
        r.tuple(5)?;
        let statement = r.bytes(MAX_STATEMENT_LEN)?.to_vec();
        let signature = Signature::new(r.array_of()?);
        let list = r.optional(|r| Ok(r.bytes(MAX_ACCESS_LIST_LEN)?.to_vec()))?;
        let list_signature = r.optional(|r| Ok(Signature::new(r.array_of()?)))?;
        // Reserved: readers of version 1 let it pass.
        r.optional(|r| r.bytes(MAX_CHECKPOINT_LEN).map(drop))?;
        let access = match (list, list_signature) {
            (Some(list), Some(signature)) => Some((list, signature)),
            (None, None) => None,
            _ => return Err(Malformed),
        };
        let padding = r.rest();
        check(padding.iter().all(|byte| *byte == 0))?;
        Ok((Self { signed: SignedStatement { statement, signature }, access }, plain.len() - padding.len()))
    }

    /// Bytes of [`encode`](Self::encode) for a statement and an access list of these lengths.
    pub fn encoded_len(statement_len: usize, list_len: Option<usize>) -> usize {
        let string = |len: usize| cbor::head_len(len as u64) + len;
        let signature = string(Signature::LEN);
        let lists = list_len.map_or(2, |len| string(len) + signature);
        // Before these the array's head, after them null for the checkpoint.
        1 + string(statement_len) + signature + lists + 1
    }
}

/// Bytes of INFO's plaintext, padding included: the fewest, at least `encoded_len`, with which the header's length is
/// a multiple of its unit. `None` where INFO would be too large.
pub(crate) fn padded_info_len(encoded_len: usize, access_len: usize, padded_payload: u64) -> Option<usize> {
    let unit = if padded_payload >= LARGE_PAYLOAD { LARGE_UNIT } else { UNIT };
    let header_len = |plain: u64| (PREFIX_LEN + access_len) as u64 + cobblestone::sealed_len(plain);
    let first = encoded_len as u64;
    // A chunk's tag lies between some lengths and the next, so a multiple may be missed once.
    let plain = (first..=first + 2 * unit).find(|plain| header_len(*plain).is_multiple_of(unit))?;
    (cobblestone::sealed_len(plain) <= MAX_INFO_LEN as u64).then(|| usize::try_from(plain).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_trips(statement in prop::collection::vec(any::<u8>(), 0..700), list: Option<Vec<u8>>, zeros in 0usize..300) {
            let signature = Signature::new([5; 64]);
            let info = Info { signed: SignedStatement { statement, signature }, access: list.map(|l| (l, signature)) };
            let mut plain = info.encode();
            let len = plain.len();
            let list_len = info.access.as_ref().map(|(list, _)| list.len());
            prop_assert_eq!(len, Info::encoded_len(info.signed.statement.len(), list_len));
            plain.resize(len + zeros, 0);
            prop_assert_eq!(Info::decode(&plain), Ok((info, len)));
            plain.push(1);
            prop_assert_eq!(Info::decode(&plain), Err(Malformed));
        }

        #[test]
        fn headers_have_whole_units(encoded in 100usize..70_000, access in 2usize..5000, large: bool) {
            let payload = if large { LARGE_PAYLOAD } else { LARGE_PAYLOAD - 1 };
            let unit = if large { 4096 } else { 256 };
            let plain = padded_info_len(encoded, access, payload).unwrap();
            let is_whole = |plain: usize| (80 + access as u64 + cobblestone::sealed_len(plain as u64)).is_multiple_of(unit);
            prop_assert!(plain >= encoded && is_whole(plain));
            prop_assert!(!(encoded..plain).any(is_whole), "not the fewest");
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Info::decode(&bytes);
        }
    }

    #[test]
    fn too_large_is_refused() {
        assert_eq!(padded_info_len(MAX_INFO_LEN, 2, 0), None);
    }
}
