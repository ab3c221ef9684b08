/*
 * json_tree.h - a JSON document as a tree, and back as text: for what cannot be answered while it is walked.
 *
 * Keys       In the order of the document; of two that are equal the last one's value counts, as in Go.
 * Ownership  Nodes and texts live in the arena or borrow from the text that was parsed.
 * Bounds     CW_JSON_STRICT_DEPTH, and the text's length: a node is made for at least one byte of it.
 */
#ifndef CW_EXTRACT_JSON_TREE_H
#define CW_EXTRACT_JSON_TREE_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/extract/json_scan.h"

struct cw_json_node {
    enum cw_json_type type;
    bool truth;                        /* BOOL */
    double number;                     /* NUMBER */
    struct cw_str text;                /* STRING, decoded */
    const struct cw_json_node **items; /* ARRAY, OBJECT */
    struct cw_str *keys;               /* OBJECT */
    size_t n;
};

extern const struct cw_json_node cw_json_null_node, cw_json_true_node, cw_json_false_node;

/* False: the text is no JSON document, or one of its numbers no double holds. */
bool cw_json_tree_parse(struct cw_str text, struct cw_arena *arena,
                        const struct cw_json_node **out);
/* The value of a member; NULL: there is none, or it is no object. */
const struct cw_json_node *cw_json_tree_member(const struct cw_json_node *object,
                                               struct cw_str key);
/* Compact, as Go's encoding/json prints it ('<', '>' and '&' as \u003c ...). Fails at the buffer's cap. */
void cw_json_tree_print(const struct cw_json_node *node, struct cw_buf *out);

#endif
