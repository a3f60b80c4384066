//! Deterministic CBOR (RFC 8949, section 4.2.1), strictly: shortest heads, definite lengths, ascending keys, nothing
//! left over. Only the few types that Ensafer uses.

use std::convert::Infallible;

use minicbor::decode::Decoder;
use minicbor::encode::{Encoder, Error};

/// The bytes are not what the format says should be there. Opaque on purpose: what exactly was wrong helps nobody
/// but an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// `condition` or [`Malformed`].
pub(crate) fn check(condition: bool) -> Result<(), Malformed> {
    if condition { Ok(()) } else { Err(Malformed) }
}

/// The bytes of a CBOR head that carries `value`, in its shortest form.
pub(crate) const fn head_len(value: u64) -> usize {
    match value {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}

/// Reads items one after the other and refuses every encoding but the deterministic one.
pub(crate) struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    pub fn uint(&mut self) -> Result<u64, Malformed> {
        let start = self.0.position();
        let value = self.0.u64()?;
        self.shortest(start, value, 0)?;
        Ok(value)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.uint()?).map_err(|_| Malformed)
    }

    pub fn int(&mut self) -> Result<i64, Malformed> {
        let start = self.0.position();
        let value = self.0.i64()?;
        // A negative n is encoded as the head of -1 - n, which is !n.
        let magnitude = if value < 0 { !value } else { value };
        self.shortest(start, magnitude.unsigned_abs(), 0)?;
        Ok(value)
    }

    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.0.bool()?)
    }

    pub fn bytes(&mut self, most: usize) -> Result<&'b [u8], Malformed> {
        let start = self.0.position();
        let bytes = self.0.bytes()?;
        check(bytes.len() <= most)?;
        self.shortest(start, bytes.len() as u64, bytes.len())?;
        Ok(bytes)
    }

    pub fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    pub fn text(&mut self, most: usize) -> Result<&'b str, Malformed> {
        let start = self.0.position();
        let text = self.0.str()?;
        check(text.len() <= most)?;
        self.shortest(start, text.len() as u64, text.len())?;
        Ok(text)
    }

    /// The head of an array of at most `most` items: nothing is allocated before this.
    pub fn array(&mut self, most: u64) -> Result<u64, Malformed> {
        let start = self.0.position();
        let len = self.0.array()?.ok_or(Malformed)?;
        check(len <= most)?;
        self.shortest(start, len, 0)?;
        Ok(len)
    }

    /// The head of an array of exactly `len` items.
    pub fn tuple(&mut self, len: u64) -> Result<(), Malformed> {
        check(self.array(len)? == len)
    }

    /// The head of a map of at most `most` pairs.
    pub fn map(&mut self, most: u64) -> Result<u64, Malformed> {
        let start = self.0.position();
        let len = self.0.map()?.ok_or(Malformed)?;
        check(len <= most)?;
        self.shortest(start, len, 0)?;
        Ok(len)
    }

    /// The head of a map of exactly `len` pairs.
    pub fn whole_map(&mut self, len: u64) -> Result<(), Malformed> {
        check(self.map(len)? == len)
    }

    /// The key that must come next in a [`whole_map`](Self::whole_map).
    pub fn key(&mut self, key: u64) -> Result<&mut Self, Malformed> {
        check(self.uint()? == key)?;
        Ok(self)
    }

    /// `None` for null, else what `read` reads.
    pub fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.0.datatype()? == minicbor::data::Type::Null {
            self.0.null()?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// What follows the last item.
    pub fn rest(self) -> &'b [u8] {
        let at = self.0.position();
        self.0.input().get(at..).unwrap_or_default()
    }

    /// Refuses anything that follows the last item.
    pub fn end(self) -> Result<(), Malformed> {
        check(self.rest().is_empty())
    }

    fn shortest(&self, start: usize, head: u64, body: usize) -> Result<(), Malformed> {
        check(self.0.position() - start == head_len(head) + body)
    }
}

/// Walks the keys of a map with integer keys: each is met at most once and in ascending order.
pub(crate) struct Keys {
    left: u64,
    next: Option<u64>,
    last: Option<u64>,
}

impl Keys {
    /// Reads the head of a map of at most `most` pairs, and its first key.
    pub fn open(reader: &mut Reader<'_>, most: u64) -> Result<Self, Malformed> {
        let mut keys = Self { left: reader.map(most)?, next: None, last: None };
        keys.advance(reader)?;
        Ok(keys)
    }

    /// Reads the value of `key` where it is the next one. Keys must be asked for in ascending order.
    pub fn optional<'b, T>(
        &mut self,
        reader: &mut Reader<'b>,
        key: u64,
        read: impl FnOnce(&mut Reader<'b>) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.next != Some(key) {
            return Ok(None);
        }
        let value = read(reader)?;
        self.advance(reader)?;
        Ok(Some(value))
    }

    /// Reads the value of `key`, which must be the next one.
    pub fn required<'b, T>(
        &mut self,
        reader: &mut Reader<'b>,
        key: u64,
        read: impl FnOnce(&mut Reader<'b>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.optional(reader, key, read)?.ok_or(Malformed)
    }

    /// Refuses keys that nobody asked for: unknown ones.
    pub fn end(self) -> Result<(), Malformed> {
        check(self.next.is_none())
    }

    fn advance(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        self.next = None;
        if self.left > 0 {
            let key = reader.uint()?;
            check(self.last.is_none_or(|last| key > last))?;
            self.left -= 1;
            self.last = Some(key);
            self.next = Some(key);
        }
        Ok(())
    }
}

/// Writes items one after the other, deterministically.
pub(crate) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub fn new() -> Self {
        Self::with_capacity(512)
    }

    /// With room for `bytes`, so that what is secret is not copied while it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Encoder::new(Vec::with_capacity(bytes)))
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.put(|e| e.u64(value))
    }

    /// A key, before its value.
    pub fn key(&mut self, key: u64) -> &mut Self {
        self.uint(key)
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        self.put(|e| e.i64(value))
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.put(|e| e.bool(value))
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(|e| e.bytes(bytes))
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.put(|e| e.str(text))
    }

    pub fn array(&mut self, len: usize) -> &mut Self {
        self.put(|e| e.array(len as u64))
    }

    pub fn map(&mut self, len: usize) -> &mut Self {
        self.put(|e| e.map(len as u64))
    }

    pub fn null(&mut self) -> &mut Self {
        self.put(Encoder::null)
    }

    fn put(
        &mut self,
        write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<&mut Encoder<Vec<u8>>, Error<Infallible>>,
    ) -> &mut Self {
        // The only error would be the writer's own, and a vector has none.
        let _ = write(&mut self.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn longer_heads_and_indefinite_lengths_are_refused() {
        for wrong in ["1800", "1817", "190018", "1a00000018", "1b0000000000000018"] {
            assert_eq!(Reader::new(&hex::decode(wrong).unwrap()).uint(), Err(Malformed), "{wrong}");
        }
        assert_eq!(Reader::new(&hex::decode("3800").unwrap()).int(), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("5800").unwrap()).bytes(9), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("5f4101ff").unwrap()).bytes(9), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("7f6101ff").unwrap()).text(9), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("9f01ff").unwrap()).array(9), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("bf0101ff").unwrap()).map(9), Err(Malformed));
        assert_eq!(Reader::new(&hex::decode("61ff").unwrap()).text(9), Err(Malformed));
    }

    #[test]
    fn keys_ascend_and_unknown_ones_are_refused() {
        let read = |text: &str| {
            let bytes = hex::decode(text).unwrap();
            let mut reader = Reader::new(&bytes);
            let mut keys = Keys::open(&mut reader, 4)?;
            let one = keys.required(&mut reader, 1, Reader::uint)?;
            let three = keys.optional(&mut reader, 3, Reader::uint)?;
            keys.end()?;
            reader.end()?;
            Ok((one, three))
        };
        assert_eq!(read("a10107"), Ok((7, None)));
        assert_eq!(read("a201070308"), Ok((7, Some(8))));
        for wrong in ["a0", "a201070108", "a203080107", "a201070208", "a10107f6", "a201070408", "a5"] {
            assert_eq!(read(wrong), Err(Malformed), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn numbers_round_trip(unsigned: u64, signed: i64) {
            let mut writer = Writer::new();
            writer.uint(unsigned).int(signed);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.uint(), Ok(unsigned));
            prop_assert_eq!(reader.int(), Ok(signed));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }
}
