//! QR codes (ISO/IEC 18004) in a terminal.

use anyhow::Result;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// Black on white whatever colours a terminal has: numbers 16 and 231 of the 256, which no theme changes. This is no
/// decoration, so `NO_COLOR` does not hold for it.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const RESET: &str = "\u{1b}[0m";

/// Draws a QR code of `text`, two modules to a character, with its quiet zone of four modules around it. Without
/// `coloured` its dark modules have the colour of the text.
///
/// # Errors
/// The text is too long for any QR code.
pub fn draw(text: &str, coloured: bool) -> Result<String> {
    let drawn = QrCode::new(text)?.render::<Dense1x2>().quiet_zone(true).build();
    if !coloured {
        return Ok(drawn);
    }
    let lines: Vec<_> = drawn.lines().map(|line| format!("{BLACK_ON_WHITE}{line}{RESET}")).collect();
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use qrcode::Color;

    use super::*;

    const NUMBER: &str = "012345678901234567890123456789012345678901234567890123456789";

    /// The modules of a drawing, true for dark, row by row.
    fn modules(drawn: &str) -> Vec<Vec<bool>> {
        let halves = |c: char| match c {
            ' ' => [false, false],
            '▀' => [true, false],
            '▄' => [false, true],
            '█' => [true, true],
            other => panic!("{other:?}"),
        };
        let row = |line: &str, half: usize| line.chars().map(|c| halves(c)[half]).collect();
        drawn.lines().flat_map(|line| [row(line, 0), row(line, 1)]).collect()
    }

    #[test]
    fn every_module_is_where_it_belongs_with_a_quiet_zone_around() {
        let code = QrCode::new(NUMBER).unwrap();
        let (width, colors) = (code.width(), code.to_colors());
        // 60 digits fit into version 2 at level M.
        assert_eq!(width, 25);
        let drawn = modules(&draw(NUMBER, false).unwrap());
        assert!(drawn.len() >= width + 8 && drawn.iter().all(|row| row.len() == width + 8));
        for (y, row) in drawn.iter().enumerate() {
            for (x, &dark) in row.iter().enumerate() {
                let inside = (4..4 + width).contains(&x) && (4..4 + width).contains(&y);
                let expected = inside && colors[(y - 4) * width + x - 4] == Color::Dark;
                assert_eq!(dark, expected, "{x} {y}");
            }
        }
    }

    #[test]
    fn colours_frame_each_line() {
        let (plain, coloured) = (draw(NUMBER, false).unwrap(), draw(NUMBER, true).unwrap());
        assert!(coloured.lines().all(|line| line.starts_with(BLACK_ON_WHITE) && line.ends_with(RESET)));
        assert_eq!(coloured.replace(BLACK_ON_WHITE, "").replace(RESET, ""), plain);
    }
}
