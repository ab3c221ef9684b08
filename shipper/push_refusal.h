/*
 * push_refusal.h - what to do when a server refuses a batch: which entries are given up, how many the next batch may have. Requests
 * stay few though only refused entries are given up:
 *
 *   all of it   The answer counts its refused entries, and they are all that the batch has: it is given up whole. Loki counts so, and
 *               cordwood's ingester of a delivery (delivery.h).
 *   else        It is halved until a single entry is refused, which is given up; batches grow again with each that is taken.
 *               What stages or `long_lines: split` made of one line cannot be parted: it is given up together.
 *   in a run    To a server without the delivery protocol alone: when CW_PUSH_RUN entries were refused by themselves for one reason,
 *               the next ones of the same source that are refused for it are given up together, twice as many each time, always
 *               with one by itself in between that shows that the run goes on. Entries that the server would take may be among them.
 *               Loki has those already, as it refuses entries and no batches; where the text names no stream in the words of
 *               Loki ("for stream '{..", "stream '{..", "for stream: {..", "for stream {.."), one that is taken ends the run. What
 *               is in the dead letters can be sent again.
 *
 * Loki's texts: pkg/util/errors.go (GroupedErrors: "2 errors like: TEXT; 1 errors like: TEXT", one for an entry or a whole stream), and
 * pkg/validation/validate.go (the reasons), pkg/ingester/stream.go ("entry with timestamp T ignored, reason: '..',\nuser 'U', total ignored: 3 out of 3 for stream: {..}").
 *
 * Ownership  Plain values.
 * Errors     None: any text is safe to read.
 */
#ifndef CW_SHIPPER_PUSH_REFUSAL_H
#define CW_SHIPPER_PUSH_REFUSAL_H
#include <stdbool.h>
#include "common/base/str.h"
#include "common/wire/push.h"

/* So many entries that were refused by themselves, with fewer than so many taken in a row between two of them, are a run: fewer may be
 * chance, and each of them costs a request, or some, with good ones between. */
#define CW_PUSH_RUN 32

struct cw_push_refusals {
    size_t max_entries; /* of the next cut */
    size_t suspects;    /* entries ahead among which a refused one must be; 0: none known */
    bool counts;        /* the server was met to count refused entries */
    /* The run: for which reason, since how many, how many were taken since the last of them, and how many of those end it. */
    uint64_t reason;
    size_t nsingles, ntaken, gap;
    size_t together;        /* so many may be given up at once, of the next batch; 0: none */
    size_t together_before; /* the last time */
    struct cw_id128 source; /* whose; of the entry that was refused last */
};

/* A batch that was refused, and the answer. */
struct cw_push_refused {
    int status;
    struct cw_str text;
    bool plain; /* the server has not the delivery protocol */
    size_t nentries;
    size_t nfirst;          /* of its first source */
    struct cw_id128 source; /* that */
};

enum cw_push_verdict { CW_PUSH_SPLIT, CW_PUSH_GIVE_UP };

void cw_push_refusals_init(struct cw_push_refusals *refusals);
/* A batch was stored. */
void cw_push_refusals_taken(struct cw_push_refusals *refusals, size_t nentries);
/* A batch was refused for good: what becomes of it. */
enum cw_push_verdict cw_push_refusals_refused(struct cw_push_refusals *refusals,
                                              const struct cw_push_refused *batch);

/* Whether the text says of each of so many entries that it was refused. */
bool cw_push_refusal_is_of_all(struct cw_str text, size_t nentries);

#endif
