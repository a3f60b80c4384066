//! Deterministic CBOR (RFC 8949 section 4.2.1): maps with integer keys from 0 on, all of them present, in order.
//!
//! Readers ask for exactly the keys they know, so an unknown or repeated one does not fit; what is left of freedom
//! (longer heads, indefinite lengths) is caught by [`is_canonical`].

use minicbor::{Decoder, Encoder};

/// The bytes are not what was expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self
    }
}

/// Reads one item after the other.
pub struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// The head of a map of `len` pairs.
    pub fn map(&mut self, len: u64) -> Result<(), Malformed> {
        (self.0.map()? == Some(len)).then_some(()).ok_or(Malformed)
    }

    /// The key that must come next.
    pub fn key(&mut self, key: u64) -> Result<&mut Self, Malformed> {
        if self.0.u64()? == key { Ok(self) } else { Err(Malformed) }
    }

    pub fn uint(&mut self) -> Result<u64, Malformed> {
        Ok(self.0.u64()?)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(self.0.u32()?)
    }

    pub fn text(&mut self) -> Result<&'b str, Malformed> {
        Ok(self.0.str()?)
    }

    pub fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        Ok(self.0.bytes()?)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes()?.try_into().map_err(|_| Malformed)
    }

    /// Whether null comes next, which is then read.
    pub fn null(&mut self) -> Result<bool, Malformed> {
        let null = self.0.datatype()? == minicbor::data::Type::Null;
        if null {
            self.0.null()?;
        }
        Ok(null)
    }
}

/// Whether `bytes` are the one encoding of what was read from them: `writer` wrote it again.
pub fn is_canonical(bytes: &[u8], writer: &Writer) -> Result<(), Malformed> {
    (writer.0.writer() == bytes).then_some(()).ok_or(Malformed)
}

/// Writes one item after the other.
pub struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub fn map(&mut self, len: u64) -> &mut Self {
        self.0.map(len).expect(INFALLIBLE);
        self
    }

    /// A key, before its value.
    pub fn key(&mut self, key: u64) -> &mut Self {
        self.uint(key)
    }

    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.0.u64(value).expect(INFALLIBLE);
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.str(text).expect(INFALLIBLE);
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.bytes(bytes).expect(INFALLIBLE);
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.0.null().expect(INFALLIBLE);
        self
    }
}

const INFALLIBLE: &str = "a Vec takes all bytes";
