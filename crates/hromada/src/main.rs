//! hromada: a municipality's spatial server in one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = spatial::crs::isolate() {
        tracing::warn!(%error, "another PROJ database may be in the way");
    }
    hromada::run(std::env::args_os())
}
