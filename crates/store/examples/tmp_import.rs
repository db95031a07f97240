use store::*;
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = std::time::Instant::now();
    let s = Store::open(std::path::Path::new(&a[1]), Access::Write)
        .await
        .unwrap();
    if a.len() > 2 {
        let job = ImportJob {
            file: a[2].clone().into(),
            layer: a.get(3).cloned(),
            collection: model::CollectionId::new("parcels").unwrap(),
            mode: ImportMode::Create,
            crs: None,
            id_property: None,
            repair: false,
            strict: false,
            read: Default::default(),
            settings: Default::default(),
            actor: "t".into(),
        };
        let r = s.import(&job, &mut |_| {}).await.unwrap();
        println!("{} read {} stored {:?}", r.read, r.stored, t.elapsed());
    }
    let t = std::time::Instant::now();
    s.load().await.unwrap();
    println!(
        "load {:?} mem {}",
        t.elapsed(),
        s.live()
            .collections
            .values()
            .map(|c| c.index.memory_bytes())
            .sum::<usize>()
    );
    s.close().await;
}
