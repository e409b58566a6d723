#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small run of every engine that is here: the shape of what comes out, never how fast it was.

    smoke.py ENGINE_BENCH
"""
import json
import os
import subprocess
import sys

BENCH = sys.argv[1]
FIELDS = ['engine', 'workload', 'keys', 'threads', 'value_bytes', 'ns_per_op', 'mops', 'spread',
          'bytes_per_key']
STORES = ['insert', 'get', 'get_many', 'range', 'keys', 'cas', 'overwrite', 'zipf95', 'zipf50',
          'add', 'delete']
SIZE = ['--keys', '2000', '--threads', '1,2', '--value-bytes', '100', '--ops', '3000']
# Neither is it built for this test, nor left out where it is built.
BUILT = os.path.join(os.path.dirname(BENCH), 'feoxdb', 'release', 'feoxdb_bench')
ENGINES = ['feox', 'lmdb', 'rocksdb', 'limit'] + (['feoxdb'] if os.path.exists(BUILT) else [])


def run(*args, status=0):
    done = subprocess.run([BENCH, *args], capture_output=True, text=True)
    print(done.stderr, end='', file=sys.stderr)
    assert done.returncode == status, f'{args}: status {done.returncode}, not {status}'
    return done


def check_row(row):
    assert list(row) == FIELDS, f'fields: {list(row)}'
    assert isinstance(row['engine'], str) and isinstance(row['workload'], str)
    for name in 'keys', 'threads', 'value_bytes':
        assert isinstance(row[name], int), f'{name} of {row}'
    for name in FIELDS[5:]:
        assert isinstance(row[name], float), f'{name} of {row}'
    assert row['ns_per_op'] > 0 and row['mops'] > 0 and row['spread'] >= 0, row
    # One over the other, as far as the printed digits go.
    threads = 1 if row['workload'] == 'sweep' else row['threads']
    product = row['ns_per_op'] * row['mops'] / threads
    assert row['mops'] < 0.01 or abs(product - 1000) < 100, row
    if row['engine'] == 'limit':
        assert row['bytes_per_key'] == 0, row


def check_json():
    done = run('--engine', ','.join(ENGINES), *SIZE, '--reps', '2', '--json')
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = set()
    for engine in ENGINES:
        if f'{engine}: built without' in done.stderr:
            continue
        for threads in 1, 2:
            for workload in ['two_loads'] if engine == 'limit' else STORES:
                expected.add((engine, workload, 2000, threads, 100))
        if engine in ('feox', 'feoxdb'):
            expected.add((engine, 'sweep', 2000, 1, 100))
    for row in rows:
        check_row(row)
    found = [tuple(row[name] for name in FIELDS[:5]) for row in rows]
    assert len(found) == len(set(found)), 'a row twice'
    assert set(found) == expected, f'rows: {sorted(set(found) ^ expected)}'


def check_table():
    out = run('--engine', 'feox,limit', '--workload', 'get,two_loads', *SIZE, '--reps', '1').stdout
    assert '2000 keys, values of 100 bytes, 2 threads, 1 repetition' in out, out
    assert '4 KiB pages' in out and '\nget ' in out and '\ninsert ' not in out, out


def check_errors():
    for args, text in ((['--engine', 'nosuch'], "'nosuch'"), (['--workload', 'get,x'], "'x'"),
                       (['--keys', '10'], "--keys: '10'"), (['--threads', '0'], "--threads: '0'"),
                       (['--value-bytes', '1e3'], "--value-bytes: '1e3'"), (['extra'], "'extra'"),
                       (['--reps', '1,2'], "--reps: '1,2'")):
        done = run(*args, status=64)
        assert text in done.stderr, f'{args}: {done.stderr}'
    done = run('--engine', 'feox', '--dir', '/nonexistent', status=1)
    assert '/nonexistent' in done.stderr, done.stderr


check_json()
check_table()
check_errors()
