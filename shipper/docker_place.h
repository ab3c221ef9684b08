/*
 * docker_place.h - where a container's log goes on when it is asked for again. Pure.
 *
 * The Engine gives messages in the order in which they were written, from a second on (`since`); their times are in no strict
 * order, for two streams are written at once. So a place is a second, how many messages that are not older were taken, and the
 * last of them: those are skipped. Where older messages were rotated away meanwhile, the last one stands earlier.
 *
 * An Engine that is followed while it rotates a container's files may give messages of the old file again. They look like
 * messages that came when the clock had been set back, so the log is asked for again from there (_widen()): read anew it has
 * each of them once, and the last that was taken stands where it belongs.
 *
 *   cw_docker_place_begin(&place, cursor);        since place.since_s
 *   if (cw_docker_place_steps_back(&place, &message)) break off, begin again with _widen()
 *   if (cw_docker_place_take(&place, &message))   new, not skipped
 *   cw_docker_place_format(&place, text)          the cursor behind all that were taken
 *
 * Errors     A cursor that cannot be read is the beginning.
 */
#ifndef CW_SHIPPER_DOCKER_PLACE_H
#define CW_SHIPPER_DOCKER_PLACE_H
#include "shipper/docker_line.h"

/* Messages are written in no strict order of their times; further apart than so many seconds they are. */
#define CW_DOCKER_DISORDER_S 8
#define CW_DOCKER_CURSOR_BYTES 72

struct cw_docker_place {
    int64_t since_s; /* 0: all */
    /* ours */
    uint64_t skip, skip_last; /* so many more, or until that one */
    int64_t skip_until_ns;    /* or until a newer one */
    int64_t newest_ns[2];     /* by stream */
    bool taken;               /* one was, since those to skip */
    int64_t second_s;         /* the newest; how many have it and those before, by second */
    uint64_t per_second[CW_DOCKER_DISORDER_S + 1];
    uint64_t last; /* hash of the last that was taken */
};

void cw_docker_place_begin(struct cw_docker_place *place, struct cw_str cursor);
/* After _begin(): skip by the last message alone, from the second before `from_ns` on. */
void cw_docker_place_widen(struct cw_docker_place *place, int64_t from_ns, int64_t newest_ns);
/* Whether it is older than what its stream gave last, or that once more. */
bool cw_docker_place_steps_back(const struct cw_docker_place *place,
                                const struct cw_docker_line *message);
/* False: it was taken before. */
bool cw_docker_place_take(struct cw_docker_place *place, const struct cw_docker_line *message);
void cw_docker_place_format(const struct cw_docker_place *place, char text[CW_DOCKER_CURSOR_BYTES]);

#endif
