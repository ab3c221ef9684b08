/*
 * docker_place.h - where a container's log goes on when it is asked for again. Pure.
 *
 * The Engine gives messages in the order in which they were written, from a second on (`since`); their times are in no strict
 * order, for two streams are written at once. So a place is a second, how many messages that are not older were taken, and the
 * last of them: those are skipped. Where older messages were rotated away meanwhile, the last one stands earlier.
 *
 *   cw_docker_place_begin(&place, cursor);        since place.since_s
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
    int64_t second_s;         /* the newest; how many have it and those before, by second */
    uint64_t per_second[CW_DOCKER_DISORDER_S + 1];
    uint64_t last; /* hash of the last that was taken */
};

void cw_docker_place_begin(struct cw_docker_place *place, struct cw_str cursor);
/* False: it was taken before. */
bool cw_docker_place_take(struct cw_docker_place *place, const struct cw_docker_line *message);
void cw_docker_place_format(const struct cw_docker_place *place, char text[CW_DOCKER_CURSOR_BYTES]);

#endif
