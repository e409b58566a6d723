/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_edit.h - changing a JSON text in the way its author would: only the bytes concerned, in the
 * layout of their surroundings.
 *
 * A new item is set apart from its neighbours as they are from each other; one in an empty
 * container gets a line of its own when the container's neighbours have. A value of several lines
 * keeps its line breaks and changes its indentation from that of its old place to that of its new
 * one. A removed item takes its comma and one side's white space along.
 */
#ifndef FX_JSON_EDIT_H
#define FX_JSON_EDIT_H

#include "json_document.h"
#include "json_pointer.h"

/*
 * All return 0; -ENOMEM; or -EFBIG, the text would become larger than size_max. The
 * document is then as it was. Neither value nor indent may be in the document's own memory.
 */

/* Put a value where place names none: as an element, or as the member called name. */
int fx_json_insert(struct fx_json_document *document, const struct fx_json_place *place,
		   const struct fx_json_token *name, const struct fx_json_insert *insert);

/* Put a value in an array before the element that place names. */
int fx_json_insert_before(struct fx_json_document *document, const struct fx_json_place *place,
			  const struct fx_json_insert *insert);

/* Put a value in the place of the one that place names. */
int fx_json_replace(struct fx_json_document *document, const struct fx_json_place *place,
		    const struct fx_json_insert *insert);

/* Remove the member or element that place names; not the root. */
int fx_json_remove(struct fx_json_document *document, const struct fx_json_place *place);

#endif
