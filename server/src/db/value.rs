//! Values as the database keeps them: bytes as lower-case hex, numbers as 64 bits with a sign.

/// A value in the database is not what the server writes there.
#[derive(Debug, thiserror::Error)]
#[error("a value in the database is damaged")]
pub struct BadValue;

impl From<BadValue> for sqlx::Error {
    fn from(error: BadValue) -> Self {
        Self::Decode(Box::new(error))
    }
}

/// Reads `N` bytes.
///
/// # Errors
/// [`BadValue`]
pub fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], BadValue> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| BadValue)?;
    Ok(bytes)
}

/// A number for the database, at most `i64::MAX`.
#[must_use]
pub fn to_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from the database.
///
/// # Errors
/// [`BadValue`] if it is negative or too large.
pub fn from_int<T: TryFrom<i64>>(number: i64) -> Result<T, BadValue> {
    T::try_from(number).map_err(|_| BadValue)
}
