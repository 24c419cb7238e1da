//! Replays the fuzz targets' corpus.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "a corpus of {target}");
    for file in files {
        let script = std::fs::read(&file).unwrap();
        if std::panic::catch_unwind(|| run(&script)).is_err() {
            panic!("{} fails", file.display());
        }
    }
}

#[test]
fn frame() {
    replay("frame", unet_core::testing::hostile);
}

#[test]
fn tcp_flow() {
    replay("tcp_flow", unet_core::testing::model);
}
