// SPDX-License-Identifier: Apache-2.0
//! The workloads, one thread's part each: the same as those of bench_workload.c, call by call.

use crate::memory::Sequence;
use crate::pool::Work;
use crate::{open_store, Run, Setup};
use feoxdb::{FeoxError, FeoxStore};
use std::sync::Arc;
use std::time::{Duration, Instant};

const WRITE: u32 = 1 << 31;
const SCAN: usize = 100;
const SCAN_RING: usize = 1 << 16;
const FILLING: u8 = 0x5a;
const KEY_MAX: usize = 24;
const LAST_KEY: &[u8] = b"user:1"; // after all keys
const SWEEP_TTL_SECONDS: u64 = 1;
const SWEEP_WATCHED: Duration = Duration::from_secs(4);
const SWEEP_POLL: Duration = Duration::from_millis(5);

/// One thread, with its buffers.
pub struct Client {
    setup: Setup,
    pub number: usize,
    sequence: Sequence,
    pub store: Option<Arc<FeoxStore>>,
    value: Vec<u8>,
    expected: Vec<u8>,
    out: Vec<u8>,
    ring: Vec<u8>,
    used: usize,
    from: usize,
    to: usize,
    pub operations: u64,
    pub check: u64,
}

fn make_key(number: u32, key: &mut [u8; KEY_MAX]) -> usize {
    let mut rest = number;

    key[..6].copy_from_slice(b"user:0");
    for at in (6..=14).rev().step_by(2) {
        let pair = rest % 100;
        rest /= 100;
        key[at] = b'0' + (pair / 10) as u8;
        key[at + 1] = b'0' + (pair % 10) as u8;
    }
    key[16..].copy_from_slice(b"abcdefgh");
    16 + (number % 9) as usize
}

fn make_value(value: &mut [u8], number: u32, generation: u32) {
    value[..4].copy_from_slice(&number.to_ne_bytes());
    value[4..8].copy_from_slice(&generation.to_ne_bytes());
}

fn number_of(value: &[u8]) -> u32 {
    u32::from_ne_bytes([value[0], value[1], value[2], value[3]])
}

/// Two threads that write the same key take their timestamps before its lock: the one that comes
/// second with the older one is refused, whatever it wrote. All its caller can do is write again.
fn again<T>(mut write: impl FnMut() -> Result<T, FeoxError>) -> Result<T, String> {
    loop {
        match write() {
            Err(FeoxError::OlderTimestamp) => (),
            result => return result.map_err(|error| error.to_string()),
        }
    }
}

impl Client {
    pub fn new(setup: Setup, number: usize, sequence: Sequence) -> Client {
        Client {
            setup,
            number,
            sequence,
            store: None,
            value: vec![FILLING; setup.value_bytes],
            expected: vec![FILLING; setup.value_bytes],
            out: vec![1; setup.value_bytes],
            ring: vec![1; SCAN_RING + setup.value_bytes],
            used: 0,
            from: 0,
            to: 0,
            operations: 0,
            check: 0,
        }
    }

    fn share(&self, count: usize) -> (usize, usize) {
        let threads = self.setup.threads;
        (
            count * self.number / threads,
            count * (self.number + 1) / threads,
        )
    }

    pub fn begin(&mut self, count: usize) {
        (self.from, self.to) = self.share(count);
        self.operations = 0;
        self.check = 0;
    }

    /// Call operation for every entry of the share.
    fn each(
        &mut self,
        operation: impl Fn(&mut Client, &FeoxStore, u32) -> Result<(), String>,
    ) -> Result<(), String> {
        let (store, sequence) = (self.store.clone(), self.sequence);
        let store = store.ok_or("no store is open")?;

        for &entry in sequence.share(self.from, self.to) {
            operation(self, &store, entry)?;
        }
        self.operations = (self.to - self.from) as u64;
        Ok(())
    }

    fn get(&mut self, store: &FeoxStore, number: u32) -> Result<(), String> {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);
        let value = store.get_bytes(&key[..size]).map_err(|e| e.to_string())?;

        if value.len() != self.out.len() {
            return Err("get: a value of the wrong size".to_string());
        }
        self.out.copy_from_slice(&value);
        if number_of(&self.out) != number {
            return Err("get: a wrong value".to_string());
        }
        self.check = self.check.wrapping_add(u64::from(number));
        Ok(())
    }

    fn put(&mut self, store: &FeoxStore, number: u32) -> Result<(), String> {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);

        make_value(&mut self.value, number, 0);
        again(|| store.insert(&key[..size], &self.value))?;
        self.check = self.check.wrapping_add(u64::from(number));
        Ok(())
    }

    fn copy_out(&mut self, bytes: &[u8]) -> usize {
        if self.used + bytes.len() > self.ring.len() {
            self.used = 0;
        }
        let at = self.used;
        self.ring[at..at + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
        at
    }

    fn scan(&mut self, store: &FeoxStore, number: u32, values: bool) -> Result<(), String> {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);
        let items = store
            .range_query(&key[..size], LAST_KEY, SCAN)
            .map_err(|e| e.to_string())?;

        for (key, value) in &items {
            self.copy_out(key);
            let check = if values {
                let at = self.copy_out(value);
                number_of(&self.ring[at..])
            } else {
                key.len() as u32
            };
            self.check = self.check.wrapping_add(u64::from(check));
        }
        self.operations += items.len() as u64;
        Ok(())
    }

    /// Every entry is the beginning of a scan; operations are the items found.
    fn scans(&mut self, values: bool) -> Result<(), String> {
        let (store, sequence) = (self.store.clone(), self.sequence);
        let store = store.ok_or("no store is open")?;

        for &entry in sequence.share(self.from, self.to) {
            self.scan(&store, entry, values)?;
        }
        Ok(())
    }
}

fn get(client: &mut Client) -> Result<(), String> {
    client.each(|client, store, number| client.get(store, number))
}

fn put(client: &mut Client) -> Result<(), String> {
    client.each(|client, store, number| client.put(store, number))
}

fn mixed(client: &mut Client) -> Result<(), String> {
    client.each(|client, store, entry| {
        if entry & WRITE != 0 {
            client.put(store, entry & !WRITE)
        } else {
            client.get(store, entry)
        }
    })
}

fn cas(client: &mut Client) -> Result<(), String> {
    let (own_from, own_to) = client.share(client.setup.keys);
    let store = client.store.clone().ok_or("no store is open")?;
    let sequence = client.sequence;
    let mut key = [0; KEY_MAX];

    for (i, &number) in sequence.share(client.from, client.to).iter().enumerate() {
        let generation = (i / (own_to - own_from)) as u32;
        let size = make_key(number, &mut key);

        make_value(&mut client.expected, number, generation);
        make_value(&mut client.value, number, generation + 1);
        if !again(|| store.compare_and_swap(&key[..size], &client.expected, &client.value))? {
            return Err("cas: lost".to_string());
        }
        client.check = client.check.wrapping_add(u64::from(number));
    }
    client.operations = (client.to - client.from) as u64;
    Ok(())
}

/// Make a counter of every key that add() is going to meet.
fn prepare_add(client: &mut Client) -> Result<(), String> {
    client.each(|_, store, number| {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);

        again(|| store.insert(&key[..size], &0i64.to_le_bytes())).map(|_| ())
    })
}

fn add(client: &mut Client) -> Result<(), String> {
    client.each(|client, store, number| {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);
        let sum = again(|| store.atomic_increment(&key[..size], 1))?;

        client.check = client.check.wrapping_add(sum as u64);
        Ok(())
    })
}

fn delete(client: &mut Client) -> Result<(), String> {
    client.each(|client, store, number| {
        let mut key = [0; KEY_MAX];
        let size = make_key(number, &mut key);

        client.check = client.check.wrapping_add(u64::from(number));
        again(|| store.delete(&key[..size]))
    })
}

fn range(client: &mut Client) -> Result<(), String> {
    client.scans(true)
}

fn keys(client: &mut Client) -> Result<(), String> {
    client.scans(false)
}

/// What to do untimed before, and what to measure.
pub fn find(name: &str) -> Result<(Option<Work>, Work), String> {
    Ok(match name {
        "insert" | "overwrite" => (None, put),
        "get" | "get_many" => (None, get),
        "range" => (None, range),
        "keys" => (None, keys),
        "cas" => (None, cas),
        "zipf95" | "zipf50" => (None, mixed),
        "add" => (Some(prepare_add), add),
        "delete" => (None, delete),
        _ => return Err(format!("no such workload: {name}")),
    })
}

/// Let count keys expire and watch the sweeper remove them, as far as it gets.
pub fn sweep(setup: &Setup, count: usize) -> Result<Run, String> {
    let store = open_store(setup, true)?;
    let value = vec![FILLING; setup.value_bytes];
    let mut key = [0; KEY_MAX];

    for number in 0..count as u32 {
        let size = make_key(number, &mut key);
        again(|| store.insert_with_ttl(&key[..size], &value, SWEEP_TTL_SECONDS))?;
    }
    // All are expired a second from now: then the sweeper starts.
    std::thread::sleep(Duration::from_millis(SWEEP_TTL_SECONDS * 1000 + 1));
    store.start_ttl_sweeper(None);
    let from = Instant::now();
    while !store.is_empty() && from.elapsed() < SWEEP_WATCHED {
        std::thread::sleep(SWEEP_POLL);
    }
    Ok(Run {
        ns: from.elapsed().as_nanos() as u64,
        operations: (count - store.len()) as u64,
        check: 0,
    })
}
