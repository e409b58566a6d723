/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Is there a dash in front of byte i? */
static bool dashed(unsigned int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

int fx_uuid_parse(const char *text, uint8_t ret_uuid[FEOX_UUID_SIZE])
{
	uint8_t uuid[FEOX_UUID_SIZE];

	for (unsigned int i = 0; i < FEOX_UUID_SIZE; i++) {
		int high, low;

		if (dashed(i) && *text++ != '-')
			return -EINVAL;
		high = hex_digit(*text);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		uuid[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return -EINVAL;
	memcpy(ret_uuid, uuid, sizeof(uuid));
	return 0;
}

void fx_uuid_print(const uint8_t uuid[FEOX_UUID_SIZE], char ret_text[FX_UUID_TEXT])
{
	for (unsigned int i = 0; i < FEOX_UUID_SIZE; i++)
		ret_text += sprintf(ret_text, "%s%02x", dashed(i) ? "-" : "", uuid[i]);
}

void fx_print_key(FILE *out, const void *key, size_t size)
{
	const unsigned char *bytes = key;

	fputc('"', out);
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			fprintf(out, "\\%c", bytes[i]);
		else if (bytes[i] < ' ' || bytes[i] > '~')
			fprintf(out, "\\x%02x", bytes[i]);
		else
			fputc(bytes[i], out);
	}
	fputc('"', out);
}

char fx_parse_separator(const char *text)
{
	return text[0] && !text[1] ? text[0] : '\0';
}
