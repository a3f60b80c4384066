//! One key, one use (row 5 of the threat model): what the types refuse. The examples of a pair differ in one word; the
//! first compiles, so that the second fails for that word alone.
//!
//! The error codes are compared by nightly toolchains only.
//!
//! A key for logging in does not unwrap file keys (row 4), only an envelope key does.
//!
//! ```
//! use ensafer_core::crypto::{FileKey, OpenError, EnvelopePrivateKey};
//! use ensafer_core::ids::FileId;
//!
//! fn open(key: &EnvelopePrivateKey, file: FileId, wrapped: &[u8]) -> Result<FileKey, OpenError> {
//!     key.unwrap_file_key(file, 1, wrapped)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{FileKey, OpenError, LoginPrivateKey};
//! use ensafer_core::ids::FileId;
//!
//! fn open(key: &LoginPrivateKey, file: FileId, wrapped: &[u8]) -> Result<FileKey, OpenError> {
//!     key.unwrap_file_key(file, 1, wrapped)
//! }
//! ```
//!
//! Nor does an envelope key answer challenges.
//!
//! ```
//! use ensafer_core::crypto::{ChallengeBinding, LoginSessionKey, OpenError, LoginPrivateKey};
//!
//! fn open(key: &LoginPrivateKey, binding: &ChallengeBinding<'_>, sealed: &[u8]) -> Result<LoginSessionKey, OpenError> {
//!     key.open_challenge(binding, sealed)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{ChallengeBinding, LoginSessionKey, OpenError, EnvelopePrivateKey};
//!
//! fn open(key: &EnvelopePrivateKey, binding: &ChallengeBinding<'_>, sealed: &[u8]) -> Result<LoginSessionKey, OpenError> {
//!     key.open_challenge(binding, sealed)
//! }
//! ```
//!
//! Challenges are sealed to login keys,
//!
//! ```
//! use ensafer_core::crypto::{ChallengeBinding, LoginSessionKey, LoginPublicKey};
//!
//! fn seal(key: &LoginPublicKey, binding: &ChallengeBinding<'_>, session: &LoginSessionKey) -> [u8; 384] {
//!     key.seal_challenge(binding, session)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{ChallengeBinding, LoginSessionKey, EnvelopePublicKey};
//!
//! fn seal(key: &EnvelopePublicKey, binding: &ChallengeBinding<'_>, session: &LoginSessionKey) -> [u8; 384] {
//!     key.seal_challenge(binding, session)
//! }
//! ```
//!
//! and file keys to envelope keys.
//!
//! ```
//! use ensafer_core::crypto::{FileKey, EnvelopePublicKey};
//! use ensafer_core::ids::FileId;
//!
//! fn wrap(to: &EnvelopePublicKey, file: FileId, key: &FileKey) -> [u8; 384] {
//!     to.wrap_file_key(file, 1, key)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{FileKey, LoginPublicKey};
//! use ensafer_core::ids::FileId;
//!
//! fn wrap(to: &LoginPublicKey, file: FileId, key: &FileKey) -> [u8; 384] {
//!     to.wrap_file_key(file, 1, key)
//! }
//! ```
//!
//! What wraps file keys wraps nothing else.
//!
//! ```
//! use ensafer_core::crypto::{EnvelopePublicKey, FileKey};
//! use ensafer_core::ids::FileId;
//!
//! fn wrap(to: &EnvelopePublicKey, file: FileId, key: &FileKey) -> [u8; 384] {
//!     to.wrap_file_key(file, 1, key)
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use ensafer_core::crypto::{EnvelopePublicKey, FolderKey};
//! use ensafer_core::ids::FileId;
//!
//! fn wrap(to: &EnvelopePublicKey, file: FileId, key: &FolderKey) -> [u8; 384] {
//!     to.wrap_file_key(file, 1, key)
//! }
//! ```
//!
//! A group's key seals no file: only a folder's does.
//!
//! ```
//! use ensafer_core::crypto::{FileKey, FolderKey, FolderKeyName, SEALED_KEY_BYTES, SystemRandom};
//! use ensafer_core::ids::FileId;
//!
//! fn seal(by: &FolderKey, name: &FolderKeyName, file: FileId, key: &FileKey) -> [u8; SEALED_KEY_BYTES] {
//!     by.seal_file_key(name, file, 1, key, &mut SystemRandom)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{FileKey, GroupKey, FolderKeyName, SEALED_KEY_BYTES, SystemRandom};
//! use ensafer_core::ids::FileId;
//!
//! fn seal(by: &GroupKey, name: &FolderKeyName, file: FileId, key: &FileKey) -> [u8; SEALED_KEY_BYTES] {
//!     by.seal_file_key(name, file, 1, key, &mut SystemRandom)
//! }
//! ```
//!
//! A password's key does not stand in for a folder's.
//!
//! ```
//! use ensafer_core::crypto::{self as keys, FileKey, FolderKeyName, SEALED_KEY_BYTES, SystemRandom};
//! use ensafer_core::ids::FileId;
//!
//! fn seal(by: &keys::FolderKey, name: &FolderKeyName, file: FileId, key: &FileKey) -> [u8; SEALED_KEY_BYTES] {
//!     keys::FolderKey::seal_file_key(by, name, file, 1, key, &mut SystemRandom)
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use ensafer_core::crypto::{self as keys, FileKey, FolderKeyName, SEALED_KEY_BYTES, SystemRandom};
//! use ensafer_core::ids::FileId;
//!
//! fn seal(by: &keys::PasswordKek, name: &FolderKeyName, file: FileId, key: &FileKey) -> [u8; SEALED_KEY_BYTES] {
//!     keys::FolderKey::seal_file_key(by, name, file, 1, key, &mut SystemRandom)
//! }
//! ```
//!
//! A payload's key authenticates no header.
//!
//! ```
//! use ensafer_core::crypto::{FileSubkeys, HeaderKey};
//!
//! fn authenticate(keys: &FileSubkeys) -> [u8; 32] {
//!     HeaderKey::mac(&keys.header, &[b"header"])
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use ensafer_core::crypto::{FileSubkeys, HeaderKey};
//!
//! fn authenticate(keys: &FileSubkeys) -> [u8; 32] {
//!     HeaderKey::mac(&keys.payload, &[b"header"])
//! }
//! ```
//!
//! A header's key seals nothing.
//!
//! ```
//! use ensafer_core::crypto::{FileSubkeys, SystemRandom, cobblestone};
//!
//! fn seal(keys: &FileSubkeys) -> Vec<u8> {
//!     cobblestone::seal(&keys.info, &mut SystemRandom, b"context", b"plaintext")
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use ensafer_core::crypto::{FileSubkeys, SystemRandom, cobblestone};
//!
//! fn seal(keys: &FileSubkeys) -> Vec<u8> {
//!     cobblestone::seal(&keys.header, &mut SystemRandom, b"context", b"plaintext")
//! }
//! ```
//!
//! What the server sees of a password seals nothing,
//!
//! ```
//! use ensafer_core::crypto::{AccountMasterKey, PasswordKeys, SEALED_KEY_BYTES, SystemRandom, seal_key};
//!
//! fn seal(keys: &PasswordKeys, master: &AccountMasterKey) -> [u8; SEALED_KEY_BYTES] {
//!     seal_key(&keys.kek, master, b"context", &mut SystemRandom)
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use ensafer_core::crypto::{AccountMasterKey, PasswordKeys, SEALED_KEY_BYTES, SystemRandom, seal_key};
//!
//! fn seal(keys: &PasswordKeys, master: &AccountMasterKey) -> [u8; SEALED_KEY_BYTES] {
//!     seal_key(&keys.auth, master, b"context", &mut SystemRandom)
//! }
//! ```
//!
//! and what seals is never shown to a server.
//!
//! ```
//! use ensafer_core::crypto::PasswordKeys;
//!
//! fn show(keys: &PasswordKeys) -> &[u8; 32] {
//!     keys.auth.expose()
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::PasswordKeys;
//!
//! fn show(keys: &PasswordKeys) -> &[u8; 32] {
//!     keys.kek.expose()
//! }
//! ```
//!
//! So it is with a recovery key.
//!
//! ```
//! use ensafer_core::crypto::RecoveryKey;
//!
//! fn show(key: &RecoveryKey) -> [u8; 32] {
//!     *key.derive_auth().expose()
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::RecoveryKey;
//!
//! fn show(key: &RecoveryKey) -> [u8; 32] {
//!     *key.derive_kek().expose()
//! }
//! ```
//!
//! An invitation's claim is shown to the server, the key that reads never,
//!
//! ```
//! use ensafer_core::crypto::InvitationKeys;
//!
//! fn show(keys: &InvitationKeys) -> &[u8; 32] {
//!     keys.claim.expose()
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::InvitationKeys;
//!
//! fn show(keys: &InvitationKeys) -> &[u8; 32] {
//!     keys.reading.expose()
//! }
//! ```
//!
//! and the claim does not prove an acceptance to the inviter,
//!
//! ```
//! use ensafer_core::crypto::{AcceptanceBinding, InvitationKeys};
//!
//! fn prove(keys: &InvitationKeys, binding: &AcceptanceBinding) -> [u8; 32] {
//!     keys.acceptance.prove(binding)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{AcceptanceBinding, InvitationKeys};
//!
//! fn prove(keys: &InvitationKeys, binding: &AcceptanceBinding) -> [u8; 32] {
//!     keys.claim.prove(binding)
//! }
//! ```
//!
//! nor does the record's key open a folder's.
//!
//! ```
//! use ensafer_core::crypto::{FolderKey, FolderKeyName, InvitationKeys, OpenError};
//!
//! fn open(keys: &InvitationKeys, name: &FolderKeyName, sealed: &[u8]) -> Result<FolderKey, OpenError> {
//!     keys.reading.open_folder_key(name, sealed)
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use ensafer_core::crypto::{FolderKey, FolderKeyName, InvitationKeys, OpenError};
//!
//! fn open(keys: &InvitationKeys, name: &FolderKeyName, sealed: &[u8]) -> Result<FolderKey, OpenError> {
//!     keys.record.open_folder_key(name, sealed)
//! }
//! ```
//!
//! What a challenge held goes into a proof, and does not come out.
//!
//! ```
//! use ensafer_core::crypto::LoginSessionKey;
//!
//! fn answer(key: &LoginSessionKey) -> [u8; 32] {
//!     key.prove(&[1; 32])
//! }
//! ```
//!
//! ```compile_fail,E0624
//! use ensafer_core::crypto::LoginSessionKey;
//!
//! fn answer(key: &LoginSessionKey) -> [u8; 32] {
//!     *key.bytes()
//! }
//! ```
//!
//! An opened key is of the kind that was asked for.
//!
//! ```
//! use ensafer_core::crypto::{DeviceKey, OpenError, AccountMasterKey, open_key, purpose};
//!
//! fn open(device: &DeviceKey, sealed: &[u8]) -> Result<AccountMasterKey, OpenError> {
//!     open_key::<_, purpose::AccountMaster>(device, b"context", sealed)
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use ensafer_core::crypto::{DeviceKey, OpenError, FolderKey, open_key, purpose};
//!
//! fn open(device: &DeviceKey, sealed: &[u8]) -> Result<FolderKey, OpenError> {
//!     open_key::<_, purpose::AccountMaster>(device, b"context", sealed)
//! }
//! ```
//!
//! Nobody outside adds a purpose that seals.
//!
//! ```
//! use ensafer_core::crypto::{Key, SystemRandom, cobblestone, purpose};
//!
//! enum Mine {}
//!
//! fn seal(mine: &Key<Mine>, device: &Key<purpose::Device>) -> Vec<u8> {
//!     cobblestone::seal(device, &mut SystemRandom, b"context", b"plaintext")
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use ensafer_core::crypto::{Key, SystemRandom, cobblestone, purpose};
//!
//! enum Mine {}
//! impl purpose::Seals for Mine {}
//!
//! fn seal(mine: &Key<Mine>, device: &Key<purpose::Device>) -> Vec<u8> {
//!     cobblestone::seal(device, &mut SystemRandom, b"context", b"plaintext")
//! }
//! ```
