// SPDX-License-Identifier: Apache-2.0
//! The clients' threads: pinned, alive as long as the process, as in bench_pool.c.

use crate::memory::Sequence;
use crate::workload::Client;
use crate::{Run, Setup};
use feoxdb::FeoxStore;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::time::Instant;

/// A workload: one thread's part of it.
pub type Work = fn(&mut Client) -> Result<(), String>;

enum Job {
    Store(Arc<FeoxStore>),
    Run(Work, usize),
}

struct Answer {
    from: Instant,
    to: Instant,
    operations: u64,
    check: u64,
    result: Result<(), String>,
}

pub struct Pool {
    jobs: Vec<Sender<Job>>,
    answers: Receiver<Answer>,
}

/// Thread n gets the n-th core this process may use, from the first again when there are fewer.
fn pin(number: usize) {
    // SAFETY: the sets are plain bits, and the calls are told their size.
    unsafe {
        let size = std::mem::size_of::<libc::cpu_set_t>();
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let cores: Vec<usize> = (0..libc::CPU_SETSIZE as usize)
            .filter(|&core| libc::CPU_ISSET(core, &allowed))
            .collect();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cores[number % cores.len()], &mut one);
        libc::sched_setaffinity(0, size, &one);
    }
}

fn run_jobs(mut client: Client, jobs: Receiver<Job>, answers: Sender<Answer>, start: Arc<Barrier>) {
    pin(client.number);
    for job in jobs {
        match job {
            Job::Store(store) => client.store = Some(store),
            Job::Run(work, count) => {
                client.begin(count);
                start.wait();
                let from = Instant::now();
                let result = work(&mut client);
                let answer = Answer {
                    from,
                    to: Instant::now(),
                    operations: client.operations,
                    check: client.check,
                    result,
                };
                if answers.send(answer).is_err() {
                    return;
                }
            }
        }
    }
}

impl Pool {
    /// Ends the process when it cannot: nothing could be measured.
    pub fn start(setup: Setup) -> Pool {
        let sequence = Sequence::map().unwrap_or_else(|error| {
            eprintln!("feoxdb_bench: {error}");
            std::process::exit(1);
        });
        let start = Arc::new(Barrier::new(setup.threads));
        let (send_answer, answers) = channel();
        let jobs = (0..setup.threads)
            .map(|number| {
                let (send_job, jobs) = channel();
                let client = Client::new(setup, number, sequence);
                let (answers, start) = (send_answer.clone(), start.clone());
                std::thread::spawn(move || run_jobs(client, jobs, answers, start));
                send_job
            })
            .collect();

        Pool { jobs, answers }
    }

    pub fn set_store(&self, store: Arc<FeoxStore>) {
        for job in &self.jobs {
            // A thread ends only by a panic, which run() then reports.
            let _ = job.send(Job::Store(store.clone()));
        }
    }

    /// Let all threads work on their shares of the first count entries.
    pub fn run(&self, work: Work, count: usize) -> Result<Run, String> {
        let mut answers = Vec::with_capacity(self.jobs.len());

        for job in &self.jobs {
            job.send(Job::Run(work, count))
                .map_err(|_| "a thread has ended".to_string())?;
        }
        for _ in &self.jobs {
            answers.push(self.answers.recv().map_err(|error| error.to_string())?);
        }
        let from = answers.iter().map(|answer| answer.from).min();
        let to = answers.iter().map(|answer| answer.to).max();
        let mut run = Run::default();
        for answer in answers {
            answer.result?;
            run.operations += answer.operations;
            run.check = run.check.wrapping_add(answer.check);
        }
        if let (Some(from), Some(to)) = (from, to) {
            run.ns = (to - from).as_nanos() as u64;
        }
        Ok(run)
    }
}
