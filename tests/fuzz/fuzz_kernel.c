/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz_kernel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "events.h"
#include "session.h"

#define ANSWER_S 20 /* a request that is not answered until then never is */

/* ---- Input ----------------------------------------------------------------------------------- */

uint64_t input_number(struct input *input, unsigned int bytes)
{
	uint64_t number = 0;

	for (; bytes && input->size; bytes--) {
		number = number << 8 | *input->data++;
		input->size--;
	}
	return number;
}

const uint8_t *input_bytes(struct input *input, size_t max, size_t *ret_size)
{
	size_t size = (size_t)input_number(input, 1);
	const uint8_t *data = input->data;

	if (size == UINT8_MAX) /* long ones */
		size = (size_t)input_number(input, 2);
	size = size > max ? max : size;
	size = size > input->size ? input->size : size;
	input->data += size;
	input->size -= size;
	*ret_size = size;
	return data;
}

/* ---- The device ------------------------------------------------------------------------------ */

static void take_reply(struct kernel *kernel, const struct fuse_out_header *header,
		       const struct iovec *iov, int count)
{
	kernel->error = header->error;
	kernel->reply_size = 0;
	assert(header->error <= 0 && header->error > -1000);
	for (int i = 1; i < count; i++) {
		assert(kernel->reply_size + iov[i].iov_len <= KERNEL_REPLY);
		if (iov[i].iov_len)
			memcpy(kernel->reply + kernel->reply_size, iov[i].iov_base, iov[i].iov_len);
		kernel->reply_size += iov[i].iov_len;
	}
	assert(header->len == sizeof(*header) + kernel->reply_size);
	assert(!header->error || !kernel->reply_size);
	kernel->awaited = 0;
	pthread_cond_signal(&kernel->answered);
}

static ssize_t write_device(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fx_fs *fs = userdata;
	struct kernel *kernel = (struct kernel *)fs->transport; /* nobody else uses it here */
	const struct fuse_out_header *header = iov[0].iov_base;
	ssize_t size = 0;

	fx_protocol_reply(&fs->protocol, iov, count);
	for (int i = 0; i < count; i++)
		size += (ssize_t)iov[i].iov_len;
	if (!header->unique) /* a notification */
		return size;
	pthread_mutex_lock(&kernel->mutex);
	assert(header->unique == kernel->awaited); /* one at a time, each answered once */
	take_reply(kernel, header, iov, count);
	pthread_mutex_unlock(&kernel->mutex);
	return size;
}

static ssize_t read_device(int fd, void *buffer, size_t size, void *userdata)
{
	return -1; /* requests are fed */
}

/* libfuse reads some bodies without a look at their size: behind what is sent there are zeros. */
static void feed(struct kernel *kernel, uint32_t opcode, uint64_t node, const struct iovec *body,
		 int count)
{
	size_t size = sizeof(struct fuse_in_header), at = size;
	struct fuse_in_header *header;
	struct fuse_buf buffer = {0};
	uint8_t *data;

	for (int i = 0; i < count; i++)
		size += body[i].iov_len;
	data = calloc(1, size + 128);
	assert(data);
	header = (struct fuse_in_header *)data;
	*header = (struct fuse_in_header){.len = (uint32_t)size,
					  .opcode = opcode,
					  .unique = kernel->unique,
					  .nodeid = node,
					  .uid = kernel->unique % 3 ? 0 : 1000,
					  .pid = 1};
	for (int i = 0; i < count; i++) {
		if (body[i].iov_len)
			memcpy(data + at, body[i].iov_base, body[i].iov_len);
		at += body[i].iov_len;
	}
	buffer.mem = data;
	buffer.size = size;
	fx_session_feed(kernel->fs, kernel->session, &buffer);
	free(data);
}

void kernel_tell(struct kernel *kernel, uint32_t opcode, uint64_t node, const struct iovec *body,
		 int count)
{
	kernel->unique += 2; /* odd ones are the kernel's interrupts */
	feed(kernel, opcode, node, body, count);
}

int kernel_ask(struct kernel *kernel, uint32_t opcode, uint64_t node, const struct iovec *body,
	       int count)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ANSWER_S;
	kernel->unique += 2;
	pthread_mutex_lock(&kernel->mutex);
	kernel->awaited = kernel->unique;
	pthread_mutex_unlock(&kernel->mutex);
	feed(kernel, opcode, node, body, count);
	pthread_mutex_lock(&kernel->mutex);
	while (kernel->awaited && !err)
		err = pthread_cond_timedwait(&kernel->answered, &kernel->mutex, &until);
	assert(!kernel->awaited);
	pthread_mutex_unlock(&kernel->mutex);
	return kernel->error;
}

/* ---- From mount to unmount ------------------------------------------------------------------- */

static void start_session(struct kernel *kernel)
{
	static const struct fuse_custom_io io = {.read = read_device, .writev = write_device};
	char *argv[] = {(char *)"fuzz", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_init_in init = {.major = FUSE_KERNEL_VERSION,
				    .minor = FUSE_KERNEL_MINOR_VERSION,
				    .max_readahead = 131072,
				    .flags = ~0u & ~(1u << 31),
				    .flags2 = ~0u};
	struct iovec body = {&init, sizeof(init)};

	kernel->session = fuse_session_new(&args, &fx_fs_ops, sizeof(fx_fs_ops), kernel->fs);
	fuse_opt_free_args(&args);
	assert(kernel->session);
	assert(!fuse_session_custom_io(kernel->session, &io, open("/dev/null", O_RDWR)));
	kernel->fs->session = kernel->session;
	assert(!kernel_ask(kernel, FUSE_INIT, 0, &body, 1));
	assert(kernel->fs->protocol.direct && kernel->fs->protocol.clears_setid);
}

static void start(struct kernel *kernel)
{
	char *argv[] = {(char *)"feoxfs",   (char *)"-o", (char *)"max_value=1M,memory=64M",
			(char *)":memory:", (char *)"/",  NULL};
	struct feox_options options = FEOX_OPTIONS_INIT;
	char error[256];

	pthread_mutex_init(&kernel->mutex, NULL);
	pthread_cond_init(&kernel->answered, NULL);
	assert(!fx_options_parse(5, argv, &kernel->options, error, sizeof(error)));
	assert(!fx_events_create(&kernel->events));
	options.flags = FEOX_OPEN_CREATE;
	options.memory_limit_bytes = kernel->options.memory;
	options.max_value_bytes = kernel->options.max_value;
	options.changed = fx_events_changed;
	options.changed_ctx = kernel->events;
	assert(!feox_open(&options, &kernel->store, NULL));
	assert(!fx_fs_create(kernel->store, kernel->events, &kernel->options, &kernel->fs));
	kernel->fs->transport = (struct fx_session *)kernel;
	kernel->nodes[0] = (struct kernel_node){.id = FUSE_ROOT_ID, .mode = S_IFDIR | 0755};
	kernel->node_count = 1;
	start_session(kernel);
}

static struct kernel *started;

/* So that what is left then has leaked. */
static void stop(void)
{
	struct kernel *kernel = started;

	fx_fs_stop(kernel->fs);
	fx_fs_destroy(kernel->fs);
	fuse_session_destroy(kernel->session); /* closes its descriptor */
	assert(!feox_close(kernel->store));
	fx_events_destroy(kernel->events);
	fx_options_free(&kernel->options);
}

void kernel_start(struct kernel *kernel)
{
	if (started)
		return;
	start(kernel);
	started = kernel;
	atexit(stop);
}

static void forget(struct kernel *kernel, const struct kernel_node *node)
{
	struct fuse_forget_in in = {.nlookup = node->lookups};
	struct iovec body = {&in, sizeof(in)};

	kernel_tell(kernel, FUSE_FORGET, node->id, &body, 1);
}

/* What the last input has left: the next one finds an empty store. */
static void remove_keys(struct kernel *kernel)
{
	struct feox_iter_options options = {.flags = FEOX_ITER_KEYS_ONLY};
	struct feox_iter *iter;
	struct feox_item item;

	assert(!feox_iter_open(kernel->store, &options, &iter));
	while (feox_iter_next(iter, &item) > 0)
		feox_delete(kernel->store, item.key, item.key_size, NULL);
	feox_iter_close(iter);
}

void kernel_clear(struct kernel *kernel)
{
	while (kernel->handle_count)
		kernel_close(kernel, 0);
	while (kernel->node_count > 1)
		forget(kernel, &kernel->nodes[--kernel->node_count]);
	remove_keys(kernel);
}

/* ---- What the kernel knows ------------------------------------------------------------------- */

void kernel_know(struct kernel *kernel, const struct fuse_entry_out *entry)
{
	struct kernel_node node = {.id = entry->nodeid, .lookups = 1, .mode = entry->attr.mode};

	if (!entry->nodeid)
		return;
	assert(entry->attr.mode & S_IFMT);
	for (size_t i = 0; i < kernel->node_count; i++)
		if (kernel->nodes[i].id == node.id) {
			kernel->nodes[i].lookups++;
			return;
		}
	if (kernel->node_count == KERNEL_NODES)
		forget(kernel, &node);
	else
		kernel->nodes[kernel->node_count++] = node;
}

uint64_t kernel_lookup(struct kernel *kernel, uint64_t parent, const char *name)
{
	const struct fuse_entry_out *entry = (const void *)kernel->reply;
	struct iovec body = {(void *)(uintptr_t)name, strlen(name) + 1};

	if (kernel_ask(kernel, FUSE_LOOKUP, parent, &body, 1))
		return 0;
	kernel_know(kernel, entry);
	return entry->nodeid;
}

bool kernel_hold(struct kernel *kernel, uint64_t node, uint64_t fh, bool directory)
{
	kernel->handles[kernel->handle_count++] =
		(struct kernel_handle){.node = node, .fh = fh, .directory = directory};
	if (kernel->handle_count < KERNEL_HANDLES)
		return true;
	kernel_close(kernel, kernel->handle_count - 1);
	return false;
}

void kernel_close(struct kernel *kernel, size_t index)
{
	struct kernel_handle handle = kernel->handles[index];
	struct fuse_release_in in = {.fh = handle.fh, .flags = O_RDWR};
	struct iovec body = {&in, sizeof(in)};

	kernel->handles[index] = kernel->handles[--kernel->handle_count];
	kernel_ask(kernel, handle.directory ? FUSE_RELEASEDIR : FUSE_RELEASE, handle.node, &body,
		   1);
}

uint64_t kernel_create(struct kernel *kernel, const char *name)
{
	struct fuse_create_in in = {.flags = O_RDWR | O_CREAT, .mode = S_IFREG | 0644};
	struct iovec body[] = {{&in, sizeof(in)}, {(void *)(uintptr_t)name, strlen(name) + 1}};
	const struct fuse_entry_out *entry = (const void *)kernel->reply;
	const struct fuse_open_out *opened = (const void *)(entry + 1);
	uint64_t id;

	assert(!kernel_ask(kernel, FUSE_CREATE, FUSE_ROOT_ID, body, 2));
	id = entry->nodeid;
	kernel_know(kernel, entry);
	kernel_hold(kernel, id, opened->fh, false);
	return id;
}

int kernel_write(struct kernel *kernel, uint64_t node, uint64_t fh, const void *data, size_t size)
{
	struct fuse_write_in in = {.fh = fh, .size = (uint32_t)size, .flags = O_RDWR};
	struct iovec body[] = {{&in, sizeof(in)}, {(void *)(uintptr_t)data, size}};

	return kernel_ask(kernel, FUSE_WRITE, node, body, 2);
}
