//! hromada: a municipality's spatial server in one binary.

use std::process::ExitCode;

/// A server that has taken edits for weeks reads as fast as on its first day: others leave the memory in pieces (glibc's: pages of
/// features took a tenth longer after 300,000 edits).
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if let Err(error) = spatial::crs::isolate() {
        tracing::warn!(%error, "another PROJ database may be in the way");
    }
    hromada::run(std::env::args_os())
}
