#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Planted faults: is there a test for everything that keeps a store whole?

    planted.py SOURCE [--work FOLDER] [--rotate N | NAME...]

One fsync, checksum check, ordering barrier, slot state or grace period is taken out of a copy of the
sources at a time, at least two for each invariant (docs/testing.md); the copy is built, and tests are
run until one fails. A fault that no test notices, or that does not apply any more because the source
has changed, is a failure. --rotate N takes N of them, others every day.
"""
import argparse
import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile

CRASH = ['crash/crash_invariants_disk', 'crash/crash_invariants', 'crash/crash_cases',
         'crash/crash_small --states 3000', 'crash/crash_random --states 6000']
ERRORS = ['crash/crash_errors']

# name, invariant, file below src, what stands there, what is put in its place, tests
FAULTS = [
    ('blocks given out and free', 'I1', 'engine/pack.c',
     'err = add_run(pack, run);\n\t\t\tif (err)', 'err = add_run(pack, run);\n\t\t\tif (1)', CRASH),
    ('no grace period for extents', 'I1', 'core/extent_table.c',
     'return entry->grace_passed &&', 'return',
     ['unit/unit_extent_table'] + CRASH),
    ('no pins of extents', 'I1', 'core/extent_table.c',
     '!atomic_load_explicit(&entry->extent.pins, memory_order_acquire)', 'true',
     ['unit/unit_extent_table'] + CRASH),
    ('torn extents of the last commit', 'I2', 'engine/recovery.c',
     'fx_checksum(store->store_seed, bytes, e->bytes) == e->checksum ? 0 : -EUCLEAN', '0', CRASH),
    ('last commit not looked at', 'I2', 'engine/recovery.c',
     'if (walk->header.type != FX_JOURNAL_COMMIT)\n\t\treturn 0;', 'return 0;', CRASH),
    ('moved extent, old commit record', 'I2', 'engine/batch_write.c',
     'if (!err && moved)', 'if (0)', ERRORS),
    ('journal not taken out of the map', 'I3', 'engine/recovery_map.c',
     'err = fx_map_take(store, store->chain->runs, store->chain->run_count, &block);', 'err = 0;',
     CRASH),
    ('extents not taken out of the map', 'I3', 'engine/recovery_map.c',
     'err = fx_map_take(store, extent->runs, extent->run_count, &block);', 'err = 0;', CRASH),
    ('no sync of a batch', 'I4', 'engine/batch_write.c',
     'if (!err)\n\t\terr = fx_write_sync(cut->store);', '', CRASH),
    ('no sync behind a link', 'I4', 'engine/journal_chain.c',
     'if (!err)\n\t\t\terr = fx_write_sync(store);', '', CRASH),
    ('no sync of a superblock', 'I4', 'device/device.c',
     'err = device->ops->submit_sync(device, &io);\n\treturn err ? err : '
     'device->ops->reap(device)->result;', 'return 0;', CRASH),
    ('no sync of a checkpoint', 'I4', 'engine/checkpoint.c',
     'return err ? err : fx_write_sync(store);', 'return err;', CRASH),
    ('a failed sync is forgotten', 'I4', 'engine/disk_write.c',
     'fx_store_fail(store, err, "fdatasync");\n\treturn -EIO;', 'return 0;', ERRORS),
    ('a failed write is forgotten', 'I4', 'engine/disk_write.c',
     'piece->transfer->failed = true;', '', ERRORS),
    ('writers in a window are not waited for', 'I5', 'engine/queue.c',
     'drain(&queue->shards[i], parity);', ';', CRASH),
    ('commits only when somebody waits', 'I5', 'engine/flush.c',
     'if (err)\n\t\tfx_queue_cut(&store->queue);', 'if (err || !waiters)\n\t\t;', CRASH),
    ('chains have one generation', 'I6', 'engine/checkpoint.c',
     '(generation & ~COUNTER_MASK) | ((store->super.chain_generation + 1) & COUNTER_MASK)', '7',
     CRASH),
    ('recovery goes on in the old chain', 'I6', 'engine/recovery_map.c',
     'if (!err && !store->read_only)\n\t\terr = fx_chain_checkpoint(store, store->chain);', '',
     CRASH),
    ('a moved record lives twice', 'I8', 'engine/batch_write.c',
     'if (!err)\n\t\t\terr = fx_dying_add(&cut->dying, move->from, move->record);', '', CRASH),
    ('values are not verified', 'I7', 'engine/cold.c',
     'return fx_value_checksum(store->store_seed, extent->sequence, at, slice, size) == checksum;',
     'return true;', CRASH),
    ('checksums of values are not bound', 'I7', 'format/extent.c',
     '{htole64(store_seed), htole64(sequence), htole64(at)}', '{0}', CRASH),
    ('directories are not verified', 'I7', 'format/extent.c',
     'header_checksum(header, directory, directory_bytes)\n\t\t       ? 0\n\t\t       : -EUCLEAN',
     'header_checksum(header, directory, directory_bytes) ? 0 : 0',
     ['unit/unit_extent'] + CRASH),
    ('journal records are not verified', 'I7', 'engine/recovery.c',
     'if (fx_journal_verify(bytes, header, store->super.uuid))\n\t\treturn -EUCLEAN;', '', CRASH),
    ('deletes are not told', 'I8', 'engine/dying.c',
     'fx_journal_put_dead(w, extent->sequence, indexes, count);', ';', CRASH),
    ('versions go on where they were', 'I8', 'engine/journal_chain.c',
     'atomic_store(&store->version_shards[i], version);', ';', CRASH),
    ('numbers go on where they were', 'I8', 'engine/journal_chain.c',
     'atomic_store(&store->id_next, id + 1);', ';', CRASH),
    ('the clock goes back', 'I8', 'engine/recovery.c',
     'fx_clock_raise(&walk->store->clock, h->wall_ns);', ';', CRASH),
    ('versions pass the ceiling', 'I8', 'engine/grant.c', 'FX_VERSION_AHEAD_NS / 2', '0', CRASH),
    ('a batch in two cuts', 'I9', 'engine/transaction.c',
     'fx_queue_push(window, first, last);',
     '{ struct fx_pending *rest = first->next; fx_queue_push(window, first, first);\n'
     'fx_queue_leave(window); feox_sync(run->store); window = fx_queue_enter(&run->store->queue);\n'
     'if (rest) fx_queue_push(window, rest, last); }', CRASH),
    ('a batch in part', 'I9', 'engine/transaction.c',
     'fx_queue_push(window, first, last);', 'fx_queue_push(window, last, last);', CRASH),
    ('the older superblock', 'I10', 'engine/superblocks.c',
     'copy->super.generation > ret_copies[newest].super.generation',
     'copy->super.generation < ret_copies[newest].super.generation', CRASH),
    ('generations of superblocks stand still', 'I10', 'engine/superblocks.c',
     'store->super.generation++;', ';', CRASH),
    ('the end of the chain is not known', 'I7', 'engine/recovery.c',
     'if (!err && store->chain->next_sequence - 1 < store->super.chain_records)', 'if (0)', CRASH),
    ('one superblock is written', 'I10', 'engine/superblocks.c', 'i < 2; i++) {\n\t\tunsigned int copy',
     'i < 1; i++) {\n\t\tunsigned int copy', CRASH),
]


def edit(text, old, new):
    """Put new in the place of old, which may be wrapped in another way. None: it is not there."""
    pattern = r'\s*'.join(re.escape(word) for word in re.findall(r'\w+|[^\w\s]', old))
    found = re.findall(pattern, text)
    return re.sub(pattern, lambda _: new, text, count=1) if found else None


def run(command, cwd, log, timeout):
    with open(log, 'w', encoding='utf-8') as out:
        try:
            return subprocess.run(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT,
                                  timeout=timeout, check=False).returncode
        except subprocess.TimeoutExpired:
            return 'timeout'


class Copy:
    """A copy of the sources with a build folder beside it."""

    def __init__(self, source, work):
        self.source, self.build = os.path.join(work, 'source'), os.path.join(work, 'build')
        self.log = os.path.join(work, 'log')
        shutil.copytree(source, self.source,
                        ignore=shutil.ignore_patterns('.git', 'build*', '__pycache__'))
        if run(['meson', 'setup', self.build, self.source, '--buildtype=debugoptimized'], work,
               self.log, 300):
            sys.exit(f'the copy cannot be set up, see {self.log}')

    def compile(self, tests):
        targets = sorted({'tests/' + test.split()[0] for test in tests})
        return run(['ninja', '-C', self.build] + targets, self.build, self.log, 1200)

    def failing(self, tests):
        """The first test that fails, and how."""
        for test in tests:
            command = test.split()
            command[0] = os.path.join(self.build, 'tests', command[0])
            result = run(command, self.build, self.log, 400)
            if result:
                return test.split()[0], self.words(result)
        return None

    def words(self, result):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            lines = [line.strip() for line in log if 'FAILED' in line or 'recorder:' in line]
        return lines[0][:150] if lines else f'exit status {result}'


def try_fault(copy, fault):
    name, invariant, path, old, new, tests = fault
    path = os.path.join(copy.source, 'src', path)
    with open(path, encoding='utf-8') as file:
        text = file.read()
    changed = edit(text, old, new)
    if changed is None:
        return f'STALE    {invariant:4} {name}: the source has changed'
    try:
        with open(path, 'w', encoding='utf-8') as file:
            file.write(changed)
        if copy.compile(tests):
            return f'BROKEN   {invariant:4} {name}: does not compile, see {copy.log}'
        found = copy.failing(tests)
    finally:
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
    if not found:
        return f'UNNOTICED {invariant:4} {name}'
    return f'caught   {invariant:4} {name}: {found[0]}: {found[1]}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source')
    parser.add_argument('names', nargs='*', help='parts of names, or invariants; all by default')
    parser.add_argument('--work', help='folder that is kept')
    parser.add_argument('--rotate', type=int, help='so many of them, others every day')
    options = parser.parse_args()
    faults = [f for f in FAULTS
              if not options.names or any(n == f[1] or n in f[0] for n in options.names)]
    if options.rotate:
        first = datetime.date.today().toordinal() * options.rotate % len(faults)
        faults = (faults + faults)[first:first + options.rotate]
    work = options.work or tempfile.mkdtemp(prefix='feox-planted-')
    bad = 0
    try:
        copy = Copy(os.path.realpath(options.source), work)
        for fault in faults:
            line = try_fault(copy, fault)
            bad += not line.startswith('caught')
            print(line, flush=True)
    finally:
        if not options.work:
            shutil.rmtree(work)
    print(f'{len(faults)} faults, {bad} not caught')
    return bad != 0


if __name__ == '__main__':
    sys.exit(main())
