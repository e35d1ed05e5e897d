//! The conventional `process_*` metrics, read from `/proc/self` at each scrape (Linux; elsewhere
//! they are absent). The collector of the crate `prometheus` is not used: it counts CPU time in whole
//! seconds, of which this process may need one a minute.

use std::fs;

use prometheus::proto::MetricFamily;

use super::definitions::{Definition, PROCESS};

/// Clock ticks per second in `/proc/self/stat`: 100 on every Linux architecture that Rust supports
/// (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// The families that this system has, in the order of [`PROCESS`].
pub(super) fn families() -> Vec<MetricFamily> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let values = [
        cpu_seconds(&stat),
        max_fds(&fs::read_to_string("/proc/self/limits").unwrap_or_default()),
        // The directory that is being read is open too.
        fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64 - 1.0),
        status_kib(&status, "VmRSS:"),
        start_time(&stat, &fs::read_to_string("/proc/stat").unwrap_or_default()),
        status_number(&status, "Threads:"),
        status_kib(&status, "VmSize:"),
    ];
    let family = |(of, value): (&Definition, Option<f64>)| value.map(|value| of.single(value));
    PROCESS.iter().zip(values).filter_map(family).flatten().collect()
}

/// The fields of `/proc/self/stat` after the command, which may hold blanks; the first is number 3.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(number - 3)?.trim().parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_time(stat: &str, system: &str) -> Option<f64> {
    let boot = system.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(boot.trim().parse::<f64>().ok()? + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn status_number(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn status_kib(status: &str, name: &str) -> Option<f64> {
    Some(status_number(status, name)? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_the_manual_says() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 10 0 0 0 150 50 0 0 20 0 4 0 1200 9 9";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(start_time(stat, "cpu 1\nbtime 1000\n"), Some(1012.0));
        let limits = "Limit   Soft Hard Units\nMax open files            1024   4096   files\n";
        assert_eq!(max_fds(limits), Some(1024.0));
        assert_eq!(max_fds("Max open files  unlimited  unlimited  files"), None);
        assert_eq!(status_kib("Name:\tx\nVmRSS:\t    8 kB\n", "VmRSS:"), Some(8192.0));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_all_of_them() {
        assert_eq!(families().len(), PROCESS.len());
    }
}
