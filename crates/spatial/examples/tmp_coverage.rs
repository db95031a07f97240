use geo_types::*;
use std::io::*;
fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).unwrap();
    let gs: Vec<(i64, Geometry<f64>)> = text.lines().enumerate().map(|(i, line)| {
        let polys: Vec<Polygon<f64>> = line.split('|').filter(|p| !p.is_empty()).map(|p| {
            let mut rings = p.split(';').map(|r| {
                let n: Vec<f64> = r.split_whitespace().map(|x| x.parse().unwrap()).collect();
                LineString(n.chunks(2).map(|c| Coord { x: c[0], y: c[1] }).collect())
            });
            let ext = rings.next().unwrap();
            Polygon::new(ext, rings.collect())
        }).collect();
        (i as i64, Geometry::MultiPolygon(MultiPolygon(polys)))
    }).collect();
    let t = std::time::Instant::now();
    let c = spatial::validity::coverage(gs, &Default::default());
    eprintln!("{:?} skipped {}", t.elapsed(), c.skipped);
    for d in c.defects { println!("{:?} {:?} {} {} {}", d.kind, d.fids, d.location[0], d.location[1], d.area); }
}
