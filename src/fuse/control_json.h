/* SPDX-License-Identifier: Apache-2.0 */
/* control_json.h - JSON in /.feox. */
#ifndef FX_CONTROL_JSON_H
#define FX_CONTROL_JSON_H

#include <jansson.h>

#include "fs.h"

/* What stats.json holds. */
json_t *fx_stats_json(struct fx_fs *fs); /* NULL: out of memory */

/* object as text, with a newline at its end, malloc(3)ed; object is dropped. NULL: no memory. */
char *fx_json_dump(json_t *object);

#endif
