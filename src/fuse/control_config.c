/* SPDX-License-Identifier: Apache-2.0 */
/* control_config.c - /.feox/config.json: the options in force. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_file.h"
#include "control_json.h"

static void set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Text that is not UTF-8, which JSON cannot hold, goes as NAME_hex. */
static void set_text(json_t *object, const char *name, const char *text)
{
	size_t size = strlen(text);
	char *hex_name = NULL, *hex;

	if (!json_object_set_new(object, name, json_string(text)))
		return;
	hex = calloc(2, size + 1);
	for (size_t i = 0; hex && i < size; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned int)(unsigned char)text[i]);
	if (hex && asprintf(&hex_name, "%s_hex", name) > 0)
		json_object_set_new(object, hex_name, json_string(hex));
	free(hex_name);
	free(hex);
}

/* null: no limit, which none stands for. */
static void set_limit(json_t *object, const char *name, uint64_t value, uint64_t none)
{
	if (value == none)
		json_object_set_new(object, name, json_null());
	else
		set_number(object, name, value);
}

/* As the option takes it. */
static void set_mask(json_t *object, const char *name, mode_t mask)
{
	char text[16];

	snprintf(text, sizeof(text), "%03o", (unsigned int)mask);
	set_text(object, name, text);
}

static void set_engine_options(json_t *object, const struct fx_fs *fs)
{
	struct feox_options o;
	char separator[2] = "";

	feox_effective_options(fs->store, &o);
	separator[0] = o.separator;
	set_text(object, "separator", separator);
	set_number(object, "memory", o.memory_limit_bytes);
	set_text(object, "evict", o.flags & FEOX_OPEN_CACHE ? "clock" : "none");
	set_number(object, "size", o.initial_size_bytes);
	set_number(object, "grow_max", o.grow_max_bytes);
	set_limit(object, "max_size", o.max_size_bytes, 0);
	set_number(object, "max_value", o.max_value_bytes);
	set_number(object, "flush_interval_ns", o.flush_interval_ns);
	set_text(object, "store_io",
		 !strcmp(fs->options->store, ":memory:") ? "memory"
		 : o.flags & FEOX_OPEN_NO_URING		 ? "pread"
							 : "io_uring");
}

static void set_mount_options(json_t *object, const struct fx_options *o)
{
	set_text(object, "prefix", o->prefix);
	json_object_set_new(object, "read_only", json_boolean(o->read_only));
	json_object_set_new(object, "sync", json_boolean(o->sync));
	json_object_set_new(object, "allow_other", json_boolean(o->allow_other));
	set_number(object, "uid", o->uid);
	set_number(object, "gid", o->gid);
	set_mask(object, "umask", o->umask);
	set_mask(object, "fmask", o->fmask);
	set_mask(object, "dmask", o->dmask);
	set_number(object, "rename_max", o->rename_max);
	set_number(object, "publish_interval_ns", o->publish_interval_ns);
	set_limit(object, "cache_ns", o->cache_ns, UINT64_MAX);
	set_text(object, "fsname", o->fsname);
	set_text(object, "subtype", o->subtype);
	set_text(object, "kernel", o->kernel ? o->kernel : "");
	set_text(object, "uring", "off");
}

/* What was agreed on with the kernel. */
static void set_flags(json_t *object, const struct fx_protocol *protocol)
{
	json_t *flags = json_object();

	json_object_set_new(flags, "PARALLEL_DIROPS", json_boolean(protocol->parallel));
	json_object_set_new(flags, "HANDLE_KILLPRIV_V2", json_boolean(protocol->clears_setid));
	json_object_set_new(flags, "DIRECT_IO_ALLOW_MMAP", json_boolean(protocol->direct));
	json_object_set_new(object, "fuse_flags", flags);
}

char *fx_control_config(struct fx_fs *fs)
{
	json_t *object = json_object();

	set_text(object, "version", feox_version());
	set_text(object, "store", fs->options->store);
	set_text(object, "mountpoint", fs->options->mountpoint);
	set_engine_options(object, fs);
	set_mount_options(object, fs->options);
	set_flags(object, &fs->protocol);
	return fx_json_dump(object);
}
