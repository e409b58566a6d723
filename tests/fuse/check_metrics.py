#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of `promtool check metrics` that concern us, for a text on standard input."""
import re
import sys

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)')
LABEL = re.compile(r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"')
UNITS_NOT_BASE = ('_ms', '_milliseconds', '_ns', '_us', '_kb', '_kilobytes', '_percent', '_minutes')
problems = []
helps, types, seen, order = {}, {}, set(), []


def family(name):
    """The metric that a sample belongs to."""
    for suffix in ('_bucket', '_sum', '_count'):
        base = name[:-len(suffix)]
        if name.endswith(suffix) and types.get(base) in ('histogram', 'summary'):
            return base
    return name


def check_sample(line):
    match = SAMPLE.fullmatch(line)
    if not match:
        problems.append(f'no sample: {line}')
        return
    name, labels, value = match.groups()
    base = family(name)
    if base not in types or base not in helps:
        problems.append(f'{name}: HELP and TYPE must come before')
    if labels and LABEL.sub('', labels[1:-1]).strip(','):
        problems.append(f'{name}: labels {labels}')
    if (name, labels) in seen:
        problems.append(f'{name}{labels or ""}: twice')
    seen.add((name, labels))
    if order and order[-1] != base and base in order:
        problems.append(f'{base}: not in one piece')
    order.append(base)
    float(value)


def main():
    raw = sys.stdin.read()
    if not raw.endswith('\n'):
        problems.append('no newline at the end')
    buckets = {}
    for line in raw.splitlines():
        words = line.split(' ', 3)
        if words[:2] == ['#', 'HELP']:
            if words[2] in helps:
                problems.append(f'{words[2]}: a second HELP')
            helps[words[2]] = words[3] if len(words) > 3 else ''
            if not helps[words[2]]:
                problems.append(f'{words[2]}: no help text')
        elif words[:2] == ['#', 'TYPE']:
            types[words[2]] = words[3]
        elif line and not line.startswith('#'):
            check_sample(line)
            match = re.match(r'(\w+)_bucket\{(.*?),?le="([^"]+)"\} (\S+)', line)
            if match:
                buckets.setdefault((match[1], match[2]), []).append((match[3], float(match[4])))
    for name, kind in types.items():
        if kind not in ('counter', 'gauge', 'histogram', 'summary'):
            problems.append(f'{name}: type {kind}')
        if (kind == 'counter') != name.endswith('_total'):
            problems.append(f'{name}: a {kind} and _total')
        if name.endswith(UNITS_NOT_BASE):
            problems.append(f'{name}: not a base unit')
        if not name.startswith('feoxfs_') or not re.fullmatch('[a-z0-9_]+', name):
            problems.append(f'{name}: not our kind of name')
        if not any(family(sample) == name for sample, _ in seen):
            problems.append(f'{name}: no sample')
    for (name, labels), rows in buckets.items():
        bounds = [float(bound) for bound, _ in rows]
        counts = [count for _, count in rows]
        if bounds != sorted(bounds) or bounds[-1] != float('inf'):
            problems.append(f'{name}{{{labels}}}: buckets out of order, or without +Inf')
        if counts != sorted(counts):
            problems.append(f'{name}{{{labels}}}: buckets are not cumulative')
    print('\n'.join(problems) or f'{len(types)} metrics keep the rules')
    sys.exit(1 if problems else 0)


main()
