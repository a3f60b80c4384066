//! Mails as they arrived (RFC 5322, RFC 2045 to 2047), read well enough for what a key server writes.

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The addresses of the `To` header, as they stand there.
    pub to: String,
    /// The subject, decoded.
    pub subject: String,
    /// The plain part; empty if there is none.
    pub text: String,
    /// The HTML part; empty if there is none.
    pub html: String,
    /// All of it as it came.
    pub source: String,
}

impl Mail {
    /// Reads a mail.
    #[must_use]
    pub fn parse(source: &str) -> Self {
        let source = source.replace("\r\n", "\n");
        let whole = Part::parse(&source);
        let to = whole.header("to").unwrap_or_default().to_owned();
        let subject = decode_words(whole.header("subject").unwrap_or_default());
        let (text, html) = (whole.find("text/plain"), whole.find("text/html"));
        Self { to, subject, text, html, source }
    }
}

/// Headers and what follows them.
struct Part {
    headers: Vec<(String, String)>,
    body: String,
}

impl Part {
    fn parse(source: &str) -> Self {
        let (head, body) = source.split_once("\n\n").unwrap_or((source, ""));
        // A line that begins with white space goes on with the one before.
        let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
        let headers = unfolded
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { headers, body: body.to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or("text/plain")
    }

    /// The text of the first part of a type, this one included; empty if there is none.
    fn find(&self, wanted: &str) -> String {
        if self.content_type().starts_with(wanted) {
            return self.decoded();
        }
        let texts = self.parts().into_iter().map(|part| part.find(wanted));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The parts of a multipart.
    fn parts(&self) -> Vec<Self> {
        let Some((_, rest)) = self.content_type().split_once("boundary=") else { return Vec::new() };
        let boundary = rest.split(';').next().unwrap_or_default().trim().trim_matches('"');
        let body = format!("\n{}", self.body);
        let separator = format!("\n--{boundary}");
        let pieces = body.split(&separator).skip(1);
        pieces
            .take_while(|piece| !piece.starts_with("--"))
            .map(|piece| Self::parse(piece.trim_start()))
            .collect()
    }

    fn decoded(&self) -> String {
        let bytes = match self.header("content-transfer-encoding").unwrap_or("7bit") {
            "base64" => decode_base64(&self.body),
            "quoted-printable" => decode_quoted(&self.body.replace("=\n", "")),
            _ => return self.body.clone(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The encoded words of RFC 2047 in a header.
fn decode_words(header: &str) -> String {
    // White space between two encoded words does not count.
    let header = header.replace("?= =?", "?==?");
    let mut decoded = String::new();
    let mut rest = header.as_str();
    while let Some((before, after)) = rest.split_once("=?") {
        let mut fields = after.splitn(3, '?');
        let (_charset, encoding, text) = (fields.next(), fields.next(), fields.next());
        let (word, left) = text.and_then(|text| text.split_once("?=")).expect("an encoded word ends");
        let bytes = match encoding {
            Some("B" | "b") => decode_base64(word),
            _ => decode_quoted(&word.replace('_', " ")),
        };
        decoded.push_str(before);
        decoded.push_str(&String::from_utf8_lossy(&bytes));
        rest = left;
    }
    decoded + rest
}

/// RFC 2045 section 6.7, without soft line breaks.
fn decode_quoted(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut pieces = text.split('=');
    decoded.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        decoded.push(u8::from_str_radix(&piece[..2], 16).expect("two hex digits follow"));
        decoded.extend_from_slice(&piece.as_bytes()[2..]);
    }
    decoded
}

/// RFC 4648 section 4, white space aside.
fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut decoded = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let digit = ALPHABET.iter().position(|own| *own == byte).expect("a digit of base 64");
        bits = bits << 6 | u32::try_from(digit).expect("one of 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(u8::try_from(bits >> count & 0xff).expect("eight bits"));
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "Received: by somebody\r\n\tat some time\r\nTo: alice@example.com\r\n\
        Subject: =?utf-8?b?w6R0IA==?= =?utf-8?q?=C3=B6_2?= end\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=\"abc\"\r\n\r\n--abc\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Code: =C3=A4 1=\r\n2=3D\r\n--abc\r\nContent-Type: text/html; charset=utf-8\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nPGI+w6Q8\r\nL2I+\r\n\r\n--abc--\r\n";

    #[test]
    fn both_parts_and_the_subject_are_read() {
        let mail = Mail::parse(SOURCE);
        assert_eq!(mail.to, "alice@example.com");
        assert_eq!(mail.subject, "ät ö 2 end");
        assert_eq!(mail.text, "Code: ä 12=");
        assert_eq!(mail.html, "<b>ä</b>");
    }

    #[test]
    fn a_mail_of_one_part_is_read() {
        let mail = Mail::parse("To: bob@example.com\nSubject: Hello\n\nText\n");
        assert_eq!((mail.subject.as_str(), mail.text.as_str(), mail.html.as_str()), ("Hello", "Text\n", ""));
    }
}
