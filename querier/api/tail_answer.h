/*
 * tail_answer.h - the JSON of a live tail: entries, and the frames they go out in.
 *
 *   {"streams":[{"stream":{...},"values":[["<ns>","<line>"]]},...],"dropped_entries":[{"timestamp":"<ns>","labels":{...}},...]}
 *
 * Each entry has a stream of its own, as Loki sends it. With categorised labels a third element stands behind the line, and
 * "encodingFlags" at the end. The API of before 2019 has {"labels":"{...}","entries":[{"ts":"...","line":"..."}]}.
 */
#ifndef CW_API_TAIL_ANSWER_H
#define CW_API_TAIL_ANSWER_H
#include "querier/api/answer.h"
#include "querier/api/tail_queue.h"

enum cw_tail_form { CW_TAIL_PLAIN, CW_TAIL_CATEGORISED, CW_TAIL_OLD };

/* An entry's text is appended to *out; *labels is where its labels stand in it. Borrows from the arena meanwhile. */
void cw_tail_answer_entry(const struct cw_log_entry *entry, enum cw_tail_form form,
                          struct cw_arena *arena, struct cw_buf *out, struct cw_str *labels);
/* Only the labels of a stream, in the same form. */
void cw_tail_answer_labels(struct cw_labels labels, enum cw_tail_form form, struct cw_buf *out);

/* Entries that were dropped, and are to be told: JSON values separated by commas. More than there is room for are counted only. */
struct cw_tail_drops {
    struct cw_buf text;
    size_t n;       /* in the text */
    uint64_t total; /* all since the start */
};
void cw_tail_drops_init(struct cw_tail_drops *drops);
void cw_tail_drops_fini(struct cw_tail_drops *drops);
/* Is there room to tell one more? */
bool cw_tail_drops_room(const struct cw_tail_drops *drops);
/* `labels` as cw_tail_answer_labels() wrote them. */
void cw_tail_drops_add(struct cw_tail_drops *drops, int64_t ts_ns, struct cw_str labels,
                       enum cw_tail_form form);

/* A frame: begin, items, end (which empties the drops). */
void cw_tail_frame_begin(struct cw_buf *out);
void cw_tail_frame_add(struct cw_buf *out, const struct cw_tail_item *item);
void cw_tail_frame_end(struct cw_buf *out, struct cw_tail_drops *drops, enum cw_tail_form form);

#endif
