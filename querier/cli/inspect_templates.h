/*
 * inspect_templates.h - what lines look like and what their values cost: templates and columns of blocks, added up over all of them.
 *
 * A template is known by its text, a column by its type and the text before it in the template that used it first.
 *
 * Ownership  Owns its lists; texts live in its arena. Past CW_INSPECT_TEMPLATES_MAX of either the rest is counted together.
 */
#ifndef CW_CLI_INSPECT_TEMPLATES_H
#define CW_CLI_INSPECT_TEMPLATES_H
#include "common/base/arena.h"
#include "common/base/id_map.h"
#include "common/store/template_block.h"

/* Random text makes templates without end: what is kept of them is some 100 MB at most. */
#define CW_INSPECT_TEMPLATES_MAX 262144u

struct cw_inspect_sum {
    struct cw_str text;     /* slots are their types' bytes */
    uint8_t type;           /* of a column */
    uint64_t count, stored; /* rows, or values; bytes of the columns' sections */
    uint64_t blocks;
};

struct cw_inspect_sums {
    struct cw_id_map map;
    struct cw_inspect_sum *items;
    size_t n, cap;
    struct cw_inspect_sum rest;
};

struct cw_inspect_templates {
    struct cw_arena *arena;
    struct cw_template_block *block; /* NULL: none was read yet */
    struct cw_inspect_sums templates, columns;
};

void cw_inspect_templates_init(struct cw_inspect_templates *templates);
void cw_inspect_templates_fini(struct cw_inspect_templates *templates);
/* `block` is of templates. One that cannot be read is left out. */
void cw_inspect_templates_add(struct cw_inspect_templates *templates, const struct cw_block *block);
/* At most `limit` rows of each table (0: all), the largest first. */
void cw_inspect_templates_print(struct cw_inspect_templates *templates, uint64_t limit);

#endif
