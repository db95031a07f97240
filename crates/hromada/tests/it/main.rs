//! The built program from outside: command line, crashes, disk faults, other programs, bad input.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test stops where it fails"
)]

mod archives;
mod clients;
mod command_line;
mod crashes;
mod disk_faults;
mod file_faults;
mod hang_ups;
mod malformed;
mod moving;
mod people;
mod published;
mod slow_clients;
mod support;
mod workspace;
