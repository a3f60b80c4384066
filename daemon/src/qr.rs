//! QR codes (ISO/IEC 18004) in a terminal and as SVG.

use anyhow::Result;
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, QrCode};

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

/// Modules of light around a code (ISO/IEC 18004, "Quiet zone").
const QUIET_ZONE: usize = 4;

/// A QR code of `text` for an SVG: width and height in modules, with the quiet zone, and the dark modules as the `d` of a
/// `path`, one stroke of squares for each run of a row.
///
/// # Errors
/// The text is too long for any QR code.
pub fn svg(text: &str) -> Result<(u64, String)> {
    let code = QrCode::new(text)?;
    let (width, colors) = (code.width(), code.to_colors());
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run[0] == Color::Dark {
                let (left, top, length) = (x + QUIET_ZONE, y + QUIET_ZONE, run.len());
                path += &format!("M{left} {top}h{length}v1h-{length}z");
            }
            x += run.len();
        }
    }
    Ok(((width + 2 * QUIET_ZONE) as u64, path))
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn the_path_is_dark_where_the_code_is() {
        let code = QrCode::new(NUMBER).unwrap();
        let (width, colors) = (code.width(), code.to_colors());
        let (size, path) = svg(NUMBER).unwrap();
        assert_eq!(size, 33);
        let mut drawn = vec![false; width * width];
        for run in path.split_terminator('z') {
            let numbers: Vec<usize> = run
                .split(|c: char| !c.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(|part| part.parse().unwrap())
                .collect();
            let [left, top, length, 1, back] = numbers[..] else { panic!("{run}") };
            assert_eq!(length, back);
            let start = (top - 4) * width + left - 4;
            drawn[start..start + length].iter_mut().for_each(|module| *module = true);
        }
        let expected: Vec<bool> = colors.iter().map(|color| *color == Color::Dark).collect();
        assert_eq!(drawn, expected);
    }
}
