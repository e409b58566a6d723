// SPDX-License-Identifier: Apache-2.0
//! This process's own resident memory, and the sequence it shares with the other engines.

/// Anonymous pages that are resident, as bench_memory.c counts them.
pub fn anonymous_bytes() -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")
        .map_err(|error| format!("/proc/self/smaps_rollup: {error}"))?;
    let kib: Option<u64> = text
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());

    kib.map(|kib| kib * 1024)
        .ok_or_else(|| "/proc/self/smaps_rollup does not say Anonymous".to_string())
}

const SEQUENCE_FD: i32 = 3;

/// The entries that engine_bench writes between two requests, never during one.
#[derive(Clone, Copy)]
pub struct Sequence {
    entries: *const u32,
    capacity: usize,
}

// SAFETY: mapped once, never unmapped, and constant while threads read it.
unsafe impl Send for Sequence {}

impl Sequence {
    pub fn map() -> Result<Self, String> {
        // SAFETY: plain system calls; the mapping is checked.
        unsafe {
            let bytes = libc::lseek(SEQUENCE_FD, 0, libc::SEEK_END);
            if bytes < 0 {
                return Err("there is no sequence on file descriptor 3".to_string());
            }
            let entries = libc::mmap(
                std::ptr::null_mut(),
                bytes as usize,
                libc::PROT_READ,
                libc::MAP_SHARED,
                SEQUENCE_FD,
                0,
            );
            if entries == libc::MAP_FAILED {
                return Err(std::io::Error::last_os_error().to_string());
            }
            Ok(Sequence {
                entries: entries.cast(),
                capacity: bytes as usize / std::mem::size_of::<u32>(),
            })
        }
    }

    /// The entries from..to, as long as the request that asked for them is being answered.
    pub fn share(&self, from: usize, to: usize) -> &[u32] {
        assert!(from <= to && to <= self.capacity);
        // SAFETY: within the mapping, which nobody writes to meanwhile.
        unsafe { std::slice::from_raw_parts(self.entries.add(from), to - from) }
    }
}
