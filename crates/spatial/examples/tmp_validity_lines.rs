use geo_types::*;
use std::io::*;
fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).unwrap();
    let mode = std::env::args().nth(1).unwrap_or_default();
    let gs: Vec<Geometry<f64>> = text.lines().map(|line| {
        let polys: Vec<Polygon<f64>> = line.split('|').map(|p| {
            let mut rings = p.split(';').map(|r| {
                let n: Vec<f64> = r.split_whitespace().map(|x| x.parse().unwrap()).collect();
                LineString(n.chunks(2).map(|c| Coord { x: c[0], y: c[1] }).collect())
            });
            let ext = rings.next().unwrap();
            Polygon::new(ext, rings.collect())
        }).collect();
        if polys.len() == 1 { Geometry::Polygon(polys.into_iter().next().unwrap()) } else { Geometry::MultiPolygon(MultiPolygon(polys)) }
    }).collect();
    let t = std::time::Instant::now();
    let d: Vec<_> = gs.iter().map(spatial::validity::check).collect();
    eprintln!("{} in {:?}", gs.len(), t.elapsed());
    let mut out = String::new();
    use std::fmt::Write as _;
    for (g, d) in gs.iter().zip(&d) {
        let k = d.first().map_or("valid", |d| d.kind.name());
        if mode == "repair" {
            use geo::Area;
            let a = spatial::validity::repair(g).map_or(-1.0, |g| g.unsigned_area());
            writeln!(out, "{k} {a:?}").unwrap();
        } else {
            writeln!(out, "{k} {:?}", d.first().map(|d| d.location)).unwrap();
        }
    }
    stdout().write_all(out.as_bytes()).unwrap();
}
