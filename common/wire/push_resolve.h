/*
 * push_resolve.h - what is derived from a decoded push, at its arrival and again at replay: each stream's labels and id, and
 * each entry's metadata sorted under the names that Loki gives it.
 *
 * Ownership  Works in place; what it makes lives in the arena.
 * Errors     CW_E_INVALID: the labels are none, in Loki's words. An entry's metadata never fails.
 */
#ifndef CW_WIRE_PUSH_RESOLVE_H
#define CW_WIRE_PUSH_RESOLVE_H
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/wire/push.h"
#include "common/wire/service_name.h"

/* Set stream->labels (parsed from labels_text when that counts, with a service_name added by `names`, which may be NULL: none) and
 * its id. */
int cw_push_resolve_labels(struct cw_push_stream *stream, const struct cw_service_names *names,
                           struct cw_arena *arena, struct cw_hash128 *id_out,
                           struct cw_err *err) CW_MUST_USE;
/* Sort the metadata of one entry under Loki's names for it; of names that are the same then, the first stays; empty values go, and
 * names that Loki refuses (a push that has one is refused; a log may hold it from before that was so). */
void cw_push_resolve_metadata(struct cw_push_entry *entry, struct cw_arena *arena);
/* Both for a whole push; *ids_out has one id per stream. The first stream that fails ends it; one without entries is
 * left alone. */
int cw_push_resolve(struct cw_push *push, const struct cw_service_names *names,
                    struct cw_arena *arena, struct cw_hash128 **ids_out,
                    struct cw_err *err) CW_MUST_USE;

#endif
