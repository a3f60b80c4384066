//! The icons: one for each status, told apart by their shapes, drawn at build time from `icons/*.svg`.

use ensafer_core::status::State;

use crate::scene::{Link, Scene};

/// A square picture of an icon.
#[derive(Debug, Clone, Copy)]
pub struct Pixmap {
    /// Pixels on a side.
    pub edge: u16,
    /// `edge` rows of `edge` pixels of four bytes: alpha, red, green, blue; colours not multiplied by alpha.
    pub argb: &'static [u8],
}

impl Pixmap {
    /// The same bytes as red, green, blue, alpha.
    #[must_use]
    pub fn rgba(&self) -> Vec<u8> {
        let pixels = self.argb.chunks_exact(4);
        pixels.flat_map(|argb| [argb[1], argb[2], argb[3], argb[0]]).collect()
    }
}

static ALL: &[(&str, &[Pixmap])] = include!(concat!(env!("OUT_DIR"), "/icons.rs"));

/// The pictures of the icon called `name`, the smallest first; none where there is no such icon.
#[must_use]
pub fn pixmaps(name: &str) -> &'static [Pixmap] {
    ALL.iter().find(|(other, _)| *other == name).map_or(&[], |(_, pixmaps)| pixmaps)
}

/// The name of the icon that shows `scene`: the token of the status, or `not-running`.
#[must_use]
pub const fn name(scene: &Scene) -> &'static str {
    match scene.link() {
        Link::Live(live) => live.status.state.token(),
        Link::Starting => State::Checking.token(),
        Link::Ending | Link::NotRunning => "not-running",
        Link::AnotherUsers | Link::Unreachable(_) | Link::Foreign(_) => State::Attention.token(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names() -> impl Iterator<Item = &'static str> {
        State::ALL.into_iter().map(State::token).chain(["not-running"])
    }

    #[test]
    fn every_status_has_an_icon_of_its_own_in_every_size() {
        let mut shapes = HashSet::new();
        for name in names() {
            let pixmaps = pixmaps(name);
            assert_eq!(
                pixmaps.iter().map(|p| p.edge).collect::<Vec<_>>(),
                [16, 22, 24, 32, 48, 64],
                "{name}"
            );
            for pixmap in pixmaps {
                assert_eq!(pixmap.argb.len(), usize::from(pixmap.edge).pow(2) * 4, "{name}");
            }
            assert!(shapes.insert(shape(&pixmaps[1])), "{name} has the shape of another");
        }
        assert_eq!(ALL.len(), shapes.len(), "an icon that nothing shows");
    }

    /// Shapes differ in a tenth of their pixels at least, however somebody sees colours.
    #[test]
    fn icons_are_told_apart_without_colours() {
        let all: Vec<_> = names().map(|name| (name, shape(&pixmaps(name)[1]))).collect();
        for (index, (name, one)) in all.iter().enumerate() {
            for (other, two) in &all[..index] {
                let different = one.iter().zip(two).filter(|(a, b)| a != b).count();
                assert!(different * 10 > 22 * 22, "{name} and {other} differ in {different} pixels");
            }
        }
    }

    #[test]
    fn alpha_comes_last_where_it_should() {
        let pixmap = Pixmap { edge: 2, argb: &[1, 2, 3, 4, 5, 6, 7, 8] };
        assert_eq!(pixmap.rgba(), [2, 3, 4, 1, 6, 7, 8, 5]);
    }

    /// Which pixels are coloured, rather than empty or white.
    fn shape(pixmap: &Pixmap) -> Vec<bool> {
        pixmap.argb.chunks_exact(4).map(|argb| argb[0] > 127 && luminance(argb) < 0.6).collect()
    }

    /// WCAG 2.2, 1.4.11: graphics have a contrast of 3 to 1 with what is beside them.
    #[test]
    fn icons_show_on_light_and_dark_panels() {
        let (light, dark) = (1.0, luminance(&[255, 0x22, 0x22, 0x22]));
        for name in names() {
            let pixmap = &pixmaps(name)[5];
            let solid: Vec<_> = pixmap.argb.chunks_exact(4).filter(|argb| argb[0] == 255).collect();
            let coloured = solid.iter().map(|argb| luminance(argb)).filter(|l| *l < 0.6).collect::<Vec<_>>();
            assert!(coloured.len() > 300, "{name} is hardly there: {} pixels", coloured.len());
            let seen = coloured.iter().filter(|l| contrast(**l, light) >= 3.0 && contrast(**l, dark) >= 3.0);
            assert!(seen.count() * 10 >= coloured.len() * 8, "{name} is hard to see");
        }
    }

    /// Relative luminance (WCAG 2.2) of a pixel.
    fn luminance(argb: &[u8]) -> f64 {
        let part = |byte: u8| {
            let value = f64::from(byte) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(argb[1]) + 0.7152 * part(argb[2]) + 0.0722 * part(argb[3])
    }

    fn contrast(one: f64, other: f64) -> f64 {
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }
}
