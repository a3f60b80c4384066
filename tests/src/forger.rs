//! Somebody who can read a file of no folder, and so holds its key: takes it apart, and puts it together otherwise.

use std::fs;
use std::path::Path;

use ensafer_core::account::{Account, SealedAccount};
use ensafer_core::crypto::{EnvelopePublicKey, FileKey, FileSubkeys, SystemRandom, cobblestone, sha256};
use ensafer_core::format::{Access, Envelope, EnvelopeType, PREFIX_LEN, Prefix};

use crate::Device;
use crate::device::PASSWORD;

/// Bytes of the header's beginning that its MAC covers.
const MACCED_BYTES: usize = 48;

/// An account of the tests, opened by somebody who knows its password.
#[must_use]
pub fn account_of(device: &Device) -> Account {
    let bytes = fs::read(device.home.join("data/account.ensafer-account")).unwrap();
    SealedAccount::from_bytes(&bytes).unwrap().open_with_password(PASSWORD).unwrap()
}

/// A file that somebody may read, taken apart.
#[derive(Debug)]
pub struct Forger {
    prefix: Prefix,
    /// The envelopes.
    pub access: Access,
    /// INFO's array, without the zeros after it.
    pub info: Vec<u8>,
    /// What follows the header.
    pub payload: Vec<u8>,
    key: FileKey,
    subkeys: FileSubkeys,
}

impl Forger {
    /// Takes the file at `path` apart with the account's envelope; `None` where none is for it.
    #[must_use]
    pub fn open(path: &Path, account: &Account) -> Option<Self> {
        let bytes = fs::read(path).unwrap();
        let prefix = Prefix::parse(&bytes).unwrap();
        let (header, payload) = bytes.split_at(prefix.header_len());
        let (access, info) = header[PREFIX_LEN..].split_at(prefix.access_len);
        let access = Access::parse(access).unwrap();
        let users = access.envelopes().filter(|envelope| envelope.kind == EnvelopeType::USER);
        let unwrap =
            |body: &[u8]| account.envelope().unwrap_file_key(prefix.file_id, prefix.key_epoch, body).ok();
        let key = users.filter_map(|envelope| unwrap(envelope.body)).next()?;
        let subkeys = key.derive(prefix.file_id, prefix.key_epoch);
        let mut info = cobblestone::open(&subkeys.info, &binding(&prefix), info).unwrap().to_vec();
        // The array ends in a null that is no zero.
        info.truncate(info.iter().rposition(|byte| *byte != 0).unwrap() + 1);
        Some(Self { prefix, access, info, payload: payload.to_vec(), key, subkeys })
    }

    /// The content, as a reader takes it who asks for no signature.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let start = self.prefix.to_bytes();
        let context = [&start[10..12], &start[24..44]].concat();
        cobblestone::open(&self.subkeys.payload, &context, &self.payload).unwrap().to_vec()
    }

    /// Lets somebody else read it.
    pub fn add(&mut self, reader: &EnvelopePublicKey) {
        let (id, epoch) = (self.prefix.file_id, self.prefix.key_epoch);
        let hint = sha256(&[b"ensafer/v1/hint\0", id.as_bytes(), &epoch.to_be_bytes(), &reader.spki_hash()]);
        let body = reader.wrap_file_key(id, epoch, &self.key);
        let hint = *hint.first_chunk().unwrap();
        let added = Envelope { kind: EnvelopeType::USER, flags: 0, hint, body: &body };
        self.access = Access::build(self.access.envelopes().chain([added])).unwrap();
    }

    /// Lets nobody read it any more but `reader`.
    pub fn drop_all_but(&mut self, reader: &Account) {
        let (id, epoch) = (self.prefix.file_id, self.prefix.key_epoch);
        let opens = |e: &Envelope<'_>| reader.envelope().unwrap_file_key(id, epoch, e.body).is_ok();
        self.access = Access::build(self.access.envelopes().filter(opens)).unwrap();
    }

    /// Takes the signature of the statement out: the array's second element, behind the statement's bytes.
    pub fn unsign(&mut self) {
        assert_eq!(self.info[..2], [0x85, 0x59], "an array of five, and a string of more than 255 bytes");
        let at = 4 + usize::from(u16::from_be_bytes([self.info[2], self.info[3]]));
        assert_eq!(self.info[at..at + 2], [0x58, 64]);
        self.info[at + 2..at + 66].fill(0);
    }

    /// Writes it whole, with a MAC that holds.
    pub fn write(mut self, path: &Path) {
        let unit = if self.payload.len() >= 1 << 20 { 4096 } else { 256 };
        self.prefix.access_len = self.access.as_bytes().len();
        let header_len =
            |plain: usize| PREFIX_LEN + self.prefix.access_len + 56 + plain + 16 * (plain / 16_384 + 1);
        let padded = (self.info.len()..).find(|plain| header_len(*plain) % unit == 0).unwrap();
        self.info.resize(padded, 0);
        let info =
            cobblestone::seal(&self.subkeys.info, &mut SystemRandom, &binding(&self.prefix), &self.info);
        self.prefix.info_len = info.len();
        let start = self.prefix.to_bytes();
        let access = self.access.as_bytes();
        self.prefix.header_mac = self.subkeys.header.mac(&[&start[..MACCED_BYTES], access, &info]);
        fs::write(path, [&self.prefix.to_bytes()[..], access, &info, &self.payload].concat()).unwrap();
    }
}

/// What the header's parts are bound to: version and suite, then flags, id and key epoch.
fn binding(prefix: &Prefix) -> Vec<u8> {
    let start = prefix.to_bytes();
    [&start[8..12], &start[20..44]].concat()
}
