use std::time::Instant;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let t = Instant::now();
    let reader = formats::open(path.as_ref(), &formats::ReadOptions::default());
    let mut reader = match reader {
        Ok(r) => r,
        Err(e) => {
            println!("{} {}", e.message().key(), e);
            return;
        }
    };
    println!("open {:?}", t.elapsed());
    println!(
        "{:?} {} {:?} z{} {:?} {:?}",
        reader.format(),
        reader.layer_name(),
        reader.geometry_type(),
        reader.has_z(),
        reader.crs(),
        reader.feature_count()
    );
    for p in &reader.schema().properties {
        println!("  {} {:?}", p.name, p.kind);
    }
    for n in reader.notes() {
        println!("  note {n}");
    }
    let (mut n, mut rej, mut bytes) = (0, 0, 0);
    for r in reader.by_ref() {
        match r {
            Ok(formats::Record::Feature(f)) => {
                n += 1;
                bytes += f.geometry.map_or(0, |g| g.len());
            }
            Ok(formats::Record::Rejected(r)) => {
                rej += 1;
                if rej < 5 {
                    println!("{r:?} {}", r.reason)
                }
            }
            Err(e) => {
                println!("fatal {} {}", e.message().key(), e);
                break;
            }
        }
    }
    println!(
        "{n} features {rej} rejected {bytes} wkb bytes; {}/{} total {:?}",
        reader.bytes_read(),
        reader.total_bytes(),
        t.elapsed()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!(
        "{}",
        status.lines().find(|l| l.starts_with("VmHWM")).unwrap()
    );
}
