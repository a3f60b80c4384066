//! Draws the icons once, at build time: every `icons/<name>.svg` in every size that panels ask for.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use resvg::tiny_skia::{Pixmap, PremultipliedColorU8, Transform};
use resvg::usvg::{Options, Tree};

/// Edges in pixels: what panels of usual heights show, once and twice as dense.
const EDGES: [u16; 6] = [16, 22, 24, 32, 48, 64];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=icons");
    let out = env::var("OUT_DIR")?;
    let mut table = String::from("&[\n");
    let mut files: Vec<_> = fs::read_dir("icons")?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let path = file.path();
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("an icon's name is not UTF-8")?;
        let tree = Tree::from_data(&fs::read(&path)?, &Options::default())?;
        writeln!(table, "    ({name:?}, &[")?;
        for edge in EDGES {
            let file = format!("{name}-{edge}.argb");
            fs::write(Path::new(&out).join(&file), draw(&tree, edge)?)?;
            writeln!(
                table,
                "        Pixmap {{ edge: {edge}, argb: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")) }},"
            )?;
        }
        writeln!(table, "    ]),")?;
    }
    table.push(']');
    fs::write(Path::new(&out).join("icons.rs"), table)?;
    Ok(())
}

/// ARGB32 in network byte order, as StatusNotifierItem wants it; colours are not multiplied by alpha.
fn draw(tree: &Tree, edge: u16) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut pixmap = Pixmap::new(edge.into(), edge.into()).ok_or("an icon has no pixels")?;
    let size = tree.size();
    let transform = Transform::from_scale(f32::from(edge) / size.width(), f32::from(edge) / size.height());
    resvg::render(tree, transform, &mut pixmap.as_mut());
    let pixels = pixmap.pixels().iter().map(PremultipliedColorU8::demultiply);
    Ok(pixels.flat_map(|pixel| [pixel.alpha(), pixel.red(), pixel.green(), pixel.blue()]).collect())
}
