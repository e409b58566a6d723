/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_oracle.h - RFC 6902 once more, on jansson's trees and with recursion: what the engine's
 * editing of texts is compared with.
 */
#ifndef FX_PATCH_ORACLE_H
#define FX_PATCH_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#define ORACLE_FLAGS (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)

/* The first token of a pointer, unescaped, into token; the rest of the pointer, or NULL: it is
 * none.
 */
static inline const char *oracle_token(const char *pointer, char *token)
{
	if (*pointer++ != '/')
		return NULL;
	for (; *pointer && *pointer != '/'; pointer++) {
		if (*pointer != '~') {
			*token++ = *pointer;
			continue;
		}
		pointer++;
		if (*pointer != '0' && *pointer != '1')
			return NULL;
		*token++ = *pointer == '0' ? '~' : '/';
	}
	*token = '\0';
	return pointer;
}

static inline bool oracle_is_pointer(const char *pointer)
{
	char token[4096];

	while (pointer && *pointer)
		pointer = strlen(pointer) < sizeof(token) ? oracle_token(pointer, token) : NULL;
	return pointer;
}

/* An index below limit, or limit for none. */
static inline size_t oracle_index(const char *token, size_t limit)
{
	size_t digits = strspn(token, "0123456789"), index = 0;

	if (!digits || token[digits] || digits > 9 || (digits > 1 && *token == '0'))
		return limit;
	for (; *token; token++)
		index = index * 10 + (size_t)(*token - '0');
	return index < limit ? index : limit;
}

static inline json_t *oracle_child(json_t *value, const char *token)
{
	if (json_is_object(value))
		return json_object_get(value, token);
	if (json_is_array(value))
		return json_array_get(value, oracle_index(token, json_array_size(value)));
	return NULL;
}

/* What pointer names; with parent its container instead, and its last token. */
static inline json_t *oracle_find(json_t *value, const char *pointer, bool parent, char *token)
{
	while (value && *pointer) {
		pointer = oracle_token(pointer, token);
		if (!*pointer && parent)
			return value;
		value = oracle_child(value, token);
	}
	return value;
}

/* 1, 0; or -1: a double cannot tell. */
static inline int oracle_equal(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *child;
	int equal = 1;

	if (json_is_number(a) && json_is_number(b)) {
		if (json_is_integer(a) && json_is_integer(b))
			return json_integer_value(a) == json_integer_value(b);
		return json_number_value(a) == json_number_value(b) ? -1 : 0;
	}
	if (json_typeof(a) != json_typeof(b))
		return 0;
	if (json_is_array(a)) {
		equal = json_array_size(a) == json_array_size(b);
		for (size_t i = 0; i < json_array_size(a) && equal == 1; i++)
			equal = oracle_equal(json_array_get(a, i), json_array_get(b, i));
		return equal;
	}
	if (!json_is_object(a))
		return json_equal(a, b);
	equal = json_object_size(a) == json_object_size(b);
	json_object_foreach((json_t *)a, key, child)
	{
		const json_t *other = json_object_get(b, key);

		if (equal == 1)
			equal = other ? oracle_equal(child, other) : 0;
	}
	return equal;
}

/* value is used up. */
static inline bool oracle_add(json_t **document, const char *path, json_t *value)
{
	char token[4096];
	json_t *container;
	size_t index;

	if (!*path) {
		json_decref(*document);
		*document = value;
		return true;
	}
	container = oracle_find(*document, path, true, token);
	if (json_is_object(container))
		return json_object_set_new(container, token, value) == 0;
	if (json_is_array(container)) {
		index = json_array_size(container);
		if (strcmp(token, "-") != 0)
			index = oracle_index(token, index + 1);
		if (index <= json_array_size(container))
			return json_array_insert_new(container, index, value) == 0;
	}
	json_decref(value);
	return false;
}

static inline bool oracle_remove(json_t *document, const char *path)
{
	char token[4096];
	json_t *container;

	if (!*path)
		return false;
	container = oracle_find(document, path, true, token);
	if (!container || !oracle_child(container, token))
		return false;
	if (json_is_object(container))
		return json_object_del(container, token) == 0;
	return json_array_remove(container, oracle_index(token, SIZE_MAX)) == 0;
}

/* One operation. 1, 0: it fails; -1: a double cannot tell. */
static inline int oracle_step(json_t **document, json_t *operation)
{
	const char *op = json_string_value(json_object_get(operation, "op"));
	const char *path = json_string_value(json_object_get(operation, "path"));
	const char *from = json_string_value(json_object_get(operation, "from"));
	json_t *value = json_object_get(operation, "value"), *there;
	char token[4096];
	bool moves, found = true;

	if (!op || !path || !oracle_is_pointer(path))
		return 0;
	moves = strcmp(op, "move") == 0;
	if (moves || strcmp(op, "copy") == 0) {
		if (!from || !oracle_is_pointer(from))
			return 0;
		if (moves && strncmp(from, path, strlen(from)) == 0 && path[strlen(from)] == '/')
			return 0;
		there = oracle_find(*document, from, false, token);
		if (!there || (moves && strcmp(from, path) == 0))
			return there != NULL;
		value = json_deep_copy(there);
		if (moves)
			found = oracle_remove(*document, from);
		if (!found)
			json_decref(value);
		return found && oracle_add(document, path, value);
	}
	if (strcmp(op, "remove") == 0)
		return oracle_remove(*document, path);
	if (!value)
		return 0;
	if (strcmp(op, "add") == 0)
		return oracle_add(document, path, json_deep_copy(value));
	there = oracle_find(*document, path, false, token);
	if (!there)
		return 0;
	if (strcmp(op, "test") == 0)
		return oracle_equal(there, value);
	if (strcmp(op, "replace") != 0)
		return 0;
	if (!*path)
		return oracle_add(document, path, json_deep_copy(value));
	there = oracle_find(*document, path, true, token);
	if (json_is_object(there))
		return json_object_set_new(there, token, json_deep_copy(value)) == 0;
	return json_array_set_new(there, oracle_index(token, SIZE_MAX), json_deep_copy(value)) == 0;
}

#endif
