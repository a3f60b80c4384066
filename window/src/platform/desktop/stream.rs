//! Answers in pieces: wry takes whole ones only, so each piece goes into the page as a script (`answers.js`).

use std::io::{self, PipeReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::{MainThread, Request};

/// So much of a stream is read at once; a status is a few kilobytes.
const PIECE_BYTES: usize = 16 * 1024;

/// The streams of the page that is shown. Clones are the same.
#[derive(Debug, Clone)]
pub struct Streams {
    main: MainThread,
    numbers: Arc<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    next: AtomicU64,
    /// Those below it are of a page that is gone.
    first: AtomicU64,
}

impl Streams {
    /// None yet.
    pub fn new(main: MainThread) -> Self {
        Self { main, numbers: Arc::default() }
    }

    /// Hands `pieces` to the page, until they end or [`end`](Self::end) is called; the number by which the page knows them.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn begin(&self, mut pieces: PipeReader) -> io::Result<u64> {
        let number = self.numbers.next.fetch_add(1, Ordering::SeqCst);
        let streams = self.clone();
        let pass = move || {
            let mut buffer = vec![0; PIECE_BYTES];
            // What breaks off has ended.
            while let Ok(length @ 1..) = pieces.read(&mut buffer) {
                if number < streams.numbers.first.load(Ordering::SeqCst) {
                    return;
                }
                streams.give(number, Some(&buffer[..length]));
            }
            streams.give(number, None);
        };
        thread::Builder::new().name("stream".to_owned()).spawn(pass)?;
        Ok(number)
    }

    fn give(&self, number: u64, piece: Option<&[u8]>) {
        self.main.ask(Request::Evaluate(script(number, piece)));
    }

    /// Ends all: the page has gone. A thread notices it with the next piece.
    pub fn end(&self) {
        self.numbers.first.store(self.numbers.next.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

fn script(number: u64, piece: Option<&[u8]>) -> String {
    let text = piece.map(|bytes| bytes.iter().copied().map(char::from).collect::<String>());
    format!("ensaferPiece({number}, {})", serde_json::json!(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_a_string_with_a_character_for_each_byte() {
        assert_eq!(script(3, Some(b"a\"\n\xc3\xa4")), "ensaferPiece(3, \"a\\\"\\n\u{c3}\u{a4}\")");
        assert_eq!(script(3, None), "ensaferPiece(3, null)");
    }
}
