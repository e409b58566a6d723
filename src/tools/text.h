/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - what the tools read and print. */
#ifndef FX_TOOLS_TEXT_H
#define FX_TOOLS_TEXT_H

#include "feox/feox.h"

#include <stdio.h>

#define FX_UUID_TEXT 37u /* bytes, with the NUL */

/* "123e4567-e89b-12d3-a456-426614174000" (RFC 4122, section 3), either case. -EINVAL. */
int fx_uuid_parse(const char *text, uint8_t ret_uuid[FEOX_UUID_SIZE]);
void fx_uuid_print(const uint8_t uuid[FEOX_UUID_SIZE], char ret_text[FX_UUID_TEXT]);

/* A key in quotes; what is not printable ASCII, quotes and backslashes as C escapes (\x1b). */
void fx_print_key(FILE *out, const void *key, size_t size);

/* One of punctuation, for --separator; 0: it is not one byte. */
char fx_parse_separator(const char *text);

#endif
