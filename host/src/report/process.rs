//! The process that all tenants share, as the system sees it.

use std::fs;
use std::time::Duration;

/// Ticks of the system's accounts in a second; the same on all Linux machines (man 5 proc, `USER_HZ`).
const ACCOUNT_TICKS: u64 = 100;
/// Where the system describes this process.
const STAT: &str = "/proc/self/stat";

/// The process at one moment; what the system does not tell is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProcessStatus {
    /// CPU time in its own code.
    pub cpu_user: Duration,
    /// CPU time in the system's code.
    pub cpu_system: Duration,
    /// Address space, in bytes.
    pub virtual_bytes: u64,
    /// Memory in use, in bytes.
    pub resident_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Descriptors that may be open.
    pub descriptors_max: u64,
}

impl ProcessStatus {
    /// This process, now.
    #[must_use]
    pub fn now() -> Self {
        let mut status = Self {
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64),
            ..Self::of_stat(&fs::read_to_string(STAT).unwrap_or_default())
        };
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let files = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let soft = files.and_then(|line| line.split_whitespace().next());
        status.descriptors_max = soft.and_then(|text| text.parse().ok()).unwrap_or(0);
        let sizes = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kibibytes = |name| {
            let line = sizes.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
                << 10
        };
        status.virtual_bytes = kibibytes("VmSize:");
        status.resident_bytes = kibibytes("VmRSS:");
        status
    }

    /// The fields after the name of the process, which is in parentheses and may hold anything.
    fn of_stat(stat: &str) -> Self {
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let fields: Vec<&str> = after.split(' ').collect();
        let ticks = |place: usize| -> Duration {
            let text = fields.get(place).copied().unwrap_or_default();
            let ticks: u64 = text.parse().unwrap_or(0);
            Duration::from_millis(ticks * 1000 / ACCOUNT_TICKS)
        };
        Self {
            cpu_user: ticks(11),
            cpu_system: ticks(12),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_cannot_mislead() {
        let stat = "7 (a) 9 9) R 1 7 7 0 -1 4 1 0 0 0 250 13 0 0 20 0 1 0 5 1 1";
        let status = ProcessStatus::of_stat(stat);
        assert_eq!(status.cpu_user, Duration::from_millis(2500));
        assert_eq!(status.cpu_system, Duration::from_millis(130));
        assert_eq!(ProcessStatus::of_stat(""), ProcessStatus::default());
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let status = ProcessStatus::now();
        assert!(status.resident_bytes > 0 && status.virtual_bytes >= status.resident_bytes);
        assert!(status.descriptors > 2 && status.descriptors_max >= status.descriptors);
    }
}
