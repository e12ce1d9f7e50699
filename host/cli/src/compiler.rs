//! Where programs are compiled, and the process that does it for others' programs: it gives up all but its memory and its two pipes before it reads a byte of them.

use anyhow::Context;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// What reading, computing, writing and ending need. Nothing here opens a file or a socket or starts a process; whatever else is asked for fails.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The running program, even where its file was replaced since.
pub(crate) const PROGRAM: &str = "/proc/self/exe";

/// Where a service manager or the user's surroundings want caches to be.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    // What systemd makes for `CacheDirectory=` is for this service alone.
    absolute("CACHE_DIRECTORY").or_else(|| {
        let home = || Some(absolute("HOME")?.join(".cache"));
        let caches = absolute("XDG_CACHE_HOME").or_else(home)?;
        Some(caches.join("aro-host"))
    })
}

/// Compiles what comes in on the standard input until it ends.
pub(crate) fn compile(memory_bytes: u64, cpu_seconds: u64) -> anyhow::Result<()> {
    crate::rlimit::confine(memory_bytes, cpu_seconds).context("limits cannot be set")?;
    filter().context("system calls cannot be limited")?;
    aro_host::compile_parts(io::stdin().lock(), io::stdout().lock())?;
    Ok(())
}

fn filter() -> anyhow::Result<()> {
    let calls: BTreeMap<_, _> = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let target = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, refused, SeccompAction::Allow, target)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)?;
    Ok(())
}
