#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a compiler does not know: layers, sizes, names, top level."""
import os
import re
import subprocess
import sys

ROOT = os.path.realpath(sys.argv[1])
# What each layer may include, itself left out.
LAYERS = {
    'base': set(),
    'format': {'base'},
    'device': {'base'},
    'core': {'base', 'format'},
    'engine': {'base', 'format', 'device', 'core'},
    'fuse': {'base'},
    'tools': {'base'},
}
# Libraries that only some files may include.
LIBRARIES = {
    'liburing.h': r'src/device/uring\w*\.[ch]|src/fuse/uring_session\w*\.[ch]',
    'jansson.h': r'src/engine/json_patch\w*\.[ch]|src/fuse/(control|ctl)\w*\.[ch]',
    'fuse_lowlevel.h': r'src/fuse/\w+\.[ch]',
    'urcu-bp.h': r'src/core/\w+\.[ch]',
}
TOP_LEVEL = {'src', 'include', 'tests', 'mount-helpers', 'meson.build', 'docs', 'README.md',
             'LICENSE', 'meson.options'}
FUNCTION_LINES = 70
FILE_LINES = 450

problems = []


def tracked():
    out = subprocess.run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard'],
                         capture_output=True, text=True)
    if out.returncode == 0:
        return [f for f in out.stdout.splitlines() if os.path.exists(os.path.join(ROOT, f))]
    found = []
    for base, dirs, files in os.walk(ROOT):
        dirs[:] = [d for d in dirs if not d.startswith(('.', 'build'))]
        found += [os.path.relpath(os.path.join(base, f), ROOT) for f in files]
    return found


def check_includes(path, text, headers):
    layer = path.split('/')[1]
    for name in re.findall(r'^#include\s+[<"]([^>"]+)[>"]', text, re.M):
        allowed = LIBRARIES.get(name)
        if allowed and not re.fullmatch(allowed, path):
            problems.append(f'{path}: must not include {name}')
        owner = headers.get(name)
        if owner and owner != layer and owner not in LAYERS[layer]:
            problems.append(f'{path}: {layer} must not include {name} of {owner}')


def check_sizes(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        problems.append(f'{path}: {len(lines)} lines, at most {FILE_LINES}')
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith('{'):
            start = number
        elif line.startswith('}') and start:
            if number - start - 1 > FUNCTION_LINES:
                problems.append(f'{path}:{start}: a function of {number - start - 1} lines, '
                                f'at most {FUNCTION_LINES}')
            start = None


def main():
    files = tracked()
    sources = [f for f in files if re.fullmatch(r'(src|include|tests)/.*\.[ch]', f)]
    headers, seen = {}, {}
    for path in sources:
        if path.startswith('src/'):
            layer, name = path.split('/')[1], os.path.basename(path)
            if name.endswith('.h'):
                headers[name] = layer
            if name in seen and os.path.dirname(seen[name]) != os.path.dirname(path):
                # extent.h exists as bytes (format) only; equal names would be picked by chance
                if name.endswith('.h'):
                    problems.append(f'{path}: the same name as {seen[name]}')
            seen[name] = path
    for path in sources:
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            text = file.read()
        if not text.startswith('/* SPDX-License-Identifier: Apache-2.0 */\n'):
            problems.append(f'{path}: no SPDX line')
        if path.startswith('src/'):
            check_includes(path, text, headers)
        if not path.startswith('include/'):
            check_sizes(path, text)
    for path in files:
        top = path.split('/')[0]
        if top not in TOP_LEVEL and not top.startswith('.'):
            problems.append(f'{top}: not a name for the top level')
    print('\n'.join(sorted(set(problems))) or f'{len(sources)} files keep the rules')
    sys.exit(1 if problems else 0)


main()
