/*
 * labels_priv.h - what quote.c and labels_parse.c share.
 */
#ifndef CW_LABELS_LABELS_PRIV_H
#define CW_LABELS_LABELS_PRIV_H
#include "common/labels/labels.h"

/* The bytes between two quotes `quote` (" or '), unescaped by Go's rules; invalid UTF-8 becomes U+FFFD. */
bool cw_unquote_body(struct cw_str body, char quote, struct cw_arena *arena, struct cw_str *out);

#endif
