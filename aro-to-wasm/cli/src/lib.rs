//! What the commands share that touches the file system: reading a program from disk.

pub mod project;
