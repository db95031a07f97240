//! Keeping other programs' PROJ data out.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use proj::ProjBuilder;

/// Makes sure that PROJ uses the database inside this program. To be called first in `main`.
///
/// PROJ prefers a `proj.db` that it finds in `PROJ_DATA`, in the user's data folder, or in `../share/proj` beside the
/// program (the distribution's, for a program in `/usr/bin`) to the one compiled in; such a one is mostly
/// of another release, and PROJ then refuses every CRS. The places can only be set in the environment, which a running
/// program can't change safely, so where such a file lies in the way the program starts itself again in
/// the same process (`execve`) with `PROJ_DATA` pointing nowhere. Otherwise it does nothing.
///
/// # Errors
/// When the program can't be started again.
pub fn isolate() -> io::Result<()> {
    if !in_the_way() {
        return Ok(());
    }
    let mut arguments = env::args_os();
    let mut again = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    again.args(arguments).env_remove("PROJ_LIB");
    for (name, value) in VARIABLES {
        again.env(name, value);
    }
    Err(again.exec())
}

/// Nothing can lie in a folder of this name, so that the compiled-in database is what is left.
const VARIABLES: [(&str, &str); 2] = [
    ("PROJ_DATA", "/dev/null"),
    ("PROJ_SKIP_READ_USER_WRITABLE_DIRECTORY", "YES"),
];

fn in_the_way() -> bool {
    let searched = ProjBuilder::new()
        .lib_info()
        .map(|info| info.searchpath)
        .unwrap_or_default();
    let set = VARIABLES
        .iter()
        .all(|(name, value)| env::var_os(name).is_some_and(|v| v == *value));
    // Once set, never again: a file that still lies in the way would start the program for ever.
    !set && searched
        .split(':')
        .any(|folder| Path::new(folder).join("proj.db").exists())
}
