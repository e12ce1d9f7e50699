//! Limits that the system has for a process.
#![expect(
    unsafe_code,
    reason = "limits of the process are had from the C library only"
)]

use std::io;

/// Raises the soft limit of open files to the hard one; answers what it is then. Every connection is one, and the soft limit of many systems is far below what a host serves.
pub(crate) fn raise_files() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is that of a live value of the type that is asked for.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        set(libc::RLIMIT_NOFILE, limit)?;
    }
    Ok(limit.rlim_cur)
}

/// Limits what a process that compiles may take: memory, processor time, and no file, process or memory image besides.
pub(crate) fn confine(memory_bytes: u64, cpu_seconds: u64) -> io::Result<()> {
    let all = |limit| (limit, limit);
    for (resource, (soft, hard)) in [
        (libc::RLIMIT_AS, all(memory_bytes)),
        // The soft limit ends the process with a signal that says why.
        (
            libc::RLIMIT_CPU,
            (cpu_seconds, cpu_seconds.saturating_add(1)),
        ),
        (libc::RLIMIT_FSIZE, all(0)),
        (libc::RLIMIT_CORE, all(0)),
        (libc::RLIMIT_NOFILE, all(0)),
    ] {
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        set(resource, limit)?;
    }
    Ok(())
}

fn set(resource: libc::__rlimit_resource_t, limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the pointer is that of a live value of the type that is wanted; it is only read.
    match unsafe { libc::setrlimit(resource, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
