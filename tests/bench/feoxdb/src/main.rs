// SPDX-License-Identifier: Apache-2.0
//! The workloads of engine_bench on FeOxDB, memory-only: the inside of its process, as
//! bench_worker.c is that of the engines in C.
//!
//!     feoxdb_bench KEYS VALUE_BYTES THREADS
//!
//! Requests and replies (bench_worker.h) go over standard input and output; the sequence of keys
//! (bench_sequence.h) is file descriptor 3, shared with all other engines; keys and values are
//! those of bench_key.h. What is measured, checked and summed up is what bench_workload.c does.
//!
//! A get is get_bytes(), FeOxDB's way without an allocation, and a copy into the caller's buffer.
//! It has no call for many keys, and none for keys alone: these rows are what its user would write.
//! The sweep has a store with TTL of its own, as FeOxDB is slower with it, and is watched for some
//! seconds only: its sweeper takes a sample a second.

mod memory;
mod pool;
mod workload;

use feoxdb::FeoxStore;
use std::io::{BufRead, Write};
use std::sync::Arc;

/// What the program was started for.
#[derive(Clone, Copy)]
pub struct Setup {
    pub keys: usize,
    pub value_bytes: usize,
    pub threads: usize,
}

/// What a run was, all threads together.
#[derive(Default)]
pub struct Run {
    pub ns: u64,
    pub operations: u64,
    pub check: u64,
}

fn setup_from_arguments() -> Option<Setup> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse().ok())
        .collect::<Option<_>>()?;
    match numbers[..] {
        [keys, value_bytes, threads] if threads > 0 => Some(Setup {
            keys,
            value_bytes,
            threads,
        }),
        _ => None,
    }
}

/// As many buckets as there are keys, as its documentation advises.
fn hash_bits(keys: usize) -> u32 {
    keys.next_power_of_two().trailing_zeros()
}

pub fn open_store(setup: &Setup, ttl: bool) -> Result<Arc<FeoxStore>, String> {
    FeoxStore::builder()
        .no_memory_limit()
        .hash_bits(hash_bits(setup.keys))
        .enable_ttl(ttl)
        .build()
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

struct Worker {
    setup: Setup,
    pool: pool::Pool,
    baseline: u64,
}

impl Worker {
    fn answer(&mut self, line: &str) -> Result<Run, String> {
        let words: Vec<&str> = line.split_whitespace().collect();

        match words[..] {
            ["open"] => {
                self.baseline = memory::anonymous_bytes()?;
                self.pool.set_store(open_store(&self.setup, false)?);
                Ok(Run::default())
            }
            ["run", "sweep", count] => workload::sweep(&self.setup, parse(count)?),
            ["run", name, count] => {
                let (prepare, work) = workload::find(name)?;
                if let Some(prepare) = prepare {
                    self.pool.run(prepare, parse(count)?)?;
                }
                self.pool.run(work, parse(count)?)
            }
            _ => Err(format!("no such request: {line}")),
        }
    }
}

fn parse(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn main() {
    let Some(setup) = setup_from_arguments() else {
        eprintln!("usage: feoxdb_bench KEYS VALUE_BYTES THREADS (run by engine_bench)");
        std::process::exit(2);
    };
    let mut worker = Worker {
        setup,
        pool: pool::Pool::start(setup),
        baseline: 0,
    };
    let mut output = std::io::stdout();

    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let reply = worker.answer(&line).and_then(|run| {
            let bytes = memory::anonymous_bytes()?.saturating_sub(worker.baseline);
            Ok(format!(
                "ok {} {} {} {bytes}",
                run.ns, run.operations, run.check
            ))
        });
        let failed = reply.is_err();
        let text = reply.unwrap_or_else(|error| format!("error {error}"));
        if writeln!(output, "{text}")
            .and_then(|()| output.flush())
            .is_err()
            || failed
        {
            std::process::exit(1);
        }
    }
}
