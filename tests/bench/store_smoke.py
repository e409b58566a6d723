#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small run of store_bench: the shape of what comes out, never how fast it was.

    store_smoke.py STORE_BENCH
"""
import json
import subprocess
import sys

METRICS = {
    'durable_insert': {'ops_per_s', 'written_per_byte'},
    'overwrite': {'ops_per_s', 'written_per_byte', 'space_per_live_byte'},
    'sync_1': {'p50_us', 'p99_us', 'ops_per_s'},
    'sync_8': {'p50_us', 'p99_us', 'ops_per_s'},
    'cold_get': {'p50_us', 'p99_us'},
    'recovery': {'keys_per_s'},
}
DEVICE = {('sync_1', 'p50_us'), ('cold_get', 'p50_us')}

done = subprocess.run([sys.argv[1], '--quick', '--json', '--keys', '20000'], capture_output=True,
                      text=True)
print(done.stderr, end='', file=sys.stderr)
assert done.returncode == 0, f'status {done.returncode}'
found = {}
for line in done.stdout.splitlines():
    row = json.loads(line)
    assert list(row) == ['engine', 'workload', 'metric', 'value'], row
    assert isinstance(row['value'], (int, float)) and row['value'] >= 0, row
    key = (row['workload'], row['metric'])
    assert key not in found.setdefault(row['engine'], {}), f'{row} twice'
    found[row['engine']][key] = row['value']
assert set(found['device']) == DEVICE, found['device']
for engine, rows in found.items():
    if engine == 'device':
        continue
    expected = {(workload, metric) for workload, metrics in METRICS.items() for metric in metrics}
    if engine != 'feox':
        expected -= {('recovery', 'keys_per_s')}
    assert set(rows) == expected, f'{engine}: {set(rows) ^ expected}'
assert 'feox' in found
wrong = subprocess.run([sys.argv[1], '--keys', 'many'], capture_output=True, text=True)
assert wrong.returncode and "'many' is not a number" in wrong.stderr, wrong.stderr
