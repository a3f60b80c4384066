//! What the server refuses to keep. It cannot open what is sealed, but it knows each thing's size, form and place.

use ensafer_core::account::{MAX_RECORD_BYTES, SignedBundle};
use ensafer_core::api::server::{
    BundleDocument, GroupRequest, MAX_GROUP_ADMINS, MAX_NAME_BYTES, MAX_STATE_BYTES, PasswordSealDocument,
    ProblemKind, RecoverySealDocument, SealedKeysDocument, StateDocument,
};
use ensafer_core::crypto::{Login, MAX_ITERATIONS, MIN_ITERATIONS, SEALED_KEY_BYTES, cobblestone};
use ensafer_core::format::Prefix;
use ensafer_core::format::roster::MAX_GROUP_OBJECT_LEN;
use ensafer_core::ids::GroupId;

use crate::error::ApiError;
use crate::state::AppState;

/// Largest sealed private keys, in bytes. Three pairs have about 4 KiB.
pub const MAX_SEALED_KEYS_BYTES: usize = 16 * 1024;
/// Largest sealed recovery key, in bytes.
pub const MAX_RECOVERY_COPY_BYTES: usize = 256;
/// Longest realm, in bytes.
const MAX_REALM_BYTES: usize = 255;

fn refused(detail: &str) -> ApiError {
    ApiError::with_detail(ProblemKind::BlobRefused, detail)
}

/// Reads a login in any spelling.
///
/// # Errors
/// [`ProblemKind::LoginMalformed`]
pub fn login(text: &str) -> Result<Login, ApiError> {
    text.parse::<Login>()
        .map_err(|error| ApiError::with_detail(ProblemKind::LoginMalformed, error.to_string()))
}

/// Refuses a login that no mail can be sent to.
///
/// # Errors
/// [`ProblemKind::LoginMalformed`]
pub fn mail_address(login: &Login) -> Result<(), ApiError> {
    // As strict as what composes the mail.
    if login.as_str().parse::<lettre::Address>().is_ok() {
        return Ok(());
    }
    Err(ApiError::with_detail(ProblemKind::LoginMalformed, "this server confirms e-mail addresses: give one"))
}

/// Whether a login is an e-mail address of plain characters, which can be named to others.
#[must_use]
pub fn is_plain_address(login: &Login) -> bool {
    mail_address(login).is_ok() && !login.as_str().contains(is_unprintable)
}

/// Checks an invitation's sealed record.
///
/// # Errors
/// [`ProblemKind::BlobRefused`]
pub fn invitation_record(sealed: &[u8]) -> Result<(), ApiError> {
    let is_record = sealed.len() <= MAX_RECORD_BYTES && is_sealed(sealed);
    if is_record { Ok(()) } else { Err(refused("this is no sealed record of an invitation")) }
}

/// Checks a group's version and file: that it is one of this group, as far as that can be seen from outside.
///
/// # Errors
/// [`ProblemKind::BlobRefused`], [`ProblemKind::ValueRefused`]
pub fn group(id: GroupId, request: &GroupRequest) -> Result<(), ApiError> {
    let object = &request.object.0;
    let prefix = Prefix::parse(object).ok().filter(|_| object.len() <= MAX_GROUP_OBJECT_LEN);
    if !prefix.is_some_and(|prefix| prefix.roster && prefix.file_id == id.as_folder().root()) {
        return Err(refused("this is no file of the group"));
    }
    let out_of_bounds = |detail| Err(ApiError::with_detail(ProblemKind::ValueRefused, detail));
    if request.admins.len() > MAX_GROUP_ADMINS {
        return out_of_bounds("a group has at most 64 admins");
    }
    if request.version == 0 || i64::try_from(request.version).is_err() {
        return out_of_bounds("versions count from 1");
    }
    if (request.version == 1) != request.nonce.is_some() {
        return out_of_bounds("a new group comes with its nonce, and no other");
    }
    Ok(())
}

/// Takes the name of a person or device.
///
/// # Errors
/// [`ProblemKind::ValueRefused`]
pub fn name(text: &str) -> Result<(), ApiError> {
    let fine = !text.trim().is_empty() && text.len() <= MAX_NAME_BYTES && !text.contains(is_unprintable);
    let detail = "a name has 1 to 128 bytes, one line, and no control characters";
    if fine { Ok(()) } else { Err(ApiError::with_detail(ProblemKind::ValueRefused, detail)) }
}

/// Controls, separators of lines and paragraphs, and what turns the direction of the text around it (UAX #9): in mails and
/// lists, others would read what is not there.
fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Verifies a bundle's signature.
///
/// # Errors
/// [`ProblemKind::BlobRefused`]
pub fn bundle(document: &BundleDocument) -> Result<SignedBundle, ApiError> {
    let bundle = SignedBundle::try_from(document).map_err(|error| refused(&error.to_string()))?;
    if bundle.bundle().sequence == 0 || i64::try_from(bundle.bundle().sequence).is_err() {
        return Err(refused("the bundle's sequence is out of bounds"));
    }
    Ok(bundle)
}

/// Checks the sealed private keys' form.
///
/// # Errors
/// [`ProblemKind::BlobRefused`]
pub fn keys(document: &SealedKeysDocument) -> Result<(), ApiError> {
    let sealed = &document.sealed.0;
    if document.version > 0 && sealed.len() <= MAX_SEALED_KEYS_BYTES && is_sealed(sealed) {
        return Ok(());
    }
    Err(refused("these are no sealed private keys"))
}

/// Checks a password's seal.
///
/// # Errors
/// [`ProblemKind::IterationsRefused`], [`ProblemKind::BlobRefused`]
pub fn password(state: &AppState, document: &PasswordSealDocument) -> Result<(), ApiError> {
    if !(MIN_ITERATIONS..=MAX_ITERATIONS).contains(&document.iterations) {
        let detail = format!("from {MIN_ITERATIONS} to {MAX_ITERATIONS}");
        return Err(ApiError::with_detail(ProblemKind::IterationsRefused, detail));
    }
    realm(state.config.public_url.as_deref(), &document.realm)?;
    if document.version > 0 && document.sealed.0.len() == SEALED_KEY_BYTES {
        return Ok(());
    }
    Err(refused("this is no password's seal"))
}

/// Checks the seals of a recovery key.
///
/// # Errors
/// [`ProblemKind::BlobRefused`]
pub fn recovery(document: &RecoverySealDocument) -> Result<(), ApiError> {
    let copy = &document.copy.0;
    let is_seal = document.sealed.0.len() == SEALED_KEY_BYTES;
    if is_seal && copy.len() <= MAX_RECOVERY_COPY_BYTES && is_sealed(copy) {
        return Ok(());
    }
    Err(refused("these are no recovery key's seals"))
}

/// Checks an account's state.
///
/// # Errors
/// [`ProblemKind::ValueRefused`] if it is too large, [`ProblemKind::BlobRefused`] if it can be none or no version can
/// come after it.
pub fn state(document: &StateDocument) -> Result<(), ApiError> {
    let sealed = &document.sealed.0;
    if sealed.len() > MAX_STATE_BYTES {
        let detail = "an account's state has at most 1 MiB";
        return Err(ApiError::with_detail(ProblemKind::ValueRefused, detail));
    }
    // One and the largest that the database counts to: the next version must have room, too.
    let has_version = document.version > 0 && document.version < i64::MAX.unsigned_abs();
    if has_version && is_sealed(sealed) { Ok(()) } else { Err(refused("this is no sealed state")) }
}

/// Whether a sealed message can have this length.
fn is_sealed(bytes: &[u8]) -> bool {
    cobblestone::plain_len(bytes.len() as u64).is_some()
}

/// The realm is an origin in its one spelling (RFC 6454 section 6.2), and the server's own where it knows that.
fn realm(public_url: Option<&str>, realm: &str) -> Result<(), ApiError> {
    match public_url {
        Some(own) if own != realm => Err(refused("the keys were derived for another server's address")),
        _ if is_canonical_origin(realm) => Ok(()),
        _ => Err(refused("the realm is no origin, like https://keys.example.com")),
    }
}

/// Whether it is an origin in the one spelling that clients derive keys for (RFC 6454 section 6.2), of 255 bytes at most.
#[must_use]
pub fn is_canonical_origin(text: &str) -> bool {
    if text.len() > MAX_REALM_BYTES {
        return false;
    }
    let Ok(url) = url::Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_an_origin_in_its_one_spelling() {
        for fine in ["https://keys.example.com", "http://127.0.0.1:8080", "https://[::1]:8443", "https://k"] {
            assert!(realm(None, fine).is_ok(), "{fine}");
        }
        let long = format!("https://{}", "a.".repeat(130));
        for wrong in [
            "",
            "local",
            "keys.example.com",
            "https://keys.example.com/",
            "https://Keys.example.com",
            "https://keys.example.com:443",
            "https://user@keys.example.com",
            "ftp://keys.example.com",
            "https://bücher.example",
            "https://keys.example.com#",
            &long,
        ] {
            assert!(realm(None, wrong).is_err(), "{wrong}");
        }
        assert!(realm(Some("https://a.example"), "https://a.example").is_ok());
        assert!(realm(Some("https://a.example"), "https://b.example").is_err());
    }

    #[test]
    fn names_are_short_and_plain() {
        assert!(name("Zoë's laptop").is_ok() && name(&"a".repeat(128)).is_ok());
        for wrong in ["", "  ", "a\nb", "a\0", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", &"a".repeat(129)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
