//! Errors as people read them.

use std::error::Error;

/// An error and its causes as a sentence.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::home::HomeError;

    #[test]
    fn causes_follow_what_they_caused() {
        let source = io::Error::other("no room");
        let error = HomeError::Io { path: "/x".into(), source };
        assert_eq!(chain(&error), "Cannot use /x: no room");
    }
}
