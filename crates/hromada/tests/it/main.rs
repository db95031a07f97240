//! The built program from outside: command line, crashes, disk faults, other programs, bad input.

mod clients;
mod command_line;
mod crashes;
mod disk_faults;
mod hang_ups;
mod malformed;
mod support;
mod workspace;
